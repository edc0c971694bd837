"""A DynamoDB in memory, for more recordings than the local AWS can be filled with in a minute.

boto3 speaks to it as to the real one: its answer comes in the place of the HTTP request. It has the keys and the
projections of template.yaml, and DynamoDB's ways: a page ends after 1 MB or `Limit` rows read, a filter comes after
that, an answer of BatchGetItem ends after 16 MB. Whether both answer and count alike is tried out by
tests/integration/test_many_recordings.py.
"""

import json
import math
import re
import zlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Protocol

import boto3
from botocore.awsrequest import AWSResponse

from bench.dynamodb import item_bytes
from bench.running import forget_clients
from tests.deployed_template import as_written

MEGABYTE = 1024 * 1024
_MOST_OF_A_BATCH = 16 * MEGABYTE
_UNIT = 4096
_LAST = chr(0x10FFFF)
_CONDITION = re.compile(
    r"(?P<hash>#?\w+) = (?P<value>:\w+)"
    r"( AND (begins_with\(#?\w+, (?P<prefix>:\w+)\)|#?\w+ > (?P<beyond>:\w+)"
    r"|#?\w+ BETWEEN (?P<first>:\w+) AND (?P<last>:\w+)))?"
)
_FILTER = re.compile(r"(?P<name>#?\w+) = (?P<value>:\w+)")

type Item = dict[str, Any]
type Place = tuple[Any, ...]
"""Where an item stands in a partition: its sort key, and what else tells it from others with the same."""


class Source(Protocol):
    """What is in the tables; see bench.many_recordings.Archive."""

    def partition(self, table: str, index: str | None, value: str) -> Sequence[Place]: ...
    def place(self, table: str, index: str | None, key: Item) -> Place: ...
    def item(self, table: str, place: Place) -> Item: ...
    def by_key(self, table: str, key: Item) -> Item | None: ...


@dataclass
class Counts:
    """The requests that were sent to DynamoDB, and the read units that they took, eventually consistent."""

    requests: Counter[str] = field(default_factory=Counter)
    units: float = 0
    largest: int = 0  # bytes of the largest answer

    @property
    def total(self) -> int:
        return self.requests.total()


@contextmanager
def counted() -> Iterator[Counts]:
    """Count what the clients that are made meanwhile ask of DynamoDB, whichever it is."""
    counts = Counts()

    def sent(request: Any, **_: Any) -> None:
        counts.requests[_action(request)] += 1

    forget_clients()
    session: Any = boto3.DEFAULT_SESSION
    session.events.register("before-send.dynamodb", sent)
    try:
        yield counts
    finally:
        session.events.unregister("before-send.dynamodb", sent)


def _action(request: Any) -> str:
    target = request.headers["X-Amz-Target"]
    return str(target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]


