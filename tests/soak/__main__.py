"""A soak of the whole system on this machine: `python -m tests.soak --uploads 1000 --seed 1`.

Starts a local AWS and an engine of its own, uploads, lets things go wrong by a plan that is drawn from the seed, waits
until all is quiet, and adds up. The plan is the same for the same seed; what runs at the same time may still take turns
differently.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from local.processes import StartFailed
from local.stack import PROJECT, DeployFailed
from tests.running_system import running
from tests.soak.audit import audit
from tests.soak.display import line, report, watching
from tests.soak.plan import SMALLEST, make_plan
from tests.soak.run import NotQuiet, Soak
from tests.soak.system import ENGINE_OPTIONS, Size, System

console = Console()
_SIZE = Size()


def soak(
    *,
    uploads: Annotated[int, typer.Option(min=SMALLEST, help="How many object versions are uploaded.")] = 1000,
    seed: Annotated[int, typer.Option(help="What the plan is drawn from.")] = 1,
    limit: Annotated[float, typer.Option(help="Seconds after which it must be over.")] = 1800,
    max_concurrency: Annotated[int, typer.Option(help="The template's MaxConcurrency.")] = _SIZE.max_concurrency,
    max_in_flight: Annotated[int, typer.Option(help="The template's MaxInFlight.")] = _SIZE.max_in_flight,
    overdue_minutes: Annotated[int, typer.Option(help="0: at the next sweep.")] = _SIZE.overdue_minutes,
    folder: Annotated[Path, typer.Option(help="Where its files live.")] = PROJECT / ".local" / "soak",
) -> None:
    """Let many things go wrong for many recordings, then add up. Exits 1 where the counts disagree."""
    plan = make_plan(seed, uploads)
    console.print(
        f"seed {seed}: {uploads} uploads, {len(plan.faults)} faults of the engine, "
        f"{len(plan.poison)} messages that nobody can read, {len(plan.kills)} killed functions",
        highlight=False,
        soft_wrap=True,
    )
    try:
        with running(folder, *ENGINE_OPTIONS) as local:
            system = System.deployed(local, _say, Size(max_concurrency, max_in_flight, overdue_minutes))
            with watching(console) as show:
                run = Soak(plan, system, show)
                seen = run.run(limit)
            counts = audit(plan, seen)
    except (StartFailed, DeployFailed, NotQuiet) as trouble:
        console.print(str(trouble), style="red", markup=False, highlight=False, soft_wrap=True)
        console.print(f"The logs are in {folder}.", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    console.print(line(run.progress), highlight=False, soft_wrap=True)
    console.print(report(counts))
    if not all(count.agrees for count in counts):
        console.print(f"Again: {sys.executable} -m tests.soak --uploads {uploads} --seed {seed}; logs: {folder}")
        raise typer.Exit(1)


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(soak)
