"""A stack in memory for the commands."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import output
from cli.__main__ import app
from cli.stack import Stack
from tests.fakes import BUCKET, FakeCatalogue, World

PARAMETERS = {
    "SpeechModels": "universal-3-5-pro,universal-2",
    "TranscriptOptions": "{}",
    "AudioTransfer": "presigned-url",
    "CompletionMode": "webhook",
}
OUTPUTS = {
    "MediaBucketName": BUCKET,
    "RecordingsTableName": "recordings",
    "HighlightsTableName": "highlights",
    "FlowTableName": "flow",
    "PageUrl": "https://page.example.com/",
}
PHRASES = {
    "status": "success",
    "results": [
        {"text": "Internet outage", "count": 2, "rank": 0.13, "timestamps": [{"start": 65_000, "end": 66_000}] * 2},
        {"text": "refund", "count": 1, "rank": 0.09, "timestamps": [{"start": 5_445, "end": 6_000}]},
    ],
}


class OperatedCatalogue(FakeCatalogue):
    """With the index of calls."""

    def by_call(
        self, call_id: str, after: dict[str, Any] | None, most: int
    ) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        assert after is None
        return [row for row in self.rows.values() if row.get("call_id") == call_id][:most], None


@dataclass
class Operated:
    """The world behind the stack, and the commands on it."""

    world: World = field(default_factory=World)
    catalogue: OperatedCatalogue = field(default_factory=OperatedCatalogue)

    def __post_init__(self) -> None:
        self.catalogue.rows = self.world.ledger.rows

    def run(self, *arguments: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(app, list(arguments), input=answer)

    def json(self, *arguments: str, exit_code: int = 0) -> Any:
        done = self.run(*arguments, "--json")
        assert done.exit_code == exit_code, done.stderr
        return json.loads(done.stdout)

    def completed(self, key: str, **facts: Any) -> str:
        """A recording that has its highlights; some facts of its row may be others."""
        finished = self.world.submitted(key)
        self.world.provider.end(
            finished.transcript_id,
            audio_duration=3600,
            language_code="en_us",
            speech_model_used="universal-2",
            auto_highlights=True,
            auto_highlights_result=PHRASES,
        )
        self.world.deliver(finished)
        row = self.world.row(finished)
        row |= facts
        for position, highlight in self.world.ledger.items[finished.recording_id].items():
            self.catalogue.phrases[finished.recording_id, position] = {
                "recording_id": finished.recording_id,
                "position": position,
                "text": highlight.text,
                "phrase": highlight.phrase,
                "count": highlight.count,
                "rank": highlight.rank,
                "timestamps": [{"start": start, "end": end} for start, end in highlight.timestamps],
                "completed_at": row["completed_at"],
                "day": row["completed_at"][:10],
                "bucket": row["bucket"],
                "key": key,
            }
        return finished.recording_id

    def refused(self, key: str, head: bytes = b"%PDF-1.7") -> str:
        """A recording that is ignored."""
        upload = self.world.media.put(key, head=head)
        self.world.submit(upload)
        return upload.recording_id


@pytest.fixture
def operated(monkeypatch: pytest.MonkeyPatch) -> Operated:
    """Commands find this stack under any name, at the world's time."""
    here = Operated()

    def rows(_: Stack, recording_ids: Collection[str], *attributes: str) -> dict[str, dict[str, Any]]:
        found = {one: here.world.ledger.rows[one] for one in recording_ids if one in here.world.ledger.rows}
        return {one: {"recording_id": one} | _some(row, attributes) for one, row in found.items()}

    monkeypatch.setattr(Stack, "named", classmethod(lambda cls, name: cls(name, OUTPUTS, PARAMETERS)))
    monkeypatch.setattr(Stack, "catalogue", lambda _: here.catalogue)
    monkeypatch.setattr(Stack, "ledger", lambda _: here.world.ledger)
    monkeypatch.setattr(Stack, "orders", lambda _: here.world.orders)
    monkeypatch.setattr(Stack, "rows", rows)
    for module in ("reading", "ordering", "operating"):
        monkeypatch.setattr(f"cli.commands.{module}.utc_now", here.world.clock)
    monkeypatch.setattr("cli.recordings.utc_now", here.world.clock)
    monkeypatch.setattr(output.console, "width", 120)
    return here


def _some(row: dict[str, Any], attributes: tuple[str, ...]) -> dict[str, Any]:
    return {name: row[name] for name in attributes or row if name in row}
