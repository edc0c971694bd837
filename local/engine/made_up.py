"""Words without recognition, for tests of thousands of recordings: the same for the same bytes."""

import hashlib
import random
from pathlib import Path
from typing import Any

_WORD_MS = 300
_GAP_MS = 60
_ADJECTIVES = ("annual", "broken", "digital", "early", "final", "local", "monthly", "new", "old", "open", "slow")
_NOUNS = (
    "account", "battery", "camera", "contract", "customer", "delivery", "engine", "garden", "invoice", "kitchen",
    "library", "market", "meeting", "network", "office", "package", "payment", "printer", "project", "refund",
    "report", "router", "school", "server", "station", "support", "ticket", "train", "update", "warehouse",
)  # fmt: skip
_VERBS = ("changed", "checked", "delayed", "found", "moved", "needed", "opened", "replaced", "sent", "stopped")


def drawn_text(media: Path, words: int) -> str:
    """Return about as many words as asked for, as sentences drawn by the bytes of a file."""
    with media.open("rb") as file:
        draw = random.Random(hashlib.file_digest(file, "sha256").digest())  # noqa: S311  not for secrets
    said: list[str] = []
    while len(said) < words:
        first, second, third = draw.sample(_NOUNS, 3)
        said += ["The", draw.choice(_ADJECTIVES), first, draw.choice(_VERBS), "the", second, f"{third}."]
    return " ".join(said)


def spoken(text: str) -> list[dict[str, Any]]:
    """Return a text as the words of a transcript, one after the other at an even pace."""
    pace = _WORD_MS + _GAP_MS
    return [
        {
            "text": word,
            "start": number * pace,
            "end": number * pace + _WORD_MS,
            "confidence": 1.0,
            "speaker": None,
        }
        for number, word in enumerate(text.split())
    ]
