"""The line: so many recordings at the provider at a time, the others wait, and a refused key stops everybody."""

import itertools
import math
import random
from collections import deque

import pytest

from audio_highlights.errors import ProviderAccountRefused, ProviderUnavailable, RequestRefused
from audio_highlights.line import PROBE_SECONDS
from audio_highlights.models import Finished, Status, Upload
from audio_highlights.workflow import MOST_ATTEMPTS, MOST_RETRIES, RECORDING_FAILED, Outcome
from tests.fakes import LEASE_SECONDS, Crash, World

WRONG_KEY = ProviderAccountRefused("AssemblyAI refuses the API key (401).")
NEGATIVE_BALANCE = ProviderAccountRefused("Your current account balance is negative.")
DOWNLOAD_ERROR = "Download error, unable to download https://recordings/a.wav?X-Amz-Signature=s. Please make sure ..."


def finished(world: World, upload: Upload) -> Finished:
    row = world.row(upload)
    return Finished(upload.recording_id, row["attempt"], row["transcript_id"])


def test_42_beyond_the_limit_a_recording_waits_as_a_queued_row_with_a_reason() -> None:
    world = World(most=1)
    first, second = world.media.put("a.wav"), world.media.put("b.wav")
    assert world.submit(first)[0] is Outcome.SUBMITTED
    outcome, reason = world.submit(second)
    assert outcome is Outcome.WAITING
    assert (world.row(second)["status"], world.row(second)["reason"]) == (Status.QUEUED, reason)
    assert world.provider.paid == ["t1"]
    assert not world.called()


@pytest.mark.parametrize("status", ["completed", "error"])
def test_42_whoever_ends_calls_who_waits_longest(status: str) -> None:
    world = World(most=1)
    uploads = []
    for name in "abc":
        uploads.append(world.media.put(name))
        world.submit(uploads[-1])
        world.clock.advance(1)
    for expected in uploads[1:]:
        before = uploads[uploads.index(expected) - 1]
        world.provider.end(world.row(before)["transcript_id"], status)
        world.deliver(finished(world, before))
        assert world.called() == [expected]
        assert world.submit(expected)[0] is Outcome.SUBMITTED


def test_42_who_came_first_and_found_no_place_again_is_still_called_first() -> None:
    world = World(most=1)
    at_work, first, second = (world.media.put(name) for name in ("a.wav", "b.wav", "c.wav"))
    for upload in (at_work, first, second):
        world.submit(upload)
        world.clock.advance(1)
    assert world.submit(first)[0] is Outcome.WAITING  # it was called, and a newcomer had the place
    world.clock.advance(1)
    world.provider.end("t1")
    world.deliver(finished(world, at_work))
    assert world.called() == [first]


def test_42_a_place_that_comes_free_before_the_row_waits_is_not_lost() -> None:
    world = World(most=1)
    first, second = world.media.put("a.wav"), world.media.put("b.wav")
    world.submit(first)
    world.provider.end("t1")
    world.in_flight.after_full = lambda: world.deliver(finished(world, first))
    assert world.submit(second)[0] is Outcome.WAITING
    assert world.called() == [second]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_42_places_given_back_one_after_the_other_are_all_taken_again(order: tuple[int, ...]) -> None:
    world = World(most=2)
    uploads = [world.media.put(name) for name in "abcd"]
    for upload in uploads:
        world.submit(upload)
    for transcript_id, upload in (("t1", uploads[0]), ("t2", uploads[1])):
        world.provider.end(transcript_id)
        world.deliver(finished(world, upload))  # before who was called has come
    messages = world.called()
    newcomers = [world.media.put("e"), world.media.put("f")]
    messages += newcomers
    for index in order:
        world.submit(messages[index])
    while called := world.called():
        for upload in called:
            world.submit(upload)
    assert world.in_flight.holders == {uploads[2].recording_id, uploads[3].recording_id}
    assert {world.row(upload)["status"] for upload in newcomers} == {Status.QUEUED}


def test_42_who_comes_new_does_not_pass_those_who_wait() -> None:
    world = World(most=1)
    first, waiting, new = (world.media.put(name) for name in "abc")
    for upload in (first, waiting):
        world.submit(upload)
    world.provider.end("t1")
    world.deliver(finished(world, first))
    world.clock.advance(1)
    assert world.submit(new)[0] is Outcome.WAITING  # though the place is free
    assert waiting in world.called()
    assert world.submit(waiting)[0] is Outcome.SUBMITTED


