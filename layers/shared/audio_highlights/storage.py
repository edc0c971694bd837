"""S3, DynamoDB, SQS, EventBridge, Step Functions, Lambda, STS and Secrets Manager."""

import gzip
import io
import json
import random
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import boto3
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore import UNSIGNED
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from audio_highlights import json_items
from audio_highlights.errors import PermanentError, RecordingInWork, RecordingUnusable, StorageBusy
from audio_highlights.media_type import HEAD_BYTES
from audio_highlights.models import (
    ENDED,
    OPEN,
    Claim,
    Entry,
    Finished,
    Flight,
    Highlight,
    Recording,
    Status,
    StoredObject,
    Upload,
    call_id_of,
    present_version,
    readable_metadata,
    recording_mark,
    utc_text,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef
    from mypy_boto3_s3.client import S3Client

OPEN_SHARDS = 4  # partitions of the index of open rows; one holds about 1,000 writes a second
PRESIGNED_SECONDS = 3600  # a signer session that is one role assumed by another lives at most an hour
_SECRET_CACHE_SECONDS = 300
_ROTATION_CACHE_SECONDS = 5  # no transcript is done so soon after its submit has seen a new secret
_UPLOAD_CHUNK = 1024 * 1024
_AUDIO_TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav"}
# About 30 bytes a timestamp: an item stays under DynamoDB's 400 KB. The whole list is in S3.
_ITEM_TIMESTAMPS = 5000
# So many of the largest items stay under the 4 MB of a transaction; AssemblyAI gives at most 15 phrases.
_TRANSACTION_PHRASES = 20
_BATCH_ITEMS = 25
_BATCH_READS = 100
_ERASURES = 3  # the last of which finds nothing
_COUNTED = {f"#{name}": name for name in ("recording_id", "phrase", "text", "count", "day")}
_DUE_PAGE = 20  # most callers want one row
_GZIP_LEVEL = 6  # the highest saves 1 % more, and takes three times as long

# boto3 would presign with SigV2 in us-east-1, and with the global host name elsewhere.
FOR_PRESIGNING = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
# The same for a client of its own, whose URLs come without a signature.
_FOR_THE_SIGNER = FOR_PRESIGNING.merge(Config())

# One client per service and process: each takes 5 to 60 ms to build, and has connections of its own. What nearly every
# invocation needs is built by a constructor, at the cold start, when Lambda gives more CPU; the rest when it is needed.
client = boto3.client if TYPE_CHECKING else cache(boto3.client)

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """As DynamoDB's client takes it, without what is None."""
    return {name: _serialize(value) for name, value in values.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """What DynamoDB's client gave, as values."""
    return {name: _deserialize(value) for name, value in item.items()}


def batch_get(
    client: "DynamoDBClient", table: str, keys: Sequence[Mapping[str, Any]], **shape: Any
) -> Iterator[dict[str, Any]]:
    """The items of these keys, those that there are, in any order. `shape`: what of them, as for BatchGetItem."""
    wanted = [to_item(key) for key in keys]
    while wanted:
        request: Any = {table: {"Keys": wanted[:_BATCH_READS], **shape}}
        answer: Any = client.batch_get_item(RequestItems=request)
        yield from map(from_item, answer["Responses"].get(table, []))
        unread = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        wanted = [*unread, *wanted[_BATCH_READS:]]


def _read(item: Mapping[str, Any]) -> Recording:
    return _recording(from_item(item))


def _recording(row: Mapping[str, Any]) -> Recording:
    return Recording(
        recording_id=row["recording_id"],
        bucket=row["bucket"],
        key=row["key"],
        status=Status(row["status"]),
        attempt=int(row["attempt"]),
        day=row["day"],
        created_at=row["created_at"],
        version_id=row.get("version_id"),
        etag=row.get("etag", ""),
        size_bytes=int(row.get("size_bytes", 0)),
        reason=row.get("reason"),
        transcript_id=row.get("transcript_id"),
        upload_url=row.get("upload_url"),
        submitted_at=row.get("submitted_at"),
        retried_transcripts=frozenset(row.get("retried_transcripts", ())),
        extra_transcripts=frozenset(row.get("extra_transcripts", ())),
        attempts_before=int(row.get("attempts_before", 0)),
        metadata=row.get("metadata", {}),
        attempts_waited=int(row.get("attempts_waited", 0)),
        retries_before=int(row.get("retries_before", 0)),
    )


def _shard(recording_id: str) -> str:
    """The partition of the index of open rows that it is in."""
    return str(int(recording_id[:8], 16) % OPEN_SHARDS)


def _first_row(
    upload: Upload, metadata: Mapping[str, str], now: datetime, *, redact_audio: bool = False
) -> dict[str, Any]:
    """What a row says of its upload from the first moment on."""
    row = {
        "bucket": upload.bucket,
        "key": upload.key,
        "version_id": upload.version_id,
        "etag": upload.etag,
        "size_bytes": upload.size_bytes,
        "created_at": utc_text(now),
        "day": now.date().isoformat(),
        "metadata": dict(metadata) or None,
        "call_id": call_id_of(metadata),
        "redact_audio": redact_audio or None,
    }
    return {name: value for name, value in row.items() if value is not None}


def _is_what_was_written(error: ClientError, values: Mapping[str, Any]) -> bool:
    """Whether a write was refused because it was done: boto3 repeats one whose answer is lost, and meets its own."""
    there = from_item(error.response.get("Item", {}))  # type: ignore[arg-type]
    return all(there.get(name) == value for name, value in values.items() if value is not None)


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


class Ledger:
    """The RecordingsTable, and the HighlightsTable that is written with it.

    The row of a recording is its lock: every change is conditional on the status it starts from.
    """

    def __init__(self, recordings_table: str, highlights_table: str, now: Callable[[], datetime]) -> None:
        self._recordings = recordings_table
        self._highlights = highlights_table
        self._now = now
        self._client: DynamoDBClient = client("dynamodb")

    def get(self, recording_id: str) -> Recording | None:
        """The row as it is now (a consistent read); None if there is none."""
        answer = self._client.get_item(
            TableName=self._recordings, Key=to_item({"recording_id": recording_id}), ConsistentRead=True
        )
        return _read(answer["Item"]) if "Item" in answer else None

    def claim(
        self, upload: Upload, metadata: Mapping[str, str], lease_seconds: int, *, redact_audio: bool = False
    ) -> Claim:
        """Take the recording for one attempt. Raises RecordingInWork while another claim's lease runs."""
        now = self._now()
        epoch = int(now.timestamp())
        first = _first_row(upload, metadata, now, redact_audio=redact_audio)
        names = {"#status": "status", "#lease": "lease_until", "#attempt": "attempt", "#reason": "reason"}
        names |= {"#transcript": "transcript_id", "#shard": "open_shard", "#due": "due_at"}
        names |= {f"#{name}": name for name in first}
        assignments = [f"#{name} = if_not_exists(#{name}, :{name})" for name in first]
        values = {
            ":submitting": Status.SUBMITTING.value,
            ":queued": Status.QUEUED.value,
            ":lease": epoch + lease_seconds,
            ":now": epoch,
            ":zero": 0,
            ":one": 1,
            ":shard": _shard(upload.recording_id),
            **{f":{name}": value for name, value in first.items()},
        }
        try:
            answer = self._client.update_item(
                TableName=self._recordings,
                Key=to_item({"recording_id": upload.recording_id}),
                UpdateExpression=(
                    "SET #status = :submitting, #lease = :lease, #due = :lease, #shard = :shard, "
                    "#attempt = if_not_exists(#attempt, :zero) + :one, " + ", ".join(assignments) + " REMOVE #reason"
                ),
                ConditionExpression=(
                    "attribute_not_exists(recording_id) OR (#status IN (:submitting, :queued) "
                    "AND attribute_not_exists(#transcript) AND #lease <= :now)"
                ),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=to_item(values),
                ReturnValues="ALL_OLD",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            there = _read(error.response["Item"])  # type: ignore[typeddict-item]
            if there.status in OPEN and there.transcript_id is None:
                message = f"{there.name} is being submitted by another invocation (attempt {there.attempt})."
                raise RecordingInWork(message) from None
            return Claim(there, taken=False)
        if not answer.get("Attributes"):
            claimed = {"recording_id": upload.recording_id, **first, "status": Status.SUBMITTING.value, "attempt": 1}
            return Claim(_recording(claimed), taken=True)
        before = _read(answer["Attributes"])
        claimed_again = replace(before, status=Status.SUBMITTING, attempt=before.attempt + 1, reason=None)
        # Who asks for it again must not pay again for what an attempt of before has brought since.
        first_since_asked = 0 < before.attempts_before == before.attempt
        return Claim(claimed_again, taken=True, unclear=before.status is Status.SUBMITTING or first_since_asked)

    def refuse(
        self,
        upload: Upload,
        metadata: Mapping[str, str],
        reason: str,
        status: Status,
        *,
        redact_audio: bool = False,
    ) -> Recording | None:
        """Write a row that ends before any transcript was asked for; where there is a row already, return that."""
        now = self._now()
        row = {
            "recording_id": upload.recording_id,
            **_first_row(upload, metadata, now, redact_audio=redact_audio),
            "status": status.value,
            "ended_badly": status.value,
            "reason": reason,
            "attempt": 0,
            "completed_at": utc_text(now),
        }
        try:
            self._client.put_item(
                TableName=self._recordings,
                Item=to_item(row),
                ConditionExpression="attribute_not_exists(recording_id)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            if _is_what_was_written(error, row):
                return None
            return _read(error.response["Item"])  # type: ignore[typeddict-item]
        return None

    def release(
        self, recording: Recording, reason: str, status: Status, due_at: datetime, *, waited: bool = False
    ) -> None:
        """Give the claim back, so that the next attempt may start at once; at `due_at` somebody should start it.

        As `queued` where the provider has surely accepted nothing; as `submitting` where an earlier attempt's
        transcript may exist and has not been looked for. An attempt that `waited` does not count as one in vain.
        """
        self._update(
            recording,
            set_={
                "status": status.value,
                "reason": reason,
                "lease_until": 0,
                "due_at": int(due_at.timestamp()),
                "attempts_waited": recording.attempts_waited + 1 if waited else None,
            },
            only_while=(Status.SUBMITTING,),
            of_this_attempt=True,
        )

    def note_upload_url(self, recording: Recording, upload_url: str) -> None:
        """Remember where the provider stored the audio, so that a lost transcript can be found by it."""
        self._update(recording, set_={"upload_url": upload_url}, only_while=(Status.SUBMITTING,), of_this_attempt=True)

    def record_transcript(self, recording: Recording, transcript_id: str, status: Status, overdue_seconds: int) -> bool:
        """The provider has it. False if the row went on without us (its webhook came first, or another attempt)."""
        now = self._now()
        return self._update(
            recording,
            set_={
                "status": status.value,
                "transcript_id": transcript_id,
                "submitted_at": utc_text(now),
                "due_at": int(now.timestamp()) + overdue_seconds,
            },
            remove=("lease_until", "reason"),
            only_while=(Status.SUBMITTING,),
            of_this_attempt=True,
        )

    def look_again_at(self, recording: Recording, due_at: datetime) -> Recording | None:
        """Move the time at which somebody looks at a due recording again, and return its row as it is now.

        None where another did so first, or where it has ended: it is not the caller's to look at.
        """
        request = self._update_request(recording, set_={"due_at": int(due_at.timestamp())}, only_while=OPEN)
        request["ConditionExpression"] += " AND #due_at <= :now"
        request["ExpressionAttributeValues"] |= to_item({":now": int(self._now().timestamp())})
        try:
            answer = self._client.update_item(**request, ReturnValues="ALL_NEW")
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        return _read(answer["Attributes"])

    def retry(self, recording: Recording, transcript_id: str, reason: str, due_at: datetime) -> bool:
        """Make it `queued` again after a transcript that failed for a reason a new one can cure.

        False if it has ended, or if this transcript's failure was answered before.
        """
        request = self._update_request(
            recording,
            set_={
                "status": Status.QUEUED.value,
                "reason": reason,
                "lease_until": 0,
                "due_at": int(due_at.timestamp()),
            },
            remove=("transcript_id", "submitted_at"),
            only_while=OPEN,
        )
        request["UpdateExpression"] += " ADD #retried :these"
        request["ConditionExpression"] += (
            " AND (attribute_not_exists(#retried) OR NOT contains(#retried, :this))"
            " AND (attribute_not_exists(#transcript_id) OR #transcript_id = :this)"
        )
        request["ExpressionAttributeNames"] |= {"#retried": "retried_transcripts", "#transcript_id": "transcript_id"}
        request["ExpressionAttributeValues"] |= to_item({":this": transcript_id, ":these": {transcript_id}})
        try:
            self._client.update_item(**request)
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def note_extra_transcript(self, recording_id: str, transcript_id: str) -> None:
        """Note on the row that a second transcript of the recording was paid for; noting it again changes nothing."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException):  # deleted meanwhile: no new row
            self._client.update_item(
                TableName=self._recordings,
                Key=to_item({"recording_id": recording_id}),
                UpdateExpression="ADD extra_transcripts :this",
                ConditionExpression="attribute_exists(recording_id)",
                ExpressionAttributeValues=to_item({":this": {transcript_id}}),
            )

    def ask_again(self, recording: Recording, reason: str) -> bool:
        """Make a failed or ignored recording wait to be submitted; False if it is not so any more.

        Its attempts are counted on, because they bind the webhooks; what it may try begins anew. What its transcript
        was is kept among the former ones, so that late news of it fail nothing.
        """
        former = recording.retried_transcripts | ({recording.transcript_id} if recording.transcript_id else set())
        return self._update(
            recording,
            set_={
                "status": Status.QUEUED.value,
                "reason": reason,
                "lease_until": 0,
                "due_at": int(self._now().timestamp()),
                "open_shard": _shard(recording.recording_id),
                "attempts_before": recording.attempt,
                "retries_before": len(former),
                "retried_transcripts": set(former) or None,
                "asked_by": secrets.token_hex(8),  # tells this write from another's in the same second
            },
            remove=("transcript_id", "submitted_at", "completed_at", "attempts_waited", "ended_badly"),
            only_while=(Status.FAILED, Status.IGNORED),
            of_this_attempt=True,
        )

    def note_redacted_audio(self, recording: Recording, uri: str) -> bool:
        """Note on a completed row where its redacted audio is; False if it has gone."""
        return self._update(recording, set_={"redacted_audio_uri": uri}, only_while=(Status.COMPLETED,))

    def ask_to_delete(self, recording: Recording) -> bool:
        """Make a recording that has ended `deleting`, due now; False if it has not ended, or is so already."""
        return self._update(
            recording,
            set_={
                "status": Status.DELETING.value,
                "due_at": int(self._now().timestamp()),
                "open_shard": _shard(recording.recording_id),
            },
            remove=("reason", "ended_badly"),
            only_while=ENDED,
        )

    def take_deletion(self, recording_id: str, until: datetime) -> Recording | None:
        """Take a recording that is to be deleted, until then. None if another has it, or if it is not."""
        try:
            answer = self._client.update_item(
                TableName=self._recordings,
                Key=to_item({"recording_id": recording_id}),
                UpdateExpression="SET due_at = :until",
                ConditionExpression="#status = :deleting AND due_at <= :now",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=to_item(
                    {
                        ":until": int(until.timestamp()),
                        ":deleting": Status.DELETING.value,
                        ":now": int(self._now().timestamp()),
                    }
                ),
                ReturnValues="ALL_NEW",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        return _read(answer["Attributes"])

    def note_undeleted(self, recording: Recording, reason: str) -> None:
        """Say why it is not deleted yet; the next sweep tries again."""
        change = {"reason": reason, "due_at": int(self._now().timestamp())}
        self._update(recording, set_=change, only_while=(Status.DELETING,))

    def delete_again(self, recording: Recording) -> None:
        """Something of a recording came into being after its deletion: have it deleted once more, row or no row."""
        now = self._now()
        row = {
            **_first_row(recording.upload, {}, now),
            "created_at": recording.created_at,
            "day": recording.day,
            "attempt": recording.attempt,
            "status": Status.DELETING.value,
            "due_at": int(now.timestamp()),
            "open_shard": _shard(recording.recording_id),
        }
        with suppress(self._client.exceptions.ConditionalCheckFailedException):  # a row of another kind stays
            self._client.update_item(
                TableName=self._recordings,
                Key=to_item({"recording_id": recording.recording_id}),
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in row),
                ConditionExpression="attribute_not_exists(recording_id) OR #status = :status",
                ExpressionAttributeNames={f"#{name}": name for name in row},
                ExpressionAttributeValues=to_item({f":{name}": value for name, value in row.items()}),
            )

    def phrases(self, recording: Recording) -> list[dict[str, Any]]:
        """What its phrases are counted by, wherever they are counted (a consistent read)."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._highlights,
            KeyConditionExpression="recording_id = :id",
            ProjectionExpression=", ".join(_COUNTED),
            ExpressionAttributeNames=_COUNTED,
            ExpressionAttributeValues=to_item({":id": recording.recording_id}),
            ConsistentRead=True,
        )
        return [from_item(item) for page in pages for item in page["Items"]]

    def delete_phrases(self, recording: Recording) -> None:
        """Delete the phrases; returns when a consistent read has found none."""
        while True:
            answer = self._client.query(
                TableName=self._highlights,
                KeyConditionExpression="recording_id = :id",
                ProjectionExpression="recording_id, #position",
                ExpressionAttributeNames={"#position": "position"},
                ExpressionAttributeValues=to_item({":id": recording.recording_id}),
                ConsistentRead=True,
            )
            if not answer["Items"]:
                return
            self._write_batches([{"DeleteRequest": {"Key": key}} for key in answer["Items"]])

    def drop(self, recording: Recording, until: datetime) -> bool:
        """Delete the row of a deletion that was taken until then; False if it was asked for once more since."""
        try:
            self._client.delete_item(
                TableName=self._recordings,
                Key=to_item({"recording_id": recording.recording_id}),
                ConditionExpression=("attribute_not_exists(recording_id) OR (#status = :deleting AND due_at = :until)"),
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=to_item(
                    {":deleting": Status.DELETING.value, ":until": int(until.timestamp())}
                ),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def still_open(self, recording_ids: Collection[str]) -> set[str]:
        """Those of the recordings that are being submitted, or have a transcript that has not ended."""
        rows = self._batch_get(recording_ids, "recording_id, #status, transcript_id", {"#status": "status"})
        return {
            row["recording_id"]
            for row in rows
            if row["status"] in OPEN and (row["status"] != Status.QUEUED or "transcript_id" in row)
        }

    def known(self, recording_ids: Collection[str]) -> set[str]:
        """Those of the recordings that have a row."""
        return {row["recording_id"] for row in self._batch_get(recording_ids, "recording_id", {})}

    def created(self) -> datetime:
        """When the table was made: no upload from before is a recording of ours."""
        return self._client.describe_table(TableName=self._recordings)["Table"]["CreationDateTime"]

    def _batch_get(
        self, recording_ids: Collection[str], attributes: str, names: dict[str, str]
    ) -> Iterator[dict[str, Any]]:
        shape: dict[str, Any] = {"ConsistentRead": True, "ProjectionExpression": attributes}
        if names:
            shape["ExpressionAttributeNames"] = names
        return batch_get(self._client, self._recordings, [{"recording_id": one} for one in recording_ids], **shape)

    def end(
        self,
        recording: Recording,
        status: Status,
        reason: str,
        *,
        transcript_id: str | None = None,
        of_this_attempt: bool = False,
    ) -> bool:
        """End it as failed or ignored, with a reason; False if it had ended already, or another attempt has it."""
        return self._update(
            recording,
            set_={
                "status": status.value,
                "ended_badly": status.value,  # puts it into the index of those
                "reason": reason,
                "completed_at": utc_text(self._now()),
                "transcript_id": transcript_id,
            },
            remove=("open_shard", "due_at", "lease_until"),
            only_while=OPEN,
            of_this_attempt=of_this_attempt,
        )

    def complete(self, recording: Recording, facts: Mapping[str, Any], highlights: Sequence[Highlight]) -> bool:
        """Row -> completed and one item per phrase, all or nothing; False if the row had ended already.

        `facts` are more attributes of the row. Phrases beyond what one transaction holds are written before it,
        so that a completed row never stands for phrases that are not there.
        """
        completed_at = utc_text(self._now())
        items = [self._highlight_item(recording, highlight, completed_at) for highlight in highlights]
        inside, before = items[:_TRANSACTION_PHRASES], items[_TRANSACTION_PHRASES:]
        self._write_batches([{"PutRequest": {"Item": item}} for item in before])
        closing = self._update_request(
            recording,
            set_={"status": Status.COMPLETED.value, "completed_at": completed_at, **facts},
            remove=("open_shard", "due_at", "lease_until", "reason"),
            only_while=OPEN,
        )
        writes: list[TransactWriteItemTypeDef] = [{"Update": closing}]  # type: ignore[typeddict-item]
        writes += [{"Put": {"TableName": self._highlights, "Item": item}} for item in inside]
        try:
            self._client.transact_write_items(TransactItems=writes)
        except self._client.exceptions.TransactionCanceledException as error:
            reasons = error.response.get("CancellationReasons", [])
            if reasons and reasons[0].get("Code") == "ConditionalCheckFailed":
                return False
            raise
        return True

    def due(self, moment: datetime) -> Iterator[Recording]:
        """Open recordings that should have been heard of by then, the longest waiting first in each shard."""
        pages = self._client.get_paginator("query")
        for shard in random.sample(range(OPEN_SHARDS), OPEN_SHARDS):  # none is always the last
            for page in pages.paginate(
                TableName=self._recordings,
                IndexName="open",
                PaginationConfig={"PageSize": _DUE_PAGE},
                KeyConditionExpression="open_shard = :shard AND due_at <= :now",
                ExpressionAttributeValues=to_item({":shard": str(shard), ":now": int(moment.timestamp())}),
            ):
                yield from map(_read, page["Items"])

    def _highlight_item(self, recording: Recording, highlight: Highlight, completed_at: str) -> dict[str, Any]:
        return to_item(
            {
                "recording_id": recording.recording_id,
                "position": highlight.position,
                "text": highlight.text,
                "phrase": highlight.phrase,
                "count": highlight.count,
                "rank": highlight.rank,
                "timestamps": [{"start": start, "end": end} for start, end in highlight.timestamps[:_ITEM_TIMESTAMPS]],
                "timestamps_cut": True if len(highlight.timestamps) > _ITEM_TIMESTAMPS else None,
                "completed_at": completed_at,
                "day": completed_at[:10],
                "bucket": recording.bucket,
                "key": recording.key,
            }
        )

    def _write_batches(self, writes: Sequence[dict[str, Any]]) -> None:
        for start in range(0, len(writes), _BATCH_ITEMS):
            some = writes[start : start + _BATCH_ITEMS]
            answer = self._client.batch_write_item(RequestItems={self._highlights: some})  # type: ignore[dict-item]
            if answer.get("UnprocessedItems"):
                message = "DynamoDB is too busy to write all phrases; they will be tried again."
                raise StorageBusy(message)

    def _update(self, recording: Recording, *, set_: Mapping[str, Any], **change: Any) -> bool:
        request = self._update_request(recording, set_=set_, **change)
        try:
            self._client.update_item(**request, ReturnValuesOnConditionCheckFailure="ALL_OLD")
        except self._client.exceptions.ConditionalCheckFailedException as error:
            return _is_what_was_written(error, set_)
        return True

    def _update_request(
        self,
        recording: Recording,
        *,
        set_: Mapping[str, Any],
        only_while: Sequence[Status],
        remove: Sequence[str] = (),
        of_this_attempt: bool = False,
    ) -> dict[str, Any]:
        kept = {name: value for name, value in set_.items() if value is not None}
        values = {f":{name}": value for name, value in kept.items()}
        values |= {f":from{number}": status.value for number, status in enumerate(only_while)}
        condition = "#status IN (" + ", ".join(f":from{number}" for number in range(len(only_while))) + ")"
        if of_this_attempt:
            condition += " AND #attempt = :this_attempt"
            values[":this_attempt"] = recording.attempt
        named = {*kept, *remove, "status", *(["attempt"] if of_this_attempt else [])}
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in kept)
        if remove:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in remove)
        return {
            "TableName": self._recordings,
            "Key": to_item({"recording_id": recording.recording_id}),
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {f"#{name}": name for name in named},
            "ExpressionAttributeValues": to_item(values),
        }


class InFlight:
    """Which recordings have a transcript at the provider: one item of the FlowTable, on which all agree.

    It holds the ids, not their number: what enters twice counts once, and who died in it can be found and taken out.
    As bytes, not as hex digits: every change is paid for by the size of the whole item.
    """

    _KEY: Mapping[str, Any] = to_item({"name": "in-flight"})

    def __init__(self, table: str, most: int, now: Callable[[], datetime]) -> None:
        self._table = table
        self._most = most
        self._now = now
        self._client: DynamoDBClient = client("dynamodb")

    def enter(self, recording_id: str, probe_seconds: int, *, behind_others: bool) -> Entry:
        """Take a place, if there is one, and nobody waits for it where it should go `behind_others`.

        A stopped line lets one recording through every `probe_seconds`.
        """
        this = bytes.fromhex(recording_id)
        values = {":one": {this}, ":id": this, ":most": self._most}
        try:
            self._change(
                "ADD places :one",
                "attribute_not_exists(stopped) AND (attribute_not_exists(places) OR size(places) < :most"
                " OR contains(places, :id))" + (" AND attribute_not_exists(waiting)" if behind_others else ""),
                values,
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            there = from_item(error.response.get("Item", {}))  # type: ignore[arg-type]
        else:
            return Entry()
        if "stopped" not in there:
            return Entry(f"It waits for its turn: {self._most} transcripts are in work at AssemblyAI (MaxInFlight).")
        now = int(self._now().timestamp())
        if there["probe_at"] > now:
            return Entry(there["stopped"])
        values = {":one": {this}, ":next": now + probe_seconds, ":this": there["probe_at"]}
        try:
            self._change("SET probe_at = :next ADD places :one", "probe_at = :this", values)
        except self._client.exceptions.ConditionalCheckFailedException:
            return Entry(there["stopped"])
        return Entry(probe=True)

    def wait(self) -> None:
        """Note that one more waits for a place."""
        self._change("ADD waiting :one", None, {":one": 1})

    def leave(self, recording_id: str) -> int:
        """Give the place back. Returns how often somebody was noted to wait; 0 where nobody does, or it had none."""
        this = bytes.fromhex(recording_id)
        answer = self._client.update_item(
            TableName=self._table,
            Key=self._KEY,
            UpdateExpression="DELETE places :one",
            ExpressionAttributeValues=to_item({":one": {this}}),
            ReturnValues="ALL_OLD",
        )
        before = from_item(answer.get("Attributes", {}))
        return int(before.get("waiting", 0)) if this in before.get("places", ()) else 0

    def nobody_waits(self, noted: int) -> None:
        """Forget that somebody waited, unless another was noted since."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._change("REMOVE waiting", "waiting = :noted", {":noted": noted})

    def stop(self, reason: str, probe_seconds: int) -> None:
        """Let nobody in until a probe succeeds; the first may try in so many seconds."""
        next_probe = int(self._now().timestamp()) + probe_seconds
        self._change("SET stopped = :reason, probe_at = :next", None, {":reason": reason, ":next": next_probe})

    def go_on(self) -> None:
        """Let in again whom there is a place for."""
        self._change("REMOVE stopped, probe_at", None, {})

    def look(self) -> Flight:
        """Who holds a place now (a consistent read). Of a stopped line, there is room for a probe when it is time."""
        answer = self._client.get_item(TableName=self._table, Key=self._KEY, ConsistentRead=True)
        row = from_item(answer.get("Item", {}))
        holders = frozenset(bytes(this).hex() for this in row.get("places", ()))
        if "stopped" in row:
            return Flight(holders, int(row["probe_at"] <= self._now().timestamp()), row["stopped"])
        return Flight(holders, max(0, self._most - len(holders)))

    def _change(self, expression: str, condition: str | None, values: Mapping[str, Any]) -> None:
        conditional = {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        valued = {"ExpressionAttributeValues": to_item(values)}
        self._client.update_item(
            TableName=self._table,
            Key=self._KEY,
            UpdateExpression=expression,
            **(conditional if condition else {}),  # type: ignore[arg-type]
            **(valued if values else {}),  # type: ignore[arg-type]
        )


class Media:
    """The media bucket: look at an object, hand it to the provider."""

    def __init__(self, signer_role_arn: str) -> None:
        self._signer_role_arn = signer_role_arn
        self._client: S3Client = client("s3", config=_FOR_THE_SIGNER)
        self._client.meta.events.register("choose-signer.s3.GetObject", _no_signature_for_urls)  # type: ignore[arg-type]
        self._sts = client("sts")

    def look(self, upload: Upload) -> tuple[StoredObject, bytes]:
        """What S3 holds of the event's object, and its first bytes: one request, and one more where it has tags.

        Raises RecordingUnusable where it is gone or archived, PermanentError where S3 denies reading it.
        """
        try:
            seen = self._see(upload)
        except RecordingUnusable:
            former = self._former_version(upload)
            if former is None:
                raise
            return self._see(former)
        if seen[0].etag != upload.etag and (former := self._former_version(upload)):
            return self._see(former)
        return seen

    def _former_version(self, upload: Upload) -> Upload | None:
        """Where the event names no version and the key has moved on: the version whose content the event tells of."""
        if upload.version_id or not upload.etag:
            return None
        pages = self._client.get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=upload.bucket, Prefix=upload.key):
            for version in page.get("Versions", []):
                if version["Key"] == upload.key and version["ETag"].strip('"') == upload.etag:
                    return replace(upload, version_id=present_version(version["VersionId"]))
        return None

    def _see(self, upload: Upload) -> tuple[StoredObject, bytes]:
        which: Any = _which(upload)
        try:
            answer = self._client.get_object(Range=f"bytes=0-{HEAD_BYTES - 1}", **which)
            # A store may answer with the whole object instead of the range; more than the head is not read.
            whole = answer.get("ContentRange", "").rpartition("/")[2] or answer["ContentLength"]
            with closing(answer["Body"]) as body:
                return _stored(answer, int(whole), self._tags(which, answer)), body.read(HEAD_BYTES)
        except ClientError as error:
            if _code(error) != "InvalidRange":
                raise _unreadable(upload, error) from error
        return self._look_at_empty(upload)

    def _tags(self, which: Any, answer: Mapping[str, Any]) -> dict[str, str]:
        """The object's tags. S3 says how many there are to whoever may read them."""
        if not answer.get("TagCount"):
            return {}
        return {tag["Key"]: tag["Value"] for tag in self._client.get_object_tagging(**which)["TagSet"]}

    def _look_at_empty(self, upload: Upload) -> tuple[StoredObject, bytes]:
        which: Any = _which(upload)
        try:
            return _stored(self._client.head_object(**which), 0, {}), b""
        except ClientError as error:
            raise _unreadable(upload, error) from error

    def presign(self, upload: Upload) -> str:
        """A GET URL of exactly this object version for PRESIGNED_SECONDS.

        Signed with a session made for it: one of the function's own credentials may be about to end, and the URL
        ends with the credentials that signed it. The client gives the address and this signs it: a client that is
        made for each session costs thirty times the signature.
        """
        session = self._sts.assume_role(
            RoleArn=self._signer_role_arn,
            RoleSessionName=upload.recording_id,
            DurationSeconds=PRESIGNED_SECONDS,
        )["Credentials"]
        marked = {**_which(upload), "ResponseContentDisposition": recording_mark(upload.recording_id)}
        request = AWSRequest("GET", self._client.generate_presigned_url("get_object", Params=marked))
        signer = Credentials(session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
        region = self._client.meta.region_name
        S3SigV4QueryAuth(signer, "s3", region, expires=PRESIGNED_SECONDS).add_auth(request)
        return str(request.url)

    def chunks(self, upload: Upload) -> Iterator[bytes]:
        """The object's bytes, a part at a time: memory stays constant whatever the size."""
        which: Any = _which(upload)
        try:
            answer = self._client.get_object(**which)
        except ClientError as error:
            raise _unreadable(upload, error) from error
        return answer["Body"].iter_chunks(_UPLOAD_CHUNK)


def _no_signature_for_urls(signature_version: object, **_: object) -> object:
    """For botocore's choose-signer: the client's requests are signed as always, the URLs that it gives are not."""
    return UNSIGNED if str(signature_version).endswith("-query") else None


def origins_of(*buckets: str) -> list[str]:
    """Scheme and host of the buckets' presigned URLs, as a browser's policy names them."""
    s3 = client("s3", config=FOR_PRESIGNING)
    urls = (s3.generate_presigned_url("get_object", Params={"Bucket": one, "Key": "any"}) for one in buckets)
    return ["://".join(urlsplit(url)[:2]) for url in urls]


class Shelf:
    """The media bucket as a whole."""

    def __init__(self, bucket: str, page_size: int = 1000) -> None:
        self._bucket = bucket
        self._page_size = page_size

    def pages(
        self, place: tuple[str, str] | None
    ) -> Iterator[tuple[list[tuple[Upload, datetime]], tuple[str, str] | None]]:
        """All object versions after `place`, page by page, with the time of their upload and the next place."""
        while True:
            start: Any = {"KeyMarker": place[0], "VersionIdMarker": place[1]} if place else {}
            answer = client("s3").list_object_versions(Bucket=self._bucket, MaxKeys=self._page_size, **start)
            more = answer.get("IsTruncated", False)
            place = (answer["NextKeyMarker"], answer["NextVersionIdMarker"]) if more else None
            yield [(self._upload(version), version["LastModified"]) for version in answer.get("Versions", [])], place
            if place is None:
                return

    def _upload(self, version: Mapping[str, Any]) -> Upload:
        version_id = present_version(version["VersionId"])
        return Upload(self._bucket, version["Key"], version_id, version["ETag"].strip('"'), version["Size"])


class Eraser:
    """Both buckets, for a deletion: what it leaves of a recording is nothing, as a listing shows."""

    def __init__(self, results_bucket: str) -> None:
        self._results_bucket = results_bucket

    def erase_audio(self, recording: Recording) -> None:
        """Delete exactly the object version that was uploaded; a newer upload of the key is another recording.

        Delete markers go when nothing is left under them. Raises PermanentError or StorageBusy where S3 does not.
        """
        for _ in range(_ERASURES):
            versions, markers = self._listed(recording.bucket, recording.key)
            ours = [version for version in versions if _is_of(version, recording.upload)]
            if not ours and (versions or not markers):
                return
            for version in ours or markers:
                self._erase(recording, recording.bucket, version)
        raise _not_erased(recording, "it is still listed after its deletion")

    def erase_results(self, recording: Recording) -> None:
        """Delete all versions and delete markers of its files. Raises as `erase_audio` does."""
        for key in _result_keys(recording):
            for _ in range(_ERASURES):
                versions, markers = self._listed(self._results_bucket, key)
                if not versions and not markers:
                    break
                for version in [*versions, *markers]:
                    self._erase(recording, self._results_bucket, version)
            else:
                raise _not_erased(recording, "its results are still listed after their deletion")

    def _listed(self, bucket: str, key: str) -> tuple[list[Any], list[Any]]:
        """All versions of exactly this key, and its delete markers."""
        versions: list[Any] = []
        markers: list[Any] = []
        pages = client("s3").get_paginator("list_object_versions")
        with _told_of_trouble(f"s3://{bucket}/{key}"):
            for page in pages.paginate(Bucket=bucket, Prefix=key):
                seen = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                versions += [one for one in page.get("Versions", []) if one["Key"] == key]
                markers += [one for one in page.get("DeleteMarkers", []) if one["Key"] == key]
                if any(one["Key"] != key for one in seen):  # keys are listed in their order: the others come after it
                    break
        return versions, markers

    def _erase(self, recording: Recording, bucket: str, version: Mapping[str, Any]) -> None:
        which = {"Bucket": bucket, "Key": version["Key"], "VersionId": version["VersionId"]}
        # Only an object without versions can be overwritten between the listing and here. S3 compares the current one.
        compared = "ETag" in version and version["IsLatest"] and present_version(version["VersionId"]) is None
        try:
            with _told_of_trouble(recording.name):
                client("s3").delete_object(**which, **({"IfMatch": version["ETag"]} if compared else {}))
        except _MovedOn:
            return  # the next listing tells


class _MovedOn(Exception):
    """The key does not hold any more what was listed."""


@contextmanager
def _told_of_trouble(name: str) -> Iterator[None]:
    """S3's troubles with a deletion, in words for people."""
    try:
        yield
    except ClientError as error:
        code = _code(error)
        if code in ("PreconditionFailed", "NoSuchKey", "NoSuchVersion", "404", "412", "ConditionalRequestConflict"):
            raise _MovedOn from error
        if code in ("AccessDenied", "403", "InvalidRequest"):
            message = (
                f"S3 denies deleting {name}. Check the bucket policy, and whether Object Lock or a legal hold keeps it."
            )
            raise PermanentError(message) from error
        message = f"S3 could not delete {name} ({code})."
        raise StorageBusy(message) from error
    except BotoCoreError as error:
        message = f"S3 could not be asked to delete {name} ({type(error).__name__})."
        raise StorageBusy(message) from error


def _is_of(version: Mapping[str, Any], upload: Upload) -> bool:
    """Whether a listed version is the upload; without versions, the same content is."""
    listed = present_version(version["VersionId"])
    return bool(listed == upload.version_id and (listed or version["ETag"].strip('"') == upload.etag))


def _not_erased(recording: Recording, why: str) -> StorageBusy:
    return StorageBusy(f"S3 could not delete {recording.name}: {why}.")


class Uploads:
    """Permissions to upload into the media bucket."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def permit(self, key: str, *, most_bytes: int, content_type: str) -> tuple[str, dict[str, str]]:
        """Address and fields of a form that uploads one object under exactly this key, for PRESIGNED_SECONDS.

        Its Content-Type is a proposal: the form may have another.
        """
        form = client("s3", config=FOR_PRESIGNING).generate_presigned_post(
            self._bucket,
            key,
            Fields={"Content-Type": content_type},
            Conditions=[["content-length-range", 1, most_bytes], ["starts-with", "$Content-Type", ""]],
            ExpiresIn=PRESIGNED_SECONDS,
        )
        return form["url"], form["fields"]


class Bookmark:
    """Where the scan of the bucket goes on: an item of the FlowTable."""

    _KEY: Mapping[str, Any] = to_item({"name": "bucket-scan"})

    def __init__(self, table: str) -> None:
        self._table = table
        self._client: DynamoDBClient = client("dynamodb")

    def read(self) -> tuple[str, str] | None:
        """The place; None where the next scan begins with the bucket."""
        row = from_item(self._client.get_item(TableName=self._table, Key=self._KEY).get("Item", {}))
        return (row["key"], row["version_id"]) if "key" in row else None

    def write(self, place: tuple[str, str] | None) -> None:
        """Remember the place; None at the end of the bucket."""
        item = {**self._KEY, **(to_item({"key": place[0], "version_id": place[1]}) if place else {})}
        self._client.put_item(TableName=self._table, Item=item)


def _which(upload: Upload) -> dict[str, str]:
    """The parameters that name the object, and its version where it has one."""
    version = {"VersionId": upload.version_id} if upload.version_id else {}
    return {"Bucket": upload.bucket, "Key": upload.key, **version}


def _stored(answer: Mapping[str, Any], size_bytes: int, tags: Mapping[str, str]) -> StoredObject:
    return StoredObject(
        version_id=present_version(answer.get("VersionId")),
        etag=str(answer["ETag"]).strip('"'),
        size_bytes=size_bytes,
        storage_class=answer.get("StorageClass", "STANDARD"),
        metadata={name: readable_metadata(text) for name, text in answer.get("Metadata", {}).items()},
        tags=tags,
    )


def _unreadable(upload: Upload, error: ClientError) -> Exception:
    code = _code(error)
    if code in ("NoSuchKey", "NoSuchVersion", "404", "405", "MethodNotAllowed"):
        return RecordingUnusable(f"{upload.name} was deleted before it was submitted. Upload it again if it is wanted.")
    if code == "InvalidObjectState":
        return RecordingUnusable(f"{upload.name} is archived. Restore it and copy it onto itself to submit it.")
    # An object under a customer's own key (SSE-C) is an invalid request to anyone without that key.
    if code in ("AccessDenied", "403", "InvalidRequest") or code.startswith("KMS."):
        message = (
            f"S3 denies reading {upload.name}. Check the bucket policy and the KMS key of the object, "
            "then copy the object onto itself to submit it again."
        )
        return PermanentError(message)
    return error


class _Readable(io.RawIOBase):
    """Bytes that come a part at a time, as a file."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._left = part
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size


def _result_keys(recording: Recording) -> tuple[str, str, str]:
    """Where the highlights, the transcript and the redacted audio are, in the results bucket."""
    place = f"dt={recording.day}/{recording.recording_id}"
    return f"highlights/{place}.json", f"transcripts/{place}.json.gz", f"redacted/{place}"


class Results:
    """The results bucket. The same recording always has the same keys."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._client: S3Client = client("s3")

    def put_highlights(self, recording: Recording, document: Mapping[str, Any]) -> str:
        """Store highlights/dt=<day>/<id>.json, one line, as Athena reads it. Returns its s3:// URI."""
        return self._put(_result_keys(recording)[0], b"".join(json_items.written(document)))

    def put_transcript(self, recording: Recording, document: Mapping[str, Any]) -> str:
        """Store transcripts/dt=<day>/<id>.json.gz. Returns its s3:// URI."""
        packed = io.BytesIO()
        # mtime=0: the same transcript gives the same bytes.
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=_GZIP_LEVEL, mtime=0) as file:
            for part in json_items.written(document):
                file.write(part)
        return self._put(_result_keys(recording)[1], packed.getvalue())

    def put_redacted_audio(self, recording: Recording, audio: Iterator[bytes], kind: str) -> str:
        """Store redacted/dt=<day>/<id>, mp3 or wav, in constant memory. Returns its s3:// URI."""
        key = _result_keys(recording)[2]
        self._client.upload_fileobj(
            io.BufferedReader(_Readable(audio), _UPLOAD_CHUNK),
            self._bucket,
            key,
            ExtraArgs={"ContentType": _AUDIO_TYPES[kind]},
        )
        return f"s3://{self._bucket}/{key}"

    def _put(self, key: str, body: bytes) -> str:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")
        return f"s3://{self._bucket}/{key}"


class Queue:
    """An SQS queue, with its dead-letter queue where the function may write to that."""

    def __init__(self, url: str, dead_letter_url: str | None = None) -> None:
        self._url = url
        self._dead_letter_url = dead_letter_url

    def ready(self) -> Self:
        """Build the client now: for a function that sends a message at every event."""
        client("sqs")
        return self

    def send(self, body: Mapping[str, Any], *, delay_seconds: int = 0) -> None:
        """Send one JSON message, to be received after so many seconds (at most 900)."""
        client("sqs").send_message(QueueUrl=self._url, MessageBody=json.dumps(body), DelaySeconds=delay_seconds)

    def bury(self, text: str) -> None:
        """Put a received message's text into the dead-letter queue, where a person finds it."""
        if self._dead_letter_url is None:
            message = f"{self._url} has no dead-letter queue to write to."
            raise RuntimeError(message)
        client("sqs").send_message(QueueUrl=self._dead_letter_url, MessageBody=text)

    def show_again(self, receipt_handle: str, seconds: int) -> None:
        """Hide a received message for so many seconds from now."""
        client("sqs").change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
        )


class EventBus:
    """The account's default EventBridge bus."""

    def put(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        """Send one event from the source `audio-highlights`; raises where EventBridge does not take it."""
        entry = {
            "Source": "audio-highlights",
            "DetailType": detail_type,
            "Detail": json.dumps(detail, default=float),
        }
        answer = client("events").put_events(Entries=[entry])  # type: ignore[list-item]
        if answer["FailedEntryCount"]:
            message = f'EventBridge did not take "{detail_type}": {answer["Entries"][0].get("ErrorMessage")}'
            raise StorageBusy(message)


class PollLoop:
    """The Step Functions state machine that asks the provider until a transcript has ended."""

    def __init__(self, state_machine_arn: str) -> None:
        self._state_machine_arn = state_machine_arn
        self._client = client("stepfunctions")

    def start(self, recording: Recording) -> None:
        """Watch this recording's transcript. Starting it twice watches it once."""
        finished = Finished(recording.recording_id, recording.attempt, recording.transcript_id or "")
        try:
            self._client.start_execution(
                stateMachineArn=self._state_machine_arn,
                name=f"{recording.recording_id}-{recording.attempt}",
                input=json.dumps(finished.body()),
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            return


class SweepFunction:
    """The sweep, which deletes what it is told to without waiting for its schedule."""

    def __init__(self, name: str) -> None:
        self._name = name

    def delete(self, recording_id: str) -> None:
        """Call it, and do not wait for it."""
        payload = json.dumps({"delete": recording_id})
        client("lambda").invoke(FunctionName=self._name, InvocationType="Event", Payload=payload)


class Secrets:
    """Secrets Manager, with a short cache."""

    def __init__(self) -> None:
        self._provider = SecretsProvider(boto3_client=client("secretsmanager"))
        self._staged: dict[str, tuple[float, list[str]]] = {}  # arn: until when, the texts that are accepted

    def get(self, arn: str, *, fresh: bool = False) -> str:
        """The secret's text; fresh=True asks Secrets Manager whatever the cache holds."""
        text = str(self._provider.get(arn, max_age=_SECRET_CACHE_SECONDS, force_fetch=fresh))
        return text.strip()  # a secret made from a file ends with a line break

    def accepted(self, arn: str) -> Iterator[str]:
        """The text as cached; for whom that is not enough, the text of now and the one before the last rotation.

        Whoever takes only the first costs Secrets Manager nothing; the others are asked for every
        _ROTATION_CACHE_SECONDS at most, however many ask.
        """
        yield self.get(arn)
        until, texts = self._staged.get(arn, (0.0, []))
        if time.monotonic() >= until:
            texts = [text for text in (self._at(arn, "AWSCURRENT"), self._at(arn, "AWSPREVIOUS")) if text]
            self._staged[arn] = time.monotonic() + _ROTATION_CACHE_SECONDS, texts
        yield from texts

    def _at(self, arn: str, stage: str) -> str | None:
        client = self._provider.client
        try:
            return str(client.get_secret_value(SecretId=arn, VersionStage=stage)["SecretString"]).strip()
        except client.exceptions.ResourceNotFoundException:  # never rotated: there is none before
            return None
