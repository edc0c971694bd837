"""What a function's cold start costs until it can take an event, beside what any function with boto3 pays."""

import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bench.as_on_lambda import FLOOR, FUNCTIONS, Start, build_layer, runtime, start, start_function
from bench.first_events import FLOOR_AND_REQUEST, START_AND_EVENT, later_events, submit_event, world
from bench.report import Samples, Say, Table

_RUNS = 15
_EVENTS = 5
_BOTO3, _SDK = "boto3 and its first client: the floor", "`import assemblyai`, the SDK"


def measure(say: Say) -> Iterator[Table]:
    """CPU time, modules and memory of each function's start."""
    with tempfile.TemporaryDirectory() as name:
        say("building the layer")
        layer = build_layer(Path(name, "layer"))
        packages = runtime(Path(name, "runtime"), compiled=True)
        installed = Path(sysconfig.get_path("purelib"))
        subprocess.run([sys.executable, "-I", "-c", "import assemblyai"], check=True)  # leaves its bytecode
        starts = _interleaved(
            {
                _BOTO3: partial(start, FLOOR, last=(packages,)),
                **{f"`{name}`": partial(start_function, name, layer, packages) for name in FUNCTIONS},
                _SDK: partial(start, "import assemblyai", last=(installed,)),
            },
            say,
        )
        firsts = _first_events(layer, packages, say)
    floor = Samples([one.cpu_ms for one in starts[_BOTO3]])
    yield Table(
        "Cold start",
        ("", "CPU ms", "to the floor", "modules", "peak memory, MB"),
        [_row(name, found, floor) for name, found in starts.items()],
        f"Importing `app.py`, AWS clients included: median (least-most) of {_RUNS} fresh interpreters, in turns with "
        "the others. Each finds what it would find on Lambda: the function, the built layer with its bytecode, and "
        "boto3 with what that needs, compiled, as the runtime has it. The SDK is measured where it is installed, "
        "without a client.",
    )
    floor = Samples([one.cpu_ms for one in firsts[_BOTO3]])
    yield Table(
        "Cold start and first event",
        ("", "CPU ms", "to the floor", "modules", "peak memory, MB"),
        [_row(name, found, floor) for name, found in firsts.items()],
        f"The same with one event handled, against the local AWS and engine: {_EVENTS} times. What is put off from the "
        "start to the first event shows here. The floor sends one message. There is no TLS, and no long transcript.",
    )


def _row(name: str, starts: list[Start], floor: Samples) -> tuple[str, ...]:
    cpu = Samples([one.cpu_ms for one in starts])
    peak = Samples([one.peak_mb for one in starts])
    return name, cpu.text(".0f"), cpu.ratio_to(floor), str(len(starts[0].modules)), f"{peak.median:.0f}"


def _interleaved(ways: Mapping[str, Callable[[], Start]], say: Say) -> dict[str, list[Start]]:
    """Of each way so many starts, in turns: what else the machine does then troubles all of them alike."""
    starts: dict[str, list[Start]] = {name: [] for name in ways}
    for run in range(_RUNS):
        for name, begin in ways.items():
            say(f"{run + 1} of {_RUNS}: {name.strip('`')}")
            starts[name].append(begin())
    return starts


def _first_events(layer: Path, packages: Path, say: Say) -> dict[str, list[Start]]:
    """Each function's start with an event of a recording of its own, in turns."""
    starts: dict[str, list[Start]] = {name: [] for name in (_BOTO3, *(f"`{one}`" for one in FUNCTIONS))}

    def handle(name: str, event: Mapping[str, Any]) -> None:
        environment = around.told(event)
        one = start_function(name, layer, packages, code=START_AND_EVENT, environment=environment)
        starts[f"`{name}`"].append(one)

    with world(say) as around:
        for run in range(_EVENTS):
            say(f"first event {run + 1} of {_EVENTS}")
            upload = around.uploaded()
            handle("submit", submit_event(upload))
            finished = around.finished(upload)
            starts[_BOTO3].append(start(FLOOR_AND_REQUEST, last=(packages,), environment=around.environment))
            for name, event in later_events(finished).items():
                handle(name, event)
    return starts
