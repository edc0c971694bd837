"""cost, doctor, redrive: what it costs, what is wrong, and dead letters sent back."""

from enum import StrEnum
from typing import Annotated, Any

import boto3
import typer
from rich.table import Table
from rich.text import Text

from audio_highlights.config import utc_now
from cli import cost as costs
from cli import dead_letters, doctor, recordings
from cli.commands.reading import Since
from cli.cost import Cost, Share
from cli.dead_letters import Queues
from cli.output import DEFAULT_STACK, AsJson, Exit, StackName, Yes, ask, console, document, readable, say
from cli.periods import first_day
from cli.prices import Prices, dollars, hours
from cli.stack import Stack

_SHOWN_RECORDINGS = 30
_MARKS = {
    doctor.Verdict.FINE: ("✓", "green"),
    doctor.Verdict.WRONG: ("✗", "red"),
    doctor.Verdict.UNKNOWN: ("?", "yellow"),
}


class By(StrEnum):
    """How the cost is shared out."""

    DAY = "day"
    RECORDING = "recording"
    OPTION = "option"


def cost(
    since: Since = "30d",
    by: Annotated[By | None, typer.Option(help="Share it out.")] = None,
    stack_name: StackName = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """What recordings have cost by list prices: AssemblyAI by billed seconds, AWS by counted requests."""
    today = utc_now().date()
    first = first_day(since, today)
    stack = Stack.named(stack_name)
    prices = Prices.load()
    ids = [one["recording_id"] for one in recordings.listed(stack, first, today)]
    rows = stack.rows(ids, *costs.ATTRIBUTES).values()
    found = costs.of(rows, prices, stack.speech_models[0], stack.parameters["CompletionMode"])
    if as_json:
        document(_report(found, prices, str(first), str(today)))
        return
    console.print(_cost_view(found, by))
    for note in _notes(found, prices, f"{first} to {today}"):
        say(note)


def _report(found: Cost, prices: Prices, first: str, last: str) -> dict[str, Any]:
    return {
        "from": first,
        "to": last,
        "total": found.total.shown(),
        "statuses": dict(found.statuses),
        "by_day": {day: share.shown() for day, share in sorted(found.by_day.items())},
        "by_option": {name: share.shown() for name, share in found.by_option.items()},
        "by_recording": [
            {"recording_id": one, "key": found.keys[one], **share.shown()} for one, share in found.by_recording.items()
        ],
        "price_unknown": dict(found.price_unknown),
        "model_assumed": found.model_assumed,
        "extra_transcripts": found.extra_transcripts,
        "sources": prices.sources,
    }


def _cost_view(found: Cost, by: By | None) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(by or "", no_wrap=True, overflow="ellipsis")
    for column in ("recordings", "audio", "AssemblyAI", "AWS", "together"):
        table.add_column(column, justify="right", no_wrap=True)
    shares: list[tuple[str, Share]] = {
        None: [],
        By.DAY: sorted(found.by_day.items()),
        By.OPTION: list(found.by_option.items()),
        By.RECORDING: [
            (f"{one[:8]}  {readable(found.keys[one])}", share)
            for one, share in sorted(
                found.by_recording.items(), key=lambda pair: (-pair[1].provider, found.keys[pair[0]])
            )[:_SHOWN_RECORDINGS]
        ],
    }[by]
    for name, share in [*shares, ("total", found.total)]:
        aws = "" if by is By.OPTION and name != "total" else dollars(share.aws)
        together = "" if not aws else dollars(share.provider + share.aws)
        cells = (str(share.recordings), hours(share.seconds), dollars(share.provider), aws, together)
        table.add_row(Text(name), *cells, style="bold" if name == "total" else None)
    return table


def _notes(found: Cost, prices: Prices, period: str) -> list[str]:
    notes = [
        f"Recordings that came {period}; deleted ones have no row and are not in it.",
        f"List prices (cli/prices.toml): {'; '.join(prices.sources)}.",
    ]
    if found.total.recordings:
        each = (found.total.provider + found.total.aws) / found.total.recordings
        notes.append(f"A recording costs {dollars(each)} on average.")
    if found.extra_transcripts:
        notes.append(f"{found.extra_transcripts} transcripts were paid for twice, and are in it.")
    if found.model_assumed:
        notes.append(f"Of {found.model_assumed} the model is not known; the stack's first is assumed.")
    for name, number in found.price_unknown.items():
        notes.append(
            f"Not in it: {name} of {dead_letters.so_many(number, 'recording')}, for which cli/prices.toml has no price."
        )
    if len(found.by_recording) > _SHOWN_RECORDINGS:
        notes.append(f"The list shows the {_SHOWN_RECORDINGS} dearest; --json has all.")
    return notes


def examine(stack_name: StackName = DEFAULT_STACK, as_json: AsJson = False) -> None:
    """What is wrong with this stack, what that means, and what to do. Exits 1 where something is."""
    findings = doctor.examined(Stack.named(stack_name))
    wrong = sum(one.verdict is doctor.Verdict.WRONG for one in findings)
    if as_json:
        document({"wrong": wrong, "findings": [one.shown() for one in findings]})
    else:
        for one in findings:
            mark, style = _MARKS[one.verdict]
            console.print(
                Text.assemble((f"{mark} ", style), (f"{one.check}: ", "bold"), readable(one.what)), soft_wrap=True
            )
            for more in (one.so_what, one.do):
                if more:
                    console.print(Text(f"    {readable(more)}"), soft_wrap=True)
        unknown = sum(one.verdict is doctor.Verdict.UNKNOWN for one in findings)
        could_not = f"; {unknown} could not be looked at" if unknown else ""
        console.print(f"\n{len(findings)} looked at, {wrong} wrong{could_not}.", highlight=False)
    if wrong:
        raise typer.Exit(Exit.FAILED)


def redrive(
    queue: Annotated[Queues | None, typer.Argument(help="submit or results; both by default.")] = None,
    yes: Yes = False,
    stack_name: StackName = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Send dead letters back to the queue that they come from, when the cause is mended."""
    stack = Stack.named(stack_name)
    sqs = boto3.client("sqs")
    queues = [queue] if queue else list(Queues)
    depths = {one: dead_letters.depth(sqs, one.dead_letters(stack)) for one in queues}
    for one, depth in depths.items():
        say(f"{one}: {dead_letters.so_many(depth, 'dead letter')}.")
    if any(depths.values()):
        ask("Send them back?", yes=yes)
    moved = {
        str(one): dead_letters.moved(sqs, one.dead_letters(stack), one.queue(stack)) for one in queues if depths[one]
    }
    if as_json:
        document({"moved": moved})
    else:
        console.print(
            ", ".join(f"{number} sent back to {one}" for one, number in moved.items()) or "Nothing to send back."
        )
