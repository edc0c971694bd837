"""After all other tests: what the run has left in logs, tables, files, queues and events, and that no key is in it."""

import gzip
import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest

from audio_highlights.workflow import binding
from cli.stack import Stack
from tests.e2e.conftest import WRONG_KEY, Listen, System, put_and_end, resource_of
from tests.e2e.test_recordings import SPEECH

PRESIGNED = re.compile(r"X-Amz-(Signature|Credential|Security-Token)", re.IGNORECASE)
TOKEN = re.compile(r"eyJ[\w-]{10,}\.eyJ")  # of who is signed in


@pytest.fixture
def stacks(stack: Stack, others: dict[str, str]) -> list[Stack]:
    return [stack, *map(Stack.named, others.values())]


def log_lines(stack: Stack) -> Iterator[str]:
    logs = boto3.client("logs")
    for prefix in (f"/{stack.name}/", f"/aws/vendedlogs/states/{stack.name}"):
        for groups in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
            for group in groups["logGroups"]:
                pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
                yield from (event["message"] for page in pages for event in page["events"])


def rows(table: str) -> list[dict[str, Any]]:
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=table)
    return [item for page in pages for item in page["Items"]]


def stored_files(bucket: str) -> Iterator[str]:
    s3 = boto3.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for one in page.get("Contents", []):
            body = s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
            yield (gzip.decompress(body) if one["Key"].endswith(".gz") else body).decode()


def messages(queue_url: str) -> Iterator[str]:
    received = boto3.client("sqs").receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    yield from (message["Body"] for message in received.get("Messages", []))


def webhook_secrets(stack: Stack) -> list[str]:
    client = boto3.client("secretsmanager")
    secret = resource_of(stack, "WebhookSecret")
    versions = client.list_secret_version_ids(SecretId=secret)["Versions"]
    stages = {stage for version in versions for stage in version.get("VersionStages", [])}
    return [client.get_secret_value(SecretId=secret, VersionStage=stage)["SecretString"] for stage in stages]


def bindings(stack: Stack, secrets: list[str]) -> list[str]:
    return [
        binding(secret, row["recording_id"]["S"], attempt)
        for row in rows(stack.recordings_table)
        for attempt in range(1, int(row["attempt"]["N"]) + 1)
        for secret in secrets
    ]


def test_no_key_secret_binding_or_presigned_query_is_in_anything_that_was_written(
    system: System, stack: Stack, stacks: list[Stack], heard: Listen
) -> None:
    put_and_end(stack, SPEECH, f"{uuid4().hex}/refund.mp3")
    forbidden = {system.provider_key, WRONG_KEY}
    written: dict[str, list[str]] = {"events": []}
    told = -1
    while len(heard()) > told:  # until nothing new comes
        told = len(heard())
    written["events"] = [json.dumps(event) for event in heard()]
    for one in stacks:
        secrets = webhook_secrets(one)
        forbidden |= {*secrets, *bindings(one, secrets)}
        written[f"logs of {one.name}"] = list(log_lines(one))
        written[f"rows of {one.name}"] = [json.dumps(row) for row in rows(one.recordings_table)]
        written[f"phrases of {one.name}"] = [json.dumps(item) for item in rows(one.highlights_table)]
        written[f"files of {one.name}"] = list(stored_files(one.outputs["ResultsBucketName"]))
        for name in ("SubmitQueueUrl", "ResultsQueueUrl", "SubmitDeadLetterQueueUrl", "ResultsDeadLetterQueueUrl"):
            written[f"{name} of {one.name}"] = list(messages(one.outputs[name]))
    if system.folder:
        written["logs of sam"] = [path.read_text() for path in system.folder.glob("sam-*.log")]
    for place in ("events", f"logs of {stack.name}", f"rows of {stack.name}", f"files of {stack.name}"):
        assert written[place], place
    assert len(forbidden) > 5
    for place, texts in written.items():
        for text in texts:
            assert not PRESIGNED.search(text), f"{place}: a presigned query in {text[:300]}"
            assert not TOKEN.search(text), f"{place}: a token in {text[:300]}"
            found = [secret for secret in forbidden if secret in text]
            assert not found, f"{place}: a secret in {text[:300]}"


def test_every_log_line_of_ours_is_one_json_object_with_its_level(stack: Stack) -> None:
    ours = [line for line in log_lines(stack) if line.startswith("{")]
    assert any("submitted" in line for line in ours)
    assert all({"level", "type", "_aws"} & json.loads(line).keys() for line in ours)  # the last are metrics


def test_no_queue_holds_what_no_test_has_put_there(stacks: list[Stack]) -> None:
    for one in stacks:
        for name in ("SubmitDeadLetterQueueUrl", "ResultsDeadLetterQueueUrl"):
            assert list(messages(one.outputs[name])) == [], f"{name} of {one.name}"
