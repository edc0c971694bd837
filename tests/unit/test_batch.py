"""A batch from SQS: every record stands for itself."""

import io
import json
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from audio_highlights.batch import Record, answer_batch, json_body, receive_count, wait_seconds
from audio_highlights.errors import ProviderUnavailable, RecordingInWork
from tests.fakes import FakeQueue
from tests.unit.functions import lines


def record(number: int, body: object, receives: int = 1) -> dict[str, Any]:
    return {
        "messageId": f"m{number}",
        "receiptHandle": f"handle-{number}",
        "body": json.dumps(body),
        "attributes": {"ApproximateReceiveCount": str(receives)},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:queue",
    }


def failed(answer: dict[str, Any]) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def poisonous(one: Record) -> None:
    said = json.loads(one["body"])
    if said == "poison":
        message = "bad luck"
        raise ValueError(message)
    if said == "busy":
        message = "in work"
        raise RecordingInWork(message)


def test_19_only_the_poison_comes_again(logger: Logger) -> None:
    bodies = ["good", "poison", "good", "busy", "good"]
    handled: list[str] = []

    def handle(one: Record) -> None:
        handled.append(one["messageId"])
        poisonous(one)

    event = {"Records": [record(number, body) for number, body in enumerate(bodies)]}
    assert failed(answer_batch(event, handle, logger, FakeQueue())) == ["m1", "m3"]
    assert handled == ["m0", "m1", "m2", "m3", "m4"]


def test_a_good_batch_is_done(logger: Logger) -> None:
    event = {"Records": [record(1, "good"), record(2, "good")]}
    assert answer_batch(event, poisonous, logger, FakeQueue()) == {"batchItemFailures": []}


def test_20_a_batch_of_which_all_fails_is_answered_record_by_record(logger: Logger) -> None:
    event = {"Records": [record(1, "poison"), record(2, "busy")]}
    assert failed(answer_batch(event, poisonous, logger, FakeQueue())) == ["m1", "m2"]


def test_6_19_a_body_that_is_not_json_is_only_its_own_trouble(logger: Logger) -> None:
    event = {"Records": [{**record(1, ""), "body": "not JSON"}, record(2, "good")]}
    assert failed(answer_batch(event, poisonous, logger, FakeQueue())) == ["m1"]


@pytest.mark.parametrize("body", ["", "{", "[" * 100_000, "no JSON"])
def test_6_what_no_retry_can_cure_is_a_dead_letter_at_once_and_an_error_in_the_log(
    logger: Logger, output: io.StringIO, body: str
) -> None:
    queue = FakeQueue()
    event = {"Records": [{**record(1, "good"), "body": body}, record(2, "good")]}
    handled: list[object] = []
    answer = answer_batch(event, lambda one: handled.append(json_body(one)), logger, queue)
    assert failed(answer) == []
    assert (queue.buried, queue.hidden, handled) == ([body], [], ["good"])
    [line] = lines(output.getvalue())
    assert (line["level"], line["message"], line["message_id"]) == ("ERROR", "This message is not JSON.", "m1")


def test_what_cannot_be_buried_comes_again(logger: Logger) -> None:
    event = {"Records": [{**record(1, "good"), "body": "no JSON"}]}
    queue = FakeQueue(trouble=OSError("the queue is down"))
    handled: list[object] = []
    answer = answer_batch(event, lambda one: handled.append(json_body(one)), logger, queue)
    assert failed(answer) == ["m1"]


def test_the_next_batch_knows_nothing_of_the_last(logger: Logger) -> None:
    answer_batch({"Records": [record(1, "poison")]}, poisonous, logger, FakeQueue())
    answer = answer_batch({"Records": [record(2, "good")]}, poisonous, logger, FakeQueue())
    assert failed(answer) == []


