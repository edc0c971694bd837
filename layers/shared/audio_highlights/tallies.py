"""The tallies of large days, an item of the FlowTable each; and the index that they are counted from.

Uses boto3, as storage does; a module of its own, because most functions have no use for it when they start.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from audio_highlights.storage import client, from_item, to_item
from audio_highlights.tally import LARGE, Count, Tally, packed, unpacked

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

_TALLY = "tally "
_COUNTED = {f"#{name}": name for name in ("recording_id", "phrase", "text", "count")}


class Tallies:
    """Both of them, for who counts."""

    def __init__(self, flow_table: str, highlights_table: str) -> None:
        self._flow = flow_table
        self._highlights = highlights_table
        self._client: DynamoDBClient = client("dynamodb")

    def read(self, day: str) -> Tally:
        """The tally as it is now (a consistent read)."""
        key = to_item(tally_key(day))
        answer = self._client.get_item(TableName=self._flow, Key=key, ConsistentRead=True)
        return tally_of(from_item(answer["Item"])) if "Item" in answer else Tally(day)

    def write(self, tally: Tally) -> bool:
        """Write it in the place of the generation that it comes from; False if that is not the present one any more.

        False also where it was written and the answer was lost: whoever wrote must not mind to do so again.
        """
        item = {
            **tally_key(tally.day),
            "generation": tally.generation + 1,
            "deleted_at": tally.deleted_at and tally.deleted_at.isoformat(),
            "counted": _kept(tally.counted),
            "under_way": _kept(tally.under_way),
        }
        condition: Any = {"ConditionExpression": "attribute_not_exists(#name)"}
        condition["ExpressionAttributeNames"] = {"#name": "name"}
        if tally.generation:
            condition = {"ConditionExpression": "generation = :before"}
            condition["ExpressionAttributeValues"] = to_item({":before": tally.generation})
        try:
            self._client.put_item(TableName=self._flow, Item=to_item(item), **condition)
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def is_large(self, day: str) -> bool:
        """Whether more was said on a day than is counted when somebody asks."""
        answer = self._client.query(
            TableName=self._highlights,
            IndexName="day",
            Select="COUNT",
            Limit=LARGE + 1,
            KeyConditionExpression="#day = :day",
            ExpressionAttributeNames={"#day": "day"},
            ExpressionAttributeValues=to_item({":day": day}),
        )
        return answer["Count"] > LARGE

    def phrases(self, day: str, beyond: str | None) -> Iterator[list[dict[str, Any]]]:
        """What was said on a day, in the order of the phrases, page by page; only what comes beyond one, if given."""
        values = {":day": day, **({":beyond": beyond} if beyond else {})}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._highlights,
            IndexName="day",
            ProjectionExpression=", ".join(_COUNTED),
            KeyConditionExpression="#day = :day" + (" AND #phrase > :beyond" if beyond else ""),
            ExpressionAttributeNames={**_COUNTED, "#day": "day"},
            ExpressionAttributeValues=to_item(values),
        )
        for page in pages:
            yield [from_item(item) for item in page["Items"]]


def tally_key(day: str) -> dict[str, str]:
    """Of the tally of a day, in the FlowTable."""
    return {"name": _TALLY + day}


def tally_of(item: Mapping[str, Any]) -> Tally:
    """A tally, from its item or a part of it."""
    return Tally(
        item["name"].removeprefix(_TALLY),
        int(item.get("generation", 0)),
        _count(item.get("counted")),
        _count(item.get("under_way")),
        datetime.fromisoformat(item["deleted_at"]) if "deleted_at" in item else None,
    )


def _kept(count: Count | None) -> dict[str, Any] | None:
    if count is None:
        return None
    return {
        "begun_at": count.begun_at.isoformat(),
        "said": packed(count.said),
        "left_out": count.left_out,
        "ms": round(1000 * count.seconds),
        "through": count.through,
    }


def _count(kept: Mapping[str, Any] | None) -> Count | None:
    if kept is None:
        return None
    return Count(
        datetime.fromisoformat(kept["begun_at"]),
        unpacked(kept["said"].value),
        int(kept["left_out"]),
        int(kept["ms"]) / 1000,
        kept["through"],
    )
