"""The HTTP side: routes, the key, answers in AssemblyAI's words."""

import hmac
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from aiohttp import web
from yarl import URL

from local.engine.captions import DEFAULT_LIMIT, captions, srt, vtt
from local.engine.faults import Faults
from local.engine.jobs import SERVER_ERROR, Jobs
from local.engine.parameters import (
    BadRequestError,
    blanked,
    new_transcript,
    read_request,
)
from local.engine.rate import RateLimit
from local.engine.sentences import paragraphs, sentences
from local.engine.texts import BAD_SCHEMA, NO_KEY, NO_UPLOAD, TOO_MANY, UNKNOWN_ID
from local.engine.transcripts import OPEN, Transcripts
from local.engine.word_search import LONGEST_PHRASE, tokens, word_search

_LOG = logging.getLogger(__name__)
_LARGEST_UPLOAD = 2_200_000_000
_LARGEST_REQUEST = 4 * 1024 * 1024
_LARGEST_PAGE = 200
_CHUNK = 256 * 1024
_ABOUT_FAULTS = ("/faults", "/counts")
_STATUSES = ("queued", "processing", "completed", "error")
_UPLOAD_FAILED = (
    "Upload failed, please try again. If you continue to have issues please reach out to support@assemblyai.com"
)

type _Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """The routes of one server, over the jobs and transcripts it was given."""

    def __init__(
        self,
        api_key: str,
        jobs: Jobs,
        transcripts: Transcripts,
        rate: RateLimit,
        faults: Faults | None = None,
    ) -> None:
        """`api_key` is what clients must send as the whole Authorization header; `faults` adds their routes."""
        self._api_key = api_key.encode()
        self._jobs = jobs
        self._transcripts = transcripts
        self._rate = rate
        self._faults = faults

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        application = web.Application(middlewares=[_logged, self._guarded], client_max_size=_LARGEST_REQUEST)
        application.add_routes(
            [
                web.get("/health", _health),
                web.get("/upload/{directory}/{name}", _forbidden),
                web.post("/v2/upload", self._upload),
                web.post("/v2/transcript", self._create),
                web.get("/v2/transcript", self._list),
                web.get("/v2/transcript/{id}", self._get),
                web.delete("/v2/transcript/{id}", self._delete),
                web.get("/v2/transcript/{id}/sentences", self._sentences),
                web.get("/v2/transcript/{id}/paragraphs", self._paragraphs),
                web.get("/v2/transcript/{id}/word-search", self._word_search),
                web.get("/v2/transcript/{id}/redacted-audio", self._redacted_audio),
                web.get("/v2/transcript/{id}/{format}", self._subtitles),
            ],
        )
        if self._faults:
            application.middlewares.append(self._faults.middleware)
            application.add_routes(
                [
                    web.post("/faults", self._faults.post),
                    web.get("/faults", self._faults.get),
                    web.delete("/faults", self._faults.delete),
                    web.get("/counts", self._counts),
                ],
            )
        return application

    @web.middleware
    async def _guarded(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Let in who has the key; turn every failure into an answer."""
        if refused := self._refused(request):
            return refused
        try:
            return await handler(request)
        except BadRequestError as error:
            return _error(400, str(error))
        except web.HTTPException as error:
            allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            return _error(error.status, error.reason, allowed)
        except ConnectionError:  # the client is gone: nobody reads this answer
            return _error(400, BAD_SCHEMA)
        except Exception:  # noqa: BLE001  whatever it is, the client gets an answer
            _LOG.exception("%s %s", request.method, request.path)
            return _error(500, SERVER_ERROR)

    def _refused(self, request: web.Request) -> web.Response | None:
        is_call = request.path == "/v2" or request.path.startswith("/v2/")
        if not is_call and request.path not in _ABOUT_FAULTS:
            return None
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self._api_key):
            return _error(401, NO_KEY)
        if is_call and (wait := self._rate.take()):
            return _error(429, TOO_MANY, {"Retry-After": str(wait)})
        return None

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        directory, name = uuid.uuid4().hex[:8], str(uuid.uuid4())
        path = self._jobs.new_upload(directory, name)
        size = 0
        whole = False
        try:
            with path.open("wb") as file:
                async for chunk in request.content.iter_chunked(_CHUNK):
                    size += len(chunk)
                    if size > _LARGEST_UPLOAD:
                        return web.Response(status=413, text=_UPLOAD_FAILED)
                    file.write(chunk)
            whole = size > 0
        finally:
            if not whole:
                path.unlink()
                path.parent.rmdir()
        if not whole:
            return web.Response(status=422, text=_UPLOAD_FAILED)
        return web.json_response({"upload_url": str(self._base_url(request) / "upload" / directory / name)})

    async def _create(self, request: web.Request) -> web.StreamResponse:
        parameters = read_request(await request.read())
        url = parameters["audio_url"]
        if self._jobs.is_upload_url(url) and self._jobs.uploaded_file(url) is None:
            return _error(403, NO_UPLOAD)
        transcript = new_transcript(str(uuid.uuid4()), parameters, self._jobs.next_status())
        self._transcripts.add(transcript, parameters.get("webhook_auth_header_value"))
        return web.json_response(self._jobs.submit(transcript["id"]))

    async def _counts(self, _: web.Request) -> web.StreamResponse:
        return web.json_response(self._jobs.counts())

    async def _get(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._find(request))

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        transcript = self._find(request)
        if transcript["status"] in OPEN:
            self._jobs.drop(transcript["id"])
            transcript |= {"status": "error", "error": "Deleted by user."}
        if uploaded := self._jobs.uploaded_file(transcript["audio_url"]):
            uploaded.unlink()
        self._transcripts.forget_webhook_secret(transcript["id"])
        return web.json_response(self._transcripts.update(transcript["id"], **blanked(transcript)))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        # The Node SDK writes `status=` for a status that is undefined.
        query = {name: value for name, value in request.query.items() if value}
        limit = _whole(query.get("limit", "10"), 1, _LARGEST_PAGE)
        if limit is None:
            msg = "limit must be an Integer between 1 and 200"
            raise BadRequestError(msg)
        status = query.get("status")
        if status is not None and status not in _STATUSES:
            msg = f"status must be one of: {', '.join(_STATUSES)}"
            raise BadRequestError(msg)
        rows = self._transcripts.page(
            limit,
            status=status,
            created_on=_day(query.get("created_on")),
            before_id=query.get("before_id"),
            after_id=query.get("after_id"),
        )
        if query.get("throttled_only") == "true":  # deprecated; nothing is ever throttled here
            rows = []
        base = self._base_url(request) / "v2" / "transcript"
        kept: dict[str, str] = {name: query[name] for name in ("status", "created_on") if name in query}

        def page(**cursor: str) -> str:
            return str(base.with_query({"limit": str(limit), **kept, **cursor}))

        details = {
            "limit": limit,
            "result_count": len(rows),
            "current_url": str(base.with_query(request.rel_url.query)),
            "prev_url": page(before_id=rows[-1]["id"]) if rows else None,
            "next_url": page(after_id=rows[0]["id"]) if rows else None,
        }
        return web.json_response(
            {
                "page_details": details,
                "transcripts": [{**row, "resource_url": str(base / row["id"])} for row in rows],
            },
        )

    async def _sentences(self, request: web.Request) -> web.StreamResponse:
        transcript = self._completed(request, "sentences")
        return web.json_response({**_heading(transcript), "sentences": sentences(transcript["words"])})

    async def _paragraphs(self, request: web.Request) -> web.StreamResponse:
        transcript = self._completed(request, "paragraphs")
        return web.json_response({**_heading(transcript), "paragraphs": paragraphs(transcript["words"])})

    async def _subtitles(self, request: web.Request) -> web.StreamResponse:
        write = {"srt": srt, "vtt": vtt}.get(request.match_info["format"])
        if write is None:  # the one answer that the API gives as a page
            return web.Response(status=404, text="404: Not Found", content_type="text/html")
        transcript = self._completed(request, "captions")
        limit = _whole(request.query.get("chars_per_caption", str(DEFAULT_LIMIT)), 1)
        if limit is None:
            msg = "chars_per_caption must be an Integer greater than 0"
            raise BadRequestError(msg)
        found = captions(transcript["words"], limit)
        return web.Response(text=write(found))

    async def _word_search(self, request: web.Request) -> web.StreamResponse:
        transcript = self._completed(request, "a word search")
        terms = [term.strip() for words in request.query.getall("words", []) for term in words.split(",")]
        terms = [term for term in terms if tokens(term)]
        if not terms:
            msg = "words must be a list of words or phrases, separated by commas"
            raise BadRequestError(msg)
        if too_long := [term for term in terms if len(tokens(term)) > LONGEST_PHRASE]:
            msg = f"a phrase to search for may have up to {LONGEST_PHRASE} words: {too_long[0]}"
            raise BadRequestError(msg)
        return web.json_response({"id": transcript["id"], **word_search(transcript["words"], terms)})

    async def _redacted_audio(self, request: web.Request) -> web.StreamResponse:
        transcript = self._find(request)
        if transcript["redact_pii_audio"]:
            return _error(400, "Redacted audio is not available: this engine does not redact.")
        return _error(400, "Redacted audio was not requested: set redact_pii and redact_pii_audio to true.")

    def _completed(self, request: web.Request, wanted: str) -> dict[str, Any]:
        """Return a transcript that has words to be read. Raises BadRequestError."""
        transcript = self._find(request)
        if transcript["status"] != "completed":
            msg = (
                f'This transcript has a status of "{transcript["status"]}". '
                f'Transcripts must have a status of "completed" before requesting {wanted}.'
            )
            raise BadRequestError(msg)
        if transcript["words"] is None:
            msg = "This transcript was deleted by user."
            raise BadRequestError(msg)
        return transcript

    def _find(self, request: web.Request) -> dict[str, Any]:
        transcript = self._transcripts.get(request.match_info["id"])
        if transcript is None:
            raise BadRequestError(UNKNOWN_ID)
        return transcript

    def _base_url(self, request: web.Request) -> URL:
        return URL.build(scheme="http", authority=request.host)


@web.middleware
async def _logged(request: web.Request, handler: _Handler) -> web.StreamResponse:
    started = time.monotonic()
    answer = await handler(request)
    if request.path != "/health":
        milliseconds = (time.monotonic() - started) * 1000
        # The path alone: a query may hold what is nobody's business.
        _LOG.info("%s %s %d %.0f ms", request.method, request.path, answer.status, milliseconds)
    return answer


async def _health(_: web.Request) -> web.StreamResponse:
    return web.json_response({"status": "ok"})


async def _forbidden(_: web.Request) -> web.StreamResponse:
    return _error(403, NO_UPLOAD)


def _error(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response({"error": text}, status=status, headers=headers)


def _whole(text: str, least: int, most: int | None = None) -> int | None:
    """Read a whole number of a query, None where it is none or out of bounds. Nine digits are more than any needs."""
    number = int(text[:9]) if text.isascii() and text.isdigit() else -1
    return number if least <= number and (most is None or number <= most) else None


def _heading(transcript: Mapping[str, Any]) -> dict[str, Any]:
    return {name: transcript[name] for name in ("id", "confidence", "audio_duration", "speech_model_used")}


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise BadRequestError(BAD_SCHEMA) from error


def write_port(path: Path, port: int) -> None:
    """Write the port number for who waits for it: the file is whole as soon as it exists."""
    part = path.with_name(path.name + ".part")
    part.write_text(f"{port}\n", encoding="ascii")
    part.replace(path)
