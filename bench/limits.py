"""At how many recordings an hour each quota binds, by arithmetic; for docs/scale.md."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# A recording of ten minutes; what the steps take is what bench/simulation.py assumes.
TRANSCRIPT_SECONDS = 21.0
HANDOVER_SECONDS = 1.5  # from a transcript's end to the next one's begin, of who had to wait
SUBMIT_SECONDS = 0.6
RESULTS_SECONDS = 0.5
WEBHOOK_SECONDS = 0.05
PHRASES = 15

_PARTITION_UNITS = 1000  # that one partition of DynamoDB writes in a second
_UNIT_BYTES = 1024
_ITEM_BYTES = 40  # of the item of who is in flight, without any
RAW_ID_BYTES = 17  # of an id in its set: 128 bits, and one byte
TEXT_ID_BYTES = 33  # the same as 32 hex digits, as they once were
WRITES = 2  # of that item for a recording that need not wait: enter and leave

_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Limit:
    """A quota, and at which rate it binds, in recordings an hour."""

    what: str
    whose: str  # provider | ours | AWS
    quota: str
    uses: str  # of it, by a recording
    binds_at: float
    more: str  # how it is raised


def item_units(holders: float, id_bytes: int = RAW_ID_BYTES) -> int:
    """What one write of the item takes that holds so many ids."""
    return math.ceil((_ITEM_BYTES + id_bytes * holders) / _UNIT_BYTES)


def item_units_a_second(rate: float, id_bytes: int = RAW_ID_BYTES) -> float:
    """At so many recordings an hour, none of which waits: the item holds as many as are in work."""
    a_second = rate / _HOUR
    return a_second * WRITES * item_units(a_second * TRANSCRIPT_SECONDS, id_bytes)


def _bound(taken: Callable[[float], float], quota: float) -> float:
    """The rate at which so much of it is taken."""
    low, high = 1.0, 1e9
    while high / low > 1.001:  # noqa: PLR2004  near enough
        middle = math.sqrt(low * high)
        low, high = (middle, high) if taken(middle) <= quota else (low, middle)
    return low


def limits() -> Sequence[Limit]:
    """All of them, the narrowest first."""
    yes, on_request = "by asking AWS", "by asking AssemblyAI"
    found = [
        Limit(
            "Parallel transcripts, free plan", "provider", "5", f"{TRANSCRIPT_SECONDS:.0f} s and the handover",
            _HOUR * 5 / (TRANSCRIPT_SECONDS + HANDOVER_SECONDS), "a paid plan",
        ),
        Limit(
            "Parallel transcripts, paid plan", "provider", "200", f"{TRANSCRIPT_SECONDS:.0f} s and the handover",
            _HOUR * 200 / (TRANSCRIPT_SECONDS + HANDOVER_SECONDS), f"{on_request}; then `MaxInFlight`",
        ),
        Limit(
            "Requests, poll mode", "provider", "20,000 in 5 min", "POST, 3 checks, GET", _HOUR * 20_000 / 300 / 5,
            f"{on_request}; a longer `PollIntervalSeconds`",
        ),
        Limit(
            "Requests, webhook mode", "provider", "20,000 in 5 min", "POST, GET", _HOUR * 20_000 / 300 / 2, on_request
        ),
        Limit(
            "Webhooks all lost: what the sweep can ask", "ours", "200 s of each 5 min", "a GET of 0.2 s",
            _HOUR / 300 * 200 / 0.2, "nothing to set; mend the webhook",
        ),
        Limit(
            "`MaxConcurrency` 10: submit", "ours", "10 functions", f"{SUBMIT_SECONDS} s", _HOUR * 10 / SUBMIT_SECONDS,
            "`MaxConcurrency`",
        ),
        Limit(
            "`MaxConcurrency` 10: results", "ours", "10 functions", f"{RESULTS_SECONDS} s",
            _HOUR * 10 / RESULTS_SECONDS, "`MaxConcurrency`",
        ),
        Limit(
            "The in-flight item", "ours", "1,000 write units/s, one item",
            "2 writes of 1 unit per 60 in work", _bound(item_units_a_second, _PARTITION_UNITS), "several stacks",
        ),
        Limit(
            "Phrases of a day: index `day` of HighlightsTable", "AWS", "1,000 write units/s, one partition",
            f"{PHRASES} units", _HOUR * _PARTITION_UNITS / PHRASES, "DynamoDB splits it by phrase, in minutes",
        ),
        Limit(
            "A new on-demand table: HighlightsTable", "AWS", "4,000 write units/s at first", f"{2 * PHRASES} units",
            _HOUR * 4000 / (2 * PHRASES), "grows with use; warm throughput; 40,000 a table, adjustable",
        ),
        Limit(
            "Rows of a day: index `day` of RecordingsTable", "AWS", "1,000 write units/s, one partition",
            "3 units, 5 if it waits", _HOUR * _PARTITION_UNITS / 3, "not by time order; a sharded day",
        ),
        Limit(
            "Lambda, a new account", "AWS", "10 at once",
            f"{SUBMIT_SECONDS + RESULTS_SECONDS + WEBHOOK_SECONDS:.2f} s",
            _HOUR * 10 / (SUBMIT_SECONDS + RESULTS_SECONDS + WEBHOOK_SECONDS), yes,
        ),
        Limit(
            "Lambda, account and region", "AWS", "1,000 at once",
            f"{SUBMIT_SECONDS + RESULTS_SECONDS + WEBHOOK_SECONDS:.2f} s",
            _HOUR * 1000 / (SUBMIT_SECONDS + RESULTS_SECONDS + WEBHOOK_SECONDS), yes,
        ),
        Limit("EventBridge PutEvents, smallest regions", "AWS", "400/s", "1", _HOUR * 400, yes),
        Limit("Step Functions transitions, smaller regions (poll)", "AWS", "800/s", "10", _HOUR * 800 / 10, yes),
        Limit("STS AssumeRole", "AWS", "600/s", "1", _HOUR * 600, yes),
        Limit("Open rows: index `open`, 4 shards", "AWS", "4 x 1,000 write units/s", "4 units, 10 if it waits",
              _HOUR * 4000 / 4, "more shards, in storage.py"),
        Limit("S3 PUT, one prefix", "AWS", "3,500/s", "1 of each", _HOUR * 3500, "S3 splits by itself"),
        Limit("HTTP API", "AWS", "10,000/s", "1 webhook", _HOUR * 10_000, yes),
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.binds_at)
