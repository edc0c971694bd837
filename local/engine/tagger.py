"""Words of a sentence -> their parts of speech and its noun phrases, by a model of this project's own.

The model is a conditional random field; `noun_phrases/README.md` tells what it learned from and how good it is.
"""

import functools
import lzma
from collections.abc import Sequence
from pathlib import Path

import pycrfsuite

MODEL = Path(__file__).parent / "noun_phrases" / "model.crfsuite.xz"
_WORDS_REMEMBERED = 50_000


@functools.cache
def _weights() -> bytes:
    return lzma.decompress(MODEL.read_bytes())


@functools.cache
def _model() -> "pycrfsuite.Tagger":
    model = pycrfsuite.Tagger()
    model.open_inmemory(_weights())  # reads them where they lie, and does not keep them alive
    return model


def tag(sentence: Sequence[str]) -> list[str]:
    """Return a label of two letters for every piece of a sentence.

    Clitics, hyphens and punctuation marks are pieces of their own. The first letter is the part of speech:
    `N`oun, `P`roper noun, ad`J`ective, `V`erb, punctuation (`.`), or `X` for all others. The second
    says whether the piece `B`egins a noun phrase, stands `I`nside one, or `O`utside.
    """
    if not sentence:
        return []
    # The model file knows text as UTF-8 only: half a surrogate pair, which JSON may carry, has none.
    known = [piece.encode("utf-8", "replace").decode().replace("\0", "?") for piece in sentence]
    labels: list[str] = _model().tag(features(known))
    return labels


def features(sentence: Sequence[str]) -> list[list[str]]:
    """Return what the model knows of each piece of a sentence: itself, three neighbours at each side, pairs."""
    beyond = [""] * 3
    padded = [*beyond, *sentence, *beyond]
    lower = [piece.lower() for piece in padded]
    ends = [piece[-3:] for piece in lower]
    described = [
        [
            *_own(padded[at]),
            *_neighbour(padded[at - 1], "-"),
            *_neighbour(padded[at + 1], "+"),
            f"-2={lower[at - 2]}",
            f"-3={lower[at - 3]}",
            f"+2={lower[at + 2]}",
            f"+3={lower[at + 3]}",
            f"a={lower[at - 1]}|{lower[at]}",
            f"b={lower[at]}|{lower[at + 1]}",
            f"c={ends[at - 1]}|{ends[at]}",
            f"d={ends[at]}|{ends[at + 1]}",
            f"e={ends[at - 2]}|{ends[at - 1]}",
            f"f={ends[at + 1]}|{ends[at + 2]}",
        ]
        for at in range(3, len(padded) - 3)
    ]
    if described:
        described[0].append(f"first={_shape(sentence[0])}")
    return described


@functools.lru_cache(_WORDS_REMEMBERED)
def _own(piece: str) -> tuple[str, ...]:
    lower = piece.lower()
    joint = next((mark for mark in "-'" if mark in piece), "n")
    return (
        f"w={lower}",
        f"4={lower[-4:]}",
        f"3={lower[-3:]}",
        f"2={lower[-2:]}",
        f"p={lower[:3]}",
        f"s={_shape(piece)}",
        joint,
    )


@functools.lru_cache(2 * _WORDS_REMEMBERED)
def _neighbour(piece: str, side: str) -> tuple[str, ...]:
    lower = piece.lower()
    return f"{side}w={lower}", f"{side}3={lower[-3:]}", f"{side}s={_shape(piece)}"


def _shape(piece: str) -> str:
    if not any(character.isalnum() for character in piece):
        return "."
    if any(character.isdigit() for character in piece):
        return "9"
    if piece[0].isupper():
        return "A" if len(piece) > 1 and piece.isupper() else "Aa"
    return "a"
