"""The workflow and the adapter against an engine that does what it is told to do wrong.

Tables, buckets and queues are fakes, HTTP is real: what counts is how often the provider made a job in the end.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from audio_highlights import assemblyai
from audio_highlights.assemblyai import AssemblyAI
from audio_highlights.config import AudioTransfer
from audio_highlights.errors import ProviderUnavailable, TranscriptNotReady
from audio_highlights.models import Finished, Status, Upload
from audio_highlights.workflow import Outcome
from tests.fakes import LEASE_SECONDS, World
from tests.integration.engine.running_engine import KEY, Engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    running = Engine(tmp_path_factory.mktemp("faulty"), "--faults", "--instant")
    yield running
    assert running.stop() == 0


class Pipeline:
    """A world whose provider is the engine, with one upload in it."""

    def __init__(self, engine: Engine, *faults: dict[str, Any]) -> None:
        engine.call("DELETE", "/faults")
        if faults:
            answer = engine.call("POST", "/faults", data=json.dumps(faults))  # with NaN and Infinity, if wanted
            assert answer.status_code == 200, answer.text
        self.engine = engine
        self.provider = AssemblyAI(engine.url, lambda _: KEY)
        self.world = World(transfer=AudioTransfer.UPLOAD, poll=True)
        self.world.clock.now = datetime.now(UTC)
        for part in (self.world.submitter, self.world.deliverer, self.world.sweeper):
            vars(part)["_provider"] = self.provider
        self.before = self.jobs()
        self.upload: Upload = self.world.media.put()

    def jobs(self) -> int:
        return sum(self.engine.call("GET", "/counts").json()["creates"].values())

    @property
    def made(self) -> int:
        """How many jobs the provider has made for this world."""
        return self.jobs() - self.before

    def submit(self) -> tuple[Outcome, str]:
        return self.world.submit(self.upload)

    def submit_when_the_lease_is_over(self) -> Outcome:
        self.world.clock.advance(LEASE_SECONDS)
        return self.submit()[0]

    @property
    def row(self) -> dict[str, Any]:
        return self.world.row(self.upload)

    def news(self) -> Finished:
        return Finished(self.upload.recording_id, self.row["attempt"], self.row["transcript_id"])

    def ended(self) -> dict[str, Any]:
        """The row, after the transcript has ended and was delivered."""
        self.engine.ended(self.row["transcript_id"])
        self.world.deliver(self.news())
        return self.row


SPOILED: list[dict[str, Any]] = [
    {"do": "500", "accepted": True},
    {"do": "502", "accepted": True},
    {"do": "503", "accepted": True},
    {"do": "504", "accepted": True},
    {"do": "reset", "accepted": True},
    {"do": "html", "code": 200, "accepted": True},
    {"do": "html", "code": 502, "accepted": True},
    {"do": "not-json", "accepted": True},
    {"do": "not-json", "text": "{}", "accepted": True},
    {"do": "truncated"},
    {"do": "broken-off"},
]


@pytest.mark.parametrize("fault", SPOILED, ids=lambda fault: " ".join(map(str, fault.values())))
def test_27_30_34_an_answer_that_was_spoiled_after_the_job_was_made_is_found_in_the_list(
    engine: Engine, fault: dict[str, Any]
) -> None:
    pipeline = Pipeline(engine, {"on": "create", **fault})
    with pytest.raises(ProviderUnavailable) as caught:
        pipeline.submit()
    assert caught.value.may_have_accepted
    assert pipeline.submit_when_the_lease_is_over() is Outcome.ADOPTED
    assert pipeline.ended()["status"] is Status.COMPLETED
    assert pipeline.made == 1


def test_27_a_read_timeout_after_the_job_was_made_is_found_in_the_list(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = Pipeline(engine, {"on": "create", "do": "hang", "seconds": 20, "accepted": True})
    monkeypatch.setattr(assemblyai, "_READ_SECONDS", 2)
    with pytest.raises(ProviderUnavailable, match="ReadTimeout") as caught:
        pipeline.submit()
    assert caught.value.may_have_accepted
    monkeypatch.undo()
    assert pipeline.submit_when_the_lease_is_over() is Outcome.ADOPTED
    assert pipeline.made == 1


@pytest.mark.parametrize("kind", ["500", "503", "504", "reset"])
def test_27_30_what_was_not_accepted_after_all_is_asked_for_again(engine: Engine, kind: str) -> None:
    pipeline = Pipeline(engine, {"on": "create", "do": kind})
    with pytest.raises(ProviderUnavailable):
        pipeline.submit()
    assert pipeline.submit_when_the_lease_is_over() is Outcome.SUBMITTED
    assert pipeline.made == 1


@pytest.mark.parametrize("list_fault", ["429", "500", "reset", "not-json", "html", "broken-off"])
def test_26_27_a_list_that_cannot_be_read_is_no_reason_to_pay_again(engine: Engine, list_fault: str) -> None:
    pipeline = Pipeline(
        engine, {"on": "create", "do": "reset", "accepted": True}, {"on": "list", "do": list_fault, "times": 1}
    )
    with pytest.raises(ProviderUnavailable):
        pipeline.submit()
    pipeline.world.clock.advance(LEASE_SECONDS)
    with pytest.raises(ProviderUnavailable):
        pipeline.submit()
    assert pipeline.submit_when_the_lease_is_over() is Outcome.ADOPTED
    assert pipeline.made == 1


@pytest.mark.parametrize(("retry_after", "seconds"), [({}, 0), ({"retry_after": 7}, 7), ({"retry_after": "soon"}, 0)])
def test_29_too_many_requests_wait_as_long_as_asked_for(
    engine: Engine, retry_after: dict[str, Any], seconds: int
) -> None:
    pipeline = Pipeline(engine, {"on": "create", "do": "429", **retry_after})
    with pytest.raises(ProviderUnavailable) as caught:
        pipeline.submit()
    assert (caught.value.wait_seconds, caught.value.may_have_accepted) == (seconds, False)
    assert pipeline.row["status"] is Status.QUEUED
    assert pipeline.submit()[0] is Outcome.SUBMITTED
    assert pipeline.made == 1


def test_31_a_refused_request_fails_with_the_providers_text(engine: Engine) -> None:
    pipeline = Pipeline(engine, {"on": "create", "do": "400", "text": '"speech_models" must be a non-empty list'})
    assert pipeline.submit()[0] is Outcome.FAILED
    assert '"speech_models" must be a non-empty list' in pipeline.row["reason"]
    assert pipeline.made == 0


@pytest.mark.parametrize(("fault", "times"), [("negative-balance", 1), ("401", 2)], ids=["32", "33"])
def test_32_33_a_refused_account_stops_the_line(engine: Engine, fault: str, times: int) -> None:
    pipeline = Pipeline(engine, {"on": "create", "do": fault, "times": times})
    outcome, reason = pipeline.submit()
    assert outcome is Outcome.WAITING
    assert pipeline.world.in_flight.stopped == pipeline.row["reason"] == reason
    pipeline.world.clock.advance(60)
    assert pipeline.submit()[0] is Outcome.SUBMITTED
    assert pipeline.world.in_flight.stopped is None
    assert pipeline.made == 1


def test_35_an_answer_in_slow_drops_is_waited_for(engine: Engine) -> None:
    pipeline = Pipeline(engine, {"on": "create", "do": "drip", "seconds": 2})
    assert pipeline.submit()[0] is Outcome.SUBMITTED
    assert pipeline.made == 1


def test_41_a_download_error_is_known_by_its_text_and_answered_with_a_new_job(engine: Engine) -> None:
    pipeline = Pipeline(engine, {"on": "job", "do": "download-error", "times": 3})
    for _ in range(3):
        pipeline.submit()
        assert pipeline.ended()["status"] is Status.QUEUED
        assert pipeline.world.called() == [pipeline.upload]
    pipeline.submit()
    assert pipeline.ended()["status"] is Status.COMPLETED
    assert pipeline.made == 4


@pytest.mark.parametrize("kind", ["queued", "processing"])
def test_62_a_transcript_in_work_comes_again(engine: Engine, kind: str) -> None:
    pipeline = Pipeline(engine, {"on": "job", "do": kind, "seconds": 3600})
    pipeline.submit()
    with pytest.raises(TranscriptNotReady):
        pipeline.world.deliver(pipeline.news())
    assert pipeline.row["status"] in (Status.QUEUED, Status.PROCESSING)
    engine.call("DELETE", f"/v2/transcript/{pipeline.row['transcript_id']}")


@pytest.mark.parametrize("kind", ["429", "500", "503", "504", "reset", "html", "not-json", "truncated", "broken-off"])
def test_63_a_transcript_that_cannot_be_fetched_now_is_fetched_later(engine: Engine, kind: str) -> None:
    pipeline = Pipeline(engine)
    pipeline.submit()
    engine.ended(pipeline.row["transcript_id"])
    engine.call("POST", "/faults", json={"on": "get", "do": kind})
    with pytest.raises(ProviderUnavailable):
        pipeline.world.deliver(pipeline.news())
    assert pipeline.row["status"] is not Status.COMPLETED
    assert pipeline.ended()["status"] is Status.COMPLETED


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        ({"do": "unavailable"}, "unavailable"),
        ({"do": "no-results"}, "empty"),
        ({"do": "no-rank"}, "rank_missing"),
        ({"do": "other-language"}, "language_not_supported"),
        ({"do": "highlights", "value": None}, "missing"),
        (
            {"do": "highlights", "value": {"status": "success", "results": [{"text": "a", "rank": 1e999}]}},
            "rank_missing",
        ),
    ],
    ids=str,
)
def test_15_64_65_whatever_became_of_the_highlights_the_recording_completes(
    engine: Engine, job: dict[str, Any], expected: str
) -> None:
    pipeline = Pipeline(engine, {"on": "job", **job})
    pipeline.submit()
    row = pipeline.ended()
    assert (row["status"], row["highlights_status"]) == (Status.COMPLETED, expected)


def test_74_a_transcript_that_was_deleted_before_it_was_fetched_fails_with_a_reason(engine: Engine) -> None:
    pipeline = Pipeline(engine)
    pipeline.submit()
    engine.ended(pipeline.row["transcript_id"])
    assert engine.call("DELETE", f"/v2/transcript/{pipeline.row['transcript_id']}").status_code == 200
    assert pipeline.world.deliver(pipeline.news())[0] is Outcome.FAILED
    assert "does not know transcript" in pipeline.row["reason"]
