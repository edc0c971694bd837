"""Background processes on this machine: start one, know it again, stop it."""

import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_STOP_SECONDS = 15
# Processes started in this run: each must be waited for by us once it has ended.
_children: dict[int, subprocess.Popen[bytes]] = {}


class StartFailed(Exception):
    """A background process ended or stayed silent instead of getting ready."""


@dataclass(frozen=True, slots=True)
class Background:
    """A process that goes on after we end. The start time tells it from a later one with the same pid."""

    pid: int
    started: float

    @classmethod
    def start(cls, command: Sequence[str], environment: Mapping[str, str], log: Path) -> "Background":
        """Start the command in a session of its own, its output in `log`."""
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603  our own commands
                list(command),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _children[process.pid] = process
        return cls(process.pid, psutil.Process(process.pid).create_time())

    def _process(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < 1
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    def is_running(self) -> bool:
        """Whether it is still this very process."""
        return self._process() is not None

    def stop(self) -> None:
        """Ask it and what it started to end; insist after a while."""
        process = self._process()
        if process is None:
            return
        family = [process, *process.children(recursive=True)]
        process.terminate()
        psutil.wait_procs([process], timeout=_STOP_SECONDS)
        # Its children end after it by themselves; those that do not are ended here.
        _, alive = psutil.wait_procs(family, timeout=1)
        for left in alive:
            left.kill()
        psutil.wait_procs(alive, timeout=_STOP_SECONDS)
        if child := _children.pop(self.pid, None):
            child.wait()


def wait_until(ready: Callable[[], bool], process: Background, what: str, log: Path, timeout_seconds: float) -> None:
    """Wait until `ready()`; StartFailed, with the end of the log, where the process ends or takes too long."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        answers = ready()
        if not process.is_running():  # then the answer is somebody else's
            message = f"{what} ended at its start. The end of {log}:\n{tail(log)}"
            raise StartFailed(message)
        if answers:
            return
        if time.monotonic() > deadline:
            message = f"{what} was not ready after {timeout_seconds:.0f} s. The end of {log}:\n{tail(log)}"
            raise StartFailed(message)
        time.sleep(0.1)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"


def free_port(wanted: int = 0) -> int:
    """A free port on 127.0.0.1: the wanted one, or any. Raises StartFailed where the wanted one is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            message = f"Port {wanted} on 127.0.0.1 is busy ({error.strerror}). Choose another, or 0 for any free one."
            raise StartFailed(message) from error
        port: int = probe.getsockname()[1]
        return port
