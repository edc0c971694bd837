"""Samples -> words.

A recogniser is any function like `Recogniser`; `--recogniser module:factory` names another factory for it,
for a person who has a better model on disk: see `whisper.py`.
"""

import functools
import re
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Decoder, get_model_path

from local.engine.audio import SAMPLE_RATE
from local.engine.pronunciation import phones as spelled

type Word = dict[str, str | int | float | None]
"""As in a transcript: text, start and end in ms, confidence 0..1, speaker (always None here)."""


class Recogniser(Protocol):
    """Recognises one utterance."""

    def __call__(self, samples: NDArray[np.int16], keyterms: Sequence[str] = ()) -> list[Word]:
        """16 kHz mono samples -> the words in order; times count from the first sample.

        `keyterms` are words and phrases to expect. The same samples and terms give the same words, whatever
        came before. Words may carry marks and capitals of their own, or none at all.
        """


type RecogniserFactory = Callable[[bool], Recogniser]
"""Makes a recogniser, once per worker process; True leaves rude words out of what it can hear."""

# Wider beams gain a little accuracy and cost several times the time.
_SETTINGS = {"lw": 5.5, "fwdflatlw": 7.5, "bestpathlw": 8.5, "maxhmmpf": 5000}
_FRAME_MS = 10
_NOT_A_WORD = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+|\{.*\}")
_VARIANT = re.compile(r"\(\d+\)$")
_SPEAKABLE = re.compile(r"[a-z][a-z'-]*[a-z]")

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
    plain = _decoder(_dictionary(clean))

    # Words can be added to a decoder but not taken away again, so terms get a decoder of their own; the
    # segments of one job mostly come one after the other.
    @functools.lru_cache(maxsize=1)
    def with_words(words: frozenset[str]) -> Decoder:
        return _decoder_with(_dictionary(clean), words)

    def recognise(samples: NDArray[np.int16], keyterms: Sequence[str] = ()) -> list[Word]:
        if len(samples) == 0:  # the decoder raises on nothing and is unusable afterwards
            return []
        unknown = frozenset(word for word in _words_of(keyterms) if not _is_expected(plain, word))
        unknown = frozenset(word for word in unknown if not (clean and is_rude(word)))
        decoder = with_words(unknown) if unknown else plain
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


def _dictionary(clean: bool) -> Iterator[str]:
    with Path(get_model_path("en-us/cmudict-en-us.dict")).open(encoding="utf-8") as lines:
        for line in lines:
            if not (clean and is_rude(line.split(maxsplit=1)[0])):
                yield line


def _decoder(lines: Iterable[str]) -> Decoder:
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".dict") as dictionary:
        dictionary.writelines(lines)
        dictionary.flush()
        return Decoder(dict=dictionary.name, loglevel="FATAL", samprate=SAMPLE_RATE, **_SETTINGS)


def _decoder_with(lines: Iterable[str], words: Collection[str]) -> Decoder:
    """Return a decoder that expects some more words, said as the dictionary has it, else as they are spelled."""
    said: dict[str, list[str]] = {}
    others: list[str] = []
    for line in lines:
        entry, phones = line.split(maxsplit=1)
        if (word := _VARIANT.sub("", entry)) in words:
            said.setdefault(word, []).append(phones.strip())
        else:
            others.append(line)
    # A word of the dictionary that the language model lacks is never heard, and cannot be added either.
    decoder = _decoder(others)
    new = [
        (word if number == 1 else f"{word}({number})", phones)
        for word in sorted(words)
        for number, phones in enumerate(said.get(word) or [spelled(word)], start=1)
        if phones
    ]
    for number, (entry, phones) in enumerate(new, start=1):
        decoder.add_word(entry, phones, update=number == len(new))  # the update takes a fifth of a second
    return decoder


def _words_of(keyterms: Iterable[str]) -> Iterator[str]:
    for term in keyterms:
        for word in term.lower().split():
            if _SPEAKABLE.fullmatch(word):
                yield word


def _is_expected(decoder: Decoder, word: str) -> bool:
    """Whether a word is in the language model."""
    return bool(decoder.get_lm().prob([word]) > decoder.get_logmath().get_zero())


def is_rude(entry: str) -> bool:
    """Whether a dictionary entry, such as `word` or `word(2)`, is one that the clean dictionary lacks."""
    word = _VARIANT.sub("", entry).lower()
    return word in _RUDE_WORDS or _RUDE_STEMS.match(word) is not None
