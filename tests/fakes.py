"""Stand-ins for what the workflow talks to: in memory, with the semantics of the real ones, and a clock to set.

Every side effect is written into one journal, which can break off after any of them, as a killed function does.
"""

import io
import itertools
import json
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from aws_lambda_powertools import Logger
from boto3.dynamodb.types import TypeSerializer

from audio_highlights.config import AudioTransfer, SubmitSettings
from audio_highlights.deletion import Deleter
from audio_highlights.errors import (
    RecordingInWork,
    RecordingUnusable,
    ResultGone,
    TranscriptNotFound,
    TranscriptNotReady,
)
from audio_highlights.json_items import read, written
from audio_highlights.line import Line, waits
from audio_highlights.models import (
    ENDED,
    OPEN,
    Claim,
    Entry,
    Finished,
    Flight,
    Highlight,
    Recording,
    Status,
    StoredObject,
    Transcript,
    Upload,
    call_id_of,
    recording_mark,
)
from audio_highlights.models import utc_text as text_of
from audio_highlights.orders import Orders
from audio_highlights.tally import LARGE, Count, Tallier, Tally
from audio_highlights.workflow import Deliverer, Outcome, Place, Scanner, Submitter, Sweeper

BUCKET = "recordings"
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00" + bytes(64)
SECRET = "of-the-webhook"
DEPLOYED = datetime(2026, 11, 20, tzinfo=UTC)
LEASE_SECONDS = 120
OVERDUE_SECONDS = 900
WEBHOOK_URL = "https://api.example.com/webhook"

_serialize = TypeSerializer().serialize


class Crash(BaseException):
    """The function is killed: no handler of ours may catch it."""


