"""Asked for again: a recording gets a real chance, and is not paid for twice unseen."""

import contextlib
import math
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from audio_highlights.deletion import RECORDING_DELETED
from audio_highlights.errors import ApiRefused, NotNow, ProviderUnavailable, RecordingNotFound, TranscriptNotFound
from audio_highlights.models import OPEN, Finished, Status, Upload
from audio_highlights.workflow import (
    HIGHLIGHTS_READY,
    LONGEST_IN_WORK,
    MOST_ATTEMPTS,
    MOST_RETRIES,
    RECORDING_FAILED,
    Outcome,
)
from tests.fakes import LEASE_SECONDS, OVERDUE_SECONDS, Crash, World
from tests.unit.traffic import ENDS, RESULT, Traffic

A_DAY_AND_MORE = LONGEST_IN_WORK.total_seconds() + 3600


def failed(world: World, key: str = "calls/refund.wav", error: str = "too short") -> Upload:
    """A recording whose first transcript failed."""
    upload = world.media.put(key)
    world.submit(upload)
    transcript_id = world.row(upload)["transcript_id"]
    world.provider.end(transcript_id, "error", error=error)
    assert world.deliver(Finished(upload.recording_id, 1, transcript_id))[0] is Outcome.FAILED
    return upload


def given_up(world: World) -> Upload:
    """A recording whose transcript t1 was in work for longer than a day."""
    finished = world.submitted()
    for seconds in (A_DAY_AND_MORE, OVERDUE_SECONDS):
        world.clock.advance(seconds)
        sweep(world)
    recording = world.ledger.get(finished.recording_id)
    assert recording
    assert recording.status is Status.FAILED
    return recording.upload


def sweep(world: World) -> dict[str, int]:
    return world.sweeper.sweep(until=math.inf)


def called_and_submitted(world: World) -> list[Outcome]:
    return [world.submit(upload)[0] for upload in world.called()]


def test_a_failed_recording_is_submitted_again_and_completes() -> None:
    world = World()
    upload = failed(world)
    assert world.orders.retry(upload.recording_id) is Status.QUEUED
    row = world.row(upload)
    assert (row["status"], "too short" in row["reason"]) == (Status.QUEUED, True)
    assert row.keys().isdisjoint({"transcript_id", "submitted_at", "completed_at"})
    assert called_and_submitted(world) == [Outcome.SUBMITTED]
    assert (world.row(upload)["attempt"], world.row(upload)["transcript_id"]) == (2, "t2")
    world.provider.end("t2", auto_highlights_result=RESULT)
    assert world.deliver(Finished(upload.recording_id, 2, "t2"))[0] is Outcome.COMPLETED
    assert "reason" not in world.row(upload)
    assert world.provider.paid == ["t2"]
    assert len(world.told(HIGHLIGHTS_READY)) == 1


def test_an_ignored_recording_is_looked_at_again() -> None:
    world = World()
    upload = world.media.put("calls/refund.wav", storage_class="GLACIER")
    world.submit(upload)
    world.orders.retry(upload.recording_id)
    assert called_and_submitted(world) == [Outcome.IGNORED]
    assert "is archived" in world.row(upload)["reason"]
    world.media.erase(upload)
    world.media.hold(upload)  # restored
    world.orders.retry(upload.recording_id)
    assert called_and_submitted(world) == [Outcome.SUBMITTED]
    assert world.provider.paid == ["t1"]


@pytest.mark.parametrize("status", [*OPEN, Status.COMPLETED, Status.DELETING])
def test_what_has_not_failed_is_not_submitted_again_and_says_why(status: Status) -> None:
    world = World()
    upload = failed(world)
    row = world.row(upload)
    row["status"] = status
    before = dict(row)
    with pytest.raises(NotNow, match="is not submitted again: it is"):
        world.orders.retry(upload.recording_id)
    assert world.row(upload) == before
    assert not world.submit_queue.sent


