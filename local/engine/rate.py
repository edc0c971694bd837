"""How many requests an account may make."""

import math
import time
from argparse import ArgumentTypeError
from collections import deque
from collections.abc import Callable

DOCUMENTED = (20_000, 300)


class RateLimit:
    """At most so many requests in any stretch of so many seconds."""

    def __init__(self, requests: int, seconds: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._seconds = seconds
        self._clock = clock
        self._taken: deque[float] = deque(maxlen=requests)

    def take(self) -> int:
        """Count a request and return 0; if it is one too many, return in how many seconds to repeat it.

        A refused request does not count.
        """
        now = self._clock()
        if len(self._taken) == self._taken.maxlen:
            wait = self._taken[0] + self._seconds - now
            if wait > 0:
                return math.ceil(wait)
        self._taken.append(now)
        return 0


def read_rate(text: str) -> tuple[int, int]:
    """Read `REQUESTS/SECONDS` from the command line."""
    requests, _, seconds = text.partition("/")
    if not (requests.isdecimal() and seconds.isdecimal() and int(requests) and int(seconds)):
        msg = f"{text} is no rate; write REQUESTS/SECONDS, such as 20000/300"
        raise ArgumentTypeError(msg)
    return int(requests), int(seconds)
