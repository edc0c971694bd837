"""The tallies of large days: what was said on a day of so many phrases that nobody counts them when a page asks.

The sweep counts such a day ahead, as a whole, from the index of days; a page reads the tallies of all days with one
request. Smaller days have none: they are counted when somebody asks, exactly and up to that moment.

A count that takes longer than a sweep is gone on with by the next one. A deletion takes what only its recording said
out of the tally, and voids a count that is under way, before the phrases themselves are deleted. Every write of a tally
names the generation that it comes from: of two at once, one counts.
"""

import gzip
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol, Self

from audio_highlights.errors import StorageBusy
from audio_highlights.parameters import MOST_DAYS

LARGE = 3000  # phrases of a day: those of about 200 recordings. Thirty such days are counted in two or three seconds.
MOST_PHRASES = 4000  # of a tally: no answer has more than 200
_ROOM = 150_000  # bytes of them, packed: a tally and a count under way are one item, of at most 400 KB
_EVERY = timedelta(minutes=5)
_REST = 20  # times as long as a count took, before the next one of the day
_LATE = timedelta(minutes=10)  # so long after midnight the last phrases of a day are there
# No count begins so soon after a deletion: meanwhile its phrases have gone, from the index too. No sweep takes as long.
_DELETION = timedelta(minutes=5)
_TRIES = 5

type Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """A phrase on a day: how often it is said, in how many recordings, and how often it is written how."""

    phrase: str
    count: int
    recordings: int
    texts: Mapping[str, int]

    @property
    def text(self) -> str:
        """As most write it."""
        return min(self.texts, key=lambda one: (-self.texts[one], one))

    @property
    def order(self) -> tuple[int, int, str]:
        """What is said in the most recordings comes first, and then what is said most often."""
        return -self.recordings, -self.count, self.phrase


def said(rows: Iterable[Row]) -> Iterator[Said]:
    """The phrases of a day, from its rows in the order of the phrases."""
    for phrase, of_phrase in groupby(rows, itemgetter("phrase")):
        count, recordings, texts = 0, set(), Counter[str]()
        for row in of_phrase:
            count += int(row["count"])
            recordings.add(row["recording_id"])  # one that writes it in two ways has two rows
            texts[row["text"]] += 1
        yield Said(phrase, count, len(recordings), texts)


@dataclass(frozen=True, slots=True)
class Count:
    """What was counted of a day: the first phrases by their order, and how many were left out of it.

    One that is not complete ends with the phrase that it went `through`.
    """

    begun_at: datetime
    said: Sequence[Said] = ()
    left_out: int = 0
    seconds: float = 0
    through: str | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What is kept of a day. Generation 0 has never been written."""

    day: str
    generation: int = 0
    counted: Count | None = None
    under_way: Count | None = None
    deleted_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether the day should be counted, or its count gone on with, if it is a large one."""
        if self.deleted_at and now < self.deleted_at + _DELETION:
            return False
        if self.under_way or not self.counted:
            return True
        begun_at = self.counted.begun_at
        if now < begun_at + max(_EVERY, _REST * timedelta(seconds=self.counted.seconds)):
            return False
        over = datetime.combine(date.fromisoformat(self.day) + timedelta(1), datetime.min.time(), UTC) + _LATE
        return begun_at < over or bool(self.deleted_at and self.deleted_at >= begun_at)

    def without(self, rows: Iterable[Row], now: datetime) -> Self:
        """The tally without what these rows say, which are about to be deleted."""
        counted = self.counted
        if counted:
            gone = {one.phrase: one for one in said(sorted(rows, key=itemgetter("phrase")))}
            left = (_less(one, gone.get(one.phrase)) for one in counted.said)
            counted = replace(counted, said=tuple(one for one in left if one.recordings > 0))
        return replace(self, counted=counted, under_way=None, deleted_at=now)


def _less(one: Said, gone: Said | None) -> Said:
    if gone is None:
        return one
    texts = {text: times - gone.texts.get(text, 0) for text, times in one.texts.items()}
    # Where nobody is known to write it so any more, it is written as it is searched for.
    texts = {text: times for text, times in texts.items() if times > 0} or {one.phrase: 1}
    return Said(one.phrase, max(one.count - gone.count, 0), one.recordings - gone.recordings, texts)


