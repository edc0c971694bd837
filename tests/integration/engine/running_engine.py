"""A real engine process, and what a web server is asked that tests run for it."""

import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import requests

ROOT = Path(__file__).parents[3]
KEY = "test-key-0123456789"
PATIENCE_S = 90


def wait_for[T](condition: Callable[[], T | None], what: str) -> T:
    """Ask again until there is an answer; fail when there is none for a long time."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if (answer := condition()) is not None:
            return answer
        time.sleep(0.02)
    pytest.fail(f"no {what} within {PATIENCE_S} s")


class Engine:
    """A server process and the requests that a client makes of it."""

    def __init__(self, data_dir: Path, *flags: str) -> None:
        """Start it and wait until it answers."""
        data_dir.mkdir(parents=True, exist_ok=True)
        port_file = data_dir / "port"
        port_file.unlink(missing_ok=True)
        self.data_dir = data_dir
        self.log = data_dir / "log"
        command = [sys.executable, "-m", "local.engine", "--port", "0", "--api-key", KEY]
        command += ["--data-dir", str(data_dir), "--port-file", str(port_file), *flags]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=log, stdout=log)

        def port() -> str | None:
            assert self.process.poll() is None, self.log.read_text()
            return port_file.read_text().strip() if port_file.exists() else None

        self.port = int(wait_for(port, "port"))
        self.url = f"http://127.0.0.1:{self.port}"
        self.session = requests.Session()
        self.session.headers["Authorization"] = KEY

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request with the key."""
        return self.session.request(method, self.url + path, timeout=60, **options)

    def upload(self, content: bytes) -> str:
        """Upload bytes and return their URL."""
        answer = self.call("POST", "/v2/upload", data=content)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["upload_url"])

    def create(self, **parameters: Any) -> dict[str, Any]:
        """Create a transcript."""
        answer = self.call("POST", "/v2/transcript", json=parameters)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def get(self, transcript_id: str) -> dict[str, Any]:
        """Read a transcript."""
        answer = self.call("GET", f"/v2/transcript/{transcript_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def ended(self, transcript_id: str) -> dict[str, Any]:
        """Wait until a transcript has ended and return it."""

        def ended() -> dict[str, Any] | None:
            transcript = self.get(transcript_id)
            return transcript if transcript["status"] in ("completed", "error") else None

        return wait_for(ended, "end of the job")

    def transcribe(self, content: bytes, **parameters: Any) -> dict[str, Any]:
        """Upload, create, wait."""
        return self.ended(self.create(audio_url=self.upload(content), **parameters)["id"])

    def workers(self) -> list[int]:
        """Process ids of its running workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(number) for number in children.read_text().split()]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it and return its exit code."""
        self.session.close()
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)


def is_alive(process_id: int) -> bool:
    """Whether a process runs; one that has ended but was not yet collected does not."""
    try:
        status = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


@dataclass
class Received:
    """A request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Web:
    """What the test's web server answers and what it was asked."""

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    webhook_statuses: Iterator[int] = field(default_factory=lambda: itertools.repeat(200))
    posts: Queue[Received] = field(default_factory=Queue)
    gets: list[Received] = field(default_factory=list)
    post_gate: threading.Event | None = None
    """Webhooks are taken at once, but answered only when this is set."""

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the URL of a path."""
        return f"http://{host}:{self.port}{path}"
