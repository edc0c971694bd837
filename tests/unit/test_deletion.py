"""A recording is deleted everywhere, whatever dies, comes late, or is in trouble; and nothing else is."""

import contextlib
import math
from typing import Any

import pytest

from audio_highlights.deletion import RECORDING_DELETED
from audio_highlights.errors import (
    ForeignTranscript,
    NotNow,
    PermanentError,
    ProviderAccountRefused,
    ProviderUnavailable,
    RecordingNotFound,
    StorageBusy,
)
from audio_highlights.models import Finished, Status, Upload
from audio_highlights.workflow import HIGHLIGHTS_READY, Outcome
from tests.fakes import LEASE_SECONDS, Crash, World
from tests.unit.traffic import A_DAY, RESULT

FIVE_MINUTES = 300
SIDE_EFFECTS = [
    "take deletion",
    "delete",
    "erase audio",
    "erase results",
    "write tally",
    "delete phrases",
    "event",
    "drop",
]


def completed(world: World, key: str = "calls/refund.wav") -> tuple[Upload, Finished]:
    upload = world.media.put(key)
    world.submit(upload)
    finished = Finished(upload.recording_id, 1, world.row(upload)["transcript_id"])
    world.provider.end(finished.transcript_id, auto_highlights_result=RESULT)
    assert world.deliver(finished)[0] is Outcome.COMPLETED
    return upload, finished


def sweep(world: World) -> dict[str, int]:
    return world.sweeper.sweep(until=math.inf)


def assert_gone(world: World, upload: Upload) -> None:
    recording_id = upload.recording_id
    assert recording_id not in world.ledger.rows
    assert recording_id not in world.ledger.items
    assert not [key for key in world.results.files if recording_id in key]
    assert not world.media.holds(upload)
    assert not [one for one in world.provider.jobs.values() if recording_id in str(one)]
    told = [detail for detail in world.told(RECORDING_DELETED) if detail["recording_id"] == recording_id]
    assert told
    assert told[0] == {
        "recording_id": recording_id,
        "bucket": upload.bucket,
        "key": upload.key,
        "version_id": upload.version_id,
    }


def test_a_completed_recording_is_deleted_at_once_when_the_sweep_is_called() -> None:
    world = World()
    upload, _ = completed(world)
    neighbour, _ = completed(world, "neighbour.wav")
    kept = dict(world.row(neighbour))
    assert world.orders.delete(upload.recording_id) is Status.DELETING
    assert world.sweep_function.told == [upload.recording_id]
    assert world.deleter.delete(upload.recording_id) == "deleted"
    assert_gone(world, upload)
    assert len(world.told(RECORDING_DELETED)) == 1
    assert world.row(neighbour) == kept
    assert world.media.holds(neighbour)
    assert len(world.results.files) == 2
    assert world.provider.jobs.keys() == {"t2"}


def test_the_call_of_the_sweep_that_got_lost_is_made_up_for_by_the_next_one() -> None:
    world = World()
    upload, _ = completed(world)
    world.sweep_function.trouble = OSError("Lambda is down")
    assert world.orders.delete(upload.recording_id) is Status.DELETING
    assert sweep(world)["deleted"] == 1
    assert_gone(world, upload)


def test_an_ignored_and_a_failed_recording_are_deleted_too() -> None:
    world = World()
    ignored = world.media.put("empty.wav", head=b"")
    world.submit(ignored)
    failed = world.media.put("failed.wav")
    world.submit(failed)
    world.provider.end("t1", "error", error="too short")
    world.deliver(Finished(failed.recording_id, 1, "t1"))
    for upload in (ignored, failed):
        world.orders.delete(upload.recording_id)
        assert world.deleter.delete(upload.recording_id) == "deleted"
        assert_gone(world, upload)


