"""Starts the functions in a Python that finds no more than on Lambda: the function, the layer, the runtime's packages.

The runtime's packages are boto3 and what it needs, in the versions of uv.lock; awscrt is not assumed to be among them.
"""

import compileall
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench.report import PROJECT

FUNCTIONS = ("webhook", "submit", "results", "check", "sweep", "api")
FLOOR = "import boto3; boto3.client('sqs')"
_OF_THE_RUNTIME = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
# As the functions get them from template.yaml; nothing of it is there.
ENVIRONMENT = {
    **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "of-no-account"),
    **{
        f"{name}_SECRET_ARN": f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}"
        for name in ("API_KEY", "WEBHOOK")
    },
    "ASSEMBLYAI_BASE_URL": "https://api.example.com",
    "AUDIO_TRANSFER": "presigned-url",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "CLIENT_ID": "6k1hq3o4e5page",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.example.com/dead-letters",
    "FLOW_TABLE": "flow",
    "HIGHLIGHTS_TABLE": "highlights",
    "LEASE_SECONDS": "120",
    "MAX_IN_FLIGHT": "200",
    "MEDIA_BUCKET": "recordings",
    "OVERDUE_MINUTES": "15",
    "POWERTOOLS_METRICS_NAMESPACE": "audio-highlights",
    "POWERTOOLS_SERVICE_NAME": "function",
    "QUEUE_URL": "https://sqs.example.com/queue",
    "RECORDINGS_TABLE": "recordings",
    "RESULTS_BUCKET": "results",
    "RESULTS_QUEUE_URL": "https://sqs.example.com/results",
    "SIGNER_ROLE_ARN": "arn:aws:iam::123456789012:role/signer",
    "SIGN_IN_URL": "https://sign-in.example.com",
    "SPEECH_MODELS": "universal-3-5-pro,universal-2",
    "SUBMIT_QUEUE_URL": "https://sqs.example.com/submit",
    "SWEEP_FUNCTION": "audio-highlights-sweep",
    "TRANSCRIPT_OPTIONS": "{}",
    "WEBHOOK_SOURCE_IPS": "",
    "WEBHOOK_URL": "https://api.example.com/webhook",
}
_CHILD = """
import json, sys, time
paths = json.loads(sys.argv[1])
sys.path[:0], sys.path[len(sys.path):] = paths["first"], paths["last"]
services = []
if sys.argv[3]:  # counting costs a little: only where it is asked for
    from botocore.client import ClientCreator
    create = ClientCreator.create_client
    ClientCreator.create_client = lambda self, **named: (
        services.append(named["service_name"]) or create(self, **named)
    )
begun = time.process_time()
exec(sys.argv[2])
cpu_ms = (time.process_time() - begun) * 1000
with open("/proc/self/status") as status:  # getrusage would tell of who started it, too
    peak_kb = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps({
    "cpu_ms": cpu_ms,
    "modules": {name: getattr(module, "__file__", None) for name, module in sys.modules.items()},
    "peak_mb": peak_kb / 1024,
    "services": services,
}))
"""


@dataclass(frozen=True, slots=True)
class Start:
    """What a fresh interpreter paid for running some code."""

    cpu_ms: float
    modules: Mapping[str, str | None]
    """Name and file of all that is loaded."""
    peak_mb: float
    services: tuple[str, ...]
    """Of which AWS services a client was built, one for each; empty where that was not asked for."""


def message(body: object) -> dict[str, Any]:
    """The event with which SQS calls a function."""
    record = {
        "messageId": str(uuid4()),
        "receiptHandle": "of-no-message",
        "body": json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }
    return {"Records": [record]}


def build_layer(folder: Path) -> Path:
    """The layer as sam build makes it, in a new folder; returns what is /opt/python on Lambda."""
    made = subprocess.run(  # noqa: S603  our own command
        [
            "/usr/bin/env",
            "make",
            "-C",
            str(PROJECT / "layers" / "shared"),
            "build-SharedLayer",
            f"ARTIFACTS_DIR={folder}",
        ],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        message = f"The layer could not be built:\n{made.stdout}{made.stderr}"
        raise RuntimeError(message)
    return folder / "python"


def runtime(folder: Path, *, compiled: bool) -> Path:
    """The packages of Lambda's own Python, in a new folder: links to those of this environment.

    `compiled` sees to their bytecode, which the runtime's image brings.
    """
    folder.mkdir()
    for name in _OF_THE_RUNTIME:
        spec = find_spec(name)
        if not spec or not spec.origin:
            message = f"{name} is not installed here."
            raise ModuleNotFoundError(message)
        found = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
        (folder / found.name).symlink_to(found)
        if compiled:
            compileall.compile_dir(found, quiet=1) if found.is_dir() else compileall.compile_file(found, quiet=1)
    return folder


def start(
    code: str,
    *,
    first: tuple[Path, ...] = (),
    last: tuple[Path, ...] = (),
    environment: Mapping[str, str] = ENVIRONMENT,
    count: bool = False,
) -> Start:
    """Run the code in an interpreter of its own, which finds modules in `first`, the standard library and `last`."""
    paths: dict[str, Any] = {"first": [str(path) for path in first], "last": [str(path) for path in last]}
    ended = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-I", "-S", "-B", "-c", _CHILD, json.dumps(paths), code, "count" if count else ""],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        message = f"{code!r} failed:\n{ended.stdout}{ended.stderr}"
        raise RuntimeError(message)
    said = json.loads(ended.stdout.splitlines()[-1])  # a function logs before
    return Start(said["cpu_ms"], said["modules"], said["peak_mb"], tuple(said["services"]))


def start_function(
    name: str,
    layer: Path,
    runtime: Path,
    *,
    code: str = "import app",
    environment: Mapping[str, str] | None = None,
    count: bool = False,
) -> Start:
    """A function's cold start, up to the point where it can take an event; `code` may go on from there."""
    return start(
        code,
        first=(PROJECT / "functions" / name, layer),
        last=(runtime,),
        environment=ENVIRONMENT | dict(environment or {}),
        count=count,
    )
