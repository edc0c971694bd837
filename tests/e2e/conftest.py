"""Deployed stacks for the end-to-end tests.

By default a local system of its own, with up to three stacks of the one template. With E2E_STACK_NAME (and
E2E_POLL_STACK_NAME) the same tests run against stacks that are deployed already, on AWS with the credentials of the
environment; ASSEMBLYAI_BASE_URL and ASSEMBLYAI_API_KEY then name their provider.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
import requests

from audio_highlights.models import Upload
from cli import recordings
from cli.stack import Stack
from local.stack import DEFAULT_STACK_NAME, Local
from tests.running_system import running, say

WAIT_SECONDS = 120
WRONG_KEY = "no-key-of-this-provider"


@dataclass(frozen=True)
class System:
    """What the tests act upon: the stacks and the provider behind them."""

    webhook: str
    provider_url: str
    provider_key: str
    local: Local | None

    @property
    def folder(self) -> Path | None:
        return self.local.folder if self.local else None

    def transcripts(self) -> list[dict[str, Any]]:
        """The provider's newest transcripts."""
        answer = requests.get(
            f"{self.provider_url}/v2/transcript?limit=200", headers={"Authorization": self.provider_key}, timeout=30
        )
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["transcripts"]
        return found


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    if "E2E_STACK_NAME" in os.environ:
        boto3.setup_default_session()
        yield System(
            webhook=os.environ["E2E_STACK_NAME"],
            provider_url=os.environ["ASSEMBLYAI_BASE_URL"],
            provider_key=os.environ["ASSEMBLYAI_API_KEY"],
            local=None,
        )
        return
    with running(tmp_path_factory.mktemp("local")) as local:
        local.build(say)
        local.deploy(say, DEFAULT_STACK_NAME)
        yield System(
            webhook=DEFAULT_STACK_NAME, provider_url=local.engine_url, provider_key=local.engine_key, local=local
        )


@pytest.fixture(scope="session")
def others(system: System) -> dict[str, str]:
    """The names of the other stacks, by what they are for: "poll" and "wrong key"."""
    if system.local is None:
        named = os.environ.get("E2E_POLL_STACK_NAME")
        return {"poll": named} if named else {}
    existing = f"e2e-existing-{uuid4().hex[:12]}"  # without versions, unlike a created one
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=existing)
    s3.put_bucket_notification_configuration(
        Bucket=existing, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    pool_id = boto3.client("cognito-idp").create_user_pool(PoolName=existing)["UserPool"]["Id"]
    parameters: dict[str, dict[str, str]] = {
        "e2e-poll": {
            "CompletionMode": "poll",
            "AudioTransfer": "upload",
            "ExistingMediaBucketName": existing,
            "ExistingUserPoolId": pool_id,
            "WebhookSourceIps": "44.238.19.20,54.220.25.36",
            "TranscriptOptions": '{"speaker_labels": true, "keyterms_prompt": ["internet outage", "refund"]}',
        },
        "e2e-wrong-key": {"AssemblyAIApiKey": WRONG_KEY, "WebhookSourceIps": "127.0.0.0/8,::1"},
    }
    deploy = system.local.deploy
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: deploy(say, name, parameters[name]), parameters))
    return {"poll": "e2e-poll", "wrong key": "e2e-wrong-key"}


@pytest.fixture(scope="session")
def stack(system: System) -> Stack:
    """The stack in webhook mode with presigned URLs."""
    return Stack.named(system.webhook)


@pytest.fixture(scope="session")
def poll_stack(others: dict[str, str]) -> Stack:
    """The stack in poll mode that uploads the audio, on a bucket and a user pool that were there before."""
    if "poll" not in others:
        pytest.skip("E2E_POLL_STACK_NAME names no stack")
    return Stack.named(others["poll"])


@pytest.fixture(scope="session")
def wrong_key_stack(others: dict[str, str]) -> Stack:
    """The stack whose API key the provider refuses."""
    if "wrong key" not in others:
        pytest.skip("needs a stack with a wrong key")
    return Stack.named(others["wrong key"])


Listen = Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="session", autouse=True)
def heard(system: System) -> Iterator[Listen]:
    """Listens to the event bus during the whole run: call it for all events so far."""
    name = f"e2e-{uuid4().hex[:12]}"
    sqs, bus = boto3.client("sqs"), boto3.client("events")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rule = bus.put_rule(Name=name, EventPattern='{"source": ["audio-highlights"]}')["RuleArn"]
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},'
        f'"Action":"sqs:SendMessage","Resource":"{arn}","Condition":{{"ArnEquals":{{"aws:SourceArn":"{rule}"}}}}}}]}}'
    )
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    bus.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    all_events: list[dict[str, Any]] = []

    def listen() -> list[dict[str, Any]]:
        received = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=10)
        for message in received.get("Messages", []):
            all_events.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return all_events

    yield listen
    bus.remove_targets(Rule=name, Ids=["queue"])
    bus.delete_rule(Name=name)
    sqs.delete_queue(QueueUrl=queue)


@pytest.fixture
def events(heard: Listen) -> Callable[[str, str], dict[str, Any]]:
    """Call it with a detail type and a recording id, get the event's detail."""

    def event(detail_type: str, recording_id: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            for one in heard():
                if one["detail-type"] == detail_type and one["detail"]["recording_id"] == recording_id:
                    detail: dict[str, Any] = one["detail"]
                    return detail
            return None

        return wait_for(look, f"the event {detail_type!r} of {recording_id}")

    return event


def wait_for[T](look: Callable[[], T | None], what: str) -> T:
    """What `look` finds, as soon as it finds it; fails after WAIT_SECONDS."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.2)
    pytest.fail(f"waited {WAIT_SECONDS} s for {what}")


def resource_of(stack: Stack, logical_id: str) -> str:
    """What a resource of the template is called in the deployed stack."""
    described = boto3.client("cloudformation").describe_stack_resources(StackName=stack.name)["StackResources"]
    [found] = [one["PhysicalResourceId"] for one in described if one["LogicalResourceId"] == logical_id]
    return found


def ended(stack: Stack, upload: Upload) -> dict[str, Any]:
    """The row of an upload when it has ended."""
    *_, row = recordings.follow(stack, upload.recording_id, WAIT_SECONDS)
    assert row is not None
    return row


def put_and_end(stack: Stack, path: Path, key: str) -> dict[str, Any]:
    """Upload a file and return its row when it has ended."""
    return ended(stack, recordings.upload(stack, path, key))
