"""What a page of the API takes of DynamoDB with a hundred recordings, and with a hundred thousand.

Counted at a DynamoDB in memory (bench/tables.py): 1.5 million phrases are not written into the local AWS in a minute.
"""

import math
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from audio_highlights.catalogue import Catalogue
from audio_highlights.reading import Reader
from audio_highlights.tallies import Tallies
from audio_highlights.tally import MOST_PHRASES, Count, Tallier, Tally, packed, said
from bench.report import Say, Table
from bench.tables import Counts, Item, Place, Tables

NOW = datetime(2026, 11, 22, 16, 53, tzinfo=UTC)
PHRASES = 15
DAYS = 31
_TIMESTAMPS = [{"start": 1000 * one, "end": 1000 * one + 700} for one in range(4)]
_STATUSES = ("failed", "ignored", "queued", "processing")


class Archive:
    """So many recordings of the last `days` days, 15 phrases each: five that many say, five that some, five its own.

    One in a hundred has not been completed. Nothing is chance: the same number gives the same archive.
    """

    def __init__(self, recordings: int, days: int) -> None:
        self._days = [(NOW - timedelta(one)).date().isoformat() for one in range(days)]
        self._ids = [f"{number:032x}" for number in range(recordings)]
        chance = random.Random(recordings)  # noqa: S311
        self._moments = [
            (NOW - timedelta(number % days, chance.random() * 60_000)).isoformat(timespec="milliseconds")[:23] + "Z"
            for number in range(recordings)
        ]
        self._common = [min(200, 5 + int(chance.paretovariate(0.6))) for _ in range(recordings)]
        self._phrases: dict[str, list[Place]] = {day: [] for day in self._days}
        self._indexes: dict[str, dict[str, list[Place]]] = {}
        self._sayings: dict[str, list[Place]] = {}
        for number, (recording_id, moment) in enumerate(zip(self._ids, self._moments, strict=True)):
            if self._status(number) != "completed":
                continue
            of_day = self._phrases[moment[:10]]
            of_day += ((self._phrase(number, place), recording_id, place) for place in range(1, PHRASES + 1))
        for places in self._phrases.values():
            places.sort()

    @staticmethod
    def _status(number: int) -> str:
        return "completed" if number % 100 else _STATUSES[number // 100 % len(_STATUSES)]

    def _phrase(self, number: int, position: int) -> str:
        if position <= PHRASES // 3:
            return f"common phrase {(self._common[number] + position) % 200:03d}"
        if position <= 2 * PHRASES // 3:
            return f"some say {(number * 7 + position * 1009) % 20_000:05d}"
        return f"only one says {number:06d} {position:02d}"

    def recordings(self) -> list[Item]:
        """All rows."""
        return [self._recording(number) for number in range(len(self._ids))]

    def highlights(self) -> list[Item]:
        """All items of phrases."""
        return [self._highlight(*place[1:]) for places in self._phrases.values() for place in places]

    def partition(self, table: str, index: str | None, value: str) -> Sequence[Place]:
        """See tables.Source."""
        if (table, index) == ("HighlightsTable", "day"):
            return self._phrases.get(value, [])
        if table == "RecordingsTable":
            if index not in self._indexes:
                self._indexes[str(index)] = self._index({"call": "call_id"}.get(str(index), str(index)))
            return self._indexes[str(index)].get(value, [])
        if value not in self._sayings:
            self._sayings[value] = sorted(
                (self._moments[int(recording_id, 16)], recording_id, position)
                for places in self._phrases.values()
                for phrase, recording_id, position in places
                if phrase == value
            )
        return self._sayings[value]

    def _index(self, name: str) -> dict[str, list[Place]]:
        found: dict[str, list[Place]] = {}
        for row in map(self._recording, range(len(self._ids))):
            if name in row:
                found.setdefault(row[name], []).append((row["created_at"], row["recording_id"]))
        for places in found.values():
            places.sort()
        return found

    def place(self, table: str, index: str | None, key: Item) -> Place:
        """See tables.Source."""
        if table == "RecordingsTable":
            return key["created_at"], key["recording_id"]
        return key["phrase" if index == "day" else "completed_at"], key["recording_id"], key["position"]

    def item(self, table: str, place: Place) -> Item:
        """See tables.Source."""
        if table == "RecordingsTable":
            return self._recording(int(place[1], 16))
        return self._highlight(place[1], place[2])

    def by_key(self, table: str, key: Item) -> Item | None:
        """See tables.Source."""
        if table == "RecordingsTable":
            return self._recording(int(key["recording_id"], 16))
        return self._highlight(key["recording_id"], key["position"])

    def _recording(self, number: int) -> Item:
        moment, status = self._moments[number], self._status(number)
        row = {
            "recording_id": self._ids[number],
            "bucket": "recordings-of-a-company",
            "key": f"calls/{moment[:10]}/{number:08d}.mp3",
            "version_id": f"{number:032d}",
            "etag": f"{number:032x}",
            "size_bytes": 4_800_000,
            "status": status,
            "attempt": 1,
            "day": moment[:10],
            "created_at": moment,
            "call_id": f"call {number // 4:06d}",
        }
        if status in ("failed", "ignored"):
            return row | {"reason": "The object is empty.", "completed_at": moment, "ended_badly": status}
        if status != "completed":
            return row
        return row | {
            "completed_at": moment,
            "audio_duration": 600,
            "highlights_status": "success",
            "highlight_count": PHRASES,
            "top_highlights": [self._phrase(number, place) for place in range(1, 6)],
        }

    def _highlight(self, recording_id: str, position: int) -> Item:
        number = int(recording_id, 16)
        moment, phrase = self._moments[number], self._phrase(number, position)
        return {
            "recording_id": recording_id,
            "position": position,
            "text": phrase.capitalize() if number % 3 else phrase,
            "phrase": phrase,
            "count": 1 + number % 4,
            "rank": 0.09,
            "timestamps": _TIMESTAMPS[: 1 + number % 4],
            "completed_at": moment,
            "day": moment[:10],
            "bucket": "recordings-of-a-company",
            "key": f"calls/{moment[:10]}/{number:08d}.mp3",
        }

    def said_on(self, day: str) -> Iterator[Item]:
        """What the index of days has, in its order."""
        return (self._highlight(*place[1:]) for place in self._phrases[day])

    @property
    def days(self) -> Sequence[str]:
        """The newest first."""
        return self._days


_TABLES = ("RecordingsTable", "HighlightsTable", "FlowTable")
_LAST_MONTH = {"from": str(NOW.date() - timedelta(DAYS - 1))}
PAGES: Mapping[str, Callable[[Reader], Any]] = {
    "recordings": lambda reader: reader.recordings(_LAST_MONTH),
    "recordings, completed": lambda reader: reader.recordings({**_LAST_MONTH, "status": "completed"}),
    "recordings, failed": lambda reader: reader.recordings({**_LAST_MONTH, "status": "failed"}),
    "recordings, queued (1 of 400)": lambda reader: reader.recordings({**_LAST_MONTH, "status": "queued"}),
    "recordings of a call": lambda reader: reader.recordings({"call_id": "call 000007"}),
    "who says a phrase": lambda reader: reader.sayings({"phrase": "common phrase 010"}),
    "who says what begins so": lambda reader: reader.sayings({**_LAST_MONTH, "prefix": "common"}),
    "who says something rare": lambda reader: reader.sayings({**_LAST_MONTH, "prefix": "only one says 000007"}),
    "top phrases": lambda reader: reader.phrases(_LAST_MONTH, lambda: False),
    "top phrases that begin so": lambda reader: reader.phrases({**_LAST_MONTH, "prefix": "some say 0"}, lambda: False),
}
"""Each as the API answers it: one page, of the last 31 days."""


def counted_pages(counts: Counts, reader: Reader) -> dict[str, tuple[int, float]]:
    """Of each page, the requests and the read units."""
    found: dict[str, tuple[int, float]] = {}
    for name, page in PAGES.items():
        counts.requests.clear()
        counts.units = 0
        page(reader)
        found[name] = (counts.total, counts.units)
    return found


def measure(say: Say) -> Iterable[Table]:
    """Count the requests of each page, and what it takes to count the largest day ahead."""
    found: dict[str, dict[str, tuple[int, float]]] = {}
    ahead: list[Sequence[str]] = []
    for recordings, days in ((100, DAYS), (10_000, DAYS), (100_000, DAYS), (10_000, 1), (100_000, 1)):
        name = f"{recordings:,}" + (" on one day" if days == 1 else "")
        say(name)
        tables = Tables(archive := Archive(recordings, days))
        with _of_no_account(), tables.answering() as counts:
            if days == 1:
                ahead.append(_counted_ahead(name, counts))
            else:
                tallied(archive)
            found[name] = counted_pages(counts, Reader(Catalogue(*_TABLES), lambda: NOW))
    yield Table(
        "Requests per page of the API",
        ["Page of the last 31 days", *found],
        [[page, *(_cell(*of[page]) for of in found.values())] for page in PAGES],
        "Requests to DynamoDB and, in brackets, the read units that they take; by the number of recordings, with "
        "15 phrases each, spread over 31 days or all on one. Counted at a DynamoDB in memory, which counts as the "
        "local AWS does (tests/integration/test_many_recordings.py).",
    )
    yield Table(
        "Counting a large day ahead",
        ["Recordings", "Requests", "Read units", "CPU s, the DynamoDB's own included", "Phrases kept", "KB kept"],
        ahead,
        "What the sweep does before anybody asks; the next count of a day waits 20 times as long as the last one took.",
    )


def _cell(requests: int, units: float) -> str:
    return f"{requests} ({units:,.0f})"


def tallied(archive: Archive) -> None:
    """The tallies of large days, as sweeps would have written them by now."""
    tallies = Tallies("FlowTable", "HighlightsTable")
    for day in archive.days:
        if tallies.is_large(day):
            phrases = sorted(said(archive.said_on(day)), key=lambda one: one.order)
            count = Count(NOW, phrases[:MOST_PHRASES], max(0, len(phrases) - MOST_PHRASES))
            tallies.write(Tally(day, counted=count))


def _counted_ahead(name: str, counts: Counts) -> Sequence[str]:
    """Have the sweep count, and say what it takes."""
    counts.requests.clear()
    counts.units = 0
    tallies = Tallies("FlowTable", "HighlightsTable")
    begun = time.process_time()
    Tallier(tallies, lambda: NOW).count(until=math.inf)
    seconds = time.process_time() - begun
    requests, units = counts.total, counts.units
    counted = tallies.read(str(NOW.date())).counted
    if counted is None:
        message = f"The day of {name} was not counted."
        raise RuntimeError(message)
    size = len(packed(counted.said)) / 1000
    return [name, str(requests), f"{units:,.0f}", f"{seconds:.0f}", f"{len(counted.said):,}", f"{size:.0f}"]


@contextmanager
def _of_no_account() -> Iterator[None]:
    """With credentials to sign with, which nobody looks at."""
    account = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "eu-west-1"}
    with patch.dict(os.environ, account):
        os.environ.pop("AWS_ENDPOINT_URL", None)
        yield
