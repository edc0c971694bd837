"""What the pipeline adds to the provider's own time: upload -> POST, and webhook -> rows that can be read.

The engine answers at once, so that what is left is ours and the local AWS's. What the local AWS takes by itself is
measured in the same run, on the same ways with an empty function at their end; and so is the baseline, which polls.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
from botocore.exceptions import ClientError

from bench import baseline
from bench.baseline import Baseline
from bench.report import Samples, Say, Table
from bench.running import RECORDING, log_lines, put, running_stack, tell, transcripts
from cli.stack import Stack
from local.stack import Local

WARM_UP, WARM, COLD = 4, 30, 5
POLLED_WARM_UP, POLLED_WARM, POLLED_COLD = 2, 6, 3  # each takes more than three seconds
_LOOK_SECONDS = 0.02
_LONGEST_SECONDS = 120
_REST_SECONDS = 0.2  # the end of one recording is not to slow the next
_REPORT = re.compile(r"REPORT RequestId.*?\bDuration: ([\d.]+) ms", re.DOTALL)
_FUNCTIONS = ("submit", "webhook", "results")

type Moments = dict[str, float]
"""When something happened to the recordings, by their keys, in seconds since 1970 on this machine's one clock."""


@dataclass(frozen=True, slots=True)
class Bare:
    """The stack of bare/template.yaml."""

    bucket: str
    queue_url: str
    function: str

    @classmethod
    def deploy(cls) -> "Bare":
        """To the local AWS that boto3 points at."""
        cloudformation = boto3.client("cloudformation")
        template = Path(__file__).with_name("bare") / "template.yaml"
        cloudformation.create_stack(
            StackName="bare", TemplateBody=template.read_text(encoding="utf-8"), Capabilities=["CAPABILITY_IAM"]
        )
        cloudformation.get_waiter("stack_create_complete").wait(StackName="bare", WaiterConfig={"Delay": 1})
        outputs = Stack.named("bare").outputs
        return cls(outputs["Bucket"], outputs["QueueUrl"], outputs["Function"])

    def upload(self, key: str) -> float:
        """Put an object, and wait for its event to be through. Returns when the upload began."""
        s3, body = boto3.client("s3"), RECORDING.read_bytes()
        begun = _rested()
        s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        self._wait()
        return begun

    def send(self, key: str) -> float:
        """Send a message, and wait for it to be through. Returns when the sending began."""
        sqs = boto3.client("sqs")
        begun = _rested()
        sqs.send_message(QueueUrl=self.queue_url, MessageBody=json.dumps({"key": key}))
        self._wait()
        return begun

    def _wait(self) -> None:
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        sqs = boto3.client("sqs")

        def is_empty() -> bool:
            time.sleep(0.1)  # an event may not have become a message yet
            counts = sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)["Attributes"]
            return not any(map(int, counts.values()))

        _when(is_empty, "a message")

    def arrived(self) -> Moments:
        """When the function began with which key: it says so."""
        lines = (text for text in log_lines(f"/aws/lambda/{self.function}") if text.startswith('{"key"'))
        return {one["key"]: one["arrived"] for one in map(json.loads, lines)}


def measure(say: Say) -> Iterator[Table]:
    """Warm, one recording after the other; cold, each in fresh environments."""
    with running_stack(say, MaxConcurrency="2") as (local, stack):
        say("the baseline, and a stack that does nothing")
        polling, bare = baseline.deploy(local, lambda _: None), Bare.deploy()
        resources, rows = stack.resources(), Rows(stack)
        functions = [resources[f"{name.capitalize()}Function"] for name in _FUNCTIONS]
        begun: Moments = {}
        visible: Moments = {}
        for part, number in _parts(WARM_UP, WARM, COLD):
            name = f"{part} {number}.mp3"
            say(name)
            if part == "cold":
                _make_cold(*functions, bare.function)
            begun[f"ours {name}"], visible[f"ours {name}"] = rows.upload(f"ours {name}")
            begun[f"event {name}"] = bare.upload(f"event {name}")
            if part == "cold":
                _make_cold(bare.function)
            begun[f"message {name}"] = bare.send(f"message {name}")
        for part, number in _parts(POLLED_WARM_UP, POLLED_WARM, POLLED_COLD):
            name = f"polled {part} {number}.mp3"
            say(name)
            if part == "cold":
                _make_cold(polling.function)
            begun[name], visible[name] = _poll(polling, name)
        posted, ready = _seen_by_engine(local)
        durations = {name: _durations(stack, name) for name in _FUNCTIONS}
        yield _table(begun, posted, ready, visible | bare.arrived(), durations)


def _parts(warm_up: int, warm: int, cold: int) -> Iterator[tuple[str, int]]:
    for part, count in (("first", warm_up), ("warm", warm), ("cold", cold)):
        yield from ((part, number) for number in range(count))


