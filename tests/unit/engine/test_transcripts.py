"""The store: rows survive, pages are in order."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from local.engine.transcripts import Transcripts


@pytest.fixture
def transcripts(tmp_path: Path) -> Iterator[Transcripts]:
    store = Transcripts(tmp_path / "db")
    for number in range(5):
        store.add({"id": f"t{number}", "status": "processing", "audio_url": f"http://a/{number}"}, f"secret{number}")
    yield store
    store.close()


def ids(rows: list[dict[str, object]]) -> list[object]:
    return [row["id"] for row in rows]


def test_pages_go_from_newest_to_oldest_and_back(transcripts: Transcripts) -> None:
    assert ids(transcripts.page(2)) == ["t4", "t3"]
    assert ids(transcripts.page(2, before_id="t3")) == ["t2", "t1"]
    assert ids(transcripts.page(2, before_id="t1")) == ["t0"]
    assert ids(transcripts.page(2, after_id="t0")) == ["t2", "t1"]
    assert ids(transcripts.page(9, after_id="t1", before_id="t4")) == ["t3", "t2"]
    assert transcripts.page(9, before_id="unknown") == []


def test_pages_can_be_filtered(transcripts: Transcripts) -> None:
    transcripts.update("t1", status="completed")
    transcripts.update("t2", status="error", error="Why")
    assert ids(transcripts.page(9, status="completed")) == ["t1"]
    assert [row["error"] for row in transcripts.page(9, status="error")] == ["Why"]
    assert transcripts.page(9, created_on=date(2001, 1, 1)) == []
    created = date.fromisoformat(transcripts.page(1)[0]["created"][:10])
    assert len(transcripts.page(9, created_on=created)) == 5


def test_completion_is_dated_once_and_errors_are_not(transcripts: Transcripts) -> None:
    transcripts.update("t1", status="completed")
    (first,) = transcripts.page(1, status="completed")
    transcripts.update("t1", webhook_status_code=200)
    transcripts.update("t2", status="error")
    assert transcripts.page(1, status="completed") == [first]
    assert first["completed"] >= first["created"]
    assert transcripts.page(1, status="error")[0]["completed"] is None


def test_what_is_stored_is_there_after_reopening(transcripts: Transcripts, tmp_path: Path) -> None:
    transcripts.update("t1", status="completed", text="Grüße")
    transcripts.forget_webhook_secret("t2")
    again = Transcripts(tmp_path / "db")
    try:
        found = again.get("t1")
        assert found is not None
        assert found["text"] == "Grüße"
        assert again.get("t9") is None
        assert again.open_ids() == ["t0", "t2", "t3", "t4"]
        assert again.webhook_auth_header_value("t1") == "secret1"
        assert again.webhook_auth_header_value("t2") is None
    finally:
        again.close()
