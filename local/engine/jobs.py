"""The life of a job: queue, download, decoding, recognition, key phrases, webhook."""

import asyncio
import functools
import logging
import math
import re
import shutil
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from local.engine import net, webhook
from local.engine.audio import SAMPLE_RATE, AudioError
from local.engine.parameters import DEFAULT_SPEECH_MODELS
from local.engine.prepared import Prepared, Span
from local.engine.progress import Progress
from local.engine.transcripts import Transcripts
from local.engine.workers import WorkerError, Workers
from local.engine.written import mean_confidence, turns, write_out

_LOG = logging.getLogger(__name__)
_NO_SPEECH = "language_detection cannot be performed on files with no spoken audio."
SERVER_ERROR = "Server error, developers have been alerted"
_LARGEST_DOWNLOAD = 5 * 1000**3
_TOO_LARGE = "the file is larger than 5 GB"
_SILENCE_S = 60.0
_CHUNK = 256 * 1024
_UPLOAD_PATH = re.compile(r"/upload/([0-9a-f]{8})/([0-9a-f-]{36})")


@dataclass(frozen=True)
class Limits:
    """How many jobs run at once and how long things may take, in seconds."""

    concurrency: int = 5
    job_s: float = 3 * 3600.0
    download_s: float = 1800.0
    webhook_interval_s: float = webhook.INTERVAL_S


class DownloadError(Exception):
    """The audio_url gave no file."""


class _RefusedError(Exception):
    """Why a download was not taken, for the log."""


class Jobs:
    """Runs jobs first in, first out; what they learn is written to the transcripts."""

    def __init__(self, data_dir: Path, transcripts: Transcripts, workers: Workers, limits: Limits) -> None:
        """`data_dir` holds the uploads and what jobs download and decode."""
        self._uploads = data_dir / "uploads"
        self._scratch = data_dir / "jobs"
        self._transcripts = transcripts
        self._workers = workers
        self._limits = limits
        self._waiting: deque[str] = deque()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._deliveries: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self.base_url = URL()

    async def start(self) -> None:
        """Close what an earlier process left open; the jobs of that process are not resumed."""
        self._session = net.client_session()
        self._uploads.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir()
        for transcript_id in self._transcripts.open_ids():
            self._end(transcript_id, status="error", error=SERVER_ERROR)

    async def close(self) -> None:
        """Stop every job and delivery where it stands."""
        self._waiting.clear()
        tasks = [*self._running.values(), *self._deliveries]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session:
            await self._session.close()

    def next_status(self) -> str:
        """Return the status that a job submitted now begins with."""
        return "processing" if len(self._running) < self._limits.concurrency else "queued"

    def submit(self, transcript_id: str) -> None:
        """Take a transcript that has just been stored; it ends as completed or error, whatever happens."""
        self._waiting.append(transcript_id)
        self._fill()

    def drop(self, transcript_id: str) -> None:
        """Forget a job that has not ended, because its transcript is being deleted."""
        if transcript_id in self._waiting:
            self._waiting.remove(transcript_id)
        if task := self._running.pop(transcript_id, None):
            task.cancel()

    def new_upload(self, directory: str, name: str) -> Path:
        """Return where to store an upload that gets the URL path /upload/`directory`/`name`."""
        path = self._uploads / directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def is_upload_url(self, url: str) -> bool:
        """Whether a URL looks like one that this server gave out for an upload."""
        return self._upload_path(url) is not None

    def uploaded_file(self, url: str) -> Path | None:
        """Return the file behind an upload URL of this server, None if there is none."""
        found = self._upload_path(url)
        path = found and self._uploads / found[1] / found[2]
        return path if path and path.is_file() else None

    def _upload_path(self, url: str) -> re.Match[str] | None:
        try:
            parsed = net.as_written(url)
        except ValueError:
            return None
        host = parsed.host or ""
        if parsed.port != self.base_url.port or not (host == self.base_url.host or net.is_loopback_name(host)):
            return None
        return _UPLOAD_PATH.fullmatch(parsed.path)

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self._limits.concurrency:
            transcript_id = self._waiting.popleft()
            task = asyncio.create_task(self._run(transcript_id))
            self._running[transcript_id] = task
            task.add_done_callback(functools.partial(self._leave, transcript_id))

    def _leave(self, transcript_id: str, _: asyncio.Task[None]) -> None:
        self._running.pop(transcript_id, None)
        self._fill()

    async def _run(self, transcript_id: str) -> None:
        scratch = self._scratch / transcript_id
        try:
            transcript = self._transcripts.update(transcript_id, status="processing")
            scratch.mkdir()
            async with asyncio.timeout(self._limits.job_s):
                results = await self._transcribe(transcript, scratch)
            self._end(transcript_id, status="completed", **results)
        except (AudioError, DownloadError) as error:
            self._end(transcript_id, status="error", error=str(error))
        except Exception:  # noqa: BLE001  a job always ends, with a text
            _LOG.exception("job %s failed", transcript_id)
            self._end(transcript_id, status="error", error=SERVER_ERROR)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

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
            "text": " ".join(str(word["text"]) for word in words),
            "words": words,
            "utterances": utterances,
            "confidence": confidence,
            "audio_duration": math.ceil(prepared.count / SAMPLE_RATE),
            "auto_highlights_result": highlights,
            "speech_model_used": (transcript["speech_models"] or DEFAULT_SPEECH_MODELS)[0],
            **({"audio_channels": len(tracks)} if transcript["multichannel"] else {}),
            **({"metadata": {"warnings": warnings}} if warnings else {}),
        }

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
        problem = (
            f"Download error, unable to download {url}. "
            "Please make sure the file exists and is accessible from the internet."
        )
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
        transcript = self._transcripts.update(transcript_id, **changes)
        _LOG.info("job %s %s", transcript_id, transcript["status"])
        if transcript["webhook_url"]:
            self._deliver(self._tell(transcript))

    def _deliver(self, telling: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(telling)
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    async def _tell(self, transcript: dict[str, Any]) -> None:
        if self._session is None:
            return
        transcript_id = transcript["id"]
        name = transcript["webhook_auth_header_name"]
        value = self._transcripts.webhook_auth_header_value(transcript_id)
        status = await webhook.deliver(
            self._session,
            transcript["webhook_url"],
            {"transcript_id": transcript_id, "status": transcript["status"]},
            (name, value) if name and value else None,
            interval_s=self._limits.webhook_interval_s,
        )
        self._transcripts.update(transcript_id, webhook_status_code=status)
