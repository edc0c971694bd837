"""sweep: what has not been heard of in time is asked for, and nothing is paid for twice."""

import math
from datetime import datetime, timedelta

import pytest

from audio_highlights.errors import ProviderUnavailable, RequestRefused, TranscriptNotFound
from audio_highlights.models import Finished, Status
from audio_highlights.workflow import MOST_ATTEMPTS, RECORDING_FAILED, Outcome, has_ended
from tests.fakes import DEPLOYED, LEASE_SECONDS, OVERDUE_SECONDS, Clock, Crash, World


def sweep(world: World, until: float = math.inf) -> dict[str, int]:
    """What a sweep did; how old it found the oldest to be has tests of its own."""
    counts = world.sweeper.sweep(until=until)
    del counts["oldest_at_work_seconds"]
    return counts


LOOKED_AT = ("ended", "open", "resubmitted", "waiting", "given_up", "unanswered", "taken", "deleted", "undeleted")
NAMES = ("due", *LOOKED_AT, "called", "stopped")


def counts(in_flight: int = 1, **some: int) -> dict[str, int]:
    return dict.fromkeys(NAMES, 0) | {"in_flight": in_flight} | some


def test_nothing_is_asked_for_before_its_time() -> None:
    world = World()
    world.submitted()
    world.provider.end("t1")
    world.clock.advance(OVERDUE_SECONDS - 1)
    assert sweep(world) == counts()
    assert not world.queue.sent
    world.clock.advance(1)
    assert sweep(world) == counts(due=1, ended=1)


@pytest.mark.parametrize(("status", "expected"), [("completed", Status.COMPLETED), ("error", Status.FAILED)])
def test_49_a_webhook_that_never_came_is_made_up_for(status: str, expected: Status) -> None:
    world = World()
    finished = world.submitted()
    world.provider.end("t1", status)
    world.clock.advance(OVERDUE_SECONDS)
    sweep(world)
    assert world.queue.sent == [finished.body()]
    world.deliver(Finished.from_body(world.queue.sent[0]))
    assert world.row(finished)["status"] is expected
    world.clock.advance(OVERDUE_SECONDS)
    assert sweep(world) == counts(in_flight=0)


def test_74_a_transcript_that_the_provider_lost_is_reported_as_ended() -> None:
    world = World()
    finished = world.submitted()
    world.provider.jobs.clear()
    world.clock.advance(OVERDUE_SECONDS)
    assert sweep(world) == counts(due=1, ended=1)
    world.deliver(Finished.from_body(world.queue.sent[0]))
    assert world.row(finished)["status"] is Status.FAILED


def test_a_transcript_still_at_work_is_looked_at_again_later_and_told_nobody() -> None:
    world = World()
    world.submitted()
    world.clock.advance(OVERDUE_SECONDS)
    assert sweep(world) == counts(due=1, open=1)
    assert sweep(world) == counts()
    world.clock.advance(OVERDUE_SECONDS)
    assert sweep(world) == counts(due=1, open=1)
    assert not world.queue.sent


def test_26_a_row_whose_message_is_lost_is_submitted_again_and_adopts_what_was_paid() -> None:
    world = World()
    upload = world.media.put()
    world.journal.crash_after = "create"
    with pytest.raises(Crash):
        world.submit(upload)
    world.clock.advance(LEASE_SECONDS)
    assert sweep(world) == counts(due=1, resubmitted=1)
    assert world.called() == [upload]
    assert sweep(world) == counts()
    assert world.submit(upload)[0] is Outcome.ADOPTED
    assert world.provider.paid == ["t1"]


def test_50_71_two_sweeps_and_the_webhook_together_end_it_once() -> None:
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


def test_71_a_sweep_during_a_submit_disturbs_nothing() -> None:
    world = World()
    upload = world.media.put()

    def overlapping() -> None:
        world.clock.advance(LEASE_SECONDS)
        assert sweep(world) == counts(due=1, resubmitted=1)

    world.provider.during_create = overlapping
    assert world.submit(upload)[0] is Outcome.SUBMITTED
    assert world.row(upload)["transcript_id"] == "t1"


def test_a_queue_that_is_down_leaves_the_row_to_a_later_sweep() -> None:
    world = World()
    world.submitted()
    world.provider.end("t1")
    world.clock.advance(OVERDUE_SECONDS)
    world.queue.trouble = OSError("SQS is down")
    with pytest.raises(OSError, match="down"):
        sweep(world)
    world.queue.trouble = None
    world.clock.advance(OVERDUE_SECONDS)
    assert sweep(world) == counts(due=1, ended=1)


def test_a_sweep_stops_when_its_time_is_up() -> None:
    world = World()
    for number in range(3):
        world.submitted(f"{number}.wav")
    world.clock.advance(OVERDUE_SECONDS)
    assert sweep(world, until=-math.inf) == counts(in_flight=3)
    assert sweep(world) == counts(in_flight=3, due=3, open=3)


