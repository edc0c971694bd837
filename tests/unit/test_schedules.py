"""Orders of events that have a name: each is played as it is told."""

import contextlib
import itertools
import math
import random
from typing import TYPE_CHECKING

import pytest

from audio_highlights.errors import RecordingInWork, RequestRefused
from audio_highlights.models import Finished, Status, Upload
from audio_highlights.workflow import HIGHLIGHTS_READY, RECORDING_FAILED, Outcome
from tests.fakes import LEASE_SECONDS, OVERDUE_SECONDS, Crash, World
from tests.unit.traffic import RESULT, Message, Traffic

if TYPE_CHECKING:
    from collections.abc import Callable

ORDERS = list(itertools.permutations(["the id", "the webhook", "the sweep"]))


def ended_once(world: World, upload: Upload) -> None:
    assert world.row(upload)["status"] is Status.COMPLETED
    assert world.provider.paid == ["t1"]
    assert len(world.told(HIGHLIGHTS_READY)) == 1
    assert not world.told(RECORDING_FAILED)
    assert not world.in_flight.holders


# ---- the lease shorter than a slow POST


def test_36_40_a_post_that_takes_longer_than_the_lease_is_adopted_by_the_next_attempt() -> None:
    world = World()
    upload = world.media.put()
    others: list[Outcome] = []

    def next_attempt() -> None:
        world.provider.during_create = lambda: None
        world.clock.advance(LEASE_SECONDS)
        others.append(world.submit(upload)[0])

    world.provider.during_create = next_attempt
    world.submit(upload)
    assert others == [Outcome.ADOPTED]
    row = world.row(upload)
    assert (row["transcript_id"], row["attempt"]) == ("t1", 2)
    assert "extra_transcripts" not in row
    world.provider.end("t1", auto_highlights_result=RESULT)
    world.deliver(Finished(upload.recording_id, 1, "t1"))
    ended_once(world, upload)


@pytest.mark.parametrize("first", ["t1", "t2"])
def test_36_40_70_a_post_that_lands_after_the_list_was_read_is_an_extra_transcript_and_deleted(first: str) -> None:
    """The first attempt dies with its answer; whichever transcript ends first is the recording's."""
    world = World()
    upload = world.media.put()
    world.journal.crash_after = "create"
    with pytest.raises(Crash):
        world.submit(upload)
    world.clock.advance(LEASE_SECONDS)
    world.provider.unlisted = {"t1"}
    assert world.submit(upload)[0] is Outcome.SUBMITTED
    news = {"t1": Finished(upload.recording_id, 1, "t1"), "t2": Finished(upload.recording_id, 2, "t2")}
    other = "t2" if first == "t1" else "t1"
    outcomes = []
    for transcript_id in (first, other):
        world.provider.end(transcript_id, auto_highlights_result=RESULT)
        outcomes.append(world.deliver(news[transcript_id])[0])
    assert outcomes == [Outcome.COMPLETED, Outcome.EXTRA]
    assert world.row(upload)["transcript_id"] == first
    assert (world.provider.deleted, world.row(upload)["extra_transcripts"]) == ([other], {other})
    assert len(world.told(HIGHLIGHTS_READY)) == 1


@pytest.mark.parametrize("effect", ["note extra", "delete"])
def test_40_70_an_extra_transcript_is_named_and_deleted_though_submit_dies_over_it(effect: str) -> None:
    world = World()
    upload = world.media.put()

    def next_attempt() -> None:
        world.provider.during_create = lambda: None
        world.clock.advance(LEASE_SECONDS)
        world.provider.unlisted = {"t1"}
        world.submit(upload)
        world.journal.crash_after = effect

    world.provider.during_create = next_attempt
    with pytest.raises(Crash):
        world.submit(upload)
    for transcript_id, attempt in (("t2", 2), ("t1", 1)):
        if transcript_id in world.provider.jobs:
            world.provider.end(transcript_id, auto_highlights_result=RESULT)
        world.deliver(Finished(upload.recording_id, attempt, transcript_id))
    assert world.row(upload)["transcript_id"] == "t2"
    assert (world.provider.deleted, world.row(upload)["extra_transcripts"]) == (["t1"], {"t1"})


@pytest.mark.parametrize("effect", ["note extra", "delete"])
def test_66_70_an_extra_transcript_is_named_and_deleted_though_results_dies_over_it(effect: str) -> None:
    world = World()
    first = world.submitted()
    world.provider.jobs["t2"] = {**world.provider.jobs["t1"], "id": "t2"}
    for transcript_id in ("t1", "t2"):
        world.provider.end(transcript_id, auto_highlights_result=RESULT)
    world.deliver(first)
    second = Finished(first.recording_id, 1, "t2")
    world.journal.crash_after = effect
    with pytest.raises(Crash):
        world.deliver(second)
    world.deliver(second, redelivered=True)
    assert (world.provider.deleted, world.row(first)["extra_transcripts"]) == (["t2"], {"t2"})


# ---- submits at once


def test_1_40_of_three_submits_at_once_one_asks_and_the_others_come_again() -> None:
    world = World()
    upload = world.media.put()

    def others() -> None:
        for _ in range(2):
            with pytest.raises(RecordingInWork):
                world.submit(upload)

    world.provider.during_create = others
    assert world.submit(upload)[0] is Outcome.SUBMITTED
    assert [world.submit(upload, redelivered=True)[0] for _ in range(2)] == [Outcome.DUPLICATE] * 2
    assert world.provider.paid == ["t1"]


# ---- the sweep against a live submit