class Clock:
    """The time, which passes only when a test says so."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 16, 53, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Journal:
    """The names of all side effects in their order; breaks off once, after number `crash_after` or the one named.

    As a killed function does, or with `trouble`, as a call does that was carried out and whose answer is lost.
    """

    def __init__(self) -> None:
        self.effects: list[str] = []
        self.crash_after: int | str | None = None
        self.trouble: Exception | None = None

    def note(self, effect: str) -> None:
        self.effects.append(effect)
        if self.crash_after in (len(self.effects), effect):
            self.crash_after = None
            raise self.trouble or Crash(effect)


def _first_row(
    upload: Upload, metadata: Mapping[str, str], now: datetime, *, redact_audio: bool = False
) -> dict[str, Any]:
    return {
        "recording_id": upload.recording_id,
        "bucket": upload.bucket,
        "key": upload.key,
        "version_id": upload.version_id,
        "etag": upload.etag,
        "size_bytes": upload.size_bytes,
        "created_at": text_of(now),
        "day": now.date().isoformat(),
        "metadata": dict(metadata),
        "call_id": call_id_of(metadata),
        **({"redact_audio": True} if redact_audio else {}),
    }


class FakeLedger:
    """Both tables. Rows are what DynamoDB would hold; every change has the real one's condition."""

    def __init__(self, clock: Clock, journal: Journal) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.items: dict[str, dict[int, Highlight]] = {}
        self._clock = clock
        self._journal = journal

    def get(self, recording_id: str) -> Recording | None:
        row = self.rows.get(recording_id)
        return _recording(row) if row else None

    def claim(
        self, upload: Upload, metadata: Mapping[str, str], lease_seconds: int, *, redact_audio: bool = False
    ) -> Claim:
        now = self._clock()
        before = self.get(upload.recording_id)
        if before:
            row = self.rows[upload.recording_id]
            waiting = before.status in (Status.SUBMITTING, Status.QUEUED) and before.transcript_id is None
            if not (waiting and row["lease_until"] <= int(now.timestamp())):
                if before.status in OPEN and before.transcript_id is None:
                    message = f"{before.name} is being submitted by another invocation (attempt {before.attempt})."
                    raise RecordingInWork(message)
                return Claim(before, taken=False)
        row = self.rows.setdefault(upload.recording_id, {})
        for name, value in _first_row(upload, metadata, now, redact_audio=redact_audio).items():
            row.setdefault(name, value)
        lease_until = int(now.timestamp()) + lease_seconds
        row |= {"status": Status.SUBMITTING, "lease_until": lease_until, "due_at": lease_until, "open_shard": "0"}
        row["attempt"] = row.get("attempt", 0) + 1
        row.pop("reason", None)
        self._journal.note("claim")
        asked_again = bool(before and 0 < before.attempts_before == before.attempt)
        unclear = bool(before and before.status is Status.SUBMITTING) or asked_again
        return Claim(_recording(row), taken=True, unclear=unclear)

    def refuse(
        self, upload: Upload, metadata: Mapping[str, str], reason: str, status: Status, *, redact_audio: bool = False
    ) -> Recording | None:
        there = self.get(upload.recording_id)
        if there:
            return there
        now = self._clock()
        self.rows[upload.recording_id] = {
            **_first_row(upload, metadata, now, redact_audio=redact_audio),
            "status": status,
            "ended_badly": status,
            "reason": reason,
            "attempt": 0,
            "completed_at": text_of(now),
        }
        self._journal.note("refuse")
        return None

    def release(
        self, recording: Recording, reason: str, status: Status, due_at: datetime, *, waited: bool = False
    ) -> None:
        change = {"status": status, "reason": reason, "lease_until": 0, "due_at": int(due_at.timestamp())}
        if waited:
            change["attempts_waited"] = recording.attempts_waited + 1
        self._update("release", recording, change, only_while=(Status.SUBMITTING,), of_this_attempt=True)

    def note_upload_url(self, recording: Recording, upload_url: str) -> None:
        change = {"upload_url": upload_url}
        self._update("note upload_url", recording, change, only_while=(Status.SUBMITTING,), of_this_attempt=True)

    def record_transcript(self, recording: Recording, transcript_id: str, status: Status, overdue_seconds: int) -> bool:
        now = self._clock()
        change = {
            "status": status,
            "transcript_id": transcript_id,
            "submitted_at": text_of(now),
            "due_at": int(now.timestamp()) + overdue_seconds,
        }
        return self._update(
            "record transcript",
            recording,
            change,
            remove=("lease_until", "reason"),
            only_while=(Status.SUBMITTING,),
            of_this_attempt=True,
        )

    def look_again_at(self, recording: Recording, due_at: datetime) -> Recording | None:
        row = self.rows.get(recording.recording_id)
        if row is None or row["status"] not in OPEN or row["due_at"] > self._clock().timestamp():
            return None
        self._update("look again", recording, {"due_at": int(due_at.timestamp())}, only_while=OPEN)
        return _recording(row)

    def retry(self, recording: Recording, transcript_id: str, reason: str, due_at: datetime) -> bool:
        row = self.rows.get(recording.recording_id, {"status": None})
        answered = row.get("retried_transcripts", set())
        if transcript_id in answered or row.get("transcript_id", transcript_id) != transcript_id:
            return False
        change = {"status": Status.QUEUED, "reason": reason, "lease_until": 0, "due_at": int(due_at.timestamp())}
        if row["status"] in OPEN:
            row["retried_transcripts"] = answered | {transcript_id}
        return self._update("retry", recording, change, remove=("transcript_id", "submitted_at"), only_while=OPEN)

    def note_extra_transcript(self, recording_id: str, transcript_id: str) -> None:
        if recording_id in self.rows:
            self.rows[recording_id].setdefault("extra_transcripts", set()).add(transcript_id)
            self._journal.note("note extra")

    def ask_again(self, recording: Recording, reason: str) -> bool:
        former = recording.retried_transcripts | ({recording.transcript_id} if recording.transcript_id else set())
        change = {
            "status": Status.QUEUED,
            "reason": reason,
            "lease_until": 0,
            "due_at": int(self._clock().timestamp()),
            "open_shard": "0",
            "attempts_before": recording.attempt,
            "retries_before": len(former),
            "retried_transcripts": set(former),
        }
        return self._update(
            "ask again",
            recording,
            change,
            remove=("transcript_id", "submitted_at", "completed_at", "attempts_waited", "ended_badly"),
            only_while=(Status.FAILED, Status.IGNORED),
            of_this_attempt=True,
        )

    def ask_to_delete(self, recording: Recording) -> bool:
        change = {"status": Status.DELETING, "due_at": int(self._clock().timestamp()), "open_shard": "0"}
        return self._update("ask to delete", recording, change, remove=("reason", "ended_badly"), only_while=ENDED)

    def take_deletion(self, recording_id: str, until: datetime) -> Recording | None:
        row = self.rows.get(recording_id, {})
        if row.get("status") is not Status.DELETING or row["due_at"] > self._clock().timestamp():
            return None
        row["due_at"] = int(until.timestamp())
        self._journal.note("take deletion")
        return _recording(row)

    def note_undeleted(self, recording: Recording, reason: str) -> None:
        change = {"reason": reason, "due_at": int(self._clock().timestamp())}
        self._update("note undeleted", recording, change, only_while=(Status.DELETING,))

    def delete_again(self, recording: Recording) -> None:
        row = self.rows.get(recording.recording_id)
        if row and row["status"] is not Status.DELETING:
            return
        now = self._clock()
        self.rows[recording.recording_id] = {
            **(row or _first_row(recording.upload, {}, now)),
            "created_at": recording.created_at,
            "day": recording.day,
            "attempt": recording.attempt,
            "status": Status.DELETING,
            "due_at": int(now.timestamp()),
            "open_shard": "0",
        }
        self._journal.note("delete again")

    def phrases(self, recording: Recording) -> list[dict[str, Any]]:
        completed_at = self.rows.get(recording.recording_id, {}).get("completed_at", "")
        return [
            {
                "recording_id": recording.recording_id,
                "phrase": highlight.phrase,
                "text": highlight.text,
                "count": highlight.count,
                "day": completed_at[:10],
            }
            for highlight in self.items.get(recording.recording_id, {}).values()
        ]

    def delete_phrases(self, recording: Recording) -> None:
        self.items.pop(recording.recording_id, None)
        self._journal.note("delete phrases")

    def drop(self, recording: Recording, until: datetime) -> bool:
        row = self.rows.get(recording.recording_id)
        if row and (row["status"] is not Status.DELETING or row["due_at"] != int(until.timestamp())):
            return False
        self.rows.pop(recording.recording_id, None)
        self._journal.note("drop")
        return True

    def note_redacted_audio(self, recording: Recording, uri: str) -> bool:
        change = {"redacted_audio_uri": uri}
        return self._update("note redacted audio", recording, change, only_while=(Status.COMPLETED,))

    def still_open(self, recording_ids: Collection[str]) -> set[str]:
        rows = [_recording(self.rows[one]) for one in recording_ids if one in self.rows]
        return {row.recording_id for row in rows if row.status in OPEN and not waits(row)}

    def known(self, recording_ids: Collection[str]) -> set[str]:
        return self.rows.keys() & set(recording_ids)

    def created(self) -> datetime:
        return DEPLOYED

    def end(
        self,
        recording: Recording,
        status: Status,
        reason: str,
        *,
        transcript_id: str | None = None,
        of_this_attempt: bool = False,
    ) -> bool:
        change = {"status": status, "ended_badly": status, "reason": reason, "completed_at": text_of(self._clock())}
        if transcript_id:
            change["transcript_id"] = transcript_id
        return self._update(
            "end",
            recording,
            change,
            remove=("open_shard", "due_at", "lease_until"),
            only_while=OPEN,
            of_this_attempt=of_this_attempt,
        )

    def complete(self, recording: Recording, facts: Mapping[str, Any], highlights: Sequence[Highlight]) -> bool:
        kept = {name: value for name, value in facts.items() if value is not None}
        _serialize(kept)  # DynamoDB takes neither floats nor numbers beyond 38 digits
        for highlight in highlights:
            _serialize([highlight.count, highlight.rank, [list(stamp) for stamp in highlight.timestamps]])
        row = self.rows.get(recording.recording_id)
        if row is None or row["status"] not in OPEN:
            return False
        self.items[recording.recording_id] = {highlight.position: highlight for highlight in highlights}
        change = {"status": Status.COMPLETED, "completed_at": text_of(self._clock()), **kept}
        remove = ("open_shard", "due_at", "lease_until", "reason")
        return self._update("complete", recording, change, remove=remove, only_while=OPEN)

    def due(self, moment: datetime) -> Iterator[Recording]:
        waiting = [row for row in self.rows.values() if "open_shard" in row and row["due_at"] <= moment.timestamp()]
        return map(_recording, sorted(waiting, key=lambda row: int(row["due_at"])))

    def _update(
        self,
        effect: str,
        recording: Recording,
        change: Mapping[str, Any],
        *,
        only_while: Sequence[Status],
        remove: Sequence[str] = (),
        of_this_attempt: bool = False,
    ) -> bool:
        row = self.rows.get(recording.recording_id)
        if row is None or row["status"] not in only_while or (of_this_attempt and row["attempt"] != recording.attempt):
            return False
        row |= change
        for name in remove:
            row.pop(name, None)
        self._journal.note(effect)
        return True


