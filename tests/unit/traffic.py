"""Messages on their way around a world of fakes, for the tests that let anything happen in any order."""

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from audio_highlights.errors import HighlightsError
from audio_highlights.models import Finished, Transcript, Upload
from tests.fakes import Crash, World

RESULT = {"status": "success", "results": [{"text": "refund", "count": 1, "rank": 0.1, "timestamps": []}]}
ENDS = {"completed": "", "error": "too short", "download error": "Download error, unable to download ..."}
AN_HOUR, A_DAY = 3600, 86_400


@dataclass
class Message[T]:
    """A message in a queue, and how often it was received."""

    body: T
    receives: int = 0


class Traffic:
    """Messages on their way around a world: what is sent is received later, and again if it failed."""

    def __init__(self, world: World, *uploads: Upload) -> None:
        self.world = world
        self.uploads = {upload.recording_id: upload for upload in uploads}
        self.events = [Message(upload) for upload in uploads]
        self.news: list[Message[Finished]] = []

    def row(self, upload: Upload) -> dict[str, Any]:
        return self.world.ledger.rows.get(upload.recording_id, {})

    def run(self, crash_after: str | None, function: Callable[[], object]) -> bool:
        """Whether it went well; what it sent is on its way either way."""
        self.world.journal.crash_after = crash_after
        try:
            with contextlib.suppress(HighlightsError, Crash):
                function()
                return True
            return False
        finally:
            self.world.journal.crash_after = None
            self.collect()

    def collect(self) -> None:
        delayed = [Upload.from_event(body) for body in self.world.submit_queue.delayed]
        self.world.submit_queue.delayed.clear()
        for upload in self.world.called() + delayed:
            assert upload == self.uploads[upload.recording_id]  # its own, of the row and of nothing else
            self.events.append(Message(upload))
        self.news += [Message(Finished.from_body(body)) for body in self.world.queue.sent]
        self.world.queue.sent.clear()

    def receive[T](
        self,
        queue: list[Message[T]],
        message: Message[T],
        handle: Callable[..., object],
        crash_after: str | None = None,
        *,
        twice: bool = False,
    ) -> None:
        """Receive it; it is gone if all went well, unless SQS delivers it once more."""
        redelivered = message.receives > 0
        message.receives += 1
        if self.run(crash_after, lambda: handle(message.body, redelivered=redelivered)) and not twice:
            queue.remove(message)

    def submit(self, message: Message[Upload], crash_after: str | None = None, *, twice: bool = False) -> None:
        self.receive(self.events, message, self.world.submit, crash_after, twice=twice)

    def deliver(self, message: Message[Finished], crash_after: str | None = None, *, twice: bool = False) -> None:
        self.receive(self.news, message, self.world.deliver, crash_after, twice=twice)

    def sweep(self, crash_after: str | None = None) -> None:
        self.run(crash_after, lambda: self.world.sweeper.sweep(until=math.inf))

    def scan(self) -> None:
        self.run(None, lambda: self.world.scanner.scan(until=math.inf))

    def of(self, transcript_id: str) -> str:
        """The recording that a transcript was made for."""
        asked = self.world.provider.asked[int(transcript_id.removeprefix("t")) - 1]
        return str(Transcript(asked).bound_recording)

    def paid(self, upload: Upload) -> list[str]:
        return [one for one in self.world.provider.paid if self.of(one) == upload.recording_id]

    def working(self) -> list[str]:
        return [one for one, job in self.world.provider.jobs.items() if job["status"] == "processing"]

    def end(self, transcript_id: str, how: str = "completed", *, called: bool = True) -> None:
        """The provider ends a transcript; its webhook comes or gets lost.

        That of one of two does not get lost: the sweep asks for the one that the row names, and nobody for the other.
        """
        asked = [Transcript(asked).bound_recording for asked in self.world.provider.asked]
        job = self.world.provider.jobs[transcript_id]
        status = "completed" if how == "completed" else "error"
        self.world.provider.end(transcript_id, status, auto_highlights_result=RESULT, error=ENDS[how])
        if called or asked.count(self.of(transcript_id)) > 1:
            attempt = int(str(job["webhook_url"]).rpartition("=")[2])
            self.news.append(Message(Finished(self.of(transcript_id), attempt, transcript_id)))

    def heal(self) -> None:
        """What the system has against all that went wrong: time, messages that come again, the sweep, the scan."""
        self.world.clock.advance(A_DAY)
        self.scan()
        for _ in range(8):
            for message in list(self.events):
                self.submit(message)
            for transcript_id in self.working():
                self.end(transcript_id, called=False)
            for news in list(self.news):
                self.deliver(news)
            self.world.clock.advance(AN_HOUR)
            self.sweep()
        assert not self.events
        assert not self.news
        assert not self.world.in_flight.holders
