"""`make bench`: all measurements, or those that are named, as Markdown.

    python -m bench [SECTION]... [--write FILE]

--write puts them into FILE too, between its lines `<!-- measured -->` and `<!-- /measured -->`.
"""

import importlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench.report import Section, Table, surroundings

# In the order in which a reader wants them. Each is bench/<name>.py with a `measure`.
SECTIONS = (
    "aws_requests",
    "overhead",
    "cold_start",
    "package",
    "long_recordings",
    "many_recordings",
    "page",
    "throughput",
    "engine",
)
_BEGIN, _END = "<!-- measured -->", "<!-- /measured -->"


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Some of: {', '.join(SECTIONS)}; all without.")] = None,
    write: Annotated[Path | None, typer.Option(help="A Markdown file to renew.")] = None,
) -> None:
    """Measure, and print the tables."""
    wanted = names or list(SECTIONS)
    if unknown := set(wanted) - set(SECTIONS):
        message = f"there is no {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}"
        raise typer.BadParameter(message)
    text = ""
    for part in _measured(wanted):
        sys.stdout.write(part)
        text += part
    if write:
        before, _, rest = write.read_text(encoding="utf-8").partition(_BEGIN)
        write.write_text(f"{before}{_BEGIN}\n\n{text}{_END}{rest.partition(_END)[2]}", encoding="utf-8")


def _measured(names: list[str]) -> Iterator[str]:
    yield "".join(f"- {line}\n" for line in surroundings()) + "\n"
    columns = (BarColumn(), TextColumn("{task.fields[section]}: {task.fields[now]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=len(names), section="", now="")
        for name in names:
            progress.update(task, section=name, now="")
            begun = time.monotonic()
            tables: list[Table] = list(_section(name)(lambda now: progress.update(task, now=now)))
            yield "".join(table.markdown() + "\n" for table in tables)
            progress.advance(task)
            progress.console.print(f"{name}: {time.monotonic() - begun:.0f} s")


def _section(name: str) -> Section:
    section: Section = importlib.import_module(f"bench.{name}").measure
    return section


if __name__ == "__main__":
    typer.run(main)
