"""How well the engine's key phrases agree with those of a reference, and how long they take.

    python -m bench.phrases transcript.json ...
    python -m bench.phrases --pair words.json phrases.txt ...

A transcript as AssemblyAI answers it holds both: `words` (or `text` alone) and `auto_highlights_result`.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from local.engine.key_phrases import find_key_phrases

_NEAR = 0.5


@dataclass(frozen=True)
class Agreement:
    """What part of a reference's phrases was found, and in how many ms per 1,000 words."""

    name: str
    words: int
    exact: float
    near: float
    ms: float


def recall(reference: Sequence[str], found: Sequence[str]) -> tuple[float, float]:
    """Return which part of `reference` is in `found`: the same words, and at least half of their words.

    Near means a Jaccard index of the two phrases' words of 0.5 or more. Case does not count.
    """
    wanted = [phrase.lower().split() for phrase in reference]
    had = [phrase.lower().split() for phrase in found]
    exact = sum(phrase in had for phrase in wanted)
    near = sum(any(_jaccard(phrase, one) >= _NEAR for one in had) for phrase in wanted)
    return exact / len(wanted), near / len(wanted)


def _jaccard(one: Sequence[str], other: Sequence[str]) -> float:
    return len(set(one) & set(other)) / len(set(one) | set(other))


def read_words(content: Any) -> list[dict[str, Any]]:
    """Return the words of a transcript, or a list of words; where there is text alone, they follow at once."""
    if isinstance(content, list):
        return content
    if content.get("words"):
        return list(content["words"])
    return [{"text": text, "start": 400 * i, "end": 400 * i + 300} for i, text in enumerate(content["text"].split())]


def read_reference(path: Path) -> list[str]:
    """Return the phrases of a file: a transcript, an `auto_highlights_result`, a JSON list, or a phrase a line."""
    text = path.read_text(encoding="utf-8")
    if not text.lstrip().startswith(("{", "[")):
        return [line.strip() for line in text.splitlines() if line.strip()]
    return _phrases(json.loads(text))


def _phrases(content: Any) -> list[str]:
    if isinstance(content, dict):
        content = (content.get("auto_highlights_result") or content).get("results", [])
    return [phrase if isinstance(phrase, str) else phrase["text"] for phrase in content]


def measure(name: str, words: Sequence[dict[str, Any]], reference: Sequence[str], runs: int) -> Agreement:
    """Find the phrases of `words`, `runs` times for the median of the time, and compare them once."""
    seconds = []
    for _ in range(runs):
        started = time.process_time()
        found = find_key_phrases(words)["results"]
        seconds.append(time.process_time() - started)
    exact, near = recall(reference, [phrase["text"] for phrase in found])
    ms = statistics.median(seconds) * 1_000_000 / max(len(words), 1)
    return Agreement(name, len(words), exact, near, ms)


def table(measured: Sequence[Agreement]) -> Table:
    """Return a row for each recording, and the means."""
    shown = Table(title="Key phrases: how much of the reference was found")
    shown.add_column("recording")
    for heading in ("words", "exact", "near", "ms per 1,000 words"):
        shown.add_column(heading, justify="right")
    for one in measured:
        shown.add_row(one.name, f"{one.words:,}", f"{one.exact:.0%}", f"{one.near:.0%}", f"{one.ms:.0f}")
    shown.add_section()
    means = (statistics.mean(getattr(one, field) for one in measured) for field in ("exact", "near", "ms"))
    exact, near, ms = means
    shown.add_row("mean", f"{sum(one.words for one in measured):,}", f"{exact:.1%}", f"{near:.1%}", f"{ms:.0f}")
    return shown


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how well the key phrases of recordings agree with a reference."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.phrases",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("transcripts", nargs="*", type=Path, metavar="TRANSCRIPT")
    parser.add_argument("--pair", nargs=2, type=Path, action="append", default=[], metavar=("WORDS", "PHRASES"))
    parser.add_argument("--runs", type=int, default=3, help="of which the median time is told (default 3)")
    options = parser.parse_args(arguments)
    pairs = [(path, path) for path in options.transcripts] + options.pair
    if not pairs:
        parser.error("give a transcript with its auto_highlights_result, or a --pair of words and phrases")
    find_key_phrases([{"text": "ready"}])  # loads the model
    measured = []
    for words_file, reference_file in track(pairs, "Finding phrases", transient=True):
        reference = read_reference(reference_file)
        if not reference:
            parser.error(f"{reference_file} holds no phrases to compare with")
        words = read_words(json.loads(words_file.read_text(encoding="utf-8")))
        measured.append(measure(words_file.stem, words, reference, options.runs))
    Console().print(table(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
