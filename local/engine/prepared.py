"""What is known of a recording before its words are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.engine.audio import SAMPLE_RATE, AudioError

_UNUSABLE = 0.5

type Span = tuple[int, int, bool]
"""A segment: its first sample, the one after its last, and whether a pause follows."""


@dataclass(frozen=True)
class Prepared:
    """A decoded recording and the speech that was found in it.

    `count` samples in all, `speech` is the part of the asked stretch in which somebody speaks, 0..1,
    `sample_rate` in Hz is the recording's own, and `lost` packets of it were damaged. With separate channels
    `segments` is empty and `channels` has a file of samples and its segments for each.
    """

    count: int
    segments: list[Span]
    sample_rate: int = SAMPLE_RATE
    lost: int = 0
    speech: float = 1.0
    channels: list[tuple[str, list[Span]]] = field(default_factory=list)

    def check_speech(self, threshold: float | None) -> None:
        """Raise AudioError when there is less speech than a client asks for."""
        if threshold is not None and self.speech < threshold:
            msg = (
                f"Audio speech threshold {round(self.speech, 4)} is below the requested "
                f"speech threshold value {threshold}"
            )
            raise AudioError(msg)

    def warnings(self, words: Sequence[Mapping[str, Any]], confidence: float) -> list[str]:
        """Return why the words should not be relied on, for people."""
        found = []
        if self.lost:
            found.append(
                "Parts of the file are damaged or missing and were left out; words after them are in truth later "
                "than their times say.",
            )
        if words and self.sample_rate < SAMPLE_RATE:
            found.append(
                f"The recording has only {self.sample_rate} samples per second, as telephone calls have: "
                "expect many wrong words. Use a recording with 16000 or more if there is one.",
            )
        if words and confidence < _UNUSABLE:
            found.append(
                f"The mean confidence of the words is {confidence:.2f}: most of them are probably wrong. "
                "The sound may be noisy, distorted, distant or not English.",
            )
        return found