def test_keys_of_one_record_are_not_on_the_next_ones_lines(logger: Logger, output: io.StringIO) -> None:
    def handle(one: Record) -> None:
        logger.info("looking")
        logger.append_keys(recording_id=json_body(one))
        poisonous(one)
        logger.info("done")

    logger.append_keys(of_the_function="kept")
    event = {"Records": [record(1, "poison"), record(2, "good")]}
    answer_batch(event, handle, logger, FakeQueue())
    logger.info("after")
    all_ = lines(output.getvalue())
    said = [(line["message"], line.get("message_id"), line.get("recording_id")) for line in all_]
    assert said == [
        ("looking", "m1", None),
        ("unexpected error; the message will come again", "m1", "poison"),
        ("looking", "m2", None),
        ("done", "m2", "good"),
        ("after", None, None),
    ]
    assert {line["of_the_function"] for line in all_} == {"kept"}


def test_an_expected_failure_is_a_warning_and_an_unexpected_one_has_a_traceback(
    logger: Logger, output: io.StringIO
) -> None:
    event = {"Records": [record(1, "busy"), record(2, "poison")]}
    answer_batch(event, poisonous, logger, FakeQueue())
    busy, poison = lines(output.getvalue())
    assert (busy["level"], busy["message"], busy["error"]) == ("WARNING", "in work", "RecordingInWork")
    assert "exception" not in busy
    assert poison["level"] == "ERROR"
    assert "ValueError: bad luck" in poison["exception"]


def test_a_failed_message_is_hidden_for_as_long_as_its_line_says(logger: Logger, output: io.StringIO) -> None:
    queue = FakeQueue()
    event = {"Records": [record(1, "busy", receives=3), record(2, "good")]}
    answer_batch(event, poisonous, logger, queue)
    [(handle, seconds)] = queue.hidden
    assert handle == "handle-1"
    assert 48 <= seconds <= 60
    [line] = lines(output.getvalue())
    assert line["next_try_seconds"] == seconds


@pytest.mark.parametrize(("asked", "least", "most"), [(0, 12, 15), (600, 600, 600), (10**6, 21_600, 21_600)])
def test_29_a_message_is_hidden_for_as_long_as_the_provider_asked(
    logger: Logger, asked: int, least: int, most: int
) -> None:
    def too_many(_: Record) -> None:
        message = "429"
        raise ProviderUnavailable(message, wait_seconds=asked)

    queue = FakeQueue()
    assert failed(answer_batch({"Records": [record(1, "")]}, too_many, logger, queue)) == ["m1"]
    [(_, seconds)] = queue.hidden
    assert least <= seconds <= most


def test_a_queue_that_cannot_hide_a_message_stops_nothing(logger: Logger, output: io.StringIO) -> None:
    queue = FakeQueue(trouble=OSError("SQS is down"))
    event = {"Records": [record(1, "busy"), record(2, "poison"), record(3, "good")]}
    assert failed(answer_batch(event, poisonous, logger, queue)) == ["m1", "m2"]
    said = [line["message"] for line in lines(output.getvalue())]
    assert said.count("the message's visibility could not be changed") == 2
    assert "in work" in said


@pytest.mark.parametrize(
    ("receives", "longest"), [(1, 15), (2, 30), (3, 60), (4, 120), (6, 480), (7, 900), (8, 900), (1000, 900)]
)
def test_the_wait_doubles_up_to_a_quarter_of_an_hour(receives: int, longest: int) -> None:
    waits = [wait_seconds(receives) for _ in range(200)]
    assert max(waits) <= longest
    assert min(waits) >= round(longest * 0.8)
    assert len(set(waits)) > 1  # not all at the same time


def test_how_often_a_message_was_received_is_what_sqs_says() -> None:
    assert receive_count(record(1, "", receives=4)) == 4


def test_a_secret_in_an_expected_error_is_no_secret_of_a_url(logger: Logger, output: io.StringIO) -> None:
    def handle(one: Record) -> None:
        message = f"unable to download https://x.test/{one['messageId']}?X-Amz-Signature=verysecret"
        raise ProviderUnavailable(message, may_have_accepted=False)

    answer_batch({"Records": [record(1, "")]}, handle, logger, FakeQueue())
    assert "https://x.test/m1" in output.getvalue()
    assert "verysecret" not in output.getvalue()
