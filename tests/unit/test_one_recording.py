"""One recording, all that can happen to it, in any order: the promises hold at every moment.

One place in the line, and a neighbour who wants it too. Functions die after any side effect, messages come in any
order and more than once, or end as dead letters; the provider's list may not show its newest transcript yet.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from audio_highlights.config import AudioTransfer
from audio_highlights.errors import ProviderAccountRefused, ProviderUnavailable, RequestRefused
from audio_highlights.line import PROBE_SECONDS
from audio_highlights.models import OPEN, Status, Upload
from audio_highlights.workflow import HIGHLIGHTS_READY, MOST_RETRIES, RECORDING_FAILED
from tests.fakes import LEASE_SECONDS, OVERDUE_SECONDS, World
from tests.unit.traffic import ENDS, Message, Traffic

BEFORE = [ProviderUnavailable("429", may_have_accepted=False), ProviderAccountRefused("401")]
REFUSED = RequestRefused("400")
AFTER = ProviderUnavailable("read timeout", may_have_accepted=True)
SUBMIT_EFFECTS = ["claim", "enter", "upload", "note upload_url", "create", "record transcript"]
SUBMIT_EFFECTS += ["stop", "go on", "release", "leave", "wait", "look again", "end", "event", "delete", "note extra"]
DELIVER_EFFECTS = ["put highlights", "put transcripts", "complete", "retry", "end", "event", "leave", "look again"]
DELIVER_EFFECTS += ["nobody waits", "delete", "note extra"]
SWEEP_EFFECTS = ["leave", "look again"]


class OneRecording(RuleBasedStateMachine):
    @initialize(transfer=st.sampled_from(AudioTransfer))
    def upload_one(self, transfer: AudioTransfer) -> None:
        self.world = World(transfer=transfer, most=1)
        self.upload, self.neighbour = self.world.media.put("ours.wav"), self.world.media.put("neighbour.wav")
        self.traffic = Traffic(self.world, self.upload, self.neighbour)
        self.ended: dict[str, Any] | None = None
        self.unseen = 0  # how often the recording may have been asked for once more, because the list lagged

    def row(self) -> dict[str, Any]:
        return self.traffic.row(self.upload)

    def ours(self) -> list[Message[Upload]]:
        return [message for message in self.traffic.events if message.body == self.upload]

    # ---- messages of uploads

    @precondition(lambda self: self.ours())
    @rule(which=st.integers(0), twice=st.booleans())
    def submit(self, which: int, *, twice: bool) -> None:
        ours = self.ours()
        self.traffic.submit(ours[which % len(ours)], twice=twice)

    @precondition(lambda self: self.ours())
    @rule(crash_after=st.sampled_from(SUBMIT_EFFECTS), lags=st.booleans())
    def submit_and_die(self, crash_after: str, *, lags: bool) -> None:
        with self.lagging(lags=lags):
            self.traffic.submit(self.ours()[0], crash_after)

    @precondition(lambda self: self.ours())
    @rule(
        trouble=st.sampled_from([None, *BEFORE, AFTER, REFUSED]),
        listed=st.sampled_from([None, *BEFORE]),
        crash_after=st.sampled_from([None, None, "release", "leave", "stop", "end", "event"]),
    )
    def submit_in_trouble(self, trouble: Exception | None, listed: Exception | None, crash_after: str | None) -> None:
        provider = self.world.provider
        if trouble:
            (provider.lost_answers if trouble is AFTER else provider.refusals).append(trouble)
        if listed:
            provider.list_troubles.append(listed)
        self.traffic.submit(self.ours()[0], crash_after)
        for troubles in (provider.lost_answers, provider.refusals, provider.list_troubles):
            troubles.clear()

    @precondition(lambda self: self.ours())
    @rule(
        meanwhile=st.sampled_from(["sweep", "webhook", "submit", "submit while the list lags"]),
        crash_after=st.sampled_from([None, None, "create", "record transcript", "delete", "note extra"]),
        trouble=st.sampled_from([None, None, AFTER]),
    )
    def submit_overlapped(self, meanwhile: str, crash_after: str | None, trouble: Exception | None) -> None:
        provider = self.world.provider
        provider.during_create = lambda: self.during_create(meanwhile, crash_after, trouble)
        self.traffic.submit(self.ours()[0])
        provider.during_create = lambda: None
        provider.lost_answers.clear()

    @contextlib.contextmanager
    def lagging(self, *, lags: bool) -> Iterator[None]:
        """The provider's list does not show its newest transcript yet."""
        provider = self.world.provider
        before = len(provider.asked)
        provider.unlisted = set(self.traffic.working()[-1:]) if lags else set()
        yield
        if lags:
            self.unseen += len(provider.asked) > before
        provider.unlisted = set()

    def during_create(self, what: str, crash_after: str | None, trouble: Exception | None) -> None:
        """While the provider takes its time to answer, other functions go on."""
        provider = self.world.provider
        provider.during_create = lambda: None
        if what.startswith("submit"):
            self.world.clock.advance(LEASE_SECONDS)
            message = Message(self.upload)
            self.traffic.events.append(message)
            with self.lagging(lags=what.endswith("lags")):
                self.traffic.submit(message)
        elif what == "sweep":
            self.world.clock.advance(LEASE_SECONDS)
            self.traffic.sweep()
        elif what == "webhook":
            self.traffic.end(self.traffic.working()[-1])
            self.traffic.deliver(self.traffic.news[-1])
        self.world.journal.crash_after = crash_after
        provider.lost_answers.extend([trouble] if trouble else [])

    @precondition(
        lambda self: (
            any(message.receives for message in self.ours()) and self.row().get("status", Status.SUBMITTING) in OPEN
        )
    )
    @rule()
    def message_becomes_a_dead_letter(self) -> None:
        self.traffic.events.remove(next(message for message in self.ours() if message.receives))

    # ---- the neighbour

    @precondition(lambda self: any(message.body == self.neighbour for message in self.traffic.events))
    @rule(crash_after=st.sampled_from([None, "enter", "leave", "wait"]))
    def neighbour_is_submitted(self, crash_after: str | None) -> None:
        message = next(message for message in self.traffic.events if message.body == self.neighbour)
        self.traffic.submit(message, crash_after)

    # ---- the provider

    @precondition(lambda self: self.traffic.working())
    @rule(which=st.integers(0), how=st.sampled_from(sorted(ENDS)), called=st.booleans())
    def end(self, which: int, how: str, *, called: bool) -> None:
        working = self.traffic.working()
        self.traffic.end(working[which % len(working)], how, called=called)

    @precondition(lambda self: self.traffic.news)
    @rule(which=st.integers(0), crash_after=st.sampled_from([None, None, *DELIVER_EFFECTS]), twice=st.booleans())
    def deliver(self, which: int, crash_after: str | None, *, twice: bool) -> None:
        self.traffic.deliver(self.traffic.news[which % len(self.traffic.news)], crash_after, twice=twice)

    # ---- time

    @rule(seconds=st.sampled_from([1, PROBE_SECONDS, LEASE_SECONDS, OVERDUE_SECONDS]))
    def wait(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    @rule(crash_after=st.sampled_from([None, None, *SWEEP_EFFECTS]))
    def sweep(self, crash_after: str | None) -> None:
        self.traffic.sweep(crash_after)

    @rule()
    def scan(self) -> None:
        self.traffic.scan()

    # ---- what holds

    @invariant()
    def one_transcript_is_paid_but_for_those_that_nobody_could_see(self) -> None:
        assert len(self.traffic.paid(self.upload)) <= 1 + self.unseen
        assert len(self.traffic.paid(self.neighbour)) <= 1

    @invariant()
    def a_closed_row_stays_as_it_is(self) -> None:
        row = {name: value for name, value in self.row().items() if name != "extra_transcripts"}
        if self.ended is not None:
            assert row == self.ended
        elif row and row["status"] not in OPEN:
            self.ended = row

    @invariant()
    def a_completed_row_has_the_files_and_items_of_its_transcript(self) -> None:
        row = self.row()
        assert (self.upload.recording_id in self.world.ledger.items) == (row.get("status") is Status.COMPLETED)
        if row.get("status") is Status.COMPLETED:
            files = [file for name, file in self.world.results.files.items() if self.upload.recording_id in name]
            assert {file.get("transcript_id", file.get("id")) for file in files} == {row["transcript_id"]}
            assert len(files) == 2
            assert row["transcript_id"] not in self.world.provider.deleted

    @invariant()
    def what_failed_has_a_reason(self) -> None:
        row = self.row()
        assert row.get("status") is not Status.FAILED or row["reason"]

    @invariant()
    def nobody_is_told_what_is_not_so(self) -> None:
        told = [detail for detail in self.world.told(HIGHLIGHTS_READY) if detail["key"] == "ours.wav"]
        assert not told or self.row()["status"] is Status.COMPLETED
        told = [detail for detail in self.world.told(RECORDING_FAILED) if detail["key"] == "ours.wav"]
        assert not told or self.row()["status"] is Status.FAILED

    @invariant()
    def no_more_than_three_new_urls_are_signed(self) -> None:
        assert len(self.row().get("retried_transcripts", ())) <= MOST_RETRIES

    @invariant()
    def no_more_are_in_flight_than_places(self) -> None:
        # A probe of a stopped line takes no heed of who is still in it.
        assert len(self.world.in_flight.holders) <= 1 or "stop" in self.world.journal.effects

    def teardown(self) -> None:
        """However it went: by its own means the system ends both recordings, tells it, and gives the places back."""
        if not hasattr(self, "world"):
            return
        self.traffic.heal()
        assert self.row()["status"] in (Status.COMPLETED, Status.FAILED)
        assert self.traffic.row(self.neighbour)["status"] in (Status.COMPLETED, Status.FAILED)
        assert {detail["recording_id"] for _, detail in self.world.events.told} == set(self.traffic.uploads)
        if self.row()["status"] is Status.COMPLETED:
            extra = set(self.traffic.paid(self.upload)) - {self.row()["transcript_id"]}
            assert extra <= set(self.world.provider.deleted)
            assert extra <= self.row().get("extra_transcripts", set())
        self.a_closed_row_stays_as_it_is()
        self.a_completed_row_has_the_files_and_items_of_its_transcript()


TestOneRecording = pytest.mark.timeout(120)(OneRecording.TestCase)
TestOneRecording.settings = settings(max_examples=400, stateful_step_count=20)
