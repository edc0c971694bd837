"""Recordings that take too long to make, or that the engine does not make, put where the functions put theirs.

The provider's answer is made up; all that stores it is what `submit` and `results` use.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import av
import boto3
import numpy as np

from audio_highlights.models import Finished, Recording, Status, Transcript
from audio_highlights.storage import Ledger, Results
from audio_highlights.workflow import Deliverer
from cli import recordings
from cli.stack import Stack
from tests.e2e.conftest import resource_of

_WORD_MS = 360  # 30,000 words take three hours


class _Provider:
    """Knows one transcript."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body

    def get(self, transcript_id: str) -> Transcript:
        assert transcript_id == self._body["id"]
        return Transcript(self._body)


class _Nobody:
    """Is told, and does nothing."""

    def put(self, detail_type: str, detail: Mapping[str, Any]) -> None: ...
    def send(self, body: Mapping[str, Any], *, delay_seconds: int = 0) -> None: ...
    def leave(self, recording_id: str) -> None: ...


def plant(
    stack: Stack,
    key: str,
    audio: bytes,
    *,
    days_ago: float = 0,
    said_of_it: Mapping[str, str] | None = None,
    **answer: Any,
) -> Recording:
    """A completed recording with this audio, for which the provider gave this answer so many days ago.

    `said_of_it` is its object's metadata.
    """
    now = lambda: datetime.now(UTC) - timedelta(days=days_ago)  # noqa: E731
    with _unseen(stack):
        boto3.client("s3").put_object(Bucket=stack.media_bucket, Key=key, Body=audio, ContentType="audio/mpeg")
    ledger = Ledger(stack.recordings_table, stack.highlights_table, now)
    recording = ledger.claim(recordings.uploaded(stack, key), said_of_it or {}, lease_seconds=60).recording
    transcript_id = f"planted-{recording.recording_id}"
    assert ledger.record_transcript(recording, transcript_id, Status.PROCESSING, overdue_seconds=600)
    body = {"id": transcript_id, "status": "completed", "language_code": "en_us", "audio_duration": 60, "words": []}
    deliverer = Deliverer(
        ledger=ledger,
        provider=_Provider(body | answer),  # type: ignore[arg-type]
        results=Results(stack.outputs["ResultsBucketName"]),
        results_queue=_Nobody(),
        events=_Nobody(),
        line=_Nobody(),  # type: ignore[arg-type]
        now=now,
    )
    deliverer.deliver(Finished(recording.recording_id, recording.attempt, transcript_id), redelivered=False)
    return recording


def plant_redacted_audio(stack: Stack, recording: Recording, audio: bytes) -> None:
    """The redacted audio of a planted recording, which the provider has made meanwhile."""
    uri = Results(stack.outputs["ResultsBucketName"]).put_redacted_audio(recording, iter([audio]), "mp3")
    ledger = Ledger(stack.recordings_table, stack.highlights_table, lambda: datetime.now(UTC))
    assert ledger.note_redacted_audio(recording, uri)


@contextmanager
def _unseen(stack: Stack) -> Iterator[None]:
    """Nobody is told of the objects that are stored meanwhile."""
    rule, bus = resource_of(stack, "UploadRule"), boto3.client("events")
    bus.disable_rule(Name=rule)
    try:
        yield
    finally:
        bus.enable_rule(Name=rule)


def long_call() -> dict[str, Any]:
    """The provider's answer for a call of three hours: 30,000 words, 15 phrases, two speakers."""
    phrases = [f"{kind} {thing}" for kind in ("monthly", "missing", "second") for thing in _THINGS]
    words: list[dict[str, Any]] = []
    spoken: dict[str, list[dict[str, int]]] = {phrase: [] for phrase in phrases}
    for number in range(30_000):
        turn = number // 40
        text = _FILL[number % len(_FILL)]
        if number % 100 in (20, 21):  # a phrase of two words
            text = phrases[number // 100 % len(phrases)].split()[number % 100 - 20]
        text += "." if number % 20 == 19 else ""
        start = number * _WORD_MS
        speaker = "AB"[turn % 2]
        words.append({"text": text, "start": start, "end": start + 300, "confidence": 0.9, "speaker": speaker})
        if number % 100 == 21:
            spoken[phrases[number // 100 % len(phrases)]].append({"start": start - _WORD_MS, "end": start + 300})
    results = [
        {"text": phrase, "count": len(stamps), "rank": round(0.16 - place / 200, 3), "timestamps": stamps}
        for place, (phrase, stamps) in enumerate(spoken.items())
    ]
    return {
        "words": words,
        "audio_duration": 30_000 * _WORD_MS // 1000,
        "auto_highlights_result": {"status": "success", "results": results},
    }


_THINGS = ("invoice", "router", "delivery", "contract", "refund")
_PROSE = (
    "so the line was quiet again and we waited for somebody to pick up because it had been a long day in which "
    "nothing came when they said it would although we asked twice and were told that it must be on the way by now"
)
_FILL = _PROSE.split()


def silence(seconds: int) -> bytes:
    """A quiet MP3 of that length. Each of its frames stands alone, so one second is made once and repeated."""
    made = io.BytesIO()
    with av.open(made, "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as container:
        stream = container.add_stream("libmp3lame", rate=8000, options={"reservoir": "0"})
        stream.bit_rate, stream.layout = 8000, "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 576 * 100), np.int16), format="s16p", layout="mono")
        frame.sample_rate = 8000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    one = made.getvalue()  # about 7 s
    return one * max(1, round(seconds * 1000 / len(one)))  # 8 kbit/s are 1,000 bytes a second