def test_42_when_nobody_waits_any_more_a_new_one_enters_at_once() -> None:
    world = World(most=1)
    uploads = [world.media.put(name) for name in "ab"]
    for upload in uploads:
        world.submit(upload)
    for transcript_id, upload in (("t1", uploads[0]), ("t2", uploads[1])):
        world.provider.end(transcript_id)
        world.deliver(finished(world, upload))
        for called in world.called():
            world.submit(called)
    assert world.submit(world.media.put("c"))[0] is Outcome.SUBMITTED
    assert not world.called()


def test_42_who_is_called_and_has_nothing_to_submit_passes_the_call_on() -> None:
    world = World(most=1)
    first, second, third = (world.media.put(name) for name in "abc")
    for upload in (first, second, third):
        world.submit(upload)
        world.clock.advance(1)
    world.media.delete(second)
    world.provider.end("t1")
    world.deliver(finished(world, first))
    assert world.called() == [second]
    assert world.submit(second)[0] is Outcome.IGNORED
    assert world.called() == [third]


def test_42_a_call_that_is_lost_is_repeated_by_the_sweep() -> None:
    world = World(most=1)
    first, second = world.media.put("a.wav"), world.media.put("b.wav")
    for upload in (first, second):
        world.submit(upload)
    world.provider.end("t1")
    world.deliver(finished(world, first))
    assert world.called() == [second]
    world.sweeper.sweep(until=math.inf)
    assert not world.called()  # it may be on its way
    world.clock.advance(3600)
    world.sweeper.sweep(until=math.inf)
    assert world.called() == [second]


def test_42_the_place_of_a_dead_function_comes_back() -> None:
    world = World(most=1)
    dead, waiting = world.media.put("a.wav"), world.media.put("b.wav")
    world.journal.crash_after = "enter"
    with pytest.raises(Crash):
        world.submit(dead)
    world.submit(waiting)
    world.clock.advance(LEASE_SECONDS)
    world.sweeper.sweep(until=math.inf)
    assert world.called() == [dead]  # it still has the place, and nobody else works for it
    assert world.submit(dead)[0] is Outcome.SUBMITTED
    world.provider.end("t1")
    world.journal.crash_after = "event"
    with pytest.raises(Crash):
        world.deliver(finished(world, dead))
    assert world.in_flight.holders == {dead.recording_id}
    world.sweeper.sweep(until=math.inf)
    assert world.called() == [waiting]
    assert not world.in_flight.holders


@pytest.mark.parametrize("refusal", [RequestRefused("400"), ProviderUnavailable("503")], ids=str)
def test_42_what_is_not_accepted_keeps_no_place(refusal: Exception) -> None:
    world = World(most=1)
    world.provider.refusals.append(refusal)
    if isinstance(refusal, ProviderUnavailable):
        with pytest.raises(ProviderUnavailable):
            world.submit(world.media.put("a.wav"))
    else:
        world.submit(world.media.put("a.wav"))
    assert world.submit(world.media.put("b.wav"))[0] is Outcome.SUBMITTED


@pytest.mark.parametrize("seed", range(5))
def test_24_a_burst_ends_completed_and_each_is_paid_once(seed: int) -> None:
    """300 uploads, duplicates among them, at a provider that runs 5: messages in any order, some webhooks lost."""
    chance = random.Random(seed)
    world = World(most=5)
    uploads = [world.media.put(f"{number}.wav") for number in range(300)]
    messages = uploads + chance.sample(uploads, 60)
    chance.shuffle(messages)
    queue: deque[tuple[Upload, bool]] = deque((upload, False) for upload in messages)
    news: list[Finished] = []
    for _ in range(20_000):
        working = [one for one, job in world.provider.jobs.items() if job["status"] == "processing"]
        assert len(working) <= 5
        if queue and chance.random() < 0.6:
            upload, again = queue.popleft()
            try:
                world.submit(upload, redelivered=again)
            except Exception:  # noqa: BLE001  the message comes again
                queue.append((upload, True))
        elif working and chance.random() < 0.7:
            transcript_id = chance.choice(working)
            world.provider.end(transcript_id)
            if chance.random() < 0.9:
                rows = world.ledger.rows.values()
                row = next(one for one in rows if one.get("transcript_id") == transcript_id)
                news.append(Finished(row["recording_id"], row["attempt"], transcript_id))
        elif news:
            world.deliver(news.pop(chance.randrange(len(news))))
        else:
            world.clock.advance(300)
            world.sweeper.sweep(until=math.inf)
            news += [Finished.from_body(body) for body in world.queue.sent]
            world.queue.sent.clear()
        queue.extend((upload, False) for upload in world.called())
        if all(row["status"] is Status.COMPLETED for row in world.ledger.rows.values()) and not queue:
            break
    assert [world.row(upload)["status"] for upload in uploads] == [Status.COMPLETED] * 300
    assert len(world.provider.paid) == 300
    assert not world.in_flight.holders


