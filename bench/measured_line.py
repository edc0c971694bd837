"""`python -m bench.measured_line`: measures the small case that the simulation must reproduce, for measured_line.json.

A stack of its own behind an engine that works on five transcripts at a time, each for six seconds, as a free plan would
on longer ones. Forty recordings come at once: with the line (MaxInFlight 5), and as if there were none (200). Before
each, some come one by one, to learn how long the steps take that have nothing to wait for.
"""

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import requests

from audio_highlights.models import ENDED, Upload
from bench.running import clients_of
from cli.stack import Stack
from local.stack import DEFAULT_STACK_NAME, PROJECT, Local, Say

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

MEASURED = Path(__file__).with_name("measured_line.json")
UPLOADS = 40
PARALLEL = 5  # transcripts that the engine works on at a time
TRANSCRIPT_SECONDS = 6
MAX_CONCURRENCY = 5
CASES = {"line": PARALLEL, "no line": 200}  # MaxInFlight
_SAMPLE = PROJECT / "tests" / "fixtures" / "refund.mp3"
_ONE_BY_ONE = 6
_PATIENCE_SECONDS = 300
_WARM: Mapping[str, Any] = {"Submit": {"Records": []}, "Results": {"Records": []}, "Webhook": {}}


def measure(say: Say) -> dict[str, Any]:
    """Deploy, upload, and return when what happened to each recording, in seconds from the first upload of its case."""
    engine = ("--faults", "--instant", "--concurrency", str(PARALLEL))
    with tempfile.TemporaryDirectory() as folder:
        local = Local.at(Path(folder))
        local.engine_options = engine
        try:
            local.start(say)
            _hold_jobs(local)
            with clients_of(local):
                local.build(say)
                cases = {name: _case(local, most, say) for name, most in CASES.items()}
        finally:
            local.stop(say)
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "uploads": UPLOADS,
        "parallel": PARALLEL,
        "transcript_seconds": TRANSCRIPT_SECONDS,
        "max_concurrency": MAX_CONCURRENCY,
        "cases": cases,
    }


def _hold_jobs(local: Local) -> None:
    held = {"on": "job", "do": "processing", "seconds": TRANSCRIPT_SECONDS, "times": "always"}
    _engine(local, "POST", "/faults", json=[held])


def _engine(local: Local, method: str, path: str, **request: Any) -> Any:
    headers = {"Authorization": local.engine_key}
    answer = requests.request(method, local.engine_url + path, headers=headers, timeout=30, **request)
    answer.raise_for_status()
    return answer.json()


def _case(local: Local, max_in_flight: int, say: Say) -> dict[str, Any]:
    parameters = {"MaxInFlight": str(max_in_flight), "MaxConcurrency": str(MAX_CONCURRENCY)}
    local.deploy(say, parameters=parameters)
    stack = Stack.named(DEFAULT_STACK_NAME)
    _warm_up(stack)
    s3, name = boto3.client("s3"), f"in-flight-{max_in_flight}"
    single = []
    for number in range(_ONE_BY_ONE):
        single += _followed(local, stack, [_put(s3, stack, f"{name}/single-{number}")])
    say(f"{UPLOADS} uploads at once, at most {max_in_flight} in flight ...")
    with ThreadPoolExecutor(8) as pool:
        keys = [f"{name}/together-{number}" for number in range(UPLOADS)]
        together = _followed(local, stack, list(pool.map(lambda key: _put(s3, stack, key), keys)))
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


def _put(s3: "S3Client", stack: Stack, key: str) -> tuple[str, float]:
    """Upload the short sample with bytes of its own behind it. Returns the recording's id, and when."""
    moment = time.time()
    body = _SAMPLE.read_bytes() + key.encode()
    put = s3.put_object(Bucket=stack.media_bucket, Key=key, Body=body)
    upload = Upload(stack.media_bucket, key, put["VersionId"], put["ETag"].strip('"'), len(body))
    return upload.recording_id, moment


def _followed(local: Local, stack: Stack, uploaded: list[tuple[str, float]]) -> list[dict[str, Any]]:
    """Wait for their ends. Returns of each the seconds of its steps since the first of these uploads."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    ids = [recording_id for recording_id, _ in uploaded]
    while True:
        rows = stack.rows(ids)
        if sum(row["status"] in ENDED for row in rows.values()) == len(ids):
            break
        if time.monotonic() > deadline:
            message = f"Only {len(rows)} of {len(ids)} recordings have a row, and not all have ended."
            raise TimeoutError(message)
        time.sleep(1)
    listed = {one["id"]: one for one in _engine(local, "GET", "/v2/transcript?limit=200")["transcripts"]}
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


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def main() -> None:
    """Measure, and write it down."""
    found = measure(_say)
    MEASURED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