def _recording(row: Mapping[str, Any]) -> Recording:
    return Recording(
        recording_id=row["recording_id"],
        bucket=row["bucket"],
        key=row["key"],
        status=row["status"],
        attempt=row["attempt"],
        day=row["day"],
        created_at=row["created_at"],
        version_id=row["version_id"],
        etag=row["etag"],
        size_bytes=row["size_bytes"],
        reason=row.get("reason"),
        transcript_id=row.get("transcript_id"),
        upload_url=row.get("upload_url"),
        submitted_at=row.get("submitted_at"),
        metadata=row.get("metadata", {}),
        retried_transcripts=frozenset(row.get("retried_transcripts", ())),
        extra_transcripts=frozenset(row.get("extra_transcripts", ())),
        attempts_before=row.get("attempts_before", 0),
        attempts_waited=row.get("attempts_waited", 0),
        retries_before=row.get("retries_before", 0),
    )


class FakeTallies:
    """The tallies of large days, and the index of days, in pages of so many rows; who says what, a test puts in."""

    def __init__(self, journal: Journal) -> None:
        self.rows: dict[tuple[str, int], dict[str, Any]] = {}
        self.kept: dict[str, Tally] = {}
        self.large = LARGE
        self.page = 1000
        self.pages = 0
        self.during: Callable[[], object] | None = None  # happens once, after the first page of a count was read
        self.before_write: Callable[[], object] | None = None  # happens once
        self._journal = journal

    def read(self, day: str) -> Tally:
        return self.kept.get(day, Tally(day))

    def write(self, tally: Tally) -> bool:
        meanwhile, self.before_write = self.before_write, None
        if meanwhile:
            meanwhile()
        if self.read(tally.day).generation != tally.generation:
            return False
        self.kept[tally.day] = replace(tally, generation=tally.generation + 1)
        self._journal.note("write tally")
        return True

    def is_large(self, day: str) -> bool:
        return len(self._of(day)) > self.large

    def phrases(self, day: str, beyond: str | None) -> Iterator[list[dict[str, Any]]]:
        rows = [row for row in self._of(day) if beyond is None or row["phrase"] > beyond]
        for first in range(0, max(len(rows), 1), self.page):
            self.pages += 1
            yield rows[first : first + self.page]
            meanwhile, self.during = self.during, None
            if meanwhile:
                meanwhile()

    def _of(self, day: str) -> list[dict[str, Any]]:
        return sorted((row for row in self.rows.values() if row["day"] == day), key=lambda row: str(row["phrase"]))


