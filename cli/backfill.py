"""Recordings that were in the bucket before: sent to the submit queue as their events would have, not too many at once.

What has a row is not sent again, so that who is interrupted starts the same command once more. What was sent and has no
row yet may be sent twice then: the row is the lock, and the second message finds it taken.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import batched, islice
from typing import Any

from audio_highlights.models import OPEN, Upload
from cli.prices import suffix_of

_LOOKED_UP = 500

type States = Callable[[Collection[str]], Mapping[str, str]]
"""The statuses of recordings that have a row, by their ids."""


@dataclass(slots=True)
class Plan:
    """What there is to do."""

    objects: int = 0
    known: int = 0
    unusable: int = 0
    missing: int = 0
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        return sum(self.sizes.values())


@dataclass(slots=True)
class Progress:
    """How far it is. `pending` were sent, now or by an earlier run, and have not ended."""

    sent: int = 0
    ended: int = 0
    pending: set[str] = field(default_factory=set)


class Backfill:
    """Goes through objects and has those without a row submitted."""

    def __init__(
        self,
        *,
        objects: Callable[[], Iterable[Upload]],
        states: States,
        send: Callable[[Mapping[str, Any]], None],
        most_bytes: int,
        limit: int | None,
    ) -> None:
        """`objects` lists the bucket anew each time; at most `limit` of them are sent."""
        self._objects = objects
        self._states = states
        self._send = send
        self._most_bytes = most_bytes
        self._limit = limit

    def plan(self) -> Plan:
        """Count what there is, and change nothing."""
        plan = Plan()
        for upload, state in self._looked_up():
            plan.objects += 1
            if self._is_unusable(upload):
                plan.unusable += 1
            elif state is not None:
                plan.known += 1
            elif self._limit is None or plan.missing < self._limit:
                plan.missing += 1
                suffix = suffix_of(upload.key)
                plan.sizes[suffix] = plan.sizes.get(suffix, 0) + upload.size_bytes
        return plan

    def run(
        self, most_pending: int, patience_seconds: float, pause: Callable[[], None] = lambda: time.sleep(1)
    ) -> Iterator[Progress]:
        """Send what is missing while less than `most_pending` are open, and wait for the end of all.

        Raises TimeoutError where nothing ends for so long.
        """
        progress = Progress()
        waiting = _Patience(patience_seconds)
        for upload in islice(self._missing(progress), self._limit):
            while len(progress.pending) >= most_pending:
                yield self._look(progress, waiting)
                if len(progress.pending) >= most_pending:
                    pause()
            self._send(upload.event())
            progress.sent += 1
            progress.pending.add(upload.recording_id)
            yield progress
        while progress.pending:
            yield self._look(progress, waiting)
            if progress.pending:
                pause()
        yield progress

    def _missing(self, progress: Progress) -> Iterator[Upload]:
        for upload, state in self._looked_up():
            if state in OPEN:  # of an earlier run, or its event has come: it counts among those in work
                progress.pending.add(upload.recording_id)
            elif state is None and not self._is_unusable(upload):
                yield upload

    def _looked_up(self) -> Iterator[tuple[Upload, str | None]]:
        for some in batched(self._objects(), _LOOKED_UP, strict=False):
            states = self._states([upload.recording_id for upload in some])
            for upload in some:
                yield upload, states.get(upload.recording_id)

    def _is_unusable(self, upload: Upload) -> bool:
        return not 0 < upload.size_bytes <= self._most_bytes

    def _look(self, progress: Progress, waiting: "_Patience") -> Progress:
        states = self._states(progress.pending)
        ended = {one for one in progress.pending if one in states and states[one] not in OPEN}
        progress.pending -= ended
        progress.ended += len(ended)
        waiting.check(progress, moved=bool(ended))
        return progress


class _Patience:
    """How long nothing may happen."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since = time.monotonic()

    def check(self, progress: Progress, *, moved: bool) -> None:
        if moved or not progress.pending:
            self._since = time.monotonic()
        elif time.monotonic() - self._since > self._seconds:
            message = (
                f"Nothing has ended for {self._seconds:.0f} s; {len(progress.pending)} are pending, such as "
                f"{min(progress.pending)}. See `highlights doctor`, then run the same command again."
            )
            raise TimeoutError(message)