def packed(phrases: Iterable[Said]) -> bytes:
    """As a tally keeps them: each as most write it."""
    rows = [[one.phrase, one.count, one.recordings, one.text, one.texts[one.text]] for one in phrases]
    return gzip.compress(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode(), mtime=0)


def unpacked(kept: bytes) -> tuple[Said, ...]:
    """The same again."""
    return tuple(
        Said(phrase, count, recordings, {text: times})
        for phrase, count, recordings, text, times in json.loads(gzip.decompress(kept))
    )


class Tallies(Protocol):
    """Where the tallies are kept, and the index that they are counted from; see storage.Tallies."""

    def read(self, day: str) -> Tally: ...
    def write(self, tally: Tally) -> bool: ...
    def is_large(self, day: str) -> bool: ...
    def phrases(self, day: str, beyond: str | None) -> Iterator[Sequence[Row]]: ...


class Tallier:
    """Counts large days, and takes out of their tallies what is deleted."""

    def __init__(self, tallies: Tallies, now: Callable[[], datetime]) -> None:
        self._tallies = tallies
        self._now = now

    def count(self, *, until: float) -> int:
        """Count the days that are due of those that it is the turn of, and return how many; stops at `until`.

        (time.monotonic().) It is always the turn of today (UTC), of yesterday, and of one earlier day: all days that
        a page can show come round in eight hours.
        """
        now = self._now()
        earlier = int(now.timestamp()) // 300 % (MOST_DAYS - 2) + 2
        counted = 0
        for ago in (0, 1, earlier):
            if time.monotonic() >= until:
                break
            counted += self._count(self._tallies.read(str(now.date() - timedelta(ago))), until)
        return counted

    def forget(self, rows: Sequence[Row]) -> None:
        """Take phrases out of the tallies; comes before they are deleted, so that who dies in between does it again.

        What is taken out twice is too few by one until the next count, which the deletion makes due.
        """
        for day in sorted({row["day"] for row in rows}):
            of_day = [row for row in rows if row["day"] == day]
            for _ in range(_TRIES):
                if self._tallies.write(self._tallies.read(day).without(of_day, self._now())):
                    break
            else:
                message = f"The tally of {day} was changed by others all the time."
                raise StorageBusy(message)

    def _count(self, tally: Tally, until: float) -> bool:
        now = self._now()
        if not tally.is_due(now):
            return False
        if not (tally.counted or tally.under_way or self._tallies.is_large(tally.day)):
            return False
        before = tally.under_way or Count(now)
        first = _First(before)
        begun = time.monotonic()
        complete = first.add_all(self._tallies.phrases(tally.day, before.through), until)
        count = first.count(before, before.seconds + time.monotonic() - begun)
        if complete:
            written = self._tallies.write(replace(tally, counted=replace(count, through=None), under_way=None))
        else:
            written = self._tallies.write(replace(tally, under_way=count))
        return complete and written  # not written: another counts it, or something was deleted meanwhile


class _TimeIsUp(Exception):
    """The phrase that was being counted is counted again by the next sweep."""


class _First:
    """The first phrases of those that were counted so far."""

    def __init__(self, before: Count) -> None:
        self._said = list(before.said)
        self._left_out = before.left_out
        self._through = before.through

    def add_all(self, pages: Iterator[Sequence[Row]], until: float) -> bool:
        """Add what the pages say; False where the time was up before their end."""

        def rows() -> Iterator[Row]:
            for page in pages:
                yield from page
                if time.monotonic() >= until:
                    raise _TimeIsUp

        try:
            for one in said(rows()):
                self._said.append(one)
                self._through = one.phrase
                if len(self._said) >= 2 * MOST_PHRASES:
                    self._keep(MOST_PHRASES)
        except _TimeIsUp:
            return False
        return True

    def count(self, before: Count, seconds: float) -> Count:
        """All of it, as much as there is room for."""
        most = MOST_PHRASES
        self._keep(most)
        while len(packed(self._said)) > _ROOM:
            most = most * 3 // 4
            self._keep(most)
        return Count(before.begun_at, tuple(self._said), self._left_out, seconds, self._through)

    def _keep(self, most: int) -> None:
        self._said.sort(key=lambda one: one.order)
        self._left_out += len(self._said[most:])
        del self._said[most:]
