"""Deletions and retries in a real DynamoDB and S3: what is left, what is not touched, what is refused."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import ClientError

from audio_highlights.errors import PermanentError, StorageBusy
from audio_highlights.models import Recording, Status, Upload
from audio_highlights.storage import Eraser, Ledger, Results, client
from tests.integration.conftest import Clock, Tables
from tests.integration.test_buckets import KEY, put
from tests.integration.test_ledger import LEASE, OVERDUE, UPLOAD, highlight, raw, submitted


def failed(ledger: Ledger) -> Recording:
    ledger.end(submitted(ledger), Status.FAILED, "no audio", transcript_id="t1")
    return there(ledger)


def there(ledger: Ledger) -> Recording:
    recording = ledger.get(UPLOAD.recording_id)
    assert recording
    return recording


def recording_of(upload: Upload) -> Recording:
    return Recording(
        recording_id=upload.recording_id,
        bucket=upload.bucket,
        key=upload.key,
        status=Status.DELETING,
        attempt=1,
        day="2026-11-22",
        created_at="2026-11-22T12:00:00.000Z",
        version_id=upload.version_id,
        etag=upload.etag,
        size_bytes=upload.size_bytes,
    )


def versions(bucket: str, prefix: str = "") -> list[str]:
    """All versions and delete markers in the bucket."""
    listed = boto3.client("s3").list_object_versions(Bucket=bucket, Prefix=prefix)
    return [one["VersionId"] for one in [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]]


# ---- asked for again


def test_a_failed_row_waits_again_and_keeps_count_of_its_attempts(ledger: Ledger, tables: Tables, clock: Clock) -> None:
    assert ledger.ask_again(failed(ledger), "asked for again")
    row = raw(tables)
    assert (row["status"], row["reason"], row["due_at"]) == ("queued", "asked for again", int(clock().timestamp()))
    assert row.keys().isdisjoint({"transcript_id", "submitted_at", "completed_at"})
    assert row["retried_transcripts"] == {"t1"}
    [due] = ledger.due(clock())
    assert (due.tries, due.attempt) == (0, 1)
    claim = ledger.claim(UPLOAD, {}, LEASE)
    assert (claim.taken, claim.unclear, claim.recording.attempt, claim.recording.tries) == (True, True, 2, 1)
    ledger.release(claim.recording, "429", Status.QUEUED, clock())
    assert not ledger.claim(UPLOAD, {}, LEASE).unclear  # only the first since it was asked for has to look


def test_an_ignored_row_waits_again_and_has_nothing_to_look_for(ledger: Ledger, tables: Tables) -> None:
    ledger.refuse(UPLOAD, {}, "archived", Status.IGNORED)
    assert ledger.ask_again(there(ledger), "asked for again")
    assert "retried_transcripts" not in raw(tables)
    claim = ledger.claim(UPLOAD, {"agent": "slt"}, LEASE)
    assert (claim.taken, claim.unclear, claim.recording.attempt) == (True, False, 1)


def test_80_of_many_who_ask_at_once_one_is_first(ledger: Ledger) -> None:
    recording = failed(ledger)
    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(lambda _: ledger.ask_again(recording, "asked again"), range(8)))
    assert sum(asked) == 1


def test_80_nobody_asks_again_over_what_has_not_failed_or_is_a_newer_failure(ledger: Ledger) -> None:
    recording = failed(ledger)
    assert ledger.ask_again(recording, "first")
    assert not ledger.ask_again(recording, "second")
    again = ledger.claim(UPLOAD, {}, LEASE).recording
    assert not ledger.ask_again(recording, "second")
    assert ledger.end(again, Status.FAILED, "no audio either")
    assert not ledger.ask_again(recording, "second")
    assert ledger.ask_again(there(ledger), "third")


# ---- deletion of rows and phrases


def test_only_what_has_ended_can_be_deleted(ledger: Ledger, tables: Tables, clock: Clock) -> None:
    recording = ledger.claim(UPLOAD, {}, LEASE).recording
    assert not ledger.ask_to_delete(recording)
    assert ledger.take_deletion(recording.recording_id, clock()) is None
    assert ledger.record_transcript(recording, "t1", Status.PROCESSING, OVERDUE)
    assert not ledger.ask_to_delete(recording)
    assert ledger.complete(recording, {"transcript_id": "t1"}, [highlight(1)])
    assert ledger.ask_to_delete(recording)
    assert raw(tables)["status"] == "deleting"
    [due] = ledger.due(clock())
    assert (due.recording_id, due.status) == (recording.recording_id, Status.DELETING)


def test_77_what_is_being_deleted_is_not_claimed_ended_completed_or_asked_again(
    ledger: Ledger, tables: Tables, clock: Clock
) -> None:
    recording = failed(ledger)
    ledger.ask_to_delete(recording)
    before = raw(tables)
    assert not ledger.claim(UPLOAD, {}, LEASE).taken
    assert not ledger.ask_again(recording, "again")
    assert not ledger.retry(recording, "t1", "Download error", clock())
    assert not ledger.end(recording, Status.FAILED, "late")
    assert not ledger.complete(recording, {}, [highlight(1)])
    assert ledger.look_again_at(recording, clock()) is None
    assert ledger.known([recording.recording_id]) == {recording.recording_id}
    assert ledger.still_open([recording.recording_id]) == set()
    assert raw(tables) == before


def test_75_one_takes_a_deletion_until_its_time_is_over(ledger: Ledger, clock: Clock) -> None:
    recording = failed(ledger)
    ledger.ask_to_delete(recording)
    until = clock() + timedelta(minutes=4)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: ledger.take_deletion(recording.recording_id, until), range(8)))
    [deleting] = [one for one in taken if one]
    assert deleting.transcripts == {"t1"}
    clock.pass_by(239)
    assert ledger.take_deletion(recording.recording_id, until) is None
    clock.pass_by(1)
    assert ledger.take_deletion(recording.recording_id, until)


def test_a_row_is_dropped_by_who_has_taken_it_and_may_be_so_twice(ledger: Ledger, tables: Tables, clock: Clock) -> None:
    recording = failed(ledger)
    until = clock() + timedelta(minutes=4)
    assert not ledger.drop(recording, until)  # it is not to be deleted
    ledger.ask_to_delete(recording)
    assert not ledger.drop(recording, until)  # nobody has taken it
    assert ledger.take_deletion(recording.recording_id, until)
    assert ledger.drop(recording, until)
    assert ledger.drop(recording, until)
    assert ledger.get(recording.recording_id) is None
    assert boto3.client("dynamodb").scan(TableName=tables.recordings)["Count"] == 0


def test_76_a_reason_is_on_the_row_and_it_is_due_at_once(ledger: Ledger, tables: Tables, clock: Clock) -> None:
    recording = failed(ledger)
    ledger.ask_to_delete(recording)
    assert "reason" not in raw(tables)
    assert ledger.take_deletion(recording.recording_id, clock() + timedelta(minutes=4))
    ledger.note_undeleted(recording, "S3 denies it")
    assert (raw(tables)["status"], raw(tables)["reason"]) == ("deleting", "S3 denies it")
    assert len(list(ledger.due(clock()))) == 1


@pytest.mark.parametrize("gone", [False, True])
def test_78_what_came_late_is_deleted_once_more_row_or_no_row(
    ledger: Ledger, tables: Tables, clock: Clock, *, gone: bool
) -> None:
    recording = failed(ledger)
    ledger.ask_to_delete(recording)
    until = clock() + timedelta(minutes=4)
    assert ledger.take_deletion(recording.recording_id, until)
    if gone:
        assert ledger.drop(recording, until)
    ledger.delete_again(recording)
    assert not ledger.drop(recording, until)
    again = ledger.take_deletion(recording.recording_id, until)
    assert again
    assert (again.upload, again.day, again.created_at) == (recording.upload, recording.day, recording.created_at)
    assert raw(tables)["open_shard"]


def test_78_a_row_of_another_kind_is_not_deleted_by_what_came_late(ledger: Ledger, tables: Tables) -> None:
    recording = failed(ledger)
    before = raw(tables)
    ledger.delete_again(recording)
    assert raw(tables) == before


def test_78_an_extra_transcript_of_a_deleted_recording_makes_no_row(ledger: Ledger) -> None:
    ledger.note_extra_transcript(UPLOAD.recording_id, "t2")
    assert ledger.get(UPLOAD.recording_id) is None


def test_all_phrases_of_a_recording_are_deleted_and_no_others(ledger: Ledger, tables: Tables) -> None:
    recording = submitted(ledger)
    other = ledger.claim(replace(UPLOAD, key="other"), {}, LEASE).recording
    assert ledger.complete(recording, {}, [highlight(n, f"phrase {n}") for n in range(1, 131)])
    assert ledger.complete(other, {}, [highlight(1), highlight(2)])
    for _ in range(2):
        ledger.delete_phrases(recording)
    items = boto3.resource("dynamodb").Table(tables.highlights).scan()["Items"]
    assert [item["recording_id"] for item in items] == [other.recording_id] * 2


# ---- objects


def test_79_exactly_the_version_is_deleted_and_its_neighbours_stay(versioned_bucket: str) -> None:
    first, second = put(versioned_bucket, b"first"), put(versioned_bucket, b"second")
    put(versioned_bucket, b"longer", KEY + ".mp3")
    put(versioned_bucket, b"shorter", KEY[:-1])
    eraser = Eraser("none")
    for _ in range(2):
        eraser.erase_audio(recording_of(first))
    assert len(versions(versioned_bucket)) == 3
    assert boto3.client("s3").get_object(Bucket=versioned_bucket, Key=KEY)["VersionId"] == second.version_id


def test_a_version_under_a_delete_marker_is_deleted_and_the_marker_with_the_last(versioned_bucket: str) -> None:
    first, second = put(versioned_bucket, b"first"), put(versioned_bucket, b"second")
    boto3.client("s3").delete_object(Bucket=versioned_bucket, Key=KEY)
    eraser = Eraser("none")
    eraser.erase_audio(recording_of(first))
    assert len(versions(versioned_bucket)) == 2  # or what was hidden would be seen again
    eraser.erase_audio(recording_of(second))
    assert versions(versioned_bucket) == []


def test_79_without_versions_it_is_deleted_only_while_the_key_holds_its_content(bucket: str) -> None:
    first = put(bucket, b"first")
    second = put(bucket, b"second")
    eraser = Eraser("none")
    eraser.erase_audio(recording_of(first))
    assert len(versions(bucket)) == 1
    eraser.erase_audio(recording_of(second))
    assert versions(bucket) == []
    eraser.erase_audio(recording_of(second))


def test_79_a_key_that_is_overwritten_between_the_listing_and_the_deletion_is_left_alone(bucket: str) -> None:
    first = put(bucket, b"first")
    eraser = Eraser("none")
    s3: Any = client("s3")
    works = s3.delete_object

    def overwritten(**request: Any) -> Any:
        put(bucket, b"second")
        return works(**request)

    with patch.object(s3, "delete_object", overwritten):
        eraser.erase_audio(recording_of(first))
    assert boto3.client("s3").get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"second"


def test_79_what_was_there_before_versioning_was_turned_on_is_deleted_and_not_only_hidden(bucket: str) -> None:
    before = put(bucket, b"before")
    s3 = boto3.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    after = put(bucket, b"after")
    eraser = Eraser("none")
    eraser.erase_audio(recording_of(before))
    assert versions(bucket) == [after.version_id]


def test_all_versions_and_markers_of_both_files_are_deleted_and_no_others(versioned_bucket: str) -> None:
    recording, other = recording_of(UPLOAD), replace(recording_of(UPLOAD), recording_id="0" * 32)
    results, s3 = Results(versioned_bucket), boto3.client("s3")
    for one in (recording, other):
        for text in ("first", "second"):
            results.put_highlights(one, {"text": text})
            uri = results.put_transcript(one, {"text": text})
        s3.delete_object(Bucket=versioned_bucket, Key=uri.split("/", 3)[3])
    assert len(versions(versioned_bucket)) == 10
    eraser = Eraser(versioned_bucket)
    for _ in range(2):
        eraser.erase_results(recording)
    assert len(versions(versioned_bucket)) == 5
    assert all(other.recording_id in key for key in keys(versioned_bucket))


def keys(bucket: str) -> list[str]:
    return [one["Key"] for one in boto3.client("s3").list_object_versions(Bucket=bucket)["Versions"]]


@pytest.mark.parametrize(
    ("code", "trouble", "words"),
    [("AccessDenied", PermanentError, "Object Lock"), ("SlowDown", StorageBusy, "could not delete .*SlowDown")],
)
def test_76_what_s3_does_not_do_is_said_in_words(
    versioned_bucket: str, code: str, trouble: type[Exception], words: str
) -> None:
    upload = put(versioned_bucket, b"kept")
    eraser = Eraser("none")

    def refused(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "DeleteObject")

    with (
        patch.object(client("s3"), "delete_object", refused),
        pytest.raises(trouble, match=words),
    ):
        eraser.erase_audio(recording_of(upload))
    assert len(versions(versioned_bucket)) == 1


def test_76_what_is_still_listed_is_not_taken_for_deleted(versioned_bucket: str) -> None:
    upload = put(versioned_bucket, b"kept")
    eraser = Eraser(versioned_bucket)
    Results(versioned_bucket).put_highlights(recording_of(upload), {})
    with patch.object(client("s3"), "delete_object", lambda **_: {}):
        for erase in (eraser.erase_audio, eraser.erase_results):
            with pytest.raises(StorageBusy, match="still listed"):
                erase(recording_of(upload))
