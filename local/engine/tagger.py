"""Words -> Penn Treebank part-of-speech tags, with the English CRF model of the gruut-lang-en package."""

import base64
import functools
import importlib.resources
import string
from collections.abc import Sequence

import pycrfsuite

_AROUND = (-2, -1, 0, 1, 2)


@functools.cache
def _model() -> "pycrfsuite.Tagger":
    model = pycrfsuite.Tagger()
    with importlib.resources.as_file(importlib.resources.files("gruut_lang_en") / "pos" / "model.crf") as path:
        model.open(str(path))
    return model


@functools.lru_cache(maxsize=20_000)
def _features(word: str, offset: int) -> dict[str, str | float]:
    """Describe, as the model was trained, a word `offset` words from the one to be tagged.

    Names and values are those of the model file (`pycrfsuite.Tagger.info().attributes` lists them).
    """
    at = f"{offset:+d}:" if offset else ""
    return {
        f"{at}bias": 1.0,
        f"{at}word": base64.b64encode(word.encode()).decode(),
        f"{at}len(word)": float(len(word)),
        f"{at}word.ispunctuation": float(word in string.punctuation),
        f"{at}word.isdigit()": float(word.isdigit()),
        f"{at}word[:2]": word[:2],
        f"{at}word[:3]": word[:3],
        f"{at}word[-2:]": word[-2:],
        f"{at}word[-3:]": word[-3:],
    }


def tag(words: Sequence[str]) -> list[str]:
    """One tag per word of a sentence; clitics and punctuation marks are words of their own."""
    if not words:
        return []
    # The model file knows text as UTF-8 only: half a surrogate pair, which JSON may carry, has none.
    known = [word.encode("utf-8", "replace").decode().replace("\0", "?") for word in words]
    sentence: list[dict[str, str | float]] = []
    for index in range(len(known)):
        features: dict[str, str | float] = {}
        for offset in _AROUND:
            if 0 <= index + offset < len(known):
                features |= _features(known[index + offset], offset)
        if index == 0:
            features["BOS"] = 1.0
        if index == len(known) - 1:
            features["EOS"] = 1.0
        sentence.append(features)
    tags: list[str] = _model().tag(sentence)
    return tags