class FakeInFlight:
    """The places of the transcripts in work."""

    def __init__(self, most: int, clock: Clock, journal: Journal) -> None:
        self.most = most
        self.holders: set[str] = set()
        self.waiting = 0
        self.stopped: str | None = None
        self.probe_at = 0.0
        self.after_full: Callable[[], object] | None = None  # happens once, right after somebody found no place
        self._clock = clock
        self._journal = journal

    def enter(self, recording_id: str, probe_seconds: int, *, behind_others: bool) -> Entry:
        if self.stopped is not None:
            if self.probe_at > self._clock().timestamp():
                return Entry(self.stopped)
            self.probe_at = self._clock().timestamp() + probe_seconds
        elif (len(self.holders) >= self.most and recording_id not in self.holders) or (behind_others and self.waiting):
            meanwhile, self.after_full = self.after_full, None
            if meanwhile:
                meanwhile()
            return Entry("no place")
        self.holders.add(recording_id)
        self._journal.note("enter")
        return Entry(probe=self.stopped is not None)

    def wait(self) -> None:
        self.waiting += 1
        self._journal.note("wait")

    def leave(self, recording_id: str) -> int:
        had_one = recording_id in self.holders
        self.holders.discard(recording_id)
        self._journal.note("leave")
        return self.waiting if had_one else 0

    def nobody_waits(self, noted: int) -> None:
        if self.waiting == noted:
            self.waiting = 0
            self._journal.note("nobody waits")

    def stop(self, reason: str, probe_seconds: int) -> None:
        self.stopped, self.probe_at = reason, self._clock().timestamp() + probe_seconds
        self._journal.note("stop")

    def go_on(self) -> None:
        self.stopped = None
        self._journal.note("go on")

    def look(self) -> Flight:
        if self.stopped is not None:
            return Flight(frozenset(self.holders), int(self.probe_at <= self._clock().timestamp()), self.stopped)
        return Flight(frozenset(self.holders), max(0, self.most - len(self.holders)))


@dataclass
class _Object:
    stored: StoredObject
    head: bytes
    modified: datetime


