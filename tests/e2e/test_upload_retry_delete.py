"""What people do on the page beside reading, over HTTP with a token: upload, ask again, delete."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
import requests
from boto3.dynamodb.conditions import Key

from audio_highlights.deletion import RECORDING_DELETED
from cli import recordings
from cli.stack import Stack
from tests.e2e.conftest import System, ended, wait_for
from tests.e2e.test_recordings import SPEECH, assert_complete
from tests.running_system import reachable
from tests.signed_in import Api, signed_in

# The beginning of a recording that breaks off: it is submitted, and nothing can be heard in it.
BROKEN = b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00" + bytes(64)


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[Api]:
    with signed_in(stack.outputs["PageUrl"], stack.outputs["UserPoolId"]) as api:
        yield api


def upload(api: Api, name: str, body: bytes, **changes: str) -> tuple[int, str]:
    """The status of the upload itself, and the key."""
    answer = api("POST", "/api/uploads", json={"name": name, "size_bytes": len(body)})
    assert answer.status_code == 201, answer.text
    permission = answer.json()
    url, fields = permission["url"], permission["fields"] | changes
    headers = {"Host": url.split("/")[2]}
    posted = requests.post(reachable(url), data=fields, files={"file": (name, body)}, headers=headers, timeout=60)
    return posted.status_code, permission["key"]


def uploaded_and_ended(api: Api, stack: Stack, name: str, body: bytes) -> dict[str, Any]:
    status, key = upload(api, name, body)
    assert status == 204
    return ended(stack, recordings.uploaded(stack, key))


@pytest.fixture
def failed(api: Api, stack: Stack) -> dict[str, Any]:
    row = uploaded_and_ended(api, stack, "broken.wav", BROKEN)
    assert row["status"] == "failed"
    return row


@pytest.fixture
def completed(api: Api, stack: Stack) -> dict[str, Any]:
    row = uploaded_and_ended(api, stack, "Rückruf – 100% a+b 日本 #1?.mp3", SPEECH.read_bytes())
    assert_complete(stack, row)
    return row


def transcript(system: System, transcript_id: str) -> dict[str, Any]:
    answer = requests.get(
        f"{system.provider_url}/v2/transcript/{transcript_id}",
        headers={"Authorization": system.provider_key},
        timeout=30,
    )
    found: dict[str, Any] = answer.json()
    return found


def versions(bucket: str, part: str) -> list[str]:
    pages = boto3.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket)
    return [
        one["Key"]
        for page in pages
        for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if part in one["Key"]
    ]


def test_an_upload_through_the_form_becomes_highlights(completed: dict[str, Any]) -> None:
    assert completed["key"].startswith("uploads/")
    assert completed["key"].endswith("/Rückruf – 100% a+b 日本 #1?.mp3")


def test_the_form_takes_no_other_key_and_no_larger_file(api: Api, stack: Stack, system: System) -> None:
    status, key = upload(api, "a.mp3", BROKEN, key="calls/another.mp3")
    assert status == 403
    assert versions(stack.media_bucket, "calls/another.mp3") == []
    if system.folder is not None:  # the local AWS takes what AWS itself would break off
        assert versions(stack.media_bucket, key) == []
    answer = api("POST", "/api/uploads", json={"name": "a.mp3", "size_bytes": 5_000_000_001})
    assert answer.status_code == 400
    assert "at most 5.0 GB" in answer.json()["error"]


def test_a_completed_recording_is_deleted_everywhere(
    system: System, stack: Stack, api: Api, completed: dict[str, Any], events: Any
) -> None:
    recording_id = completed["recording_id"]
    path = f"/api/recordings/{recording_id}"
    assert transcript(system, completed["transcript_id"])["words"]
    assert versions(stack.outputs["ResultsBucketName"], recording_id)
    answers = [api("DELETE", path) for _ in range(2)]
    assert answers[0].status_code == 202
    assert answers[0].json() == {"recording_id": recording_id, "status": "deleting"}
    assert answers[1].status_code in (202, 404)  # the first may be done

    wait_for(lambda: recordings.row(stack, recording_id) is None or None, "the row to go")
    assert api("DELETE", path).status_code == 404
    assert versions(stack.media_bucket, completed["key"]) == []
    assert versions(stack.outputs["ResultsBucketName"], recording_id) == []
    phrases = boto3.resource("dynamodb").Table(stack.highlights_table)
    assert phrases.query(KeyConditionExpression=Key("recording_id").eq(recording_id))["Items"] == []
    left = transcript(system, completed["transcript_id"])
    assert (left["audio_url"], left["words"]) == ("http://deleted_by_user", None)
    told = events(RECORDING_DELETED, recording_id)
    assert (told["bucket"], told["key"]) == (stack.media_bucket, completed["key"])


def test_80_a_failed_recording_that_many_ask_for_again_gets_one_new_transcript_each_time_it_is_accepted(
    system: System, stack: Stack, api: Api, failed: dict[str, Any]
) -> None:
    recording_id = failed["recording_id"]
    path = f"/api/recordings/{recording_id}"
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: api("POST", f"{path}/retry"), range(4)))
    # It fails quickly: who asks after that is not refused.
    accepted = [answer for answer in answers if answer.status_code == 202]
    refused = [answer for answer in answers if answer.status_code == 409]
    assert accepted
    assert len(accepted) + len(refused) == 4
    assert all("is not submitted again" in answer.json()["error"] for answer in refused)

    def again() -> dict[str, Any] | None:
        row = recordings.row(stack, recording_id)
        return row if row and row["status"] == "failed" and row["attempt"] == 1 + len(accepted) else None

    row = wait_for(again, "the last transcript to fail")
    made = {one["id"] for one in system.transcripts() if recording_id in one["audio_url"]}
    assert len(made) == 1 + len(accepted)
    assert row["retried_transcripts"] | {row["transcript_id"]} == made
    assert api("DELETE", path).status_code == 202
    wait_for(lambda: recordings.row(stack, recording_id) is None or None, "the row to go")
    assert {transcript(system, one)["audio_url"] for one in made} == {"http://deleted_by_user"}


def test_what_was_ignored_is_looked_at_again(stack: Stack, api: Api) -> None:
    row = uploaded_and_ended(api, stack, "notes.txt", b"These are words about a call, and no recording of it.\n" * 20)
    assert row["status"] == "ignored"
    answer = api("POST", f"/api/recordings/{row['recording_id']}/retry")
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")

    def again() -> dict[str, Any] | None:
        now = recordings.row(stack, row["recording_id"])
        return now if now and now["status"] == "ignored" else None

    assert wait_for(again, "the second look")["reason"] == row["reason"]


def test_a_completed_recording_is_not_submitted_again(stack: Stack, api: Api, completed: dict[str, Any]) -> None:
    answer = api("POST", f"/api/recordings/{completed['recording_id']}/retry")
    assert answer.status_code == 409
    assert recordings.row(stack, completed["recording_id"]) == completed


def test_a_recording_that_waits_or_is_in_work_is_not_deleted(stack: Stack, api: Api) -> None:
    status, key = upload(api, "call.mp3", SPEECH.read_bytes())
    assert status == 204
    uploaded = recordings.uploaded(stack, key)
    path = f"/api/recordings/{uploaded.recording_id}"
    wait_for(lambda: recordings.row(stack, uploaded.recording_id), "the row")
    answer = api("DELETE", path)
    if answer.status_code == 409:
        assert "is in work" in answer.json()["error"]
        assert_complete(stack, ended(stack, uploaded))
    else:  # it was quick
        assert answer.status_code == 202


@pytest.mark.parametrize(("method", "path"), [("DELETE", ""), ("POST", "/retry")])
def test_nobody_else_may(stack: Stack, failed: dict[str, Any], method: str, path: str) -> None:
    stranger = Api(stack.outputs["PageUrl"])
    assert stranger(method, f"/api/recordings/{failed['recording_id']}{path}").status_code == 401
    assert stranger("POST", "/api/uploads", json={"name": "a.mp3", "size_bytes": 1}).status_code == 401
    assert recordings.row(stack, failed["recording_id"]) == failed
