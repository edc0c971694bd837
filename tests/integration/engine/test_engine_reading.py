"""What is read back of transcripts, finished or not, and the answers to what is wrong."""

import io
import re
import socket
import wave
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.integration.engine.running_engine import KEY, Engine

UNKNOWN = "00000000-0000-0000-0000-000000000000"
READINGS = ("sentences", "paragraphs", "srt", "vtt", "word-search?words=refund")


@pytest.fixture(scope="module")
def transcript(engine: Engine, refund: bytes) -> dict[str, Any]:
    """A finished transcript of two sentences."""
    return engine.transcribe(refund)


@pytest.fixture
def unending(engine: Engine) -> Iterator[dict[str, Any]]:
    """A transcript in work for as long as a test wants: its recording is on a server that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        created = engine.create(audio_url=f"http://127.0.0.1:{silent.getsockname()[1]}/x.mp3")
        yield created
        engine.call("DELETE", f"/v2/transcript/{created['id']}")


def read(engine: Engine, transcript: dict[str, Any], what: str) -> requests.Response:
    return engine.call("GET", f"/v2/transcript/{transcript['id']}/{what}")


def test_sentences_and_paragraphs_are_passages_of_the_words(engine: Engine, transcript: dict[str, Any]) -> None:
    for what in ("sentences", "paragraphs"):
        body = read(engine, transcript, what).json()
        passages = body.pop(what)
        assert body == {name: transcript[name] for name in ("id", "confidence", "audio_duration", "speech_model_used")}
        assert [word for passage in passages for word in passage["words"]] == transcript["words"]
        assert " ".join(passage["text"] for passage in passages) == transcript["text"]
    assert len(read(engine, transcript, "sentences").json()["sentences"]) == 2


@pytest.mark.parametrize(("what", "mark"), [("srt", ","), ("vtt", ".")])
def test_captions_are_text_within_the_limit(
    engine: Engine, transcript: dict[str, Any], what: str, mark: str,
) -> None:  # fmt: skip
    answer = read(engine, transcript, f"{what}?chars_per_caption=20")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    lines = [line for line in answer.text.splitlines() if " --> " not in line and not re.fullmatch(r"\d*|WEBVTT", line)]
    assert " ".join(lines) == transcript["text"]
    assert max(map(len, lines)) <= 20
    first, last = transcript["words"][0]["start"], transcript["words"][-1]["end"]
    times = [int(ms) for ms in re.findall(rf"\{mark}(\d{{3}})", answer.text)]
    assert (times[0], times[-1]) == (first % 1000, last % 1000)


def test_words_and_phrases_are_found(engine: Engine, transcript: dict[str, Any]) -> None:
    body = read(engine, transcript, "word-search?words=Internet%20Outage,refund,unicorn").json()
    assert (body["id"], body["total_count"]) == (transcript["id"], 3)
    outage, refund = body["matches"]
    assert (outage["text"], outage["count"], refund["count"]) == ("Internet Outage", 2, 1)
    words = transcript["words"]
    assert outage["timestamps"] == [[words[at]["start"], words[at + 1]["end"]] for at in outage["indexes"]]


def test_silence_reads_as_nothing(engine: Engine) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as silence:
        silence.setparams((1, 2, 16_000, 16_000, "NONE", "not compressed"))
        silence.writeframes(bytes(32_000))
    transcript = engine.transcribe(file.getvalue())
    assert transcript["words"] == []
    assert read(engine, transcript, "sentences").json()["sentences"] == []
    assert read(engine, transcript, "paragraphs").json()["paragraphs"] == []
    assert read(engine, transcript, "srt").text == ""
    assert read(engine, transcript, "vtt").text == "WEBVTT\n"
    assert read(engine, transcript, "word-search?words=a").json()["total_count"] == 0


@pytest.mark.parametrize("what", READINGS)
def test_an_unfinished_transcript_says_so(engine: Engine, unending: dict[str, Any], what: str) -> None:
    answer = read(engine, unending, what)
    assert answer.status_code == 400
    assert re.fullmatch(
        r'This transcript has a status of "(processing|queued)"\. '
        r'Transcripts must have a status of "completed" before requesting [a-z ]+\.',
        answer.json()["error"],
    )


def test_an_unfinished_transcript_can_be_read_and_is_listed(engine: Engine, unending: dict[str, Any]) -> None:
    now = engine.get(unending["id"])
    assert now["status"] in ("processing", "queued")
    assert (now["text"], now["words"], now["confidence"], now["audio_duration"]) == (None, None, None, None)
    rows = engine.call("GET", f"/v2/transcript?limit=200&status={now['status']}").json()["transcripts"]
    (row,) = [row for row in rows if row["id"] == unending["id"]]
    assert (row["completed"], row["error"], row["audio_url"]) == (None, None, unending["audio_url"])


@pytest.mark.parametrize("what", READINGS)
def test_of_a_deleted_transcript_nothing_is_read(engine: Engine, refund: bytes, what: str) -> None:
    made = engine.transcribe(refund)
    assert engine.call("DELETE", f"/v2/transcript/{made['id']}").json()["is_deleted"] is True
    answer = read(engine, made, what)
    assert (answer.status_code, answer.json()) == (400, {"error": "This transcript was deleted by user."})
    assert engine.call("DELETE", f"/v2/transcript/{made['id']}").status_code == 200


@pytest.mark.parametrize("what", [*READINGS, "redacted-audio"])
def test_of_an_unknown_transcript_nothing_is_read(engine: Engine, what: str) -> None:
    answer = engine.call("GET", f"/v2/transcript/{UNKNOWN}/{what}")
    assert answer.status_code == 400
    assert answer.json() == {"error": "Transcript lookup error, transcript id not found"}


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("srt?chars_per_caption=0", "chars_per_caption must be an Integer greater than 0"),
        ("vtt?chars_per_caption=wide", "chars_per_caption must be an Integer greater than 0"),
        ("word-search", "words must be a list of words or phrases, separated by commas"),
        ("word-search?words=,%20,", "words must be a list of words or phrases, separated by commas"),
        ("word-search?words=a,b%20c%20d%20e%20f%20g", "a phrase to search for may have up to 5 words: b c d e f g"),
        ("redacted-audio", "Redacted audio was not requested: set redact_pii and redact_pii_audio to true."),
    ],
)
def test_a_wrong_question_is_explained(engine: Engine, transcript: dict[str, Any], what: str, text: str) -> None:
    answer = read(engine, transcript, what)
    assert (answer.status_code, answer.json()) == (400, {"error": text})


def test_redacted_audio_that_was_asked_for_is_refused_not_promised(engine: Engine, refund: bytes) -> None:
    made = engine.transcribe(refund, redact_pii=True, redact_pii_audio=True)
    answer = read(engine, made, "redacted-audio")
    # 202 would mean "not yet": the SDKs would ask for ever.
    assert answer.status_code == 400
    assert answer.json() == {"error": "Redacted audio is not available: this engine does not redact."}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "wrong"}, {"Authorization": f"Bearer {KEY}"}])
@pytest.mark.parametrize("path", [f"/v2/transcript/{UNKNOWN}/srt", "/v2", "/v2/", "/v2/x/y/z"])
@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_a_wrong_key_learns_not_even_which_paths_exist(
    engine: Engine, method: str, path: str, headers: dict[str, str],
) -> None:  # fmt: skip
    answer = requests.request(method, engine.url + path, headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.json() == {"error": "Authentication error, API token missing/invalid"}


@pytest.mark.parametrize("path", ["/v2", "/v2/", "/v2/transcripts", f"/v2/transcript/{UNKNOWN}/srt/x", "/v3/x"])
def test_an_unknown_path_is_not_found(engine: Engine, path: str) -> None:
    answer = engine.call("GET", path)
    assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})


def test_another_format_is_not_found_as_the_api_has_it(engine: Engine, transcript: dict[str, Any]) -> None:
    answer = read(engine, transcript, "docx")
    assert (answer.status_code, answer.text) == (404, "404: Not Found")
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v2/upload", {"POST"}),
        ("PATCH", "/v2/transcript", {"GET", "HEAD", "POST"}),
        ("POST", f"/v2/transcript/{UNKNOWN}", {"GET", "HEAD", "DELETE"}),
        ("DELETE", f"/v2/transcript/{UNKNOWN}/srt", {"GET", "HEAD"}),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(engine: Engine, method: str, path: str, allowed: set[str]) -> None:
    answer = engine.call(method, path)
    assert (answer.status_code, answer.json()) == (405, {"error": "Method Not Allowed"})
    assert set(answer.headers["Allow"].split(",")) == allowed


def test_too_many_requests_are_told_when_to_come_back(start_engine: Callable[..., Engine]) -> None:
    engine = start_engine("--rate", "3/3600", "--workers", "1")
    for _ in range(3):
        assert requests.get(f"{engine.url}/v2/transcript", timeout=10).status_code == 401
        assert engine.call("GET", "/v2/transcript").status_code == 200
    answer = engine.call("POST", "/v2/transcript", json={})
    assert (answer.status_code, answer.json()) == (429, {"error": "Too Many Requests"})
    assert 0 < int(answer.headers["Retry-After"]) <= 3600
    assert engine.call("GET", "/health").status_code == 200


def test_list_parameters_without_a_value_do_not_count(engine: Engine, transcript: dict[str, Any]) -> None:
    page = engine.call("GET", "/v2/transcript?limit=&status=&created_on=&before_id=&after_id=").json()
    assert page["page_details"]["limit"] == 10
    assert page["page_details"]["result_count"] > 0


def test_pages_keep_their_filters(engine: Engine, transcript: dict[str, Any]) -> None:
    row = engine.call("GET", "/v2/transcript?status=completed&limit=1").json()["transcripts"][0]
    day = row["created"][:10]
    details = engine.call("GET", f"/v2/transcript?status=completed&created_on={day}&limit=1").json()["page_details"]
    for name in ("prev_url", "next_url"):
        assert f"status=completed&created_on={day}" in details[name]
    assert details["current_url"] == f"{engine.url}/v2/transcript?status=completed&created_on={day}&limit=1"


def test_no_transcript_was_ever_throttled(engine: Engine, transcript: dict[str, Any]) -> None:
    page = engine.call("GET", "/v2/transcript?throttled_only=true&status=completed").json()
    assert page["transcripts"] == []
    assert (page["page_details"]["prev_url"], page["page_details"]["next_url"]) == (None, None)
