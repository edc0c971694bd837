"""AWS in trouble: what is refused, half done, or done without an answer is made good when the message comes again."""

import contextlib
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.stub import Stubber

from audio_highlights import storage
from audio_highlights.errors import PermanentError, StorageBusy
from audio_highlights.models import Finished, Highlight, Recording, Status, Upload, utc_text
from audio_highlights.storage import Ledger
from audio_highlights.workflow import HIGHLIGHTS_READY, MOST_ATTEMPTS, RECORDING_FAILED, Outcome
from tests.fakes import LEASE_SECONDS, Clock, World
from tests.unit.traffic import RESULT

DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "AssumeRole")
DOWN = ClientError({"Error": {"Code": "InternalServiceError", "Message": "down"}}, "GetSecretValue")
THROTTLED = ClientError({"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "slow"}}, "UpdateItem")
NO_ANSWER = ReadTimeoutError(endpoint_url="https://dynamodb.eu-west-1.amazonaws.com")


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error.with_traceback(None)

    return fail


def once(owner: object, method: str, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next call of the method raises, and does nothing else."""
    works = getattr(owner, method)

    def fail(*_: object, **__: object) -> Any:
        monkeypatch.setattr(owner, method, works)
        raise error.with_traceback(None)

    monkeypatch.setattr(owner, method, fail)


def submitted_at_last(world: World, upload: Upload) -> None:
    """The message comes again when the lease of the try that failed has run out."""
    world.clock.advance(LEASE_SECONDS)
    assert world.submit(upload, redelivered=True)[0] in (Outcome.SUBMITTED, Outcome.ADOPTED, Outcome.DUPLICATE)
    assert world.provider.paid == ["t1"]
    assert world.row(upload)["transcript_id"] == "t1"
    assert world.in_flight.holders == {upload.recording_id}


def delivered_at_last(world: World, finished: Finished) -> None:
    world.deliver(finished, redelivered=True)
    assert world.row(finished)["status"] is Status.COMPLETED
    assert {told["recording_id"] for told in world.told(HIGHLIGHTS_READY)} == {finished.recording_id}
    assert len(world.results.files) == 2
    assert not world.in_flight.holders


# ---- before a transcript is asked for


def test_37_a_secret_store_that_is_down_delays_and_pays_for_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    upload = world.media.put()
    once(world.submitter, "_webhook_secret", DOWN, monkeypatch)
    with pytest.raises(ClientError, match="down"):
        world.submit(upload)
    assert not world.provider.asked
    submitted_at_last(world, upload)


def test_38_a_signer_role_that_may_not_be_assumed_delays_and_pays_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    upload = world.media.put()
    once(world.media, "presign", DENIED, monkeypatch)
    with pytest.raises(ClientError, match="AccessDenied"):
        world.submit(upload)
    assert not world.provider.asked
    submitted_at_last(world, upload)


def test_38_a_submission_that_dies_a_hundred_times_is_given_up_and_says_where_to_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    upload = world.media.put()
    monkeypatch.setattr(world.media, "presign", raising(DENIED))
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(ClientError):
            world.submit(upload)
        world.clock.advance(LEASE_SECONDS)
    assert world.sweeper.sweep(until=float("inf"))["given_up"] == 1
    reason = world.row(upload)["reason"]
    assert "100 times in vain" in reason
    assert "log" in reason
    assert "None" not in reason
    assert not world.in_flight.holders


# ---- DynamoDB


@pytest.mark.parametrize("method", ["claim", "record_transcript"])
def test_39_a_throttled_write_of_submit_is_made_good(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    upload = world.media.put()
    once(world.ledger, method, THROTTLED, monkeypatch)
    with pytest.raises(ClientError, match="slow"):
        world.submit(upload)
    submitted_at_last(world, upload)


@pytest.mark.parametrize("effect", ["claim", "enter", "record transcript"])
def test_39_a_write_of_submit_that_was_done_without_an_answer_is_made_good(effect: str) -> None:
    world = World()
    upload = world.media.put()
    world.journal.crash_after, world.journal.trouble = effect, NO_ANSWER
    with pytest.raises(ReadTimeoutError):
        world.submit(upload)
    submitted_at_last(world, upload)


@pytest.mark.parametrize(("owner", "method"), [("ledger", "get"), ("ledger", "complete"), ("in_flight", "leave")])
def test_39_a_throttled_call_of_results_is_made_good(owner: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    finished = world.submitted()
    world.provider.end("t1", auto_highlights_result=RESULT)
    once(getattr(world, owner), method, THROTTLED, monkeypatch)
    with pytest.raises(ClientError, match="slow"):
        world.deliver(finished)
    delivered_at_last(world, finished)


@pytest.mark.parametrize("effect", ["complete", "event", "leave"])
def test_39_a_write_of_results_that_was_done_without_an_answer_is_made_good(effect: str) -> None:
    world = World()
    finished = world.submitted()
    world.provider.end("t1", auto_highlights_result=RESULT)
    world.journal.crash_after, world.journal.trouble = effect, NO_ANSWER
    with pytest.raises(ReadTimeoutError):
        world.deliver(finished)
    delivered_at_last(world, finished)


@pytest.mark.parametrize("effect", ["refuse", "event"])
def test_39_a_refusal_that_was_written_without_an_answer_is_told(effect: str) -> None:
    world = World()
    upload = world.media.put()
    world.media.trouble = PermanentError("S3 denies reading it")
    world.journal.crash_after, world.journal.trouble = effect, NO_ANSWER
    with pytest.raises(ReadTimeoutError):
        world.submit(upload)
    world.submit(upload, redelivered=True)
    assert {told["reason"] for told in world.told(RECORDING_FAILED)} == {"S3 denies reading it"}


# ---- the results bucket


@pytest.mark.parametrize("method", ["put_highlights", "put_transcript"])
def test_68_a_write_to_s3_that_fails_leaves_it_open_and_is_made_good(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    finished = world.submitted()
    world.provider.end("t1", auto_highlights_result=RESULT)
    once(world.results, method, ClientError({"Error": {"Code": "SlowDown"}}, "PutObject"), monkeypatch)
    with pytest.raises(ClientError, match="SlowDown"):
        world.deliver(finished)
    assert world.row(finished)["status"] is Status.PROCESSING
    assert not world.ledger.items
    assert not world.events.told
    delivered_at_last(world, finished)


# ---- what DynamoDB answers


RECORDING = Recording("r1", "recordings", "k", Status.PROCESSING, 1, "2026-11-22", "2026-11-22T16:53:00.000Z")


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Stubber:
    client: Any = boto3.client(
        "dynamodb", region_name="eu-west-1", aws_access_key_id="made-up", aws_secret_access_key="made-up"
    )
    monkeypatch.setattr(storage, "client", lambda _: client)
    stub = Stubber(client)
    stub.activate()
    return stub


def phrases(count: int) -> list[Highlight]:
    return [Highlight(position, "refund", 1, None, ()) for position in range(1, count + 1)]


def cancelled(stub: Stubber, *codes: str) -> None:
    stub.add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        modeled_fields={"CancellationReasons": [{"Code": code} for code in codes]},
    )


@pytest.mark.parametrize("codes", [("TransactionConflict", "None"), ("None", "ThrottlingError")], ids=str)
def test_67_a_transaction_that_was_cancelled_for_another_reason_comes_again(
    dynamodb: Stubber, codes: tuple[str, ...]
) -> None:
    ledger = Ledger("recordings", "highlights", Clock())
    cancelled(dynamodb, *codes)
    with pytest.raises(ClientError, match="TransactionCanceled"):
        ledger.complete(RECORDING, {}, phrases(1))
    dynamodb.add_response("transact_write_items", {})
    assert ledger.complete(RECORDING, {}, phrases(1))


def test_67_a_transaction_that_was_cancelled_because_the_row_had_ended_is_lost(dynamodb: Stubber) -> None:
    cancelled(dynamodb, "ConditionalCheckFailed", "None")
    assert not Ledger("recordings", "highlights", Clock()).complete(RECORDING, {}, phrases(1))


def test_67_phrases_that_were_not_processed_keep_the_row_open(dynamodb: Stubber) -> None:
    item = {"PutRequest": {"Item": {"recording_id": {"S": "r1"}}}}
    dynamodb.add_response("batch_write_item", {"UnprocessedItems": {"highlights": [item]}})
    with pytest.raises(StorageBusy):
        Ledger("recordings", "highlights", Clock()).complete(RECORDING, {}, phrases(21))
    dynamodb.assert_no_pending_responses()


@pytest.mark.parametrize(("reason", "ended"), [("no audio", True), ("what another found", False)])
def test_39_a_write_that_was_refused_because_it_was_done_is_done(
    dynamodb: Stubber, reason: str, *, ended: bool
) -> None:
    now = Clock()
    there = {"status": {"S": "failed"}, "reason": {"S": reason}, "completed_at": {"S": utc_text(now())}}
    there["ended_badly"] = there["status"]
    dynamodb.add_client_error(
        "update_item",
        "ConditionalCheckFailedException",
        modeled_fields={"Item": {"recording_id": {"S": "r1"}, **there}},
    )
    assert Ledger("recordings", "highlights", now).end(RECORDING, Status.FAILED, "no audio") is ended


def test_67_rows_that_were_not_read_are_asked_for_again(dynamodb: Stubber) -> None:
    def row(name: str) -> dict[str, Any]:
        return {"recording_id": {"S": name}}

    unread = {"recordings": {"Keys": [row("b")]}}
    dynamodb.add_response("batch_get_item", {"Responses": {"recordings": [row("a")]}, "UnprocessedKeys": unread})
    dynamodb.add_response("batch_get_item", {"Responses": {"recordings": [row("b")]}})
    assert Ledger("recordings", "highlights", Clock()).known(["a", "b", "c"]) == {"a", "b"}


@pytest.mark.parametrize("error", [StorageBusy("DynamoDB is too busy"), THROTTLED], ids=str)
def test_67_a_completion_that_failed_half_way_is_done_again_whole(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    finished = world.submitted()
    world.provider.end("t1", auto_highlights_result=RESULT)
    once(world.ledger, "complete", error, monkeypatch)
    with contextlib.suppress(StorageBusy, ClientError):
        world.deliver(finished)
    assert not world.events.told
    delivered_at_last(world, finished)
