"""What happens to a recording, step by step. Knows no AWS and no HTTP: the adapters come in as Protocols.

submit:   claim the row -> take a place in the line -> ask for the transcript -> record its id
deliver:  fetch the transcript -> store it -> close the row with its phrases -> tell the others -> leave the line
sweep:    look at what has not been heard of in time
scan:     find the uploads that were never heard of
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import urlencode

from audio_highlights.config import AudioTransfer, SubmitSettings
from audio_highlights.deletion import Deleter
from audio_highlights.errors import (
    ForeignTranscript,
    HighlightsError,
    OptionRefused,
    PermanentError,
    ProviderAccountRefused,
    ProviderUnavailable,
    RecordingUnusable,
    RequestRefused,
    StackOptionsRefused,
    TranscriptNotFound,
    TranscriptNotReady,
)
from audio_highlights.insights import (
    asked_for,
    is_redacted,
    short_form,
    shortened,
    summary,
    without_what_was_redacted,
)
from audio_highlights.line import Line, waits
from audio_highlights.media_type import not_media
from audio_highlights.models import (
    OPEN,
    TOP_HIGHLIGHTS,
    Claim,
    Finished,
    Highlight,
    Recording,
    Status,
    StoredObject,
    Transcript,
    Upload,
    is_marked,
    search_start,
    without_url_queries,
)
from audio_highlights.options import (
    Options,
    has_key_phrases,
    names_redacted_audio,
    other_metadata,
    recording_options,
    stack_options,
)
from audio_highlights.uploads import most_bytes

WEBHOOK_HEADER = "x-audio-highlights-binding"
HIGHLIGHTS_READY = "Highlights Ready"
RECORDING_FAILED = "Recording Failed"
_ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")
# The message of a failed attempt comes again by itself, after at most 15 minutes. Later, it is lost.
_MESSAGE_LOST = timedelta(minutes=20)
_DOWNLOAD_ERROR = "Download error"
MOST_RETRIES = 3  # of a transcript whose audio could not be downloaded; failed ones are free
MOST_ATTEMPTS = 100
LONGEST_IN_WORK = timedelta(hours=24)


class Ledger(Protocol):
    """The table of recordings and the table of their phrases; see storage.Ledger."""

    def get(self, recording_id: str) -> Recording | None: ...
    def claim(
        self, upload: Upload, metadata: Mapping[str, str], lease_seconds: int, *, redact_audio: bool
    ) -> Claim: ...
    def refuse(
        self, upload: Upload, metadata: Mapping[str, str], reason: str, status: Status, *, redact_audio: bool
    ) -> Recording | None: ...
    def release(
        self, recording: Recording, reason: str, status: Status, due_at: datetime, *, waited: bool = False
    ) -> None: ...
    def note_upload_url(self, recording: Recording, upload_url: str) -> None: ...
    def record_transcript(
        self, recording: Recording, transcript_id: str, status: Status, overdue_seconds: int
    ) -> bool: ...
    def look_again_at(self, recording: Recording, due_at: datetime) -> Recording | None: ...
    def retry(self, recording: Recording, transcript_id: str, reason: str, due_at: datetime) -> bool: ...
    def note_extra_transcript(self, recording_id: str, transcript_id: str) -> None: ...
    def note_redacted_audio(self, recording: Recording, uri: str) -> bool: ...
    def delete_again(self, recording: Recording) -> None: ...
    def end(
        self,
        recording: Recording,
        status: Status,
        reason: str,
        *,
        transcript_id: str | None = None,
        of_this_attempt: bool = False,
    ) -> bool: ...
    def complete(self, recording: Recording, facts: Mapping[str, Any], highlights: Sequence[Highlight]) -> bool: ...
    def due(self, moment: datetime) -> Iterator[Recording]: ...
    def known(self, recording_ids: Collection[str]) -> set[str]: ...
    def created(self) -> datetime: ...


class Media(Protocol):
    """The media bucket; see storage.Media."""

    def look(self, upload: Upload) -> tuple[StoredObject, bytes]: ...
    def presign(self, upload: Upload) -> str: ...
    def chunks(self, upload: Upload) -> Iterator[bytes]: ...


class Provider(Protocol):
    """AssemblyAI; see assemblyai.AssemblyAI."""

    def create(self, parameters: Mapping[str, Any]) -> Transcript: ...
    def get(self, transcript_id: str) -> Transcript: ...
    def delete(self, transcript_id: str) -> None: ...
    def redacted_audio(self, transcript_id: str) -> Iterator[bytes]: ...
    def upload(self, chunks: Iterator[bytes]) -> str: ...
    def created_since(self, moment: datetime) -> Iterator[tuple[str, str, str]]: ...


class Results(Protocol):
    """The results bucket; see storage.Results."""

    def put_highlights(self, recording: Recording, document: Mapping[str, Any]) -> str: ...
    def put_transcript(self, recording: Recording, document: Mapping[str, Any]) -> str: ...
    def put_redacted_audio(self, recording: Recording, audio: Iterator[bytes], kind: str) -> str: ...


class Events(Protocol):
    """The event bus; see storage.EventBus."""

    def put(self, detail_type: str, detail: Mapping[str, Any]) -> None: ...


class Queue(Protocol):
    """A queue; see storage.Queue."""

    def send(self, body: Mapping[str, Any], *, delay_seconds: int = 0) -> None: ...


type Place = tuple[str, str]
"""A key and a version id: where a listing of the bucket goes on."""


class Shelf(Protocol):
    """The media bucket as a whole; see storage.Shelf."""

    def pages(self, place: Place | None) -> Iterator[tuple[list[tuple[Upload, datetime]], Place | None]]: ...


class Bookmark(Protocol):
    """Where the scan of the bucket goes on; see storage.Bookmark."""

    def read(self) -> Place | None: ...
    def write(self, place: Place | None) -> None: ...


class Watch(Protocol):
    """What asks for the end of a transcript where no webhook tells it; see storage.PollLoop."""

    def start(self, recording: Recording) -> None: ...


class Outcome(StrEnum):
    """How one message ended, for the log."""

    SUBMITTED = "submitted"
    ADOPTED = "adopted"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    FAILED = "failed"
    COMPLETED = "completed"
    WAITING = "waiting"
    RETRIED = "retried"
    EXTRA = "extra transcript"
    DELETED = "deleted"


def binding(secret: str, recording_id: str, attempt: int) -> str:
    """The webhook header's value: HMAC-SHA256 of `recording_id|attempt` in hex. One that leaks forges no other."""
    message = f"{recording_id}|{attempt}".encode("utf-8", "surrogatepass")
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def is_bound(secret: str, recording_id: str, attempt: int, presented: str) -> bool:
    """Whether the presented header value is the binding, in constant time."""
    expected = binding(secret, recording_id, attempt)
    return hmac.compare_digest(expected.encode(), presented.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class Sighting:
    """An upload as S3 holds it, what is asked for it, and why it will not be submitted, if it will not."""

    upload: Upload
    metadata: Mapping[str, str] = field(default_factory=dict)
    options: Options = field(default_factory=dict)
    refusal: PermanentError | None = None
    redact_audio: bool = False


class Submitter:
    """Takes an upload from its event to a transcript that the provider works on."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        media: Media,
        provider: Provider,
        events: Events,
        line: Line,
        settings: SubmitSettings,
        webhook_secret: Callable[[], str],
        watch: Watch | None,
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._media = media
        self._provider = provider
        self._events = events
        self._line = line
        self._now = now
        self._settings = settings
        self._webhook_secret = webhook_secret
        self._watch = watch
        self._stack_options: Options = {}
        self._stack_refusal: str | None = None
        try:
            self._stack_options = stack_options(settings.transcript_options, settings.speech_models)
        except OptionRefused as refusal:
            self._stack_refusal = (
                f"No recording can be submitted: the stack's TranscriptOptions cannot be used: {refusal} "
                "Mend the parameter and deploy again; the recordings wait and need no new upload."
            )

    def look(self, upload: Upload) -> Sighting:
        """Read what S3 holds for the event: the version id that the event may lack, and whether it can be submitted."""
        metadata: Mapping[str, str] = {}
        redact_audio = False
        try:
            stored, head = self._media.look(upload)
            upload = _as_stored(upload, stored)
            metadata = other_metadata(stored.metadata)
            redact_audio = names_redacted_audio(self._settings.transcript_options, stored.metadata, stored.tags)
            self._check(upload, stored, head)
            options = self._options(upload, stored)
        except PermanentError as refusal:
            return Sighting(upload, metadata, refusal=refusal, redact_audio=redact_audio)
        return Sighting(upload, metadata, options, redact_audio=redact_audio)

    def _options(self, upload: Upload, stored: StoredObject) -> Options:
        if self._stack_refusal:
            return {}  # nothing can be said of them; none is submitted
        try:
            return recording_options(self._stack_options, self._settings.speech_models, stored.metadata, stored.tags)
        except OptionRefused as refusal:
            message = (
                f"{upload.name} was not submitted, because of its options: {refusal} Mend its tags and retry it, "
                "or upload it again with other metadata. Nothing was paid for it."
            )
            raise OptionRefused(message) from refusal

    def submit(self, sighting: Sighting, *, redelivered: bool) -> tuple[Outcome, str]:
        """Make sure that one transcript is asked for, and only one. Returns the outcome and why.

        `redelivered` says that an earlier try at the same message may have died after it closed the row and before
        it told the others: they are told again. Raises a RetryableError where the message must come again.
        """
        upload, refusal = sighting.upload, sighting.refusal
        if refusal:
            there = self._ledger.refuse(
                upload, sighting.metadata, str(refusal), _end_of(refusal), redact_audio=sighting.redact_audio
            )
            if there is None:
                return self._told(upload, refusal)
            if there.status not in OPEN or there.transcript_id:
                return self._duplicate(there, redelivered=redelivered)
            # An earlier attempt left it open: it ends with this reason, once nothing can be at work for it.
        claim = self._ledger.claim(
            upload, sighting.metadata, self._settings.lease_seconds, redact_audio=sighting.redact_audio
        )
        if not claim.taken:
            return self._duplicate(claim.recording, redelivered=redelivered)
        return self._attempt(sighting, claim)

    def _attempt(self, sighting: Sighting, claim: Claim) -> tuple[Outcome, str]:
        recording, unclear = claim.recording, claim.unclear
        try:
            # A claim that ran out may have been paid for: look for its transcript before asking for another.
            found = self._orphan(recording) if unclear else None
            unclear = False
            if found:
                return self._adopted(recording, *found)
            if sighting.refusal:
                raise sighting.refusal
            entry = self._line.enter(recording)
            if entry.reason:
                return self._waiting(recording, entry.reason, unclear=False)
            asked = self._asked(sighting, recording)
            self._line.passed(entry)
        except (ProviderAccountRefused, StackOptionsRefused) as refusal:
            self._line.stop(recording, str(refusal))
            return self._waiting(recording, str(refusal), unclear=unclear)
        except ProviderUnavailable as trouble:
            if not trouble.may_have_accepted:
                status = Status.SUBMITTING if unclear else Status.QUEUED
                self._ledger.release(recording, str(trouble), status, self._now() + _MESSAGE_LOST)
                self._line.leave(recording.recording_id)
            raise
        except PermanentError as permanent:
            ended = self._ledger.end(recording, _end_of(permanent), str(permanent), of_this_attempt=True)
            self._line.leave(recording.recording_id)
            if recording.attempt > 1:
                self._line.call_for_room()  # it may have been called for a place that it does not take
            return self._told(recording, permanent) if ended else (Outcome.DUPLICATE, "another attempt has it")
        return asked

    def _waiting(self, recording: Recording, reason: str, *, unclear: bool) -> tuple[Outcome, str]:
        """Let it wait as a row. Who came first is due first; one that may have a transcript is the sweep's."""
        status = Status.SUBMITTING if unclear else Status.QUEUED
        due = datetime.fromisoformat(recording.created_at)
        self._ledger.release(recording, reason, status, due, waited=True)
        self._line.leave(recording.recording_id)
        self._line.wait()
        return Outcome.WAITING, reason

    def _check(self, upload: Upload, stored: StoredObject, head: bytes) -> None:
        if stored.size_bytes == 0:
            what = "a folder marker" if upload.key.endswith("/") else "empty (0 bytes)"
            message = f"{upload.name} is {what}: there is nothing to transcribe."
            raise RecordingUnusable(message)
        limit = most_bytes(self._settings.audio_transfer)
        if stored.size_bytes > limit:
            message = (
                f"{upload.name} has {stored.size_bytes / 1e9:.1f} GB; AssemblyAI takes at most {limit / 1e9:.1f} GB "
                f"by {self._settings.audio_transfer}. Compress or split it and upload it again."
            )
            raise RecordingUnusable(message)
        if stored.storage_class in _ARCHIVED:
            message = f"{upload.name} is archived. Restore it and copy it onto itself to submit it."
            raise RecordingUnusable(message)
        if kind := not_media(head):
            message = f"{upload.name} is not audio or video: its bytes are {kind}. Upload the recording itself."
            raise RecordingUnusable(message)

    def _told(self, what: Recording | Upload, refusal: PermanentError) -> tuple[Outcome, str]:
        status = _end_of(refusal)
        if status is Status.FAILED:
            self._events.put(RECORDING_FAILED, _failed_detail(what, str(refusal)))
        return Outcome(status.value), str(refusal)

    def _duplicate(self, recording: Recording, *, redelivered: bool) -> tuple[Outcome, str]:
        self._watch_open(recording)
        if redelivered and recording.status is Status.FAILED:
            self._events.put(RECORDING_FAILED, _failed_detail(recording, recording.reason or ""))
        return Outcome.DUPLICATE, f"already {recording.status}"

    def _adopted(self, recording: Recording, transcript_id: str, provider_status: str) -> tuple[Outcome, str]:
        self._line.enter(recording)  # if there is a place: it is in work without one too
        return self._record(recording, transcript_id, provider_status, Outcome.ADOPTED)

    def _asked(self, sighting: Sighting, recording: Recording) -> tuple[Outcome, str]:
        if self._stack_refusal:
            raise StackOptionsRefused(self._stack_refusal)
        transcript = self._provider.create(self._parameters(sighting, recording))
        return self._record(recording, transcript.transcript_id, transcript.status, Outcome.SUBMITTED)

    def _record(
        self, recording: Recording, transcript_id: str, provider_status: str, outcome: Outcome
    ) -> tuple[Outcome, str]:
        # An adopted transcript may have ended already; its webhook or the sweep closes the row.
        status = Status.QUEUED if provider_status == "queued" else Status.PROCESSING
        if not self._ledger.record_transcript(recording, transcript_id, status, self._settings.overdue_seconds):
            return self._overtaken(recording, transcript_id, outcome)
        self._watch_open(replace(recording, transcript_id=transcript_id, status=status))
        return outcome, f"transcript {transcript_id} is {provider_status}"

    def _overtaken(self, recording: Recording, transcript_id: str, outcome: Outcome) -> tuple[Outcome, str]:
        """The row went on while the provider answered: by this transcript's webhook, or by another attempt.

        Where it names another transcript, this one was paid for in vain: it is deleted and counted. Where it names
        none yet, the other attempt may still adopt this one.
        """
        there = self._ledger.get(recording.recording_id)
        if _is_deleted(there):
            self._provider.delete(transcript_id)
            return Outcome.DELETED, f"transcript {transcript_id} was deleted: so is the recording"
        if there and there.transcript_id and there.transcript_id != transcript_id:
            _discard_extra(self._ledger, self._provider, recording, transcript_id)
            return Outcome.EXTRA, f"transcript {transcript_id} was deleted: {there.transcript_id} is the recording's"
        return outcome, f"transcript {transcript_id} is in work, and the row went on without us"

    def _orphan(self, recording: Recording) -> tuple[str, str] | None:
        """A transcript of the recording that is or may be paid for; of its former ones only what has completed since.

        A former one that is still in work had its time.
        """
        try:
            for former in sorted(recording.retried_transcripts):
                with suppress(TranscriptNotFound):
                    if self._provider.get(former).status == "completed":
                        return former, "completed"
            since = search_start(recording, self._now())
            for transcript_id, status, audio_url in self._provider.created_since(since):
                ours = recording.is_heard_at(audio_url) and transcript_id not in recording.retried_transcripts
                if ours and status != "error":
                    return transcript_id, status
        except RequestRefused as refusal:  # says nothing about the recording, which may be paid for
            raise ProviderUnavailable(str(refusal)) from refusal
        return None

    def _parameters(self, sighting: Sighting, recording: Recording) -> dict[str, Any]:
        upload = sighting.upload
        parameters: dict[str, Any] = {"speech_models": list(self._settings.speech_models), **sighting.options}
        if has_key_phrases(sighting.options):
            parameters["auto_highlights"] = True
        if self._settings.audio_transfer is AudioTransfer.UPLOAD:
            upload_url = self._provider.upload(self._media.chunks(upload))
            self._ledger.note_upload_url(recording, upload_url)
            parameters["audio_url"] = upload_url
        else:
            parameters["audio_url"] = self._media.presign(upload)
        if self._settings.webhook_url:
            query = urlencode({"recording": recording.recording_id, "attempt": recording.attempt})
            parameters["webhook_url"] = f"{self._settings.webhook_url}?{query}"
            parameters["webhook_auth_header_name"] = WEBHOOK_HEADER
            parameters["webhook_auth_header_value"] = binding(
                self._webhook_secret(), recording.recording_id, recording.attempt
            )
        return parameters

    def _watch_open(self, recording: Recording) -> None:
        if self._watch and recording.transcript_id and recording.status in OPEN:
            self._watch.start(recording)


def _end_of(refusal: PermanentError) -> Status:
    return Status.IGNORED if isinstance(refusal, RecordingUnusable) else Status.FAILED


def _as_stored(upload: Upload, stored: StoredObject) -> Upload:
    """The upload with what the event may lack or S3 knows better, if the object is still the one of the event."""
    if upload.etag and not upload.version_id and stored.etag != upload.etag:
        message = (
            f"{upload.name} was overwritten before it was submitted. The newer upload has its own row; "
            "upload the older recording under another key if it is wanted."
        )
        raise RecordingUnusable(message)
    version_id = upload.version_id or stored.version_id
    return replace(upload, version_id=version_id, etag=stored.etag, size_bytes=stored.size_bytes)


class Deliverer:
    """Takes a transcript that has ended to the tables, the results bucket and the event bus."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        provider: Provider,
        results: Results,
        results_queue: Queue,
        events: Events,
        line: Line,
        now: Callable[[], datetime],
        measure: Callable[[str, float], None] = lambda _name, _seconds: None,
    ) -> None:
        self._ledger = ledger
        self._provider = provider
        self._measure = measure
        self._results = results
        self._results_queue = results_queue
        self._events = events
        self._line = line
        self._now = now

    def deliver(self, finished: Finished, *, redelivered: bool) -> tuple[Outcome, str]:
        """Store what the provider has; trusts nothing of the message but which transcript to fetch.

        `redelivered` says that an earlier try at the same message may have died after it closed the row and before
        it told the others: they are told again. Raises TranscriptNotReady while the provider works on it.
        """
        recording = self._ledger.get(finished.recording_id)
        if recording is None or recording.status is Status.DELETING:
            return self._of_a_deleted(finished)
        if recording.status not in OPEN:
            if recording.status is Status.COMPLETED and recording.transcript_id != finished.transcript_id:
                return self._extra(recording, finished)
            return self._told_again(recording) if redelivered else (Outcome.DUPLICATE, f"already {recording.status}")
        try:
            transcript = self._provider.get(finished.transcript_id)
        except TranscriptNotFound as lost:
            if finished.transcript_id != recording.transcript_id:
                raise ForeignTranscript(str(lost)) from lost
            return self._failed(recording, finished, str(lost))
        self._check_belongs(recording, finished, transcript)
        if transcript.status == "completed":
            return self._completed(recording, transcript)
        if transcript.status == "error":
            reason = f"AssemblyAI could not transcribe it: {transcript.error}"
            again = transcript.error.startswith(_DOWNLOAD_ERROR) and recording.retries < MOST_RETRIES
            return (self._retried if again else self._failed)(recording, finished, reason)
        message = f"Transcript {finished.transcript_id} is still {transcript.status}."
        raise TranscriptNotReady(message)

    def keep_redacted_audio(self, finished: Finished) -> tuple[Outcome, str]:
        """Store the redacted audio of a completed recording. Raises TranscriptNotReady while it is not there.

        It is fetched by the transcript's id: the provider's webhook about it names no transcript.
        """
        recording = self._ledger.get(finished.recording_id)
        if (
            recording is None
            or recording.status is not Status.COMPLETED
            or recording.transcript_id != finished.transcript_id
        ):
            return Outcome.DUPLICATE, f"transcript {finished.transcript_id} is not the recording's any more"
        kind = self._provider.get(finished.transcript_id).body.get("redact_pii_audio_quality")
        audio = self._provider.redacted_audio(finished.transcript_id)
        uri = self._results.put_redacted_audio(recording, audio, "wav" if kind == "wav" else "mp3")
        noted = self._ledger.note_redacted_audio(recording, uri)
        if not noted and _is_deleted(self._ledger.get(recording.recording_id)):
            self._ledger.delete_again(recording)  # with the file just written
            return Outcome.DUPLICATE, "the recording was deleted meanwhile"
        return Outcome.COMPLETED, f"redacted audio is {uri}"

    def _await_redacted_audio(self, recording: Recording, facts: Mapping[str, Any]) -> None:
        if "redact_pii_audio" in facts["options"]:
            news = Finished(recording.recording_id, recording.attempt, facts["transcript_id"], redacted_audio=True)
            self._results_queue.send(news.body())

    def _check_belongs(self, recording: Recording, finished: Finished, transcript: Transcript) -> None:
        bound = transcript.bound_recording
        ours = bound == recording.recording_id if bound else finished.transcript_id == recording.transcript_id
        if not ours:
            message = f"Transcript {finished.transcript_id} does not belong to {recording.name}; nothing was stored."
            raise ForeignTranscript(message)

    def _failed(self, recording: Recording, finished: Finished, reason: str) -> tuple[Outcome, str]:
        if finished.transcript_id != recording.transcript_id and (
            finished.transcript_id in recording.retried_transcripts or finished.attempt < recording.attempt
        ):
            return Outcome.DUPLICATE, f"attempt {finished.attempt} failed, attempt {recording.attempt} is at work"
        if not self._ledger.end(recording, Status.FAILED, reason, transcript_id=finished.transcript_id):
            return Outcome.DUPLICATE, "the recording had ended already"
        self._events.put(RECORDING_FAILED, _failed_detail(recording, reason))
        self._line.leave(recording.recording_id)
        return Outcome.FAILED, reason

    def _retried(self, recording: Recording, finished: Finished, reason: str) -> tuple[Outcome, str]:
        """Have it submitted anew, with a new URL: a URL may grow too old while the provider lets it wait."""
        if not self._ledger.retry(recording, finished.transcript_id, reason, self._now()):
            return Outcome.DUPLICATE, "the failure was answered before"
        self._line.leave(recording.recording_id)
        self._line.call_up(recording)
        return Outcome.RETRIED, reason

    def _extra(self, recording: Recording, finished: Finished) -> tuple[Outcome, str]:
        """A second transcript was paid for: delete it, so that it is at least not kept, and count it."""
        try:
            transcript = self._provider.get(finished.transcript_id)
        except TranscriptNotFound:
            return Outcome.DUPLICATE, f"already {recording.status}"
        self._check_belongs(recording, finished, transcript)
        if transcript.status == "completed":  # a failed one costs nothing
            _discard_extra(self._ledger, self._provider, recording, finished.transcript_id)
        return (
            Outcome.EXTRA,
            f"transcript {finished.transcript_id} is not the recording's: {recording.transcript_id} is",
        )

    def _of_a_deleted(self, finished: Finished) -> tuple[Outcome, str]:
        """What was late is deleted too, at the provider, where it is surely the deleted recording's."""
        try:
            transcript = self._provider.get(finished.transcript_id)
        except TranscriptNotFound:
            return Outcome.DUPLICATE, "recording and transcript are deleted"
        marked = is_marked(transcript.audio_url, finished.recording_id)
        if transcript.bound_recording != finished.recording_id and not marked:
            message = (
                f"No recording has the id {finished.recording_id}: its row was deleted. "
                f"Transcript {finished.transcript_id} is not known to be its, and is left alone."
            )
            raise ForeignTranscript(message)
        self._provider.delete(finished.transcript_id)
        return Outcome.DELETED, f"transcript {finished.transcript_id} was deleted: so is the recording"

    def _completed(self, recording: Recording, transcript: Transcript) -> tuple[Outcome, str]:
        facts, highlights = self._store(recording, transcript)
        if not self._ledger.complete(recording, {**facts, "confidence": transcript.confidence}, highlights):
            winner = self._ledger.get(recording.recording_id)
            if winner and winner.status is Status.COMPLETED and winner.transcript_id != transcript.transcript_id:
                self._store_again(winner)  # over the files just written
            elif _is_deleted(winner):
                self._ledger.delete_again(recording)  # with the files just written
            return Outcome.DUPLICATE, "the recording had ended already"
        if not recording.attempts_before:  # of one that was called anew, the time in between was nobody's
            self._measure("seconds_to_highlights", self._seconds_since(recording.created_at))
        self._measure("audio_seconds", transcript.audio_duration or 0)
        self._await_redacted_audio(recording, facts)
        self._events.put(HIGHLIGHTS_READY, {**_named(recording), **facts})
        self._line.leave(recording.recording_id)
        return Outcome.COMPLETED, f"{len(highlights)} highlights ({facts['highlights_status']})"

    def _seconds_since(self, moment: str) -> float:
        return max(0.0, (self._now() - datetime.fromisoformat(moment)).total_seconds())

    def _told_again(self, recording: Recording) -> tuple[Outcome, str]:
        """Do again what comes after the row is closed; the files too, in case another transcript's overwrote them."""
        self._line.leave(recording.recording_id)
        if recording.status is Status.COMPLETED:
            facts = self._store_again(recording)
            if facts is None:
                return Outcome.DUPLICATE, "already completed, and the transcript has been deleted since"
            self._await_redacted_audio(recording, facts)
            self._events.put(HIGHLIGHTS_READY, {**_named(recording), **facts})
        elif recording.status is Status.FAILED:
            self._events.put(RECORDING_FAILED, _failed_detail(recording, recording.reason or ""))
        return Outcome.DUPLICATE, f"already {recording.status}; told again"

    def _store_again(self, recording: Recording) -> dict[str, Any] | None:
        """Write the files of a completed recording once more; None where that was not to be.

        Somebody may have it deleted meanwhile: then the deletion must see the files.
        """
        facts = None
        with suppress(TranscriptNotFound):
            facts, _ = self._store(recording, self._provider.get(str(recording.transcript_id)))
        if _is_deleted(self._ledger.get(recording.recording_id)):
            self._ledger.delete_again(recording)
            return None
        return facts

    def _store(self, recording: Recording, transcript: Transcript) -> tuple[dict[str, Any], list[Highlight]]:
        """Write both files; returns what row and event say of the transcript, and the highlights."""
        insights, options = short_form(transcript), asked_for(transcript)
        if is_redacted(transcript):
            transcript = Transcript(without_what_was_redacted(transcript.body))
        highlights_status, highlights = transcript.highlights()
        summary_status, whole_summary = summary(transcript)
        facts: dict[str, Any] = {
            "transcript_id": transcript.transcript_id,
            "highlights_status": highlights_status.value,
            "highlight_count": len(highlights),
            "top_highlights": [highlight.text for highlight in highlights[:TOP_HIGHLIGHTS]],
            "audio_duration": transcript.audio_duration,
            "language_code": transcript.language_code,
            "speech_model": transcript.speech_model,
            "options": options,
        }
        if insights:
            facts["insights"] = insights
        if summary_status:
            facts["summary_status"] = summary_status.value
        if whole_summary:
            facts["summary"] = shortened(whole_summary)
        document = {
            **_named(recording),
            **facts,
            **({"summary": whole_summary} if whole_summary else {}),
            "created_at": recording.created_at,
            "metadata": dict(recording.metadata),
            "auto_highlights_result": transcript.body.get("auto_highlights_result"),
        }
        whole = {**transcript.body, "audio_url": without_url_queries(transcript.audio_url)}
        places = {
            "highlights_uri": self._results.put_highlights(recording, document),
            "transcript_uri": self._results.put_transcript(recording, whole),
        }
        return facts | places, highlights


class Sweeper:
    """Heals what nobody else will: asks for transcripts without news, calls who was forgotten, gives up at last.

    And ends the deletions that were asked for.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        provider: Provider,
        results_queue: Queue,
        events: Events,
        line: Line,
        deleter: Deleter,
        now: Callable[[], datetime],
        overdue_seconds: int,
    ) -> None:
        self._ledger = ledger
        self._provider = provider
        self._results_queue = results_queue
        self._events = events
        self._line = line
        self._deleter = deleter
        self._now = now
        self._overdue = timedelta(seconds=overdue_seconds)

    def sweep(self, *, until: float) -> dict[str, int]:
        """Look at every due row once, then call as many waiting ones as there are places for.

        Stops at `until` (time.monotonic()). Returns how many rows were due, and what became of them: ended, open,
        submitted again, waiting, given up, could not be asked about, deleted, could not be deleted yet, looked at by
        another; how long the longest of those at work has been so; how many were called; how many places are taken;
        and whether the line is stopped (1 or 0).
        """
        looked_at = ("ended", "open", "resubmitted", "waiting", "given_up", "unanswered", "taken")
        counts = dict.fromkeys(("due", *looked_at, "deleted", "undeleted", "oldest_at_work_seconds"), 0)
        flight = self._line.tidy()
        for recording in self._ledger.due(self._now()):
            if time.monotonic() >= until:
                break
            counts["due"] += 1
            counts[self._look(recording)] += 1
            counts["oldest_at_work_seconds"] = max(counts["oldest_at_work_seconds"], self._seconds_at_work(recording))
        called = self._line.call_for_room()
        return {**counts, "called": called, "in_flight": len(flight.holders), "stopped": int(bool(flight.stopped))}

    def _seconds_at_work(self, recording: Recording) -> int:
        """0 for one that is not: it waits, is being deleted, or was called anew, long after it was uploaded."""
        if recording.status not in OPEN or waits(recording):
            return 0
        since = recording.submitted_at or (None if recording.attempts_before else recording.created_at)
        return int((self._now() - datetime.fromisoformat(since)).total_seconds()) if since else 0

    def _look(self, recording: Recording) -> str:
        if recording.status is Status.DELETING:
            return self._deleter.delete(recording.recording_id)
        if waits(recording) and recording.tries < MOST_ATTEMPTS:
            return "waiting"
        row = self._ledger.look_again_at(recording, self._now() + self._overdue)
        if row is None:
            return "taken"
        if row.transcript_id is None:
            if row.tries >= MOST_ATTEMPTS:
                last = row.reason or "submit died without a reason, see its log."
                return self._give_up(row, f"It was submitted {row.tries} times in vain. The last time: {last}")
            self._line.send(row)  # its message is lost, or it waits for longer than any message does
            return "resubmitted"
        return self._ask(row, row.transcript_id)

    def _ask(self, recording: Recording, transcript_id: str) -> str:
        finished = Finished(recording.recording_id, recording.attempt, transcript_id)
        try:
            if has_ended(self._provider, finished):
                self._results_queue.send(finished.body())
                return "ended"
        except HighlightsError:
            return "unanswered"  # one that cannot be asked about does not keep the others waiting
        since = recording.submitted_at or recording.created_at
        if self._now() - datetime.fromisoformat(since) > LONGEST_IN_WORK:
            hours = LONGEST_IN_WORK // timedelta(hours=1)
            return self._give_up(recording, f"AssemblyAI has not finished transcript {transcript_id} in {hours} hours.")
        return "open"

    def _give_up(self, recording: Recording, what: str) -> str:
        reason = f"{what} Retry it, or upload it again."
        if self._ledger.end(recording, Status.FAILED, reason, transcript_id=recording.transcript_id):
            self._events.put(RECORDING_FAILED, _failed_detail(recording, reason))
        self._line.leave(recording.recording_id)
        return "given_up"


class Scanner:
    """Finds uploads whose event never came, and submits them as their event would have."""

    def __init__(
        self, *, ledger: Ledger, shelf: Shelf, bookmark: Bookmark, submit_queue: Queue, now: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._shelf = shelf
        self._bookmark = bookmark
        self._submit_queue = submit_queue
        self._now = now

    def is_unfinished(self) -> bool:
        """Whether an earlier scan had to stop before the end of the bucket."""
        return self._bookmark.read() is not None

    def scan(self, *, until: float) -> dict[str, int]:
        """Go through the bucket, from where the last scan stopped, and send uploads without a row to the submit queue.

        Uploads from before the deployment are not the pipeline's; the newest may still be on their way. Stops at
        `until` (time.monotonic()). Returns how many objects were seen and how many were missing.
        """
        counts = {"seen": 0, "missing": 0}
        since, before = self._ledger.created(), self._now() - _MESSAGE_LOST
        for page, place in self._shelf.pages(self._bookmark.read()):
            uploads = [upload for upload, modified in page if since <= modified <= before]
            known = self._ledger.known([upload.recording_id for upload in uploads])
            missing = [upload for upload in uploads if upload.recording_id not in known]
            for upload in missing:
                self._submit_queue.send(upload.event())
            counts["seen"] += len(page)
            counts["missing"] += len(missing)
            self._bookmark.write(place)
            if time.monotonic() >= until:
                break
        return counts


def _discard_extra(ledger: Ledger, provider: Provider, recording: Recording, transcript_id: str) -> None:
    """Name it on the row, then delete it: who dies in between has counted it, and counts it only once."""
    ledger.note_extra_transcript(recording.recording_id, transcript_id)
    provider.delete(transcript_id)


def _is_deleted(recording: Recording | None) -> bool:
    """Whether it is gone, or about to be."""
    return recording is None or recording.status is Status.DELETING


def has_ended(provider: Provider, finished: Finished) -> bool:
    """Whether the provider has nothing more to do for a transcript; one it does not know has ended too."""
    try:
        return provider.get(finished.transcript_id).status not in ("queued", "processing")
    except TranscriptNotFound:
        return True


def _named(what: Recording | Upload) -> dict[str, Any]:
    """How files and events name a recording."""
    return {
        "recording_id": what.recording_id,
        "bucket": what.bucket,
        "key": what.key,
        "version_id": what.version_id,
    }


def _failed_detail(what: Recording | Upload, reason: str) -> dict[str, Any]:
    return {**_named(what), "status": Status.FAILED.value, "reason": reason}
