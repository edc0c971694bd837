"""What a request asks for: days, numbers, phrases and cursors, whatever is sent in their place."""

import base64
import json
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_highlights import parameters
from audio_highlights.errors import RequestUnreadable
from audio_highlights.models import folded
from audio_highlights.parameters import Cursor, Period

TODAY = date(2026, 11, 22)
NAMES = ("day", "created_at", "recording_id")
KEY = {"day": "2026-11-20", "created_at": "2026-11-20T16:53:00.123Z", "recording_id": "0" * 32}
PERIOD = Period(date(2026, 11, 1), TODAY)
PARAMETERS = {"status": "failed", "limit": "10"}


# ---- days


def test_without_days_the_last_thirty_are_asked_for() -> None:
    period = Period.of({}, TODAY)
    assert (period.days[0], period.days[-1], len(period.days)) == ("2026-10-24", "2026-11-22", 30)


def test_without_a_first_day_thirty_are_asked_for() -> None:
    assert Period.of({"to": "2026-03-31"}, TODAY).days[0] == "2026-03-02"


def test_without_a_last_day_it_is_today() -> None:
    assert Period.of({"from": "2026-11-21"}, TODAY).days == ["2026-11-21", "2026-11-22"]


def test_one_day_is_a_period() -> None:
    assert Period.of({"from": "2026-11-22", "to": "2026-11-22"}, TODAY).days == ["2026-11-22"]


def test_at_most_92_days_are_read_at_a_time() -> None:
    assert len(Period.of({"from": "2026-08-23"}, TODAY)) == 92
    with pytest.raises(RequestUnreadable, match="93 days"):
        Period.of({"from": "2026-08-22"}, TODAY)


def test_a_period_does_not_end_before_it_begins() -> None:
    with pytest.raises(RequestUnreadable, match=r"`from` \(2026-11-23\) is after"):
        Period.of({"from": "2026-11-23"}, TODAY)


NO_DAYS = [
    "2026-02-30",
    "2026-13-01",
    "20261122",
    "2026-W47-7",
    "2026-11-22T00:00:00Z",
    "0001-01-01",
    "2026-11-22\n",
    "\u0662\u0660\u0662\u0666-11-22",
    "-2026-11-22",
    "heute",
    "9999-12-31",
]


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize("text", NO_DAYS)
def test_what_is_no_day_is_refused(name: str, text: str) -> None:
    with pytest.raises(RequestUnreadable, match=f"`{name}` is not a day"):
        Period.of({name: text}, TODAY)


@given(st.dictionaries(st.sampled_from(["from", "to"]), st.text() | st.dates().map(str)))
def test_whatever_the_days_are_they_are_a_period_or_refused(days: dict[str, str]) -> None:
    try:
        period = Period.of(days, TODAY)
    except RequestUnreadable:
        return
    assert 1 <= len(period.days) <= 92
    assert all(
        date.fromisoformat(one) + timedelta(1) == date.fromisoformat(next_) for one, next_ in _pairs(period.days)
    )


def _pairs(days: list[str]) -> list[tuple[str, str]]:
    return list(pairwise(days))


# ---- numbers, choices, words


@pytest.mark.parametrize("text", ["0", "101", "-1", "1.0", "1e1", " 1", "1_0", "\u0661", "ten", "9" * 5000, "1,1"])
def test_what_is_no_number_in_the_range_is_refused(text: str) -> None:
    with pytest.raises(RequestUnreadable, match="`limit` must be a whole number from 1 to 100"):
        parameters.number("limit", text, usual=50, most=100)


@pytest.mark.parametrize(("text", "expected"), [(None, 50), ("1", 1), ("100", 100), ("007", 7)])
def test_a_number_in_the_range_is_taken(text: str | None, expected: int) -> None:
    assert parameters.number("limit", text, usual=50, most=100) == expected


@pytest.mark.parametrize("text", [None, "Failed", "failed ", "", "exploded"])
def test_what_is_no_choice_is_refused_with_the_choices(text: str | None) -> None:
    with pytest.raises(RequestUnreadable, match="must be one of queued, failed"):
        parameters.choice("status", text, ["queued", "failed"])


def test_a_parameter_without_a_value_is_none() -> None:
    assert parameters.given({"from": "", "to": "2026-11-22", "other": "x"}, "from", "to") == {"to": "2026-11-22"}
    assert parameters.given(None, "from") == {}


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(RequestUnreadable, match="UTF-8"):
        parameters.given({"phrase": "\ud800"}, "phrase")


@pytest.mark.parametrize("text", [" ", "\t\n", "\u3000"])
def test_spaces_are_no_phrase(text: str) -> None:
    with pytest.raises(RequestUnreadable, match="`phrase` is empty"):
        parameters.words("phrase", text)


def test_a_phrase_is_searched_for_as_it_is_stored() -> None:
    assert parameters.words("phrase", "  STRASSE \u00df ") == folded("strasse SS") == "strasse ss"
    assert len(parameters.words("phrase", "\U0001f600" * 4000).encode()) <= 2048


# ---- cursors


