"""`python -m bench.measured_line`: measures the small case that the simulation must reproduce, for measured_line.json.

A stack of its own behind an engine that works on five transcripts at a time, each for six seconds, as a free plan would
on longer ones. Forty recordings come at once: with the line (MaxInFlight 5), and as if there were none (200). Before
each, some come one by one, to learn how long the steps take that have nothing to wait for.
"""

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3

from bench.running import RECORDING, jobs_take, put, running_local, transcripts
from cli.output import say
from cli.recordings import follow_all
from cli.stack import Stack
from local.stack import DEFAULT_STACK_NAME, Local, Say

MEASURED = Path(__file__).with_name("measured_line.json")
UPLOADS = 40
PARALLEL = 5  # transcripts that the engine works on at a time
TRANSCRIPT_SECONDS = 6
MAX_CONCURRENCY = 5
CASES = {"line": PARALLEL, "no line": 200}  # MaxInFlight
_ONE_BY_ONE = 6
_PATIENCE_SECONDS = 300
_WARM: Mapping[str, Any] = {"Submit": {"Records": []}, "Results": {"Records": []}, "Webhook": {}}


def measure(say: Say) -> dict[str, Any]:
    """Deploy, upload, and return when what happened to each recording, in seconds from the first upload of its case."""
    with running_local(say, "--faults", "--instant", "--concurrency", str(PARALLEL)) as local:
        jobs_take(local, TRANSCRIPT_SECONDS)
        local.build(say)
        cases = {name: _case(local, most, say) for name, most in CASES.items()}
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "uploads": UPLOADS,
        "parallel": PARALLEL,
        "transcript_seconds": TRANSCRIPT_SECONDS,
        "max_concurrency": MAX_CONCURRENCY,
        "cases": cases,
    }


def _case(local: Local, max_in_flight: int, say: Say) -> dict[str, Any]:
    parameters = {"MaxInFlight": str(max_in_flight), "MaxConcurrency": str(MAX_CONCURRENCY)}
    local.deploy(say, parameters=parameters)
    stack = Stack.named(DEFAULT_STACK_NAME)
    _warm_up(stack)
    name = f"in-flight-{max_in_flight}"
    single = []
    for number in range(_ONE_BY_ONE):
        single += _followed(local, stack, [_put(stack, f"{name}/single-{number}")])
    say(f"{UPLOADS} uploads at once, at most {max_in_flight} in flight ...")
    with ThreadPoolExecutor(8) as pool:
        keys = [f"{name}/together-{number}" for number in range(UPLOADS)]
        together = _followed(local, stack, list(pool.map(lambda key: _put(stack, key), keys)))
    return {"max_in_flight": max_in_flight, "single": single[1:], "together": together}  # the first warmed up the rest


def _warm_up(stack: Stack) -> None:
    """Start the processes of each function: a cold start takes a core for seconds here."""
    functions, resources = boto3.client("lambda"), stack.resources()
    with ThreadPoolExecutor(MAX_CONCURRENCY) as pool:
        for function, event in _WARM.items():
            name, payload = resources[f"{function}Function"], json.dumps(event).encode()
            calls = [pool.submit(functions.invoke, FunctionName=name, Payload=payload) for _ in range(MAX_CONCURRENCY)]
            for call in calls:
                call.result()


def _put(stack: Stack, key: str) -> tuple[str, float]:
    """Upload the short sample with bytes of its own behind it. Returns the recording's id, and when."""
    moment = time.time()
    return put(stack.media_bucket, key, RECORDING.read_bytes() + key.encode()).recording_id, moment


def _followed(local: Local, stack: Stack, uploaded: list[tuple[str, float]]) -> list[dict[str, Any]]:
    """Wait for their ends. Returns of each the seconds of its steps since the first of these uploads."""
    *_, rows = follow_all(stack, [recording_id for recording_id, _ in uploaded], _PATIENCE_SECONDS, 1)
    listed = {one["id"]: one for one in transcripts(local)}
    begun = min(moment for _, moment in uploaded)
    found = []
    for recording_id, moment in uploaded:
        row = rows[recording_id]
        transcript = listed[row["transcript_id"]]
        found.append(
            {
                "uploaded": round(moment - begun, 3),
                "claimed": _since(begun, row["created_at"]),
                "submitted": _since(begun, row["submitted_at"]),
                "created": _since(begun, transcript["created"]),  # at the provider
                "transcribed": _since(begun, transcript["completed"]),
                "completed": _since(begun, row["completed_at"]),
                "waited": int(row.get("attempts_waited", 0)),
                "status": row["status"],
            }
        )
    return found


def _since(begun: float, moment: str) -> float:
    there = datetime.fromisoformat(moment)
    return round(there.replace(tzinfo=there.tzinfo or UTC).timestamp() - begun, 3)


def main() -> None:
    """Measure, and write it down."""
    found = measure(say)
    MEASURED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
