"""sweep: what has not been heard of in time is asked for, and nothing is paid for twice."""

import math

import pytest

from audio_highlights.errors import ProviderUnavailable, RequestRefused, TranscriptNotFound
from audio_highlights.models import Finished, Status
from audio_highlights.workflow import Outcome, has_ended
from tests.fakes import LEASE_SECONDS, OVERDUE_SECONDS, Crash, World


def sweep(world: World) -> dict[str, int]:
    return world.sweeper.sweep(until=math.inf)


def counts(**some: int) -> dict[str, int]:
    return {"overdue": 0, "ended": 0, "open": 0, "unsubmitted": 0, "unanswered": 0} | some


def test_nothing_is_asked_for_before_its_time() -> None:
    world = World()
    world.submitted()
    world.provider.end("t1")
    world.clock.advance(OVERDUE_SECONDS - 1)
    assert sweep(world) == counts()
    assert not world.queue.sent
    world.clock.advance(1)
    assert sweep(world) == counts(overdue=1, ended=1)


@pytest.mark.parametrize(("status", "expected"), [("completed", Status.COMPLETED), ("error", Status.FAILED)])
def test_a_webhook_that_never_came_is_made_up_for(status: str, expected: Status) -> None:
    world = World()
    finished = world.submitted()
    world.provider.end("t1", status)
    world.clock.advance(OVERDUE_SECONDS)
    sweep(world)
    assert world.queue.sent == [finished.body()]
    world.deliver(Finished.from_body(world.queue.sent[0]))
    assert world.row(finished)["status"] is expected
    world.clock.advance(OVERDUE_SECONDS)
    assert sweep(world) == counts()


def test_a_transcript_that_the_provider_lost_is_reported_as_ended() -> None:
    world = World()
    finished = world.submitted()
    world.provider.jobs.clear()
    world.clock.advance(OVERDUE_SECONDS)
    assert sweep(world) == counts(overdue=1, ended=1)
    world.deliver(Finished.from_body(world.queue.sent[0]))
    assert world.row(finished)["status"] is Status.FAILED


def test_a_transcript_still_at_work_is_looked_at_again_later_and_told_nobody() -> None:
    world = World()
    world.submitted()
    world.clock.advance(OVERDUE_SECONDS)
    assert sweep(world) == counts(overdue=1, open=1)
    assert sweep(world) == counts()
    world.clock.advance(OVERDUE_SECONDS)
    assert sweep(world) == counts(overdue=1, open=1)
    assert not world.queue.sent


def test_a_row_without_a_transcript_is_counted_and_left_to_its_message() -> None:
    world = World()
    upload = world.media.put()
    world.journal.crash_after = 2
    with pytest.raises(Crash):
        world.submit(upload)
    world.clock.advance(OVERDUE_SECONDS)
    assert sweep(world) == counts(overdue=1, unsubmitted=1)
    assert not world.queue.sent
    assert world.submit(upload)[0] is Outcome.ADOPTED


def test_two_sweeps_and_the_webhook_together_end_it_once() -> None:
    world = World()
    finished = world.submitted()
    world.provider.end("t1")
    world.clock.advance(OVERDUE_SECONDS)
    sweep(world)
    world.clock.advance(OVERDUE_SECONDS)
    sweep(world)
    assert len(world.queue.sent) == 2
    for body in [finished.body(), *world.queue.sent]:
        world.deliver(Finished.from_body(body))
    assert len(world.events.told) == 1
    assert len(world.provider.paid) == 1


def test_a_sweep_during_a_submit_disturbs_nothing() -> None:
    world = World()
    upload = world.media.put()

    def overlapping() -> None:
        world.clock.advance(LEASE_SECONDS)
        assert sweep(world) == counts(overdue=1, unsubmitted=1)

    world.provider.during_create = overlapping
    assert world.submit(upload)[0] is Outcome.SUBMITTED
    assert world.row(upload)["transcript_id"] == "t1"


def test_a_queue_that_is_down_leaves_the_row_due() -> None:
    world = World()
    world.submitted()
    world.provider.end("t1")
    world.clock.advance(OVERDUE_SECONDS)
    world.queue.trouble = OSError("SQS is down")
    with pytest.raises(OSError, match="down"):
        sweep(world)
    world.queue.trouble = None
    assert sweep(world) == counts(overdue=1, ended=1)


def test_a_sweep_stops_when_its_time_is_up() -> None:
    world = World()
    for number in range(3):
        world.submitted(f"{number}.wav")
    world.clock.advance(OVERDUE_SECONDS)
    assert world.sweeper.sweep(until=-math.inf) == counts()
    assert sweep(world) == counts(overdue=3, open=3)


def test_one_row_in_trouble_does_not_keep_the_sweep_from_the_others() -> None:
    world = World()
    first = world.submitted("a.wav")
    second = world.submitted("b.wav")
    world.provider.get_troubles["t1"] = RequestRefused("AssemblyAI refuses the request (403)")
    for transcript_id in ("t1", "t2"):
        world.provider.end(transcript_id)
    world.clock.advance(OVERDUE_SECONDS)
    assert sweep(world) == counts(overdue=2, ended=1, unanswered=1)
    assert world.queue.sent == [second.body()]
    world.provider.get_troubles.clear()
    world.clock.advance(OVERDUE_SECONDS)
    sweep(world)
    assert world.queue.sent[1:] == [first.body(), second.body()]


@pytest.mark.parametrize(
    ("status", "expected"), [("queued", False), ("processing", False), ("completed", True), ("error", True)]
)
def test_a_transcript_has_ended_when_it_completed_or_failed(status: str, *, expected: bool) -> None:
    world = World()
    finished = world.submitted()
    world.provider.jobs["t1"]["status"] = status
    assert has_ended(world.provider, finished) is expected


def test_a_transcript_that_nobody_knows_has_ended() -> None:
    world = World()
    world.provider.get_troubles["t1"] = TranscriptNotFound("gone")
    assert has_ended(world.provider, Finished("r", 1, "t1")) is True


def test_a_provider_that_cannot_be_asked_leaves_it_open() -> None:
    world = World()
    finished = world.submitted()
    world.provider.get_troubles["t1"] = ProviderUnavailable("503", may_have_accepted=True)
    with pytest.raises(ProviderUnavailable):
        has_ended(world.provider, finished)
