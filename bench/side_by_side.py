"""Recordings through three stacks side by side: webhook mode, poll mode and the baseline; and what AWS does for each.

One local AWS and an engine that makes words up, in a time that is told to it. The functions speak to the local AWS
through a proxy that counts. What AWS does by itself is not seen there, and is added by what AWS documents: see BY_AWS.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

import boto3

from bench import baseline
from bench.counting import Counts, Proxy
from bench.dynamodb import Charged
from bench.report import Say
from bench.running import RECORDING, jobs_take, log_lines, running_local, tell
from cli import recordings
from cli.stack import Stack
from local.stack import DEFAULT_STACK_NAME, Local

WEBHOOK, POLL, BASELINE = "webhook", "poll", "baseline"
SHORT, LONG = 1, 25  # seconds that the provider takes
POLL_SECONDS = 10  # PollIntervalSeconds, as the template has it by default
BY_AWS: Mapping[str, Mapping[str, int]] = {
    # S3's event; its way into SubmitQueue, a receive and a delete for each of two messages; the webhook's call; the
    # event of the highlights on its way to the topic.
    WEBHOOK: {"events from S3": 1, "sqs SendMessage": 1, "sqs ReceiveMessage": 2, "sqs DeleteMessage": 2,
              "http_api POST /webhook": 1, "sns Publish": 1},
    # The same, but that the state machine sends the second message.
    POLL: {"events from S3": 1, "sqs SendMessage": 2, "sqs ReceiveMessage": 2, "sqs DeleteMessage": 2,
           "sns Publish": 1},
    BASELINE: {},
}  # fmt: skip
_REPORT = re.compile(r"REPORT RequestId.*?Billed Duration: (\d+) ms", re.DOTALL)
_LOG_EVENT_BYTES = 26  # that CloudWatch adds to each
_APART_SECONDS = 2.5  # one recording is stored before the next comes: the machine is small
_WAIT_SECONDS = 180


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a function, as its log reports it."""

    function: str
    gb: float
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Lambdas:
    """What functions did since they were there, by their logs."""

    runs: Counter[Run] = field(default_factory=Counter)
    log_bytes: int = 0
    metrics: frozenset[tuple[str, str]] = frozenset()  # service and name

    def since(self, before: "Lambdas") -> "Lambdas":
        return Lambdas(self.runs - before.runs, self.log_bytes - before.log_bytes, self.metrics)

    def times(self, function: str) -> int:
        """How often a function ran."""
        return sum(count for run, count in self.runs.items() if run.function == function)

    @property
    def gb_seconds(self) -> float:
        """By the median of each function: on a busy machine one run may take ten times as long as the others."""
        return sum(
            median(run.gb * run.milliseconds / 1000 for run in self.runs.elements() if run.function == function)
            * self.times(function)
            for function in {run.function for run in self.runs}
        )


@dataclass(frozen=True, slots=True)
class Taken:
    """What a number of recordings took."""

    mode: str
    transcript_seconds: int
    recordings: int
    counts: Counts
    lambdas: Lambdas
    transitions: int


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes that stay of one recording, on average."""

    files: float
    rows: float


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was counted."""

    taken: Sequence[Taken]
    stored: Mapping[str, Stored]
    sweeps: Taken
    """What runs of the sweep took that found nothing to do."""


class _Way:
    """A deployed stack behind its proxy: a recording goes in, and somewhere it is seen to be done."""

    def __init__(self, mode: str, proxy: Proxy, bucket: str, functions: Mapping[str, str]) -> None:
        """`functions`: their log groups, by what they are called."""
        self.mode = mode
        self.proxy = proxy
        self.bucket = bucket
        self._functions = functions
        self._gb = {name: tell(name, AWS_ENDPOINT_URL=proxy.url)["MemorySize"] / 1024 for name in functions}

    def put(self, key: str) -> None:
        boto3.client("s3").upload_file(str(RECORDING), self.bucket, key)

    def lambdas(self) -> Lambdas:
        runs, log_bytes, metrics = Counter[Run](), 0, set()
        for function, group in self._functions.items():
            for message in log_lines(group):
                log_bytes += len(message.encode()) + _LOG_EVENT_BYTES
                metrics |= _metrics(message)
                if report := _REPORT.search(message):
                    runs[Run(function, self._gb[function], int(report[1]))] += 1
        return Lambdas(runs, log_bytes, frozenset(metrics))

    def done(self, keys: Sequence[str]) -> bool:
        raise NotImplementedError

    def transitions(self, keys: Sequence[str]) -> int:  # noqa: ARG002  one way has some
        return 0

    def stored(self) -> Stored:
        raise NotImplementedError


