"""The words of a transcript -> its `auto_highlights_result`.

TextRank over noun phrases, as AssemblyAI's Key Phrases behave: PageRank over the content words, a phrase
scored by the ranks of its words. The same words always give the same result.

`python -m local.engine.key_phrases FILE` prints the result for a file with `{"words": [{"text", "start",
"end"}, ...]}`, or with that list alone.
"""

import argparse
import functools
import json
import math
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import snowballstemmer

from local.engine.tagger import tag

MOST_RESULTS = 15
_DAMPING = 0.85
_SETTLED = 1e-9
_REACH = 3
_LONGEST_RUN = 100
_PAUSE_MS = 700

_STRAIGHT = str.maketrans("\u2018\u2019\u02bc\u201c\u201d", "'''\"\"")
_SENTENCE_ENDS = frozenset(".?!\u2026")
_TITLES = frozenset(("mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs"))
_CLITICS = ("n't", "'s", "'re", "'ve", "'ll", "'d", "'m")

_NOUN, _ADJECTIVE, _PARTICIPLE, _VERB, _DETERMINER, _OTHER, _BREAK = "NAPVDO-"
_KEPT = frozenset((_NOUN, _ADJECTIVE, _PARTICIPLE, _VERB))
_LETTERS = (
    dict.fromkeys(("NN", "NNS", "NNP", "NNPS"), _NOUN)
    | dict.fromkeys(("JJ", "JJR", "JJS"), _ADJECTIVE)
    | dict.fromkeys(("VBG", "VBN"), _PARTICIPLE)
    | dict.fromkeys(("VB", "VBD", "VBP", "VBZ"), _VERB)
    | dict.fromkeys(("DT", "PDT", "PRP$", "WDT", "WP$", "CD"), _DETERMINER)
    | dict.fromkeys(("UH", ".", ",", ":", "``", "''", "-LRB-", "-RRB-", "-LSB-", "-RSB-", "NFP", "HYPH"), _BREAK)
)


def _closed(letter: str, words: str) -> dict[str, str]:
    return dict.fromkeys(words.split(), letter)


# Words of closed classes, whatever the tagger makes of them.
_FIXED = (
    _closed(
        _DETERMINER,
        "the a an my your his her its our their this that these those whose some any each every no another",
    )
    | _closed(
        _OTHER,
        "i you he she it we they me him us them myself yourself himself herself itself ourselves themselves "
        "who what which anything something nothing everything anyone someone everyone anybody somebody "
        "nobody everybody",
    )
    | _closed(
        _BREAK,
        "um uh uhm umm er erm ah oh hm hmm mm mhm yeah yes yep yup nope ok okay hey hi hello wow huh well "
        "bye goodbye please",
    )
)


@dataclass(frozen=True)
class _Token:
    """A word without the punctuation around it; `parted` says whether punctuation follows."""

    text: str
    key: str
    word: int
    parted: bool
    ends_sentence: bool


@dataclass(frozen=True)
class _Piece:
    """What the tagger sees: a token, the two parts of one with a clitic, or a break (`token` is None)."""

    text: str
    token: int | None
    whole: bool = True
    clitic: bool = False


