"""Events for functions that have just started, against the local AWS and engine: nothing is deployed to them."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex
from typing import Any
from uuid import uuid4

import boto3

from audio_highlights.assemblyai import AssemblyAI
from audio_highlights.config import utc_now
from audio_highlights.models import Finished, Upload
from audio_highlights.storage import Ledger
from audio_highlights.workflow import WEBHOOK_HEADER, binding
from bench.as_on_lambda import FLOOR, message
from bench.report import PROJECT, Say
from bench.running import RECORDING, create_table, put, running_local
from local.stack import Local

_LONGEST_SECONDS = 60
_WEBHOOK_SECRET = token_hex(16)
_TABLES = {"RECORDINGS_TABLE": "RecordingsTable", "HIGHLIGHTS_TABLE": "HighlightsTable", "FLOW_TABLE": "FlowTable"}
FLOOR_AND_REQUEST = f"""
import os
{FLOOR}.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody="one")
"""
START_AND_EVENT = """
import json, os, app

class Context:
    function_name, memory_limit_in_mb, aws_request_id = "function", 512, "first"
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:function"
    get_remaining_time_in_millis = staticmethod(lambda: 200_000)

answer = app.handler(json.loads(os.environ["EVENT"]), Context())
assert not answer.get("batchItemFailures") and answer.get("statusCode", 200) == 200, answer
"""


@dataclass(frozen=True, slots=True)
class World:
    """Tables, buckets, queues and secrets as template.yaml has them, and what tells the functions of them."""

    environment: Mapping[str, str]
    provider: AssemblyAI

    def uploaded(self) -> Upload:
        """A new recording."""
        bucket, key = self.environment["MEDIA_BUCKET"], f"{uuid4().hex}.mp3"
        return put(bucket, key, RECORDING.read_bytes())

    def finished(self, upload: Upload) -> Finished:
        """Its transcript, when the engine has made it."""
        ledger = Ledger(self.environment["RECORDINGS_TABLE"], self.environment["HIGHLIGHTS_TABLE"], utc_now)
        row = ledger.get(upload.recording_id)
        if row is None or row.transcript_id is None:
            message = f"{upload.name} was not submitted."
            raise RuntimeError(message)
        until = time.monotonic() + _LONGEST_SECONDS
        while self.provider.get(row.transcript_id).status != "completed":
            if time.monotonic() > until:
                message = f"The engine has not finished {upload.name} within {_LONGEST_SECONDS} s."
                raise RuntimeError(message)
            time.sleep(0.2)
        return Finished(row.recording_id, row.attempt, row.transcript_id)

    def told(self, event: Mapping[str, Any]) -> dict[str, str]:
        """The environment of a function that finds this event in EVENT."""
        return {**self.environment, "EVENT": json.dumps(event)}


def submit_event(upload: Upload) -> dict[str, Any]:
    """What SubmitQueue hands over."""
    return message(upload.event())


def later_events(finished: Finished) -> dict[str, dict[str, Any]]:
    """An event for each other function."""
    webhook = _sample("webhook/completed")
    webhook["queryStringParameters"] = {"recording": finished.recording_id, "attempt": str(finished.attempt)}
    webhook["headers"][WEBHOOK_HEADER] = binding(_WEBHOOK_SECRET, finished.recording_id, finished.attempt)
    webhook["body"] = json.dumps({"transcript_id": finished.transcript_id, "status": "completed"})
    return {
        "webhook": webhook,
        "results": message(finished.body()),
        "check": finished.body(),
        "sweep": _sample("sweep/scheduled"),
        "api": _sample("api/recordings"),
    }


@contextmanager
def world(say: Say) -> Iterator[World]:
    """Start a local AWS and an engine, and stop them in the end."""
    with running_local(say) as local:
        environment = {**local.client_environment(), **_made(local)}
        yield World(environment, AssemblyAI(local.engine_url, lambda _: local.engine_key))


def _made(local: Local) -> dict[str, str]:
    """Make what the functions need; returns what they are told of it."""
    sqs, s3, secrets = boto3.client("sqs"), boto3.client("s3"), boto3.client("secretsmanager")
    iam = boto3.client("iam")
    queues = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("submit", "results", "dead-letters")}
    buckets = {"MEDIA_BUCKET": "recordings", "RESULTS_BUCKET": "results"}
    for bucket in buckets.values():
        s3.create_bucket(Bucket=bucket)
    anybody = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    signer = iam.create_role(RoleName="signer", AssumeRolePolicyDocument=json.dumps({"Statement": [anybody]}))
    reads = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    iam.put_role_policy(RoleName="signer", PolicyName="reads", PolicyDocument=json.dumps({"Statement": [reads]}))
    return {
        **buckets,
        **{variable: create_table(resource, resource) for variable, resource in _TABLES.items()},
        "ASSEMBLYAI_BASE_URL": local.engine_url,
        "API_KEY_SECRET_ARN": secrets.create_secret(Name="api-key", SecretString=local.engine_key)["ARN"],
        "WEBHOOK_SECRET_ARN": secrets.create_secret(Name="webhook", SecretString=_WEBHOOK_SECRET)["ARN"],
        "DEAD_LETTER_QUEUE_URL": queues["dead-letters"],
        "QUEUE_URL": queues["submit"],
        "SUBMIT_QUEUE_URL": queues["submit"],
        "RESULTS_QUEUE_URL": queues["results"],
        "SIGNER_ROLE_ARN": signer["Role"]["Arn"],
        "WEBHOOK_URL": f"{local.engine_url}/nobody",
    }


def _sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PROJECT / "events" / f"{name}.json").read_text(encoding="utf-8"))
    return found