def test_who_asks_for_what_is_not_there_is_told_so() -> None:
    world = World()
    for order in (world.orders.retry, world.orders.delete):
        with pytest.raises(RecordingNotFound, match="There is no recording 0123"):
            order("0123")
    assert not world.ledger.rows


# ---- 80: asked twice, or lost


def test_80_asked_for_twice_at_once_is_one_transcript() -> None:
    world = World()
    upload = failed(world)
    seen_by_both = world.ledger.get(upload.recording_id)
    assert seen_by_both
    assert world.ledger.ask_again(seen_by_both, "the first")
    assert not world.ledger.ask_again(seen_by_both, "the second")
    with pytest.raises(NotNow, match=r"in work \(queued\)"):
        world.orders.retry(upload.recording_id)
    world.submit_queue.sent += [upload.event(), upload.event()]
    assert called_and_submitted(world) == [Outcome.SUBMITTED, Outcome.DUPLICATE]
    assert world.provider.paid == ["t2"]


def test_80_who_saw_an_older_failure_does_not_ask_again_over_a_newer_one() -> None:
    world = World()
    upload = failed(world)
    seen = world.ledger.get(upload.recording_id)
    assert seen
    world.orders.retry(upload.recording_id)
    called_and_submitted(world)
    world.provider.end("t2", "error", error="too short")
    world.deliver(Finished(upload.recording_id, 2, "t2"))
    assert not world.ledger.ask_again(seen, "late")
    assert world.row(upload)["status"] is Status.FAILED


def test_80_a_retry_whose_message_is_lost_is_called_by_the_sweep() -> None:
    world = World()
    upload = failed(world)
    world.submit_queue.trouble = OSError("SQS is down")
    assert world.orders.retry(upload.recording_id) is Status.QUEUED
    world.submit_queue.trouble = None
    assert sweep(world)["called"] == 1
    assert called_and_submitted(world) == [Outcome.SUBMITTED]


def test_80_retry_and_delete_at_once_are_one_of_them() -> None:
    world = World()
    upload = failed(world)
    seen = world.ledger.get(upload.recording_id)
    assert seen
    assert world.ledger.ask_to_delete(seen)
    assert not world.ledger.ask_again(seen, "late")
    assert world.deleter.delete(upload.recording_id) == "deleted"
    assert not world.ledger.ask_again(seen, "later")
    assert not world.ledger.ask_to_delete(seen)
    assert not world.ledger.rows
    other = failed(world, "other.wav")
    seen = world.ledger.get(other.recording_id)
    assert seen
    assert world.ledger.ask_again(seen, "first")
    assert not world.ledger.ask_to_delete(seen)
    with pytest.raises(NotNow):
        world.orders.delete(other.recording_id)


# ---- 81: the former transcript


def test_81_a_transcript_that_was_given_up_and_has_completed_since_is_taken_and_not_paid_again() -> None:
    world = World()
    upload = given_up(world)
    world.provider.end("t1", auto_highlights_result=RESULT)
    assert world.deliver(Finished(upload.recording_id, 1, "t1"))[0] is Outcome.DUPLICATE
    world.orders.retry(upload.recording_id)
    assert called_and_submitted(world) == [Outcome.ADOPTED]
    world.clock.advance(OVERDUE_SECONDS)
    sweep(world)
    world.deliver(Finished.from_body(world.queue.sent[-1]))
    assert world.row(upload)["status"] is Status.COMPLETED
    assert world.provider.paid == ["t1"]
    assert "extra_transcripts" not in world.row(upload)


def test_81_a_former_transcript_that_is_deleted_after_it_was_taken_again_fails_the_recording() -> None:
    world = World()
    upload = given_up(world)
    world.provider.end("t1", auto_highlights_result=RESULT)
    world.orders.retry(upload.recording_id)
    assert called_and_submitted(world) == [Outcome.ADOPTED]
    world.provider.delete("t1")
    assert world.deliver(Finished(upload.recording_id, 2, "t1"))[0] is Outcome.FAILED
    assert world.row(upload)["status"] is Status.FAILED


