"""Find recordings of a stack, upload one, follow them to their end, read highlights back."""

import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

from audio_highlights.config import utc_now
from audio_highlights.models import ENDED, Upload, present_version
from audio_highlights.reading import Reader
from cli.output import NotFound, usage
from cli.periods import windows
from cli.stack import Row, Stack

_POLL_SECONDS = 0.5
_LEAST_PREFIX = 4
_PREFIX_DAYS = 31  # in which an id is looked for of which the beginning alone is given
_PAGE = 100


def named(stack: Stack, text: str) -> Row:
    """The row of a recording: by its id, the beginning of its id, or s3://bucket/key. Raises NotFound."""
    if text.startswith("s3://"):
        return _by_place(stack, text)
    if re.fullmatch("[0-9a-f]{32}", text):
        found = stack.catalogue().recording(text)
        if found is None:
            message = f"There is no recording {text} in the stack {stack.name}: it was deleted, or never uploaded."
            raise NotFound(message)
        return dict(found)
    if not re.fullmatch(f"[0-9a-f]{{{_LEAST_PREFIX},31}}", text):
        message = f"{text!r} is no recording: give its id, at least {_LEAST_PREFIX} digits of it, or s3://bucket/key."
        raise usage(message)
    return _by_prefix(stack, text)


def _by_prefix(stack: Stack, text: str) -> Row:
    today = utc_now().date()
    listed_ = listed(stack, today - timedelta(_PREFIX_DAYS - 1), today)
    found = [one["recording_id"] for one in listed_ if one["recording_id"].startswith(text)]
    if len(found) == 1:
        return named(stack, found[0])
    if found:
        message = f"{text} is the beginning of {len(found)} recordings: {', '.join(found[:5])}. Give more of it."
    else:
        message = f"No recording of the last {_PREFIX_DAYS} days begins with {text}. Give the whole id of an older one."
    raise NotFound(message)


def _by_place(stack: Stack, text: str) -> Row:
    """The newest upload of a key that has a row."""
    bucket, _, key = text.removeprefix("s3://").partition("/")
    if bucket != stack.media_bucket:
        message = f"{text} is not in the media bucket of the stack {stack.name}, s3://{stack.media_bucket}."
        raise NotFound(message)
    uploads = _uploads(bucket, key)
    rows = stack.rows([upload.recording_id for upload in uploads])
    for upload in uploads:
        if upload.recording_id in rows:
            return rows[upload.recording_id]
    message = f"{text} has no recording. " + ("Its event has not come yet." if uploads else "There is no such object.")
    raise NotFound(message)


def id_of(stack: Stack, text: str) -> str:
    """The id of a recording, which need not have a row yet where the id is given whole, or its object."""
    if re.fullmatch("[0-9a-f]{32}", text):
        return text
    bucket, _, key = text.removeprefix("s3://").partition("/")
    if text.startswith("s3://") and bucket == stack.media_bucket and (uploads := _uploads(bucket, key)):
        return uploads[0].recording_id
    return str(named(stack, text)["recording_id"])


def _uploads(bucket: str, key: str) -> list[Upload]:
    """The versions of exactly this key, the newest first."""
    return [upload for upload, _ in versions(bucket, key) if upload.key == key]


def versions(bucket: str, prefix: str, *, latest: bool = False) -> Iterator[tuple[Upload, date]]:
    """What the bucket holds under the prefix: all versions, of each key the newest first, or the latest alone."""
    pages = boto3.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for one in page.get("Versions", []):
            if one["IsLatest"] or not latest:
                version_id = present_version(one["VersionId"])
                yield (
                    Upload(bucket, one["Key"], version_id, one["ETag"].strip('"'), one["Size"]),
                    one["LastModified"].date(),
                )


def listed(stack: Stack, first: date, last: date, *, status: str | None = None) -> Iterator[dict[str, Any]]:
    """Recordings that came on these days, the newest first, as lists show them."""
    reader = Reader(stack.catalogue(), utc_now)
    for start, end in windows(first, last):
        asked = {"from": str(start), "to": str(end), "limit": str(_PAGE), **({"status": status} if status else {})}
        while True:
            page = reader.recordings(asked)
            yield from page["recordings"]
            if not page["next"]:
                break
            asked["cursor"] = page["next"]


def follow_all(
    stack: Stack, recording_ids: Collection[str], timeout_seconds: float, poll_seconds: float = _POLL_SECONDS
) -> Iterator[Mapping[str, Row]]:
    """Yield the rows, those that are there, until all have ended. Raises TimeoutError, with what is missing."""
    deadline = time.monotonic() + timeout_seconds
    rows: dict[str, Row] = {}
    while True:
        rows |= stack.rows([one for one in recording_ids if rows.get(one, {}).get("status") not in ENDED])
        yield rows
        missing = [one for one in recording_ids if rows.get(one, {}).get("status") not in ENDED]
        if not missing:
            return
        if time.monotonic() > deadline:
            state = rows.get(missing[0], {}).get("status", "without a row")
            message = (
                f"{len(missing)} of {len(recording_ids)} recordings have not ended after {timeout_seconds:.0f} s; "
                f"{missing[0]} is {state}. They go on by themselves: `highlights watch` looks again."
            )
            raise TimeoutError(message)
        time.sleep(poll_seconds)


def upload(
    stack: Stack,
    path: Path,
    key: str,
    progress: Callable[[int], None] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Upload:
    """Put the file into the media bucket; in parts where it is large. `progress` gets the bytes of each step."""
    more = {"ExtraArgs": {"Metadata": dict(metadata)}} if metadata else {}
    boto3.client("s3").upload_file(str(path), stack.media_bucket, key, Callback=progress, **more)  # type: ignore[arg-type]
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
    return [dict(item) for item in stack.catalogue().highlights(recording_id)]


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
