"""Large days are counted ahead, as a page would count them: by as many sweeps as it takes, without what is deleted."""

import itertools
import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_highlights import tally
from audio_highlights.errors import StorageBusy
from audio_highlights.models import folded
from audio_highlights.tallies import tally_of
from audio_highlights.tally import Said, Tallier, Tally, packed, said, unpacked
from tests.fakes import Clock, FakeTallies, Journal

TODAY = "2026-11-22"  # of the clock
YESTERDAY = "2026-11-21"
FIVE_MINUTES = 300


class Days:
    """Recordings of some days, the index of their phrases, and what is counted of them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.tallies = FakeTallies(Journal())
        self.tallies.large = 0
        self.tallies.page = 2
        self.tallier = Tallier(self.tallies, self.clock)
        self.numbers = itertools.count()

    def say(self, *texts: str, day: str = TODAY) -> str:
        """A recording that says this; returns its id."""
        recording_id = f"r{next(self.numbers)}"
        for position, text in enumerate(texts):
            self.tallies.rows[recording_id, position] = {
                "recording_id": recording_id,
                "phrase": folded(text),
                "text": text,
                "count": 1 + position,
                "day": day,
            }
        return recording_id

    def delete(self, recording_id: str) -> None:
        """As the Deleter does."""
        self.tallier.forget(self.of(recording_id))
        self.vanish(recording_id)

    def of(self, recording_id: str) -> list[dict[str, Any]]:
        return [row for (of, _), row in self.tallies.rows.items() if of == recording_id]

    def vanish(self, recording_id: str) -> None:
        """From the index, which follows the table a moment later."""
        for key in [key for key in self.tallies.rows if key[0] == recording_id]:
            del self.tallies.rows[key]

    def count(self, seconds: float = math.inf) -> int:
        return self.tallier.count(until=seconds)

    def counted(self, day: str = TODAY) -> list[tuple[str, int, int]] | None:
        count = self.tallies.read(day).counted
        return None if count is None else [(one.phrase, one.recordings, one.count) for one in count.said]

    def live(self, day: str = TODAY) -> list[tuple[str, int, int]]:
        rows = sorted((row for row in self.tallies.rows.values() if row["day"] == day), key=lambda row: row["phrase"])
        return [(one.phrase, one.recordings, one.count) for one in sorted(said(rows), key=lambda one: one.order)]


@pytest.fixture
def days() -> Days:
    return Days()


@pytest.fixture
def pages_are_seconds(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page that is read takes a second."""
    monkeypatch.setattr(tally, "time", SimpleNamespace(monotonic=lambda: days.tallies.pages))


def test_a_large_day_is_counted_as_a_page_would_count_it(days: Days) -> None:
    days.say("Refund", "modem")
    days.say("refund", "REFUND", "router")
    days.say("modem", day=YESTERDAY)
    assert days.count() == 2
    assert days.counted() == [("refund", 2, 4), ("router", 1, 3), ("modem", 1, 2)]
    assert days.counted(YESTERDAY) == [("modem", 1, 1)]


def test_a_small_day_has_no_tally(days: Days) -> None:
    days.tallies.large = 2
    days.say("refund", "modem")
    assert days.count() == 0
    assert days.tallies.kept == {}
    days.say("router")
    assert days.count() == 1


def test_today_is_counted_again_after_a_while_that_is_long_where_the_count_is(
    days: Days, pages_are_seconds: None
) -> None:
    for number in range(100):
        days.say(f"phrase {number:02d}")
    assert days.count() == 1  # takes fifty seconds
    days.say("refund")
    days.clock.advance(20 * 50 - 1)
    assert days.count() == 0
    days.clock.advance(1)
    assert days.count() == 1
    assert days.counted() == days.live()


def test_a_day_that_is_over_is_counted_once_more_and_then_left_alone(days: Days) -> None:
    days.say("refund")
    assert days.count() == 1
    days.clock.now = datetime(2026, 11, 23, 0, 5, tzinfo=UTC)
    days.say("modem")  # on its way since before midnight
    assert days.count() == 1
    days.say("router")
    days.clock.advance(600)
    assert days.count() == 1
    assert days.counted() == days.live()
    days.say("never there")
    days.clock.advance(3600)
    assert days.count() == 0


