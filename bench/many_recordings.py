"""What a page of the API takes of DynamoDB with a hundred recordings, and with a hundred thousand."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bench.tables import Item, Place

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
        self._said: dict[str, list[Place]] = {}
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
        name = {"day": "day", "call": "call_id", "ended_badly": "ended_badly", "phrase": "phrase"}[str(index)]
        cached = self._said.get(f"{table} {index} {value}")
        if cached is None:
            if table == "RecordingsTable":
                rows = map(self._recording, range(len(self._ids)))
                cached = [(row["created_at"], row["recording_id"]) for row in rows if row.get(name) == value]
            else:
                cached = [
                    (self._moments[int(place[1], 16)], *place[1:])
                    for places in self._phrases.values()
                    for place in places
                    if place[0] == value
                ]
            cached.sort()
            self._said[f"{table} {index} {value}"] = cached
        return cached

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
