"""The life of a job: queue, download, decoding, recognition, key phrases, webhook; and the uploads."""

import asyncio
import functools
import logging
import math
import re
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from local.engine import net, webhook
from local.engine.audio import SAMPLE_RATE, AudioError
from local.engine.deliveries import Delivery
from local.engine.fault_script import ANSWERED_EARLY, COMPLETED_EARLY
from local.engine.faults import Faults, ScriptedError
from local.engine.made_up import drawn_text, spoken
from local.engine.parameters import CLASSIC_MODEL, DEFAULT_SPEECH_MODELS, DEFAULT_SUMMARY_TYPE
from local.engine.prepared import Prepared, Span
from local.engine.progress import Progress
from local.engine.sentences import mean_confidence, text_of
from local.engine.texts import download_error
from local.engine.transcripts import Transcripts
from local.engine.workers import WorkerError, Workers
from local.engine.written import turns, write_out

_LOG = logging.getLogger(__name__)
_NO_SPEECH = "language_detection cannot be performed on files with no spoken audio."
SERVER_ERROR = "Server error, developers have been alerted"
_LARGEST_DOWNLOAD = 5 * 1000**3
_TOO_LARGE = "the file is larger than 5 GB"
_SILENCE_S = 60.0
_CHUNK = 256 * 1024
_UPLOAD_PATH = re.compile(r"/upload/[0-9a-f]{8}/[0-9a-f-]{36}")
_LONGEST_SWEEP_INTERVAL_S = 3600.0
# A job that was running each time when its server died may well be why.
_MOST_STARTS = 3
_MADE_UP_WORDS = 70


@dataclass(frozen=True)
class Limits:
    """How many jobs run at once, how long things may take, in seconds, and whether jobs listen at all."""

    concurrency: int = 5
    job_s: float = 3 * 3600.0
    download_s: float = 1800.0
    webhook_interval_s: float = webhook.INTERVAL_S
    upload_s: float = 24 * 3600.0
    """How long an upload stays that no transcript uses."""
    instant: bool = False
    """Make the words up instead of listening to the sound."""


class DownloadError(Exception):
    """The audio_url gave no file."""


class _RefusedError(Exception):
    """Why a download was not taken, for the log."""


