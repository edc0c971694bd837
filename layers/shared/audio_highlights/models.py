"""The words of the pipeline as data: what was uploaded, what the ledger says, what the provider found."""

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from enum import StrEnum
from typing import Any, Self, TypeGuard
from urllib.parse import parse_qs, urlsplit

from audio_highlights.errors import MalformedMessage

MAX_AUDIO_BYTES = 5_000_000_000  # AssemblyAI's limit for audio by URL
MAX_UPLOAD_BYTES = 2_200_000_000  # AssemblyAI's limit for POST /v2/upload
CLOCK_DIFFERENCE = timedelta(minutes=5)  # the provider's clock and ours may differ
# So far back a transcript is looked for whose id was lost: the provider's list has all of the account's.
LONGEST_SEARCH = timedelta(days=7)
TOP_HIGHLIGHTS = 5  # phrases copied onto the ledger row for lists
# A key attribute holds 2,048 bytes; a folded character takes at most four.
_PHRASE_CHARACTERS = 500


class Status(StrEnum):
    """Where a recording stands in the ledger. `failed` and `ignored` always come with a reason."""

    SUBMITTING = "submitting"
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    IGNORED = "ignored"
    DELETING = "deleting"


OPEN = (Status.SUBMITTING, Status.QUEUED, Status.PROCESSING)
ENDED = (Status.COMPLETED, Status.FAILED, Status.IGNORED)


class HighlightsStatus(StrEnum):
    """How a completed recording's key phrases turned out. Every one of these is a valid end."""

    SUCCESS = "success"
    RANK_MISSING = "rank_missing"  # phrases found, at least one without a rank
    EMPTY = "empty"  # the model ran and found nothing
    UNAVAILABLE = "unavailable"  # the model failed; the transcript is fine
    MISSING = "missing"  # auto_highlights_result is null
    LANGUAGE_NOT_SUPPORTED = "language_not_supported"  # null, and the language is not English


@dataclass(frozen=True, slots=True)
class Upload:
    """One object version that S3 announced. `version_id` is None in a bucket without versions."""

    bucket: str
    key: str
    version_id: str | None
    etag: str
    size_bytes: int

    @property
    def recording_id(self) -> str:
        """The same 32 hex digits for every event about the same object version.

        Without versions the etag stands in, so that new content under an old key is a new recording.
        """
        version = f"version:{self.version_id}" if self.version_id else f"etag:{self.etag}"
        digest = hashlib.sha256()
        for part in (self.bucket, self.key, version):
            encoded = part.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(8) + encoded)
        return digest.hexdigest()[:32]

    @property
    def name(self) -> str:
        """How people find it again: s3://bucket/key."""
        return f"s3://{self.bucket}/{self.key}"

    def event(self) -> dict[str, Any]:
        """The parts of EventBridge's "Object Created" event that `from_event` reads."""
        named = {"key": self.key, "size": self.size_bytes, "etag": self.etag}
        version = {"version-id": self.version_id} if self.version_id else {}
        return {"detail": {"bucket": {"name": self.bucket}, "object": named | version}}

    @classmethod
    def from_event(cls, event: object) -> Self:
        """Read EventBridge's "Object Created" event. The key arrives raw: it is never unquoted.

        Raises MalformedMessage where a field is missing or of the wrong type.
        """
        try:
            detail = event["detail"]  # type: ignore[index]
            stored = detail["object"]
            upload = cls(
                bucket=detail["bucket"]["name"],
                key=stored["key"],
                version_id=present_version(stored.get("version-id")),
                etag=stored.get("etag", ""),
                size_bytes=stored.get("size", 0),
            )
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            message = 'This message is not an S3 "Object Created" event of EventBridge.'
            raise MalformedMessage(message) from error
        texts = (upload.bucket, upload.key, upload.etag, upload.version_id or "")
        sized = isinstance(upload.size_bytes, int)
        if not (sized and upload.bucket and upload.key and all(isinstance(text, str) for text in texts)):
            message = "This S3 event names no object: bucket or key is missing, or a value has the wrong type."
            raise MalformedMessage(message)
        return upload


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What S3 says of an object now."""

    version_id: str | None
    etag: str
    size_bytes: int
    storage_class: str
    metadata: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recording:
    """A row of the RecordingsTable: the parts that the pipeline decides by."""

    recording_id: str
    bucket: str
    key: str
    status: Status
    attempt: int
    day: str
    created_at: str
    version_id: str | None = None
    etag: str = ""
    size_bytes: int = 0
    reason: str | None = None
    transcript_id: str | None = None
    upload_url: str | None = None
    submitted_at: str | None = None
    retried_transcripts: frozenset[str] = frozenset()  # its former ones, whose failure was answered by a new one
    extra_transcripts: frozenset[str] = frozenset()
    attempts_before: int = 0  # `attempt` when people last asked for it again; it counts on, the chances do not
    attempts_waited: int = 0  # since then, those that asked the provider for nothing: there was no place
    retries_before: int = 0  # the same of `retried_transcripts`
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def tries(self) -> int:
        """How often it was submitted since people last asked for it."""
        return self.attempt - self.attempts_before - self.attempts_waited

    @property
    def retries(self) -> int:
        """How many transcripts were replaced since people last asked for it."""
        return len(self.retried_transcripts) - self.retries_before

    def is_heard_at(self, audio_url: str) -> bool:
        """Whether a transcript with this audio is one of its own, though its id is on no row."""
        return audio_url == self.upload_url or is_marked(audio_url, self.recording_id)

    @property
    def transcripts(self) -> frozenset[str]:
        """All its transcripts that are known, in work, ended or in vain."""
        of_now = {self.transcript_id} if self.transcript_id else set()
        return self.retried_transcripts | self.extra_transcripts | of_now

    @property
    def upload(self) -> Upload:
        """The upload that it stands for."""
        return Upload(self.bucket, self.key, self.version_id, self.etag, self.size_bytes)

    @property
    def name(self) -> str:
        """How people find it again: s3://bucket/key."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class Entry:
    """What came of asking for a place among the transcripts in flight; `reason` says why there is none."""

    reason: str | None = None
    probe: bool = False  # the line is stopped, and this one tries whether it may go on

    @property
    def admitted(self) -> bool:
        return self.reason is None


