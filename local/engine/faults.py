"""Faults on demand: carries out a script of what is to go wrong, and counts what was done. See faults.md."""

import asyncio
import json
import logging
import math
import socket
import struct
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from local.engine import texts
from local.engine.deliveries import Delivery
from local.engine.fault_script import READS, Fault, Script, read_script
from local.engine.transcripts import Transcripts
from local.engine.webhook import body as webhook_body

_LOG = logging.getLogger(__name__)
_LONGEST_LOG = 10_000
_DROPS_PER_S = 100
_CALLS = {
    ("POST", "/v2/upload"): "upload",
    ("POST", "/v2/transcript"): "create",
    ("GET", "/v2/transcript"): "list",
}
_CALLS_OF_ONE = {("GET", ""): "get", ("DELETE", ""): "delete", **{("GET", read): read for read in READS}}
_TEXTS: Mapping[str, str] = {
    "400": texts.BAD_SCHEMA,
    "401": texts.NO_KEY,
    "403": texts.NO_UPLOAD,
    "404": texts.UNKNOWN_ID,
    "429": texts.TOO_MANY,
    "500": (
        "Internal server error. Please retry your request. If the error persists, please contact "
        "support@assemblyai.com for more information."
    ),
    "502": "Bad Gateway",
    "503": "Service Unavailable",
    "504": "Gateway Timeout",
}
_GATEWAY = ("502", "503", "504")
_NEGATIVE_BALANCE = "Your current account balance is negative. Please top up to continue using the API."
_HTML = "<!doctype html><html><head><title>Just a moment...</title></head><body><h1>Please wait</h1></body></html>"
_NOT_JSON = "upstream connect error or disconnect/reset before headers"

type _Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
type _CarryOut = Callable[[], Awaitable[web.StreamResponse]]


class ScriptedError(Exception):
    """A job ends in error because the script says so; the text is the transcript's."""


