"""Captions of a transcript: its words in pieces that can be read while they are said, as SRT or WebVTT."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from unicodedata import category

from audio_highlights.json_items import Items

_LINE = 42  # characters; a caption has two lines at most
_LONGEST_MS = 7000
_SHORTEST_MS = 1000  # where the next one leaves so much
_PAUSE_MS = 1000
_SENTENCE_END = re.compile(r"[.?!\u2026][\"')\]\u2019\u201d]*$")
_CLAUSE_END = re.compile(r"[,;:\u2013\u2014][\"')\]\u2019\u201d]*$")


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    start: int
    end: int
    speaker: str | None


@dataclass(frozen=True, slots=True)
class Caption:
    """What is shown from `start` to `end` (ms)."""

    start: int
    end: int
    lines: tuple[str, ...]
    speaker: str | None


def captions(words: Iterable[object]) -> list[Caption]:
    """Of AssemblyAI's `words`: broken at sentence ends, pauses and speakers, and where two lines are full."""
    groups = list(_groups(sorted(_readable(words), key=lambda word: word.start)))
    return [_caption(group, after[0].start if after else None) for group, after in pairwise([*groups, []])]


def _caption(group: Sequence[_Word], next_start: int | None) -> Caption:
    start, text = group[0].start, _text(group)
    end = min(max(group[-1].end, start + _SHORTEST_MS), start + _LONGEST_MS)
    if next_start is not None:
        end = min(end, next_start)
    # Two may speak at once; no caption is shown for no time.
    return Caption(start, max(end, start + 1), _lines(text) or (text,), group[0].speaker)


def srt(found: Sequence[Caption]) -> str:
    """As SubRip. It has no way to write an arrow in a text."""
    return "\n".join(
        f"{number}\n{_time(one.start, ',')} --> {_time(one.end, ',')}\n"
        + "\n".join(one.lines).replace("-->", "->")
        + "\n"
        for number, one in enumerate(found, start=1)
    )


def vtt(found: Sequence[Caption]) -> str:
    """As WebVTT, with the speakers where they are known."""
    cues = (f"{_time(one.start, '.')} --> {_time(one.end, '.')}\n{_voice(one)}\n" for one in found)
    return "\n".join(["WEBVTT\n", *cues])


def _voice(caption: Caption) -> str:
    text = _escaped("\n".join(caption.lines))
    return f"<v {_escaped(caption.speaker)}>{text}" if caption.speaker else text


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(ms: int, point: str) -> str:
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{ms:03}"


def _readable(words: Iterable[object]) -> Iterator[_Word]:
    for word in words:
        match word:
            case {"text": str(text), "start": int(start), "end": int(end), **others} if start >= 0:
                speaker = others.get("speaker")
                voice = _in_one_line(f"Speaker {speaker}") if isinstance(speaker, str) and speaker else None
                if shown := _in_one_line(text):
                    yield _Word(shown, start, max(start, end), voice)


def _in_one_line(text: str) -> str:
    """Without controls, line breaks and halves of surrogate pairs; what joins letters stays."""
    if not text.isprintable():  # most words are, and in ten hours there are 90,000
        text = "".join(" " if category(one) in ("Cc", "Cs", "Zl", "Zp") else one for one in text)
    return " ".join(text.split())


def _groups(words: Iterable[_Word]) -> Iterator[list[_Word]]:
    """The words of each caption."""
    group: list[_Word] = []
    for word in words:
        if group and _is_over(group, word):
            yield group
            group = []
        while group and not _has_room(group, word):
            size = _good_end(group)
            yield group[:size]
            group = group[size:]
        group.append(word)
    if group:
        yield group


def _is_over(group: Sequence[_Word], word: _Word) -> bool:
    """Whether a pause, another speaker or the end of a sentence comes first; a short sentence goes on with the next."""
    last = group[-1]
    ends = _SENTENCE_END.search(last.text) and len(_text(group)) > _LINE // 2
    return bool(ends) or word.speaker != last.speaker or word.start - last.end >= _PAUSE_MS


def _has_room(group: Sequence[_Word], word: _Word) -> bool:
    fits = _lines(_text([*group, word])) is not None
    return fits and max(word.end, group[-1].end) - group[0].start <= _LONGEST_MS


def _good_end(group: Sequence[_Word]) -> int:
    """After how many of its words a full caption ends best: after the last clause of its second half, or all."""
    for size in range(len(group) - 1, len(group) // 2, -1):
        if _CLAUSE_END.search(group[size - 1].text) or _SENTENCE_END.search(group[size - 1].text):
            return size
    return len(group)


def _text(group: Iterable[_Word]) -> str:
    return " ".join(word.text for word in group)


def _lines(text: str) -> tuple[str, ...] | None:
    """In one line or in two about as long; None where they are too short for it."""
    if len(text) <= _LINE:
        return (text,)
    breaks = [
        at for at, character in enumerate(text) if character == " " and at <= _LINE and len(text) - at - 1 <= _LINE
    ]
    if not breaks:
        return None
    best = min(breaks, key=lambda at: abs(len(text) - 1 - 2 * at))
    return text[:best], text[best + 1 :]


def of_transcript(transcript: Mapping[str, Any]) -> list[Caption]:
    """The captions of AssemblyAI's transcript object."""
    words = transcript.get("words")
    return captions(words if isinstance(words, list | Items) else [])
