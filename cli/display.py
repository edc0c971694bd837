"""How recordings look on a terminal: their way there, lists of them, one with its highlights, phrases."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from cli import recordings
from cli.output import readable
from cli.stack import Stack

_SHORT_ID = 8
_BARS = "▁▂▃▄▅▆▇█"
_STYLES = {"completed": "green", "failed": "red", "ignored": "yellow", "deleting": "dim"}
_FACTS = (
    ("s3", "s3"),
    ("recording", "recording_id"),
    ("came", "created_at"),
    ("ended", "completed_at"),
    ("language", "language_code"),
    ("model", "speech_model"),
    ("transcript", "transcript_id"),
    ("attempts", "attempt"),
    ("call", "call_id"),
    ("options", "options"),
    ("found besides", "insights"),
    ("metadata", "metadata"),
    ("files", "highlights_uri"),
    ("", "transcript_uri"),
    ("", "redacted_audio_uri"),
)
_STAGES = ("uploading", "submitting", "processing", "completed")
_LEAST_TIMELINE = 16
_FIRST_TIMES = 3


def upload_and_follow(
    console: Console,
    stack: Stack,
    path: Path,
    key: str,
    timeout_seconds: float,
    *,
    metadata: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Upload the file and show its way until its row has ended; returns the row."""
    started = time.monotonic()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"uploading {escape(path.name)}", total=path.stat().st_size)
        uploaded = recordings.upload(stack, path, key, lambda step: bar.advance(task, step), metadata)
    said = f"Uploaded to {uploaded.name}, recording {uploaded.recording_id}."
    console.print(said, markup=False, highlight=False, soft_wrap=True)
    last: dict[str, Any] = {}
    stages = _Stages(started)
    with Live(stages, console=console, refresh_per_second=8, transient=console.is_terminal) as live:
        for row in recordings.follow(stack, uploaded.recording_id, timeout_seconds):
            stages.now(row or {})
            last = row or last
            live.refresh()
    # On a terminal the live line is gone now; elsewhere it lacks its end.
    console.print(stages if console.is_terminal else "")
    return last


class _Stages:
    """One line: each stage with the seconds after which it began."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._began = {0: 0.0}
        self._ended: tuple[str, float] | None = None
        self._waits_for = ""

    def now(self, row: dict[str, Any]) -> None:
        """Take in the row as it is now; {} while there is none."""
        elapsed = time.monotonic() - self._started
        status = row.get("status", "")
        if status in ("failed", "ignored"):
            self._ended = status, elapsed
            return
        stage = 3 if status == "completed" else 2 if "transcript_id" in row else 1
        self._began.setdefault(stage, elapsed)
        self._waits_for = row.get("reason", "") if status in ("submitting", "queued") else ""

    def __rich__(self) -> RenderableType:
        line = Text()
        for number, stage in enumerate(_STAGES):
            began = self._began.get(number)
            # A fast recording may pass a stage between two looks.
            passed = began is not None or any(later in self._began for later in range(number, len(_STAGES)))
            line.append("● " if passed else "○ ", "green" if passed else "dim")
            line.append(stage, "bold" if passed else "dim")
            line.append(f" {began:.1f} s   " if began is not None else "   ", "cyan")
        if self._ended:
            line.append(f"{self._ended[0]} {self._ended[1]:.1f} s", "bold red")
        elif len(_STAGES) - 1 not in self._began:
            line.append(f"{time.monotonic() - self._started:.0f} s", "dim")
        if self._waits_for:
            line.append(f"\nwaiting: {self._waits_for}", "yellow")
        return line


def highlights_view(row: dict[str, Any], items: list[dict[str, Any]]) -> RenderableType:
    """The highlights as a table with, on each line, where in the recording the phrase is said."""
    if not items:
        return _summary(row)
    duration_ms = _duration_ms(row)
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("count", justify="right", no_wrap=True)
    table.add_column("phrase", max_width=30)
    table.add_column("first said at", no_wrap=True)
    table.add_column(_Timeline([], duration_ms, scale=True), ratio=1, min_width=_LEAST_TIMELINE)
    for item in items:
        starts = [int(stamp["start"]) for stamp in item["timestamps"]]
        rank = item.get("rank")
        table.add_row(
            "–" if rank is None else f"{rank:.2f}",
            str(item["count"]),
            Text(str(item["text"])),
            _first_times(starts),
            _Timeline(starts, duration_ms),
        )
    return Group(_summary(row), Text(), table)


class _Timeline:
    """The whole recording on one line as wide as there is room, marked where a phrase is said."""

    def __init__(self, starts_ms: list[int], duration_ms: int, *, scale: bool = False) -> None:
        self._starts_ms = starts_ms
        self._duration_ms = duration_ms
        self._scale = scale

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._scale:
            end = _clock(self._duration_ms)
            yield Text(f"0:00 {'─' * (options.max_width - len(end) - 6)} {end}", no_wrap=True)
        else:
            yield Text(timeline(self._starts_ms, self._duration_ms, options.max_width), "cyan", no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(_LEAST_TIMELINE, options.max_width)


def timeline(starts_ms: list[int], duration_ms: int, cells: int) -> str:
    """A line of `cells` characters for the whole recording, marked where the phrase is said."""
    line = ["·"] * cells
    for start in starts_ms:
        line[min(cells - 1, start * cells // max(duration_ms, 1))] = "█"
    return "".join(line)


def recordings_view(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A list of recordings, one line each."""
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for column, width in (("recording", 9), ("came (UTC)", 16), ("status", 10), ("length", 7)):
        table.add_column(column, no_wrap=True, width=width)
    table.add_column("key", no_wrap=True, overflow="ellipsis", ratio=2)
    table.add_column("top phrases, or why not", no_wrap=True, overflow="ellipsis", ratio=3)
    for row in rows:
        status = str(row["status"])
        phrases = ", ".join(row.get("top_highlights") or ())
        why = row.get("reason") or ("" if row.get("highlights_status") in (None, "success") else _no_highlights(row))
        length = _clock(_duration_ms(row)) if row.get("audio_duration") else "–"
        table.add_row(
            str(row["recording_id"])[:_SHORT_ID],
            str(row["created_at"])[:16].replace("T", " "),
            Text(status, _STYLES.get(status, "cyan")),
            length,
            Text(readable(row["key"])),
            Text(readable(phrases or why)),
        )
    return table