def test_21_71_what_a_sweep_sends_during_a_slow_submit_pays_for_nothing() -> None:
    world = World()
    upload = world.media.put()
    outcomes: list[Outcome] = []

    def sweep() -> None:
        world.provider.during_create = lambda: None
        world.clock.advance(LEASE_SECONDS)
        world.sweeper.sweep(until=math.inf)
        outcomes.extend(world.submit(called)[0] for called in world.called())

    world.provider.during_create = sweep
    world.submit(upload)
    assert outcomes == [Outcome.ADOPTED]
    assert world.provider.paid == ["t1"]
    assert world.in_flight.holders == {upload.recording_id}


# ---- the id, the webhook and the sweep


@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
def test_48_50_71_the_id_the_webhook_and_the_sweep_may_come_in_any_order(order: tuple[str, ...]) -> None:
    world = World()
    upload = world.media.put()

    def webhook() -> None:
        world.deliver(Finished(upload.recording_id, 1, "t1"))

    def sweep() -> None:
        world.clock.advance(OVERDUE_SECONDS)
        world.sweeper.sweep(until=math.inf)

    steps: dict[str, Callable[[], None]] = {"the webhook": webhook, "the sweep": sweep}
    recorded = order.index("the id")

    def before_the_id() -> None:
        world.provider.end("t1", auto_highlights_result=RESULT)
        for step in order[:recorded]:
            steps[step]()

    world.provider.during_create = before_the_id
    world.submit(upload)
    for step in order[recorded + 1 :]:
        steps[step]()
    for body in world.queue.sent:
        world.deliver(Finished.from_body(body))
    for called in world.called():
        assert world.submit(called)[0] is Outcome.DUPLICATE
    ended_once(world, upload)


def test_50_a_webhook_after_the_sweep_finished_it_changes_nothing() -> None:
    world = World()
    finished = world.submitted()
    world.provider.end("t1", auto_highlights_result=RESULT)
    world.clock.advance(OVERDUE_SECONDS)
    world.sweeper.sweep(until=math.inf)
    assert world.deliver(Finished.from_body(world.queue.sent[0]))[0] is Outcome.COMPLETED
    row, effects = dict(world.row(finished)), list(world.journal.effects)
    assert world.deliver(finished)[0] is Outcome.DUPLICATE
    assert (world.row(finished), world.journal.effects) == (row, effects)


# ---- a message that comes back after all is over


@pytest.mark.parametrize("status", ["completed", "error"])
def test_22_a_dead_letter_that_is_sent_back_after_the_row_ended_pays_for_nothing(status: str) -> None:
    world = World()
    finished = world.submitted()
    upload = world.media.put("another.wav")
    world.provider.end("t1", status, auto_highlights_result=RESULT)
    world.deliver(finished)
    row = dict(world.row(finished))
    assert world.submit(Upload.from_event(upload_event(world, finished)), redelivered=True)[0] is Outcome.DUPLICATE
    assert world.row(finished) == row
    assert len(world.provider.asked) == 1
    assert world.submit(upload)[0] is Outcome.SUBMITTED


def upload_event(world: World, finished: Finished) -> object:
    recording = world.ledger.get(finished.recording_id)
    assert recording
    return recording.upload.event()


def test_22_a_dead_letter_of_a_recording_that_failed_tells_its_failure_again() -> None:
    world = World()
    upload = world.media.put()
    world.provider.refusals.append(RequestRefused("400"))
    world.submit(upload)
    world.submit(upload, redelivered=True)
    assert [told["reason"] for told in world.told(RECORDING_FAILED)] == ["400", "400"]
    assert not world.provider.asked


def test_22_a_dead_letter_whose_first_tries_failed_is_submitted() -> None:
    world = World()
    upload = world.media.put()
    world.journal.crash_after = "enter"
    with pytest.raises(Crash):
        world.submit(upload)
    world.clock.advance(86_400)
    assert world.submit(upload, redelivered=True)[0] is Outcome.SUBMITTED
    assert world.provider.paid == ["t1"]


# ---- all of them, more than once and in no order


@pytest.mark.parametrize("seed", range(20))
def test_1_2_42_46_messages_that_come_up_to_three_times_in_any_order_change_nothing(seed: int) -> None:
    chance = random.Random(seed)
    world = World(most=2)
    uploads = [world.media.put(f"{number}.wav") for number in range(6)]
    traffic = Traffic(world, *uploads)
    traffic.events = [Message(upload) for upload in uploads for _ in range(chance.randint(1, 3))]
    for _ in range(2000):
        steps: list[Callable[[], None]] = [lambda: world.clock.advance(60), traffic.sweep]
        if traffic.events:
            steps += [lambda: traffic.submit(chance.choice(traffic.events))] * 3
        if traffic.working():
            steps.append(lambda: traffic.end(chance.choice(traffic.working())))
        if traffic.news:
            steps.append(lambda: traffic.deliver(chance.choice(traffic.news), twice=chance.random() < 0.4))
        chance.choice(steps)()
        if {traffic.row(upload).get("status") for upload in uploads} == {Status.COMPLETED} and not traffic.events:
            break
    with contextlib.suppress(IndexError):
        while True:
            traffic.deliver(traffic.news[0])
    assert [world.row(upload)["status"] for upload in uploads] == [Status.COMPLETED] * 6
    assert len(world.provider.paid) == 6
    assert len(world.results.files) == 12
    assert {told["recording_id"] for told in world.told(HIGHLIGHTS_READY)} == set(traffic.uploads)
    assert not world.in_flight.holders