class Faults:
    """What the script does to calls, jobs and webhooks. With an empty script, nothing."""

    def __init__(self, transcripts: Transcripts) -> None:
        """Begin with an empty script."""
        self._transcripts = transcripts
        self._script = Script()
        self._log: deque[dict[str, Any]] = deque(maxlen=_LONGEST_LOG)
        self._of_jobs: dict[str, Fault] = {}
        self._answers_held: dict[str, asyncio.Event] = {}

    # The script

    async def post(self, request: web.Request) -> web.StreamResponse:
        """`POST /faults`: put faults behind those that are left."""
        self._script.add(read_script(await request.read()))
        return self._state()

    async def get(self, _: web.Request) -> web.StreamResponse:
        """`GET /faults`: what is left, and what was done."""
        return self._state()

    async def delete(self, _: web.Request) -> web.StreamResponse:
        """`DELETE /faults`: forget what is left, and the log."""
        self._script.clear()
        self._log.clear()
        return self._state()

    def _state(self) -> web.Response:
        return web.json_response({"left": self._script.left(), "done": list(self._log)})

    def _strike(self, point: str, subject: Mapping[str, Any]) -> Fault | None:
        """Take the fault for this occasion and note it; `subject` is a transcript, or the request for one."""
        fault = self._script.take(point, [subject.get(name) for name in ("id", "audio_url", "webhook_url")])
        if fault:
            _LOG.info("fault on %s: %s", fault.on, fault.do)
            done = {"transcript_id": subject.get("id"), "audio_url": _without_query(subject.get("audio_url"))}
            self._log.append({"on": fault.on, "do": fault.do, **done})
        return fault

    # Calls

    @web.middleware
    async def middleware(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Spoil the calls that the script names; count the jobs that are made."""
        call = _call(request)
        if call is None:
            return await handler(request)
        asked = await self._asked(call, request)
        fault = self._strike(call, asked)
        done = self._log[-1] if fault else {}

        async def carry_out() -> web.StreamResponse:
            answer = await handler(request)
            if call == "create" and answer.status == 200:  # noqa: PLR2004
                done["transcript_id"] = await self._created(asked, answer)
            return answer

        return await (_spoil(fault, call, request, carry_out) if fault else carry_out())

    async def _asked(self, call: str, request: web.Request) -> dict[str, Any]:
        if call == "create":
            return _strings(await request.read())
        if self._script.is_empty() or "id" not in request.match_info:
            return {}
        transcript_id = request.match_info["id"]
        return {"id": transcript_id, **(self._transcripts.get(transcript_id) or {})}

    async def _created(self, asked: Mapping[str, Any], answer: web.StreamResponse) -> str:
        self._transcripts.count_create(_without_query(asked["audio_url"]) or "")
        transcript_id = str(json.loads(_body(answer))["id"])
        if held := self._answers_held.pop(transcript_id, None):
            await held.wait()
        return transcript_id

    # Jobs

    def on_submit(self, transcript: Mapping[str, Any]) -> float | None:
        """Settle what will go wrong with a new job. Returns how many seconds it is kept from the queue, if at all."""
        fault = self._strike("job", transcript)
        if fault is None:
            return None
        self._of_jobs[transcript["id"]] = fault
        return float(fault.options["seconds"]) if fault.do == "queued" else None

    async def on_start(self, transcript: Mapping[str, Any]) -> None:
        """Keep a job in processing, or end it with ScriptedError, if that is what goes wrong with it."""
        fault = self._of_jobs.get(transcript["id"])
        if fault is None or fault.do in ("queued", "vanishes"):
            return
        await asyncio.sleep(fault.options.get("seconds", 0))
        if fault.do == "error":
            raise ScriptedError(fault.options.get("text", ""))
        if fault.do == "download-error":
            raise ScriptedError(texts.download_error(transcript["audio_url"]))

    def made_up(self, transcript_id: str) -> Mapping[str, Any] | None:
        """Return what a job is to have heard instead of what was said: `text` or `words`; None if nothing."""
        fault = self._of_jobs.get(transcript_id)
        return fault.options if fault and fault.do == "words" else None

    def on_results(self, transcript_id: str, results: dict[str, Any]) -> dict[str, Any]:
        """Return the results of a job as the script wants them."""
        fault = self._of_jobs.get(transcript_id)
        highlights = results["auto_highlights_result"]
        if fault is None or highlights is None:
            return results
        changes: dict[str, Any] = {}
        match fault.do:
            case "unavailable":
                changes["auto_highlights_result"] = {"status": "unavailable", "results": []}
            case "no-results":
                changes["auto_highlights_result"] = {"status": "success", "results": []}
            case "no-rank":
                unranked = [{name: found[name] for name in found if name != "rank"} for found in highlights["results"]]
                changes["auto_highlights_result"] = {**highlights, "results": unranked}
            case "highlights":
                changes["auto_highlights_result"] = fault.options["value"]
            case "other-language":
                changes["auto_highlights_result"] = None
                changes["language_code"] = fault.options.get("language", "de")
        return results | changes

    def on_end(self, transcript_id: str) -> float | None:
        """Forget what a job had to suffer. Returns in how many seconds its transcript vanishes, None for never."""
        fault = self._of_jobs.pop(transcript_id, None)
        return float(fault.options.get("seconds", 0)) if fault and fault.do == "vanishes" else None

    # Webhooks

    def early(self, point: str, transcript: Mapping[str, Any], delivery: Delivery) -> Delivery | None:
        """Return the webhook that is to be sent at a point where nothing is completed yet, if any."""
        if self._strike(point, transcript) is None:
            return None
        return replace(delivery, body=webhook_body(transcript["id"], "completed"), is_the_outcome=False)

    def hold_answer(self, transcript_id: str, until: asyncio.Event) -> None:
        """Give no answer to the call that makes this transcript before the event."""
        self._answers_held[transcript_id] = until

    def on_delivery(self, transcript: Mapping[str, Any], delivery: Delivery) -> list[Delivery]:
        """Return what is sent in place of the right webhook."""
        fault = self._strike("webhook", transcript)
        if fault is None:
            return [delivery]
        options = fault.options
        seconds = options.get("seconds", 0.0)
        match fault.do:
            case "lost":
                return []
            case "late":
                return [replace(delivery, delay_s=seconds)]
            case "repeated":
                return [replace(delivery, delay_s=number * seconds) for number in range(options.get("copies", 2))]
        wrong = self._wrong(fault, transcript, delivery)
        return [replace(wrong, is_the_outcome=False), delivery] if options.get("extra") else [wrong]

    def _wrong(self, fault: Fault, transcript: Mapping[str, Any], delivery: Delivery) -> Delivery:
        options = fault.options
        match fault.do:
            case "wrong-id":
                other = self._other_id(options.get("id", "unknown"), transcript["id"])
                return replace(delivery, body=webhook_body(other, transcript["status"]))
            case "wrong-status":
                opposite = "error" if transcript["status"] == "completed" else "completed"
                return replace(delivery, body=webhook_body(transcript["id"], options.get("status", opposite)))
            case "wrong-header":
                name = delivery.header[0] if delivery.header else "Authorization"
                return replace(delivery, header=(name, options.get("header_value", "wrong")))
            case "no-header":
                return replace(delivery, header=None)
        content_type = options.get("content_type", delivery.content_type)
        return replace(delivery, body=options["body"], content_type=content_type)

    def _other_id(self, wanted: str, transcript_id: str) -> str:
        if wanted == "previous" and (older := self._transcripts.page(1, before_id=transcript_id)):
            return str(older[0]["id"])
        if wanted in ("previous", "unknown"):
            return str(uuid.uuid5(uuid.NAMESPACE_URL, transcript_id))
        return wanted


def _call(request: web.Request) -> str | None:
    """Return which of the API's calls this is, as a script names it; None if it is none."""
    if request.match_info.http_exception is not None:
        return None
    if "id" not in request.match_info:
        return _CALLS.get((request.method, request.path))
    _, _, what = request.path.removeprefix("/v2/transcript/").partition("/")
    return _CALLS_OF_ONE.get((request.method, what))


async def _spoil(fault: Fault, call: str, request: web.Request, carry_out: _CarryOut) -> web.StreamResponse:
    """Answer a call as the fault says, or break it off."""
    options = fault.options
    accepted = options.get("accepted", False)
    if fault.do == "hang":
        return await _late(request, carry_out, options["seconds"], accepted=accepted)
    if fault.do in ("drip", "truncated", "broken-off"):
        return await _piecemeal(fault, request, await carry_out())
    if accepted:
        await carry_out()
    elif call == "upload" and fault.do != "reset":
        async for _ in request.content.iter_any():  # a client hears nothing before it has sent all
            pass
    return _reset(request) if fault.do == "reset" else _instead(fault)


async def _late(request: web.Request, carry_out: _CarryOut, seconds: float, *, accepted: bool) -> web.StreamResponse:
    if accepted:
        answer = await carry_out()
        await asyncio.sleep(seconds)
        return answer
    await asyncio.sleep(seconds)
    if request.transport is None or request.transport.is_closing():  # the client went: nothing came of its call
        return web.Response()
    return await carry_out()


async def _piecemeal(fault: Fault, request: web.Request, right: web.StreamResponse) -> web.StreamResponse:
    whole = _body(right)
    if fault.do == "truncated":
        return web.Response(body=whole[: len(whole) // 2], status=right.status, content_type=right.content_type)
    answer = web.StreamResponse(status=right.status)
    answer.content_type = right.content_type
    answer.content_length = len(whole)
    await answer.prepare(request)
    if fault.do == "broken-off":
        await answer.write(whole[: len(whole) // 2])
        if request.transport:
            request.transport.close()
        return answer
    seconds = fault.options["seconds"]
    size = max(1, math.ceil(len(whole) / max(1.0, seconds * _DROPS_PER_S)))
    for start in range(0, len(whole), size):
        await asyncio.sleep(seconds * size / len(whole))
        await answer.write(whole[start : start + size])
    return answer


def _instead(fault: Fault) -> web.Response:
    text = fault.options.get("text")
    match fault.do:
        case "html":
            return web.Response(text=_HTML, content_type="text/html", status=fault.options.get("code", 200))
        case "not-json":
            return web.Response(text=text or _NOT_JSON, content_type="application/json")
        case "negative-balance":
            return web.json_response({"error": _NEGATIVE_BALANCE}, status=400)
    retry_after = fault.options.get("retry_after")
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    status = int(fault.do)
    if text is None and fault.do in _GATEWAY:  # which answers in place of the API, and knows no JSON
        return web.Response(text=_TEXTS[fault.do], status=status, headers=headers)
    return web.json_response({"error": text or _TEXTS[fault.do]}, status=status, headers=headers)


def _reset(request: web.Request) -> web.Response:
    """Break the connection off so that the client sees a reset; what is returned reaches nobody."""
    if request.transport:
        connection: socket.socket = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()


def _body(answer: web.StreamResponse) -> bytes:
    body = answer.body if isinstance(answer, web.Response) else b""
    return body if isinstance(body, bytes) else b""


def _strings(body: bytes) -> dict[str, Any]:
    """Return the texts in a JSON object; nothing if it is none, for others to complain about."""
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return {name: value for name, value in sent.items() if isinstance(value, str)} if isinstance(sent, dict) else {}


def _without_query(url: str | None) -> str | None:
    """Return a URL without what may be a signature."""
    return url and url.partition("?")[0]
