"""Captions of a transcript as SubRip (.srt) and WebVTT (.vtt)."""

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from local.engine.sentences import Word, split_sentences, text_of, voice

DEFAULT_LIMIT = 128
_PAUSE_MS = 1000  # who is silent for longer begins a new caption
_MS_PER_SECOND, _MS_PER_MINUTE, _MS_PER_HOUR = 1000, 60_000, 3_600_000


@dataclass(frozen=True)
class Caption:
    """One text on the screen; `start` and `end` in ms."""

    start: int
    end: int
    text: str


def captions(words: Sequence[Word], limit: int = DEFAULT_LIMIT) -> list[Caption]:
    """Return the captions of a transcript, none longer than `limit` characters unless it is a single word.

    Short sentences share a caption; a long one is spread evenly over as few captions as it needs.
    """
    found: list[Caption] = []
    for passage in _passages(words, limit):
        for line in _spread(passage, limit):
            start = max(line[0]["start"], found[-1].start if found else 0)
            # A caption must end after it begins, even if a recogniser gave its word no length.
            found.append(Caption(start, max(line[-1]["end"], start + 1), text_of(line)))
    return found


def srt(found: Sequence[Caption]) -> str:
    """Return captions as a SubRip file."""
    return "\n".join(
        f"{number}\n{_time(one.start, ',')} --> {_time(one.end, ',')}\n{one.text}\n"
        for number, one in enumerate(found, start=1)
    )


def vtt(found: Sequence[Caption]) -> str:
    """Return captions as a WebVTT file. As in AssemblyAI's, hours are written only where there are any."""
    return "".join(
        ["WEBVTT\n"]
        + [f"\n{_short_time(one.start)} --> {_short_time(one.end)}\n{_escaped(one.text)}\n" for one in found],
    )


def _passages(words: Sequence[Word], limit: int) -> Iterator[list[Word]]:
    """Yield what may share a caption: a sentence with those after it, as long as all fit and no one pauses."""
    passage: list[Word] = []
    length = 0
    for sentence in split_sentences(words):
        size = len(text_of(sentence))
        if (
            passage
            and length + 1 + size <= limit
            and voice(passage[-1]) == voice(sentence[0])
            and sentence[0]["start"] - passage[-1]["end"] < _PAUSE_MS
        ):
            passage += sentence
            length += 1 + size
            continue
        if passage:
            yield passage
        passage, length = sentence, size
    if passage:
        yield passage


def _spread(words: Sequence[Word], limit: int) -> list[list[Word]]:
    """Cut words into as few lines as the limit allows, and these as even as can be."""
    limit = min(limit, len(text_of(words)))
    fewest = len(_filled(words, limit))
    width = bisect.bisect_left(range(limit), True, key=lambda width: len(_filled(words, width)) <= fewest)
    return _filled(words, width)


def _filled(words: Sequence[Word], width: int) -> list[list[Word]]:
    lines: list[list[Word]] = []
    room = 0
    for word in words:
        size = len(word["text"])
        if lines and size + 1 <= room:
            lines[-1].append(word)
            room -= size + 1
        else:
            lines.append([word])
            room = width - size
    return lines


def _time(ms: int, mark: str) -> str:
    return f"{ms // _MS_PER_HOUR:02}:{_minutes(ms, mark)}"


def _short_time(ms: int) -> str:
    return _time(ms, ".") if ms >= _MS_PER_HOUR else _minutes(ms, ".")


def _minutes(ms: int, mark: str) -> str:
    minutes, rest = divmod(ms % _MS_PER_HOUR, _MS_PER_MINUTE)
    return f"{minutes:02}:{rest // _MS_PER_SECOND:02}{mark}{rest % _MS_PER_SECOND:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
