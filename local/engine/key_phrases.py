"""The words of a transcript -> its `auto_highlights_result`.

AssemblyAI's Key Phrases behave like TextRank over noun phrases, as the first and second version of pytextrank
had it: the content words of a text vote for those within three words of them (PageRank), and a phrase is scored
by the ranks of its words and by how many words without a rank it holds. So does this. The same words always
give the same result.

`python -m local.engine.key_phrases FILE` prints the result for a file with `{"words": [{"text", "start",
"end"}, ...]}`, or with that list alone.
"""

import argparse
import functools
import json
import math
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import simplemma

from local.engine.tagger import tag

MOST_RESULTS = 15
LONGEST_PHRASE = 6
RANKS = (0.02, 0.16)  # all that was ever seen from the real model, on texts of 25 to 11,000 words

_DAMPING = 0.85
_SETTLED = 1e-9
_REACH = 3
_LONGEST_RUN = 100
_PAUSE_MS = 700

_STRAIGHT = str.maketrans("\u2018\u2019\u02bc\u201c\u201d", "'''\"\"")
_SENTENCE_ENDS = frozenset(".?!\u2026")
_TITLES = frozenset(("mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs"))
_CLITICS = ("n't", "'s", "'re", "'ve", "'ll", "'d", "'m")
_JOINT = re.compile(r"(?<=[^\W\d_])([-\u2013/])(?=[^\W\d_])")
_MARK = re.compile(r"\.+|.", re.DOTALL)

_NOUN, _PROPER_NOUN, _ADJECTIVE, _VERB, _OTHER = "NPJVX"
_RANKED = frozenset((_NOUN, _PROPER_NOUN, _ADJECTIVE, _VERB))


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# No phrase begins with one of these, whatever the tagger makes of them.
_DETERMINERS = _set(
    "the a an my your his her its our their this that these those whose which what some any each every either "
    "neither no another all both half",
)
# These part phrases as punctuation does.
_FILLERS = _set(
    "um uh uhm umm er erm ah oh hm hmm mm mhm yeah yes yep yup nope ok okay hey hi hello wow huh bye goodbye please",
)


@dataclass(frozen=True)
class _Token:
    """A word, and the punctuation before and after it; `parted` says whether something parts it from the next."""

    text: str
    key: str
    word: int
    before: str
    after: str
    parted: bool
    ends_sentence: bool


@dataclass(frozen=True)
class _Piece:
    """What the tagger sees: a token, a part of one with a clitic or hyphen, or punctuation (`token` is None)."""

    text: str
    token: int | None
    first: bool = True
    last: bool = True


@dataclass(frozen=True)
class _Candidate:
    """A noun phrase where it is said: its tokens, and its place with determiners and all among the pieces."""

    tokens: range
    pieces: range


