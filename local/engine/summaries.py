"""A transcript's words -> its summary: the sentences that hold most of its key phrases, as they were said.

AssemblyAI's summaries are written by a language model. These are extracts: nothing is put into other words, so nothing
is made up, and nothing is said more shortly than the speakers said it. The same words always give the same summary.
"""

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.engine.key_phrases import find_key_phrases
from local.engine.sentences import Word, split_sentences, text_of

_PART_MS = 5 * 60_000
_LEAST_WORDS = 4  # "Thank you." says nothing about a call
_SHORT_SENTENCE = 5  # what keeps the shortest sentences from winning by their shortness
_SENTENCES = {"low": 2, "medium": 4}
_CLASSIC_SENTENCES = {"bullets": 3, "bullets_verbose": 6, "headline": 1, "paragraph": 3}


@dataclass(frozen=True)
class _Sentence:
    """A sentence, how much of the key phrases it holds for its length, and which of them counts most."""

    words: Sequence[Word]
    score: float
    phrase: str


def understood(words: Sequence[Word], summary_type: str, effort: str = "low") -> dict[str, Any]:
    """Return what `speech_understanding.response.summarization` holds.

    A `paragraph` is a passage for each five minutes, a `bullets` item is a sentence; medium effort takes more of them.
    """
    parts = _parts(_sentences(words))
    taken = [_best(part, _SENTENCES[effort]) for part in parts]
    if summary_type == "bullets":
        taken = [[sentence] for part in taken for sentence in part]
    return {
        "status": "success",
        "summary_type": summary_type,
        "effort": effort,
        "summary": [_passage(sentences) for sentences in taken],
    }


def classic(words: Sequence[Word], summary_type: str) -> str:
    """Return the `summary` of a classic summarization; every model's is the same here."""
    sentences = _sentences(words)
    if summary_type == "gist":
        return max(sentences, key=lambda one: one.score).phrase if sentences else ""
    best = [text_of(sentence.words) for sentence in _best(sentences, _CLASSIC_SENTENCES[summary_type])]
    return "\n".join(f"- {text}" for text in best) if summary_type.startswith("bullets") else " ".join(best)


def summarise(
    words: Sequence[Word], request: Mapping[str, Any] | None, classic_type: str | None
) -> tuple[dict[str, Any] | None, str | None]:
    """Return both summaries, each where it was asked for: by a request of speech understanding, by a classic type."""
    return (
        understood(words, request["summary_type"], request.get("effort", "low")) if request else None,
        classic(words, classic_type) if classic_type else None,
    )


def _sentences(words: Sequence[Word]) -> list[_Sentence]:
    said = sorted(
        (stamp["start"], found["rank"], found["text"])
        for found in find_key_phrases(words)["results"]
        for stamp in found["timestamps"]
    )
    starts = [start for start, _, _ in said]
    found = []
    for sentence in split_sentences(words):
        within = said[
            bisect.bisect_left(starts, sentence[0]["start"]) : bisect.bisect_left(starts, sentence[-1]["end"])
        ]
        score = sum(rank for _, rank, _ in within) / math.sqrt(len(sentence) + _SHORT_SENTENCE)
        phrase = max(within, key=lambda one: one[1])[2] if within else text_of(sentence[:_LEAST_WORDS]).rstrip(".?!")
        found.append(_Sentence(sentence, score, phrase))
    return [one for one in found if len(one.words) >= _LEAST_WORDS] or found


def _parts(sentences: Sequence[_Sentence]) -> list[list[_Sentence]]:
    parts: dict[int, list[_Sentence]] = {}
    for sentence in sentences:
        parts.setdefault(sentence.words[0]["start"] // _PART_MS, []).append(sentence)
    return list(parts.values())


def _best(sentences: Sequence[_Sentence], count: int) -> list[_Sentence]:
    """Take so many, the earlier of equals, in the order in which they were said."""
    chosen = sorted(range(len(sentences)), key=lambda index: (-sentences[index].score, index))[:count]
    return [sentences[index] for index in sorted(chosen)]


def _passage(sentences: Sequence[_Sentence]) -> dict[str, Any]:
    return {
        "start": sentences[0].words[0]["start"],
        "end": sentences[-1].words[-1]["end"],
        "headline": max(sentences, key=lambda one: one.score).phrase,
        "text": " ".join(text_of(sentence.words) for sentence in sentences),
    }
