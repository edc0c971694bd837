"""The pool of worker processes: kept warm, one task each, replaced when one dies or is given up."""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local.engine.audio import AudioError

_LOG = logging.getLogger(__name__)
_ROOT = Path(__file__).resolve().parents[2]
_LONGEST_LINE = 256 * 1024 * 1024
_STARTS_BEFORE_GIVING_UP = 3


class WorkerError(Exception):
    """A task did not come to its end: the worker died, could not start, or raised."""


class _LostWorkerError(WorkerError):
    """The worker died with the task in hand."""


class Workers:
    """A fixed number of worker processes."""

    def __init__(self, count: int, arguments: Sequence[str]) -> None:
        """`arguments` are the command line of each worker."""
        self.count = count
        self._arguments = list(arguments)
        self._idle: asyncio.Queue[asyncio.subprocess.Process] = asyncio.Queue()
        self._alive: set[asyncio.subprocess.Process] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._failed_starts = 0
        self._broken = asyncio.Event()
        self._closed = False

    def start(self) -> None:
        """Begin to start the workers; tasks wait for the first one that is ready."""
        for _ in range(self.count):
            self._start_one()

    async def run(self, task: str, *arguments: Any) -> Any:
        """Do one task in the next idle worker. A cancelled task costs its worker, which is replaced.

        Tasks change nothing, so one whose worker died is done once more by another. Raises AudioError where
        the file is at fault and WorkerError where the worker is.
        """
        try:
            return await self._run_once(task, arguments)
        except _LostWorkerError:
            _LOG.warning("a worker died over a task: %s", task)
            return await self._run_once(task, arguments)

    async def _run_once(self, task: str, arguments: Sequence[Any]) -> Any:
        process = await self._next_idle()
        settled = False
        try:
            answer = await _ask(process, {"task": task, "arguments": arguments})
            settled = True
        finally:
            if settled:
                self._idle.put_nowait(process)
            else:
                await self._replace(process)
        if "audio_error" in answer:
            raise AudioError(answer["audio_error"])
        if "failure" in answer:
            raise WorkerError(answer["failure"])
        return answer["result"]

    async def close(self) -> None:
        """Kill every worker and wait until it is gone."""
        self._closed = True
        for starting in self._starting:
            starting.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        for process in list(self._alive):
            await self._end(process)

    async def _next_idle(self) -> asyncio.subprocess.Process:
        idle = asyncio.ensure_future(self._idle.get())
        broken = asyncio.ensure_future(self._broken.wait())
        try:
            await asyncio.wait((idle, broken), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if idle.done() and not idle.cancelled():
                self._idle.put_nowait(idle.result())
            raise
        finally:
            broken.cancel()
            if not idle.done():
                idle.cancel()
        if not idle.done() or idle.cancelled():
            msg = "no worker starts"
            raise WorkerError(msg)
        return idle.result()

    def _start_one(self) -> None:
        starting = asyncio.create_task(self._start_process())
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)

    async def _start_process(self) -> None:
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        while not self._broken.is_set():
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "local.engine.worker",
                *self._arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LONGEST_LINE,
                env={**os.environ, "PYTHONPATH": path},
            )
            self._alive.add(process)
            try:
                await _read(process)
            except WorkerError:
                await self._end(process)
                self._failed_starts += 1
                _LOG.error("a worker did not start")
                if self._failed_starts >= _STARTS_BEFORE_GIVING_UP:
                    self._broken.set()
                continue
            self._failed_starts = 0
            self._idle.put_nowait(process)
            return

    async def _replace(self, process: asyncio.subprocess.Process) -> None:
        await self._end(process)
        if not self._closed:
            self._start_one()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        self._alive.discard(process)
        if process.returncode is None:
            process.kill()
        # Shielded: the task whose worker this is may itself be in the middle of being cancelled.
        await asyncio.shield(process.wait())


async def _ask(process: asyncio.subprocess.Process, task: dict[str, Any]) -> dict[str, Any]:
    if process.stdin is None:
        raise WorkerError
    try:
        process.stdin.write(json.dumps(task).encode() + b"\n")
        await process.stdin.drain()
    except ConnectionError as error:
        msg = "a worker is gone"
        raise _LostWorkerError(msg) from error
    return await _read(process)


async def _read(process: asyncio.subprocess.Process) -> dict[str, Any]:
    line = await process.stdout.readline() if process.stdout else b""
    if not line.endswith(b"\n"):
        msg = "a worker died"
        raise _LostWorkerError(msg)
    answer: dict[str, Any] = json.loads(line)
    return answer
