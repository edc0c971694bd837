"""What DynamoDB takes for a write and a read, by the rules that AWS documents: sizes, units, indexes, transactions."""

import math
from base64 import b64decode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

type Item = Mapping[str, Mapping[str, Any]]
"""As DynamoDB's client has it: {"count": {"N": "3"}}."""

_WRITE_BYTES = 1024
_READ_BYTES = 4096
_STORED_BESIDE = 100  # bytes that are stored with each item, and with each of its copies in an index


@dataclass(frozen=True, slots=True)
class Index:
    """A secondary index. `projected` is None where all attributes are."""

    keys: frozenset[str]
    projected: frozenset[str] | None

    def entry(self, item: Item | None) -> Item | None:
        """What the index holds of an item; nothing where that lacks a key of the index."""
        if item is None or not self.keys <= item.keys():
            return None
        return {name: value for name, value in item.items() if self.projected is None or name in self.projected}

    def write_units(self, before: Item | None, after: Item | None) -> int:
        """For a change of an item: a key that changes is a deletion and a new entry, what stays as it is is free."""
        old, new = self.entry(before), self.entry(after)
        if old == new:
            return 0
        if old and new and all(old[key] == new[key] for key in self.keys):
            return max(_write_units(old), _write_units(new))
        return sum(_write_units(entry) for entry in (old, new) if entry)


@dataclass(frozen=True, slots=True)
class Charged:
    """A table as far as its charges go."""

    name: str
    keys: frozenset[str]
    indexes: Collection[Index]

    @classmethod
    def described(cls, table: Mapping[str, Any]) -> Self:
        """From what DescribeTable says, or CreateTable is told."""
        keys = _names(table["KeySchema"])
        indexes = []
        for index in table.get("GlobalSecondaryIndexes", ()):
            own, projection = _names(index["KeySchema"]), index["Projection"]
            every = projection["ProjectionType"] == "ALL"
            indexes.append(Index(own, None if every else own | keys | set(projection.get("NonKeyAttributes", ()))))
        return cls(table["TableName"], keys, indexes)

    def write_units(self, before: Item | None, after: Item | None, *, transaction: bool = False) -> int:
        """For a write: by the larger of the item before and after, twice in a transaction, and once in each index."""
        of_item = max(_write_units(one) for one in (before or {}, after or {}))
        return of_item * (2 if transaction else 1) + sum(index.write_units(before, after) for index in self.indexes)

    def stored_bytes(self, item: Item) -> int:
        """What an item takes, with its copies in the indexes."""
        entries = (item, *filter(None, (index.entry(item) for index in self.indexes)))
        return sum(item_bytes(entry) + _STORED_BESIDE for entry in entries)


def item_bytes(item: Item) -> int:
    """Names and values."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def read_units(size_bytes: int, *, consistent: bool) -> float:
    """For so many bytes; nothing found is read too."""
    return max(1, math.ceil(size_bytes / _READ_BYTES)) * (1 if consistent else 0.5)


def _write_units(item: Item) -> int:
    return max(1, math.ceil(item_bytes(item) / _WRITE_BYTES))


def _names(schema: Collection[Mapping[str, str]]) -> frozenset[str]:
    return frozenset(key["AttributeName"] for key in schema)


def _value_bytes(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    match kind:
        case "S":
            size = len(content.encode("utf-8", "surrogatepass"))
        case "N":
            size = _number_bytes(content)
        case "B":
            size = len(content if isinstance(content, bytes) else b64decode(content))
        case "SS" | "NS" | "BS":
            size = sum(_value_bytes({kind[0]: one}) for one in content)
        case "L":
            size = 3 + sum(1 + _value_bytes(one) for one in content)
        case "M":
            size = 3 + sum(1 + len(name.encode()) + _value_bytes(one) for name, one in content.items())
        case _:  # NULL and BOOL
            size = 1
    return size


def _number_bytes(text: str) -> int:
    """Two significant digits take a byte, the number one more, and one more below zero."""
    digits = text.lstrip("-").partition("E")[0].replace(".", "").strip("0")
    return math.ceil(len(digits) / 2) + 1 + text.startswith("-")