def test_asking_again_is_no_mistake_and_one_deletion() -> None:
    world = World()
    upload, _ = completed(world)
    assert [world.orders.delete(upload.recording_id) for _ in range(3)] == [Status.DELETING] * 3
    assert [world.deleter.delete(upload.recording_id) for _ in world.sweep_function.told] == [
        "deleted",
        "taken",
        "taken",
    ]
    assert len(world.told(RECORDING_DELETED)) == 1
    with pytest.raises(RecordingNotFound):
        world.orders.delete(upload.recording_id)


def test_what_is_in_work_is_not_deleted_and_says_why() -> None:
    world = World(most=1)
    world.submitted("a.wav")
    waiting = world.media.put("b.wav")
    world.submit(waiting)
    for recording_id, row in list(world.ledger.rows.items()):
        before = dict(row)
        with pytest.raises(NotNow, match=f"in work .{row['status']}."):
            world.orders.delete(recording_id)
        assert row == before
        assert world.deleter.delete(recording_id) == "taken"
    assert not world.sweep_function.told


# ---- 75: it dies in between


@pytest.mark.parametrize("effect", SIDE_EFFECTS)
def test_75_a_deletion_killed_after_any_side_effect_is_ended_by_the_next_sweep(effect: str) -> None:
    world = World()
    upload, _ = completed(world)
    world.orders.delete(upload.recording_id)
    world.journal.crash_after = effect
    with pytest.raises(Crash):
        world.deleter.delete(upload.recording_id)
    world.clock.advance(FIVE_MINUTES)
    counts = sweep(world)
    assert (counts["deleted"], counts["undeleted"]) == (int(effect != "drop"), 0)
    assert_gone(world, upload)
    assert len(world.told(RECORDING_DELETED)) <= 2


def test_75_a_deletion_killed_at_each_step_in_turn_is_ended_at_last() -> None:
    world = World()
    upload, _ = completed(world)
    world.orders.delete(upload.recording_id)
    for effect in SIDE_EFFECTS:
        world.journal.crash_after = effect
        with contextlib.suppress(Crash):
            sweep(world)
        world.clock.advance(FIVE_MINUTES)
    assert_gone(world, upload)


def test_75_while_one_deletes_another_keeps_out() -> None:
    world = World()
    upload, _ = completed(world)
    world.orders.delete(upload.recording_id)
    seen: list[dict[str, int]] = []
    world.eraser.after = lambda: seen.append(sweep(world))
    assert world.deleter.delete(upload.recording_id) == "deleted"
    assert (seen[0]["due"], seen[0]["deleted"]) == (0, 0)
    assert_gone(world, upload)


# ---- 76: trouble


@pytest.mark.parametrize(
    ("where", "trouble", "reason"),
    [
        ("provider", ProviderUnavailable("AssemblyAI answers 503: busy"), "AssemblyAI answers 503: busy"),
        ("provider", ProviderAccountRefused("it waits in the submit queue"), "Put the right key into the API key"),
        ("eraser", PermanentError("S3 denies deleting s3://recordings/calls/refund.wav."), "S3 denies deleting"),
        ("events", StorageBusy("EventBridge did not take it"), "EventBridge did not take it"),
    ],
)
def test_76_trouble_is_a_reason_for_people_and_the_next_sweep_tries_again(
    where: str, trouble: Exception, reason: str
) -> None:
    world = World()
    upload, _ = completed(world)
    neighbour, _ = completed(world, "neighbour.wav")
    world.orders.delete(upload.recording_id)
    world.orders.delete(neighbour.recording_id)
    troubles: dict[str, Any] = {
        "provider": world.provider.delete_troubles,
        "eraser": world.eraser.troubles,
        "events": world.events.troubles,
    }
    troubles[where].append(trouble)
    counts = sweep(world)
    assert (counts["deleted"], counts["undeleted"]) == (1, 1)
    [row] = world.ledger.rows.values()
    assert row["status"] is Status.DELETING
    assert reason in row["reason"]
    assert "submit queue" not in row["reason"]
    assert sweep(world)["deleted"] == 1
    assert_gone(world, upload)
    assert_gone(world, neighbour)


# ---- 77: a row that is deleted is nobody else's


