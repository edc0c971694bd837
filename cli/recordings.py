"""Upload a recording to a stack, follow it to its end, read its highlights back."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from boto3.dynamodb.conditions import Key

from audio_highlights.models import Upload, present_version
from cli.stack import Stack

ENDED = ("completed", "failed", "ignored")
_POLL_SECONDS = 0.5


def upload(stack: Stack, path: Path, key: str, progress: Callable[[int], None] | None = None) -> Upload:
    """Put the file into the media bucket; in parts where it is large. `progress` gets the bytes of each step."""
    boto3.client("s3").upload_file(str(path), stack.media_bucket, key, Callback=progress)
    return uploaded(stack, key)


def uploaded(stack: Stack, key: str) -> Upload:
    """The object that the media bucket holds under the key now."""
    head = boto3.client("s3").head_object(Bucket=stack.media_bucket, Key=key)
    return Upload(
        bucket=stack.media_bucket,
        key=key,
        version_id=present_version(head.get("VersionId")),
        etag=head["ETag"].strip('"'),
        size_bytes=head["ContentLength"],
    )


def row(stack: Stack, recording_id: str) -> dict[str, Any] | None:
    """The recording's row in the ledger as it is now."""
    table = boto3.resource("dynamodb").Table(stack.recordings_table)
    return table.get_item(Key={"recording_id": recording_id}, ConsistentRead=True).get("Item")


def follow(stack: Stack, recording_id: str, timeout_seconds: float) -> Iterator[dict[str, Any] | None]:
    """Yield the row (None until it is there) every half second until it has ended.

    Raises TimeoutError, with what the row says then.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        now = row(stack, recording_id)
        yield now
        if now and now["status"] in ENDED:
            return
        if time.monotonic() > deadline:
            state = f"it is {now['status']}" if now else "it has no row yet"
            message = f"Recording {recording_id} has not ended after {timeout_seconds:.0f} s: {state}."
            raise TimeoutError(message)
        time.sleep(_POLL_SECONDS)


def highlights(stack: Stack, recording_id: str) -> list[dict[str, Any]]:
    """The recording's items in the HighlightsTable, highest rank first."""
    table = boto3.resource("dynamodb").Table(stack.highlights_table)
    items: list[dict[str, Any]] = []
    query: dict[str, Any] = {"KeyConditionExpression": Key("recording_id").eq(recording_id)}
    while True:
        page = table.query(**query)
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            return items
        query["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def document(uri: str) -> dict[str, Any]:
    """The highlights JSON that the row's `highlights_uri` names."""
    place = urlsplit(uri, allow_fragments=False)
    body = boto3.client("s3").get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
    found: dict[str, Any] = json.loads(body)
    return found


def disagreements(items: list[dict[str, Any]], stored: dict[str, Any]) -> list[str]:
    """Where the table's items and the results bucket's JSON differ, in words; empty if they say the same."""
    results = (stored.get("auto_highlights_result") or {}).get("results") or []
    in_table = {item["text"]: _plain(item) for item in items}
    in_bucket = {result["text"]: _plain(result) for result in results}
    return [
        f"{text!r}: table {in_table.get(text)}, bucket {in_bucket.get(text)}"
        for text in sorted({*in_table, *in_bucket})
        if in_table.get(text) != in_bucket.get(text)
    ]


def _plain(highlight: dict[str, Any]) -> tuple[int, float | None, list[tuple[int, int]]]:
    rank = highlight.get("rank")
    spoken = [(int(stamp["start"]), int(stamp["end"])) for stamp in highlight["timestamps"]]
    return int(highlight["count"]), None if rank is None else float(rank), spoken
