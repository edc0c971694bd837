"""Whisper plugged in, with a stand-in for the package that has its interface."""

import inspect
import sys
from pathlib import Path

import numpy as np
import pytest

from local.engine.recogniser import Recogniser
from local.engine.worker import load_recogniser

# The signatures and fields of faster-whisper 1.2.
PACKAGE = """
from dataclasses import dataclass

made = []
heard = []

@dataclass
class Word:
    start: float
    end: float
    word: str
    probability: float

@dataclass
class Segment:
    words: list | None

class WhisperModel:
    def __init__(self, model_size_or_path, device="auto", device_index=0, compute_type="default", cpu_threads=0,
                 num_workers=1, download_root=None, local_files_only=False, files=None, revision=None,
                 use_auth_token=None):
        made.append((model_size_or_path, local_files_only))

    def transcribe(self, audio, language=None, task="transcribe", log_progress=False, beam_size=5, best_of=5,
                   patience=1, length_penalty=1, repetition_penalty=1, no_repeat_ngram_size=0, temperature=(0.0, 0.2),
                   compression_ratio_threshold=2.4, log_prob_threshold=-1.0, no_speech_threshold=0.6,
                   condition_on_previous_text=True, prompt_reset_on_temperature=0.5, initial_prompt=None, prefix=None,
                   suppress_blank=True, suppress_tokens=(-1,), without_timestamps=False, max_initial_timestamp=1.0,
                   word_timestamps=False, multilingual=False, vad_filter=False, vad_parameters=None,
                   max_new_tokens=None, chunk_length=None, clip_timestamps="0", hallucination_silence_threshold=None,
                   hotwords=None, language_detection_threshold=0.5, language_detection_segments=1):
        heard.append((audio, language, word_timestamps, hotwords))
        words = [Word(0.0, 0.42, " Well,", 0.98765432), Word(0.5, 9.0, " yes.", 1.0000001), Word(1.0, 1.0, " ", 0.1)]
        return iter([Segment(words), Segment(None)]), object()
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a model, and the package on the path."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "faster_whisper.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.delitem(sys.modules, "faster_whisper", raising=False)
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (folder / name).touch()
    monkeypatch.setenv("WHISPER_MODEL", str(folder))
    return folder


def whisper() -> Recogniser:
    return load_recogniser("local.engine.whisper:faster_whisper_recogniser", clean=True)


def test_the_model_is_read_from_its_folder_and_nothing_is_downloaded(model: Path) -> None:
    recognise = whisper()
    assert sys.modules["faster_whisper"].made == [(str(model), True)]
    assert list(inspect.signature(recognise).parameters) == ["samples", "keyterms"]


def test_its_words_become_words_of_a_transcript(model: Path) -> None:
    words = whisper()(np.full(16_000, -16_384, np.int16), ["Kubernetes", "Market Street"])
    assert words == [
        {"text": "Well,", "start": 0, "end": 420, "confidence": 0.98765, "speaker": None},
        {"text": "yes.", "start": 500, "end": 1000, "confidence": 1.0, "speaker": None},
    ]
    ((audio, language, timed, hotwords),) = sys.modules["faster_whisper"].heard
    assert (audio.dtype, float(audio[0]), len(audio)) == (np.float32, -0.5, 16_000)
    assert (language, timed, hotwords) == ("en", True, "Kubernetes, Market Street")


def test_no_samples_are_not_asked_about(model: Path) -> None:
    assert whisper()(np.zeros(0, np.int16)) == []
    assert sys.modules["faster_whisper"].heard == []


@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json"])
def test_a_folder_without_a_model_is_refused_before_anything_is_loaded(model: Path, name: str) -> None:
    (model / name).unlink()
    with pytest.raises(FileNotFoundError, match="set WHISPER_MODEL to the folder of a Whisper model"):
        whisper()
    assert "faster_whisper" not in sys.modules


def test_no_folder_is_refused(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHISPER_MODEL")
    monkeypatch.chdir(model)
    with pytest.raises(FileNotFoundError, match="set WHISPER_MODEL"):
        whisper()