class Rows:
    """The stack's tables, looked at until a recording is there."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._dynamodb = boto3.client("dynamodb")

    def upload(self, key: str) -> tuple[float, float]:
        """Upload a recording. Returns when that began, and when its row was `completed` and its phrases there."""
        bucket, body = self._stack.media_bucket, RECORDING.read_bytes()
        begun = _rested()
        upload = put(bucket, key, body)
        row: dict[str, Any] = {}

        def is_completed() -> bool:
            row.update(
                self._dynamodb.get_item(
                    TableName=self._stack.recordings_table,
                    Key={"recording_id": {"S": upload.recording_id}},
                    ConsistentRead=True,
                ).get("Item", {})
            )
            return row.get("status") == {"S": "completed"}

        visible = _when(is_completed, key)
        phrases = self._dynamodb.query(
            TableName=self._stack.highlights_table,
            KeyConditionExpression="recording_id = :id",
            ExpressionAttributeValues={":id": {"S": upload.recording_id}},
        )["Count"]
        if phrases != int(row["highlight_count"]["N"]):  # one transaction wrote both
            message = f"{key} is completed with {phrases} phrases, and should have {row['highlight_count']['N']}."
            raise RuntimeError(message)
        return begun, visible


def _poll(polling: Baseline, key: str) -> tuple[float, float]:
    """The same for the baseline: when the upload began, and when its text was there."""
    s3, body = boto3.client("s3"), RECORDING.read_bytes()
    begun = _rested()
    s3.put_object(Bucket=polling.media_bucket, Key=key, Body=body)

    def is_there() -> bool:
        with suppress(ClientError):
            s3.head_object(Bucket=polling.texts_bucket, Key=f"{key}.txt")
            return True
        return False

    return begun, _when(is_there, key)


def _rested() -> float:
    time.sleep(_REST_SECONDS)
    return time.time()


def _when(happened: Callable[[], bool], what: str) -> float:
    deadline = time.time() + _LONGEST_SECONDS
    while not happened():
        if time.time() > deadline:
            message = f"{what} did not end within {_LONGEST_SECONDS} s."
            raise TimeoutError(message)
        time.sleep(_LOOK_SECONDS)
    return time.time()


def _make_cold(*functions: str) -> None:
    """Change their configuration: what comes next has to start a fresh environment."""
    for name in functions:
        tell(name, MEASURED_AT=str(time.time()))


def _seen_by_engine(local: Local) -> tuple[Moments, Moments]:
    """When it got which request, and when that transcript was ready: by its own list."""
    posted: Moments = {}
    ready: Moments = {}
    for one in transcripts(local):
        key = unquote(urlsplit(one["audio_url"]).path).rpartition("/")[2]
        posted[key], ready[key] = _seconds(one["created"]), _seconds(one["completed"])
    return posted, ready


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()


def _durations(stack: Stack, function: str) -> Samples:
    """How long the warm calls took, by their REPORT lines: the calls between the first ones and the cold ones."""
    found = [float(report[1]) for text in log_lines(f"/{stack.name}/{function}") if (report := _REPORT.search(text))]
    return Samples(found[WARM_UP : WARM_UP + WARM])


def _ms(starts: Moments, ends: Moments, which: str) -> Samples:
    return Samples([(ends[name] - start) * 1000 for name, start in starts.items() if name.startswith(f"{which} ")])


def _table(
    begun: Moments, posted: Moments, ready: Moments, visible: Moments, durations: Mapping[str, Samples]
) -> Table:
    def row(what: str, starts: Moments, ends: Moments, kind: str) -> tuple[str, ...]:
        warm, cold = _ms(starts, ends, f"{kind} warm"), _ms(starts, ends, f"{kind} cold")
        return what, warm.text(".0f"), f"{warm.percentile(99):.0f}", cold.text(".0f")

    def beyond(starts: Moments, ends: Moments, bare: str) -> tuple[str, ...]:
        differences = [
            _ms(starts, ends, f"ours {part}").median - _ms(begun, visible, f"{bare} {part}").median
            for part in ("warm", "cold")
        ]
        return "**beyond it**", f"**{differences[0]:.0f}**", "", f"**{differences[1]:.0f}**"

    def lasted(name: str) -> tuple[str, ...]:
        return f"duration of `{name}`", durations[name].text(".0f"), f"{durations[name].percentile(99):.0f}", ""

    return Table(
        "What is added to the provider's time, in ms",
        ("", "warm p50 (least-most)", "warm p99", "cold p50 (least-most)"),
        [
            row("upload -> POST at the engine", begun, posted, "ours"),
            row("the local AWS alone: upload -> event -> queue -> empty function", begun, visible, "event"),
            beyond(begun, posted, "event"),
            row("baseline: upload -> POST", begun, posted, "polled"),
            row("transcript ready, webhook -> row and phrases readable", ready, visible, "ours"),
            row("the local AWS alone: message -> empty function", begun, visible, "message"),
            beyond(ready, visible, "message"),
            row("baseline: transcript ready -> text readable", ready, visible, "polled"),
            *(lasted(name) for name in _FUNCTIONS),
        ],
        f"{WARM} warm recordings of 5 s, one after the other, of which the p99 is the slowest; {COLD} cold ones, "
        "before each of which all functions get a fresh environment; "
        f"{POLLED_WARM} and {POLLED_COLD} of the baseline. One clock: when the upload's request began, the engine's "
        "record of the POST and of the end, the empty function's own of its start. Rows and texts are looked at every "
        f"{_LOOK_SECONDS * 1000:.0f} ms, and so seen up to that late. The engine answers at once, so that the baseline "
        "always sleeps its whole three seconds; with a real provider, half of them on average. Durations are those of "
        "the warm calls' REPORT lines. Cold, the second way starts two functions, one after the other.",
    )
