"""What DynamoDB takes for items and writes, held against the examples and rules of its documentation."""

from typing import Any

import pytest

from bench.dynamodb import Charged, Item, item_bytes, read_units

TABLE = Charged.described(
    {
        "TableName": "recordings",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [
            {
                "KeySchema": [
                    {"AttributeName": "shard", "KeyType": "HASH"},
                    {"AttributeName": "due", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["status"]},
            },
        ],
    }
)


def item(**values: str) -> Item:
    return {name: {"S": value} for name, value in values.items()}


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "é"}, 2),
        ({"N": "1000"}, 2),  # one significant digit
        ({"N": "0.07"}, 2),
        ({"N": "-123"}, 4),
        ({"N": "1732320000"}, 4),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"B": b"abc"}, 3),
        ({"SS": ["ab", "c"]}, 3),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"S": "c"}]}, 3 + 2 + 3),
        ({"M": {"start": {"N": "12"}}}, 3 + 1 + 5 + 2),
    ],
)
def test_a_value_takes_its_bytes(value: dict[str, Any], size: int) -> None:
    assert item_bytes({"name": value}) == 4 + size


def test_reads_are_counted_by_4_kb_and_half_where_they_may_be_late() -> None:
    assert [read_units(size, consistent=True) for size in (0, 4096, 4097)] == [1, 1, 2]
    assert read_units(4097, consistent=False) == 1


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        (None, item(id="1"), 1),  # the index holds only what has its keys
        (None, item(id="1", shard="a", due="1"), 2),
        (item(id="1", shard="a", due="1"), item(id="1", shard="a", due="1", reason="x"), 1),  # not projected
        (item(id="1", shard="a", due="1"), item(id="1", shard="a", due="1", status="x"), 2),
        (item(id="1", shard="a", due="1"), item(id="1", shard="a", due="2"), 3),  # deleted and put
        (item(id="1", shard="a", due="1"), item(id="1"), 2),
        (item(id="1", shard="a", due="1"), None, 2),
        (item(id="1"), item(id="1"), 1),  # a condition that fails
        (item(id="1", text="x" * 2000), item(id="1"), 2),  # the larger of both
        (None, item(id="1", shard="a", due="1", text="x" * 3000, status="y" * 1200), 5 + 2),
    ],
)
def test_a_write_takes_the_larger_item_and_what_changes_in_each_index(
    before: Item | None, after: Item | None, units: int
) -> None:
    assert TABLE.write_units(before, after) == units


def test_a_transaction_takes_the_item_twice_and_the_indexes_once() -> None:
    assert TABLE.write_units(None, item(id="1", shard="a", due="1"), transaction=True) == 3


def test_an_item_is_stored_with_its_copies_and_100_bytes_beside_each() -> None:
    assert TABLE.stored_bytes(item(id="1", text="abc")) == 10 + 100
    assert TABLE.stored_bytes(item(id="1", shard="a", due="1", text="abc")) == 20 + 100 + 13 + 100
