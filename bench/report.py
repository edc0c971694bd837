"""What a measurement says: tables of counts and of medians with their spread, as Markdown."""

import math
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parents[1]

type Say = Callable[[str], None]
"""Told what is being done, a short line each."""

type Section = Callable[[Say], Iterable["Table"]]
"""Measures something; takes minutes at most."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table; `note` says in a sentence or two how it was measured."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def markdown(self) -> str:
        """The table with its title and note."""
        lines = [f"### {self.title}", "", *([self.note, ""] if self.note else [])]
        lines += [_line(self.columns), _line("---" for _ in self.columns), *(_line(row) for row in self.rows)]
        return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


@dataclass(frozen=True, slots=True)
class Samples:
    """The same measured several times. The machine is shared: the median counts, the spread says how sure it is."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def percentile(self, percent: float) -> float:
        """With at least so many values at or below it."""
        ranked = sorted(self.values)
        return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]

    def text(self, form: str = ".3g") -> str:
        """Median, and the least and the most: `12 (11-15)`."""
        return f"{self.median:{form}} ({min(self.values):{form}}-{max(self.values):{form}})"

    def ratio_to(self, other: "Samples") -> str:
        """How many times the other's median this one's is: `1.2 x`."""
        return f"{self.median / other.median:.2f} x"


def surroundings() -> Iterator[str]:
    """On what it was measured, and with which versions."""
    packages = ("boto3", "botocore", "aws-lambda-powertools", "requests", "assemblyai", "aws-sam-cli")
    yield f"{datetime.now(UTC):%Y-%m-%d}, commit {_commit()}"
    yield (
        f"{_processor()}, {psutil.cpu_count()} cores (shared), {psutil.virtual_memory().total / 2**30:.0f} GB, "
        f"load {os.getloadavg()[0]:.1f} at the start"
    )
    yield f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in packages)


def _commit() -> str:
    command = ["git", "-C", str(PROJECT), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"  # noqa: S603


def _processor() -> str:
    names = (
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    )
    return next(names, platform.machine())
