"""list, show, watch, search, phrases."""

import re
import time
from contextlib import nullcontext
from datetime import timedelta
from itertools import islice
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.text import Text

from audio_highlights.config import utc_now
from audio_highlights.models import Status, folded
from audio_highlights.reading import Reader
from cli import recordings
from cli.display import counted, phrases_view, recording_view, recordings_view, sayings_view, states
from cli.output import (
    DEFAULT_STACK,
    AsJson,
    Exit,
    NotFound,
    StackName,
    aside,
    console,
    document,
    json_line,
    readable,
    say,
    usage,
)
from cli.periods import first_day
from cli.stack import Row, Stack

Since = Annotated[str, typer.Option(help="How far back: 7d, 2w, or a date. Days are UTC.")]
Recordings = Annotated[list[str] | None, typer.Argument(help="Id, its beginning, or s3://bucket/key.")]

# What the pipeline keeps on a row for itself.
_INTERNAL = (
    "lease_until", "due_at", "open_shard", "asked_by", "attempts_before", "attempts_waited", "retries_before",
    "upload_url",
)  # fmt: skip
_MOST_OF_A_CALL = 10
_WATCHED = timedelta(days=36500)


def list_(
    since: Since = "7d",
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    stack_name: StackName = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Recordings, the newest first."""
    today = utc_now().date()
    first = first_day(since, today)
    stack = Stack.named(stack_name)
    rows = list(islice(recordings.listed(stack, first, today, status=status), limit + 1))
    more, rows = len(rows) > limit, rows[:limit]
    if as_json:
        document({"recordings": rows, "more": more})
        return
    if not rows:
        say(f"No recording{f' that is {status}' if status else ''} since {first}.")
        return
    console.print(recordings_view(rows))
    if more:
        say(f"There are more than {limit}: raise --limit, or narrow --since or --status.")


def show(
    recording: Annotated[str | None, typer.Argument(help="Id, its beginning, or s3://bucket/key.")] = None,
    call: Annotated[str | None, typer.Option("--call", help="All recordings of this call_id instead.")] = None,
    play: Annotated[
        str | None, typer.Option(help="Print the page's link at a moment: a phrase, its place in the table, or 1:05.")
    ] = None,
    stack_name: StackName = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """A recording: facts, reason, highlights with their places on a timeline."""
    if (recording is None) == (call is None):
        message = "Give one recording, or --call with a call_id."
        raise usage(message)
    if call and play:
        message = "--play is for one recording."
        raise usage(message)
    stack = Stack.named(stack_name)
    catalogue = stack.catalogue()
    rows = _of_call(stack, call) if call else [recordings.named(stack, str(recording))]
    found = [(row, [dict(item) for item in catalogue.highlights(row["recording_id"])]) for row in rows]
    if play is not None:
        row, items = found[0]
        link = stack.link(row["recording_id"], _moment(play, items))
        if as_json:
            document({"recording_id": row["recording_id"], "link": link})
        else:
            console.print(link, markup=False, highlight=False, soft_wrap=True)
        return
    if as_json:
        shown = [_shown(stack, row, items) for row, items in found]
        document(shown[0] if call is None else {"recordings": shown})
        return
    for number, (row, items) in enumerate(found):
        if number:
            console.rule()
        console.print(recording_view(row, items), crop=False)
        console.print(f"\nplay it: {stack.link(row['recording_id'])}", markup=False, highlight=False, soft_wrap=True)


def _of_call(stack: Stack, call_id: str) -> list[Row]:
    found, _ = stack.catalogue().by_call(call_id, None, _MOST_OF_A_CALL)
    rows = stack.rows([one["recording_id"] for one in found])
    if not rows:
        message = f"No recording's metadata says call_id {call_id!r}."
        raise NotFound(message)
    return [rows[one["recording_id"]] for one in found if one["recording_id"] in rows]


def _shown(stack: Stack, row: Row, items: list[Row]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name not in _INTERNAL}
    of_phrase = ("position", "text", "count", "rank", "timestamps", "timestamps_cut")
    highlights = [{name: item[name] for name in of_phrase if name in item} for item in items]
    return {**kept, "highlights": highlights, "page_url": stack.link(row["recording_id"])}


def _moment(text: str, items: list[Row]) -> int:
    """The moment of a time, of a place in the table, or of a phrase, in ms."""
    if found := re.fullmatch(r"(?:([0-9]+):)?([0-9]{1,2}):([0-9]{2})", text):
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return 1000 * (3600 * hours + 60 * minutes + seconds)
    of_place = {str(item["position"]): item for item in items}
    of_phrase = {folded(str(item["text"])): item for item in items}
    item = of_place.get(text) or of_phrase.get(folded(text))
    if item is None or not item["timestamps"]:
        message = f"{text!r} is no phrase of this recording, no place in its table, and no time such as 1:05."
        raise NotFound(message)
    return int(item["timestamps"][0]["start"])


def watch(
    recording: Recordings = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the end of all.")] = 3600,
    stack_name: StackName = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Follow recordings until they have ended: those named, or all that are in work now."""
    stack = Stack.named(stack_name)
    if recording:
        ids = list(dict.fromkeys(recordings.id_of(stack, one) for one in recording))
    else:
        ids = [one.recording_id for one in stack.ledger().due(utc_now() + _WATCHED)]
    if not ids:
        say("Nothing is in work.")
        return
    rows = followed(stack, ids, timeout, as_json=as_json)
    if not as_json:
        console.print(recordings_view([rows[one] for one in ids if one in rows]))
    if any(rows[one]["status"] != "completed" for one in ids if one in rows):
        raise typer.Exit(Exit.FAILED)


def followed(stack: Stack, ids: list[str], timeout: float, *, as_json: bool) -> dict[str, Row]:
    """Wait until all have ended, and show how they get on: as a line on stderr, or as lines of JSON."""
    rows: dict[str, Row] = {}
    told: dict[str, tuple[str, str]] = {}
    started = time.monotonic()
    with Live(console=aside, refresh_per_second=4, transient=True) if aside.is_terminal else nullcontext() as live:
        for seen in recordings.follow_all(stack, ids, timeout):
            rows |= seen
            if live:
                live.update(_how_far(rows, ids, time.monotonic() - started))
            for one in ids:
                if as_json and one in rows:
                    now = str(rows[one]["status"]), str(rows[one].get("reason", ""))
                    if told.get(one) != now:
                        told[one] = now
                        json_line(_state(rows[one]))
    return rows


def _how_far(rows: dict[str, Row], ids: list[str], seconds: float) -> Text:
    waits = next((row["reason"] for row in rows.values() if row["status"] == "queued" and "reason" in row), "")
    line = f"{seconds:.0f} s: {counted(states(rows, ids))}"
    return Text(line + (f"\nwaiting: {readable(waits)}" if waits else ""))


def _state(row: Row) -> dict[str, Any]:
    names = ("recording_id", "key", "status", "reason", "highlight_count", "highlights_status", "audio_duration")
    return {name: row[name] for name in names if name in row}


def search(
    phrase: Annotated[str, typer.Argument(help="The phrase, or with --prefix its beginning.")],
    prefix: Annotated[bool, typer.Option("--prefix", help="All phrases that begin so.")] = False,
    since: Since = "30d",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    stack_name: StackName = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Which recordings say a phrase, and when. --since is for --prefix: a whole phrase is found however old."""
    today = utc_now().date()
    reader = Reader(Stack.named(stack_name).catalogue(), utc_now)
    asked = {"prefix": phrase, "from": str(first_day(since, today)), "to": str(today)} if prefix else {"phrase": phrase}
    sayings: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = reader.sayings(asked | cursor)
        sayings += page["sayings"]
        if not page["next"] or len(sayings) > limit:
            break
        cursor = {"cursor": page["next"]}
    more, sayings = len(sayings) > limit or bool(page["next"]), sayings[:limit]
    if as_json:
        document({"sayings": sayings, "more": more})
    elif sayings:
        console.print(sayings_view(sayings))
        if more:
            say(f"There are more than {limit}: raise --limit.")
    else:
        say(
            f"No recording has the phrase {phrase!r} among its highlights."
            if not prefix
            else f"No phrase begins so since {asked['from']}."
        )


def phrases(
    since: Since = "30d",
    prefix: Annotated[str, typer.Option(help="Only phrases that begin so.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 20,
    stack_name: StackName = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """What is said in most recordings, with a bar for each day."""
    today = utc_now().date()
    asked = {"from": str(first_day(since, today)), "to": str(today), "limit": str(limit)}
    said = Reader(Stack.named(stack_name).catalogue(), utc_now).phrases(
        asked | ({"prefix": prefix} if prefix else {}), time_is_up=lambda: False
    )
    if as_json:
        document(said)
    elif said["phrases"]:
        console.print(phrases_view(said))
        if said["counted_at"]:
            say(f"Large days were counted at {said['counted_at'][:16].replace('T', ' ')} UTC.")
    else:
        say(f"No phrase since {said['from']}.")
