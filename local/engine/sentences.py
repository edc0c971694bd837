"""A transcript's words as sentences and paragraphs, for who reads it back."""

import heapq
import re
from collections.abc import Mapping, Sequence
from typing import Any

type Word = Mapping[str, Any]

_SENTENCE_END = re.compile(r"[.?!…][\"'”’)\]]*$")
_NO_SENTENCE_END = re.compile(r"(?:(?:[A-Z]\.)+|(?:Mr|Mrs|Ms|Dr|Prof|St)\.)$")
SENTENCE_PAUSE_MS = 300  # the recogniser puts a full stop there
_PARAGRAPH_PAUSE_MS = 2000
_PARAGRAPH_WORDS = 100


def sentences(words: Sequence[Word]) -> list[dict[str, Any]]:
    """Return sentence objects: text, start and end in ms, confidence, words, speaker, channel if there are any."""
    return [
        {**_passage(sentence), "speaker": sentence[0]["speaker"]}
        | ({"channel": sentence[0]["channel"]} if "channel" in sentence[0] else {})
        for sentence in split_sentences(words)
    ]


def paragraphs(words: Sequence[Word]) -> list[dict[str, Any]]:
    """Return paragraph objects: text, start and end in ms, confidence, words.

    A new one begins where the voice changes, after a long pause, and before it gets too long to read.
    """
    found: list[list[Word]] = []
    for sentence in split_sentences(words):
        if (
            found
            and voice(found[-1][-1]) == voice(sentence[0])
            and sentence[0]["start"] - found[-1][-1]["end"] < _PARAGRAPH_PAUSE_MS
            and len(found[-1]) + len(sentence) <= _PARAGRAPH_WORDS
        ):
            found[-1] += sentence
        else:
            found.append(sentence)
    return [_passage(paragraph) for paragraph in found]


def split_sentences(words: Sequence[Word]) -> list[list[Word]]:
    """Cut words after each full stop, question mark or exclamation mark, and where the voice changes.

    Words without any such mark (`punctuate` off) are cut at pauses. Channels are cut each on its own and
    their sentences put in the order in which they begin.
    """
    marked = any(_ends_sentence(word) for word in words)
    return list(
        heapq.merge(
            *(_split_channel(channel, marked=marked) for channel in _channels(words)),
            key=lambda sentence: sentence[0]["start"],
        ),
    )


def voice(word: Word) -> tuple[str | None, str | None]:
    """Return who says a word, as far as it is known: speaker and channel."""
    return word["speaker"], word.get("channel")


def text_of(words: Sequence[Word]) -> str:
    """Return words as text."""
    return " ".join(word["text"] for word in words)


def mean_confidence(words: Sequence[Word]) -> float:
    """Return the mean of the words' confidences, 0 without words."""
    return round(sum(float(word["confidence"] or 0) for word in words) / len(words), 5) if words else 0.0


def _split_channel(words: Sequence[Word], *, marked: bool) -> list[list[Word]]:
    found: list[list[Word]] = []
    for word in words:
        if found and not _ends_between(found[-1][-1], word, marked=marked):
            found[-1].append(word)
        else:
            found.append([word])
    return found


def _ends_between(word: Word, following: Word, *, marked: bool) -> bool:
    if voice(word) != voice(following):
        return True
    if marked:
        return _ends_sentence(word)
    return bool(following["start"] - word["end"] >= SENTENCE_PAUSE_MS)


def _channels(words: Sequence[Word]) -> list[list[Word]]:
    channels: dict[str | None, list[Word]] = {}
    for word in words:
        channels.setdefault(word.get("channel"), []).append(word)
    return list(channels.values())


def _ends_sentence(word: Word) -> bool:
    return bool(_SENTENCE_END.search(word["text"])) and not _NO_SENTENCE_END.match(word["text"])


def _passage(words: Sequence[Word]) -> dict[str, Any]:
    return {
        "text": text_of(words),
        "start": words[0]["start"],
        "end": words[-1]["end"],
        "confidence": mean_confidence(words),
        "words": list(words),
    }