class _Ours(_Way):
    """Our stack, in either mode."""

    def __init__(self, mode: str, proxy: Proxy, stack: Stack) -> None:
        resources = stack.resources()
        names = ("Submit", "Results", *(("Check",) if mode == POLL else ("Webhook",)))
        groups = {resources[f"{name}Function"]: f"/{stack.name}/{name.lower()}" for name in names}
        super().__init__(mode, proxy, stack.media_bucket, groups)
        self.stack = stack
        self._results = resources["ResultsFunction"]

    def done(self, keys: Sequence[str]) -> bool:
        """Their rows have ended, and the function that ended them has, too: it has told the others."""
        pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=self.stack.recordings_table)
        rows = [row for page in pages for row in page["Items"]]
        completed = {row["key"]["S"] for row in rows if row["status"]["S"] == "completed"}
        return completed >= set(keys) and self.lambdas().times(self._results) >= len(completed)

    def transitions(self, keys: Sequence[str]) -> int:
        if self.mode != POLL:
            return 0
        arn = self.stack.outputs["StateMachineArn"]
        machine = boto3.client("stepfunctions")
        ids = {recordings.uploaded(self.stack, key).recording_id for key in keys}
        executions = [
            one["executionArn"]
            for page in machine.get_paginator("list_executions").paginate(stateMachineArn=arn)
            for one in page["executions"]
            if one["name"].partition("-")[0] in ids
        ]
        return sum(transitions(execution) for execution in executions)

    def stored(self) -> Stored:
        client = boto3.client("dynamodb")
        rows, count = 0, 0
        for table in (self.stack.recordings_table, self.stack.highlights_table):
            charged = Charged.described(client.describe_table(TableName=table)["Table"])
            items = [item for page in client.get_paginator("scan").paginate(TableName=table) for item in page["Items"]]
            rows += sum(charged.stored_bytes(item) for item in items)
            count = count or len(items)
        return Stored(_bytes_in(self.stack.outputs["ResultsBucketName"]) / count, rows / count)


class _Baseline(_Way):
    """The sample's way."""

    def __init__(self, proxy: Proxy, deployed: baseline.Baseline) -> None:
        super().__init__(
            BASELINE, proxy, deployed.media_bucket, {deployed.function: f"/{baseline.STACK_NAME}/transcribe"}
        )
        self._texts = deployed.texts_bucket
        self._count = 0

    def done(self, keys: Sequence[str]) -> bool:
        objects = boto3.client("s3").list_objects_v2(Bucket=self._texts).get("Contents", [])
        self._count = len(objects)
        return {one["Key"] for one in objects} >= {f"{key}.txt" for key in keys} and (
            self.lambdas().runs.total() >= self._count
        )

    def stored(self) -> Stored:
        return Stored(_bytes_in(self._texts) / self._count, 0)


def measured(say: Say, short: int, long: int) -> Measured:
    """Deploy all three, and count: so many recordings whose transcripts take SHORT seconds, so many that take LONG."""
    with ExitStack() as running:
        local = running.enter_context(running_local(say, "--instant", "--faults", "--concurrency", "50"))
        proxies = [Proxy(local.aws_url) for _ in range(3)]
        for proxy in proxies:
            running.enter_context(proxy.running())
        ways = _deployed(local, say, proxies)
        taken = []
        for name, seconds, count in (("warm", SHORT, 2), ("short", SHORT, short), ("long", LONG, long)):
            say(f"{count} recordings for each, {name}")
            jobs_take(local, seconds)
            taken += _round(ways, [f"{name}/{number}.mp3" for number in range(count)], seconds)
        stored = {way.mode: way.stored() for way in ways}
        say("sweeps")
        return Measured(taken[len(ways) :], stored, _sweeps(next(way for way in ways if isinstance(way, _Ours))))