class FakeMedia:
    """The media bucket. `trouble` is what S3 answers in place of the object."""

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self._objects: dict[str, list[_Object]] = {}
        self._signatures = itertools.count(1)
        self._etags = itertools.count(1)

    def put(
        self,
        key: str = "calls/refund.wav",
        *,
        head: bytes = WAV,
        size_bytes: int | None = None,
        storage_class: str = "STANDARD",
        versioned: bool = True,
        metadata: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        modified: datetime = DEPLOYED + timedelta(hours=1),
    ) -> Upload:
        """Store an object, the newest under its key; returns it as its event tells of it."""
        objects = self._objects.setdefault(key, [])
        size_bytes = len(head) if size_bytes is None else size_bytes
        etag = f"e{next(self._etags)}"
        version_id = f"version-of-{etag}" if versioned else None
        described = {"speaker": "Ada"} if metadata is None else metadata
        stored = StoredObject(version_id, etag, size_bytes, storage_class, described, tags or {})
        if not versioned:
            objects.clear()
        objects.append(_Object(stored, head, modified))
        return Upload(BUCKET, key, version_id, stored.etag, size_bytes)

    def hold(self, upload: Upload) -> None:
        """Store the object that an event tells of."""
        stored = StoredObject(upload.version_id, upload.etag, upload.size_bytes, "STANDARD", {})
        self._objects.setdefault(upload.key, []).append(_Object(stored, WAV, DEPLOYED))

    def tag(self, upload: Upload, tags: Mapping[str, str]) -> None:
        found = self._find(upload)
        found.stored = replace(found.stored, tags=tags)

    def delete(self, upload: Upload) -> None:
        self._objects[upload.key] = []

    def erase(self, upload: Upload) -> None:
        """Only this version; without versions, only this content."""
        self._objects[upload.key] = [
            one
            for one in self._objects.get(upload.key, [])
            if one.stored.version_id != upload.version_id
            or (upload.version_id is None and one.stored.etag != upload.etag)
        ]

    def holds(self, upload: Upload) -> bool:
        return any(
            (one.stored.version_id, one.stored.etag) == (upload.version_id, upload.etag)
            for one in self._objects.get(upload.key, [])
        )

    def look(self, upload: Upload) -> tuple[StoredObject, bytes]:
        if self.trouble:
            raise self.trouble
        found = self._find(upload)
        return found.stored, found.head

    def presign(self, upload: Upload) -> str:
        version = {"versionId": upload.version_id} if upload.version_id else {}
        mark = {"response-content-disposition": recording_mark(upload.recording_id)}
        query = urlencode(version | mark | {"X-Amz-Signature": f"secret{next(self._signatures)}"})
        return f"https://{upload.bucket}.s3.eu-west-1.amazonaws.com/{quote(upload.key)}?{query}"

    def pages(self, place: Place | None) -> Iterator[tuple[list[tuple[Upload, datetime]], Place | None]]:
        """Two object versions a page."""
        everything = [
            (Upload(BUCKET, key, one.stored.version_id, one.stored.etag, one.stored.size_bytes), one.modified)
            for key in sorted(self._objects)
            for one in self._objects[key]
        ]
        start = 0 if place is None else int(place[1])
        for first in range(start, max(len(everything), 1), 2):
            more = first + 2 < len(everything)
            yield everything[first : first + 2], (everything[first + 1][0].key, str(first + 2)) if more else None

    def chunks(self, upload: Upload) -> Iterator[bytes]:
        head = self._find(upload).head
        return (head[start : start + 16] for start in range(0, len(head), 16))

    def _find(self, upload: Upload) -> _Object:
        objects = self._objects.get(upload.key, [])
        matching = [one for one in objects if upload.version_id in (None, one.stored.version_id)]
        if not matching:
            message = f"{upload.name} was deleted before it was submitted. Upload it again if it is wanted."
            raise RecordingUnusable(message)
        return matching[-1]


class FakeEraser:
    """Both buckets, for a deletion. `troubles` are raised once each, before anything is erased."""

    def __init__(self, media: FakeMedia, results: "FakeResults", journal: Journal) -> None:
        self.troubles: deque[Exception] = deque()
        self.after: Callable[[], object] | None = None  # happens once, after the results are erased
        self._media = media
        self._results = results
        self._journal = journal

    def erase_audio(self, recording: Recording) -> None:
        if self.troubles:
            raise self.troubles.popleft().with_traceback(None)
        self._media.erase(recording.upload)
        self._journal.note("erase audio")

    def erase_results(self, recording: Recording) -> None:
        for key in [key for key in self._results.files if recording.recording_id in key]:
            del self._results.files[key]
        for key in [key for key in self._results.audio if recording.recording_id in key]:
            del self._results.audio[key]
        self._journal.note("erase results")
        meanwhile, self.after = self.after, None
        if meanwhile:
            meanwhile()


