"""Loads the code of a function as Lambda does: by path, with the environment of its stack."""

import importlib.util
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "of-no-account"),
    "AWS_DEFAULT_REGION": "eu-west-1",
    "API_KEY_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:api-key",
    "WEBHOOK_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:webhook",
    "ASSEMBLYAI_BASE_URL": "https://api.example.com",
    "AUDIO_TRANSFER": "presigned-url",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.example.com/dead-letters",
    "FLOW_TABLE": "flow",
    "HIGHLIGHTS_TABLE": "highlights",
    "LEASE_SECONDS": "120",
    "MAX_IN_FLIGHT": "200",
    "MEDIA_BUCKET": "recordings",
    "OVERDUE_MINUTES": "15",
    "QUEUE_URL": "https://sqs.example.com/queue",
    "RECORDINGS_TABLE": "recordings",
    "RESULTS_BUCKET": "results",
    "RESULTS_QUEUE_URL": "https://sqs.example.com/results",
    "SIGNER_ROLE_ARN": "arn:aws:iam::123456789012:role/signer",
    "SUBMIT_QUEUE_URL": "https://sqs.example.com/submit",
    "POWERTOOLS_METRICS_NAMESPACE": "audio-highlights",
    "SPEECH_MODELS": "universal-3-5-pro,universal-2",
    "TRANSCRIPT_OPTIONS": "{}",
    "WEBHOOK_SOURCE_IPS": "",
    "CLIENT_ID": "6k1hq3o4e5page",
    "SIGN_IN_URL": "https://sign-in.example.com",
    "SWEEP_FUNCTION": "audio-highlights-sweep",
    "WEBHOOK_URL": "https://api.example.com/webhook",
}
_numbers = itertools.count(1)
_loaded: dict[str, Any] = {}


@dataclass
class Context:
    """The parts of Lambda's context that the functions look at."""

    function_name: str = "audio-highlights-function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:audio-highlights-function"
    aws_request_id: str = "52fdfc07-2182-454f-963f-5f0f9a621d72"
    remaining_ms: int = 240_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


def load(name: str, monkeypatch: pytest.MonkeyPatch, **environment: str) -> Any:
    """The module functions/<name>/app.py, fresh; its logger writes to what is standard output now.

    Building the AWS clients takes a while: where neither the log nor the environment matters, use `shared`.
    """
    number = next(_numbers)
    for variable, value in {**ENVIRONMENT, "POWERTOOLS_SERVICE_NAME": f"{name}-{number}", **environment}.items():
        monkeypatch.setenv(variable, value)
    spec = importlib.util.spec_from_file_location(f"function_{name}_{number}", ROOT / "functions" / name / "app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "functions" / name)  # Lambda finds a function's own modules so
        spec.loader.exec_module(module)
    return module


def shared(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module as an earlier test may have loaded it: warm, as Lambda keeps it."""
    if name not in _loaded:
        _loaded[name] = load(name, monkeypatch)
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    return _loaded[name]


def event(name: str) -> Any:
    """A sample invocation: "submit/object-created"."""
    return json.loads((ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))


def lines(output: str) -> list[dict[str, Any]]:
    """The log lines in what was written to standard output; each must be JSON. Metrics aside."""
    return [line for line in _read(output) if "_aws" not in line]


def metrics(output: str) -> dict[tuple[str, str, str], float]:
    """What was measured, as CloudWatch reads it from standard output: {(namespace, service, name): sum of values}."""
    found: dict[tuple[str, str, str], float] = {}
    for line in _read(output):
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
            assert directive["Dimensions"] == [["service"]]
            for one in directive["Metrics"]:
                values = line[one["Name"]]
                name = (directive["Namespace"], line["service"], one["Name"])
                found[name] = found.get(name, 0) + (sum(values) if isinstance(values, list) else values)
    return found


def _read(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.rstrip("\n").split("\n") if line]
