"""The webhook: tell the owner of a transcript that it has ended."""

import asyncio
import logging
from collections.abc import Mapping

import aiohttp

from local.engine import net

_LOG = logging.getLogger(__name__)
ATTEMPTS = 10
INTERVAL_S = 10.0
TIMEOUT_S = 10.0
SUCCESS = range(200, 300)
_FINAL = range(400, 500)


async def deliver(
    session: aiohttp.ClientSession,
    url: str,
    body: Mapping[str, str],
    header: tuple[str, str] | None,
    *,
    interval_s: float = INTERVAL_S,
) -> int | None:
    """POST `body` as JSON until it is taken: at most 10 times, 10 s for each, `interval_s` between.

    Any 2xx is success, any 4xx is final. Returns the last HTTP status, None if there never was one.
    """
    status: int | None = None
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with session.post(
                net.as_written(url),
                json=body,
                headers=dict([header]) if header else None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            _LOG.warning("webhook %s attempt %d: %s", body["transcript_id"], attempt, type(error).__name__)
        else:
            _LOG.info("webhook %s attempt %d: %d", body["transcript_id"], attempt, status)
            if status in SUCCESS or status in _FINAL:
                return status
        if attempt < ATTEMPTS:
            await asyncio.sleep(interval_s)
    return status
