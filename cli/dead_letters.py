"""The dead-letter queues: how much is in them, what, and the way back."""

import json
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from cli.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

_LOOKED_AT = 10
_HIDDEN_SECONDS = 60


def so_many(number: int, what: str) -> str:
    """`1 message`, `2 messages`."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


class Queues(StrEnum):
    """The pipeline's queues."""

    SUBMIT = "submit"
    RESULTS = "results"

    def queue(self, stack: Stack) -> str:
        """Where it is."""
        return stack.outputs[f"{self.capitalize()}QueueUrl"]

    def dead_letters(self, stack: Stack) -> str:
        """Where what it could not deliver is."""
        return stack.outputs[f"{self.capitalize()}DeadLetterQueueUrl"]


def depth(sqs: "SQSClient", url: str) -> int:
    """About how many messages are in a queue, waiting or in work."""
    names: Any = [f"ApproximateNumberOfMessages{name}" for name in ("", "NotVisible", "Delayed")]
    return sum(map(int, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()))


def samples(sqs: "SQSClient", url: str) -> list[str]:
    """What some of the messages are about, without what they say else; they stay where they are."""
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=_LOOKED_AT, VisibilityTimeout=1).get(
        "Messages", []
    )
    return [about(message["Body"]) for message in messages]


def about(body: str) -> str:
    """The recording that a message is about, as far as it says one."""
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return "not JSON"
    match read:
        case {"detail": {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}}}:
            return f"s3://{bucket}/{key}"
        case {"recording_id": str(recording_id)}:
            return f"recording {recording_id}"
    return "not a message of the pipeline"


def moved(sqs: "SQSClient", source: str, target: str) -> int:
    """Move all messages: sent first, then deleted, so that none is lost; one whose deletion fails comes twice.

    SQS's own redrive does not know where messages of a dead-letter queue came from that a function has sent there.
    """
    number = 0
    for message in _messages(sqs, source, most=depth(sqs, source)):
        sqs.send_message(QueueUrl=target, MessageBody=message["Body"])
        sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
        number += 1
    return number


def _messages(sqs: "SQSClient", url: str, most: int) -> Iterator[Any]:
    """At most so many: what fails again at once must not go round and round."""
    while most > 0:
        received = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=min(10, most), VisibilityTimeout=_HIDDEN_SECONDS, WaitTimeSeconds=5
        ).get("Messages", [])
        if not received:
            return
        yield from received
        most -= len(received)
