"""How the adapter reads the provider's answers, against a real HTTP server on this machine with a script."""

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from audio_highlights.assemblyai import AssemblyAI
from audio_highlights.errors import (
    HighlightsError,
    ProviderAccountRefused,
    ProviderUnavailable,
    RequestRefused,
    RetryableError,
    TranscriptNotFound,
    TranscriptNotReady,
)

SINCE = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
CREATED = {"id": "t1", "status": "processing", "audio_url": "https://x.test/a"}
RESET = "reset"
CLOSE = "close"


class Script:
    """What the server answers, one entry for each request, and what it was asked."""

    def __init__(self) -> None:
        self.answers: deque[tuple[int, bytes, dict[str, str]] | str] = deque()
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.url = ""

    def answer(self, status: int, body: object, **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers.append((status, raw, headers))

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _, _ in self.asked]


class Handler(BaseHTTPRequestHandler):
    """Notes each request whole, then does what the script says."""

    script: Script

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b"".join(self.chunks())
        self.script.asked.append((self.command, self.path, dict(self.headers), body))
        if not self.script.answers:
            message = "the script has no answer to this request"
            raise AssertionError(message)
        answer = self.script.answers.popleft()
        if isinstance(answer, str):
            if answer == RESET:  # a close with nothing to linger for sends RST
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        status, raw, headers = answer
        self.send_response(status)
        for name, value in {"Content_Length": str(len(raw)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(raw)

    do_POST = do_GET  # noqa: N815  the name that http.server looks for

    def chunks(self) -> Iterator[bytes]:
        while self.headers.get("Transfer-Encoding") == "chunked":
            size = int(self.rfile.readline(), 16)
            yield self.rfile.read(size)
            self.rfile.readline()
            if not size:
                return

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        pass  # a connection that the script broke off


@pytest.fixture(scope="module")
def server() -> Iterator[Script]:
    script = Script()
    handler = type("Scripted", (Handler,), {"script": script})
    with Server(("127.0.0.1", 0), handler) as http:
        script.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield script
        http.shutdown()
        thread.join()


@pytest.fixture
def script(server: Script) -> Script:
    server.answers.clear()
    server.asked.clear()
    return server


@pytest.fixture
def provider(script: Script) -> AssemblyAI:
    return AssemblyAI(script.url + "/", lambda fresh: "fresh-key" if fresh else "cached-key")


# ---- what is sent


def test_a_transcript_is_asked_for_with_the_raw_key(provider: AssemblyAI, script: Script) -> None:
    script.answer(200, CREATED)
    transcript = provider.create({"audio_url": "https://x.test/a", "auto_highlights": True})
    assert (transcript.transcript_id, transcript.status) == ("t1", "processing")
    [(method, path, headers, body)] = script.asked
    assert (method, path) == ("POST", "/v2/transcript")
    assert headers["Authorization"] == "cached-key"
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {"audio_url": "https://x.test/a", "auto_highlights": True}


def test_unknown_fields_of_the_answer_are_kept(provider: AssemblyAI, script: Script) -> None:
    script.answer(200, {**CREATED, "brand_new": [1]})
    assert provider.get("t1").body["brand_new"] == [1]
    assert script.paths == ["/v2/transcript/t1"]


def test_an_id_cannot_change_the_path(provider: AssemblyAI, script: Script) -> None:
    script.answer(200, CREATED)
    provider.get("../upload?x=1#y")
    assert script.paths == ["/v2/transcript/..%2Fupload%3Fx%3D1%23y"]


# ---- redacted audio


def test_redacted_audio_is_fetched_without_the_key(provider: AssemblyAI, script: Script) -> None:
    script.answer(200, {"status": "redacted_audio_ready", "redacted_audio_url": f"{script.url}/audio?Signature=x"})
    script.answer(200, b"beep" * 1000)
    assert b"".join(provider.redacted_audio("t1")) == b"beep" * 1000
    assert script.paths == ["/v2/transcript/t1/redacted-audio", "/audio?Signature=x"]
    assert "Authorization" not in script.asked[1][2]


def test_redacted_audio_that_is_not_there_yet_comes_later(provider: AssemblyAI, script: Script) -> None:
    script.answer(400, {"error": "Redacted audio is not ready"})
    with pytest.raises(TranscriptNotReady, match="not ready"):
        list(provider.redacted_audio("t1"))


@pytest.mark.parametrize("answer", [(403, b"", {}), RESET, (200, b"half", {"Content_Length": "9"})])
def test_redacted_audio_that_breaks_off_is_not_taken_for_whole_and_its_url_is_told_to_nobody(
    provider: AssemblyAI, script: Script, answer: Any
) -> None:
    script.answer(200, {"status": "redacted_audio_ready", "redacted_audio_url": f"{script.url}/audio?Signature=x"})
    script.answers.append(answer)
    with pytest.raises(ProviderUnavailable) as trouble:
        list(provider.redacted_audio("t1"))
    assert "Signature" not in str(trouble.value)


def test_an_upload_is_streamed_raw(provider: AssemblyAI, script: Script) -> None:
    script.answer(200, {"upload_url": "https://cdn.test/upload/1"})
    assert provider.upload(iter([b"RIFF", b"WAVE"])) == "https://cdn.test/upload/1"
    [(method, path, headers, body)] = script.asked
    assert (method, path, body) == ("POST", "/v2/upload", b"RIFFWAVE")
    assert headers["Transfer-Encoding"] == "chunked"
    assert "multipart" not in headers.get("Content-Type", "")


def test_nothing_is_repeated_by_itself(provider: AssemblyAI, script: Script) -> None:
    script.answer(503, b"")
    with pytest.raises(ProviderUnavailable):
        provider.create({})
    assert len(script.asked) == 1


# ---- what is answered


ERRORS: list[tuple[int, object, type[HighlightsError], bool | None]] = [
    (400, {"error": "Transcript creation error, audio_url not found"}, RequestRefused, None),
    (400, {"error": "Invalid endpoint schema, please refer to documentation for examples."}, RequestRefused, None),
    (400, {"error": 'speech_model is deprecated. Use "speech_models" instead.'}, RequestRefused, None),
    (400, {"error": '"speech_models" must be a non-empty list', "status": "error"}, RequestRefused, None),
    (400, {"error": "Your current account balance is negative. Please top up."}, ProviderAccountRefused, None),
    (401, {"error": "Authentication error, API token missing/invalid"}, ProviderAccountRefused, None),
    (403, {"error": "Cannot access uploaded file"}, RequestRefused, None),
    (422, b"Upload failed, please try again.", ProviderUnavailable, False),
    (422, {"error": "Upload failed, please try again."}, ProviderUnavailable, False),
    (429, {"error": "Too Many Requests"}, ProviderUnavailable, False),
    (429, b"", ProviderUnavailable, False),
    (400, b"<html>Bad Request</html>", ProviderUnavailable, False),
    (403, b"<html>blocked by a firewall</html>", ProviderUnavailable, False),
    (404, b"not here", ProviderUnavailable, False),
    (400, {"error": {"code": 7}}, ProviderUnavailable, False),
    (500, {"error": "Internal server error. Please retry your request."}, ProviderUnavailable, True),
    (500, {"error": "Server error, developers have been alerted"}, ProviderUnavailable, True),
    (502, b"<html>Bad Gateway</html>", ProviderUnavailable, True),
    (503, b"", ProviderUnavailable, True),
    (504, b"upstream timed out", ProviderUnavailable, True),
    (302, b"", ProviderUnavailable, True),
    (204, b"", ProviderUnavailable, True),
    (201, CREATED, ProviderUnavailable, True),
    (200, b"<html>Welcome</html>", ProviderUnavailable, True),
    (200, b"", ProviderUnavailable, True),
    (200, b'{"id": "t1"', ProviderUnavailable, True),
    (200, b"\xff\xfe", ProviderUnavailable, True),
    (200, b"[" * 100_000, ProviderUnavailable, True),
    (200, [CREATED], ProviderUnavailable, True),
    (200, None, ProviderUnavailable, True),
    (200, {"status": "queued"}, ProviderUnavailable, True),
    (200, {"id": None, "status": "queued"}, ProviderUnavailable, True),
    (200, {"id": 7, "status": "queued"}, ProviderUnavailable, True),
]


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: f"{case[0]} {str(case[1])[:50]}")
def test_29_30_31_32_33_34_what_an_answer_to_create_means(
    provider: AssemblyAI, script: Script, case: tuple[int, object, type[HighlightsError], bool | None]
) -> None:
    status, body, error, may_have_accepted = case
    for _ in range(2):
        script.answer(status, body)
    with pytest.raises(error) as caught:
        provider.create({})
    assert type(caught.value) is error
    assert getattr(caught.value, "may_have_accepted", None) is may_have_accepted


@pytest.mark.parametrize("text", ["Cannot access uploaded file", '"speech_models" must be a non-empty list'])
def test_the_reason_is_the_providers_own(provider: AssemblyAI, script: Script, text: str) -> None:
    script.answer(400, {"error": text})
    with pytest.raises(RequestRefused) as caught:
        provider.create({})
    assert text in str(caught.value)


def test_a_reason_holds_no_signature(provider: AssemblyAI, script: Script) -> None:
    script.answer(400, {"error": "cannot read https://x.test/a?X-Amz-Signature=verysecret"})
    with pytest.raises(RequestRefused) as caught:
        provider.create({})
    assert "https://x.test/a" in str(caught.value)
    assert "verysecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("17", 17), (None, 0), ("", 0), ("soon", 0), ("-5", 0), ("1.5", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0)],
)
def test_29_how_long_to_wait_is_told_where_it_can_be_read(
    provider: AssemblyAI, script: Script, retry_after: str | None, seconds: int
) -> None:
    script.answer(429, {"error": "Too Many Requests"}, **({} if retry_after is None else {"Retry_After": retry_after}))
    with pytest.raises(ProviderUnavailable) as caught:
        provider.create({})
    assert caught.value.wait_seconds == seconds
    assert (f"{seconds} s" in str(caught.value)) == bool(seconds)


