"""Recognised words -> the words of a transcript: sentences, capitals, spellings, what is left out or masked."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from local.engine.recogniser import Word, is_rude
from local.engine.sentences import SENTENCE_PAUSE_MS, mean_confidence, text_of

_MARKS = ".,?!;:"
_FILLERS = frozenset(("ah", "er", "erm", "hm", "hmm", "huh", "mhm", "uh", "uh-huh", "uhm", "um"))

# Words and pairs that have no other reading. "May", "March", "China", "Turkey" and "Polish" have one.
_NAMES = frozenset(
    tuple(name.lower().split()) for name in (Path(__file__).parent / "names.txt").read_text("utf-8").splitlines()
)


def write_out(
    utterances: Iterable[tuple[Sequence[Word], bool]],
    *,
    punctuate: bool = True,
    format_text: bool = True,
    disfluencies: bool = True,
    filter_profanity: bool = False,
    custom_spelling: Sequence[Mapping[str, Any]] = (),
    keyterms: Sequence[str] = (),
) -> list[Word]:
    """Put the words of a whole recording in written form.

    `utterances` are the words of each segment, times counted from the recording's start, and whether a
    pause follows. A sentence ends at a pause, or where 300 ms pass between words; that is right almost
    always (it misses some ends, it invents none). Full stops, capitals after them, "I", and names that have
    no other reading are all that is added: commas and question marks would be guesses. A recogniser that
    writes marks and capitals itself keeps its own.

    Without `disfluencies`, "um" and the like are left out. `filter_profanity` keeps the first letter of a
    rude word. `custom_spelling` is a list of {"from": [phrase, ...], "to": word}, `keyterms` are phrases
    whose capitals are kept.
    """
    heard = _join(utterances, disfluencies=disfluencies)
    words = [word for word, _ in heard]
    if any(_text(word).endswith(tuple(_MARKS)) for word in words):
        _follow(words, punctuate=punctuate, format_text=format_text)
    else:
        _mark(heard, punctuate=punctuate, format_text=format_text)
    if format_text:
        for phrase in keyterms:
            _capitalise(words, phrase)
    for rule in custom_spelling:
        for phrase in rule["from"]:
            words = _respell(words, phrase, rule["to"])
    if filter_profanity:
        for word in words:
            word["text"] = _masked(_text(word))
    return words


def turns(channels: Iterable[Sequence[Word]]) -> list[dict[str, Any]]:
    """Return utterances of the words of each channel, in the order in which they begin.

    A channel is its speaker: both are called "1", "2" and so on, in the words too. Where two speak at once,
    a sentence is not torn apart.
    """
    sentences = [
        (f"{number}", sentence) for number, words in enumerate(channels, start=1) for sentence in _sentences(words)
    ]
    sentences.sort(key=lambda one: int(one[1][0]["start"] or 0))
    found: list[dict[str, Any]] = []
    for channel, group in itertools.groupby(sentences, key=lambda one: one[0]):
        words = [{**word, "speaker": channel, "channel": channel} for _, sentence in group for word in sentence]
        found.append(
            {
                "text": text_of(words),
                "start": words[0]["start"],
                "end": words[-1]["end"],
                "confidence": mean_confidence(words),
                "speaker": channel,
                "channel": channel,
                "words": words,
            },
        )
    return found


def _sentences(words: Iterable[Word]) -> Iterator[list[Word]]:
    sentence: list[Word] = []
    for word in words:
        if sentence and int(word["start"] or 0) - int(sentence[-1]["end"] or 0) >= SENTENCE_PAUSE_MS:
            yield sentence
            sentence = []
        sentence.append(word)
    if sentence:
        yield sentence


def _join(utterances: Iterable[tuple[Sequence[Word], bool]], *, disfluencies: bool) -> list[tuple[Word, bool]]:
    """Return copies of the words in a row, each with whether it ends a sentence."""
    joined: list[tuple[Word, bool]] = []
    spoken_until = 0
    for words, pause in utterances:
        for index, word in enumerate(words):
            end = pause and index == len(words) - 1
            if joined and int(word["start"] or 0) - spoken_until >= SENTENCE_PAUSE_MS:
                joined[-1] = (joined[-1][0], True)
            spoken_until = int(word["end"] or 0)
            if disfluencies or _bare(_text(word)) not in _FILLERS:
                joined.append((dict(word), end))
            elif end and joined:
                joined[-1] = (joined[-1][0], True)
    if joined:
        joined[-1] = (joined[-1][0], True)
    return joined


def _follow(words: Iterable[Word], *, punctuate: bool, format_text: bool) -> None:
    """Take away what a recogniser wrote and the client does not want."""
    for word in words:
        if not punctuate:
            word["text"] = _text(word).strip(_MARKS)
        if not format_text:
            word["text"] = _text(word).lower()


def _mark(heard: Iterable[tuple[Word, bool]], *, punctuate: bool, format_text: bool) -> None:
    begins = True
    before: Word | None = None
    for word, end in heard:
        text = _text(word)
        if format_text:
            if before and (_text(before).lower(), text) in _NAMES:
                before["text"] = _capital(_text(before))
                text = _capital(text)
            elif begins or text == "i" or text.startswith("i'") or (text.removesuffix("'s"),) in _NAMES:
                text = _capital(text)
        word["text"] = text + "." if punctuate and end else text
        begins = end
        before = None if end else word


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _capitalise(words: Sequence[Word], phrase: str) -> None:
    """Write a phrase as its asker does, wherever it stands; nothing changes for one without capitals."""
    spellings = phrase.split()
    if phrase == phrase.lower():
        return
    for start in _places(words, phrase):
        for word, spelling in zip(words[start:], spellings, strict=False):
            text = _text(word)
            word["text"] = spelling + text[len(text.rstrip(_MARKS)) :]


def _respell(words: list[Word], phrase: str, spelling: str) -> list[Word]:
    """Put one word for each occurrence of a phrase, however it is capitalised."""
    size = len(phrase.split())
    for start in reversed(list(_places(words, phrase))):
        found = words[start : start + size]
        text = _text(found[-1])
        marks = text[len(text.rstrip(_MARKS)) :]
        one = {**found[0], "text": spelling + marks, "end": found[-1]["end"], "confidence": mean_confidence(found)}
        words = [*words[:start], one, *words[start + size :]]
    return words


def _places(words: Sequence[Word], phrase: str) -> Iterator[int]:
    """Where a phrase begins; occurrences do not overlap, and no mark stands within them."""
    wanted = phrase.lower().split()
    place = 0
    while wanted and place + len(wanted) <= len(words):
        texts = [_text(word).lower() for word in words[place : place + len(wanted)]]
        texts[-1] = texts[-1].rstrip(_MARKS)
        if texts == wanted:
            yield place
            place += len(wanted)
        else:
            place += 1


def _masked(text: str) -> str:
    bare = text.strip(_MARKS)
    return text.replace(bare, bare[0] + "*" * (len(bare) - 1)) if bare and is_rude(bare) else text


def _bare(text: str) -> str:
    return text.strip(_MARKS).lower()


def _text(word: Word) -> str:
    return str(word["text"])