# ---- 32, 33: the account is refused


@pytest.mark.parametrize("refusal", [NEGATIVE_BALANCE, WRONG_KEY], ids=["32", "33"])
def test_32_33_a_refused_account_stops_the_line_but_for_a_probe_now_and_then(refusal: Exception) -> None:
    world = World()
    uploads = [world.media.put(name) for name in "abcd"]
    world.provider.refusals += [refusal, refusal]
    assert world.submit(uploads[0]) == (Outcome.WAITING, str(refusal))
    for upload in uploads[1:3]:
        assert world.submit(upload) == (Outcome.WAITING, str(refusal))
    assert len(world.provider.refusals) == 1  # the provider was asked once
    assert world.submit_queue.delayed == [uploads[0].event()]  # and will be asked again by the same
    world.clock.advance(PROBE_SECONDS)
    assert world.submit(uploads[3])[0] is Outcome.WAITING  # the probe fails too
    assert not world.provider.refusals
    assert world.submit_queue.delayed == [uploads[0].event(), uploads[3].event()]
    assert world.submit(uploads[0])[0] is Outcome.WAITING
    assert not world.events.told
    assert {world.row(upload)["status"] for upload in uploads} == {Status.QUEUED}
    assert {world.row(upload)["reason"] for upload in uploads} == {str(refusal)}


def test_33_who_probes_a_stopped_line_for_hours_is_not_given_up() -> None:
    world = World()
    upload = world.media.put("a")
    for _ in range(MOST_ATTEMPTS + 1):
        world.provider.refusals.append(WRONG_KEY)
        assert world.submit(upload)[0] is Outcome.WAITING
        world.clock.advance(PROBE_SECONDS + 1)
    world.clock.advance(1800)
    counts = world.sweeper.sweep(until=math.inf)
    assert (counts["due"], counts["given_up"]) == (1, 0)
    assert world.submit(upload)[0] is Outcome.SUBMITTED


def test_33_when_the_key_works_again_the_sweep_sends_a_probe_and_all_follow() -> None:
    world = World()
    uploads = [world.media.put(name) for name in "abc"]
    world.provider.refusals.append(WRONG_KEY)
    for upload in uploads:
        world.submit(upload)
    counts = world.sweeper.sweep(until=math.inf)
    assert (counts["stopped"], counts["called"]) == (1, 0)
    world.clock.advance(PROBE_SECONDS)
    assert world.sweeper.sweep(until=math.inf)["called"] == 1
    [probe] = world.called()
    assert world.submit(probe)[0] is Outcome.SUBMITTED
    assert world.in_flight.stopped is None
    others = world.called()
    assert {probe, *others} == set(uploads)
    for upload in others:
        assert world.submit(upload)[0] is Outcome.SUBMITTED
    assert len(world.provider.paid) == 3


def test_33_of_two_probes_at_the_same_time_one_goes() -> None:
    world = World()
    world.in_flight.stop("401", 0)
    assert world.in_flight.enter("a", PROBE_SECONDS, behind_others=True).probe
    assert world.in_flight.enter("b", PROBE_SECONDS, behind_others=True).reason == "401"


# ---- 41: the URL grew too old


