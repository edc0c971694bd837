"""How far a job is, in the log: recognising an hour takes minutes."""

import logging

_LOG = logging.getLogger(__name__)
_STEPS = 10


class Progress:
    """Logs each tenth of a job's speech."""

    def __init__(self, transcript_id: str, seconds: float, workers: int, total: int) -> None:
        """`seconds` is the length of the recording, `total` counts the samples that hold speech."""
        self._line = f"job {transcript_id} %d %% of {seconds:.0f} s, {workers} workers"
        self._total = total
        self._done = 0

    def add(self, samples: int) -> None:
        """Take note that as many more samples have been recognised."""
        before = self._tenths()
        self._done += samples
        if self._tenths() > before:
            _LOG.info(self._line, 100 * self._done // self._total)

    def _tenths(self) -> int:
        return _STEPS * self._done // self._total
