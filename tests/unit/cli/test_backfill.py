"""What a back-fill sends, how many at once, and that one who is killed goes on."""

import itertools
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from audio_highlights.models import Upload
from cli.backfill import Backfill, Progress

MOST_BYTES = 1000


class Bucket:
    """Objects, and the rows that the pipeline makes of what is sent; so many end at each pause."""

    def __init__(self, number: int, at_each_pause: int = 3) -> None:
        self.objects = [Upload("calls", f"{one:03}.mp3", None, f"e{one}", 100) for one in range(number)]
        self.rows: dict[str, str] = {}
        self.queue: list[str] = []
        self.paid: list[str] = []
        self.most_open = 0
        self._at_each_pause = at_each_pause

    def states(self, recording_ids: Collection[str]) -> Mapping[str, str]:
        return {one: self.rows[one] for one in recording_ids if one in self.rows}

    def send(self, event: Mapping[str, Any]) -> None:
        self.queue.append(Upload.from_event(event).recording_id)
        under_way = {*self.queue, *(one for one, state in self.rows.items() if state == "processing")}
        self.most_open = max(self.most_open, len(under_way))

    def pause(self) -> None:
        for one in [one for one, state in self.rows.items() if state == "processing"][: self._at_each_pause]:
            self.rows[one] = "completed"
        for one in self.queue:
            if one not in self.rows:  # the row is the lock
                self.paid.append(one)
                self.rows[one] = "processing"
        self.queue.clear()

    def backfill(self, limit: int | None = None) -> Backfill:
        return Backfill(
            objects=lambda: self.objects, states=self.states, send=self.send, most_bytes=MOST_BYTES, limit=limit
        )

    def run(self, most_pending: int = 5, limit: int | None = None) -> Progress:
        *_, last = self.backfill(limit).run(most_pending, 60, self.pause)
        return last


def test_all_are_sent_once_and_never_too_many_are_open() -> None:
    bucket = Bucket(50)
    last = bucket.run(most_pending=7)
    assert (last.sent, last.ended, last.pending) == (50, 50, set())
    assert len(bucket.paid) == len(set(bucket.paid)) == 50
    assert bucket.most_open == 7


def test_one_who_is_killed_at_any_moment_goes_on_and_nothing_is_paid_twice() -> None:
    for killed_after in range(0, 60, 7):
        bucket = Bucket(20)
        for _ in itertools.islice(bucket.backfill().run(5, 60, bucket.pause), killed_after):
            pass
        bucket.run()
        assert sorted(bucket.paid) == sorted(upload.recording_id for upload in bucket.objects)
        assert set(bucket.rows.values()) == {"completed"}
        assert bucket.most_open <= 10  # what the killed one had sent, and may have no row yet, is not seen


def test_what_is_open_already_counts_among_those_in_work_and_is_not_sent() -> None:
    bucket = Bucket(10)
    bucket.rows = {upload.recording_id: "processing" for upload in bucket.objects[:5]}
    last = bucket.run(most_pending=5)
    assert (last.sent, last.ended) == (5, 10)
    assert bucket.most_open == 5


def test_what_ended_badly_is_left_to_retry() -> None:
    bucket = Bucket(3)
    bucket.rows = {bucket.objects[0].recording_id: "failed", bucket.objects[1].recording_id: "ignored"}
    assert bucket.run().sent == 1


def test_the_plan_counts_and_changes_nothing() -> None:
    bucket = Bucket(10)
    bucket.rows = {bucket.objects[0].recording_id: "completed"}
    bucket.objects += [Upload("calls", "folder/", None, "e", 0), Upload("calls", "film.mov", None, "f", MOST_BYTES + 1)]
    plan = bucket.backfill().plan()
    assert (plan.objects, plan.known, plan.unusable, plan.missing, plan.sizes) == (12, 1, 2, 9, {"mp3": 900})
    assert bucket.queue == []
    assert bucket.backfill(limit=4).plan().sizes == {"mp3": 400}
    assert bucket.run(limit=4).sent == 4


def test_where_nothing_ends_it_gives_up_and_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(1)
    ticks = itertools.count(step=30)
    monkeypatch.setattr("time.monotonic", lambda: next(ticks))
    with pytest.raises(TimeoutError, match=bucket.objects[0].recording_id):
        list(bucket.backfill().run(5, 60, lambda: None))