@dataclass(frozen=True, slots=True)
class Flight:
    """Which recordings have a place among the transcripts in flight, and for how many more there is room now."""

    holders: frozenset[str]
    room: int
    stopped: str | None = None  # why nobody gets a place


@dataclass(frozen=True, slots=True)
class Claim:
    """What came of claiming a recording for one attempt at submitting it."""

    recording: Recording  # as claimed; where there was nothing to claim, as it is
    taken: bool
    unclear: bool = False  # an earlier claim ran out: its transcript may exist


@dataclass(frozen=True, slots=True)
class Finished:
    """News that a transcript may have ended: the body of a ResultsQueue message.

    With `redacted_audio` it has, and its redacted audio is to be fetched when that is there.
    """

    recording_id: str
    attempt: int
    transcript_id: str
    redacted_audio: bool = False

    @classmethod
    def from_body(cls, body: object) -> Self:
        """Read a message body {"recording_id", "attempt", "transcript_id"}; MalformedMessage if it is not one."""
        match body:
            case {
                "recording_id": str(recording_id),
                "attempt": int(attempt),
                "transcript_id": str(transcript_id),
                **others,
            }:
                return cls(recording_id, attempt, transcript_id, others.get("redacted_audio") is True)
        message = "This message is not about a finished transcript: recording_id, attempt or transcript_id is missing."
        raise MalformedMessage(message)

    def body(self) -> dict[str, Any]:
        """The same as a message body."""
        return {
            "recording_id": self.recording_id,
            "attempt": self.attempt,
            "transcript_id": self.transcript_id,
            **({"redacted_audio": True} if self.redacted_audio else {}),
        }


@dataclass(frozen=True, slots=True)
class Highlight:
    """One key phrase. `position` counts from 1 = highest rank; timestamps are (start, end) in ms."""

    position: int
    text: str
    count: int
    rank: Decimal | None
    timestamps: tuple[tuple[int, int], ...]

    @property
    def phrase(self) -> str:
        """The text folded for search."""
        return folded(self.text)


@dataclass(frozen=True, slots=True)
class Transcript:
    """AssemblyAI's transcript object. `body` is the whole answer as it came; its lists of objects may be Items."""

    body: Mapping[str, Any] = field(repr=False)

    @property
    def transcript_id(self) -> str:
        return str(self.body["id"])

    @property
    def status(self) -> str:
        """Queued | processing | completed | error"""
        return str(self.body["status"])

    @property
    def error(self) -> str:
        return without_url_queries(str(self.body.get("error") or "AssemblyAI gave no reason."))

    @property
    def audio_url(self) -> str:
        return str(self.body.get("audio_url") or "")

    @property
    def bound_recording(self) -> str | None:
        """The recording named in the query of the echoed webhook_url; None without a webhook."""
        query = parse_qs(urlsplit(str(self.body.get("webhook_url") or "")).query)
        return query.get("recording", [None])[0]

    @property
    def language_code(self) -> str | None:
        code = self.body.get("language_code")
        return code if isinstance(code, str) else None

    @property
    def audio_duration(self) -> int | None:
        """Whole seconds, rounded up."""
        seconds = _decimal(self.body.get("audio_duration"))
        return None if seconds is None else math.ceil(seconds)

    @property
    def speech_model(self) -> str | None:
        """The model that did the work, where the provider says so."""
        model = self.body.get("speech_model_used") or self.body.get("speech_model")
        return model if isinstance(model, str) else None

    @property
    def confidence(self) -> Decimal | None:
        return _decimal(self.body.get("confidence"))

    def highlights(self) -> tuple[HighlightsStatus, list[Highlight]]:
        """The key phrases, highest rank first (the provider does not promise its order), and how they turned out."""
        result = self.body.get("auto_highlights_result")
        english = self.language_code is None or re.split("[-_]", self.language_code.lower())[0] == "en"
        if not isinstance(result, Mapping):
            return (HighlightsStatus.MISSING if english else HighlightsStatus.LANGUAGE_NOT_SUPPORTED), []
        if result.get("status") != "success":
            return HighlightsStatus.UNAVAILABLE, []
        found = list(_read_highlights(result.get("results")))
        if not found:
            return (HighlightsStatus.EMPTY if english else HighlightsStatus.LANGUAGE_NOT_SUPPORTED), []
        found.sort(key=lambda one: (one.rank is None, -(one.rank or 0)))
        ranked = [
            Highlight(position, one.text, one.count, one.rank, one.timestamps)
            for position, one in enumerate(found, start=1)
        ]
        missing = any(one.rank is None for one in ranked)
        return (HighlightsStatus.RANK_MISSING if missing else HighlightsStatus.SUCCESS), ranked


