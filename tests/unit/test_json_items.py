"""Lists of objects stay text: what is read and written is the same JSON, and what is not JSON is refused as ever."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_highlights.json_items import Items, read, written

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=4)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=3)
DOCUMENTS = st.dictionaries(st.text(), VALUES | st.lists(OBJECTS, min_size=1, max_size=3), max_size=3)


def whole(document: Mapping[str, Any]) -> dict[str, Any]:
    """With the lists as lists."""
    return {name: list(value) if isinstance(value, Items) else value for name, value in document.items()}


def stored(document: Mapping[str, Any]) -> bytes:
    return b"".join(written(document))


@settings(max_examples=60)
@given(DOCUMENTS, st.sampled_from([None, 1]), st.booleans())
def test_a_document_is_what_json_says(document: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    raw = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert whole(read(raw)) == document
    assert json.loads(stored(read(raw))) == document


@given(VALUES.filter(lambda value: not isinstance(value, dict)))
def test_what_is_no_object_is_what_json_says(value: Any) -> None:
    assert read(json.dumps(value).encode()) == value


@settings(max_examples=60)
@given(DOCUMENTS, st.data())
def test_what_json_refuses_is_refused(document: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(document)
    place = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 2))
    odd = text[:place] + data.draw(st.sampled_from(["", *'{}[],:" 0-.ex\\', "null", "\u00a0"])) + text[place + cut :]
    try:
        expected = json.loads(odd)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011  each by its own words
            read(odd.encode())
    else:
        found = read(odd.encode())
        assert (whole(found) if isinstance(expected, dict) else found) == expected


@pytest.mark.parametrize(
    "raw",
    [
        b"", b" ", b"{", b'{"a"', b'{"a":', b'{"a":1', b'{"a":1,}', b'{"a":1}}', b'{"a":1} x', b"{1:2}", b"{,}",
        b'{"a":[{}', b'{"a":[{},]}', b'{"a":[{} {}]}', b'{"a":[{}}', b'{"a":[{}:{}]}', b'{"a":[{}]]', b"\xff{}",
    ],
)  # fmt: skip
def test_broken_json_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  each by its own words
        read(raw)


def test_nesting_too_deep_is_refused_in_a_list_too() -> None:
    with pytest.raises(RecursionError):
        read(b'{"a":[{"b":' + b"[" * 200_000 + b"]" * 200_000 + b"}]}")


def test_a_list_of_objects_is_written_as_it_came() -> None:
    came = '{"words":[ {"confidence":0.10, "text":"Z\u00fcrich \\u00e9 \\ud800"},\t{"start":1.0E2} ]}'
    assert stored(read(came.encode())) == came.encode()


def test_other_lists_are_lists() -> None:
    document = read(b'{"none":[],"texts":["a"],"numbers":[1,{}],"lists":[[{}]]}')
    assert document == {"none": [], "texts": ["a"], "numbers": [1, {}], "lists": [[{}]]}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_65_a_list_with_a_number_that_json_does_not_have_is_written_without_it(number: str) -> None:
    document = read(b'{"odd":[{"rank":%s}],"even":[{"rank":0.50}],"one":{"rank":%s}}' % ((number.encode(),) * 2))
    assert stored(document) == b'{"odd":[{"rank":null}],"even":[{"rank":0.50}],"one":{"rank":null}}'


def test_of_every_object_the_value_of_one_name_is_given() -> None:
    turns = [{"speaker": "A", "words": [{"speaker": "C"}]}, {"text": "unnamed"}, "B", {"speaker": 7}]
    document = read(json.dumps({"utterances": turns}).encode())
    assert list(document["utterances"].each("speaker")) == ["A", None, 7]


def test_a_list_can_be_read_and_written_more_than_once() -> None:
    document = read(b'{"words":[{"text":"a"},{"text":"b"}]}')
    assert list(document["words"]) == list(document["words"]) == [{"text": "a"}, {"text": "b"}]
    assert stored(document) == stored(document)


def test_of_two_members_with_one_name_the_last_counts() -> None:
    assert stored(read(b'{"a":[{}],"b":1,"a":2}')) == stored({"a": 2, "b": 1}) == b'{"a":2,"b":1}'


def test_a_list_shows_none_of_its_words() -> None:
    assert "secret" not in repr(read(b'{"words":[{"text":"secret"}]}'))


def test_a_document_can_be_empty() -> None:
    assert (read(b"{ }"), stored({})) == ({}, b"{}")