class Tables:
    """Answers for the tables `RecordingsTable` and `HighlightsTable` from a source, and keeps items of `FlowTable`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._flow: dict[str, Item] = {}
        self._indexes = _indexes()
        self.counts = Counts()

    @contextmanager
    def answering(self) -> Iterator["Counts"]:
        """Answer, and count, what the clients that are made meanwhile ask."""
        with counted() as counts:
            self.counts = counts
            session: Any = boto3.DEFAULT_SESSION
            session.events.register_last("before-send.dynamodb", self._send)
            try:
                yield counts
            finally:
                session.events.unregister("before-send.dynamodb", self._send)

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        asked = json.loads(request.body)
        actions = {
            "Query": self._query,
            "BatchGetItem": self._batch_get,
            "GetItem": self._get,
            "PutItem": self._put,
        }
        answer = actions[_action(request)](asked)
        status = 400 if "__type" in answer else 200
        body = json.dumps(answer).encode()
        self.counts.largest = max(self.counts.largest, len(body))
        headers: Any = {"Content-Type": "application/x-amz-json-1.0", "x-amz-crc32": str(zlib.crc32(body))}
        return AWSResponse(request.url, status, headers, _Raw(body))

    def _query(self, asked: Item) -> Item:
        table, index = asked["TableName"], asked.get("IndexName")
        keys, kept = self._indexes[table, index]
        condition = _CONDITION.fullmatch(asked["KeyConditionExpression"])
        if condition is None:
            raise NotImplementedError(asked["KeyConditionExpression"])
        values = {name: next(iter(value.values())) for name, value in asked["ExpressionAttributeValues"].items()}
        places = self._source.partition(table, index, values[condition["value"]])
        low, high = _bounds(places, condition, values)
        newest_first = asked.get("ScanIndexForward") is False
        if start := asked.get("ExclusiveStartKey"):
            place = self._source.place(table, index, _plain(start))
            if newest_first:
                high = min(high, bisect_left(places, place))
            else:
                low = max(low, bisect_right(places, place))
        numbers = range(high - 1, low - 1, -1) if newest_first else range(low, high)
        items, read, size, last = [], 0, 0, None
        most = asked.get("Limit", math.inf)
        for number in numbers:
            item = self._source.item(table, places[number])
            item = item if kept is None else {name: item[name] for name in kept if name in item}
            size += _size(item)
            read += 1
            items.append(item)
            if read == most or size >= MEGABYTE:
                last = {name: item[name] for name in keys}
                break
        self.counts.units += math.ceil(max(size, 1) / _UNIT) / 2
        if found := _FILTER.fullmatch(asked.get("FilterExpression", "")):
            name = asked.get("ExpressionAttributeNames", {}).get(found["name"], found["name"])
            items = [item for item in items if item[name] == values[found["value"]]]
        answer: Item = {"Count": len(items), "ScannedCount": read}
        if asked.get("Select") != "COUNT":
            answer["Items"] = [_typed(item) for item in _projected(items, asked)]
        if last:
            answer["LastEvaluatedKey"] = _typed(last)
        return answer

    def _batch_get(self, asked: Item) -> Item:
        responses: Item = {}
        unread: Item = {}
        room = _MOST_OF_A_BATCH
        for table, request in asked["RequestItems"].items():
            responses[table], left = [], []
            for key in request["Keys"]:
                item = self._found(table, key)
                if item is None:
                    continue
                room -= item_bytes(item)
                if room < 0:
                    left.append(key)
                    continue
                self.counts.units += math.ceil(item_bytes(item) / _UNIT) / 2
                responses[table] += _projected([item], request)
            if left:
                unread[table] = {**request, "Keys": left}
        return {"Responses": responses, "UnprocessedKeys": unread}

    def _get(self, asked: Item) -> Item:
        item = self._found(asked["TableName"], asked["Key"])
        self.counts.units += math.ceil(item_bytes(item or {}) / _UNIT) / 2
        return {"Item": item} if item else {}

    def _put(self, asked: Item) -> Item:
        """Of the FlowTable only, with the two conditions that a tally is written under."""
        item = asked["Item"]
        there = self._flow.get(item["name"]["S"])
        condition = asked["ConditionExpression"]
        if condition == "attribute_not_exists(#name)":
            refused = there is not None
        elif condition == "generation = :before":
            refused = there is None or there["generation"] != asked["ExpressionAttributeValues"][":before"]
        else:
            raise NotImplementedError(condition)
        if refused:
            return {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}
        self._flow[item["name"]["S"]] = item
        return {}

    def _found(self, table: str, key: Item) -> Item | None:
        if table == "FlowTable":
            return self._flow.get(key["name"]["S"])
        item = self._source.by_key(table, _plain(key))
        return item and _typed(item)


class _Raw(BytesIO):
    """A body as urllib3 gives it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _indexes() -> dict[tuple[str, str | None], tuple[list[str], list[str] | None]]:
    """Of each table and index: the attributes of its keys, and those that it has, or None for all."""
    resources = as_written()["Resources"]
    found: dict[tuple[str, str | None], tuple[list[str], list[str] | None]] = {}
    for table in ("RecordingsTable", "HighlightsTable"):
        properties = resources[table]["Properties"]
        of_table = [key["AttributeName"] for key in properties["KeySchema"]]
        found[table, None] = (of_table, None)
        for index in properties["GlobalSecondaryIndexes"]:
            keys = [*(key["AttributeName"] for key in index["KeySchema"]), *of_table]
            found[table, index["IndexName"]] = (keys, [*keys, *index["Projection"].get("NonKeyAttributes", [])])
    return found


def _bounds(places: Sequence[Place], condition: re.Match[str], values: Mapping[str, str]) -> tuple[int, int]:
    def of(name: str) -> str:
        return values[condition[name]]

    if condition["prefix"]:
        return bisect_left(places, (of("prefix"),)), bisect_left(places, (of("prefix") + _LAST,))
    if condition["beyond"]:
        return bisect_left(places, (of("beyond"), _LAST)), len(places)
    if condition["first"]:
        return bisect_left(places, (of("first"),)), bisect_left(places, (of("last"), _LAST))
    return 0, len(places)


def _projected(items: list[Item], asked: Item) -> list[Item]:
    if "ProjectionExpression" not in asked:
        return items
    real = asked.get("ExpressionAttributeNames", {})
    names = [real.get(name.strip(), name.strip()) for name in asked["ProjectionExpression"].split(",")]
    return [{name: item[name] for name in names if name in item} for item in items]


def _typed(value: Item) -> Item:
    return {name: _wire(one) for name, one in value.items()}


def _wire(value: Any) -> Item:
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float():
            return {"N": str(value)}
        case list():
            return {"L": [_wire(one) for one in value]}
        case dict():
            return {"M": _typed(value)}
    raise TypeError(value)


def _plain(key: Item) -> Item:
    return {name: value["S"] if "S" in value else int(value["N"]) for name, value in key.items()}


def _size(value: Any) -> int:
    """As DynamoDB counts it, nearly."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode())
    if isinstance(value, dict):
        return sum(len(name) + _size(one) for name, one in value.items())
    if isinstance(value, bool):
        return 1
    if isinstance(value, int | float):
        return len(str(value)) // 2 + 2
    return 3 + sum(1 + _size(one) for one in value)
