"""Spelling -> sounds of US English, for words that no dictionary has."""

import base64
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources

import pycrfsuite

_REACH = 3

# The model writes the International Phonetic Alphabet, the recogniser wants CMU's phone names.
_PHONES = {
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "ɡ": "G", "f": "F", "v": "V", "θ": "TH", "ð": "DH",
    "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "h": "HH", "m": "M", "n": "N", "ŋ": "NG", "l": "L", "ɹ": "R",
    "j": "Y", "w": "W", "t͡ʃ": "CH", "d͡ʒ": "JH", "i": "IY", "ɪ": "IH", "ɛ": "EH", "æ": "AE", "ɑ": "AA",
    "ɔ": "AO", "ʊ": "UH", "u": "UW", "ʌ": "AH", "ə": "AH", "ɚ": "ER", "ɝ": "ER", "eɪ": "EY", "aɪ": "AY",
    "ɔɪ": "OY", "aʊ": "AW", "oʊ": "OW",
}  # fmt: skip


def phones(word: str) -> str:
    """Guess how a lower-case word is said, in CMU's phone names: `webhook` -> `W EH B HH UH K`.

    What is not a letter of English is passed over; the answer may be empty.
    """
    return " ".join(_PHONES[sound] for sound in _sounds(word) if sound in _PHONES)


def _sounds(word: str) -> Iterator[str]:
    for label in _model().tag([dict(_features(word, place)) for place in range(len(word))]):
        for sound in base64.b64decode(label).decode().split("|"):  # a letter may be silent or make two sounds
            yield sound.lstrip("ˈˌ")


def _features(word: str, place: int) -> Iterable[tuple[str, str | float | bool]]:
    """What the model was trained on: a letter, three to each side, and whether the word begins or ends."""
    yield "bias", 1.0
    yield "grapheme", _encoded(word[place])
    if place == 0:
        yield "begin", True
    if place == len(word) - 1:
        yield "end", True
    for distance in range(1, _REACH + 1):
        if place >= distance:
            yield f"grapheme-{distance}", _encoded(word[place - distance])
        if place + distance < len(word):
            yield f"grapheme+{distance}", _encoded(word[place + distance])


def _encoded(letter: str) -> str:
    return base64.b64encode(letter.encode()).decode()


@cache
def _model() -> pycrfsuite.Tagger:
    model = pycrfsuite.Tagger()
    model.open(str(resources.files("gruut_lang_en") / "g2p" / "model.crf"))
    return model