def test_41_a_download_error_is_answered_with_a_new_url_and_costs_nothing() -> None:
    world = World()
    upload = world.media.put()
    world.submit(upload)
    world.provider.end("t1", "error", error=DOWNLOAD_ERROR)
    outcome, reason = world.deliver(finished(world, upload))
    assert outcome is Outcome.RETRIED
    assert "Signature" not in reason
    assert world.called() == [upload]
    assert world.submit(upload)[0] is Outcome.SUBMITTED
    assert world.provider.asked[0]["audio_url"] != world.provider.asked[1]["audio_url"]
    world.provider.end("t2")
    assert world.deliver(finished(world, upload))[0] is Outcome.COMPLETED
    assert world.provider.paid == ["t2"]


def test_41_after_three_new_urls_it_fails_with_the_reason() -> None:
    world = World()
    upload = world.media.put()
    for number in range(1, MOST_RETRIES + 2):
        world.submit(upload)
        world.provider.end(f"t{number}", "error", error=DOWNLOAD_ERROR)
        outcome, _ = world.deliver(finished(world, upload))
        assert outcome is (Outcome.RETRIED if number <= MOST_RETRIES else Outcome.FAILED)
    assert "Download error" in world.row(upload)["reason"]
    assert len(world.told(RECORDING_FAILED)) == 1
    assert not world.provider.paid


@pytest.mark.parametrize("again", ["at once", "while the next works", "after it completed"])
def test_41_the_news_of_one_download_error_is_answered_once(again: str) -> None:
    world = World()
    upload = world.media.put()
    world.submit(upload)
    first = finished(world, upload)
    world.provider.end("t1", "error", error=DOWNLOAD_ERROR)
    world.deliver(first)
    world.called()
    if again != "at once":
        world.submit(upload)
    if again == "after it completed":
        world.provider.end("t2")
        world.deliver(finished(world, upload))
    row = dict(world.row(upload))
    assert world.deliver(first, redelivered=True)[0] in (Outcome.DUPLICATE, Outcome.EXTRA)
    assert world.row(upload) == row
    assert not world.called()


def test_41_a_retry_whose_call_is_lost_is_called_by_the_sweep() -> None:
    world = World()
    upload = world.media.put()
    world.submit(upload)
    world.provider.end("t1", "error", error=DOWNLOAD_ERROR)
    world.journal.crash_after = "retry"
    with pytest.raises(Crash):
        world.deliver(finished(world, upload))
    world.sweeper.sweep(until=math.inf)
    assert world.called() == [upload]


# ---- 40, 70: two transcripts


def test_40_a_transcript_that_came_too_late_is_deleted_and_counted() -> None:
    world = World()
    upload = world.media.put()

    def another_attempt() -> None:
        """The lease runs out while the provider answers, and its list does not show the transcript yet."""
        world.provider.during_create = lambda: None
        world.clock.advance(LEASE_SECONDS)
        job = world.provider.jobs.pop("t1")
        world.submit(upload)
        world.provider.jobs["t1"] = job

    world.provider.during_create = another_attempt
    assert world.submit(upload)[0] is Outcome.EXTRA
    assert world.row(upload)["transcript_id"] == "t2"
    assert world.row(upload)["extra_transcripts"] == {"t1"}
    assert world.provider.deleted == ["t1"]


def test_40_a_late_transcript_is_left_to_the_attempt_that_may_adopt_it() -> None:
    world = World()
    upload = world.media.put()

    def another_claim() -> None:
        world.provider.during_create = lambda: None
        world.clock.advance(LEASE_SECONDS)
        world.journal.crash_after = "claim"
        with pytest.raises(Crash):
            world.submit(upload)

    world.provider.during_create = another_claim
    world.submit(upload)
    assert not world.provider.deleted
    world.clock.advance(LEASE_SECONDS)
    assert world.submit(upload)[0] is Outcome.ADOPTED
    assert world.provider.paid == ["t1"]


@pytest.mark.parametrize("dies_after", ["note extra", "delete"])
def test_70_an_extra_transcript_is_counted_once_whenever_the_function_dies(dies_after: str) -> None:
    world = World()
    upload = world.media.put()
    world.submit(upload)
    world.provider.end("t1")
    world.deliver(finished(world, upload))
    world.provider.jobs["t2"] = {**world.provider.jobs["t1"], "id": "t2"}
    second = Finished(upload.recording_id, 1, "t2")
    world.journal.crash_after = dies_after
    with pytest.raises(Crash):
        world.deliver(second)
    world.deliver(second, redelivered=True)
    assert world.provider.deleted == ["t2"]
    assert world.row(upload)["extra_transcripts"] == {"t2"}
