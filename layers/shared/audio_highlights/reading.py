"""What people who are signed in may read: recordings of some days, one recording, its files, phrases and who says them.

Works on the catalogue, which comes in as a Protocol. What one answer takes of it is bounded: who wants more asks again,
with the cursor that the page came with.
"""

import gzip
import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from audio_highlights import export, json_items
from audio_highlights.errors import AnswerTooLarge, NotNow, RecordingNotFound, RequestUnreadable
from audio_highlights.models import Status, utc_text
from audio_highlights.parameters import (
    Cursor,
    Key,
    Period,
    call_id,
    choice,
    given,
    is_recording_id,
    not_of_this_listing,
    number,
    words,
)
from audio_highlights.tally import Count, Said, said

# A page asks no more often: every day of a period can be looked at, and it takes a second or two at most.
MOST_QUERIES = 100
_DAYS_AT_ONCE = 8
_FEW = 500  # rows of a large day that are counted for a prefix
_ENDED_BADLY = (Status.FAILED, Status.IGNORED)
# An answer stays under Lambda's 6 MB: one takes about 40 bytes.
MOST_TIMESTAMPS = 100_000

type Row = Mapping[str, Any]

type Query = Callable[[str, Key | None, int], tuple[Sequence[Row], Key | None]]
"""Of a day, after a key, at most so many: the rows, and the key to go on after where there may be more."""


class Catalogue(Protocol):
    """The tables and the files, to be read; see catalogue.Catalogue."""

    def recording(self, recording_id: str) -> Row | None: ...
    def highlights(self, recording_id: str) -> Sequence[Row]: ...
    def recordings_of(
        self, day: str, status: str | None, after: Key | None, most: int
    ) -> tuple[Sequence[Row], Key | None]: ...
    def ended_badly(
        self, status: str, first: str, last: str, after: Key | None, most: int
    ) -> tuple[Sequence[Row], Key | None]: ...
    def by_call(self, call_id: str, after: Key | None, most: int) -> tuple[Sequence[Row], Key | None]: ...
    def phrases_of(
        self, day: str, prefix: str, after: Key | None, most: int | None
    ) -> tuple[Sequence[Row], Key | None]: ...
    def tallies(self, days: Sequence[str]) -> Mapping[str, Count]: ...
    def saying(self, phrase: str, after: Key | None, most: int) -> tuple[Sequence[Row], Key | None]: ...
    def items(self, keys: Sequence[tuple[str, int]]) -> Sequence[Row]: ...
    def audio_url(self, row: Row) -> str: ...
    def file_url(self, uri: str) -> str: ...
    def read(self, uri: str) -> bytes: ...


_LISTED = (
    "recording_id",
    "bucket",
    "key",
    "status",
    "reason",
    "day",
    "created_at",
    "completed_at",
    "size_bytes",
    "audio_duration",
    "highlights_status",
    "highlight_count",
    "top_highlights",
)
_DETAILED = (
    *_LISTED,
    "version_id",
    "attempt",
    "transcript_id",
    "submitted_at",
    "language_code",
    "confidence",
    "speech_model",
    "metadata",
    "call_id",
    "options",
    "insights",
    "summary",
    "summary_status",
)
_PHRASE = ("position", "text", "phrase", "count", "rank", "timestamps", "timestamps_cut")
_SAYING = ("recording_id", "bucket", "key", "completed_at", *_PHRASE)


def _shown(row: Row, names: Sequence[str]) -> dict[str, Any]:
    """The attributes that people may see, and no other that a row has or will have."""
    return {name: row[name] for name in names if name in row}


