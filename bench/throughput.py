"""How many recordings a second go through the local stack, what each takes of the processor, and what is full first."""

import re
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import boto3
import psutil

from bench.report import PROJECT, Say, Table
from bench.running import RECORDING, put, running_stack, transcripts
from cli.recordings import follow_all
from cli.stack import Stack
from local.stack import Local

CONCURRENCY = (2, 5, 10)
FIRST, WARM_UP, UPLOADS = 3, 60, 100
_SENDERS = 4
_LONGEST_SECONDS = 120
_PROFILE_RATE = 100
_TOP = 12
_PROCESSES = ("local AWS", "submit", "webhook", "results", "engine")
# py-spy: "function (path/to/module.py:12)"
_FRAME = re.compile(r"(.+) \((.+?)(?::\d+)?\)")


class NotComplete(Exception):
    """Not every recording went through once: what was measured is void."""


@dataclass(frozen=True, slots=True)
class Run:
    """So many recordings at once."""

    uploads: int
    seconds: float
    cpu: Mapping[str, float]


def measure(say: Say) -> Iterator[Table]:
    """At each concurrency, warm; at the last one once more, with a profile."""
    with running_stack(say) as (local, stack):
        sent = 0

        def run(folder: str, uploads: int) -> Run:
            nonlocal sent
            say(folder)
            sent += uploads
            return _run(local, stack, folder, uploads)

        for number in range(FIRST):  # many at once would start many functions at once, each the slower for it
            run(f"first-{number}", 1)
        _limit(stack, CONCURRENCY[-1])
        run("warm-up", WARM_UP)
        runs: dict[int, Run] = {}
        for concurrency in CONCURRENCY:
            _limit(stack, concurrency)
            runs[concurrency] = run(f"at-{concurrency}", UPLOADS)
        with _profile(local) as samples:
            run("profiled", UPLOADS)
        _check(local, sent)
    yield _rates(runs)
    yield _top(samples)


def _limit(stack: Stack, concurrency: int) -> None:
    """As MaxConcurrency does, without a deployment."""
    functions, resources = boto3.client("lambda"), stack.resources()
    for name in ("Submit", "Results"):
        mappings = functions.list_event_source_mappings(FunctionName=resources[f"{name}Function"])
        for mapping in mappings["EventSourceMappings"]:
            functions.update_event_source_mapping(
                UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": concurrency}
            )


def _run(local: Local, stack: Stack, folder: str, uploads: int) -> Run:
    body = RECORDING.read_bytes()

    def send(number: int) -> str:
        return put(stack.media_bucket, f"{folder}/{number}.mp3", body).recording_id

    before, begun = _cpu_seconds(local), time.time()
    with ThreadPoolExecutor(_SENDERS) as senders:
        recording_ids = list(senders.map(send, range(uploads)))
    *_, rows = follow_all(stack, recording_ids, _LONGEST_SECONDS, 1)
    after = _cpu_seconds(local)
    if any(row["status"] != "completed" for row in rows.values()):
        statuses = Counter(str(row["status"]) for row in rows.values())
        message = f"Of {uploads} recordings: {dict(statuses)}. What was measured is void."
        raise NotComplete(message)
    ended = max(datetime.fromisoformat(row["completed_at"]).timestamp() for row in rows.values())
    return Run(uploads, ended - begun, {name: after[name] - before.get(name, 0) for name in after})


def _cpu_seconds(local: Local) -> dict[str, float]:
    """What each has taken of the processor so far; a function, in all its environments."""
    if not local.aws or not local.engine:
        return {}
    aws, engine = psutil.Process(local.aws.pid), psutil.Process(local.engine.pid)
    named = [("local AWS", aws), *(("engine", one) for one in (engine, *engine.children(recursive=True)))]
    named += [(one.environ().get("POWERTOOLS_SERVICE_NAME", ""), one) for one in aws.children(recursive=True)]
    taken = dict.fromkeys(_PROCESSES, 0.0)
    for name, process in named:
        times = process.cpu_times()
        taken[name] = taken.get(name, 0) + times.user + times.system
    return taken


def _check(local: Local, uploads: int) -> None:
    """One transcript for each upload, and no more: else something went wrong that the rows do not tell."""
    statuses = Counter(one["status"] for one in transcripts(local))
    if statuses != {"completed": uploads}:
        message = f"{uploads} uploads made these transcripts: {dict(statuses)}. What was measured is void."
        raise NotComplete(message)


@contextmanager
def _profile(local: Local) -> Iterator[Counter[tuple[str, ...]]]:
    """The stacks of the thread that holds the local AWS's interpreter, and how often each was seen: at the end."""
    samples: Counter[tuple[str, ...]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "stacks"
        command = [
            "record",
            "--gil",
            "--function",
            "--format",
            "raw",
            "--rate",
            str(_PROFILE_RATE),
            "--output",
            str(out),
        ]
        spy = subprocess.Popen(  # noqa: S603  our own command
            [str(PROJECT / ".venv" / "bin" / "py-spy"), *command, "--pid", str(local.aws.pid if local.aws else 0)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield samples
        finally:
            spy.send_signal(2)
            spy.wait(timeout=30)
        for line in out.read_text(encoding="utf-8").splitlines():
            stack, _, count = line.rpartition(" ")
            samples[tuple(stack.split(";"))] += int(count)


def _rates(runs: Mapping[int, Run]) -> Table:
    def row(concurrency: int, run: Run) -> tuple[str, ...]:
        each = [1000 * run.cpu[process] / run.uploads for process in _PROCESSES]
        rate = run.uploads / run.seconds
        cores = f"{rate * each[0] / 1000:.2f}", f"{rate * sum(each) / 1000:.2f}"
        return str(concurrency), f"{rate:.1f}", *cores, *(f"{ms:.0f}" for ms in each), f"{sum(each):.0f}"

    return Table(
        "Recordings a second through the local stack, and ms of processor time for each",
        (
            "MaxConcurrency",
            "recordings/s",
            "cores busy with the local AWS",
            "cores busy with all",
            *_PROCESSES,
            "together",
        ),
        [row(concurrency, run) for concurrency, run in runs.items()],
        f"{UPLOADS} uploads of 5 s each, at once, behind {WARM_UP} that warm the functions up; the engine answers at "
        "once. All were completed, with one transcript each. The local AWS is one process, to which one core is all "
        "that there is; the functions, the engine and whatever else runs on this machine share the rest.",
    )


def _top(samples: Counter[tuple[str, ...]]) -> Table:
    """Which service of the local AWS was at work, and in which function the interpreter was just then."""
    total = samples.total()
    services: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for stack, count in samples.items():
        frames = [found.groups() for frame in stack if (found := _FRAME.fullmatch(frame))]
        ours = [file for _, file in frames if "ministack/" in file]
        services[_short(ours[-1]) if ours else "the interpreter's own"] += count
        if frames:
            functions[f"`{frames[-1][0]}` in {_short(frames[-1][1])}"] += count
    rows = zip(services.most_common(_TOP), functions.most_common(_TOP), strict=False)
    return Table(
        "What the local AWS does meanwhile",
        ("innermost module of its own", "of the time", "innermost function", "of the time"),
        [(service, f"{a / total:.0%}", function, f"{b / total:.0%}") for (service, a), (function, b) in rows],
        f"py-spy, {_PROFILE_RATE} looks a second at the thread that holds the interpreter: {total} samples, while the "
        f"same {UPLOADS} uploads went through at MaxConcurrency {CONCURRENCY[-1]}.",
    )


def _short(file: str) -> str:
    return "/".join(file.split("/")[-2:])
