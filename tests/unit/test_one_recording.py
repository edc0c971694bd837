"""One recording, all that can happen to it, in any order: the promises hold at every moment."""

import contextlib
import math
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from audio_highlights.config import AudioTransfer
from audio_highlights.errors import HighlightsError, ProviderAccountRefused, ProviderUnavailable, RequestRefused
from audio_highlights.models import OPEN, Finished, Status
from audio_highlights.workflow import HIGHLIGHTS_READY, RECORDING_FAILED
from tests.fakes import LEASE_SECONDS, OVERDUE_SECONDS, Crash, World

RESULT = {"status": "success", "results": [{"text": "refund", "count": 1, "rank": 0.1, "timestamps": []}]}
BEFORE = [ProviderUnavailable("429", may_have_accepted=False), ProviderAccountRefused("401")]
REFUSED = RequestRefused("400")
AFTER = ProviderUnavailable("read timeout", may_have_accepted=True)
CRASHES = st.sampled_from([None, 1, 2, 3, 4])


class OneRecording(RuleBasedStateMachine):
    """Messages come one or more times and in any order; functions die after any side effect."""

    @initialize(transfer=st.sampled_from(AudioTransfer))
    def upload_one(self, transfer: AudioTransfer) -> None:
        self.world = World(transfer=transfer)
        self.upload = self.world.media.put()
        self.news: list[Finished] = []
        self.received: set[Finished] = set()
        self.ended: dict[str, Any] | None = None
        self.seen = False

    def row(self) -> dict[str, Any]:
        return self.world.ledger.rows.get(self.upload.recording_id, {})

    def run(self, crash_after: int | None, function: Any, *arguments: Any, **named: Any) -> None:
        effects = self.world.journal
        effects.crash_after = None if crash_after is None else len(effects.effects) + crash_after
        with contextlib.suppress(HighlightsError, Crash):
            function(*arguments, **named)
        effects.crash_after = None

    @rule(
        after=st.sampled_from([0, LEASE_SECONDS]),
        crash_after=CRASHES,
        trouble=st.sampled_from([None, *BEFORE, AFTER, REFUSED]),
        listed=st.sampled_from([None, *BEFORE]),
    )
    def submit(self, after: int, crash_after: int | None, trouble: Exception | None, listed: Exception | None) -> None:
        self.world.clock.advance(after)
        provider = self.world.provider
        if trouble:
            (provider.lost_answers if trouble is AFTER else provider.refusals).append(trouble)
        if listed:
            provider.list_troubles.append(listed)
        self.run(crash_after, self.world.submit, self.upload, redelivered=self.seen)
        self.seen = True
        for troubles in (provider.lost_answers, provider.refusals, provider.list_troubles):
            troubles.clear()

    @rule(seconds=st.sampled_from([1, LEASE_SECONDS, OVERDUE_SECONDS]))
    def wait(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    @precondition(lambda self: any(job["status"] == "processing" for job in self.world.provider.jobs.values()))
    @rule(status=st.sampled_from(["completed", "error"]), called=st.booleans())
    def end(self, status: str, *, called: bool) -> None:
        """The provider ends the newest transcript; its webhook comes or gets lost."""
        transcript_id = next(one for one, job in self.world.provider.jobs.items() if job["status"] == "processing")
        self.world.provider.end(transcript_id, status, auto_highlights_result=RESULT, error="too short")
        if called:
            attempt = int(str(self.world.provider.jobs[transcript_id]["webhook_url"]).rpartition("=")[2])
            self.news.append(Finished(self.upload.recording_id, attempt, transcript_id))

    @precondition(lambda self: self.news)
    @rule(crash_after=CRASHES, which=st.integers(0), again=st.booleans())
    def deliver(self, crash_after: int | None, which: int, *, again: bool) -> None:
        finished = self.news[which % len(self.news)]
        redelivered = again and finished in self.received
        self.received.add(finished)
        self.run(crash_after, self.world.deliver, finished, redelivered=redelivered)

    @rule()
    def sweep(self) -> None:
        self.world.sweeper.sweep(until=math.inf)
        self.news += [Finished.from_body(body) for body in self.world.queue.sent]
        self.world.queue.sent.clear()

    @invariant()
    def one_transcript_is_paid(self) -> None:
        assert len(self.world.provider.paid) <= 1

    @invariant()
    def a_closed_row_stays_as_it_is(self) -> None:
        row = self.row()
        if self.ended is not None:
            assert row == self.ended
        elif row and row["status"] not in OPEN:
            self.ended = dict(row)

    @invariant()
    def a_completed_row_has_its_files_and_items(self) -> None:
        row = self.row()
        assert bool(self.world.ledger.items) == (row.get("status") is Status.COMPLETED)
        if self.world.ledger.items:
            assert len(self.world.results.files) == 2
            [transcript_id] = self.world.provider.paid
            assert row["transcript_id"] == transcript_id

    @invariant()
    def what_failed_has_a_reason(self) -> None:
        row = self.row()
        assert row.get("status") is not Status.FAILED or row["reason"]

    @invariant()
    def nobody_is_told_what_is_not_so(self) -> None:
        status = self.row().get("status")
        assert not self.world.told(HIGHLIGHTS_READY) or status is Status.COMPLETED
        assert not self.world.told(RECORDING_FAILED) or status is Status.FAILED

    def teardown(self) -> None:
        """However it went: with messages delivered and the provider done, the recording ends."""
        if not hasattr(self, "world"):
            return
        for _ in range(3):
            self.wait(OVERDUE_SECONDS)
            self.submit(0, None, None, None)
            for transcript_id, job in self.world.provider.jobs.items():
                if job["status"] == "processing":
                    self.world.provider.end(transcript_id, auto_highlights_result=RESULT)
            self.wait(OVERDUE_SECONDS)
            self.sweep()
            for finished in self.news:
                self.run(None, self.world.deliver, finished, redelivered=True)
        assert self.row()["status"] in (Status.COMPLETED, Status.FAILED)
        assert self.world.events.told
        self.one_transcript_is_paid()
        self.a_completed_row_has_its_files_and_items()


TestOneRecording = pytest.mark.timeout(60)(OneRecording.TestCase)
TestOneRecording.settings = settings(max_examples=200, stateful_step_count=12)