class Reader:
    """Answers from the catalogue what the parameters of a request ask for."""

    def __init__(self, catalogue: Catalogue, now: Callable[[], datetime]) -> None:
        self._catalogue = catalogue
        self._now = now

    def recordings(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """Recordings of a period or of a call, newest first: a page of them."""
        parameters = given(asked, "from", "to", "status", "call_id", "limit", "cursor")
        limit = number("limit", parameters.get("limit"), usual=50, most=100)
        if "call_id" in parameters:
            return self._of_call(call_id(parameters["call_id"]), limit, parameters)
        status = choice("status", parameters["status"], list(Status)) if "status" in parameters else None
        names = ("day", "created_at", "recording_id")
        place = self._place(parameters, names)

        def of_day(day: str, after: Key | None, most: int) -> tuple[Sequence[Row], Key | None]:
            return self._catalogue.recordings_of(day, status, after, most)

        if status in _ENDED_BADLY:
            rows, last = self._ended_badly(status, place, limit)
        else:
            rows, last = _through_days(place, of_day, limit)
        return {
            "recordings": [_shown(row, _LISTED) for row in rows],
            "next": _next(last, place.period, parameters),
        }

    def _ended_badly(self, status: str, place: Cursor, limit: int) -> tuple[Sequence[Row], Key | None]:
        """The days of a period as one: those of a status that few have are in an index of their own."""
        after = None
        if set(place.key) != {"day"}:
            # No query goes on after what it cannot find.
            if place.key["created_at"][:10] != place.key["day"]:
                raise not_of_this_listing()
            after = {"ended_badly": status} | {name: place.key[name] for name in ("created_at", "recording_id")}
        days = place.period.days if place.period else []
        rows, last = self._catalogue.ended_badly(status, days[0], days[-1], after, limit)
        if last:
            last = {"day": last["created_at"][:10]} | {name: last[name] for name in ("created_at", "recording_id")}
        return rows, last

    def _of_call(self, called: str, limit: int, parameters: Mapping[str, str]) -> dict[str, Any]:
        if {"from", "to", "status"} & set(parameters):
            message = "Give `call_id` without `from`, `to` and `status`: all recordings of the call are listed."
            raise RequestUnreadable(message)
        names = ("call_id", "created_at", "recording_id")
        after = Cursor.read(parameters, names, of_days=False).key if "cursor" in parameters else None
        if after and after["call_id"] != called:
            raise not_of_this_listing()
        rows, last = self._catalogue.by_call(called, after, limit)
        return {"recordings": [_shown(row, _LISTED) for row in rows], "next": _next(last, None, parameters)}

    def recording(self, recording_id: str) -> dict[str, Any]:
        """One recording with its highlights, and URLs of its files."""
        row = self._row(recording_id)
        detail = {**_shown(row, _DETAILED), "highlights": [], **self._audio(row)}
        if row["status"] == Status.COMPLETED:
            detail["highlights"] = list(_as_fits(self._catalogue.highlights(recording_id)))
            detail["transcript_url"] = self._catalogue.file_url(row["transcript_uri"])
            detail["highlights_url"] = self._catalogue.file_url(row["highlights_uri"])
        return detail

    def _audio(self, row: Row) -> dict[str, Any]:
        """What may be heard: where the audio was to be redacted too, that and nothing else, and only once it is there.

        A completed row says what was asked for, another what may have been.
        """
        redacted = "redact_pii_audio" in row["options"] if "options" in row else row.get("redact_audio", False)
        if not redacted:
            return {"audio": "original", "audio_url": self._catalogue.audio_url(row)}
        if uri := row.get("redacted_audio_uri"):
            return {"audio": "redacted", "audio_url": self._catalogue.file_url(uri)}
        return {"audio": "withheld", "audio_url": None}

    def export(self, recording_id: str, asked: Mapping[str, str]) -> export.File:
        """The highlights, or the captions, of a completed recording as a file."""
        kind = choice("format", given(asked, "format").get("format"), export.FORMATS)
        row = self._row(recording_id)
        if row["status"] != Status.COMPLETED:
            message = f"The recording is {row['status']}: there is nothing to export until it is completed."
            raise NotNow(message)
        if kind in export.CAPTIONS:
            transcript = json_items.read(gzip.decompress(self._catalogue.read(row["transcript_uri"])))
            return export.of_transcript(kind, row, transcript)
        return export.of_highlights(kind, row, self._catalogue.read(row["highlights_uri"]))

    def phrases(self, asked: Mapping[str, str], time_is_up: Callable[[], bool]) -> dict[str, Any]:
        """What was said most in a period: in the most recordings, and then most often.

        Small days are counted now, large ones were counted ahead; the answer says when the first of those was.
        """
        parameters = given(asked, "from", "to", "prefix", "limit")
        limit = number("limit", parameters.get("limit"), usual=50, most=200)
        prefix = words("prefix", parameters["prefix"]) if "prefix" in parameters else ""
        period = Period.of(parameters, self._now().date())
        counts = self._catalogue.tallies(period.days)
        used: list[Count] = []
        totals: dict[str, _Total] = {}
        with ThreadPoolExecutor(_DAYS_AT_ONCE) as pool:
            of_days = pool.map(lambda day: self._said_on(day, prefix, counts.get(day), time_is_up), period.days)
            for place, (count, of_day) in enumerate(of_days):
                used += [count] if count else []
                for one in of_day:
                    totals.setdefault(one.phrase, _Total([0] * len(period))).add(place, one)
        first = heapq.nsmallest(limit, totals.items(), key=lambda one: (-one[1].recordings, -one[1].count, one[0]))
        return {
            "from": str(period.first),
            "to": str(period.last),
            "counted_at": utc_text(min(count.begun_at for count in used)) if used else None,
            "rarest_left_out": any(count.left_out for count in used),
            "phrases": [{"phrase": phrase, **total.shown()} for phrase, total in first],
        }

    def sayings(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """Which recordings say a phrase, or one that begins so, newest first: a page of them, with every moment."""
        parameters = given(asked, "phrase", "prefix", "from", "to", "limit", "cursor")
        limit = number("limit", parameters.get("limit"), usual=25, most=50)
        phrase, prefix = parameters.get("phrase"), parameters.get("prefix")
        if phrase and not prefix:
            return self._saying(words("phrase", phrase), limit, parameters)
        if prefix and not phrase:
            return self._saying_what_begins(words("prefix", prefix), limit, parameters)
        message = "Give either `phrase`, the whole of it, or `prefix`, how it begins."
        raise RequestUnreadable(message)

    def _saying(self, phrase: str, limit: int, parameters: Mapping[str, str]) -> dict[str, Any]:
        names = ("phrase", "completed_at", "recording_id", "position")
        after = Cursor.read(parameters, names, of_days=False).key if "cursor" in parameters else None
        if after and after["phrase"] != phrase:
            raise not_of_this_listing()
        rows, last = self._catalogue.saying(phrase, after, limit)
        sayings, last = self._whole(rows, last, names)
        return {"sayings": sayings, "next": _next(last, None, parameters)}

    def _saying_what_begins(self, prefix: str, limit: int, parameters: Mapping[str, str]) -> dict[str, Any]:
        names = ("day", "phrase", "recording_id", "position")
        place = self._place(parameters, names)
        # No query goes on after what it cannot find.
        if not place.key.get("phrase", prefix).startswith(prefix):
            raise not_of_this_listing()

        def of_day(day: str, after: Key | None, most: int) -> tuple[Sequence[Row], Key | None]:
            return self._catalogue.phrases_of(day, prefix, after, most)

        rows, last = _through_days(place, of_day, limit)
        sayings, last = self._whole(rows, last, names)
        return {"sayings": sayings, "next": _next(last, place.period, parameters)}

    def _whole(
        self, rows: Sequence[Row], last: Key | None, names: Sequence[str]
    ) -> tuple[list[dict[str, Any]], Key | None]:
        """The items that index rows stand for, as many as an answer holds, and the key to go on after."""
        keys = [(row["recording_id"], int(row["position"])) for row in rows]
        items = {(item["recording_id"], int(item["position"])): item for item in self._catalogue.items(keys)}
        sayings: list[dict[str, Any]] = []
        room = MOST_TIMESTAMPS
        for number_, key in enumerate(keys):
            if key not in items:
                continue  # deleted since the index was read
            room -= len(items[key]["timestamps"])
            if room < 0:
                return sayings, _key(rows[number_ - 1], names)
            sayings.append(_shown(items[key], _SAYING))
        return sayings, last

    def _row(self, recording_id: str) -> Row:
        row = self._catalogue.recording(recording_id) if is_recording_id(recording_id) else None
        if row is None:
            raise RecordingNotFound(recording_id)
        return row

    def _place(self, parameters: Mapping[str, str], names: Sequence[str]) -> Cursor:
        """Where a listing of days goes on, or begins."""
        if "cursor" in parameters:
            return Cursor.read(parameters, names, of_days=True)
        period = Period.of(parameters, self._now().date())
        return Cursor({"day": str(period.last)}, period)

    def _said_on(
        self, day: str, prefix: str, count: Count | None, time_is_up: Callable[[], bool]
    ) -> tuple[Count | None, Iterable[Said]]:
        """What was said on a day, and the count that it is from; None where it was counted now."""
        if count is None:
            return None, list(said(self._all_of(day, prefix, time_is_up)))
        if prefix and count.left_out:
            rows, after = self._catalogue.phrases_of(day, prefix, None, _FEW)
            if after is None:  # all of them, the rarest too
                return None, list(said(rows))
        return count, [one for one in count.said if one.phrase.startswith(prefix)]

    def _all_of(self, day: str, prefix: str, time_is_up: Callable[[], bool]) -> Iterator[Row]:
        after = None
        while True:
            if time_is_up():
                message = "More was said in this time than can be counted in one answer: ask for fewer days."
                raise AnswerTooLarge(message)
            rows, after = self._catalogue.phrases_of(day, prefix, after, None)
            yield from rows
            if after is None:
                return


@dataclass(slots=True)
class _Total:
    """How often a phrase is said, day by day, and how it is written."""

    trend: list[int]
    recordings: int = 0
    count: int = 0
    texts: Counter[str] = field(default_factory=Counter)

    def add(self, place: int, of_day: Said) -> None:
        self.trend[place] += of_day.count
        self.count += of_day.count
        self.recordings += of_day.recordings
        self.texts.update(of_day.texts)

    def shown(self) -> dict[str, Any]:
        text = min(self.texts, key=lambda one: (-self.texts[one], one))
        return {"text": text, "count": self.count, "recordings": self.recordings, "trend": self.trend}


def _through_days(place: Cursor, of_day: Query, limit: int) -> tuple[list[Row], Key | None]:
    """So many rows from the place on, the newest day first, and the key to go on after.

    After MOST_QUERIES there may be fewer, even none, and still a key.
    """
    days = place.period.days[::-1] if place.period else []
    after = None if set(place.key) == {"day"} else place.key
    found: list[Row] = []
    queries = 0
    for day in days[days.index(place.key["day"]) :]:
        while True:
            if queries == MOST_QUERIES or len(found) == limit:
                return found, after or {"day": day}
            rows, after = of_day(day, after, limit - len(found))
            queries += 1
            found += rows
            if after is None:
                break
    return found, None


def _key(row: Row, names: Sequence[str]) -> Key:
    return {name: int(row[name]) if name == "position" else row[name] for name in names}


def _next(last: Key | None, period: Period | None, parameters: Mapping[str, str]) -> str | None:
    return Cursor(last, period).text(parameters) if last else None


def _as_fits(highlights: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """The highlights with as many of their timestamps as an answer holds, those of the highest ranks first."""
    room = MOST_TIMESTAMPS
    for highlight in highlights:
        shown = _shown(highlight, _PHRASE)
        if len(shown["timestamps"]) > room:
            shown |= {"timestamps": shown["timestamps"][:room], "timestamps_cut": True}
        room -= len(shown["timestamps"])
        yield shown