def recording_view(row: dict[str, Any], items: list[dict[str, Any]]) -> RenderableType:
    """One recording: what is known of it, and its highlights."""
    status = str(row["status"])
    facts: list[tuple[str, Text]] = [("status", Text(status, _STYLES.get(status, "cyan")))]
    if row.get("reason"):
        facts.append(("why", Text(readable(row["reason"]))))
    shown = {**row, "s3": f"s3://{row['bucket']}/{row['key']}"}
    facts += [(label, Text(readable(_in_words(shown[name])))) for label, name in _FACTS if shown.get(name)]
    if row.get("summary") or row.get("summary_status"):
        facts.append(("summary", Text(readable(row.get("summary") or f"none ({row['summary_status']})"))))
    width = max(len(label) for label, _ in facts) + 2
    # Whole lines, to be copied: the terminal breaks them.
    lines = [
        Text(label.ljust(width), "bold", no_wrap=True, overflow="ignore").append_text(value) for label, value in facts
    ]
    return Group(*lines, Text(), highlights_view(row, items)) if status == "completed" else Group(*lines)


def phrases_view(said: Mapping[str, Any]) -> RenderableType:
    """What was said most, with a bar for each day."""
    table = _table("recordings", "times", "phrase", f"{said['from']} to {said['to']}")
    table.columns[0].justify = table.columns[1].justify = "right"
    for one in said["phrases"]:
        table.add_row(str(one["recordings"]), str(one["count"]), Text(readable(one["text"])), Text(bars(one["trend"])))
    return table


def sayings_view(sayings: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Who says a phrase, and when."""
    table = _table("recording", "ended (UTC)", "phrase", "count", "said at", "key")
    table.columns[3].justify = "right"
    table.columns[5].overflow = "ellipsis"
    table.columns[5].no_wrap = True
    for one in sayings:
        starts = [int(stamp["start"]) for stamp in one["timestamps"]]
        table.add_row(
            str(one["recording_id"])[:_SHORT_ID],
            str(one["completed_at"])[:16].replace("T", " "),
            Text(readable(one["text"])),
            str(one["count"]),
            _first_times(starts),
            Text(readable(one["key"])),
        )
    return table


def bars(numbers: Sequence[int]) -> str:
    """A little bar for each number; a dot for 0."""
    most = max(numbers, default=0)
    return "".join(_BARS[(number * len(_BARS) - 1) // most] if number else "·" for number in numbers)


def counted(statuses: Mapping[str, int]) -> str:
    """How many are in which state."""
    return ", ".join(f"{number:,} {status}" for status, number in sorted(statuses.items()) if number)


def states(rows: Mapping[str, Mapping[str, Any]], recording_ids: Sequence[str]) -> Counter[str]:
    """In which states these recordings are."""
    return Counter(str(rows[one]["status"]) if one in rows else "announced" for one in recording_ids)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    return table


def _no_highlights(row: Mapping[str, Any]) -> str:
    """Why a completed recording has none, or how they are."""
    return {
        "empty": "no phrases found",
        "unavailable": "the key phrase model failed",
        "missing": "no key phrases came",
        "language_not_supported": "not English: there are no key phrases",
    }.get(str(row["highlights_status"]), "")


def _in_words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_in_words(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_in_words, value))
    return str(value)


def _first_times(starts_ms: Sequence[int]) -> str:
    return " ".join(map(_clock, starts_ms[:_FIRST_TIMES])) + (" …" if len(starts_ms) > _FIRST_TIMES else "")


def _summary(row: dict[str, Any]) -> Text:
    return Text(
        f"{row['key']}: {row.get('highlight_count', 0)} highlights ({row.get('highlights_status')}), "
        f"{_clock(_duration_ms(row))} long",
        "bold",
    )


def _duration_ms(row: Mapping[str, Any]) -> int:
    return 1000 * int(row.get("audio_duration") or 0)


def _clock(milliseconds: int) -> str:
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
