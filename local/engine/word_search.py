"""Where words and phrases occur in a transcript."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from local.engine.sentences import Word

LONGEST_PHRASE = 5
_AROUND = re.compile(r"^\W+|\W+$")

# For each word as it is compared: the indexes of all words of a channel, and where among these it stands.
type _Places = Mapping[str, Sequence[tuple[Sequence[int], int]]]


def word_search(words: Sequence[Word], terms: Sequence[str]) -> dict[str, Any]:
    """Return `total_count` and a match for each term that occurs: text, count, timestamps, indexes.

    Case and the punctuation around words do not count. A phrase matches words that follow each other in
    a channel; its timestamp is [start of the first, end of the last] in ms, its index that of the first.
    """
    said = [_bare(word["text"]) for word in words]
    places = _places(words, said)
    found = {term: _occurrences(said, places, tokens(term)) for term in dict.fromkeys(terms)}
    matches = [
        {
            "text": term,
            "count": len(occurrences),
            "timestamps": [[words[first]["start"], words[last]["end"]] for first, last in occurrences],
            "indexes": [first for first, _ in occurrences],
        }
        for term, occurrences in found.items()
        if occurrences
    ]
    return {"total_count": sum(map(len, found.values())), "matches": matches}


def tokens(term: str) -> list[str]:
    """Return the words of a term as they are compared; none if it is only punctuation."""
    return [token for token in map(_bare, term.split()) if token]


def _places(words: Sequence[Word], said: Sequence[str]) -> _Places:
    channels: dict[str | None, list[int]] = defaultdict(list)
    places: dict[str, list[tuple[list[int], int]]] = defaultdict(list)
    for index, (word, token) in enumerate(zip(words, said, strict=True)):
        channel = channels[word.get("channel")]
        places[token].append((channel, len(channel)))
        channel.append(index)
    return places


def _occurrences(said: Sequence[str], places: _Places, wanted: Sequence[str]) -> list[tuple[int, int]]:
    """Return the first and the last index of each place where the wanted words follow each other."""
    runs = [channel[at : at + len(wanted)] for channel, at in places.get(wanted[0], ())]
    return [(run[0], run[-1]) for run in runs if [said[index] for index in run] == wanted]


def _bare(text: str) -> str:
    return _AROUND.sub("", text.replace("’", "'")).casefold()
