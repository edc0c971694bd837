"""What is asked for a recording, from the object's metadata and tags to the provider and back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
import requests

from cli import recordings
from cli.stack import Stack
from tests.e2e.conftest import System, ended, put_and_end

SPEECH = Path(__file__).resolve().parent.parent / "fixtures" / "refund.mp3"
SUMMARY = {"request": {"summarization": {"summary_type": "bullets"}}}

Listen = Callable[[str, str], dict[str, Any]]


def put(stack: Stack, metadata: dict[str, str], tags: str = "") -> dict[str, Any]:
    """Upload speech with metadata and tags, and return its row when it has ended."""
    key = f"{uuid4().hex}/refund.mp3"
    extra = {"Metadata": metadata, **({"Tagging": tags} if tags else {})}
    boto3.client("s3").put_object(Bucket=stack.media_bucket, Key=key, Body=SPEECH.read_bytes(), **extra)  # type: ignore[arg-type]
    return ended(stack, recordings.uploaded(stack, key))


def transcript(system: System, row: dict[str, Any]) -> dict[str, Any]:
    """What the provider has."""
    answer = requests.get(
        f"{system.provider_url}/v2/transcript/{row['transcript_id']}",
        headers={"Authorization": system.provider_key},
        timeout=30,
    )
    found: dict[str, Any] = answer.json()
    return found


def test_options_of_metadata_and_tags_reach_the_provider_and_a_summary_comes_back(
    system: System, stack: Stack, events: Listen
) -> None:
    metadata = {"aai-speech_understanding": json.dumps(SUMMARY), "aai-disfluencies": "false", "call_id": "4711"}
    row = put(stack, metadata, "aai-disfluencies=true&team=support")
    assert row["status"] == "completed", row.get("reason")
    asked = transcript(system, row)
    assert (asked["disfluencies"], asked["speech_understanding"]["request"]) == (True, SUMMARY["request"])
    assert (row["metadata"], row["call_id"]) == ({"call_id": "4711"}, "4711")
    assert row["summary_status"] == "success"
    assert "outage" in row["summary"].lower()
    stored = recordings.document(row["highlights_uri"])
    assert stored["summary"].startswith(row["summary"].removesuffix("\u2026"))
    assert row["options"] == ["auto_highlights", "disfluencies", "speech_understanding.summarization"]
    assert events("Highlights Ready", row["recording_id"])["summary"] == row["summary"]


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"aai-speaker_label": "true"}, "did you mean aai-speaker_labels?"),
        ({"aai-speakers_expected": "=?UTF-8?B?endlw6k=?="}, "'zweé': it takes a whole number"),
        ({"aai-redact_pii": "true", "aai-entity_detection": "true"}, "cannot be used together"),
        ({"aai-keyterms_prompt": "x " * 1000}, "at most 6 words"),
    ],
)
def test_83_what_cannot_be_asked_for_fails_with_its_reason_and_nothing_is_paid(
    system: System, stack: Stack, events: Listen, metadata: dict[str, str], said: str
) -> None:
    row = put(stack, {**metadata, "call_id": "4712"})
    assert row["status"] == "failed"
    assert said in row["reason"]
    assert (row["call_id"], "transcript_id" in row) == ("4712", False)
    assert events("Recording Failed", row["recording_id"])["reason"] == row["reason"]
    assert not [one for one in system.transcripts() if row["key"].partition("/")[0] in one["audio_url"]]


def test_options_of_the_stack_are_asked_for_every_recording(system: System, poll_stack: Stack) -> None:
    row = put_and_end(poll_stack, SPEECH, f"{uuid4().hex}/refund.mp3")
    asked = transcript(system, row)
    assert (asked["speaker_labels"], asked["keyterms_prompt"]) == (True, ["internet outage", "refund"])