def find_key_phrases(words: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the `auto_highlights_result` for a transcript's words (`text`, `start` and `end` in ms).

    At most 15 results, highest rank first: `text` as first spoken, `rank` to two decimals, `timestamps` of
    every occurrence, `count` of them. Words may carry punctuation; a missing `speaker` is fine.
    """
    words = [_completed(word) for word in words]
    tokens = _tokens(words)
    runs = _runs(tokens, words)
    labels = [_labels(run, tokens) for run in runs]
    nodes = [_nodes(run, tagged) for run, tagged in zip(runs, labels, strict=True)]
    ranks = _page_rank(nodes)
    best: dict[tuple[str, ...], tuple[float, range]] = {}
    for run, tagged, named in zip(runs, labels, nodes, strict=True):
        for candidate in _candidates(run, tagged, tokens):
            key = tuple(tokens[position].key for position in candidate.tokens)
            score = _score([None if (node := named[i]) is None else ranks[node] for i in candidate.pieces])
            known_score, first = best.get(key, (0.0, candidate.tokens))
            best[key] = (max(score, known_score), first)
    chosen = sorted(best.items(), key=lambda item: (-item[1][0], item[1][1].start))[:MOST_RESULTS]
    times = _occurrences([key for key, _ in chosen], tokens, words)
    results = [
        {
            "count": len(times[key]),
            "rank": round(min(max(score, RANKS[0]), RANKS[1]), 2),
            "text": " ".join(tokens[position].text for position in first),
            "timestamps": times[key],
        }
        for key, (score, first) in chosen
    ]
    return {"status": "success", "results": results}


def _completed(word: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "text": str(word.get("text") or ""),
        "start": word.get("start") or 0,
        "end": word.get("end") or 0,
        "speaker": word.get("speaker"),
    }


def _tokens(words: Sequence[Mapping[str, Any]]) -> list[_Token]:
    tokens: list[_Token] = []
    loose = ""  # punctuation that stands alone before the next word
    for index, word in enumerate(words):
        for part in word["text"].split():
            before, core, after = _strip(part)
            if not core:
                loose += before
                continue
            if tokens and (loose or before):
                ends = tokens[-1].ends_sentence or not _SENTENCE_ENDS.isdisjoint(loose)
                tokens[-1] = replace(tokens[-1], parted=True, ends_sentence=ends)
            key = _fold(core)
            ends = not _SENTENCE_ENDS.isdisjoint(after) and not (
                after == "." and (key in _TITLES or (len(core) == 1 and core.isupper() and core != "I"))
            )
            tokens.append(_Token(core, key, index, loose + before, after, parted=bool(after), ends_sentence=ends))
            loose = ""
    return tokens


@functools.lru_cache(maxsize=50_000)
def _strip(part: str) -> tuple[str, str, str]:
    """Punctuation and symbols before, the word, and those after it. Inner ones ("twenty-two") stay."""
    inside = [i for i, character in enumerate(part) if unicodedata.category(character)[0] in "LNM"]
    if not inside:
        return part, "", ""
    return part[: inside[0]], part[inside[0] : inside[-1] + 1], part[inside[-1] + 1 :]


def _fold(text: str) -> str:
    return text.translate(_STRAIGHT).casefold()


def _runs(tokens: Sequence[_Token], words: Sequence[Mapping[str, Any]]) -> list[list[_Piece]]:
    """Cut the tokens into the stretches that the tagger gets: sentences, mostly."""
    punctuated = any(token.ends_sentence for token in tokens)
    runs: list[list[_Piece]] = []
    run: list[_Piece] = []
    for index, token in enumerate(tokens):
        run.extend(_pieces(index, token))
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        if (
            following is None
            or token.ends_sentence
            or len(run) >= _LONGEST_RUN
            or words[token.word].get("speaker") != words[following.word].get("speaker")
            or (not punctuated and words[following.word]["start"] - words[token.word]["end"] > _PAUSE_MS)
        ):
            runs.append(run)
            run = []
    return runs


def _pieces(index: int, token: _Token) -> Iterator[_Piece]:
    yield from _marks(token.before)
    parts = _parts(token.text)
    for number, part in enumerate(parts):
        yield _Piece(part, index, first=number == 0, last=number == len(parts) - 1)
    yield from _marks(token.after)


def _marks(punctuation: str) -> Iterator[_Piece]:
    for mark in _MARK.findall(punctuation.translate(_STRAIGHT)):
        yield _Piece(mark, None)


@functools.lru_cache(maxsize=50_000)
def _parts(text: str) -> tuple[str, ...]:
    """A word and its clitic, and the parts of a word with hyphens: "well-known's" is four."""
    straight = text.translate(_STRAIGHT)
    lower = straight.lower()
    clitic = next((one for one in _CLITICS if lower.endswith(one) and len(lower) > len(one)), "")
    stem = straight[: len(straight) - len(clitic)]
    return (*_JOINT.split(stem), *([straight[len(stem) :]] if clitic else []))


def _labels(run: Sequence[_Piece], tokens: Sequence[_Token]) -> list[str]:
    """Label the pieces of a run as `tag` does; numbers and marks are no words, fillers stand in no phrase."""
    labels = tag([piece.text for piece in run])
    for index, piece in enumerate(run):
        if piece.token is not None and tokens[piece.token].key in _FILLERS:
            labels[index] = f"{_OTHER}O"
        elif not any(character.isalpha() for character in piece.text):
            labels[index] = _OTHER + labels[index][1]
    return labels


def _candidates(run: Sequence[_Piece], labels: Sequence[str], tokens: Sequence[_Token]) -> Iterator[_Candidate]:
    """Noun phrases of a run that may be results: whole words of it, without determiners and numbers before."""
    for span in _spans(labels):
        first, stop = span.start, span.stop
        while first < stop and (labels[first][0] not in _RANKED or run[first].text.lower() in _DETERMINERS):
            first += 1
        while stop > first and labels[stop - 1][0] not in _RANKED:
            stop -= 1
        if first == stop or not run[stop - 1].last:  # as it stands it is never said: "customer" in "customer's"
            continue
        said = [piece.token for piece in run[first:stop] if piece.token is not None]
        within = range(said[0], said[-1] + 1)
        if len(within) <= LONGEST_PHRASE and not any(tokens[position].parted for position in within[:-1]):
            yield _Candidate(within, span)


def _spans(labels: Sequence[str]) -> Iterator[range]:
    start: int | None = None
    for index, label in enumerate((*labels, f"{_OTHER}O")):
        inside = start is not None and label[1] == "I"
        if start is not None and not inside:
            yield range(start, index)
        if not inside:
            start = None if label[1] == "O" else index


def _score(ranks: Sequence[float | None]) -> float:
    """Score a noun phrase by the ranks of its pieces, None for those that have none, such as determiners."""
    size = len(ranks) + 1
    unranked = ranks.count(None)
    total = sum(rank for rank in ranks if rank is not None)
    return math.sqrt(total / (size + unranked)) * size / (size + 2 * unranked + 1)


type _Node = tuple[str, str]


def _nodes(run: Sequence[_Piece], labels: Sequence[str]) -> list[_Node | None]:
    """The word behind each piece of a run, in all its forms; None for a piece that gets no rank."""
    return [
        (piece.text if label[0] == _PROPER_NOUN else _lemma(piece.text.lower()), label[0])
        if label[0] in _RANKED
        else None
        for piece, label in zip(run, labels, strict=True)
    ]


@functools.lru_cache(maxsize=50_000)
def _lemma(text: str) -> str:
    return simplemma.lemmatize(text, lang="en")


def _page_rank(runs: Sequence[Sequence[_Node | None]]) -> dict[_Node, float]:
    """Rank the words: those at most three pieces apart in a run vote for each other."""
    numbers: dict[_Node, int] = {}
    votes: defaultdict[tuple[int, int], float] = defaultdict(float)
    for run in runs:
        placed = [(place, numbers.setdefault(node, len(numbers))) for place, node in enumerate(run) if node]
        for index, (place, node) in enumerate(placed):
            for other_place, other in placed[index + 1 : index + 1 + _REACH]:
                if other_place - place <= _REACH:
                    votes[min(node, other), max(node, other)] += 1.0
    count = len(numbers)
    if not votes:
        return dict.fromkeys(numbers, 1 / max(count, 1))
    pairs = np.array(list(votes), dtype=np.int64)
    weight = np.array(list(votes.values()), dtype=np.float64)
    mutual = pairs[:, 0] != pairs[:, 1]  # a word that stands by itself again votes for itself, once
    source = np.concatenate((pairs[:, 0], pairs[mutual, 1]))
    target = np.concatenate((pairs[:, 1], pairs[mutual, 0]))
    weight = np.concatenate((weight, weight[mutual]))
    given = np.bincount(source, weight, count)
    alone = given == 0
    share = weight / given[source]
    rank = np.full(count, 1.0 / count)
    for _ in range(100):
        passed = np.bincount(target, rank[source] * share, count) + rank[alone].sum() / count
        following = (1 - _DAMPING) / count + _DAMPING * passed
        settled = np.abs(following - rank).sum() < _SETTLED
        rank = following
        if settled:
            break
    return {node: float(rank[number]) for node, number in numbers.items()}


def _occurrences(
    phrases: Sequence[tuple[str, ...]],
    tokens: Sequence[_Token],
    words: Sequence[Mapping[str, Any]],
) -> dict[tuple[str, ...], list[dict[str, int]]]:
    """Every place where the phrases' words follow each other with no punctuation between them."""
    by_first: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
    for phrase in phrases:
        by_first[phrase[0]].append(phrase)
    found: dict[tuple[str, ...], list[dict[str, int]]] = {phrase: [] for phrase in phrases}
    for index, token in enumerate(tokens):
        for phrase in by_first.get(token.key, ()):
            span = tokens[index : index + len(phrase)]
            if tuple(one.key for one in span) == phrase and not any(one.parted for one in span[:-1]):
                found[phrase].append({"start": words[token.word]["start"], "end": words[span[-1].word]["end"]})
    for times in found.values():
        times.sort(key=lambda time: (time["start"], time["end"]))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the `auto_highlights_result` of a file of words as JSON."""
    parser = argparse.ArgumentParser(prog="python -m local.engine.key_phrases", description=main.__doc__)
    parser.add_argument(
        "file", type=Path, help='JSON: [{"text", "start", "end"}, ...] or {"words": [...]}, times in ms'
    )
    content = json.loads(parser.parse_args(arguments).file.read_text(encoding="utf-8"))
    words = content if isinstance(content, list) else content["words"]
    json.dump(find_key_phrases(words), sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
