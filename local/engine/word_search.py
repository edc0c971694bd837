"""Where words and phrases occur in a transcript."""

import re
from collections.abc import Sequence
from typing import Any

from local.engine.sentences import Word

LONGEST_PHRASE = 5
_AROUND = re.compile(r"^\W+|\W+$")


def word_search(words: Sequence[Word], terms: Sequence[str]) -> dict[str, Any]:
    """Return `total_count` and a match for each term that occurs: text, count, timestamps, indexes.

    Case and the punctuation around words do not count. A phrase matches words that follow each other;
    its timestamp is [start of the first, end of the last] in ms, its index that of the first.
    """
    said = [_bare(word["text"]) for word in words]
    matches = [_match(words, said, term) for term in dict.fromkeys(terms)]
    found = [match for match in matches if match["count"]]
    return {"total_count": sum(match["count"] for match in found), "matches": found}


def tokens(term: str) -> list[str]:
    """Return the words of a term as they are compared; none if it is only punctuation."""
    return [token for token in map(_bare, term.split()) if token]


def _match(words: Sequence[Word], said: Sequence[str], term: str) -> dict[str, Any]:
    wanted = tokens(term)
    size = len(wanted)
    indexes = [
        index
        for index in range(len(said) - size + 1)
        if said[index : index + size] == wanted
        and len({word.get("channel") for word in words[index : index + size]}) == 1
    ]
    return {
        "text": term,
        "count": len(indexes),
        "timestamps": [[words[index]["start"], words[index + size - 1]["end"]] for index in indexes],
        "indexes": indexes,
    }


def _bare(text: str) -> str:
    return _AROUND.sub("", text.replace("’", "'")).casefold()