def test_77_what_is_being_deleted_is_not_submitted_retried_called_or_completed() -> None:
    world = World()
    upload, finished = completed(world)
    world.orders.delete(upload.recording_id)
    before = dict(world.row(upload))
    assert world.submit(upload, redelivered=True)[0] is Outcome.DUPLICATE
    with pytest.raises(NotNow, match="being deleted"):
        world.orders.retry(upload.recording_id)
    assert world.line.call(5) == 0
    world.clock.advance(3600)
    assert world.scanner.scan(until=math.inf)["missing"] == 0
    assert not world.submit_queue.sent
    assert world.deliver(finished, redelivered=True)[0] in (Outcome.DELETED, Outcome.DUPLICATE)
    assert world.row(upload) == before
    assert len(world.provider.asked) == 1
    assert sweep(world)["deleted"] == 1
    assert_gone(world, upload)


# ---- 78: news that come late


@pytest.mark.parametrize("redelivered", [False, True])
def test_78_a_late_webhook_of_a_deleted_recording_changes_nothing(*, redelivered: bool) -> None:
    world = World()
    upload, finished = completed(world)
    world.orders.delete(upload.recording_id)
    world.deleter.delete(upload.recording_id)
    told = list(world.events.told)
    assert world.deliver(finished, redelivered=redelivered) == (
        Outcome.DUPLICATE,
        "recording and transcript are deleted",
    )
    assert_gone(world, upload)
    assert world.events.told == told


@pytest.mark.parametrize("when", ["while it is deleted", "afterwards"])
def test_78_a_transcript_that_nobody_knew_is_deleted_when_its_webhook_comes(when: str) -> None:
    world = World()
    upload, finished = completed(world)
    world.provider.jobs["t9"] = {**world.provider.jobs["t1"], "id": "t9"}
    world.orders.delete(upload.recording_id)
    if when == "afterwards":
        world.deleter.delete(upload.recording_id)
    late = Finished(upload.recording_id, 1, "t9")
    assert world.deliver(late)[0] is Outcome.DELETED
    world.deleter.delete(upload.recording_id)
    assert_gone(world, upload)
    assert world.deliver(finished)[0] is Outcome.DUPLICATE


def test_78_the_transcript_of_another_is_left_alone_whatever_the_news_of_a_deleted_recording_say() -> None:
    world = World()
    upload, _ = completed(world)
    completed(world, "neighbour.wav")
    world.orders.delete(upload.recording_id)
    world.deleter.delete(upload.recording_id)
    with pytest.raises(ForeignTranscript, match="left alone"):
        world.deliver(Finished(upload.recording_id, 1, "t2"))
    assert world.provider.jobs.keys() == {"t2"}


@pytest.mark.parametrize("deleted", ["asked for", "done"])
def test_78_files_that_are_written_during_the_deletion_are_deleted_by_the_next_sweep(deleted: str) -> None:
    """A message that comes again has the files written once more: it has seen a completed row, and is late."""
    world = World()
    upload, finished = completed(world)

    def delete() -> None:
        world.orders.delete(upload.recording_id)
        if deleted == "done":
            assert world.deleter.delete(upload.recording_id) == "deleted"

    world.results.during_put = delete
    world.deliver(finished, redelivered=True)
    assert len(world.told(HIGHLIGHTS_READY)) == 1
    assert sweep(world)["deleted"] == 1
    assert_gone(world, upload)


def test_78_files_that_come_between_the_erasure_and_the_end_of_a_deletion_keep_the_row() -> None:
    world = World()
    upload, _ = completed(world)
    seen_completed = world.ledger.get(upload.recording_id)
    assert seen_completed

    def late_results() -> None:
        world.results.put_highlights(seen_completed, {})
        world.ledger.delete_again(seen_completed)

    world.orders.delete(upload.recording_id)
    world.clock.advance(1)
    world.eraser.after = late_results
    assert world.deleter.delete(upload.recording_id) == "undeleted"
    assert len(world.results.files) == 1
    assert sweep(world)["deleted"] == 1
    assert_gone(world, upload)


