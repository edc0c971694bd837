"""docs/faults.md and the tests say the same: each fault has a test with its number, and each number is a fault."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+) \| (.+) \| (.+) \| `(test_\w+)` \|$", re.MULTILINE)
NUMBERED = re.compile(r"test_((?:\d+_(?:and_)?)+)")

FAULTS = {int(number): test for number, _, _, test in ROW.findall((ROOT / "docs" / "faults.md").read_text())}


def numbers(name: str) -> set[int]:
    """The faults that a test says it plays: 26 and 27 of `test_26_27_a_transcript...`."""
    found = NUMBERED.match(name)
    return {int(number) for number in re.findall(r"\d+", found[1])} if found else set()


@functools.cache
def collected() -> dict[str, set[int]]:
    """All functions that pytest takes for tests, with their faults."""
    return {
        node.name: numbers(node.name)
        for file in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_the_list_has_no_gap() -> None:
    assert sorted(FAULTS) == list(range(1, 89))


def test_every_fault_has_a_test_with_its_number_and_every_number_is_a_fault() -> None:
    assert set().union(*collected().values()) == set(FAULTS)


@pytest.mark.parametrize("number", sorted(FAULTS))
def test_the_test_that_the_list_names_is_there_and_has_the_number(number: int) -> None:
    assert number in collected().get(FAULTS[number], set())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("test_7_a_key", {7}),
        ("test_26_27_a_transcript", {26, 27}),
        ("test_49_and_50_news", {49, 50}),
        ("test_two_of_24_hours", set()),
    ],
)
def test_the_numbers_of_a_name_are_those_at_its_beginning(name: str, expected: set[int]) -> None:
    assert numbers(name) == expected