def test_every_day_that_a_page_can_show_comes_round_in_eight_hours(days: Days) -> None:
    asked = [str(days.clock.now.date() - timedelta(ago)) for ago in range(92)]
    for day in asked:
        days.say("refund", day=day)
    days.clock.now = datetime(2026, 11, 22, 1, tzinfo=UTC)
    for _ in range(8 * 12):
        days.count()
        days.clock.advance(FIVE_MINUTES)
    assert all(days.counted(day) for day in asked)


def test_what_no_sweep_can_count_is_counted_by_several(days: Days, pages_are_seconds: None) -> None:
    for number in range(40):
        days.say(f"phrase {number % 13:02d}", *(["refund"] if number % 2 else []))
    sweeps = 1
    while not days.count(days.tallies.pages + 12):
        assert days.counted() is None
        sweeps += 1
        days.clock.advance(FIVE_MINUTES)
    assert sweeps >= 3
    assert days.counted() == days.live()
    count = days.tallies.read(TODAY).counted
    assert count
    assert count.begun_at == Clock().now  # what was said since may be missing
    assert count.seconds >= 30
    assert days.tallies.read(TODAY).under_way is None


def test_a_tally_keeps_the_first_and_says_how_many_it_left_out(
    days: Days, monkeypatch: pytest.MonkeyPatch, pages_are_seconds: None
) -> None:
    monkeypatch.setattr(tally, "MOST_PHRASES", 3)
    chance = random.Random(1)
    for _ in range(60):
        days.say(*{f"phrase {int(chance.paretovariate(0.5)) % 30}" for _ in range(3)})
    while not days.count(days.tallies.pages + 25):
        days.clock.advance(FIVE_MINUTES)
    live = days.live()
    assert days.counted() == live[:3]
    count = days.tallies.read(TODAY).counted
    assert count
    assert count.left_out == len(live) - 3 > 10


def test_a_tally_of_the_longest_phrases_fits_an_item(days: Days) -> None:
    chance = random.Random(2)
    days.tallies.page = 1000
    for _ in range(300):
        days.say(*("".join(chr(chance.randint(0x4E00, 0x9FFF)) for _ in range(500)) for _ in range(5)))
    days.count()
    count = days.tallies.read(TODAY).counted
    assert count
    assert len(packed(count.said)) <= 150_000
    assert len(count.said) + count.left_out == 1500


# ---- deletions


def test_what_only_a_deleted_recording_said_is_gone_at_once_and_the_rest_is_less(days: Days) -> None:
    days.say("refund", "modem")
    alone = days.say("refund", "my name is Ada")
    days.count()
    days.delete(alone)
    assert sorted(days.counted() or ()) == [("modem", 1, 2), ("refund", 1, 1)]


def test_how_only_a_deleted_recording_wrote_a_phrase_is_gone_at_once(days: Days) -> None:
    days.say("refund")
    loud = days.say("REFUND")
    days.count()
    [kept] = days.tallies.read(TODAY).counted.said  # type: ignore[union-attr]
    [kept] = unpacked(packed([kept]))
    assert kept.text == "REFUND"
    days.tallies.kept[TODAY] = Tally(TODAY, 7, days.tallies.read(TODAY).counted)
    days.delete(loud)
    [kept] = days.tallies.read(TODAY).counted.said  # type: ignore[union-attr]
    assert kept == Said("refund", 1, 1, {"refund": 1})


@pytest.mark.parametrize("moment", ["during", "before_write"])
def test_a_count_during_which_something_is_deleted_is_not_kept(days: Days, moment: str) -> None:
    days.say("refund")
    alone = days.say("a name", "modem")
    setattr(days.tallies, moment, lambda: days.delete(alone))
    assert days.count() == 0
    assert days.counted() is None
    assert days.tallies.read(TODAY).under_way is None
    days.clock.advance(FIVE_MINUTES)
    assert days.count() == 1
    assert days.counted() == [("refund", 1, 1)]


def test_a_count_that_several_sweeps_share_begins_anew_after_a_deletion(days: Days, pages_are_seconds: None) -> None:
    alone = days.say("a name")
    for number in range(20):
        days.say(f"phrase {number}")
    days.count(days.tallies.pages + 3)
    assert "a name" in str(days.tallies.read(TODAY).under_way)
    days.delete(alone)
    assert "a name" not in str(days.tallies.read(TODAY))
    days.clock.advance(FIVE_MINUTES)
    assert days.count() == 1
    assert days.counted() == days.live()