class FakeSweep:
    """The sweep function, as who calls it sees it."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.trouble: Exception | None = None

    def delete(self, recording_id: str) -> None:
        if self.trouble:
            raise self.trouble
        self.told.append(recording_id)


class FakeProvider:
    """AssemblyAI: every transcript in `jobs` was accepted and, unless it ended in an error, is paid for.

    Troubles are raised once each: `refusals` by create before it accepts, `lost_answers` after it did.
    """

    def __init__(self, clock: Clock, journal: Journal) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.asked: list[dict[str, Any]] = []
        self.uploads: list[list[bytes]] = []
        self.deleted: list[str] = []
        self.redacted: dict[str, list[bytes]] = {}
        self.refusals: deque[Exception] = deque()
        self.lost_answers: deque[Exception] = deque()
        self.list_troubles: deque[Exception] = deque()
        self.get_troubles: dict[str, Exception] = {}
        self.delete_troubles: deque[Exception] = deque()
        self.during_create: Callable[[], None] = lambda: None
        self.first_status = "processing"
        self.next_ids: deque[str] = deque()
        self.unlisted: set[str] = set()  # the list does not show them yet
        self._created: dict[str, datetime] = {}
        self._clock = clock
        self._journal = journal

    @property
    def paid(self) -> list[str]:
        return [transcript_id for transcript_id, job in self.jobs.items() if job["status"] != "error"] + self.deleted

    def create(self, parameters: Mapping[str, Any]) -> Transcript:
        if self.refusals:
            raise self.refusals.popleft().with_traceback(None)
        self.asked.append(dict(parameters))
        transcript_id = self.next_ids.popleft() if self.next_ids else f"t{len(self._created) + 1}"
        echoed = {name: parameters.get(name) for name in ("audio_url", "webhook_url")}
        self.jobs[transcript_id] = {"id": transcript_id, "status": self.first_status, **echoed}
        self._created[transcript_id] = self._clock()
        self.during_create()
        self._journal.note("create")
        if self.lost_answers:
            raise self.lost_answers.popleft().with_traceback(None)
        return self._as_it_is(transcript_id)

    def get(self, transcript_id: str) -> Transcript:
        if transcript_id in self.get_troubles:
            raise self.get_troubles[transcript_id].with_traceback(None)
        if transcript_id not in self.jobs:
            message = f"AssemblyAI does not know transcript {transcript_id}."
            raise TranscriptNotFound(message)
        return self._as_it_is(transcript_id)

    def delete(self, transcript_id: str) -> None:
        if self.delete_troubles:
            raise self.delete_troubles.popleft().with_traceback(None)
        if self.jobs.pop(transcript_id, None):
            self.deleted.append(transcript_id)
            self._journal.note("delete")

    def upload(self, chunks: Iterator[bytes]) -> str:
        self.uploads.append(list(chunks))
        self._journal.note("upload")
        return f"https://cdn.assemblyai.com/upload/{len(self.uploads)}"

    def redacted_audio(self, transcript_id: str) -> Iterator[bytes]:
        if transcript_id not in self.redacted:
            message = f"The redacted audio of transcript {transcript_id} is not there."
            raise TranscriptNotReady(message)
        yield from self.redacted[transcript_id]

    def created_since(self, moment: datetime) -> Iterator[tuple[str, str, str]]:
        if self.list_troubles:
            raise self.list_troubles.popleft().with_traceback(None)
        for transcript_id in reversed(self.jobs):
            if self._created[transcript_id] >= moment and transcript_id not in self.unlisted:
                job = self.jobs[transcript_id]
                yield transcript_id, job["status"], str(job["audio_url"])

    def end(self, transcript_id: str, status: str = "completed", **body: Any) -> None:
        """The transcript ends, with these fields in its body."""
        self.jobs[transcript_id] |= {"status": status, **body}

    def _as_it_is(self, transcript_id: str) -> Transcript:
        return Transcript(read(json.dumps(self.jobs[transcript_id]).encode()))


class FakeResults:
    """The results bucket."""

    def __init__(self, journal: Journal) -> None:
        self.files: dict[str, dict[str, Any]] = {}
        self.audio: dict[str, tuple[str, bytes]] = {}
        self.during_put: Callable[[], object] | None = None  # happens once
        self._journal = journal

    def put_highlights(self, recording: Recording, document: Mapping[str, Any]) -> str:
        return self._put(f"highlights/dt={recording.day}/{recording.recording_id}.json", document)

    def put_transcript(self, recording: Recording, document: Mapping[str, Any]) -> str:
        return self._put(f"transcripts/dt={recording.day}/{recording.recording_id}.json.gz", document)

    def put_redacted_audio(self, recording: Recording, audio: Iterator[bytes], kind: str) -> str:
        key = f"redacted/dt={recording.day}/{recording.recording_id}"
        self.audio[key] = kind, b"".join(audio)
        self._journal.note("put redacted")
        return f"s3://results/{key}"

    def _put(self, key: str, document: Mapping[str, Any]) -> str:
        self.files[key] = json.loads(b"".join(written(document)))
        self._journal.note(f"put {key.partition('/')[0]}")
        meanwhile, self.during_put = self.during_put, None
        if meanwhile:
            meanwhile()
        return f"s3://results/{key}"


class FakeEvents:
    """The event bus. `troubles` are raised once each, before the event is taken."""

    def __init__(self, journal: Journal) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.troubles: deque[Exception] = deque()
        self._journal = journal

    def put(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        if self.troubles:
            raise self.troubles.popleft().with_traceback(None)
        self.told.append((detail_type, dict(detail)))
        self._journal.note("event")


@dataclass
class FakeQueue:
    """A queue: what was sent to it, and which received messages were hidden for how long."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    hidden: list[tuple[str, int]] = field(default_factory=list)
    buried: list[str] = field(default_factory=list)
    delayed: list[dict[str, Any]] = field(default_factory=list)
    trouble: Exception | None = None

    def send(self, body: Mapping[str, Any], *, delay_seconds: int = 0) -> None:
        if self.trouble:
            raise self.trouble
        (self.delayed if delay_seconds else self.sent).append(dict(body))

    def bury(self, text: str) -> None:
        if self.trouble:
            raise self.trouble
        self.buried.append(text)

    def show_again(self, receipt_handle: str, seconds: int) -> None:
        if self.trouble:
            raise self.trouble
        self.hidden.append((receipt_handle, seconds))


