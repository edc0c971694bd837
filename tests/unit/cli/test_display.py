"""What a person sees on the terminal."""

import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from audio_highlights.models import Upload
from cli import display, recordings
from cli.display import highlights_view, timeline, upload_and_follow
from cli.recordings import disagreements
from cli.stack import Stack

ROW = {
    "recording_id": "0" * 32,
    "key": "take [final].mp3",
    "status": "completed",
    "highlight_count": 2,
    "highlights_status": "success",
    "audio_duration": Decimal(100),
}
ITEMS: list[dict[str, Any]] = [
    {
        "text": "[bold]internet outage[/bold]",
        "count": Decimal(4),
        "rank": Decimal("0.08"),
        "timestamps": [{"start": Decimal(start), "end": Decimal(start + 500)} for start in (0, 50_000, 75_000, 99_999)],
    },
    {"text": "refund", "count": Decimal(1), "rank": None, "timestamps": [{"start": Decimal(1), "end": Decimal(2)}]},
]


def shown(view: Any, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(view)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_timeline_marks_where_a_phrase_is_said() -> None:
    assert timeline([0, 50_000, 99_999, 100_000], 100_000, 10) == "█····█···█"
    assert timeline([], 0, 4) == "····"
    assert timeline([7], 0, 4) == "···█"


@pytest.mark.parametrize("width", [70, 80, 120, 200])
def test_highlights_fit_the_terminal_one_line_each(width: int) -> None:
    lines = shown(highlights_view(ROW, ITEMS), width).splitlines()
    [outage] = [line for line in lines if "internet outage" in line]
    assert "0.08" in outage
    assert "0:00 0:50 1:15 …" in outage
    assert outage.count("█") == 4
    assert max(map(len, lines)) <= width


def test_a_phrase_with_brackets_and_a_missing_rank_are_shown_as_they_are() -> None:
    text = shown(highlights_view(ROW, ITEMS))
    assert "[bold]internet outage[/bold]" in text
    assert "take [final].mp3: 2 highlights (success), 1:40 long" in text
    assert "–      1  refund" in text


def test_a_recording_without_highlights_says_so() -> None:
    text = shown(highlights_view({**ROW, "highlight_count": 0, "highlights_status": "empty"}, []))
    assert "0 highlights (empty)" in text


def test_table_and_bucket_are_compared_number_by_number() -> None:
    results = [
        {
            "text": item["text"],
            "count": int(item["count"]),
            "rank": None if item["rank"] is None else float(item["rank"]),
            "timestamps": [{"start": int(one["start"]), "end": int(one["end"])} for one in item["timestamps"]],
        }
        for item in ITEMS
    ]
    stored = {"auto_highlights_result": {"status": "success", "results": results}}
    assert disagreements(ITEMS, stored) == []
    results[0]["timestamps"][1]["start"] += 1
    [difference] = disagreements(ITEMS, stored)
    assert "internet outage" in difference
    assert len(disagreements(ITEMS, {"auto_highlights_result": None})) == 2


def test_what_is_piped_has_every_stage_on_a_line_that_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "take [final].mp3"
    path.write_bytes(b"x")
    rows = [None, {"status": "submitting"}, {"status": "processing", "transcript_id": "t1"}, ROW]

    def upload(stack: Stack, path: Path, key: str, progress: Any, metadata: None) -> Upload:
        progress(1)
        return Upload("bucket", key, "v1", "e1", 1)

    monkeypatch.setattr(recordings, "upload", upload)
    monkeypatch.setattr(recordings, "follow", lambda *_: iter(rows))
    console = Console(file=io.StringIO(), width=200)
    row = upload_and_follow(console, Stack("stack", {}), path, path.name, 1)
    assert row == ROW
    file = console.file
    assert isinstance(file, io.StringIO)
    text = file.getvalue()
    assert "s3://bucket/take [final].mp3" in text
    assert text.endswith("\n")
    stages = text.splitlines()[-1].split("●")
    assert [stage.split()[0] for stage in stages[1:]] == ["uploading", "submitting", "processing", "completed"]


@pytest.mark.parametrize("status", ["failed", "ignored"])
def test_a_recording_that_did_not_complete_says_what_it_is(status: str) -> None:
    stages = display._Stages(0)  # noqa: SLF001  the line has no other entrance
    stages.now({"status": "submitting"})
    stages.now({"status": status, "reason": "no audio"})
    assert status in shown(stages)


def test_a_recording_that_waits_says_for_what() -> None:
    stages = display._Stages(0)  # noqa: SLF001
    stages.now({"status": "queued", "reason": "AssemblyAI refuses the API key (401)."})
    assert "○ processing" in shown(stages)
    assert "waiting: AssemblyAI refuses the API key (401)." in shown(stages)
    stages.now({"status": "processing", "transcript_id": "t1"})
    assert "● processing" in shown(stages)
    assert "waiting" not in shown(stages)
