"""What measurements on a local AWS share: starting it, a stack on it, uploads, logs, the engine's jobs."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import requests

from audio_highlights import storage
from audio_highlights.models import Upload, present_version
from audio_highlights.storage import client
from bench.report import Say
from cli.stack import Stack
from local.stack import DEFAULT_STACK_NAME, FOREIGN_VARIABLES, PROJECT, Local
from tests.deployed_template import as_written

_TABLE_PARTS = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
RECORDING = PROJECT / "tests" / "fixtures" / "refund.mp3"


@contextmanager
def running_stack(say: Say, **parameters: str) -> Iterator[tuple[Local, Stack]]:
    """Start, deploy, and stop in the end; boto3 points at it meanwhile."""
    with running_local(say, "--instant", "--concurrency", "1000") as local:
        local.build(say)
        local.deploy(say, parameters=parameters)
        yield local, Stack.named(DEFAULT_STACK_NAME)


@contextmanager
def running_local(say: Say, *engine_options: str) -> Iterator[Local]:
    """A local AWS and an engine in a folder of their own, without a stack; boto3 points at it meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        local = Local.at(Path(folder))
        local.engine_options = engine_options
        try:
            local.start(say)
            with clients_of(local):
                yield local
        finally:
            local.stop(say)


@contextmanager
def clients_of(local: Local) -> Iterator[None]:
    """AWS clients that are made meanwhile speak to this local AWS, and are forgotten after."""
    with patch.dict(os.environ, local.client_environment()):
        for name in FOREIGN_VARIABLES:
            os.environ.pop(name, None)
        forget_clients()
        try:
            yield
        finally:
            forget_clients()


def forget_clients() -> None:
    """Clients remember where they speak to and as whom: whoever changes that begins anew."""
    boto3.setup_default_session()
    storage.client.cache_clear()  # type: ignore[attr-defined]  # for mypy it is boto3.client


def create_table(resource: str, name: str) -> str:
    """Create a table as the template describes it, under a name of its own, which is returned."""
    properties = as_written()["Resources"][resource]["Properties"]
    parts: Any = {part: properties[part] for part in _TABLE_PARTS if part in properties}
    boto3.client("dynamodb").create_table(TableName=name, **parts)
    return name


def put(bucket: str, key: str, body: bytes) -> Upload:
    """Upload a recording."""
    answer = client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    return Upload(bucket, key, present_version(answer.get("VersionId")), answer["ETag"].strip('"'), len(body))


def log_lines(group: str) -> Iterator[str]:
    """All that a log group has."""
    for page in boto3.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group):
        yield from (event["message"] for event in page["events"])


def tell(function: str, **variables: str) -> Mapping[str, Any]:
    """Add to a function's environment: its next call starts anew. Returns its configuration."""
    functions = boto3.client("lambda")
    present = functions.get_function_configuration(FunctionName=function)
    told = {**present.get("Environment", {}).get("Variables", {}), **variables}
    functions.update_function_configuration(FunctionName=function, Environment={"Variables": told})
    return present


def jobs_take(local: Local, seconds: int) -> None:
    """Seconds that each of the engine's jobs stays in work from now on; the engine must have been started to fail."""
    slow = [{"on": "job", "do": "processing", "seconds": seconds, "times": "always"}]
    url, headers = f"{local.engine_url}/faults", {"Authorization": local.engine_key}
    requests.delete(url, headers=headers, timeout=10).raise_for_status()
    requests.post(url, json=slow, headers=headers, timeout=10).raise_for_status()


def transcripts(local: Local) -> Iterator[dict[str, Any]]:
    """All that the engine knows, as AssemblyAI lists them: with status, times and audio_url."""
    url: str | None = f"{local.engine_url}/v2/transcript?limit=200"
    while url:
        answer = requests.get(url, headers={"Authorization": local.engine_key}, timeout=10)
        answer.raise_for_status()
        page = answer.json()
        yield from page["transcripts"]
        url = page["page_details"]["prev_url"]
