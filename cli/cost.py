"""What a stack's recordings have cost, by what their rows say."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cli.prices import Prices

ATTRIBUTES = (
    "key", "day", "status", "audio_duration", "speech_model", "options", "extra_transcripts", "attempt", "metadata",
)  # fmt: skip
"""Of a row: what its cost depends on."""

type Row = Mapping[str, Any]


@dataclass(slots=True)
class Share:
    """Some recordings' part of the cost."""

    recordings: int = 0
    seconds: int = 0
    provider: Decimal = Decimal(0)
    aws: Decimal = Decimal(0)

    def shown(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "recordings": self.recordings,
            "seconds": self.seconds,
            "provider": round(self.provider, 6),
            "aws": round(self.aws, 6),
        }


@dataclass(slots=True)
class Cost:
    """The cost of recordings: in all, by day, by recording, by what was asked for."""

    total: Share = field(default_factory=Share)
    by_day: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    by_recording: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    by_option: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    keys: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    price_unknown: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    model_assumed: int = 0
    extra_transcripts: int = 0


def of(rows: Iterable[Row], prices: Prices, usual_model: str, completion_mode: str) -> Cost:
    """Add up. A transcript that failed costs nothing; AWS costs what it costs whatever came of a recording."""
    cost = Cost()
    aws = prices.of_recording(completion_mode)
    for row in rows:
        parts: dict[str, Decimal] = {}
        seconds = 0
        if row["status"] == "completed":
            seconds = int(row.get("audio_duration") or 0)
            cost.model_assumed += not row.get("speech_model")
            model = str(row.get("speech_model") or usual_model)
            parts, unknown = prices.transcript(seconds, model, list(row.get("options") or ()))
            for name in unknown:
                cost.price_unknown[name] += 1
            extra = len(row.get("extra_transcripts") or ())  # each costs as much again: the same was asked for
            cost.extra_transcripts += extra
            seconds *= 1 + extra
            parts = {name: amount * (1 + extra) for name, amount in parts.items()}
        provider = sum(parts.values(), Decimal(0))
        recording_id = str(row["recording_id"])
        cost.keys[recording_id] = str(row["key"])
        cost.statuses[str(row["status"])] += 1
        for share in (cost.total, cost.by_day[str(row["day"])], cost.by_recording[recording_id]):
            share.recordings += 1
            share.seconds += seconds
            share.provider += provider
            share.aws += aws
        for name, amount in parts.items():
            share = cost.by_option[name]
            share.recordings += 1
            share.seconds += seconds
            share.provider += amount
    return cost