def test_a_redirect_does_not_take_the_key_elsewhere(provider: AssemblyAI, script: Script) -> None:
    script.answer(307, b"", Location=f"{script.url}/elsewhere")
    with pytest.raises(ProviderUnavailable):
        provider.create({})
    assert script.paths == ["/v2/transcript"]


@pytest.mark.parametrize("status", [400, 404])
def test_63_an_unknown_transcript_is_not_found_whichever_code_says_so(
    provider: AssemblyAI, script: Script, status: int
) -> None:
    script.answer(status, {"error": "Transcript lookup error, transcript id not found"})
    with pytest.raises(TranscriptNotFound, match="t1"):
        provider.get("t1")


def test_74_a_transcript_that_was_deleted_is_not_found_though_it_is_answered(
    provider: AssemblyAI, script: Script
) -> None:
    script.answer(200, {"id": "t1", "status": "completed", "audio_url": "http://deleted_by_user", "text": None})
    with pytest.raises(TranscriptNotFound, match="t1"):
        provider.get("t1")


def test_37_a_key_that_cannot_be_read_sends_nothing(script: Script) -> None:
    def no_key(fresh: bool) -> str:
        message = f"Secrets Manager is down (fresh={fresh})"
        raise OSError(message)

    with pytest.raises(OSError, match="down"):
        AssemblyAI(script.url, no_key).create({})
    assert not script.asked


