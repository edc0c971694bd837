"""What becomes of a webhook call that is let in: it is a hint where to look, and never what is stored.

Each call goes through the webhook's handler, and what that sends on goes through delivery, as in the deployed system.
The number in a name is the fault's in docs/security.md.
"""

import copy
import json
from typing import Any
from uuid import uuid4

import pytest

from audio_highlights.errors import ForeignTranscript, TranscriptNotReady
from audio_highlights.models import Finished, Status
from audio_highlights.workflow import HIGHLIGHTS_READY, RECORDING_FAILED, WEBHOOK_HEADER, Outcome, binding
from tests.fakes import OVERDUE_SECONDS, SECRET, FakeSecrets, World
from tests.unit.functions import Context, event, shared

PHRASES = {
    "status": "success",
    "results": [{"text": "internet outage", "count": 1, "rank": 0.1, "timestamps": [{"start": 1, "end": 2}]}],
}


class Pipeline:
    """A world of which one recording's transcript is at work, and the webhook in front of it."""

    def __init__(self, webhook: Any) -> None:
        self.world = World()
        self.webhook = webhook

    def recording(self, key: str = "calls/refund.wav") -> Finished:
        return self.world.submitted(key)

    def end(self, finished: Finished, status: str = "completed") -> None:
        self.world.provider.end(finished.transcript_id, status, auto_highlights_result=PHRASES)

    def call(self, finished: Finished, *, header: str | None = None, status: str = "completed", **body: Any) -> int:
        """The answer to a call about it, rightly bound unless a header is given."""
        header = binding(SECRET, finished.recording_id, finished.attempt) if header is None else header
        called = {
            **event("webhook/completed"),
            "headers": {WEBHOOK_HEADER: header},
            "queryStringParameters": {"recording": finished.recording_id, "attempt": str(finished.attempt)},
            "body": json.dumps({"transcript_id": finished.transcript_id, "status": status, **body}),
        }
        answer: int = self.webhook.handler(called, Context())["statusCode"]
        return answer

    def deliver(self) -> list[Outcome]:
        """What delivery makes of all messages so far, each once."""
        sent, self.world.queue.sent = self.world.queue.sent, []
        return [self.world.deliver(Finished.from_body(body))[0] for body in sent]

    def state(self) -> Any:
        """All that is stored and told."""
        world = self.world
        return copy.deepcopy((world.ledger.rows, world.ledger.items, world.results.files, world.events.told))


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    webhook = shared("webhook", monkeypatch)
    pipeline = Pipeline(webhook)
    monkeypatch.setattr(webhook, "secrets", FakeSecrets())
    monkeypatch.setattr(webhook, "results_queue", pipeline.world.queue)
    return pipeline


def test_44_the_binding_of_another_recording_is_refused(pipeline: Pipeline) -> None:
    one, other = pipeline.recording("a.wav"), pipeline.recording("b.wav")
    pipeline.end(other)
    before = pipeline.state()
    assert pipeline.call(other, header=binding(SECRET, one.recording_id, one.attempt)) == 401
    assert pipeline.deliver() == []
    assert pipeline.state() == before


def test_46_ten_duplicates_are_one_result_and_one_event(pipeline: Pipeline) -> None:
    finished = pipeline.recording()
    pipeline.end(finished)
    assert [pipeline.call(finished) for _ in range(10)] == [200] * 10
    assert pipeline.deliver() == [Outcome.COMPLETED] + 9 * [Outcome.DUPLICATE]
    assert len(pipeline.world.told(HIGHLIGHTS_READY)) == 1
    assert len(pipeline.world.results.files) == 2


@pytest.mark.parametrize("status", ["completed", "error"])
def test_47_a_replay_after_completion_changes_nothing(pipeline: Pipeline, status: str) -> None:
    finished = pipeline.recording()
    pipeline.end(finished)
    pipeline.call(finished)
    pipeline.deliver()
    before = pipeline.state()
    pipeline.world.clock.advance(30 * 86400)
    assert pipeline.call(finished, status=status) == 200
    assert pipeline.deliver() == [Outcome.DUPLICATE]
    assert pipeline.state() == before


def test_48_news_that_come_before_the_transcript_id_is_recorded_complete_the_recording(pipeline: Pipeline) -> None:
    world = pipeline.world
    upload = world.media.put()
    first = Finished(upload.recording_id, 1, "t1")

    def at_once() -> None:
        pipeline.end(first)
        assert pipeline.call(first) == 200
        assert pipeline.deliver() == [Outcome.COMPLETED]

    world.provider.during_create = at_once
    world.submit(upload)
    assert world.row(upload)["status"] == Status.COMPLETED
    assert world.row(upload)["transcript_id"] == "t1"
    assert len(world.told(HIGHLIGHTS_READY)) == 1


