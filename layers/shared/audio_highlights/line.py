"""Who may have a transcript in work at the provider, and who is next.

The provider runs so many transcripts of an account at a time, and lets the others wait while their URLs grow old. So a
recording takes a place before its transcript is asked for, and gives it back when that has ended. Who finds none waits
as a `queued` row, not as a message, which would use up its tries. Who gives back the last place calls the longest
waiting one, by sending its upload to the submit queue again; the sweep calls those that were forgotten.

Where the provider refuses the key or the account, the line stops: nobody gets a place but a probe now and then. Who was
refused comes again as the next one. The first that succeeds lets the line go on.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from audio_highlights.models import Entry, Flight, Recording, Status

PROBE_SECONDS = 30
# How long a called recording has to come, before it is called again: as long as a message may be on its way.
_TURN = timedelta(minutes=15)


class InFlight(Protocol):
    """Who holds a place; see storage.InFlight."""

    def enter(self, recording_id: str, probe_seconds: int, *, behind_others: bool) -> Entry: ...
    def wait(self) -> None: ...
    def leave(self, recording_id: str) -> int: ...
    def nobody_waits(self, noted: int) -> None: ...
    def stop(self, reason: str, probe_seconds: int) -> None: ...
    def go_on(self) -> None: ...
    def look(self) -> Flight: ...


class Rows(Protocol):
    """The rows of those who wait; see storage.Ledger."""

    def due(self, moment: datetime) -> Iterator[Recording]: ...
    def look_again_at(self, recording: Recording, due_at: datetime) -> Recording | None: ...
    def still_open(self, recording_ids: Collection[str]) -> set[str]: ...


class Queue(Protocol):
    """The submit queue; see storage.Queue."""

    def send(self, body: Mapping[str, Any], *, delay_seconds: int = 0) -> None: ...


class Line:
    """Gives places to recordings, and calls those who wait."""

    def __init__(self, *, in_flight: InFlight, rows: Rows, submit_queue: Queue, now: Callable[[], datetime]) -> None:
        self._in_flight = in_flight
        self._rows = rows
        self._submit_queue = submit_queue
        self._now = now

    def enter(self, recording: Recording) -> Entry:
        """Take a place, or learn why there is none. Who is here for the first time does not pass those who wait."""
        return self._in_flight.enter(recording.recording_id, PROBE_SECONDS, behind_others=recording.attempt == 1)

    def wait(self) -> None:
        """Note that one waits, now that it is a row that can be called. A place may have come free before."""
        self._in_flight.wait()
        self.call_for_room()

    def passed(self, entry: Entry) -> None:
        """The provider has taken who entered: if it was the probe, the line goes on."""
        if entry.probe:
            self._in_flight.go_on()
            self.call_for_room()

    def leave(self, recording_id: str) -> None:
        """Give the place back, if it has one, and call the next."""
        noted = self._in_flight.leave(recording_id)
        if noted and not self.call(1):
            self._in_flight.nobody_waits(noted)

    def stop(self, recording: Recording, reason: str) -> None:
        """Let nobody in, because the provider refuses everybody; this one, who found out, is the next probe."""
        self._in_flight.stop(reason, PROBE_SECONDS)
        self._submit_queue.send(recording.upload.event(), delay_seconds=PROBE_SECONDS + 1)

    def call_for_room(self) -> int:
        """Call as many as there are places for. Returns how many."""
        return self.call(self._in_flight.look().room)

    def call(self, count: int) -> int:
        """Send the uploads of so many waiting recordings to the submit queue. Returns how many there were."""
        called = 0
        if count > 0:
            for recording in self._rows.due(self._now()):
                called += waits(recording) and self.call_up(recording)
                if called == count:
                    break
        return called

    def call_up(self, recording: Recording) -> bool:
        """Send its upload to the submit queue, unless another has just done so."""
        row = self._rows.look_again_at(recording, self._now() + _TURN)
        if row:
            self.send(row)
        return row is not None

    def send(self, recording: Recording) -> None:
        """Send its upload to the submit queue, as S3's event did."""
        self._submit_queue.send(recording.upload.event())

    def tidy(self) -> Flight:
        """Give back the places of those who died in them. Returns who holds one now."""
        flight = self._in_flight.look()
        gone = flight.holders - self._rows.still_open(flight.holders)
        for recording_id in gone:
            self._in_flight.leave(recording_id)
        return self._in_flight.look() if gone else flight


def waits(recording: Recording) -> bool:
    """Whether it waits for its turn; one with a transcript may be `queued` too, at the provider."""
    return recording.status is Status.QUEUED and recording.transcript_id is None