def test_no_count_begins_while_the_index_may_still_have_what_was_deleted(days: Days) -> None:
    days.say("refund")
    alone = days.say("a name")
    days.tallier.forget(days.of(alone))  # from the table it goes now, from the index a moment later
    assert days.count() == 0
    days.clock.advance(FIVE_MINUTES - 1)
    assert days.count() == 0
    days.vanish(alone)
    days.clock.advance(1)
    assert days.count() == 1
    assert days.counted() == [("refund", 1, 1)]


def test_a_day_of_which_something_was_deleted_is_counted_again_though_it_is_over(days: Days) -> None:
    days.clock.now = datetime(2026, 11, 23, 9, tzinfo=UTC)
    days.say("refund", "modem")
    alone = days.say("refund", "a name")
    assert days.count() == 1
    days.tallier.forget(days.of(alone))
    days.delete(alone)  # once more, because who did it first died: now it is too few
    days.clock.advance(FIVE_MINUTES)
    assert days.count() == 1
    assert days.counted() == days.live()
    days.clock.advance(3600)
    assert days.count() == 0


def test_of_two_sweeps_at_once_one_counts(days: Days) -> None:
    days.say("refund")
    days.say("modem")
    days.tallies.during = lambda: days.say("late") and days.count()  # the other is faster
    assert days.count() == 0
    assert days.counted() == days.live()


def test_a_deletion_does_not_go_on_while_it_cannot_take_out_what_it_deletes(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = days.say("a name")
    days.count()
    monkeypatch.setattr(days.tallies, "write", lambda _: False)
    with pytest.raises(StorageBusy, match=TODAY):
        days.tallier.forget(days.of(alone))


# ---- whatever happens


PHRASES = st.sampled_from(["a", "A", "b", "ab", "c", "\u00df", "SS"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.lists(PHRASES, min_size=1, max_size=4)),
        st.tuples(st.just("delete"), st.integers(0, 5)),
        st.tuples(st.just("forget"), st.integers(0, 5)),
        st.tuples(st.just("count"), st.integers(1, 4)),
        st.tuples(st.just("wait"), st.sampled_from([60, 300, 3600])),
    ),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=200, deadline=None)
def test_the_tally_is_the_live_count_in_the_end_and_never_has_what_only_a_deleted_one_said(
    steps: Sequence[tuple[str, Any]],
) -> None:
    days = Days()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(tally, "time", SimpleNamespace(monotonic=lambda: days.tallies.pages))
        there: list[str] = []
        deleted: set[str] = set()
        for what, which in steps:
            if what == "say":
                there.append(days.say(*which))
            elif what == "count":
                days.count(days.tallies.pages + which)
            elif what == "wait":
                days.clock.advance(which)
            elif which < len(there) and what == "forget":
                days.tallier.forget(days.of(there[which]))  # and then it dies
            elif which < len(there):
                recording_id = there.pop(which)
                deleted |= {row["phrase"] for row in days.of(recording_id)}
                days.delete(recording_id)
            said_by_others = {row["phrase"] for row in days.tallies.rows.values()}
            kept = days.tallies.read(TODAY)
            names = {one.phrase for count in (kept.counted, kept.under_way) if count for one in count.said}
            assert not names & (deleted - said_by_others)
        days.clock.advance(7200)
        while days.tallies.read(TODAY).is_due(days.clock()) and days.live():
            days.count(days.tallies.pages + 30)
            days.clock.advance(60)
        if days.live():
            assert days.counted() == days.live()


@given(st.lists(st.tuples(st.text(min_size=1), st.integers(1, 10**9), st.integers(1, 10**6)), max_size=50))
def test_what_is_packed_is_unpacked_the_same(phrases: list[tuple[str, int, int]]) -> None:
    kept = tuple(Said(phrase.replace("\ud800", ""), count, most, {phrase: most}) for phrase, count, most in phrases)
    assert unpacked(packed(kept)) == kept


def test_an_item_of_the_table_without_a_count_is_a_tally_without_one() -> None:
    assert tally_of({"name": f"tally {TODAY}", "generation": 3}) == Tally(TODAY, 3)