def test_81_a_former_transcript_that_is_still_in_work_had_its_time() -> None:
    world = World()
    upload = given_up(world)
    world.orders.retry(upload.recording_id)
    assert called_and_submitted(world) == [Outcome.SUBMITTED]
    assert world.row(upload)["transcript_id"] == "t2"


@pytest.mark.parametrize("first", ["t1", "t2"])
def test_81_whichever_of_the_two_completes_first_is_the_recordings_and_the_other_is_deleted_and_counted(
    first: str,
) -> None:
    world = World()
    upload = given_up(world)
    world.orders.retry(upload.recording_id)
    called_and_submitted(world)
    other = "t2" if first == "t1" else "t1"
    outcomes = []
    for transcript_id in (first, other):
        world.provider.end(transcript_id, auto_highlights_result=RESULT)
        attempt = int(transcript_id.removeprefix("t"))
        outcomes.append(world.deliver(Finished(upload.recording_id, attempt, transcript_id))[0])
    assert outcomes == [Outcome.COMPLETED, Outcome.EXTRA]
    assert world.row(upload)["transcript_id"] == first
    assert (world.provider.deleted, world.row(upload)["extra_transcripts"]) == ([other], {other})


def test_81_a_former_transcript_that_completes_before_the_new_one_is_asked_for_saves_it() -> None:
    world = World()
    upload = given_up(world)
    world.orders.retry(upload.recording_id)
    world.provider.end("t1", auto_highlights_result=RESULT)
    assert world.deliver(Finished(upload.recording_id, 1, "t1"))[0] is Outcome.COMPLETED
    assert called_and_submitted(world) == [Outcome.DUPLICATE]
    assert world.provider.paid == ["t1"]


@pytest.mark.parametrize("error", ["too short", "Download error, unable to download ..."])
def test_81_late_news_of_the_former_failure_fail_nothing(error: str) -> None:
    world = World()
    upload = failed(world)
    world.provider.end("t1", "error", error=error)
    old = Finished(upload.recording_id, 1, "t1")
    world.orders.retry(upload.recording_id)
    assert world.deliver(old, redelivered=True)[0] is Outcome.DUPLICATE
    called_and_submitted(world)
    assert world.deliver(old, redelivered=True)[0] is Outcome.DUPLICATE
    assert (world.row(upload)["status"], world.row(upload)["transcript_id"]) == (Status.PROCESSING, "t2")
    assert not world.called()


def test_81_a_submission_that_was_given_up_without_an_answer_is_looked_for_before_it_is_paid_again() -> None:
    world = World()
    upload = world.media.put()
    world.journal.crash_after = "create"
    with pytest.raises(Crash):
        world.submit(upload)
    recording = world.ledger.get(upload.recording_id)
    assert recording
    world.ledger.end(recording, Status.FAILED, "submitted in vain")
    world.clock.advance(A_DAY_AND_MORE)
    world.orders.retry(upload.recording_id)
    assert called_and_submitted(world) == [Outcome.ADOPTED]
    assert world.provider.paid == ["t1"]


def test_81_a_list_that_cannot_be_read_after_a_retry_is_read_again_before_it_is_paid_again() -> None:
    world = World()
    upload = given_up(world)
    world.provider.end("t1", auto_highlights_result=RESULT)
    world.orders.retry(upload.recording_id)
    world.provider.get_troubles["t1"] = ProviderUnavailable("503")
    with pytest.raises(ProviderUnavailable):
        called_and_submitted(world)
    world.provider.get_troubles.clear()
    assert world.submit(upload, redelivered=True)[0] is Outcome.ADOPTED
    assert world.provider.paid == ["t1"]


def test_81_a_former_transcript_that_the_provider_has_forgotten_keeps_nobody() -> None:
    world = World()
    upload = failed(world)
    world.provider.get_troubles["t1"] = TranscriptNotFound("gone")
    world.orders.retry(upload.recording_id)
    assert called_and_submitted(world) == [Outcome.SUBMITTED]


# ---- 82: a real chance


