"""`python -m bench.fresh FILE MB`: one event, of standard input, for the handler in FILE, in a process of its own.

Prints what it takes, as JSON. The environment is the function's, as Lambda has it; more data than MB it cannot have.
"""

import importlib.util
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.report import PROJECT

_STATUS = Path("/proc/self/status")
_FORGET = Path("/proc/self/clear_refs")
_FORGET_THE_MOST = "5"


@dataclass(frozen=True, slots=True)
class Cost:
    """What an event took. Bytes are resident memory: before it, with all imports done; and the most during it."""

    before_bytes: int
    most_bytes: int
    cpu_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class _Context:
    function_name: str = "bench"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:bench"
    aws_request_id: str = "52fdfc07-2182-454f-963f-5f0f9a621d72"

    def get_remaining_time_in_millis(self) -> int:
        return 120_000


def main(file: Path, megabytes: int, event: Any) -> None:
    """Handle it; what the function itself prints goes to standard error."""
    output, sys.stdout = sys.stdout, sys.stderr
    resource.setrlimit(resource.RLIMIT_DATA, (megabytes * 2**20, megabytes * 2**20))
    handler = _handler(file)
    before = psutil.Process().memory_info().rss
    if _FORGET.exists():
        _FORGET.write_text(_FORGET_THE_MOST, encoding="ascii")
    seconds, cpu_seconds = time.perf_counter(), time.process_time()
    answer = handler(event, _Context())
    seconds, cpu_seconds = time.perf_counter() - seconds, time.process_time() - cpu_seconds
    cost = Cost(before, _most_bytes(), cpu_seconds, seconds)
    json.dump({"cost": asdict(cost), "answer": answer}, output)


def _handler(file: Path) -> Any:
    sys.path.insert(0, str(file.parent))  # Lambda finds a function's own modules so
    spec = importlib.util.spec_from_file_location("app", file)
    if spec is None or spec.loader is None:
        message = f"{file} is no code"
        raise FileNotFoundError(message)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.handler


def _most_bytes() -> int:
    """On Linux getrusage counts the parent's too."""
    if _STATUS.exists():
        [line] = [line for line in _STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS


if __name__ == "__main__":
    main(PROJECT / sys.argv[1], int(sys.argv[2]), json.load(sys.stdin))