def _read_highlights(results: object) -> Iterator[Highlight]:
    for entry in _list(results):
        if not isinstance(entry, Mapping) or not isinstance(entry.get("text"), str) or not entry["text"].strip():
            continue
        spoken = tuple(
            (stamp["start"], stamp["end"])
            for stamp in _list(entry.get("timestamps"))
            if isinstance(stamp, Mapping) and _is_number(stamp.get("start")) and _is_number(stamp.get("end"))
        )
        count = entry.get("count")
        yield Highlight(
            position=0,
            text=entry["text"],
            count=count if _is_number(count) else len(spoken),
            rank=_decimal(entry.get("rank")),
            timestamps=spoken,
        )


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_number(value: object) -> TypeGuard[int]:
    """Whether it is a whole number that a count or a time in ms can be."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST


def _decimal(number: object) -> Decimal | None:
    """An exact Decimal of a JSON number; through str, because DynamoDB refuses a float's binary tail.

    None for what is not a number, or further from 0 or 1 than DynamoDB stores.
    """
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    # Of NaN no comparison is true.
    if number == 0 or 1 / _LARGEST < abs(number) < _LARGEST:
        return Decimal(str(number))
    return None


_LARGEST = 10**15
# A backslash ends a URL: in a finished JSON text it is the escape of what follows.
_URL_QUERY = re.compile(r"(https?://[^\s?#\"'<>\\]+)[?#][^\s\"'<>\\]*", re.IGNORECASE)


def without_url_queries(text: str) -> str:
    """The text with the query of every URL cut off: a presigned query is a password."""
    return _URL_QUERY.sub(r"\1", text)


CALL_ID_BYTES = 1024  # an index key may have 2,048


def call_id_of(metadata: Mapping[str, str]) -> str | None:
    """What the object's metadata calls the call: `call_id`, or as header names often have it, `call-id`."""
    found = (metadata.get(name, "").strip() for name in ("call_id", "call-id"))
    call_id = next(filter(None, found), "")
    return call_id if 0 < len(call_id.encode("utf-8", "surrogatepass")) <= CALL_ID_BYTES else None


def readable_metadata(text: str) -> str:
    """A metadata value as it was meant: S3 hands out what is not ASCII as RFC 2047 has it, and boto3 leaves that so."""
    try:
        decoded = str(make_header(decode_header(text)))
        decoded.encode()  # half a surrogate pair is no text
    except (HeaderParseError, LookupError, ValueError):
        return text
    return decoded


def search_start(recording: Recording, now: datetime) -> datetime:
    """Since when a transcript may have been created whose id was lost."""
    return max(datetime.fromisoformat(recording.created_at) - CLOCK_DIFFERENCE, now - LONGEST_SEARCH)


def present_version(version_id: object) -> Any:
    """The version id that S3 gives; None for "null", which stands for an object written while versioning was off."""
    return None if version_id in ("", "null") else version_id


def folded(text: str) -> str:
    """A text as phrases are stored and searched for: NFKC, case folded, single spaces, no longer than a key may be."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())[:_PHRASE_CHARACTERS]


def recording_mark(recording_id: str) -> str:
    """What a presigned URL asks S3 to answer as its Content-Disposition.

    It names the recording in the URL, so that a transcript whose id was lost is found by its audio_url alone,
    also where two recordings share a key in a bucket without versions.
    """
    return f'inline; filename="{recording_id}"'


def is_marked(audio_url: str, recording_id: str) -> bool:
    """Whether a URL was presigned for this recording."""
    try:
        query = parse_qs(urlsplit(audio_url).query)
    except ValueError:
        return False
    return query.get("response-content-disposition") == [recording_mark(recording_id)]


def utc_text(moment: datetime) -> str:
    """2026-11-22T16:53:00.123Z: sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