class FakeWatch:
    """The poll loop: one execution per recording and attempt, however often it is started."""

    def __init__(self, journal: Journal) -> None:
        self.watched: dict[str, Finished] = {}
        self._journal = journal

    def start(self, recording: Recording) -> None:
        name = f"{recording.recording_id}-{recording.attempt}"
        news = Finished(recording.recording_id, recording.attempt, str(recording.transcript_id))
        self.watched.setdefault(name, news)
        self._journal.note("watch")


@dataclass
class FakeSecrets:
    """Secrets Manager with one secret in it, and what it was before its rotation."""

    text: str = SECRET
    former: str | None = None

    def get(self, arn: str, *, fresh: bool = False) -> str:
        del arn, fresh
        return self.text

    def accepted(self, arn: str) -> Iterator[str]:
        yield self.get(arn)
        if self.former:
            yield self.former


@dataclass
class FakeBookmark:
    """Where the scan goes on."""

    place: Place | None = None

    def read(self) -> Place | None:
        return self.place

    def write(self, place: Place | None) -> None:
        self.place = place


class World:
    """All of them around one clock and one journal, and the workflow wired to them."""

    def __init__(
        self,
        *,
        transfer: AudioTransfer = AudioTransfer.PRESIGNED_URL,
        poll: bool = False,
        most: int = 200,
        options: str = "{}",
        models: Sequence[str] = ("universal-3-5-pro", "universal-2"),
    ) -> None:
        self.clock = Clock()
        self.journal = Journal()
        self.ledger = FakeLedger(self.clock, self.journal)
        self.media = FakeMedia()
        self.provider = FakeProvider(self.clock, self.journal)
        self.results = FakeResults(self.journal)
        self.events = FakeEvents(self.journal)
        self.queue = FakeQueue()
        self.submit_queue = FakeQueue()
        self.in_flight = FakeInFlight(most, self.clock, self.journal)
        self.bookmark = FakeBookmark()
        self.line = Line(in_flight=self.in_flight, rows=self.ledger, submit_queue=self.submit_queue, now=self.clock)
        self.watch = FakeWatch(self.journal)
        self.settings = SubmitSettings(
            speech_models=tuple(models),
            transcript_options=options,
            audio_transfer=transfer,
            webhook_url=None if poll else WEBHOOK_URL,
            lease_seconds=LEASE_SECONDS,
            overdue_seconds=OVERDUE_SECONDS,
        )
        self.submitter = Submitter(
            ledger=self.ledger,
            media=self.media,
            provider=self.provider,
            events=self.events,
            line=self.line,
            now=self.clock,
            settings=self.settings,
            webhook_secret=lambda: SECRET,
            watch=self.watch if poll else None,
        )
        self.deliverer = Deliverer(
            ledger=self.ledger,
            provider=self.provider,
            results=self.results,
            results_queue=self.queue,
            events=self.events,
            line=self.line,
            now=self.clock,
        )
        self.eraser = FakeEraser(self.media, self.results, self.journal)
        self.sweep_function = FakeSweep()
        self.tallies = FakeTallies(self.journal)
        self.tallier = Tallier(self.tallies, self.clock)
        self.deleter = Deleter(
            ledger=self.ledger,
            provider=self.provider,
            eraser=self.eraser,
            tallier=self.tallier,
            events=self.events,
            now=self.clock,
        )
        self.orders = Orders(
            ledger=self.ledger,
            submit_queue=self.submit_queue,
            sweep=self.sweep_function,
            logger=Logger(service="api", stream=io.StringIO()),
        )
        self.sweeper = Sweeper(
            deleter=self.deleter,
            ledger=self.ledger,
            provider=self.provider,
            results_queue=self.queue,
            events=self.events,
            line=self.line,
            now=self.clock,
            overdue_seconds=OVERDUE_SECONDS,
        )
        self.scanner = Scanner(
            ledger=self.ledger,
            shelf=self.media,
            bookmark=self.bookmark,
            submit_queue=self.submit_queue,
            now=self.clock,
        )

    def submit(self, upload: Upload, *, redelivered: bool = False) -> tuple[Outcome, str]:
        """What the submit function does with one message."""
        return self.submitter.submit(self.submitter.look(upload), redelivered=redelivered)

    def deliver(self, finished: Finished, *, redelivered: bool = False) -> tuple[Outcome, str]:
        """What the results function does with one message."""
        if finished.redacted_audio:
            return self.deliverer.keep_redacted_audio(finished)
        return self.deliverer.deliver(finished, redelivered=redelivered)

    def submitted(self, key: str = "calls/refund.wav") -> Finished:
        """A recording that the provider works on, as the news of its end will name it."""
        upload = self.media.put(key)
        self.submit(upload)
        row = self.row(upload)
        return Finished(upload.recording_id, row["attempt"], row["transcript_id"])

    def called(self) -> list[Upload]:
        """Take what was sent to the submit queue."""
        uploads = [Upload.from_event(body) for body in self.submit_queue.sent]
        self.submit_queue.sent.clear()
        return uploads

    def row(self, what: Upload | Finished) -> dict[str, Any]:
        return self.ledger.rows[what.recording_id]

    def told(self, detail_type: str) -> list[dict[str, Any]]:
        return [detail for told_type, detail in self.events.told if told_type == detail_type]


