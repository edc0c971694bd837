"""What a soak acts upon and looks at: S3, SQS, DynamoDB, Lambda, the event bus, and the engine's script and counts."""

import functools
import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import psutil
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from audio_highlights.models import Upload
from cli.stack import Stack
from local.stack import DEFAULT_STACK_NAME, Local, Say

_START_SECONDS = 10
ENGINE_OPTIONS = ("--faults", "--instant", "--webhook-interval", "2")
FUNCTIONS = ("submit", "results", "webhook", "sweep")

# By the template's times a recovery takes minutes: six timeouts until a message comes again, a lease, a webhook that is
# overdue. These are as short as fits what happens here, and stand to each other as the template's do: timeout < lease <
# visibility timeout.
_TIMEOUTS = {"submit": 20, "results": 30, "sweep": 60}
_LEASE_SECONDS = 25
_VISIBILITY_SECONDS = 40
# A cold start takes a second or more of a core here. Many at once would be what is measured.
_WARM: Mapping[str, Any] = {"submit": {"Records": []}, "results": {"Records": []}, "webhook": {}}


@dataclass(frozen=True, slots=True)
class Size:
    """How much happens at once, by the template's parameters, and when a webhook is overdue: 0 at the next sweep."""

    max_concurrency: int = 5
    max_in_flight: int = 20
    overdue_minutes: int = 1


