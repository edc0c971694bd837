"""Upload a recording, read its highlights: every way through the deployed system."""

import gzip
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import pytest

from cli import recordings
from cli.stack import Stack
from tests.e2e.conftest import System, ended, put_and_end

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
SPEECH = FIXTURES / "refund.mp3"
VIDEO = FIXTURES / "refund.mp4"

Listen = Callable[[str, str], dict[str, Any]]


def assert_complete(stack: Stack, row: dict[str, Any]) -> None:
    assert row["status"] == "completed", row.get("reason")
    assert row["highlights_status"] == "success"
    items = recordings.highlights(stack, row["recording_id"])
    stored = recordings.document(row["highlights_uri"])
    assert recordings.disagreements(items, stored) == []
    assert "internet outage" in [str(item["phrase"]) for item in items]
    assert [int(item["position"]) for item in items] == list(range(1, len(items) + 1))
    assert row["highlight_count"] == len(items)
    assert row["top_highlights"] == [item["text"] for item in items[:5]]
    assert (stored["bucket"], stored["key"]) == (row["bucket"], row["key"])
    assert "open_shard" not in row


def transcript_document(row: dict[str, Any]) -> dict[str, Any]:
    place = urlsplit(row["transcript_uri"])
    packed = boto3.client("s3").get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
    document: dict[str, Any] = json.loads(gzip.decompress(packed))
    return document


def ended_row(stack: Stack, key: str, body: bytes) -> dict[str, Any]:
    boto3.client("s3").put_object(Bucket=stack.media_bucket, Key=key, Body=body)
    return ended(stack, recordings.uploaded(stack, key))


def test_7_a_recording_under_an_odd_key_becomes_rows_files_and_an_event(stack: Stack, events: Listen) -> None:
    key = f"odd keys/{uuid4().hex}/käll + 50% #1 'é' 日本 📞.mp3"
    row = put_and_end(stack, SPEECH, key)
    assert_complete(stack, row)
    assert row["key"] == key
    detail = events("Highlights Ready", row["recording_id"])
    assert detail["key"] == key
    assert detail["highlights_uri"] == row["highlights_uri"]
    assert detail["highlight_count"] == row["highlight_count"]


def test_the_stored_transcript_has_the_words_and_no_presigned_query(stack: Stack) -> None:
    row = put_and_end(stack, SPEECH, f"{uuid4().hex}/refund.mp3")
    document = transcript_document(row)
    assert "internet outage" in document["text"].lower()
    assert {"text", "start", "end", "confidence"} <= document["words"][0].keys()
    assert "?" not in document["audio_url"]
    assert "X-Amz-" not in json.dumps(document)


def test_the_object_s_own_metadata_is_on_the_row(stack: Stack) -> None:
    key = f"{uuid4().hex}/refund.mp3"
    boto3.client("s3").upload_file(
        str(SPEECH), stack.media_bucket, key, ExtraArgs={"Metadata": {"agent": "slt", "call_id": "4711"}}
    )
    row = ended(stack, recordings.uploaded(stack, key))
    assert row["metadata"] == {"agent": "slt", "call_id": "4711"}


def test_a_video_becomes_highlights(stack: Stack) -> None:
    assert_complete(stack, put_and_end(stack, VIDEO, f"{uuid4().hex}/refund.mp4"))


def test_two_uploads_at_once_both_complete(stack: Stack) -> None:
    keys = [f"{uuid4().hex}/left.mp3", f"{uuid4().hex}/right.MP3"]
    with ThreadPoolExecutor() as pool:
        rows = list(pool.map(lambda key: put_and_end(stack, SPEECH, key), keys))
    assert rows[0]["recording_id"] != rows[1]["recording_id"]
    for row in rows:
        assert_complete(stack, row)


def test_a_new_version_of_a_key_is_a_new_recording(stack: Stack) -> None:
    key = f"{uuid4().hex}/same-key"
    first = put_and_end(stack, SPEECH, key)
    second = put_and_end(stack, VIDEO, key)
    assert first["recording_id"] != second["recording_id"]
    assert_complete(stack, second)


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("notes.mp3", b"<!doctype html><title>not a call</title>", "a web page (HTML)"),
        ("notes.txt", "Grüße, this is a text.\n".encode() * 9, "plain text"),
        ("calls.zip", b"PK\x03\x04" + bytes(range(256)), "a zip archive"),
        ("empty.wav", b"", "empty (0 bytes)"),
        ("folder/", b"", "a folder marker"),
    ],
)
def test_8_9_11_what_is_not_a_recording_gets_a_reason_and_costs_no_transcript(
    system: System, stack: Stack, name: str, body: bytes, reason: str
) -> None:
    key = f"{uuid4().hex}/{name}"
    row = ended_row(stack, key, body)
    assert row["status"] == "ignored"
    assert reason in row["reason"]
    assert key in row["reason"]
    assert not [one for one in system.transcripts() if key.split("/", maxsplit=1)[0] in one["audio_url"]]


def test_54_what_the_provider_cannot_decode_fails_with_its_reason_and_an_event(stack: Stack, events: Listen) -> None:
    noise = bytes((7 * number * number) % 251 + 1 for number in range(5000))
    row = ended_row(stack, f"{uuid4().hex}/noise.mp3", noise)
    assert row["status"] == "failed"
    assert "does not appear to contain audio" in row["reason"]
    assert events("Recording Failed", row["recording_id"])["reason"] == row["reason"]


def test_poll_mode_with_uploaded_audio_from_an_existing_bucket_becomes_highlights(
    system: System, poll_stack: Stack
) -> None:
    row = put_and_end(poll_stack, SPEECH, f"{uuid4().hex}/refund.mp3")
    assert_complete(poll_stack, row)
    audio = [one["audio_url"] for one in system.transcripts() if one["id"] == row["transcript_id"]]
    assert "/upload/" in audio[0]
    machine = poll_stack.outputs["StateMachineArn"]
    execution = machine.replace(":stateMachine:", ":execution:") + f":{row['recording_id']}-{row['attempt']}"
    described = boto3.client("stepfunctions").describe_execution(executionArn=execution)
    assert json.loads(described["input"])["transcript_id"] == row["transcript_id"]


def test_what_cannot_be_decoded_fails_with_its_reason_in_poll_mode_too(poll_stack: Stack) -> None:
    noise = bytes((11 * number * number) % 251 + 1 for number in range(5000))
    row = ended_row(poll_stack, f"{uuid4().hex}/noise.mp3", noise)
    assert row["status"] == "failed"
    assert "does not appear to contain audio" in row["reason"]
