"""The submit function behind a real queue, with real tables: messages that come again while or after it works."""

import json
import os
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pytest

from audio_highlights.models import Transcript, Upload
from local.stack import PROJECT, Local
from tests.integration.conftest import Tables
from tests.unit.functions import Context, load

SPEECH = PROJECT / "tests" / "fixtures" / "refund.mp3"


@dataclass
class Queue:
    """A queue that gives a message once; what is not deleted in time is a dead letter, or comes again."""

    url: str
    dead_letters: str

    def send(self, upload: Upload) -> None:
        boto3.client("sqs").send_message(QueueUrl=self.url, MessageBody=body_of(upload))

    def receive(self, url: str = "") -> dict[str, Any]:
        """The next message as Lambda hands it to the function, as soon as there is one."""
        for _ in range(60):
            answer = boto3.client("sqs").receive_message(
                QueueUrl=url or self.url, WaitTimeSeconds=1, MessageSystemAttributeNames=["ApproximateReceiveCount"]
            )
            for message in answer.get("Messages", []):
                return {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": message["Attributes"],
                    "eventSource": "aws:sqs",
                    "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:queue",
                }
        pytest.fail("no message came")

    def show_now(self, record: dict[str, Any]) -> None:
        boto3.client("sqs").change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=0
        )


def body_of(upload: Upload) -> str:
    return json.dumps(upload.event())


@pytest.fixture
def queue(local_system: Local, request: pytest.FixtureRequest) -> Queue:
    """Messages are visible again after a second, and dead letters after so many receives."""
    sqs = boto3.client("sqs")
    name = f"submit-{uuid4().hex[:8]}"
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = f'{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{request.param}}}'
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "1", "RedrivePolicy": redrive})["QueueUrl"]
    return Queue(url, dead)


@pytest.fixture
def submit(local_system: Local, tables: Tables, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Any:
    key = boto3.client("secretsmanager").create_secret(
        Name=f"key-{uuid4().hex[:8]}", SecretString=local_system.engine_key
    )["ARN"]
    return load(
        "submit",
        monkeypatch,
        **{name: os.environ[name] for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")},
        ASSEMBLYAI_BASE_URL=local_system.engine_url,
        API_KEY_SECRET_ARN=key,
        AUDIO_TRANSFER="upload",
        WEBHOOK_URL="",
        QUEUE_URL=queue.url,
        DEAD_LETTER_QUEUE_URL=queue.dead_letters,
        RECORDINGS_TABLE=tables.recordings,
        HIGHLIGHTS_TABLE=tables.highlights,
        FLOW_TABLE=tables.flow,
    )


@pytest.fixture
def upload(bucket: str) -> Upload:
    boto3.client("s3").upload_file(str(SPEECH), bucket, "refund.mp3")
    head = boto3.client("s3").head_object(Bucket=bucket, Key="refund.mp3")
    return Upload(bucket, "refund.mp3", None, head["ETag"].strip('"'), head["ContentLength"])


def handle(submit: Any, record: dict[str, Any]) -> list[str]:
    """The ids of the messages that must come again."""
    answer = submit.handler({"Records": [record]}, Context())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def created(submit: Any, monkeypatch: pytest.MonkeyPatch, during: Any = None) -> list[str]:
    """The transcripts that the provider makes from now on; `during` happens while the first answer is on its way."""
    provider = vars(submit.submitter)["_provider"]
    made: list[str] = []
    create = provider.create

    def noted(parameters: dict[str, Any]) -> Transcript:
        transcript: Transcript = create(parameters)
        made.append(transcript.transcript_id)
        if during and len(made) == 1:
            during()
        return transcript

    monkeypatch.setattr(provider, "create", noted)
    return made


@pytest.mark.parametrize("queue", [10], indirect=True)
def test_21_a_message_that_comes_again_while_it_is_handled_pays_once(
    submit: Any, queue: Queue, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    again: list[tuple[dict[str, Any], list[str]]] = []

    def visible_again() -> None:
        record = queue.receive()
        again.append((record, handle(submit, record)))

    made = created(submit, monkeypatch, visible_again)
    queue.send(upload)
    first = queue.receive()
    assert handle(submit, first) == []
    [(second, failed)] = again
    assert second["messageId"] == first["messageId"]
    assert failed == [second["messageId"]]  # the lease is the first one's
    queue.show_now(second)
    assert handle(submit, queue.receive()) == []
    assert len(made) == 1
    assert submit.ledger.get(upload.recording_id).transcript_id == made[0]


@pytest.mark.parametrize("queue", [1], indirect=True)
@pytest.mark.parametrize("submitted_meanwhile", [False, True])
def test_22_a_dead_letter_that_is_sent_back_is_submitted_once(
    submit: Any, queue: Queue, upload: Upload, monkeypatch: pytest.MonkeyPatch, *, submitted_meanwhile: bool
) -> None:
    made = created(submit, monkeypatch)
    queue.send(upload)
    first = queue.receive()  # and whoever received it died
    if submitted_meanwhile:
        assert handle(submit, first) == []
    until_dead(queue)
    dead = queue.receive(queue.dead_letters)
    boto3.client("sqs").send_message(QueueUrl=queue.url, MessageBody=dead["body"])
    assert handle(submit, queue.receive()) == []
    assert len(made) == 1
    assert submit.ledger.get(upload.recording_id).transcript_id == made[0]


def until_dead(queue: Queue) -> None:
    """Ask the queue until it has moved its message to the dead letters: it does so when somebody receives."""
    for _ in range(60):
        boto3.client("sqs").receive_message(QueueUrl=queue.url, WaitTimeSeconds=1)
        names: Any = ["ApproximateNumberOfMessages"]
        counts = boto3.client("sqs").get_queue_attributes(QueueUrl=queue.dead_letters, AttributeNames=names)
        if counts["Attributes"]["ApproximateNumberOfMessages"] == "1":
            return
    pytest.fail("it never became a dead letter")