class FakeCatalogue:
    """The tables and the files as they are read, with DynamoDB's ways.

    A query reads so many rows, and filters them then; where it has read so many, it gives a key, whether there are more
    or not. It goes on after a key though the row of the key is gone, and refuses a key that its condition excludes.
    """

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.phrases: dict[tuple[str, int], dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.counts: dict[str, Count] = {}
        self.page = 1000
        self.filtered = 3
        self.queries = 0

    def recording(self, recording_id: str) -> dict[str, Any] | None:
        return self.rows.get(recording_id)

    def highlights(self, recording_id: str) -> list[dict[str, Any]]:
        return [item for (of, _), item in sorted(self.phrases.items()) if of == recording_id]

    def recordings_of(
        self, day: str, status: str | None, after: dict[str, Any] | None, most: int
    ) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        names = ("day", "created_at", "recording_id")
        of_day = [row for row in self.rows.values() if row["day"] == day]
        read, last = self._query(of_day, names, after, max(most, self.filtered) if status else most, newest_first=True)
        found = [row for row in read if status in (None, row["status"])]
        if len(found) > most:
            found, last = found[:most], _key_of(found[most - 1], names)
        return found, last

    def ended_badly(
        self, status: str, first: str, last: str, after: dict[str, Any] | None, most: int
    ) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        assert after is None or first <= after["created_at"][:10] <= last, "outside of the query's boundaries"
        found = [row for row in self.rows.values() if row["status"] == status and first <= row["day"] <= last]
        found = [row | {"ended_badly": status} for row in found]
        return self._query(found, ("ended_badly", "created_at", "recording_id"), after, most, newest_first=True)

    def by_call(
        self, call_id: str, after: dict[str, Any] | None, most: int
    ) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        found = [row for row in self.rows.values() if row.get("call_id") == call_id]
        return self._query(found, ("call_id", "created_at", "recording_id"), after, most, newest_first=True)

    def phrases_of(
        self, day: str, prefix: str, after: dict[str, Any] | None, most: int | None
    ) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        assert after is None or after["phrase"].startswith(prefix), "outside of the query's boundaries"
        found = [one for one in self.phrases.values() if one["day"] == day and one["phrase"].startswith(prefix)]
        rows, last = self._query(found, ("day", "phrase", "recording_id", "position"), after, most or self.page)
        projected = ("day", "phrase", "recording_id", "position", "text", "count")
        return [{name: row[name] for name in projected} for row in rows], last

    def tallies(self, days: Sequence[str]) -> dict[str, Count]:
        self.queries += 1
        return {day: count for day, count in self.counts.items() if day in days}

    def saying(
        self, phrase: str, after: dict[str, Any] | None, most: int
    ) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        names = ("phrase", "completed_at", "recording_id", "position")
        found = [one for one in self.phrases.values() if one["phrase"] == phrase]
        rows, last = self._query(found, names, after, most, newest_first=True)
        return [{name: row[name] for name in names} for row in rows], last

    def items(self, keys: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
        assert len(set(keys)) == len(keys) <= 100
        return [self.phrases[key] for key in reversed(keys) if key in self.phrases]

    def audio_url(self, row: Mapping[str, Any]) -> str:
        return f"https://{row['bucket']}.example.com/{quote(row['key'])}?X-Amz-Signature=verysecret"

    def file_url(self, uri: str) -> str:
        return f"https://results.example.com/{quote(uri)}?X-Amz-Signature=verysecret"

    def read(self, uri: str) -> bytes:
        if uri not in self.files:
            raise ResultGone(uri)
        return self.files[uri]

    def _query(
        self,
        rows: list[dict[str, Any]],
        names: tuple[str, ...],
        after: dict[str, Any] | None,
        most: int,
        *,
        newest_first: bool = False,
    ) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        self.queries += 1
        assert after is None or set(after) == set(names)
        ordered = sorted(((tuple(row[name] for name in names[1:]), row) for row in rows), reverse=newest_first)
        if after:
            place = tuple(after[name] for name in names[1:])
            ordered = [(key, row) for key, row in ordered if (key < place if newest_first else key > place)]
        found = [row for _, row in ordered[:most]]
        return found, _key_of(found[-1], names) if len(found) == most else None


def _key_of(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: int(row[name]) if name == "position" else row[name] for name in names}
