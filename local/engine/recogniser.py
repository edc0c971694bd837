"""Samples -> words.

A recogniser is any function of the `Recogniser` type; `--recogniser module:factory` names another factory
for it, for a person who has a better model on disk.
"""

import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Decoder, get_model_path

from local.engine.audio import SAMPLE_RATE

type Word = dict[str, str | int | float | None]
"""As in a transcript: text, start and end in ms, confidence 0..1, speaker (always None here)."""

type Recogniser = Callable[[NDArray[np.int16]], list[Word]]
"""16 kHz mono samples of one utterance -> its words in order; times count from the first sample."""

type RecogniserFactory = Callable[[bool], Recogniser]
"""Makes a recogniser, once per worker process; True leaves rude words out of what it can hear."""

# Wider beams gain a little accuracy and cost several times the time.
_SETTINGS = {"lw": 5.5, "fwdflatlw": 7.5, "bestpathlw": 8.5, "maxhmmpf": 5000}
_FRAME_MS = 10
_SENTENCE_GAP_MS = 300
_NOT_A_WORD = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+|\{.*\}")
_VARIANT = re.compile(r"\(\d+\)$")

# The model hears "ship" as something else on clean speech, which no demonstration needs. Stems for any
# form of the word; whole words where the stem also begins harmless ones.
_RUDE_STEMS = re.compile(
    r"(mother)?fuck|(bull|dip|horse)?shit(s|t|ty|h|l|'|$)|cunt|(be|son-of-a-)?bitch|ass-?hole|arse-?hole|"
    r"bastard|nigger|faggot|whore|slut(s|ty)?$|dickhead|goddamn|wank(er|ers)?$|twats?$|bollock|piss",
)
_RUDE_WORDS = frozenset(
    (
        "ass",
        "arse",
        "arses",
        "asses",
        "cock",
        "cocks",
        "dick",
        "dicks",
        "fag",
        "fags",
        "nigg",
        "pussy",
        "tit",
        "tits",
    ),
)


def pocketsphinx_recogniser(clean: bool) -> Recogniser:
    """CMU's US English model, from the pocketsphinx wheel.

    For clear and close speech, not for telephone or noise. Takes about 0.4 s and 100 MB. Not safe to
    share between threads.
    """
    dictionary = Path(get_model_path("en-us/cmudict-en-us.dict"))
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".dict") as copy:
        lines = dictionary.read_text(encoding="utf-8").splitlines(keepends=True)
        copy.writelines(line for line in lines if not (clean and is_rude(line.split(maxsplit=1)[0])))
        copy.flush()
        decoder = Decoder(dict=copy.name, loglevel="FATAL", samprate=SAMPLE_RATE, **_SETTINGS)

    def recognise(samples: NDArray[np.int16]) -> list[Word]:
        if len(samples) == 0:  # the decoder raises on nothing and is unusable afterwards
            return []
        # Else the result depends on what this process decoded before.
        decoder.reinit_feat()
        decoder.start_utt()
        try:
            decoder.process_raw(samples.tobytes(), full_utt=True)
        finally:
            decoder.end_utt()
        return [
            {
                "text": _VARIANT.sub("", found.word),
                "start": found.start_frame * _FRAME_MS,
                "end": (found.end_frame + 1) * _FRAME_MS,
                "confidence": round(min(1.0, max(0.0, float(found.prob))), 5),
                "speaker": None,
            }
            for found in decoder.seg() or ()
            if not _NOT_A_WORD.fullmatch(found.word)
        ]

    return recognise


def is_rude(entry: str) -> bool:
    """Whether a dictionary entry, such as `word` or `word(2)`, is one that the clean dictionary lacks."""
    word = _VARIANT.sub("", entry).lower()
    return word in _RUDE_WORDS or _RUDE_STEMS.match(word) is not None


def write_out(
    utterances: Iterable[tuple[Sequence[Word], bool]],
    *,
    punctuate: bool = True,
    format_text: bool = True,
) -> list[Word]:
    """Put the words of a whole recording in written form.

    `utterances` are the words of each segment, times counted from the recording's start, and whether a
    pause follows. A sentence ends at a pause, or where 300 ms pass between words; that is right almost
    always (it misses some ends, it invents none). Full stops, capitals after them and "I" are all that is
    added: commas and question marks would be guesses.
    """
    written: list[Word] = []
    ends: list[bool] = []
    for words, pause in utterances:
        for index, word in enumerate(words):
            if written and int(word["start"] or 0) - int(written[-1]["end"] or 0) >= _SENTENCE_GAP_MS:
                ends[-1] = True
            written.append(dict(word))
            ends.append(pause and index == len(words) - 1)
    if ends:
        ends[-1] = True
    begins = True
    for word, end in zip(written, ends, strict=True):
        text = str(word["text"])
        if format_text and (begins or text == "i" or text.startswith("i'")):
            text = text[:1].upper() + text[1:]
        word["text"] = text + "." if punctuate and end else text
        begins = end
    return written