def test_49_and_50_news_that_never_come_are_found_by_the_sweep_and_change_nothing_if_they_come_late(
    pipeline: Pipeline,
) -> None:
    finished = pipeline.recording()
    pipeline.end(finished)
    pipeline.world.clock.advance(OVERDUE_SECONDS + 1)
    assert pipeline.world.sweeper.sweep(until=float("inf"))["ended"] == 1
    assert pipeline.deliver() == [Outcome.COMPLETED]
    before = pipeline.state()
    assert pipeline.call(finished) == 200
    assert pipeline.deliver() == [Outcome.DUPLICATE]
    assert pipeline.state() == before


def test_51_news_of_an_unknown_recording_store_nothing(pipeline: Pipeline) -> None:
    pipeline.end(pipeline.recording())
    before = pipeline.state()
    unknown = Finished(uuid4().hex, 1, "t1")
    assert pipeline.call(unknown, header="0" * 64) == 401
    assert pipeline.call(unknown) == 200  # only who has the secret can bind it: its row was deleted
    with pytest.raises(ForeignTranscript, match="its row was deleted"):
        pipeline.deliver()
    assert pipeline.state() == before
    assert "t1" in pipeline.world.provider.jobs


def test_52_a_forged_completed_makes_nothing_complete(pipeline: Pipeline) -> None:
    finished = pipeline.recording()
    before = pipeline.state()
    assert pipeline.call(finished, header="0" * 64) == 401
    assert pipeline.call(finished, auto_highlights_result=PHRASES, text="forged") == 200
    with pytest.raises(TranscriptNotReady):
        pipeline.deliver()
    assert pipeline.state() == before


def test_52_what_the_call_says_is_not_what_is_stored(pipeline: Pipeline) -> None:
    finished = pipeline.recording()
    pipeline.end(finished)
    forged = {"status": "success", "results": [{"text": "forged", "count": 9, "rank": 1, "timestamps": []}]}
    assert pipeline.call(finished, auto_highlights_result=forged, text="forged", audio_url="https://x.test") == 200
    assert pipeline.deliver() == [Outcome.COMPLETED]
    assert "forged" not in repr(pipeline.state())
    assert [one.text for one in pipeline.world.ledger.items[finished.recording_id].values()] == ["internet outage"]


def test_53_the_transcript_of_another_recording_is_refused(pipeline: Pipeline) -> None:
    one, other = pipeline.recording("a.wav"), pipeline.recording("b.wav")
    pipeline.end(other)
    before = pipeline.state()
    assert pipeline.call(one, transcript_id=other.transcript_id) == 200
    with pytest.raises(ForeignTranscript, match="does not belong to"):
        pipeline.deliver()
    assert pipeline.state() == before


@pytest.mark.parametrize("transcript_id", ["unknown", "../../v2/account", "t1?x=", "t1\n", "\ud800"], ids=ascii)
def test_53_a_transcript_that_the_provider_does_not_know_is_refused(pipeline: Pipeline, transcript_id: str) -> None:
    finished = pipeline.recording()
    before = pipeline.state()
    assert pipeline.call(finished, transcript_id=transcript_id) == 200
    with pytest.raises(ForeignTranscript):
        pipeline.deliver()
    assert pipeline.state() == before


def test_54_an_error_that_the_provider_confirms_fails_the_recording(pipeline: Pipeline) -> None:
    finished = pipeline.recording()
    pipeline.world.provider.end(finished.transcript_id, "error", error="no audio")
    assert pipeline.call(finished, status="error") == 200
    assert pipeline.deliver() == [Outcome.FAILED]
    assert "no audio" in pipeline.world.row(finished)["reason"]
    assert len(pipeline.world.told(RECORDING_FAILED)) == 1


def test_54_an_error_that_the_provider_does_not_confirm_fails_nothing(pipeline: Pipeline) -> None:
    finished = pipeline.recording()
    pipeline.end(finished)
    assert pipeline.call(finished, status="error") == 200
    assert pipeline.deliver() == [Outcome.COMPLETED]


def test_61_news_of_redacted_audio_end_nothing(pipeline: Pipeline) -> None:
    finished = pipeline.recording()
    pipeline.end(finished)
    before = pipeline.state()
    called = {
        **event("webhook/completed"),
        "headers": {WEBHOOK_HEADER: binding(SECRET, finished.recording_id, 1)},
        "queryStringParameters": {"recording": finished.recording_id, "attempt": "1"},
        "body": json.dumps({"status": "redacted_audio_ready", "redacted_audio_url": "https://x.test/a?secret=1"}),
    }
    assert pipeline.webhook.handler(called, Context()) == {"statusCode": 200}
    assert pipeline.deliver() == []
    assert pipeline.state() == before
