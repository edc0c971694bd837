"""Three recordings and one place: whatever happens, each has its turn and is paid for once."""

import random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from audio_highlights.models import Status
from tests.fakes import LEASE_SECONDS, OVERDUE_SECONDS, World
from tests.unit.traffic import Traffic

SUBMIT_EFFECTS = ["claim", "enter", "create", "record transcript", "release", "leave", "wait", "look again"]
DELIVER_EFFECTS = ["put highlights", "complete", "event", "leave", "nobody waits", "look again"]


class ThreeRecordings(RuleBasedStateMachine):
    @initialize()
    def upload_three(self) -> None:
        self.world = World(most=1)
        self.uploads = [self.world.media.put(name) for name in ("a.wav", "b.wav", "c.wav")]
        self.traffic = Traffic(self.world, *self.uploads)

    @precondition(lambda self: self.traffic.events)
    @rule(which=st.integers(0), crash_after=st.sampled_from([None, None, *SUBMIT_EFFECTS]), twice=st.booleans())
    def submit(self, which: int, crash_after: str | None, *, twice: bool) -> None:
        events = self.traffic.events
        self.traffic.submit(events[which % len(events)], crash_after, twice=twice)

    @precondition(lambda self: any(message.receives for message in self.traffic.events))
    @rule()
    def message_becomes_a_dead_letter(self) -> None:
        self.traffic.events.remove(next(message for message in self.traffic.events if message.receives))

    @precondition(lambda self: self.traffic.working())
    @rule(called=st.booleans())
    def end(self, *, called: bool) -> None:
        self.traffic.end(self.traffic.working()[0], called=called)

    @precondition(lambda self: self.traffic.news)
    @rule(crash_after=st.sampled_from([None, None, *DELIVER_EFFECTS]))
    def deliver(self, crash_after: str | None) -> None:
        self.traffic.deliver(self.traffic.news[0], crash_after)

    @rule(seconds=st.sampled_from([1, LEASE_SECONDS, OVERDUE_SECONDS]), crash_after=st.sampled_from([None, "leave"]))
    def wait_and_sweep(self, seconds: int, crash_after: str | None) -> None:
        self.world.clock.advance(seconds)
        self.traffic.sweep(crash_after)

    @invariant()
    def one_at_a_time_and_each_is_paid_once(self) -> None:
        assert len(self.world.in_flight.holders) <= 1
        assert all(len(self.traffic.paid(upload)) <= 1 for upload in self.uploads)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.traffic.heal()
        assert [self.traffic.row(upload)["status"] for upload in self.uploads] == [Status.COMPLETED] * 3
        assert [len(self.traffic.paid(upload)) for upload in self.uploads] == [1, 1, 1]


TestThreeRecordings: Any = pytest.mark.timeout(120)(ThreeRecordings.TestCase)
TestThreeRecordings.settings = settings(max_examples=100, stateful_step_count=15)


@pytest.mark.parametrize("seed", range(5))
def test_42_who_waits_has_a_turn_though_others_keep_coming(seed: int) -> None:
    """SQS hands messages over in no order, so that a newcomer may take the place that a called one comes for."""
    chance = random.Random(seed)
    world = World(most=1)
    uploads = [world.media.put(f"{number}.wav") for number in range(100)]
    traffic = Traffic(world, *uploads)
    newcomers = traffic.events[5:]
    del traffic.events[5:]
    chance = random.Random(seed)
    while newcomers and {traffic.row(upload).get("status") for upload in uploads[:5]} != {Status.COMPLETED}:
        chance.shuffle(traffic.events)
        for message in list(traffic.events):
            traffic.submit(message)
        for transcript_id in traffic.working():
            traffic.end(transcript_id)
        for news in list(traffic.news):
            traffic.deliver(news)
        traffic.events.append(newcomers.pop())
        world.clock.advance(1)
    assert newcomers
