"""Loads the code of a function as Lambda does: by path, with the environment of its stack."""

import importlib.util
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.as_on_lambda import ENVIRONMENT

ROOT = Path(__file__).parents[2]
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
