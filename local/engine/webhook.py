"""The webhook: tell the owner of a transcript that it has ended, across restarts of the server too."""

import asyncio
import json
import logging
from typing import Any

import aiohttp
from multidict import CIMultiDict

from local.engine import net
from local.engine.deliveries import Deliveries, Delivery
from local.engine.transcripts import Transcripts

_LOG = logging.getLogger(__name__)
ATTEMPTS = 10
INTERVAL_S = 10.0
TIMEOUT_S = 10.0
SUCCESS = range(200, 300)
_FINAL = range(400, 500)
_AT_ONCE = 100


def body(transcript_id: str, status: str) -> str:
    """Return what AssemblyAI posts: the id and how the job ended, and no more."""
    return json.dumps({"transcript_id": transcript_id, "status": status})


class Webhooks:
    """Delivers webhooks: at most 10 attempts, 10 s for each; any 2xx is success, any 4xx is final.

    Every attempt is counted on disk before it is made. What is not over when the server stops goes on after
    the next start, with the attempts that are left.
    """

    def __init__(self, transcripts: Transcripts, interval_s: float = INTERVAL_S) -> None:
        """`interval_s` lies between the end of an attempt and the next."""
        self._transcripts = transcripts
        self._interval_s = interval_s
        self._deliveries = Deliveries(transcripts.database)
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        # The time limit of an attempt must not run while it waits for its turn.
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def start(self) -> None:
        """Go on with what an earlier process owed."""
        self._session = net.client_session()
        for delivery in self._deliveries.owed():
            self.begin(delivery)

    async def close(self) -> None:
        """Stop every delivery where it stands."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session:
            await self._session.close()

    def store(self, delivery: Delivery) -> Delivery:
        """Owe a delivery from now on; the result is what to give to `begin`."""
        return self._deliveries.add(delivery)

    def begin(self, delivery: Delivery) -> asyncio.Event:
        """Deliver what was stored, in the background. The event is set when the first attempt is over."""
        tried = asyncio.Event()
        task = asyncio.create_task(self._deliver(delivery, tried))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return tried

    def counts(self) -> dict[str, Any]:
        """Return how many attempts were answered how, and how many deliveries are not over."""
        return {"answers": self._deliveries.answers(), "owed": len(self._deliveries.owed())}

    async def _deliver(self, delivery: Delivery, tried: asyncio.Event) -> None:
        try:
            await asyncio.sleep(delivery.delay_s)
            status = delivery.status
            for attempt in range(delivery.attempts + 1, ATTEMPTS + 1):
                async with self._turns:
                    self._deliveries.count_attempt(delivery.number, self._interval_s)
                    answered = await self._post(delivery)
                self._deliveries.note_answer(delivery.number, answered)
                tried.set()
                _LOG.info("webhook %s attempt %d: %s", delivery.transcript_id, attempt, answered or "no answer")
                status = answered or status
                if answered in SUCCESS or answered in _FINAL:
                    break
                if attempt < ATTEMPTS:
                    await asyncio.sleep(self._interval_s)
            self._finish(delivery, status)
        except Exception:  # noqa: BLE001  the next start of the server tries again, as long as attempts are left
            _LOG.exception("webhook %s failed", delivery.transcript_id)
        finally:
            tried.set()

    async def _post(self, delivery: Delivery) -> int | None:
        """Return the HTTP status of one attempt, None if there was no answer in time."""
        if self._session is None:
            return None
        headers = CIMultiDict({"Content-Type": delivery.content_type})
        if delivery.header:
            headers[delivery.header[0]] = delivery.header[1]
        try:
            async with self._session.post(
                net.as_written(delivery.url),
                data=delivery.body.encode(),
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            _LOG.warning("webhook %s: %s", delivery.transcript_id, type(error).__name__)
            return None

    def _finish(self, delivery: Delivery, status: int | None) -> None:
        with self._transcripts.transaction():
            self._deliveries.remove(delivery.number)
            if delivery.is_the_outcome and self._transcripts.get(delivery.transcript_id):
                self._transcripts.update(delivery.transcript_id, webhook_status_code=status)
