"""What people may have done with a recording: submit it again, or delete it.

Each is one conditional write, which makes it due; the rest is for submit and for the sweep. To be quick, they are
called at once; where that call gets lost, the next sweep finds the row.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from aws_lambda_powertools import Logger

from audio_highlights.errors import NotNow, RecordingNotFound
from audio_highlights.models import OPEN, Recording, Status


class Ledger(Protocol):
    """The rows; see storage.Ledger."""

    def get(self, recording_id: str) -> Recording | None: ...
    def ask_again(self, recording: Recording, reason: str) -> bool: ...
    def ask_to_delete(self, recording: Recording) -> bool: ...


class Queue(Protocol):
    """The submit queue; see storage.Queue."""

    def send(self, body: Mapping[str, Any], *, delay_seconds: int = 0) -> None: ...


class Sweep(Protocol):
    """The sweep function; see storage.SweepFunction."""

    def delete(self, recording_id: str) -> None: ...


class Orders:
    """Takes them, or says why not now."""

    def __init__(self, *, ledger: Ledger, submit_queue: Queue, sweep: Sweep, logger: Logger) -> None:
        self._ledger = ledger
        self._submit_queue = submit_queue
        self._sweep = sweep
        self._logger = logger

    def retry(self, recording_id: str) -> Status:
        """Have a failed or ignored recording submitted again. Raises RecordingNotFound or NotNow."""
        recording = self._there(recording_id)
        reason = f"It was asked for again. The last time: {recording.reason}"
        if recording.status not in (Status.FAILED, Status.IGNORED) or not self._ledger.ask_again(recording, reason):
            raise _not_again(self._there(recording_id))
        try:
            self._submit_queue.send(recording.upload.event())
        except Exception:
            self._logger.exception("the recording could not be called; the sweep will do it")
        return Status.QUEUED

    def delete(self, recording_id: str) -> Status:
        """Have a recording that has ended deleted; asking again is no mistake. Raises RecordingNotFound or NotNow."""
        recording = self._there(recording_id)
        if recording.status is not Status.DELETING and not self._ledger.ask_to_delete(recording):
            recording = self._there(recording_id)
            if recording.status is not Status.DELETING:
                raise _not_deleted(recording)
        try:
            self._sweep.delete(recording_id)
        except Exception:
            self._logger.exception("the sweep could not be called; it will find the recording by itself")
        return Status.DELETING

    def _there(self, recording_id: str) -> Recording:
        recording = self._ledger.get(recording_id)
        if recording is None:
            raise RecordingNotFound(recording_id)
        return recording


def _not_again(recording: Recording) -> NotNow:
    why = {
        Status.COMPLETED: "it is completed. Upload it again if you want another transcript",
        Status.DELETING: "it is being deleted",
    }.get(recording.status, f"it is in work ({recording.status}) and needs no retry")
    return NotNow(f"{recording.name} is not submitted again: {why}.")


def _not_deleted(recording: Recording) -> NotNow:
    if recording.status in OPEN:
        return NotNow(f"{recording.name} is in work ({recording.status}). Delete it when it has ended.")
    return NotNow(f"{recording.name} is changing just now. Ask again.")