def transitions(execution_arn: str) -> int:
    """The states that an execution entered, and the tries of tasks beyond the first: what AWS charges."""
    pages = boto3.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution_arn)
    kinds = Counter(event["type"] for page in pages for event in page["events"])
    entered = sum(count for kind, count in kinds.items() if kind.endswith("StateEntered"))
    tries = kinds["TaskScheduled"] + kinds["LambdaFunctionScheduled"]
    return entered + max(0, tries - kinds["TaskStateEntered"])


def _deployed(local: Local, say: Say, proxies: Sequence[Proxy]) -> list[_Way]:
    local.build(say)
    poll_stack = f"{DEFAULT_STACK_NAME}-poll"
    common = {"MaxConcurrency": "2"}
    polling = {**common, "CompletionMode": "poll", "PollIntervalSeconds": str(POLL_SECONDS)}
    local.deploy(say, DEFAULT_STACK_NAME, common)  # makes the bucket for the code, which the others find
    with ThreadPoolExecutor() as pool:
        asking = pool.submit(local.deploy, say, poll_stack, polling)
        sample = pool.submit(baseline.deploy, local, say)
        asking.result()
    return [
        _Ours(WEBHOOK, proxies[0], Stack.named(DEFAULT_STACK_NAME)),
        _Ours(POLL, proxies[1], Stack.named(poll_stack)),
        _Baseline(proxies[2], sample.result()),
    ]


def _round(ways: Sequence[_Way], keys: Sequence[str], seconds: int) -> list[Taken]:
    """The same recordings through each, side by side."""
    before = [way.lambdas() for way in ways]
    for way in ways:
        way.proxy.taken()
    for key in keys:
        for way in ways:
            way.put(key)
            time.sleep(_APART_SECONDS / len(ways))
    for way in ways:
        _wait_for(lambda way=way: way.done(keys), f"{way.mode}: the recordings have not ended")  # type: ignore[misc]
    return [
        Taken(way.mode, seconds, len(keys), way.proxy.taken(), way.lambdas().since(then), way.transitions(keys))
        for way, then in zip(ways, before, strict=True)
    ]


def _sweeps(way: _Ours, runs: int = 3) -> Taken:
    """What the sweep takes that finds nothing to do."""
    name = way.stack.outputs["SweepFunctionName"]
    sweep = _Way(WEBHOOK, way.proxy, way.bucket, {name: f"/{way.stack.name}/sweep"})

    def run(times: int) -> Lambdas:
        due = sweep.lambdas().times(name) + times
        for _ in range(times):
            boto3.client("lambda").invoke(FunctionName=name)
        _wait_for(lambda: sweep.lambdas().times(name) >= due, "the sweep has not ended")
        return sweep.lambdas()

    before = run(1)  # warm
    way.proxy.taken()
    after = run(runs)
    return Taken(WEBHOOK, 0, runs, way.proxy.taken(), after.since(before), 0)


def _wait_for(done: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not done():
        if time.monotonic() > deadline:
            message = f"{otherwise} after {_WAIT_SECONDS} s."
            raise TimeoutError(message)
        time.sleep(0.5)


def _metrics(message: str) -> set[tuple[str, str]]:
    """The metrics that a log line gives to CloudWatch."""
    if '"CloudWatchMetrics"' not in message:
        return set()
    line = json.loads(message)
    return {
        (line["service"], metric["Name"])
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }


def _bytes_in(bucket: str) -> int:
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return sum(one["Size"] for page in pages for one in page.get("Contents", []))