def test_another_refusal_is_no_lost_transcript(provider: AssemblyAI, script: Script) -> None:
    script.answer(400, {"error": "Invalid endpoint schema, please refer to documentation for examples."})
    with pytest.raises(RequestRefused):
        provider.get("t1")


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"<html>not found</html>"), (404, b""), (500, {"error": "not found"}), (429, b"")]
)
def test_63_trouble_on_the_way_is_no_lost_transcript(
    provider: AssemblyAI, script: Script, status: int, body: object
) -> None:
    script.answer(status, body)
    with pytest.raises(RetryableError):
        provider.get("t1")


@pytest.mark.parametrize("answer", [{}, {"upload_url": None}, {"upload_url": 7}])
def test_an_upload_without_a_url_is_tried_again(provider: AssemblyAI, script: Script, answer: object) -> None:
    script.answer(200, answer)
    with pytest.raises(ProviderUnavailable) as caught:
        provider.upload(iter([b"x"]))
    assert not caught.value.may_have_accepted


def test_65_what_is_not_json_counts_as_missing(provider: AssemblyAI, script: Script) -> None:
    raw = b'{"id": "t1", "status": "completed", "rank": NaN, "high": [Infinity, -Infinity, 0.07]}'
    script.answer(200, raw)
    body = provider.get("t1").body
    assert body["rank"] is None
    assert body["high"] == [None, None, 0.07]