def test_the_age_of_the_oldest_at_work_counts_from_its_submission_and_not_from_its_wait() -> None:
    world = World()
    assert world.sweeper.sweep(until=math.inf)["oldest_at_work_seconds"] == 0
    world.submitted("a.wav")
    world.clock.advance(OVERDUE_SECONDS)
    world.submitted("b.wav")
    assert world.sweeper.sweep(until=math.inf)["oldest_at_work_seconds"] == OVERDUE_SECONDS
    world.clock.advance(OVERDUE_SECONDS)
    assert world.sweeper.sweep(until=math.inf)["oldest_at_work_seconds"] == 2 * OVERDUE_SECONDS


def test_who_waits_for_its_turn_is_not_at_work() -> None:
    world = World(most=1)
    world.submitted("a.wav")
    upload = world.media.put("b.wav")
    assert world.submit(upload)[0] is Outcome.WAITING
    world.clock.advance(OVERDUE_SECONDS - 1)
    swept = world.sweeper.sweep(until=math.inf)
    assert (swept["waiting"], swept["oldest_at_work_seconds"]) == (1, 0)


def test_one_row_in_trouble_does_not_keep_the_sweep_from_the_others() -> None:
    world = World()
    first = world.submitted("a.wav")
    second = world.submitted("b.wav")
    world.provider.get_troubles["t1"] = RequestRefused("AssemblyAI refuses the request (403)")
    for transcript_id in ("t1", "t2"):
        world.provider.end(transcript_id)
    world.clock.advance(OVERDUE_SECONDS)
    assert sweep(world) == counts(in_flight=2, due=2, ended=1, unanswered=1)
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


# ---- giving up


def test_a_transcript_that_never_ends_is_given_up_after_a_day_and_its_place_comes_back() -> None:
    world = World()
    finished = world.submitted()
    for _ in range(23):
        world.clock.advance(3600)
        assert sweep(world) == counts(due=1, open=1)
    world.clock.advance(3700)
    assert sweep(world)["given_up"] == 1
    row = world.row(finished)
    assert row["status"] is Status.FAILED
    assert "has not finished transcript t1 in 24 hours" in row["reason"]
    assert len(world.told(RECORDING_FAILED)) == 1
    assert not world.in_flight.holders


def test_a_submission_that_fails_a_hundred_times_is_given_up_with_the_last_reason() -> None:
    world = World()
    upload = world.media.put()
    for _ in range(MOST_ATTEMPTS):
        world.provider.refusals.append(ProviderUnavailable("AssemblyAI answers 503: busy"))
        with pytest.raises(ProviderUnavailable):
            world.submit(upload)
    assert sweep(world) == counts(in_flight=0)
    world.clock.advance(3600)
    assert sweep(world)["given_up"] == 1
    assert "100 times in vain. The last time: AssemblyAI answers 503: busy" in world.row(upload)["reason"]
    assert not world.provider.paid


# ---- 23: an event that never came


def scan(world: World) -> dict[str, int]:
    return world.scanner.scan(until=math.inf)


@pytest.mark.parametrize("versioned", [False, True])
def test_23_an_upload_whose_event_never_came_is_found_and_submitted_once(*, versioned: bool) -> None:
    world = World()
    known = world.media.put("a.wav", versioned=versioned)
    world.submit(known)
    forgotten = world.media.put("b.wav", versioned=versioned)
    assert scan(world) == {"seen": 2, "missing": 1}
    [upload] = world.called()
    assert upload == forgotten
    assert world.submit(upload)[0] is Outcome.SUBMITTED
    assert scan(world) == {"seen": 2, "missing": 0}
    assert len(world.provider.paid) == 2


def test_23_every_version_of_a_key_is_a_recording() -> None:
    world = World()
    versions = {world.media.put("a.wav") for _ in range(3)}
    assert scan(world) == {"seen": 3, "missing": 3}
    assert set(world.called()) == versions


@pytest.mark.parametrize("modified", [DEPLOYED - timedelta(seconds=1), Clock().now - timedelta(minutes=19)])
def test_23_what_was_there_before_the_stack_or_is_quite_new_is_left_alone(modified: datetime) -> None:
    world = World()
    world.media.put("a.wav", modified=modified)
    assert scan(world) == {"seen": 1, "missing": 0}
    assert not world.called()


def test_23_a_scan_that_ran_out_of_time_goes_on_where_it_stopped() -> None:
    world = World()
    for number in range(5):
        world.media.put(f"{number}.wav")
    seen = []
    while True:
        seen.append(world.scanner.scan(until=-math.inf)["seen"])
        if not world.scanner.is_unfinished():
            break
    assert seen == [2, 2, 1]
    assert len(world.called()) == 5


# ---- 71: sweeps that overlap


def test_71_of_two_sweeps_only_one_acts_on_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.submitted()
    world.provider.end("t1")
    world.clock.advance(OVERDUE_SECONDS)
    seen_by_both = list(world.ledger.due(world.clock()))
    sweep(world)
    monkeypatch.setattr(world.ledger, "due", lambda _: iter(seen_by_both))
    assert sweep(world) == counts(due=1, taken=1)
    assert len(world.queue.sent) == 1
