"""The tables and the files, to be read by people who are signed in. Uses boto3, as storage does."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from audio_highlights.errors import ResultGone
from audio_highlights.storage import FOR_PRESIGNING, PRESIGNED_SECONDS, batch_get, client, from_item, to_item
from audio_highlights.tallies import tally_key, tally_of
from audio_highlights.tally import Count

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

type Row = dict[str, Any]
type Key = dict[str, Any]

# Of the rows that a query with a filter reads, few may match.
_FILTERED = 250


class Catalogue:
    """The RecordingsTable, the HighlightsTable, the tallies in the FlowTable, and the two buckets.

    Queries give rows and the key to go on after; where that is None, there are no more.
    """

    def __init__(self, recordings_table: str, highlights_table: str, flow_table: str) -> None:
        self._recordings = recordings_table
        self._highlights = highlights_table
        self._flow = flow_table
        self._dynamodb: DynamoDBClient = client("dynamodb")

    def recording(self, recording_id: str) -> Row | None:
        """The row as it is now (a consistent read)."""
        key = to_item({"recording_id": recording_id})
        answer = self._dynamodb.get_item(TableName=self._recordings, Key=key, ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None

    def highlights(self, recording_id: str) -> list[Row]:
        """All phrases of a recording, the highest rank first (a consistent read)."""
        rows: list[Row] = []
        after: Key | None = None
        while True:
            found, after = self._query(
                self._highlights, "recording_id = :id", {":id": recording_id}, after, ConsistentRead=True
            )
            rows += found
            if after is None:
                return rows

    def recordings_of(self, day: str, status: str | None, after: Key | None, most: int) -> tuple[list[Row], Key | None]:
        """Recordings of a day, newest first, at most so many; with a status, it may be fewer where there are more."""
        newest: dict[str, Any] = {"IndexName": "day", "ScanIndexForward": False}
        names, values = {"#day": "day"}, {":day": day}
        if status is None:
            return self._query(
                self._recordings, "#day = :day", values, after, Limit=most, ExpressionAttributeNames=names, **newest
            )
        rows, last = self._query(
            self._recordings,
            "#day = :day",
            {**values, ":status": status},
            after,
            Limit=max(_FILTERED, most),
            FilterExpression="#status = :status",
            ExpressionAttributeNames={**names, "#status": "status"},
            **newest,
        )
        if len(rows) > most:
            rows = rows[:most]
            last = {name: rows[-1][name] for name in ("day", "created_at", "recording_id")}
        return rows, last

    def ended_badly(
        self, status: str, first: str, last: str, after: Key | None, most: int
    ) -> tuple[list[Row], Key | None]:
        """Recordings that failed, or were ignored, from a day to a day, newest first, at most so many."""
        return self._query(
            self._recordings,
            "ended_badly = :status AND created_at BETWEEN :first AND :last",
            {":status": status, ":first": first, ":last": last + "~"},  # ~ comes after every time of the day
            after,
            IndexName="ended_badly",
            ScanIndexForward=False,
            Limit=most,
        )

    def by_call(self, call_id: str, after: Key | None, most: int) -> tuple[list[Row], Key | None]:
        """Recordings whose object's metadata names this call, newest first, at most so many; as a list shows them."""
        return self._query(
            self._recordings,
            "call_id = :call",
            {":call": call_id},
            after,
            IndexName="call",
            ScanIndexForward=False,
            Limit=most,
        )

    def phrases_of(self, day: str, prefix: str, after: Key | None, most: int | None) -> tuple[list[Row], Key | None]:
        """What was said on a day and begins so, in the order of the phrases; at most so many, or as a query gives."""
        begins = {":prefix": prefix} if prefix else {}
        return self._query(
            self._highlights,
            "#day = :day" + (" AND begins_with(phrase, :prefix)" if prefix else ""),
            {":day": day, **begins},
            after,
            IndexName="day",
            ExpressionAttributeNames={"#day": "day"},
            **({"Limit": most} if most else {}),
        )

    def tallies(self, days: Sequence[str]) -> dict[str, Count]:
        """What was counted of the large ones of these days."""
        shape: Any = {"ProjectionExpression": "#name, counted", "ExpressionAttributeNames": {"#name": "name"}}
        items = batch_get(self._dynamodb, self._flow, [tally_key(day) for day in days], **shape)
        return {tally.day: tally.counted for tally in map(tally_of, items) if tally.counted}

    def saying(self, phrase: str, after: Key | None, most: int) -> tuple[list[Row], Key | None]:
        """Who says a phrase, newest first, at most so many."""
        return self._query(
            self._highlights,
            "phrase = :phrase",
            {":phrase": phrase},
            after,
            IndexName="phrase",
            ScanIndexForward=False,
            Limit=most,
        )

    def items(self, keys: Sequence[tuple[str, int]]) -> list[Row]:
        """The whole items of these phrases of recordings, those that there are, in any order."""
        wanted = [
            {"recording_id": recording_id, "position": position} for recording_id, position in dict.fromkeys(keys)
        ]
        return list(batch_get(self._dynamodb, self._highlights, wanted))

    def audio_url(self, row: Mapping[str, Any]) -> str:
        """Where the audio of a recording can be had, this version of it and no other, for PRESIGNED_SECONDS."""
        which = {"Bucket": row["bucket"], "Key": row["key"], "ResponseContentDisposition": "inline"}
        return self._presigned(which | ({"VersionId": row["version_id"]} if row.get("version_id") else {}))

    def file_url(self, uri: str) -> str:
        """Where a file of the results bucket can be had for PRESIGNED_SECONDS."""
        return self._presigned(_place(uri))

    def read(self, uri: str) -> bytes:
        """A file of the results bucket. Raises ResultGone where it is not there any more."""
        try:
            return client("s3", config=FOR_PRESIGNING).get_object(**_place(uri))["Body"].read()  # type: ignore[arg-type]
        except ClientError as error:
            # Who may not list a bucket is denied what is not there.
            if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "AccessDenied"):
                raise ResultGone(uri) from error
            raise

    def _presigned(self, which: Mapping[str, str]) -> str:
        return client("s3", config=FOR_PRESIGNING).generate_presigned_url(
            "get_object", Params=which, ExpiresIn=PRESIGNED_SECONDS
        )

    def _query(
        self, table: str, condition: str, values: Mapping[str, Any], after: Key | None, **more: Any
    ) -> tuple[list[Row], Key | None]:
        start: Any = {"ExclusiveStartKey": to_item(after)} if after else {}
        answer: Any = self._dynamodb.query(
            TableName=table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=to_item(values),
            **start,
            **more,
        )
        last = answer.get("LastEvaluatedKey")
        return [from_item(item) for item in answer["Items"]], _plain(from_item(last)) if last else None


def _plain(key: Key) -> Key:
    """With whole numbers as such."""
    return {name: value if isinstance(value, str) else int(value) for name, value in key.items()}


def _place(uri: str) -> dict[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}
