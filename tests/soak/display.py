"""How a soak is watched: bars where there is a terminal, a line now and then where there is none."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tests.soak.audit import Count
from tests.soak.run import QUEUES, Progress

_LINE_SECONDS = 10
_COLOURS = {"uploaded": "cyan", "open": "yellow", "completed": "green", "failed": "red", "ignored": "magenta"}


@contextmanager
def watching(console: Console) -> Iterator[Callable[[Progress], None]]:
    """What to call with the progress whenever it was looked at."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            yield lambda progress: live.update(bars(progress))
        return
    said = -_LINE_SECONDS * 1.0

    def say(progress: Progress) -> None:
        nonlocal said
        if progress.seconds - said >= _LINE_SECONDS:
            said = progress.seconds
            console.print(line(progress), highlight=False, soft_wrap=True)

    yield say


def bars(progress: Progress) -> RenderableType:
    """Bars of where the recordings are, and beneath them the queues, the faults and the time."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column(width=50)
    table.add_column(justify="right")
    for name, number in _numbers(progress).items():
        bar = ProgressBar(progress.uploads, number, complete_style=_COLOURS[name], finished_style=_COLOURS[name])
        table.add_row(name, bar, str(number))
    rest = _rest(progress).replace(" | ", "\n")
    return Group(table, Text(f"{progress.seconds:.0f} s\n{rest}", "dim"))


def line(progress: Progress) -> str:
    """The same in one line."""
    numbers = ", ".join(f"{number} {name}" for name, number in _numbers(progress).items())
    return f"{progress.seconds:4.0f} s  {numbers} | {_rest(progress)}"


def _numbers(progress: Progress) -> dict[str, int]:
    statuses = {status: progress.statuses[status] for status in ("completed", "failed", "ignored")}
    return {"uploaded": progress.made, "open": progress.open, **statuses}


def _rest(progress: Progress) -> str:
    queues = ", ".join(f"{queue.removesuffix('QueueUrl')} {progress.depths[queue]}" for queue in QUEUES)
    kills = ", ".join(f"{function} {number}" for function, number in sorted(progress.kills.items())) or "none"
    healed = ", ".join(f"{number} {what}" for what, number in progress.healed.items()) or "nothing"
    return (
        f"queues: {queues} | faults {progress.faults.total()} of {progress.faults_planned} at most | "
        f"killed: {kills} | sweeps {progress.sweeps}: {healed} | webhooks owed {progress.webhooks_owed}"
    )


def report(counts: Sequence[Count]) -> RenderableType:
    """The counts with their parts; what disagrees is listed under the table."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    for count in counts:
        agrees = Text("agree", "green") if count.agrees else Text(f"{len(count.disagreements)} disagree", "bold red")
        table.add_row(Text(count.name, "bold"), "", agrees)
        for name, number in count.parts:
            table.add_row(f"  {name}", str(number), "")
    disagreements = [
        Text(f"{count.name}\n" + "\n".join(f"  {one}" for one in count.disagreements), "red")
        for count in counts
        if not count.agrees
    ]
    return Group(table, *disagreements)
