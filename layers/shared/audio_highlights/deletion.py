"""How a recording is deleted everywhere: who asked for it has a row that says `deleting`; the sweep does the rest.

provider's copies -> audio -> result files -> tallies -> phrases -> tell the others -> row

The row goes last: who dies in between leaves it, and the next sweep does every step again or finds it done.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from audio_highlights.errors import HighlightsError, ProviderAccountRefused
from audio_highlights.models import Recording, search_start, without_url_queries

RECORDING_DELETED = "Recording Deleted"
# As long as the sweep may run: then whoever took it is gone. Shorter than the time to the next sweep.
_TURN = timedelta(minutes=4)


class Ledger(Protocol):
    """The rows and phrases; see storage.Ledger."""

    def take_deletion(self, recording_id: str, until: datetime) -> Recording | None: ...
    def note_undeleted(self, recording: Recording, reason: str) -> None: ...
    def phrases(self, recording: Recording) -> Sequence[Mapping[str, Any]]: ...
    def delete_phrases(self, recording: Recording) -> None: ...
    def drop(self, recording: Recording, until: datetime) -> bool: ...


class Provider(Protocol):
    """AssemblyAI; see assemblyai.AssemblyAI."""

    def delete(self, transcript_id: str) -> None: ...
    def created_since(self, moment: datetime) -> Iterator[tuple[str, str, str]]: ...


class Eraser(Protocol):
    """Both buckets; see storage.Eraser. Returns when a listing has shown that nothing is left."""

    def erase_audio(self, recording: Recording) -> None: ...
    def erase_results(self, recording: Recording) -> None: ...


class Tallier(Protocol):
    """The counts of large days; see tally.Tallier."""

    def forget(self, rows: Sequence[Mapping[str, Any]]) -> None: ...


class Events(Protocol):
    """The event bus; see storage.EventBus."""

    def put(self, detail_type: str, detail: Mapping[str, Any]) -> None: ...


class Deleter:
    """Deletes recordings whose row says `deleting`, and nothing else."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        provider: Provider,
        eraser: Eraser,
        tallier: Tallier,
        events: Events,
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._provider = provider
        self._eraser = eraser
        self._tallier = tallier
        self._events = events
        self._now = now

    def delete(self, recording_id: str) -> str:
        """Delete it, unless another is at it. Returns what became of it: deleted, undeleted or taken."""
        until = self._now() + _TURN
        recording = self._ledger.take_deletion(recording_id, until)
        if recording is None:
            return "taken"
        try:
            self._erase(recording)
        except HighlightsError as trouble:
            self._ledger.note_undeleted(recording, f"It is not deleted yet: {_for_people(trouble)}")
            return "undeleted"
        # Not where it was asked for once more meanwhile, because of files that came late.
        return "deleted" if self._ledger.drop(recording, until) else "undeleted"

    def _erase(self, recording: Recording) -> None:
        for transcript_id in sorted(recording.transcripts | self._lost(recording)):
            self._provider.delete(transcript_id)
        self._eraser.erase_audio(recording)
        self._eraser.erase_results(recording)
        self._tallier.forget(self._ledger.phrases(recording))
        self._ledger.delete_phrases(recording)
        # Before the row: it must be told at least once, and without a row nobody would tell it again.
        named = {"recording_id": recording.recording_id, "bucket": recording.bucket, "key": recording.key}
        self._events.put(RECORDING_DELETED, {**named, "version_id": recording.version_id})

    def _lost(self, recording: Recording) -> set[str]:
        """Where it was submitted and no transcript is known: those that the provider's list has all the same."""
        if recording.transcript_id or not recording.attempt:
            return set()
        listed = self._provider.created_since(search_start(recording, self._now()))
        return {transcript_id for transcript_id, _, audio_url in listed if recording.is_heard_at(audio_url)}


def _for_people(trouble: HighlightsError) -> str:
    if isinstance(trouble, ProviderAccountRefused):
        what = "AssemblyAI refuses the API key or the account. Put the right key into the API key secret."
    else:
        what = without_url_queries(str(trouble))
    return f"{what} The sweep tries again every five minutes."
