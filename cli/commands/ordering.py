"""retry, delete: what is asked of the pipeline about recordings that it has."""

import time
from decimal import Decimal
from typing import Annotated, Any

import typer

from audio_highlights.config import utc_now
from audio_highlights.errors import HighlightsError
from audio_highlights.models import Status
from cli import recordings
from cli.commands.reading import Recordings, Since, followed
from cli.dead_letters import so_many
from cli.display import recordings_view
from cli.output import DEFAULT_STACK, AsJson, Exit, StackName, Yes, ask, console, document, readable, say, usage
from cli.periods import first_day
from cli.prices import Prices, asked, between, dollars, sizes_of
from cli.stack import Row, Stack

_POLL_SECONDS = 0.5
_SHOWN = 10
_MAY_RETRY = (Status.FAILED, Status.IGNORED)


def retry(
    recording: Recordings = None,
    prefix: Annotated[str | None, typer.Option(help="All whose key begins so, as calls/2026/.")] = None,
    status: Annotated[Status | None, typer.Option(help="All that are failed, or ignored.")] = None,
    since: Since = "30d",
    wait: Annotated[bool, typer.Option(help="Wait for their end.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for it.")] = 3600,
    yes: Yes = False,
    stack_name: StackName = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Have failed or ignored recordings submitted again, without a new upload. Says first what it costs."""
    if bool(recording) == (prefix is not None or status is not None):
        message = "Give recordings, or --prefix or --status (or both)."
        raise usage(message)
    if status not in (None, *_MAY_RETRY):
        message = f"Only failed and ignored recordings can be retried, not those that are {status}."
        raise usage(message)
    stack = Stack.named(stack_name)
    if recording:
        rows = [recordings.named(stack, one) for one in dict.fromkeys(recording)]
    else:
        rows = _chosen(stack, prefix or "", status, since)
    if not rows:
        say("There is nothing to retry.")
        if as_json:
            document({"recordings": []})
        return
    say(_cost_of_again(stack, rows))
    ask(f"Submit {so_many(len(rows), 'recording')} again?", yes=yes)
    outcomes = [_done(row, stack.orders().retry) for row in rows]
    taken = [one["recording_id"] for one in outcomes if "error" not in one]
    ended = followed(stack, taken, timeout, as_json=False) if wait and taken else {}
    outcomes = [one | _end(ended[one["recording_id"]]) if one["recording_id"] in ended else one for one in outcomes]
    _tell(outcomes, as_json=as_json)
    if ended and not as_json:
        console.print(recordings_view(list(ended.values())))
    if len(taken) < len(rows) or any(row["status"] != Status.COMPLETED for row in ended.values()):
        raise typer.Exit(Exit.FAILED)


def _chosen(stack: Stack, prefix: str, status: Status | None, since: str) -> list[Row]:
    today = utc_now().date()
    found = (
        row
        for one in ([status] if status else _MAY_RETRY)
        for row in recordings.listed(stack, first_day(since, today), today, status=one)
    )
    return [row for row in found if row["key"].startswith(prefix)]


def _cost_of_again(stack: Stack, rows: list[Row]) -> str:
    prices = Prices.load()
    model, options = stack.speech_models[0], asked(stack.options)
    per_hour = sum(prices.per_hour(model, options)[0].values(), Decimal(0))
    _, guess = prices.guess(sizes_of([(row["key"], int(row.get("size_bytes", 0))) for row in rows]), model, options)
    return (
        f"{so_many(len(rows), 'recording')}: what failed has cost nothing. A new transcript is billed by the second, "
        f"{dollars(per_hour)} an hour with {model} and {', '.join(options)}; their lengths are not known, "
        f"by their bytes it will be {between(guess)}. Where a former transcript has completed meanwhile, it is taken, "
        "and nothing is paid."
    )


def delete(
    recording: Annotated[list[str], typer.Argument(help="Id, its beginning, or s3://bucket/key.")],
    wait: Annotated[bool, typer.Option(help="Wait until they are gone.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for it.")] = 300,
    yes: Yes = False,
    stack_name: StackName = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Delete recordings everywhere: at AssemblyAI, the audio, the results, the phrases, the row."""
    stack = Stack.named(stack_name)
    rows = [recordings.named(stack, one) for one in recording]
    rows = list({row["recording_id"]: row for row in rows}.values())
    for row in rows[:_SHOWN]:
        length = f", {int(row['highlight_count'])} highlights" if "highlight_count" in row else ""
        say(f"{row['recording_id']}  s3://{row['bucket']}/{readable(row['key'])} ({row['status']}{length})")
    if len(rows) > _SHOWN:
        say(f"... and {len(rows) - _SHOWN} more.")
    say(
        "Deleted for good: AssemblyAI's copy, this version of the audio in S3, highlights and transcript, phrases, row."
    )
    ask(f"Delete {so_many(len(rows), 'recording')}?", yes=yes)
    outcomes = [_done(row, stack.orders().delete) for row in rows]
    taken = [one["recording_id"] for one in outcomes if "error" not in one]
    if wait:
        _until_gone(stack, taken, timeout)
        outcomes = [one if "error" in one else one | {"status": "deleted"} for one in outcomes]
    _tell(outcomes, as_json=as_json)
    if len(taken) < len(rows):
        raise typer.Exit(Exit.FAILED)


def _until_gone(stack: Stack, recording_ids: list[str], timeout_seconds: float) -> None:
    deadline = time.monotonic() + timeout_seconds
    while left := stack.rows(recording_ids, "status", "reason"):
        if time.monotonic() > deadline:
            first, row = next(iter(left.items()))
            why = row.get("reason") or f"it is {row['status']}"
            message = f"{len(left)} of {len(recording_ids)} are not gone after {timeout_seconds:.0f} s. {first}: {why}"
            raise TimeoutError(message)
        time.sleep(_POLL_SECONDS)


def _done(row: Row, order: Any) -> dict[str, Any]:
    named = {"recording_id": row["recording_id"], "key": row["key"]}
    try:
        return {**named, "status": str(order(row["recording_id"]))}
    except HighlightsError as refusal:
        return {**named, "error": str(refusal)}


def _end(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("status", "reason") if name in row}


def _tell(outcomes: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        document({"recordings": outcomes})
        return
    for one in outcomes:
        if "error" in one:
            say(f"{one['recording_id']}  {one['error']}", "red")
        else:
            told = f"{one['recording_id']}  {one['status']}  {readable(one['key'])}"
            console.print(told, markup=False, highlight=False, soft_wrap=True)