class System:
    """A deployed stack and the engine behind it."""

    def __init__(self, local: Local, stack: Stack) -> None:
        self._local = local
        self.stack = stack
        more = Config(max_pool_connections=32, retries={"total_max_attempts": 10, "mode": "standard"})
        self.s3 = boto3.client("s3", config=more)
        self.sqs = boto3.client("sqs", config=more)
        self._dynamodb = boto3.resource("dynamodb", config=more)
        # A killed function must not be called again by the client: the sweep's schedule would not either.
        self._lambda = boto3.client("lambda", config=Config(retries={"total_max_attempts": 1}, read_timeout=300))

    @classmethod
    def deployed(cls, local: Local, say: Say, size: Size) -> "System":
        """Build and deploy the template, with short times."""
        local.build(say)
        parameters = {"MaxConcurrency": str(size.max_concurrency), "MaxInFlight": str(size.max_in_flight)}
        local.deploy(say, parameters=parameters)
        system = cls(local, Stack.named(DEFAULT_STACK_NAME))
        system._hasten({"LEASE_SECONDS": str(_LEASE_SECONDS), "OVERDUE_MINUTES": str(size.overdue_minutes)})
        say("warming up the functions ...")
        system._warm_up(min(size.max_concurrency, 5))
        return system

    def _hasten(self, variables: Mapping[str, str]) -> None:
        for queue in ("SubmitQueueUrl", "ResultsQueueUrl"):
            self.sqs.set_queue_attributes(
                QueueUrl=self.stack.outputs[queue], Attributes={"VisibilityTimeout": str(_VISIBILITY_SECONDS)}
            )
        for function, seconds in _TIMEOUTS.items():
            name = self.function_names[function]
            present = self._lambda.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            present |= {variable: value for variable, value in variables.items() if variable in present}
            self._lambda.update_function_configuration(
                FunctionName=name, Timeout=seconds, Environment={"Variables": present}
            )

    def _warm_up(self, processes: int) -> None:
        """Start so many processes of each function, by calling it so many times at once with nothing to do."""
        with ThreadPoolExecutor(processes) as pool:
            for function, event in _WARM.items():
                payload, name = json.dumps(event).encode(), self.function_names[function]
                calls = [pool.submit(self._lambda.invoke, FunctionName=name, Payload=payload) for _ in range(processes)]
                for call in calls:
                    call.result()

    @functools.cached_property
    def _resources(self) -> dict[str, str]:
        described = boto3.client("cloudformation").describe_stack_resources(StackName=self.stack.name)
        return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in described["StackResources"]}

    @functools.cached_property
    def function_names(self) -> dict[str, str]:
        """The deployed names of FUNCTIONS."""
        return {function: self._resources[f"{function.capitalize()}Function"] for function in FUNCTIONS}

    # What the soak does

    def put(self, key: str, body: bytes) -> Upload:
        """Upload an object."""
        put = self.s3.put_object(Bucket=self.stack.media_bucket, Key=key, Body=body)
        return Upload(self.stack.media_bucket, key, put["VersionId"], put["ETag"].strip('"'), len(body))

    def send_event(self, upload: Upload, *, with_version: bool, delay_seconds: int) -> None:
        """Send the event of an upload once more: with the version id as AWS does, or without as the local AWS does."""
        stored = {"key": upload.key, "etag": upload.etag, "size": upload.size_bytes}
        if with_version:
            stored["version-id"] = upload.version_id or ""
        detail = {"bucket": {"name": upload.bucket}, "object": stored}
        event = {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}
        self.send(json.dumps(event), delay_seconds)

    def send(self, body: str, delay_seconds: int = 0) -> None:
        """Put a message into the submit queue."""
        queue = self.stack.outputs["SubmitQueueUrl"]
        self.sqs.send_message(QueueUrl=queue, MessageBody=body, DelaySeconds=delay_seconds)

    def sweep(self) -> dict[str, int]:
        """Invoke the sweep as its schedule does. Returns what it did; nothing where it died."""
        try:
            answer = self._lambda.invoke(FunctionName=self.stack.outputs["SweepFunctionName"])
        except (BotoCoreError, ClientError):
            return {}
        done: dict[str, int] = {} if "FunctionError" in answer else json.load(answer["Payload"])
        return done

    def kill(self, function: str, draw: random.Random) -> bool:
        """End one process of a function without warning. False where there is none."""
        aws = self._local.aws
        processes = psutil.Process(aws.pid).children(recursive=True) if aws else []
        wanted = self.function_names[function]
        found = [process for process in processes if _runs(process, wanted)]
        if not found:
            return False
        draw.choice(found).kill()
        return True

    # What the soak looks at

    def rows(self) -> list[dict[str, Any]]:
        """All rows of the RecordingsTable."""
        return list(self._scan(self.stack.recordings_table))

    def phrases(self) -> Counter[str]:
        """How many phrase items there are of each recording."""
        return Counter(str(item["recording_id"]) for item in self._scan(self.stack.highlights_table, "recording_id"))

    def _scan(self, table: str, *attributes: str) -> Iterator[dict[str, Any]]:
        query: dict[str, Any] = {"ConsistentRead": True}
        if attributes:
            query["ProjectionExpression"] = ", ".join(attributes)
        while True:
            page = self._dynamodb.Table(table).scan(**query)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def result_files(self) -> set[str]:
        """The keys in the results bucket."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.stack.outputs["ResultsBucketName"])
        return {stored["Key"] for page in pages for stored in page.get("Contents", [])}

    def depth(self, queue: str) -> int:
        """How many messages are in a queue, named by its output: waiting, in work, or delayed."""
        names = ["", "NotVisible", "Delayed"]
        attributes: Any = [f"ApproximateNumberOfMessages{name}" for name in names]
        found = self.sqs.get_queue_attributes(QueueUrl=self.stack.outputs[queue], AttributeNames=attributes)
        return sum(map(int, found["Attributes"].values()))

    def messages(self, queue: str) -> list[str]:
        """The bodies of all messages of a queue, which stay in it, hidden for a while."""
        bodies: list[str] = []
        while True:
            answer = self.sqs.receive_message(
                QueueUrl=self.stack.outputs[queue], MaxNumberOfMessages=10, VisibilityTimeout=300
            )
            if not answer.get("Messages"):
                return bodies
            bodies += [message["Body"] for message in answer["Messages"]]

    def script(self, faults: list[Mapping[str, Any]]) -> None:
        """Tell the engine what is to go wrong."""
        self._engine("POST", "/faults", json=faults)

    def faults_done(self) -> list[dict[str, Any]]:
        """What the engine has spoiled so far."""
        done: list[dict[str, Any]] = self._engine("GET", "/faults")["done"]
        return done

    def counts(self) -> dict[str, Any]:
        """The engine's counts of jobs and webhooks."""
        return self._engine("GET", "/counts")

    def transcripts(self) -> list[dict[str, Any]]:
        """Every transcript in the provider's list: id, status, audio_url, error."""
        found: list[dict[str, Any]] = []
        path = "/v2/transcript?limit=200"
        while True:
            page = self._engine("GET", path)["transcripts"]
            if not page:
                return found
            found += page
            path = f"/v2/transcript?limit=200&before_id={page[-1]['id']}"

    def _engine(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        headers = {"Authorization": self._local.engine_key}
        answer = requests.request(method, f"{self._local.engine_url}{path}", headers=headers, timeout=60, **more)
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    def leaks(self) -> list[str]:
        """The functions' log lines that hold a secret of the stack or a part of a presigned URL."""
        secrets = boto3.client("secretsmanager")
        values = [
            secrets.get_secret_value(SecretId=physical)["SecretString"]
            for logical, physical in self._resources.items()
            if logical in ("ApiKeySecret", "WebhookSecret")
        ]
        forbidden = re.compile("|".join([*map(re.escape, values), "X-Amz-", "Signature="]))
        return [line for line in self._log_lines() if forbidden.search(line)]

    def _log_lines(self) -> Iterator[str]:
        logs = boto3.client("logs")
        for group in (*FUNCTIONS, "api"):
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/{self.stack.name}/{group}")
            for page in pages:
                yield from (f"{group}: {event['message']}" for event in page["events"])


class Listener:
    """A rule and a queue of the soak's own, for what the application puts on the event bus."""

    def __init__(self, system: System) -> None:
        self._sqs, bus = system.sqs, boto3.client("events")
        name = f"soak-{uuid4().hex[:12]}"
        self._queue = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"]
        bus.put_rule(Name=name, EventPattern=json.dumps({"source": ["audio-highlights"]}))
        bus.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": attributes["QueueArn"]}])
        self.heard: Counter[tuple[str, str]] = Counter()
        """(detail type, recording id) -> how often."""

    def listen(self) -> None:
        """Take in what has come since the last time."""
        while True:
            messages = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages", [])
            if not messages:
                return
            for message in messages:
                event = json.loads(message["Body"])
                self.heard[event["detail-type"], event["detail"]["recording_id"]] += 1
            handles: Any = [
                {"Id": str(number), "ReceiptHandle": one["ReceiptHandle"]} for number, one in enumerate(messages)
            ]
            self._sqs.delete_message_batch(QueueUrl=self._queue, Entries=handles)


def _runs(process: psutil.Process, function_name: str) -> bool:
    """Whether it is a process of that function that has started up.

    The local AWS answers a death in the start by ending all of the function's processes, those at work too.
    """
    with suppress(psutil.Error):
        started = time.time() - process.create_time() > _START_SECONDS
        return started and any(f"-{function_name}-" in part for part in process.cmdline())
    return False