def test_65_a_number_too_large_counts_as_missing(provider: AssemblyAI, script: Script) -> None:
    script.answer(200, b'{"id": "t1", "status": "completed", "rank": 1e999}')
    assert provider.get("t1").body["rank"] is None


# ---- the key


def test_33_a_rotated_key_works_at_once(provider: AssemblyAI, script: Script) -> None:
    script.answer(401, {"error": "Authentication error"})
    script.answer(200, CREATED)
    assert provider.create({"a": 1}).transcript_id == "t1"
    assert [headers["Authorization"] for _, _, headers, _ in script.asked] == ["cached-key", "fresh-key"]
    assert [json.loads(body) for _, _, _, body in script.asked] == [{"a": 1}, {"a": 1}]


def test_33_a_wrong_key_is_tried_twice_and_is_in_no_text(provider: AssemblyAI, script: Script) -> None:
    for _ in range(3):
        script.answer(401, {"error": "Authentication error, API token missing/invalid"})
    with pytest.raises(ProviderAccountRefused) as caught:
        provider.get("t1")
    assert len(script.asked) == 2
    assert "-key" not in str(caught.value)


def test_a_streamed_upload_is_not_sent_twice_and_the_next_one_has_the_fresh_key(script: Script) -> None:
    keys = ["old-key"]

    def api_key(fresh: bool) -> str:
        keys.extend(["new-key"] if fresh else [])
        return keys[-1]

    provider = AssemblyAI(script.url, api_key)
    script.answer(401, {"error": "Authentication error"})
    script.answer(200, {"upload_url": "https://cdn.test/upload/1"})
    with pytest.raises(ProviderAccountRefused):
        provider.upload(iter([b"x"]))
    assert len(script.asked) == 1
    provider.upload(iter([b"x"]))
    assert [headers["Authorization"] for _, _, headers, _ in script.asked] == ["old-key", "new-key"]


@pytest.mark.parametrize(("status", "body"), [(500, {"error": "Internal server error."}), (504, b""), (200, b"<html>")])
def test_an_upload_that_went_wrong_started_no_transcript(
    provider: AssemblyAI, script: Script, status: int, body: object
) -> None:
    script.answer(status, body)
    with pytest.raises(ProviderUnavailable) as caught:
        provider.upload(iter([b"x"]))
    assert not caught.value.may_have_accepted


@pytest.mark.parametrize("body", [{}, {"id": "t1"}, {"status": "completed"}, {"id": "t1", "status": None}], ids=str)
def test_a_transcript_without_id_or_status_is_asked_for_again(
    provider: AssemblyAI, script: Script, body: object
) -> None:
    script.answer(200, body)
    with pytest.raises(ProviderUnavailable):
        provider.get("t1")


# ---- the connection


def test_28_a_refused_connection_accepted_nothing() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        provider = AssemblyAI(f"http://127.0.0.1:{unused.getsockname()[1]}", lambda _: "very-secret-key")
        with pytest.raises(ProviderUnavailable, match="could not be reached") as caught:
            provider.create({})
    assert not caught.value.may_have_accepted
    assert "very-secret-key" not in str(caught.value)