def test_78_of_two_results_at_once_the_loser_leaves_no_files_of_a_deleted_recording() -> None:
    world = World()
    finished = world.submitted()
    upload = world.ledger.get(finished.recording_id)
    assert upload
    world.provider.end("t1", auto_highlights_result=RESULT)

    def the_other_and_a_deletion() -> None:
        assert world.deliver(finished)[0] is Outcome.COMPLETED
        world.orders.delete(finished.recording_id)
        assert world.deleter.delete(finished.recording_id) == "deleted"

    world.results.during_put = the_other_and_a_deletion
    assert world.deliver(finished)[0] is Outcome.DUPLICATE
    assert sweep(world)["deleted"] == 1
    assert_gone(world, upload.upload)


def test_78_an_answer_of_the_provider_that_comes_after_the_deletion_is_deleted() -> None:
    world = World()
    upload = world.media.put()

    def meanwhile() -> None:
        world.provider.during_create = lambda: None
        world.clock.advance(LEASE_SECONDS)
        world.provider.unlisted = {"t1"}
        world.submit(upload)  # pays for t2
        world.provider.unlisted = set()
        world.provider.end("t2", auto_highlights_result=RESULT)
        world.deliver(Finished(upload.recording_id, 2, "t2"))
        world.orders.delete(upload.recording_id)
        world.deleter.delete(upload.recording_id)

    world.provider.during_create = meanwhile
    assert world.submit(upload)[0] is Outcome.DELETED
    assert_gone(world, upload)


def test_78_an_event_that_comes_again_after_the_deletion_pays_for_nothing_and_says_so() -> None:
    world = World()
    upload, _ = completed(world)
    world.orders.delete(upload.recording_id)
    world.deleter.delete(upload.recording_id)
    outcome, reason = world.submit(upload, redelivered=True)
    assert (outcome, "was deleted" in reason) == (Outcome.IGNORED, True)
    assert len(world.provider.asked) == 1


# ---- 79: what belongs to others


def test_79_a_newer_upload_of_the_key_is_another_recording_and_stays() -> None:
    for versioned in (True, False):
        world = World()
        first = world.media.put("calls/refund.wav", versioned=versioned)
        world.submit(first)
        world.provider.end("t1", "error", error="too short")
        world.deliver(Finished(first.recording_id, 1, "t1"))
        second = world.media.put("calls/refund.wav", versioned=versioned)
        world.submit(second)
        world.orders.delete(first.recording_id)
        assert world.deleter.delete(first.recording_id) == "deleted"
        assert_gone(world, first)
        assert world.media.holds(second)
        assert world.row(second)["status"] is Status.PROCESSING


def test_79_all_transcripts_that_were_made_of_it_are_deleted_at_the_provider() -> None:
    world = World()
    upload, finished = completed(world)
    world.submitted("neighbour.wav")
    for extra in ("t8", "t9"):
        world.provider.jobs[extra] = {**world.provider.jobs["t1"], "id": extra}
    world.row(finished)["extra_transcripts"] = {"t8"}
    world.row(finished)["retried_transcripts"] = {"t9"}
    world.orders.delete(upload.recording_id)
    world.deleter.delete(upload.recording_id)
    assert_gone(world, upload)
    assert world.provider.deleted == ["t1", "t8", "t9"]
    assert world.provider.jobs.keys() == {"t2"}


def test_79_a_transcript_whose_id_was_lost_is_found_and_deleted() -> None:
    world = World()
    upload = world.media.put()
    world.journal.crash_after = "create"
    with pytest.raises(Crash):
        world.submit(upload)
    world.submitted("neighbour.wav")
    recording = world.ledger.get(upload.recording_id)
    assert recording
    world.ledger.end(recording, Status.FAILED, "submitted in vain")
    world.clock.advance(A_DAY)
    world.orders.delete(upload.recording_id)
    world.deleter.delete(upload.recording_id)
    assert_gone(world, upload)
    assert world.provider.jobs.keys() == {"t2"}
