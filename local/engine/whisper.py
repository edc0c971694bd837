"""Whisper in place of pocketsphinx, for who has a model on disk: far fewer wrong words, more time.

    uv pip install faster-whisper
    WHISPER_MODEL=DIR python -m local.engine ... --recogniser local.engine.whisper:faster_whisper_recogniser

DIR is a Whisper model in CTranslate2's format, with model.bin, config.json and tokenizer.json. Nothing is ever
downloaded. Each worker holds the model in memory; OMP_NUM_THREADS says how many cores each one uses.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from local.engine.audio import SAMPLE_RATE
from local.engine.recogniser import Recogniser, Word

MODEL_VARIABLE = "WHISPER_MODEL"
# faster-whisper would download a tokenizer that is not there.
_FILES = ("model.bin", "config.json", "tokenizer.json")


def faster_whisper_recogniser(clean: bool) -> Recogniser:  # noqa: ARG001  it does not make rude words up
    """Load the model in the folder that $WHISPER_MODEL names. Raises FileNotFoundError, ModuleNotFoundError."""
    folder = Path(os.environ.get(MODEL_VARIABLE, ""))
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if MODEL_VARIABLE not in os.environ or missing:
        msg = f"set {MODEL_VARIABLE} to the folder of a Whisper model in CTranslate2's format: {', '.join(_FILES)}"
        raise FileNotFoundError(msg)
    from faster_whisper import WhisperModel  # noqa: PLC0415  an optional package

    model = WhisperModel(str(folder), local_files_only=True)

    def recognise(samples: NDArray[np.int16], keyterms: Sequence[str] = ()) -> list[Word]:
        if len(samples) == 0:
            return []
        segments, _ = model.transcribe(
            samples.astype(np.float32) / 32_768,
            language="en",
            word_timestamps=True,
            temperature=0.0,  # else it draws lots where it is unsure, and no two runs agree
            condition_on_previous_text=False,
            hotwords=", ".join(keyterms) or None,
        )
        length_ms = len(samples) * 1000 // SAMPLE_RATE
        return [
            {
                "text": heard.word.strip(),
                "start": min(round(1000 * heard.start), length_ms),
                "end": min(round(1000 * heard.end), length_ms),
                "confidence": round(min(1.0, max(0.0, heard.probability)), 5),
                "speaker": None,
            }
            for segment in segments
            for heard in segment.words or ()
            if heard.word.strip()
        ]

    return recognise
