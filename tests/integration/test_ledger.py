"""The two tables in a real DynamoDB: every conditional write, won and lost."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest

from audio_highlights.catalogue import Catalogue
from audio_highlights.errors import RecordingInWork
from audio_highlights.models import Entry, Flight, Highlight, Recording, Status, Upload
from audio_highlights.storage import Bookmark, InFlight, Ledger
from tests.integration.conftest import Clock, Tables

UPLOAD = Upload("calls", "a b+c/ü.mp3", "v1", "e1", 4711)
LEASE = 120
OVERDUE = 900


def raw(tables: Tables, recording_id: str = UPLOAD.recording_id) -> dict[str, Any]:
    return boto3.resource("dynamodb").Table(tables.recordings).get_item(Key={"recording_id": recording_id})["Item"]


def highlight(position: int, text: str = "internet outage", timestamps: int = 2) -> Highlight:
    return Highlight(
        position, text, timestamps, Decimal("0.08"), tuple((1000 * n, 1000 * n + 500) for n in range(timestamps))
    )


def submitted(ledger: Ledger) -> Recording:
    recording = ledger.claim(UPLOAD, {}, LEASE).recording
    assert ledger.record_transcript(recording, "t1", Status.PROCESSING, OVERDUE)
    return replace(recording, transcript_id="t1", status=Status.PROCESSING)


def test_a_first_claim_writes_the_whole_row(ledger: Ledger, tables: Tables) -> None:
    claim = ledger.claim(UPLOAD, {"agent": "slt"}, LEASE)
    recording = claim.recording
    assert (claim.taken, claim.unclear) == (True, False)
    assert (recording.attempt, recording.status) == (1, Status.SUBMITTING)
    row = raw(tables)
    assert row["metadata"] == {"agent": "slt"}
    assert (row["bucket"], row["key"], row["version_id"], row["size_bytes"]) == ("calls", UPLOAD.key, "v1", 4711)
    assert row["day"] == "2026-11-22"
    assert ledger.get(UPLOAD.recording_id) == recording


def test_recordings_are_found_by_their_call_the_newest_first(ledger: Ledger, tables: Tables, clock: Clock) -> None:
    uploads = [replace(UPLOAD, version_id=f"v{number}") for number in range(4)]
    ledger.claim(uploads[0], {"call_id": "4711", "agent": "slt"}, LEASE)
    clock.pass_by(1)
    ledger.refuse(uploads[1], {"call-id": "4711"}, "empty", Status.IGNORED)
    ledger.claim(uploads[2], {"call_id": "4712"}, LEASE)
    ledger.claim(uploads[3], {"agent": "slt"}, LEASE)
    catalogue = Catalogue(tables.recordings, tables.highlights, tables.flow)
    found, after = catalogue.by_call("4711", None, 1)
    more, last = catalogue.by_call("4711", after, 10)
    assert [row["recording_id"] for row in [*found, *more]] == [uploads[1].recording_id, uploads[0].recording_id]
    assert (found[0]["status"], found[0]["reason"], found[0]["call_id"], last) == ("ignored", "empty", "4711", None)
    assert catalogue.by_call("4713", None, 10) == ([], None)
    assert "call_id" not in raw(tables, uploads[3].recording_id)


def test_that_audio_is_to_be_redacted_stands_on_a_row_whenever_it_becomes_known(
    ledger: Ledger, tables: Tables, clock: Clock
) -> None:
    recording = ledger.claim(UPLOAD, {}, LEASE).recording
    ledger.release(recording, "it waits", Status.QUEUED, clock())
    assert "redact_audio" not in raw(tables)
    ledger.claim(UPLOAD, {}, LEASE, redact_audio=True)
    assert raw(tables)["redact_audio"] is True
    refused = replace(UPLOAD, version_id="v2")
    ledger.refuse(refused, {}, "contradictory", Status.FAILED, redact_audio=True)
    assert raw(tables, refused.recording_id)["redact_audio"] is True


def test_where_redacted_audio_is_stands_on_a_completed_row_only(ledger: Ledger, tables: Tables) -> None:
    recording = submitted(ledger)
    assert not ledger.note_redacted_audio(recording, "s3://results/redacted/r.mp3")
    assert ledger.complete(recording, {"insights": {"speakers": 2}, "options": ["redact_pii"]}, [])
    assert ledger.note_redacted_audio(recording, "s3://results/redacted/r.mp3")
    assert raw(tables)["redacted_audio_uri"] == "s3://results/redacted/r.mp3"
    assert raw(tables)["insights"] == {"speakers": 2}


def test_a_second_claim_is_refused_while_the_lease_runs_and_takes_over_after_it(ledger: Ledger, clock: Clock) -> None:
    first = ledger.claim(UPLOAD, {}, LEASE).recording
    clock.pass_by(LEASE - 1)
    with pytest.raises(RecordingInWork):
        ledger.claim(UPLOAD, {}, LEASE)
    clock.pass_by(1)
    second = ledger.claim(UPLOAD, {}, LEASE)
    assert (second.recording.attempt, second.taken, second.unclear) == (2, True, True)
    assert second.recording == replace(first, attempt=2)


def test_a_released_claim_can_be_taken_at_once_and_keeps_its_reason_until_then(
    ledger: Ledger, tables: Tables, clock: Clock
) -> None:
    recording = ledger.claim(UPLOAD, {}, LEASE).recording
    ledger.release(recording, "the key is refused", Status.QUEUED, clock())
    assert (raw(tables)["status"], raw(tables)["reason"]) == ("queued", "the key is refused")
    second = ledger.claim(UPLOAD, {}, LEASE)
    assert (second.recording.attempt, second.taken, second.unclear) == (2, True, False)
    assert "reason" not in raw(tables)


def test_a_claim_of_a_recording_that_is_submitted_or_ended_returns_it_unchanged(ledger: Ledger) -> None:
    recording = submitted(ledger)
    for _ in range(2):
        same = ledger.claim(UPLOAD, {}, LEASE)
        assert not same.taken
        assert same.recording.transcript_id == "t1"
        ledger.end(recording, Status.FAILED, "no audio")


def test_40_an_attempt_that_lost_its_lease_records_nothing(ledger: Ledger, clock: Clock) -> None:
    first = ledger.claim(UPLOAD, {}, LEASE).recording
    clock.pass_by(LEASE)
    second = ledger.claim(UPLOAD, {}, LEASE).recording
    assert not ledger.record_transcript(first, "late", Status.PROCESSING, OVERDUE)
    ledger.release(first, "late", Status.QUEUED, clock())
    ledger.note_upload_url(first, "https://late")
    assert not ledger.end(first, Status.FAILED, "late", of_this_attempt=True)
    assert ledger.get(UPLOAD.recording_id) == second


def test_completion_writes_row_and_phrases_together(ledger: Ledger, tables: Tables) -> None:
    recording = submitted(ledger)
    assert ledger.complete(recording, {"highlight_count": 2}, [highlight(1), highlight(2, "Refund  NOW")])
    row = raw(tables)
    assert row["status"] == "completed"
    assert row.keys().isdisjoint({"open_shard", "due_at", "lease_until", "reason"})
    items = boto3.resource("dynamodb").Table(tables.highlights).scan()["Items"]
    by_position = {int(str(item["position"])): item for item in items}
    assert by_position[2]["phrase"] == "refund now"
    assert by_position[2]["text"] == "Refund  NOW"
    assert by_position[1]["rank"] == Decimal("0.08")
    assert by_position[1]["timestamps"] == [{"start": 0, "end": 500}, {"start": 1000, "end": 1500}]


def test_70_the_loser_of_two_completions_writes_nothing(ledger: Ledger, tables: Tables) -> None:
    recording = submitted(ledger)
    assert ledger.complete(recording, {}, [highlight(1)])
    assert not ledger.complete(recording, {}, [highlight(1, "other"), highlight(2, "more")])
    assert not ledger.end(recording, Status.FAILED, "late")
    items = boto3.resource("dynamodb").Table(tables.highlights).scan()["Items"]
    assert [item["text"] for item in items] == ["internet outage"]
    assert raw(tables)["status"] == "completed"


def test_48_a_webhook_may_complete_the_row_before_submit_records_the_id(ledger: Ledger, tables: Tables) -> None:
    recording = ledger.claim(UPLOAD, {}, LEASE).recording
    assert ledger.complete(recording, {"transcript_id": "t1"}, [highlight(1)])
    assert not ledger.record_transcript(recording, "t1", Status.PROCESSING, OVERDUE)
    assert (raw(tables)["status"], raw(tables)["transcript_id"]) == ("completed", "t1")


def test_65_five_hundred_phrases_and_a_phrase_said_twenty_thousand_times_are_stored(
    ledger: Ledger, tables: Tables
) -> None:
    recording = submitted(ledger)
    many = [highlight(1, "often", 20_000), *(highlight(n, f"phrase {n}") for n in range(2, 501))]
    assert ledger.complete(recording, {}, many)
    table = boto3.resource("dynamodb").Table(tables.highlights)
    assert table.scan(Select="COUNT")["Count"] == 500
    often = table.get_item(Key={"recording_id": recording.recording_id, "position": 1})["Item"]
    assert often["count"] == 20_000
    assert often["timestamps_cut"] is True
    assert len(list(often["timestamps"])) == 5000  # type: ignore[arg-type]


def test_only_open_rows_are_due_and_only_when_their_time_has_come(ledger: Ledger, clock: Clock) -> None:
    recording = submitted(ledger)
    other = replace(UPLOAD, key="other")
    ledger.refuse(other, {}, "empty", Status.IGNORED)
    clock.pass_by(OVERDUE - 1)
    assert list(ledger.due(clock())) == []
    clock.pass_by(1)
    [due] = ledger.due(clock())
    assert (due.recording_id, due.transcript_id, due.attempt) == (recording.recording_id, "t1", 1)
    looked_at = ledger.look_again_at(due, clock() + timedelta(minutes=5))
    assert looked_at
    assert looked_at.upload == UPLOAD
    assert looked_at.submitted_at
    assert ledger.look_again_at(due, clock() + timedelta(minutes=5)) is None  # another was first
    assert list(ledger.due(clock())) == []
    clock.pass_by(300)
    assert len(list(ledger.due(clock()))) == 1
    ledger.end(due, Status.FAILED, "lost")
    assert list(ledger.due(clock())) == []


def test_a_refused_upload_has_a_reason_and_is_never_overwritten(ledger: Ledger, tables: Tables) -> None:
    assert ledger.refuse(UPLOAD, {}, "empty", Status.IGNORED) is None
    there = ledger.refuse(UPLOAD, {}, "again", Status.FAILED)
    assert there
    assert (there.status, there.reason) == (Status.IGNORED, "empty")
    assert (raw(tables)["status"], raw(tables)["reason"]) == ("ignored", "empty")
    assert not ledger.claim(UPLOAD, {}, LEASE).taken


def test_39_a_write_that_boto3_repeats_because_its_answer_was_lost_is_not_taken_for_anothers(
    ledger: Ledger, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = vars(ledger)["_client"]

    def twice(method: str) -> None:
        write = getattr(client, method)

        def repeated(**request: Any) -> Any:
            write(**request)
            return write(**request)

        monkeypatch.setattr(client, method, repeated)

    recording = ledger.claim(UPLOAD, {}, LEASE).recording
    twice("update_item")
    twice("put_item")
    assert ledger.record_transcript(recording, "t1", Status.PROCESSING, OVERDUE)
    assert ledger.end(recording, Status.FAILED, "no audio", transcript_id="t1")
    assert not ledger.end(recording, Status.FAILED, "another reason")
    other = replace(UPLOAD, key="other")
    assert ledger.refuse(other, {}, "empty", Status.IGNORED) is None
    assert ledger.refuse(other, {}, "again", Status.FAILED)
    assert raw(tables)["reason"] == "no audio"
    assert raw(tables, other.recording_id)["reason"] == "empty"


def test_a_phrase_longer_than_a_key_may_be_is_stored_whole_and_indexed_short(ledger: Ledger, tables: Tables) -> None:
    recording = submitted(ledger)
    text = "ﷺ" * 600  # folds to many more characters
    assert ledger.complete(recording, {}, [highlight(1, text)])
    [item] = boto3.resource("dynamodb").Table(tables.highlights).scan()["Items"]
    assert item["text"] == text
    assert len(str(item["phrase"]).encode()) <= 2048


def test_41_a_failed_transcript_is_retried_once_and_not_after_the_end(ledger: Ledger, clock: Clock) -> None:
    recording = submitted(ledger)
    assert ledger.retry(recording, "t1", "Download error", clock())
    assert not ledger.retry(recording, "t1", "Download error", clock())
    claim = ledger.claim(UPLOAD, {}, LEASE)
    assert (claim.taken, claim.unclear, claim.recording.attempt) == (True, False, 2)
    assert claim.recording.retried_transcripts == {"t1"}
    assert not ledger.retry(recording, "t1", "Download error", clock())
    assert ledger.record_transcript(claim.recording, "t2", Status.PROCESSING, OVERDUE)
    assert not ledger.retry(recording, "t3", "of nobody", clock())
    assert ledger.retry(recording, "t2", "Download error", clock())
    ledger.end(recording, Status.FAILED, "given up")
    assert not ledger.retry(recording, "t4", "too late", clock())


def test_an_extra_transcript_is_noted_once(ledger: Ledger, tables: Tables) -> None:
    submitted(ledger)
    for transcript_id in ("t2", "t2", "t3"):
        ledger.note_extra_transcript(UPLOAD.recording_id, transcript_id)
    assert raw(tables)["extra_transcripts"] == {"t2", "t3"}


def test_many_rows_are_asked_for_together(ledger: Ledger, clock: Clock) -> None:
    uploads = [replace(UPLOAD, key=f"{number}.wav") for number in range(130)]
    for upload in uploads[:120]:
        ledger.refuse(upload, {}, "empty", Status.IGNORED)
    at_work, waiting = ledger.claim(uploads[120], {}, LEASE), ledger.claim(uploads[121], {}, LEASE)
    ledger.release(waiting.recording, "no place", Status.QUEUED, clock())
    ids = [upload.recording_id for upload in uploads]
    assert ledger.known(ids) == set(ids[:122])
    assert ledger.still_open(ids) == {at_work.recording.recording_id}
    assert ledger.known([]) == set()


def test_the_table_knows_when_it_was_made(ledger: Ledger) -> None:
    assert timedelta() <= datetime.now(UTC) - ledger.created() < timedelta(hours=1)


# ---- places in flight


def id_of(name: str) -> str:
    return Upload("bucket", name, "v1", "etag", 1).recording_id


def enter(in_flight: InFlight, name: str, *, behind_others: bool = True) -> Entry:
    return in_flight.enter(id_of(name), 60, behind_others=behind_others)


def leave(in_flight: InFlight, name: str) -> int:
    return in_flight.leave(id_of(name))


def test_no_more_enter_than_there_are_places_and_who_is_in_enters_again(tables: Tables, clock: Clock) -> None:
    in_flight = InFlight(tables.flow, 2, clock)
    assert in_flight.look() == Flight(frozenset(), 2)
    assert [enter(in_flight, one).admitted for one in ("a", "b", "a", "c")] == [True, True, True, False]
    assert "MaxInFlight" in str(enter(in_flight, "c").reason)
    assert in_flight.look() == Flight(frozenset({id_of("a"), id_of("b")}), 0)
    for name in ("a", "a", "b"):
        assert leave(in_flight, name) == 0
    assert enter(in_flight, "c") == Entry()


def test_who_comes_new_goes_behind_those_who_wait_until_nobody_does(tables: Tables, clock: Clock) -> None:
    in_flight = InFlight(tables.flow, 1, clock)
    enter(in_flight, "a")
    in_flight.wait()
    in_flight.wait()
    assert leave(in_flight, "nobody") == 0
    assert leave(in_flight, "a") == 2
    assert not enter(in_flight, "new").admitted
    assert enter(in_flight, "called", behind_others=False).admitted
    noted = leave(in_flight, "called")
    in_flight.wait()
    in_flight.nobody_waits(noted)  # another has come since
    assert not enter(in_flight, "new").admitted
    in_flight.nobody_waits(noted + 1)
    assert enter(in_flight, "new").admitted


def test_42_many_at_once_share_the_places(tables: Tables, clock: Clock) -> None:
    in_flight = InFlight(tables.flow, 7, clock)
    with ThreadPoolExecutor(8) as pool:
        entries = list(pool.map(lambda number: enter(in_flight, f"recording-{number}"), range(40)))
    assert sum(entry.admitted for entry in entries) == 7
    assert len(in_flight.look().holders) == 7


def test_32_33_a_stopped_line_lets_one_probe_through_a_minute(tables: Tables, clock: Clock) -> None:
    in_flight = InFlight(tables.flow, 2, clock)
    in_flight.stop("the key is refused", 60)
    assert enter(in_flight, "a") == Entry("the key is refused")
    assert in_flight.look() == Flight(frozenset(), 0, "the key is refused")
    clock.pass_by(60)
    assert in_flight.look().room == 1
    with ThreadPoolExecutor(4) as pool:
        entries = list(pool.map(lambda name: enter(in_flight, name), "abcd"))
    assert sorted(entry.probe for entry in entries) == [False, False, False, True]
    in_flight.go_on()
    assert in_flight.look().stopped is None
    assert enter(in_flight, "z") == Entry()


def test_the_scan_remembers_its_place(tables: Tables) -> None:
    bookmark = Bookmark(tables.flow)
    assert bookmark.read() is None
    bookmark.write(("a b+c/ü.mp3", "v1"))
    assert Bookmark(tables.flow).read() == ("a b+c/ü.mp3", "v1")
    bookmark.write(None)
    assert bookmark.read() is None