def test_82_what_was_given_up_after_a_hundred_attempts_gets_a_hundred_more() -> None:
    world = World()
    upload = world.media.put()

    def in_vain() -> None:
        world.provider.refusals.append(ProviderUnavailable("503"))
        with pytest.raises(ProviderUnavailable):
            world.submit(upload)

    for _ in range(MOST_ATTEMPTS):
        in_vain()
    world.clock.advance(3600)
    assert sweep(world)["given_up"] == 1
    world.orders.retry(upload.recording_id)
    world.called()
    for _ in range(MOST_ATTEMPTS - 1):
        in_vain()
    world.clock.advance(3600)
    assert sweep(world)["given_up"] == 0
    assert set(called_and_submitted(world)) == {Outcome.SUBMITTED}
    assert world.row(upload)["attempt"] == 2 * MOST_ATTEMPTS  # it counts on: attempts bind webhooks


def test_82_a_hundred_more_in_vain_are_given_up_again() -> None:
    world = World()
    upload = world.media.put()
    for _ in range(2):
        for _ in range(MOST_ATTEMPTS):
            world.provider.refusals.append(ProviderUnavailable("503"))
            with pytest.raises(ProviderUnavailable):
                world.submit(upload)
        world.clock.advance(3600)
        assert sweep(world)["given_up"] == 1
        assert "submitted 100 times in vain" in world.row(upload)["reason"]
        with contextlib.suppress(ApiRefused):
            world.orders.retry(upload.recording_id)


def test_82_old_urls_are_made_anew_three_times_more() -> None:
    world = World()
    upload = world.media.put()
    world.submit(upload)
    for round_ in range(1, 3):
        for number in range(MOST_RETRIES + 1):
            transcript_id = world.row(upload)["transcript_id"]
            world.provider.end(transcript_id, "error", error="Download error, unable to download ...")
            attempt = world.row(upload)["attempt"]
            outcome = world.deliver(Finished(upload.recording_id, attempt, transcript_id))[0]
            if number < MOST_RETRIES:
                assert outcome is Outcome.RETRIED
                called_and_submitted(world)
        assert world.row(upload)["status"] is Status.FAILED
        assert len(world.provider.asked) == round_ * (MOST_RETRIES + 1)
        world.orders.retry(upload.recording_id)
        called_and_submitted(world)


# ---- 75, 78, 80, 81: all of it, in any order

SUBMIT_EFFECTS = ["claim", "enter", "create", "record transcript", "release", "end", "event", "leave"]
DELIVER_EFFECTS = ["put highlights", "put transcripts", "complete", "retry", "end", "event", "leave", "delete"]
DELIVER_EFFECTS += ["delete again", "note extra"]
DELETE_EFFECTS = ["take deletion", "delete", "erase audio", "erase results", "delete phrases", "event", "drop"]