def test_28_a_name_that_does_not_resolve_accepted_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ProviderUnavailable) as caught:
        AssemblyAI("http://api.example.com", lambda _: "key").create({})
    assert not caught.value.may_have_accepted


def test_28_broken_tls_may_have_come_after_the_request_was_read(script: Script) -> None:
    script.answer(200, CREATED)
    with pytest.raises(ProviderUnavailable) as caught:
        AssemblyAI(script.url.replace("http:", "https:"), lambda _: "key").create({})
    assert caught.value.may_have_accepted
    assert not script.asked


@pytest.mark.parametrize("how", [RESET, CLOSE])
def test_27_a_connection_lost_after_the_request_was_read_may_have_accepted(
    provider: AssemblyAI, script: Script, how: str
) -> None:
    script.answers.append(how)
    with pytest.raises(ProviderUnavailable) as caught:
        provider.create({})
    assert len(script.asked) == 1
    assert caught.value.may_have_accepted


def test_34_an_answer_cut_short_may_have_accepted(provider: AssemblyAI, script: Script) -> None:
    script.answer(200, CREATED, Content_Length="1000")
    with pytest.raises(ProviderUnavailable) as caught:
        provider.create({})
    assert caught.value.may_have_accepted


# ---- the list


def listed(*ids: str, older: bool = False, created: str = "2026-11-22T16:30:00.000000") -> dict[str, Any]:
    return {
        "page_details": {"limit": 200, "result_count": len(ids), "prev_url": "https://x.test/older" if older else None},
        "transcripts": [{"id": one, "status": "queued", "created": created, "audio_url": f"u-{one}"} for one in ids],
    }


def test_all_pages_are_read_newest_first(provider: AssemblyAI, script: Script) -> None:
    script.answer(200, listed("t4", "t3", older=True))
    script.answer(200, listed("t2", "t1"))
    found = list(provider.created_since(SINCE))
    assert found == [(one, "queued", f"u-{one}") for one in ("t4", "t3", "t2", "t1")]
    assert script.paths == ["/v2/transcript?limit=200", "/v2/transcript?limit=200&before_id=t3"]


def test_the_list_is_read_no_further_than_the_moment(provider: AssemblyAI, script: Script) -> None:
    page = listed("t2", older=True)
    page["transcripts"] += listed("t1", created="2026-11-22T15:59:59.999")["transcripts"]
    script.answer(200, page)
    assert [found[0] for found in provider.created_since(SINCE)] == ["t2"]
    assert len(script.asked) == 1


@pytest.mark.parametrize("created", ["2026-11-22T16:00:00", "2026-11-22T16:00:00Z", "2026-11-22T17:00:00+01:00"])
def test_a_time_without_a_zone_is_utc(provider: AssemblyAI, script: Script, created: str) -> None:
    script.answer(200, listed("t1", created=created))
    assert len(list(provider.created_since(SINCE))) == 1


def test_the_next_page_is_only_asked_for_when_it_is_needed(provider: AssemblyAI, script: Script) -> None:
    script.answer(200, listed("t2", "t1", older=True))
    assert next(provider.created_since(SINCE))[0] == "t2"
    assert len(script.asked) == 1


@pytest.mark.parametrize("page", [{}, {"transcripts": None, "page_details": None}, listed()], ids=str)
def test_an_empty_list_is_empty(provider: AssemblyAI, script: Script, page: object) -> None:
    script.answer(200, page)
    assert not list(provider.created_since(SINCE))


def test_an_empty_page_ends_the_list_whatever_it_says_of_older_ones(provider: AssemblyAI, script: Script) -> None:
    script.answer(200, listed(older=True))
    assert not list(provider.created_since(SINCE))


def test_a_list_that_cannot_be_read_is_no_empty_list(provider: AssemblyAI, script: Script) -> None:
    script.answer(200, b"<html>")
    with pytest.raises(ProviderUnavailable):
        list(provider.created_since(SINCE))