def text_of(said: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


def forged(key: Any, days: Any = ("2026-11-01", "2026-11-22"), **more: Any) -> str:
    """A cursor whose digest is right, with whatever in it."""
    said = {"after": key, "days": days, **more} if days is not None else {"after": key, **more}
    said["digest"] = parameters._digest(said, PARAMETERS)  # noqa: SLF001
    return text_of(said)


def read(text: str, **changes: str) -> Cursor:
    return Cursor.read({**PARAMETERS, **changes, "cursor": text}, NAMES, of_days=True)


def test_a_cursor_is_read_as_it_was_written() -> None:
    assert read(Cursor(KEY, PERIOD).text(PARAMETERS)) == Cursor(KEY, PERIOD)
    assert read(Cursor({"day": "2026-11-20"}, PERIOD).text(PARAMETERS)).key == {"day": "2026-11-20"}


def test_a_forger_gets_as_far_as_the_checks() -> None:
    assert read(forged(KEY)) == Cursor(KEY, PERIOD)


def test_a_cursor_fits_into_a_url_as_it_is() -> None:
    key = {"phrase": "\U0001f600" * 500, "completed_at": KEY["created_at"], "recording_id": "0" * 32, "position": 15}
    text = Cursor(key).text({"phrase": "\U0001f600"})
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    asked = {"phrase": "\U0001f600", "cursor": text}
    assert Cursor.read(asked, tuple(key), of_days=False).key == key


@pytest.mark.parametrize("changes", [{"status": "completed"}, {"limit": "11"}, {"from": "2026-11-01"}])
def test_a_cursor_of_another_listing_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(RequestUnreadable, match="same other parameters"):
        read(Cursor(KEY, PERIOD).text(PARAMETERS), **changes)


WRONG_KEYS: list[Any] = [
    None,
    [],
    ["day"],
    "day",
    7,
    {},
    {**KEY, "more": 1},
    {"day": KEY["day"], "created_at": KEY["created_at"]},
    {**KEY, "day": "2026-10-31"},  # not in the period
    {**KEY, "day": ""},
    {**KEY, "day": 20261120},
    {**KEY, "created_at": "now"},
    {**KEY, "created_at": None},
    {**KEY, "recording_id": "0" * 31},
    {**KEY, "recording_id": "0" * 32 + "\n"},
    {**KEY, "recording_id": {"S": "0"}},
]


@pytest.mark.parametrize("key", WRONG_KEYS, ids=str)
def test_a_cursor_with_another_key_is_refused(key: Any) -> None:
    with pytest.raises(RequestUnreadable, match="`cursor`"):
        read(forged(key))


@pytest.mark.parametrize(
    "days", [None, [], ["2026-11-01"], ["2026-11-22", "2026-11-01"], ["2020-01-01", "2026-11-22"], [1, 2], "ab", 7]
)
def test_a_cursor_with_other_days_is_refused(days: Any) -> None:
    with pytest.raises(RequestUnreadable, match="`cursor`"):
        read(forged(KEY, days))


@pytest.mark.parametrize("position", [0, -1, True, 1.0, "1", 10**9, None])
def test_a_cursor_with_another_position_is_refused(position: Any) -> None:
    names = ("phrase", "completed_at", "recording_id", "position")
    key = {"phrase": "x", "completed_at": KEY["created_at"], "recording_id": "0" * 32, "position": position}
    with pytest.raises(RequestUnreadable, match="`cursor`"):
        Cursor.read({**PARAMETERS, "cursor": forged(key, None)}, names, of_days=False)


@pytest.mark.parametrize("phrase", ["", "x" * 501, "\ud800", 1])
def test_a_cursor_with_another_phrase_is_refused(phrase: Any) -> None:
    key = {"phrase": phrase, "completed_at": KEY["created_at"], "recording_id": "0" * 32, "position": 1}
    with pytest.raises(RequestUnreadable, match="`cursor`"):
        Cursor.read({**PARAMETERS, "cursor": forged(key, None)}, tuple(key), of_days=False)


GARBAGE = [
    "x",
    "=",
    "%%%",
    "null",
    "\u00e9",
    "A" * 4001,
    "A" * 100_000,
    text_of([]),
    text_of(None),
    text_of("text"),
    text_of({}),
    text_of({"digest": ""}),
    text_of({"after": KEY, "days": ["2026-11-01", "2026-11-22"], "digest": "0" * 16}),
    base64.urlsafe_b64encode(b"[" * 5000).decode(),
    base64.urlsafe_b64encode(b'{"digest": ' + b"9" * 5000 + b"}").decode(),
    base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    forged(KEY, more="x"),
]


@pytest.mark.parametrize("text", GARBAGE, ids=lambda text: text[:20])
def test_garbage_is_no_cursor(text: str) -> None:
    with pytest.raises(RequestUnreadable, match="`cursor`"):
        read(text)


@settings(max_examples=300)
@given(st.data())
def test_no_altered_cursor_is_taken(data: st.DataObject) -> None:
    text = Cursor(KEY, PERIOD).text(PARAMETERS)
    place = data.draw(st.integers(0, len(text) - 1))
    altered = text[:place] + data.draw(st.text(max_size=3)) + text[place + data.draw(st.integers(0, 2)) :]
    try:
        found = read(altered)
    except RequestUnreadable:
        return
    # The last character of base64 has bits that say nothing.
    assert found == Cursor(KEY, PERIOD)
