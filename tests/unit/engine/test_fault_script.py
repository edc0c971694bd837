"""The script of faults: what is hit, in which order, and what may be written."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.engine.fault_script import ANSWERED_EARLY, COMPLETED_EARLY, Script, read_script
from local.engine.parameters import BadRequestError


def script(*lines: dict[str, Any]) -> Script:
    made = Script()
    made.add(read_script(json.dumps(lines).encode()))
    return made


def hits(made: Script, point: str, *occasions: str) -> list[str | None]:
    taken = [made.take(point, [text]) for text in occasions]
    return [None if fault is None else fault.do for fault in taken]


def test_a_fault_hits_once_unless_told_otherwise() -> None:
    assert hits(script({"on": "create", "do": "503"}), "create", "a", "a") == ["503", None]


def test_skips_come_before_hits() -> None:
    made = script({"on": "create", "do": "503", "times": 2, "skip": 1})
    assert hits(made, "create", "a", "a", "a", "a") == [None, "503", "503", None]


def test_always_never_ends() -> None:
    made = script({"on": "get", "do": "500", "times": "always", "skip": 1})
    assert hits(made, "get", *"abcde") == [None, *["500"] * 4]
    assert made.left() == [{"on": "get", "do": "500", "times": "always"}]


def test_faults_are_used_up_in_the_order_written() -> None:
    made = script({"on": "create", "do": "429", "times": 2}, {"on": "create", "do": "reset"})
    assert hits(made, "create", *"abcd") == ["429", "429", "reset", None]


def test_what_a_fault_lets_pass_meets_the_next() -> None:
    made = script({"on": "create", "do": "429", "skip": 2}, {"on": "create", "do": "500", "times": "always"})
    assert hits(made, "create", *"abcd") == ["500", "500", "429", "500"]


def test_only_the_named_point_and_the_matching_texts_are_hit() -> None:
    made = script({"on": "get", "do": "404", "match": "recording=b", "skip": 1})
    assert hits(made, "delete", "recording=b") == [None]
    assert hits(made, "get", "recording=a", "x?recording=b&y", "recording=a", "recording=b1") == [
        None, None, None, "404",
    ]  # fmt: skip


def test_any_of_the_texts_may_match_and_no_text_matches_nothing() -> None:
    made = script({"on": "job", "do": "error", "match": "hook", "times": "always"})
    assert made.take("job", ["id", None, "http://hook"])
    assert made.take("job", ["id", None]) is None
    assert made.take("job") is None


def test_early_webhooks_strike_at_their_own_points() -> None:
    made = script({"on": "webhook", "do": "early", "before": "completion"}, {"on": "webhook", "do": "lost"})
    assert hits(made, ANSWERED_EARLY, "a") == [None]
    assert hits(made, "webhook", "a", "a") == ["lost", None]
    assert hits(made, COMPLETED_EARLY, "a", "a") == ["early", None]


def test_of_two_like_faults_the_first_goes_first() -> None:
    made = script({"on": "get", "do": "500", "skip": 1}, {"on": "get", "do": "500"})
    assert hits(made, "get", "a") == ["500"]
    assert made.left() == [{"on": "get", "do": "500", "times": 1}]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.sampled_from(["", "a", "b", "ab"])), max_size=5),
    st.lists(st.sampled_from(["a", "b", "ab", "c"]), max_size=25),
)
def test_every_fault_hits_as_often_as_written_and_never_sooner(
    lines: list[tuple[int, int, str]], occasions: list[str]
) -> None:
    made = script(
        *({"on": "get", "do": "500", "skip": skip, "times": times, "match": match, "text": str(number)}
          for number, (skip, times, match) in enumerate(lines)),
    )  # fmt: skip
    taken = [made.take("get", [text]) for text in occasions]
    owners = [None if fault is None else int(fault.options["text"]) for fault in taken]
    for number, (skip, times, match) in enumerate(lines):
        # What reaches this fault is what matches it and was not taken by one before it.
        reached = [
            index for index, text in enumerate(occasions)
            if match in text and not ((owner := owners[index]) is not None and owner < number)
        ]  # fmt: skip
        assert [index for index in reached if owners[index] == number] == reached[skip : skip + times]
    left = {int(line["text"]): line["times"] for line in made.left()}
    assert left == {
        number: times - owners.count(number)
        for number, (_, times, _) in enumerate(lines)
        if owners.count(number) < times
    }


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("{", "The script is not JSON in UTF-8: "),
        ('[{"on": "create", "do": "503", "text": "\\ud800"}]', "The script is not JSON in UTF-8: "),
        ('["503"]', 'Fault 1 must be an object such as {"on": "create", "do": "503"}'),
        ('{"do": "503"}', 'Fault 1: "on" must be one of "upload", "create", "get", "list"'),
        ('[{"on": "get", "do": "500"}, {"on": "get", "do": 500}]', 'Fault 2, on "get": "do" must be one of "400", '),
        ('{"on": "get", "do": "lost"}', 'Fault 1, on "get": "do" must be one of "400", '),
        ('{"on": "get", "do": "500", "seconds": 1}', 'Fault 1, "500" on "get": "seconds" has no meaning here; it '),
        ('{"on": "get", "do": "drip"}', 'Fault 1, "drip" on "get" needs "seconds": a number of seconds, up to a day'),
        ('{"on": "get", "do": "drip", "seconds": NaN}', '"seconds" must be a number of seconds, up to a day'),
        ('{"on": "get", "do": "drip", "seconds": true}', '"seconds" must be a number of seconds, up to a day'),
        ('{"on": "get", "do": "500", "times": 0}', '"times" must be a whole number from 1, or "always"'),
        ('{"on": "get", "do": "500", "times": true}', '"times" must be a whole number from 1, or "always"'),
        ('{"on": "get", "do": "500", "skip": -1}', '"skip" must be a whole number from 0'),
        ('{"on": "get", "do": "500", "match": 1}', '"match" must be a text'),
        ('{"on": "list", "do": "500", "match": "a"}', 'there is no recording to match, leave "match" out'),
        ('{"on": "get", "do": "429", "retry_after": "1\\r\\nX: y"}', '"retry_after" must be a whole number of seconds'),
        ('{"on": "webhook", "do": "early"}', '"early" on "webhook" needs "before": "answer" or "completion"'),
        ('{"on": "webhook", "do": "early", "before": "dawn"}', '"before" must be "answer" or "completion"'),
        ('{"on": "job", "do": "words", "words": 3, "text": "a"}', 'give "text" or "words", not both'),
    ],
)
def test_a_mistake_is_explained(written: str, text: str) -> None:
    with pytest.raises(BadRequestError) as error:
        read_script(written.encode())
    assert text in str(error.value)


_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just("always"))
_EXTRAS = st.dictionaries(
    st.sampled_from(["times", "skip", "match", "seconds", "text", "words", "before", "id", "accepted", "x"]),
    st.one_of(_LEAVES, st.lists(_LEAVES, max_size=2)),
    max_size=3,
)
_LINES = st.builds(
    lambda on, do, extras: {"on": on, "do": do, **extras},
    st.sampled_from(["create", "list", "webhook", "job"]),
    st.sampled_from(["503", "reset", "hang", "early", "late", "wrong-id", "error", "words"]),
    _EXTRAS,
)


@given(st.one_of(st.lists(_LINES, max_size=2), _LEAVES, st.lists(_LEAVES, max_size=2)))
def test_what_is_accepted_is_read_back_as_it_was_meant_and_all_else_is_refused(written: Any) -> None:
    with contextlib.suppress(BadRequestError):
        faults = [fault.as_written() for fault in read_script(json.dumps(written).encode())]
        assert [fault.as_written() for fault in read_script(json.dumps(faults).encode())] == faults
        lines = written if isinstance(written, list) else [written]
        left_out = {"times": 1, "skip": 0, "match": ""}
        assert [{**left_out, **fault} for fault in faults] == [{**left_out, **line} for line in lines]


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(BadRequestError):
        read_script(body)