class AskedAgainAndDeleted(RuleBasedStateMachine):
    """One recording and a neighbour, while people ask for it again and have it deleted."""

    @initialize()
    def upload_two(self) -> None:
        self.world = World(most=1)
        self.upload, self.neighbour = self.world.media.put("ours.wav"), self.world.media.put("neighbour.wav")
        self.traffic = Traffic(self.world, self.upload, self.neighbour)
        self.doomed = False

    def row(self) -> dict[str, Any]:
        return self.traffic.row(self.upload)

    @precondition(lambda self: self.traffic.events)
    @rule(which=st.integers(0), crash_after=st.sampled_from([None, None, *SUBMIT_EFFECTS]), twice=st.booleans())
    def submit(self, which: int, crash_after: str | None, *, twice: bool) -> None:
        events = self.traffic.events
        self.traffic.submit(events[which % len(events)], crash_after, twice=twice)

    @precondition(lambda self: self.traffic.working())
    @rule(which=st.integers(0), how=st.sampled_from(sorted(ENDS)))
    def end(self, which: int, how: str) -> None:
        working = self.traffic.working()
        self.traffic.end(working[which % len(working)], how)

    @precondition(lambda self: self.traffic.news)
    @rule(which=st.integers(0), crash_after=st.sampled_from([None, None, *DELIVER_EFFECTS]), twice=st.booleans())
    def deliver(self, which: int, crash_after: str | None, *, twice: bool) -> None:
        news = self.traffic.news
        self.traffic.deliver(news[which % len(news)], crash_after, twice=twice)

    @rule()
    def ask_again(self) -> None:
        self.traffic.run(None, lambda: self.world.orders.retry(self.upload.recording_id))

    @rule(told=st.booleans())
    def ask_to_delete(self, *, told: bool) -> None:
        self.traffic.run(None, lambda: self.world.orders.delete(self.upload.recording_id))
        self.doomed = self.doomed or self.row().get("status") is Status.DELETING
        if not told:
            self.world.sweep_function.told.clear()

    @precondition(lambda self: self.world.sweep_function.told)
    @rule(crash_after=st.sampled_from([None, None, *DELETE_EFFECTS]))
    def delete(self, crash_after: str | None) -> None:
        self.traffic.run(crash_after, lambda: self.world.deleter.delete(self.world.sweep_function.told.pop()))

    @precondition(lambda self: self.traffic.news and self.row().get("status") in (Status.COMPLETED, Status.FAILED))
    @rule(which=st.integers(0))
    def delete_while_files_are_written(self, which: int) -> None:
        def delete() -> None:
            with contextlib.suppress(ApiRefused):
                self.world.orders.delete(self.upload.recording_id)
                self.doomed = self.doomed or self.row().get("status") is Status.DELETING
            self.world.deleter.delete(self.upload.recording_id)

        self.world.results.during_put = delete
        self.traffic.deliver(self.traffic.news[which % len(self.traffic.news)])
        self.world.results.during_put = None

    @rule(seconds=st.sampled_from([1, LEASE_SECONDS, OVERDUE_SECONDS, int(A_DAY_AND_MORE)]))
    def wait_and_sweep(self, seconds: int) -> None:
        self.world.clock.advance(seconds)
        self.traffic.sweep()

    @invariant()
    def who_was_to_be_deleted_is_nothing_else_any_more(self) -> None:
        if self.doomed:
            # An event of S3 that comes again finds no object: it is ignored, however often it is asked for.
            assert self.row().get("status") not in (Status.PROCESSING, Status.COMPLETED, Status.FAILED)

    @invariant()
    def nobody_pays_twice_unseen(self) -> None:
        """At most one completed transcript that no row names as one too many; the others are still to be heard of."""
        done = [one for one in self.traffic.paid(self.upload) if one not in self.world.provider.deleted]
        heard_of = {message.body.transcript_id for message in self.traffic.news} | set(self.traffic.working())
        assert len(set(done) - heard_of) <= 1

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.traffic.heal()
        assert self.traffic.row(self.neighbour)["status"] in (Status.COMPLETED, Status.FAILED)
        kept = [key for key in self.world.results.files if self.upload.recording_id in key]
        jobs = [one for one in self.world.provider.jobs if self.traffic.of(one) == self.upload.recording_id]
        if self.doomed:
            assert self.row().get("status", Status.IGNORED) is Status.IGNORED
            assert not self.world.media.holds(self.upload)
            assert self.upload.recording_id not in self.world.ledger.items
            assert (kept, jobs) == ([], [])
            told = [detail["recording_id"] for detail in self.world.told(RECORDING_DELETED)]
            assert self.upload.recording_id in told
        else:
            assert self.row()["status"] in (Status.COMPLETED, Status.FAILED)
            completed = self.row()["status"] is Status.COMPLETED
            assert (self.upload.recording_id in self.world.ledger.items) == completed
            told = [
                detail["recording_id"]
                for detail in self.world.told(HIGHLIGHTS_READY if completed else RECORDING_FAILED)
            ]
            assert self.upload.recording_id in told


TestAskedAgainAndDeleted: Any = pytest.mark.timeout(240)(AskedAgainAndDeleted.TestCase)
TestAskedAgainAndDeleted.settings = settings(max_examples=300, stateful_step_count=25)
