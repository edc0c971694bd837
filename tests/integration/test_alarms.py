"""Every alarm goes off and is told, and highlights are announced: the template's own alarms, topics and rules.

The local AWS compares what CloudWatch is given with every alarm of that metric, whatever its dimensions, and knows
no metrics of queues by itself: they are given here. tests/unit/test_metrics.py compares the dimensions.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pytest

from audio_highlights.storage import EventBus
from audio_highlights.workflow import HIGHLIGHTS_READY, RECORDING_FAILED
from local.stack import Local
from tests.deployed_template import as_written, in_mode
from tests.integration.resources import created
from tests.integration.test_least_privilege import without_code

STACK = "watched"
ALARMS = {name: one for name, one in as_written()["Resources"].items() if one["Type"] == "AWS::CloudWatch::Alarm"}


@dataclass(frozen=True)
class Watched:
    of: dict[str, str]
    """What the stack's resources are called, by their names in the template."""

    def subscribed(self, topic: str) -> "Subscriber":
        sqs, sns = boto3.client("sqs"), boto3.client("sns")
        url = sqs.create_queue(QueueName=f"subscriber-{uuid4().hex[:8]}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": self.of[topic]}},
            },
        }
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        sns.subscribe(TopicArn=self.of[topic], Protocol="sqs", Endpoint=arn)
        return Subscriber(url)


@dataclass(frozen=True)
class Subscriber:
    url: str

    def hears(self, **wanted: Any) -> dict[str, Any]:
        """The next message with these values; the others are dropped."""
        sqs = boto3.client("sqs")
        for _ in range(20):
            received = sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=2, MaxNumberOfMessages=10)
            for message in received.get("Messages", []):
                sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                told: dict[str, Any] = json.loads(json.loads(message["Body"])["Message"])
                if wanted.items() <= told.items():
                    return told
        pytest.fail(f"nobody told of {wanted}")


@pytest.fixture(scope="module")
def watched(local_system: Local) -> Iterator[Watched]:
    given = {"AssemblyAIApiKey": "a key", "EnforceTls": "false", "AlarmEmail": "operator@example.com"}
    with created(STACK, without_code(in_mode("poll")), **given) as names:
        yield Watched(names)


def state(alarm: str) -> dict[str, Any]:
    [found] = boto3.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    return dict(found)


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_goes_off_on_its_metric_and_is_told_when_it_begins_and_ends(watched: Watched, name: str) -> None:
    cloudwatch = boto3.client("cloudwatch")
    alarm = state(watched.of[name])
    this = alarm["AlarmName"]
    cloudwatch.set_alarm_state(AlarmName=this, StateValue="OK", StateReason="the test begins")
    subscriber = watched.subscribed("AlarmTopic")
    below = alarm["ComparisonOperator"] == "LessThanThreshold"
    value = alarm["Threshold"] - 1 if below else alarm["Threshold"]
    cloudwatch.put_metric_data(
        Namespace=alarm["Namespace"],
        MetricData=[{"MetricName": alarm["MetricName"], "Dimensions": alarm["Dimensions"], "Value": value}],
    )
    assert state(this)["StateValue"] == "ALARM"
    told = subscriber.hears(AlarmName=this, NewStateValue="ALARM")
    assert told["AlarmDescription"] == ALARMS[name]["Properties"]["AlarmDescription"]
    cloudwatch.set_alarm_state(AlarmName=this, StateValue="OK", StateReason="mended")
    assert subscriber.hears(AlarmName=this, NewStateValue="OK")


def test_alarms_are_mailed_to_whom_the_parameter_names(watched: Watched) -> None:
    [mail] = boto3.client("sns").list_subscriptions_by_topic(TopicArn=watched.of["AlarmTopic"])["Subscriptions"][:1]
    assert (mail["Protocol"], mail["Endpoint"]) == ("email", "operator@example.com")


# ---- highlights are announced


def test_who_subscribes_to_the_highlights_topic_hears_of_every_recording_of_this_stack_alone(watched: Watched) -> None:
    subscriber, bus = watched.subscribed("HighlightsTopic"), EventBus()
    ready = {"recording_id": "r1", "bucket": watched.of["MediaBucket"], "key": "a.wav", "top_highlights": ["a refund"]}
    bus.put(HIGHLIGHTS_READY, {**ready, "recording_id": "r0", "bucket": "another stack's"})
    bus.put(HIGHLIGHTS_READY, ready)
    bus.put(RECORDING_FAILED, {**ready, "recording_id": "r2", "reason": "no audio in it"})
    heard = [subscriber.hears(source="audio-highlights") for _ in range(2)]
    assert {one["detail"]["recording_id"] for one in heard} == {"r1", "r2"}
    [told] = [one["detail"] for one in heard if one["detail-type"] == HIGHLIGHTS_READY]
    assert told == ready
