"""What must not happen twice, get lost, or be let in."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
import requests

from audio_highlights.models import Upload
from cli import recordings
from cli.stack import Stack
from local.stack import PROJECT
from tests.e2e.conftest import System, ended, put_and_end, resource_of, wait_for
from tests.e2e.test_recordings import SPEECH, assert_complete


def paid_for(system: System, key: str) -> list[str]:
    """The transcripts whose audio is the object with this key."""
    return [one["id"] for one in system.transcripts() if key in one["audio_url"]]


def event_of(stack: Stack, row: dict[str, Any]) -> str:
    detail = {
        "bucket": {"name": stack.media_bucket},
        "object": {
            "key": row["key"],
            "version-id": row["version_id"],
            "etag": row["etag"],
            "size": int(row["size_bytes"]),
        },
    }
    return json.dumps({"source": "aws.s3", "detail-type": "Object Created", "detail": detail})


def is_drained(queue_url: str) -> bool | None:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = boto3.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]  # type: ignore[arg-type]
    return True if all(int(count) == 0 for count in counts.values()) else None


def test_1_the_same_event_again_changes_nothing_and_is_not_paid_again(system: System, stack: Stack) -> None:
    key = f"{uuid4().hex}/refund.mp3"
    row = put_and_end(stack, SPEECH, key)
    queue = stack.outputs["SubmitQueueUrl"]
    for _ in range(3):
        boto3.client("sqs").send_message(QueueUrl=queue, MessageBody=event_of(stack, row))
    wait_for(lambda: is_drained(queue), "the submit queue to drain")
    assert recordings.row(stack, row["recording_id"]) == row
    assert paid_for(system, key.split("/", maxsplit=1)[0]) == [row["transcript_id"]]


def test_49_the_sweep_finds_what_nobody_told_us_about(system: System, stack: Stack) -> None:
    uploaded = requests.post(
        f"{system.provider_url}/v2/upload",
        data=SPEECH.read_bytes(),
        headers={"Authorization": system.provider_key},
        timeout=60,
    ).json()["upload_url"]
    transcript = requests.post(
        f"{system.provider_url}/v2/transcript",
        json={"audio_url": uploaded, "auto_highlights": True, "speech_models": ["universal-2"]},
        headers={"Authorization": system.provider_key},
        timeout=60,
    ).json()
    recording_id = uuid4().hex
    boto3.resource("dynamodb").Table(stack.recordings_table).put_item(
        Item={
            "recording_id": recording_id,
            "bucket": stack.media_bucket,
            "key": "lost/webhook.mp3",
            "status": "processing",
            "attempt": 1,
            "day": "2026-01-01",
            "created_at": "2026-01-01T00:00:00.000Z",
            "submitted_at": datetime.now(UTC).isoformat(),
            "transcript_id": transcript["id"],
            "open_shard": "2",
            "due_at": 1,
        }
    )

    def swept() -> dict[str, Any] | None:
        # A sweep looks at an overdue row once in so many minutes; while the provider works, make it overdue again.
        boto3.client("lambda").invoke(FunctionName=stack.outputs["SweepFunctionName"])
        row = recordings.row(stack, recording_id)
        if row and row["status"] == "completed":
            return row
        with suppress(boto3.client("dynamodb").exceptions.ConditionalCheckFailedException):  # it ended meanwhile
            boto3.resource("dynamodb").Table(stack.recordings_table).update_item(
                Key={"recording_id": recording_id},
                UpdateExpression="SET due_at = :past",
                ConditionExpression="attribute_exists(open_shard)",
                ExpressionAttributeValues={":past": 1},
            )
        return None

    assert_complete(stack, wait_for(swept, "the sweep to complete the recording"))


def test_33_a_wrong_api_key_says_so_stops_the_line_and_heals_by_itself(system: System, wrong_key_stack: Stack) -> None:
    stack = wrong_key_stack
    uploaded = recordings.upload(stack, SPEECH, f"{uuid4().hex}/refund.mp3")

    def waiting() -> dict[str, Any] | None:
        row = recordings.row(stack, uploaded.recording_id)
        return row if row and row["status"] == "queued" else None

    row = wait_for(waiting, "a queued row")
    assert "refuses the API key (401)" in str(row["reason"])
    assert is_drained(stack.outputs["SubmitDeadLetterQueueUrl"])
    assert not paid_for(system, uploaded.key.split("/", maxsplit=1)[0])

    secret = resource_of(stack, "ApiKeySecret")
    boto3.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=system.provider_key)
    row = ended(stack, uploaded)
    assert_complete(stack, row)
    assert "reason" not in row
    assert len(paid_for(system, uploaded.key.split("/", maxsplit=1)[0])) == 1


def test_6_a_message_that_nobody_can_read_is_a_dead_letter_at_once(stack: Stack) -> None:
    sqs, dead_letters = boto3.client("sqs"), stack.outputs["SubmitDeadLetterQueueUrl"]
    poison = f"no event {uuid4().hex}"
    sqs.send_message(QueueUrl=stack.outputs["SubmitQueueUrl"], MessageBody=poison)

    def buried() -> str | None:
        for message in sqs.receive_message(QueueUrl=dead_letters, WaitTimeSeconds=1).get("Messages", []):
            sqs.delete_message(QueueUrl=dead_letters, ReceiptHandle=message["ReceiptHandle"])
            return message["Body"]
        return None

    assert wait_for(buried, "the dead letter") == poison
    wait_for(lambda: is_drained(stack.outputs["SubmitQueueUrl"]), "the submit queue to drain")


def test_3_a_key_overwritten_at_once_is_two_recordings(system: System, stack: Stack) -> None:
    key = f"{uuid4().hex}/refund"
    uploads = []
    for file in (SPEECH, SPEECH.with_suffix(".mp4")):
        body = file.read_bytes()
        put = boto3.client("s3").put_object(Bucket=stack.media_bucket, Key=key, Body=body)
        uploads.append(Upload(stack.media_bucket, key, put["VersionId"], put["ETag"].strip('"'), len(body)))
    for upload in uploads:
        assert_complete(stack, ended(stack, upload))
    assert len(paid_for(system, key)) == 2


def test_the_built_layer_is_pure_python_and_has_what_the_functions_need(system: System) -> None:
    if system.folder is None:
        pytest.skip("the layer of a deployed stack is not looked into")
    python = system.folder / "build" / "SharedLayer" / "python"
    assert {"audio_highlights", "aws_lambda_powertools", "requests"} <= {path.name for path in python.iterdir()}
    assert not [path for path in python.rglob("*") if path.suffix in (".so", ".pyd")]


def test_the_demo_redeploys_without_change_and_shows_highlights_of_the_sample(system: System) -> None:
    if system.folder is None:
        pytest.skip("the demo is for a local stack")
    shown = subprocess.run(
        [sys.executable, "-m", "local", "demo", "--folder", str(system.folder)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{PROJECT / 'layers' / 'shared'}:{PROJECT}", "COLUMNS": "120"},
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "Already running" in shown.stdout
    for phrase in ("internet outage", "refund", "modem", "agree on 15 highlights"):
        assert phrase in shown.stdout
    assert "export MEDIA_BUCKET=" in (Path(system.folder) / "env").read_text()