def find_key_phrases(words: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the `auto_highlights_result` for a transcript's words (`text`, `start` and `end` in ms).

    At most 15 results, highest rank first: `text` as first spoken, `rank` to two decimals, `timestamps` of
    every occurrence, `count` of them. Words may carry punctuation; a missing `speaker` is fine.
    """
    words = [_completed(word) for word in words]
    tokens = _tokens(words)
    runs = _runs(tokens, words)
    letters = [_tag(run, tokens) for run in runs]
    ranks = _page_rank(runs, letters, tokens)
    best: dict[tuple[str, ...], tuple[float, int]] = {}
    for run, tagged in zip(runs, letters, strict=True):
        for first, size, determiners in _candidates(run, tagged):
            span = range(first, first + size)
            total = sum(ranks.get(_node(tokens, run[i], tagged[i]), 0.0) for i in span)
            score = math.sqrt(total / (size + determiners)) * size / (size + 2 * determiners + 1)
            positions = [run[i].token or 0 for i in span]
            key = tuple(tokens[position].key for position in positions)
            known = best.get(key)
            best[key] = (max(score, known[0]), known[1]) if known else (score, positions[0])
    chosen = sorted(best.items(), key=lambda item: (-item[1][0], item[1][1]))[:MOST_RESULTS]
    times = _occurrences([key for key, _ in chosen], tokens, words)
    results = [
        {
            "count": len(times[key]),
            "rank": round(score, 2),
            "text": " ".join(token.text for token in tokens[first : first + len(key)]),
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
    for index, word in enumerate(words):
        for part in word["text"].split():
            lead, core, tail = _strip(part)
            if tokens and (lead or not core):  # punctuation before this word parts it from the one before
                last = tokens[-1]
                ends = last.ends_sentence or (not core and not _SENTENCE_ENDS.isdisjoint(part))
                tokens[-1] = _Token(last.text, last.key, last.word, parted=True, ends_sentence=ends)
            if core:
                key = _fold(core)
                ends = not _SENTENCE_ENDS.isdisjoint(tail) and not (
                    tail == "." and (key in _TITLES or (len(core) == 1 and core.isupper() and core != "I"))
                )
                tokens.append(_Token(core, key, index, parted=bool(tail), ends_sentence=ends))
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
        if token.parted:
            run.append(_Piece("." if token.ends_sentence else ",", None))
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


def _pieces(index: int, token: _Token) -> Iterable[_Piece]:
    straight = token.text.translate(_STRAIGHT)
    for clitic in _CLITICS:
        if token.key.endswith(clitic) and len(straight) > len(clitic):
            return (
                _Piece(straight[: -len(clitic)], index, whole=False),
                _Piece(straight[-len(clitic) :], index, whole=False, clitic=True),
            )
    return (_Piece(straight, index),)


def _tag(run: Sequence[_Piece], tokens: Sequence[_Token]) -> list[str]:
    """One letter per piece of a run."""
    tags = tag([piece.text for piece in run])
    letters = []
    for piece, name in zip(run, tags, strict=True):
        if piece.token is None:
            letters.append(_BREAK)
        elif piece.clitic:
            letters.append(_OTHER)
        elif piece.whole and tokens[piece.token].key in _FIXED:
            letters.append(_FIXED[tokens[piece.token].key])
        elif not any(character.isalpha() for character in piece.text):
            letters.append(_DETERMINER)  # a number, whatever stands around it
        else:
            letters.append(_LETTERS.get(name, _OTHER))
    return letters


def _candidates(run: Sequence[_Piece], letters: Sequence[str]) -> Iterable[tuple[int, int, int]]:
    """Noun phrases of a run: where each begins, its size in pieces, and the determiners right before it."""
    index = 0
    while index < len(run):
        if letters[index] not in (_ADJECTIVE, _NOUN):
            index += 1
            continue
        first = index
        while (
            index < len(run)
            and run[index].whole
            and (
                letters[index] in (_ADJECTIVE, _NOUN)
                # "wide ranging consequences"; never as the first word, which would be a deed: "using an API"
                or (letters[index] == _PARTICIPLE and letters[index - 1] == _ADJECTIVE)
            )
        ):
            index += 1
        if index < len(run) and letters[index] in (_ADJECTIVE, _NOUN):
            # The phrase would end within a word ("the old customer's"): as it stands it is never said.
            index += 1
            continue
        stop = index
        while stop > first and letters[stop - 1] != _NOUN:
            stop -= 1
        if stop > first:
            before = first
            while before > 0 and letters[before - 1] == _DETERMINER:
                before -= 1
            yield first, stop - first, first - before


def _node(tokens: Sequence[_Token], piece: _Piece, letter: str) -> tuple[str, str]:
    text = tokens[piece.token].key if piece.whole and piece.token is not None else _fold(piece.text)
    return _stem(text), letter


@functools.lru_cache(maxsize=50_000)
def _stem(text: str) -> str:
    stem: str = _stemmer().stemWord(text)
    return stem


@functools.cache
def _stemmer() -> Any:
    return snowballstemmer.stemmer("english")


def _page_rank(
    runs: Sequence[Sequence[_Piece]],
    letters: Sequence[Sequence[str]],
    tokens: Sequence[_Token],
) -> dict[tuple[str, str], float]:
    """Rank the content words: neighbours, at most three kept words apart in a run, vote for each other."""
    nodes: dict[tuple[str, str], int] = {}
    weights: defaultdict[tuple[int, int], float] = defaultdict(float)
    for run, tagged in zip(runs, letters, strict=True):
        kept = [
            nodes.setdefault(_node(tokens, piece, letter), len(nodes))
            for piece, letter in zip(run, tagged, strict=True)
            if letter in _KEPT
        ]
        for index, node in enumerate(kept):
            for other in kept[index + 1 : index + 1 + _REACH]:
                if node != other:
                    weights[min(node, other), max(node, other)] += 1.0
    count = len(nodes)
    if count == 0:
        return {}
    pairs = np.array(list(weights), dtype=np.int64).reshape(-1, 2)
    weight = np.array(list(weights.values()), dtype=np.float64)
    source = np.concatenate((pairs[:, 0], pairs[:, 1]))
    target = np.concatenate((pairs[:, 1], pairs[:, 0]))
    weight = np.concatenate((weight, weight))
    degree = np.bincount(source, weight, count)
    alone = degree == 0
    share = weight / degree[source]
    rank = np.full(count, 1.0 / count)
    for _ in range(100):
        passed = np.bincount(target, rank[source] * share, count) + rank[alone].sum() / count
        following = (1 - _DAMPING) / count + _DAMPING * passed
        settled = np.abs(following - rank).sum() < _SETTLED
        rank = following
        if settled:
            break
    return {node: float(rank[index]) for node, index in nodes.items()}


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