class Jobs:
    """Runs jobs first in, first out; what they learn is written to the transcripts.

    Jobs that were open when the server stopped are taken up again by the next one, in their order.
    """

    def __init__(
        self,
        data_dir: Path,
        transcripts: Transcripts,
        workers: Workers,
        limits: Limits,
        faults: Faults | None = None,
    ) -> None:
        """`data_dir` holds the uploads and what jobs download and decode; without `faults` nothing goes wrong."""
        self._uploads = data_dir / "uploads"
        self._scratch = data_dir / "jobs"
        self._transcripts = transcripts
        self._workers = workers
        self._limits = limits
        self._faults = faults or Faults(transcripts)
        self._webhooks = webhook.Webhooks(transcripts, limits.webhook_interval_s)
        self._waiting: deque[str] = deque()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._sweeping: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None
        self.base_url = URL()

    def counts(self) -> dict[str, Any]:
        """Return what a test of thousands wants to add up; jobs by audio_url without its query.

        "billed" are transcripts that completed, deleted ones too. "answers" are those of the webhooks: attempts by
        HTTP status, or "no answer"; "owed" are deliveries not over yet.
        """
        return {
            "creates": self._transcripts.creates(),
            "transcripts": self._transcripts.statuses(),
            "deleted": self._transcripts.deleted(),
            "billed": self._transcripts.billed(),
            "webhooks": self._webhooks.counts(),
        }

    async def start(self) -> None:
        """Take up what an earlier process left open: its webhooks and its jobs, oldest first."""
        self._session = net.client_session()
        self._uploads.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir()
        self._sweeping = asyncio.create_task(self._sweep_uploads())
        await self._webhooks.start()
        for transcript_id in self._transcripts.open_ids():
            if self._transcripts.starts(transcript_id) >= _MOST_STARTS:
                _LOG.error("job %s was running each time when the server died: given up", transcript_id)
                self._end(transcript_id, status="error", error=SERVER_ERROR)
            else:
                self._transcripts.update(transcript_id, status="queued")
                self._waiting.append(transcript_id)
        self._fill()

    async def close(self) -> None:
        """Stop every job and delivery where it stands; the next process goes on with them."""
        self._waiting.clear()
        for timer in self._timers.values():
            timer.cancel()
        for transcript_id in self._running:
            self._transcripts.forgive_start(transcript_id)
        tasks = [*self._running.values(), *filter(None, [self._sweeping])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._webhooks.close()
        if self._session:
            await self._session.close()

    def next_status(self) -> str:
        """Return the status that a job submitted now begins with."""
        return "processing" if len(self._running) + len(self._waiting) < self._limits.concurrency else "queued"

    def submit(self, transcript_id: str) -> dict[str, Any]:
        """Take a transcript that has just been stored; it ends as completed or error, whatever happens.

        Returns the transcript as it then stands.
        """
        transcript = self._transcripts.get(transcript_id) or {}
        held_s = self._faults.on_submit(transcript)
        if tried := self._send_early(ANSWERED_EARLY, transcript):
            self._faults.hold_answer(transcript_id, tried)
        if held_s is None:
            self._enqueue(transcript_id)
        else:
            self._transcripts.update(transcript_id, status="queued")
            self._later(held_s, transcript_id, self._enqueue)
        return self._transcripts.get(transcript_id) or {}

    def drop(self, transcript_id: str) -> None:
        """Forget a job that has not ended, because its transcript is being deleted."""
        if transcript_id in self._waiting:
            self._waiting.remove(transcript_id)
        if task := self._running.pop(transcript_id, None):
            task.cancel()
        if timer := self._timers.pop(transcript_id, None):
            timer.cancel()
        self._transcripts.forget_starts(transcript_id)
        self._faults.on_end(transcript_id)

    def new_upload(self, directory: str, name: str) -> Path:
        """Return where to store an upload that gets the URL path /upload/`directory`/`name`."""
        path = self._uploads / directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def is_upload_url(self, url: str) -> bool:
        """Whether a URL looks like one that this server gave out for an upload."""
        parsed = _upload_url(url)
        return parsed is not None and parsed.port == self.base_url.port

    def uploaded_file(self, url: str) -> Path | None:
        """Return the file behind an upload URL of this server, None if there is none.

        The port may be another: the server may have had that one before it was started again.
        """
        parsed = _upload_url(url)
        path = parsed and self._uploads / parsed.path.removeprefix("/upload/")
        return path if path and path.is_file() else None

    async def _sweep_uploads(self) -> None:
        while True:
            self._remove_unused_uploads()
            await asyncio.sleep(min(self._limits.upload_s, _LONGEST_SWEEP_INTERVAL_S))

    def _remove_unused_uploads(self) -> None:
        oldest = time.time() - self._limits.upload_s
        old = {path for path in self._uploads.glob("*/*") if path.stat().st_mtime < oldest}
        if old:
            old -= _files_of(self._transcripts.audio_urls(), self._uploads)
        for path in old:
            _LOG.info("removed an upload that nobody used: %s", path.name)
            path.unlink()
        for directory in self._uploads.glob("*/"):
            if not any(directory.iterdir()):
                directory.rmdir()

    def _enqueue(self, transcript_id: str) -> None:
        self._waiting.append(transcript_id)
        self._fill()

    def _later(self, seconds: float, transcript_id: str, action: Callable[[str], None]) -> None:
        def act() -> None:
            del self._timers[transcript_id]
            action(transcript_id)

        self._timers[transcript_id] = asyncio.get_running_loop().call_later(seconds, act)

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self._limits.concurrency:
            transcript_id = self._waiting.popleft()
            self._transcripts.count_start(transcript_id)
            transcript = self._transcripts.update(transcript_id, status="processing")
            task = asyncio.create_task(self._run(transcript))
            self._running[transcript_id] = task
            task.add_done_callback(functools.partial(self._leave, transcript_id))

    def _leave(self, transcript_id: str, _: asyncio.Task[None]) -> None:
        self._running.pop(transcript_id, None)
        self._fill()

    async def _run(self, transcript: dict[str, Any]) -> None:
        transcript_id = transcript["id"]
        scratch = self._scratch / transcript_id
        try:
            scratch.mkdir()
            async with asyncio.timeout(self._limits.job_s):
                results = await self._results(transcript, scratch)
            self._end(transcript_id, status="completed", **results)
        except ScriptedError as error:
            self._end(transcript_id, status="error", error=str(error) or SERVER_ERROR)
        except (AudioError, DownloadError) as error:
            self._end(transcript_id, status="error", error=str(error))
        except Exception:  # noqa: BLE001  a job always ends, with a text
            _LOG.exception("job %s failed", transcript_id)
            self._end(transcript_id, status="error", error=SERVER_ERROR)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    async def _results(self, transcript: dict[str, Any], scratch: Path) -> dict[str, Any]:
        if tried := self._send_early(COMPLETED_EARLY, transcript):
            await tried.wait()
        await self._faults.on_start(transcript)
        made_up = self._faults.made_up(transcript["id"])
        if made_up is None and not self._limits.instant:
            results = await self._transcribe(transcript, scratch)
        else:
            results = await self._make_up(transcript, scratch, made_up or {})
        return self._faults.on_results(transcript["id"], results)

    async def _make_up(self, transcript: dict[str, Any], scratch: Path, options: Mapping[str, Any]) -> dict[str, Any]:
        """Results without decoding and recognition; the download and the key phrases are real."""
        media = await self._fetch(transcript["audio_url"], scratch / "media")
        if "text" in options:
            words = spoken(options["text"])
        else:
            words = spoken(await asyncio.to_thread(drawn_text, media, options.get("words", _MADE_UP_WORDS)))
        highlights = await self._workers.run("key_phrases", words) if transcript["auto_highlights"] else None
        return {
            **_heard(transcript, words, words[-1]["end"] / 1000 if words else 1, highlights),
            **await self._summaries(transcript, words),
        }

    async def _transcribe(self, transcript: dict[str, Any], scratch: Path) -> dict[str, Any]:
        media = await self._fetch(transcript["audio_url"], scratch / "media")
        samples = str(scratch / "samples")
        prepared = Prepared(
            **await self._workers.run(
                "prepare_channels" if transcript["multichannel"] else "prepare",
                str(media),
                samples,
                transcript["audio_start_from"],
                transcript["audio_end_at"],
            ),
        )
        prepared.check_speech(transcript["speech_threshold"])
        tracks = prepared.channels or [(samples, prepared.segments)]
        written = [
            write_out(
                heard,
                punctuate=transcript["punctuate"],
                format_text=transcript["format_text"],
                disfluencies=transcript["disfluencies"],
                filter_profanity=transcript["filter_profanity"],
                custom_spelling=transcript["custom_spelling"] or (),
                keyterms=transcript["keyterms_prompt"],
            )
            for heard in await self._recognise(transcript, prepared.count, tracks)
        ]
        utterances = turns(written) if transcript["multichannel"] else None
        words = written[0] if utterances is None else [word for one in utterances for word in one["words"]]
        if transcript["language_detection"] and not words:
            raise AudioError(_NO_SPEECH)
        confidence = mean_confidence(words)
        highlights = None
        if transcript["auto_highlights"]:
            try:
                highlights = await self._workers.run("key_phrases", words)
            except WorkerError:  # as the API has it: the transcript is still good without them
                _LOG.exception("no key phrases for %s", transcript["id"])
                highlights = {"status": "unavailable", "results": []}
        warnings = [{"message": message} for message in prepared.warnings(words, confidence)]
        return {
            **_heard(transcript, words, prepared.count / SAMPLE_RATE, highlights),
            **await self._summaries(transcript, words),
            "utterances": utterances,
            **({"audio_channels": len(tracks)} if transcript["multichannel"] else {}),
            **({"metadata": {"warnings": warnings}} if warnings else {}),
        }

    async def _summaries(self, transcript: Mapping[str, Any], words: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the summaries that were asked for. The classic one is of Universal-2 alone."""
        understanding = transcript["speech_understanding"] or {}
        request = understanding.get("request", {}).get("summarization")
        classic_type = None
        if transcript["summarization"] and _model_of(transcript) == CLASSIC_MODEL:
            classic_type = transcript["summary_type"] or DEFAULT_SUMMARY_TYPE
        if not request and not classic_type:
            return {}
        try:
            answer, summary = await self._workers.run("summarise", words, request, classic_type)
        except WorkerError:  # the transcript is still good without it
            _LOG.exception("no summary for %s", transcript["id"])
            answer, summary = request and {"status": "error", "summary": []}, None
        answered = {"speech_understanding": {**understanding, "response": {"summarization": answer}}} if request else {}
        return {"summary": summary, **answered}

    async def _recognise(
        self,
        transcript: dict[str, Any],
        count: int,
        tracks: Sequence[tuple[str, Sequence[Span]]],
    ) -> list[list[tuple[list[Any], bool]]]:
        """Return, for each track, the words of its segments and whether a pause follows them."""
        # No more at once than there are workers: the next job's segments get their turn in between.
        at_once = asyncio.Semaphore(self._workers.count)
        terms = [transcript["keyterms_prompt"]] if transcript["keyterms_prompt"] else []
        progress = Progress(
            transcript["id"],
            count / SAMPLE_RATE,
            self._workers.count,
            sum(stop - start for _, segments in tracks for start, stop, _ in segments),
        )

        async def one(samples: str, start: int, stop: int) -> list[Any]:
            async with at_once:
                words: list[Any] = await self._workers.run("recognise", samples, start, stop, *terms)
            progress.add(stop - start)
            return words

        async with asyncio.TaskGroup() as group:
            tasks = [
                [group.create_task(one(samples, start, stop)) for start, stop, _ in segments]
                for samples, segments in tracks
            ]
        return [
            [(task.result(), pause) for task, (_, _, pause) in zip(of_track, segments, strict=True)]
            for of_track, (_, segments) in zip(tasks, tracks, strict=True)
        ]

    async def _fetch(self, url: str, target: Path) -> Path:
        """Return the file behind an audio_url: an upload as it lies here, else downloaded to `target`."""
        if uploaded := self.uploaded_file(url):
            return uploaded
        problem = download_error(url)
        if self._session is None or self.is_upload_url(url):
            raise DownloadError(problem)
        try:
            await self._download(self._session, url, target)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, _RefusedError) as error:
            # Neither the query nor an error's text, which may hold it: signatures are nobody's business.
            reason = error if isinstance(error, _RefusedError) else type(error).__name__
            _LOG.warning("no download from %s: %s", net.as_written(url).with_query(None).with_user(None), reason)
            raise DownloadError(problem) from error
        return target

    async def _download(self, session: aiohttp.ClientSession, url: str, target: Path) -> None:
        timeout = aiohttp.ClientTimeout(total=self._limits.download_s, sock_connect=30, sock_read=_SILENCE_S)
        async with session.get(net.as_written(url), timeout=timeout) as answer:
            if answer.status not in webhook.SUCCESS:
                msg = f"the server answered {answer.status}"
                raise _RefusedError(msg)
            if (answer.content_length or 0) > _LARGEST_DOWNLOAD:
                raise _RefusedError(_TOO_LARGE)
            size = 0
            with target.open("wb") as file:
                async for chunk in answer.content.iter_chunked(_CHUNK):
                    size += len(chunk)
                    if size > _LARGEST_DOWNLOAD:
                        raise _RefusedError(_TOO_LARGE)
                    file.write(chunk)

    def _end(self, transcript_id: str, **changes: Any) -> None:
        with self._transcripts.transaction():
            transcript = self._transcripts.update(transcript_id, **changes)
            self._transcripts.forget_starts(transcript_id)
            delivery = self._delivery(transcript)
            sent = self._faults.on_delivery(transcript, delivery) if delivery else []
            owed = [self._webhooks.store(one) for one in sent]
        _LOG.info("job %s %s", transcript_id, transcript["status"])
        for one in owed:
            self._webhooks.begin(one)
        if (vanishes_s := self._faults.on_end(transcript_id)) is not None:
            self._later(vanishes_s, transcript_id, self._transcripts.remove)

    def _send_early(self, point: str, transcript: dict[str, Any]) -> asyncio.Event | None:
        delivery = self._delivery(transcript)
        early = delivery and self._faults.early(point, transcript, delivery)
        return self._webhooks.begin(self._webhooks.store(early)) if early else None

    def _delivery(self, transcript: dict[str, Any]) -> Delivery | None:
        if not transcript["webhook_url"]:
            return None
        name = transcript["webhook_auth_header_name"]
        value = self._transcripts.webhook_auth_header_value(transcript["id"])
        return Delivery(
            transcript_id=transcript["id"],
            url=transcript["webhook_url"],
            body=webhook.body(transcript["id"], transcript["status"]),
            header=(name, value) if name and value else None,
        )


def _heard(
    transcript: Mapping[str, Any], words: Sequence[Mapping[str, Any]], seconds: float, highlights: Any
) -> dict[str, Any]:
    """Return what every completed transcript says of its words."""
    return {
        "text": text_of(words),
        "words": words,
        "confidence": mean_confidence(words),
        "audio_duration": math.ceil(seconds),
        "auto_highlights_result": highlights,
        "speech_model_used": _model_of(transcript),
    }


def _model_of(transcript: Mapping[str, Any]) -> str:
    return str((transcript["speech_models"] or DEFAULT_SPEECH_MODELS)[0])


def _upload_url(url: str) -> URL | None:
    try:
        parsed = net.as_written(url)
    except ValueError:
        return None
    here = parsed.host == "127.0.0.1" or net.is_loopback_name(parsed.host or "")
    return parsed if here and _UPLOAD_PATH.fullmatch(parsed.path) else None


def _files_of(urls: Iterable[str], uploads: Path) -> set[Path]:
    found = filter(None, map(_upload_url, urls))
    return {uploads / url.path.removeprefix("/upload/") for url in found}
