"""From a recording to its transcript, over HTTP."""

import io
import math
import wave

import numpy as np
import pytest
import requests

from tests.integration.engine.running_engine import KEY, ROOT, Engine, Web

TEXT = "The internet outage started on Monday. I want a refund for the internet outage."
NO_AUDIO = "Transcoding failed. File does not appear to contain audio. File type is "


def wav(samples: "np.typing.NDArray[np.int16]", rate: int = 16_000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(rate)
        target.writeframes(samples.tobytes())
    return file.getvalue()


def test_health_needs_no_key(engine: Engine) -> None:
    answer = requests.get(f"{engine.url}/health", timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("headers", [{}, {"Authorization": "wrong"}, {"Authorization": f"Bearer {KEY}"}])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v2/upload"), ("GET", "/v2/transcript"), ("GET", "/v2/transcript/x"), ("GET", "/v2/x")],
)
def test_a_wrong_key_opens_nothing(engine: Engine, method: str, path: str, headers: dict[str, str]) -> None:
    answer = requests.request(method, engine.url + path, headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.json() == {"error": "Authentication error, API token missing/invalid"}


def test_speech_becomes_words_and_phrases(engine: Engine, refund: bytes) -> None:
    url = engine.upload(refund)
    created = engine.create(audio_url=url, auto_highlights=True, speech_models=["universal-2"])
    assert created["status"] in ("processing", "queued")
    assert created["text"] is None
    assert created["words"] is None
    transcript = engine.ended(created["id"])
    assert transcript["status"] == "completed"
    assert transcript["text"] == TEXT
    assert transcript["text"] == " ".join(word["text"] for word in transcript["words"])
    assert transcript["audio_duration"] == 6
    assert transcript["audio_url"] == url
    assert transcript["language_code"] == "en_us"
    assert transcript["speech_model_used"] == "universal-2"
    mean = math.fsum(word["confidence"] for word in transcript["words"]) / len(transcript["words"])
    assert transcript["confidence"] == pytest.approx(mean, abs=1e-4)
    starts = [word["start"] for word in transcript["words"]]
    assert starts == sorted(starts)
    assert all(set(word) == {"text", "start", "end", "confidence", "speaker"} for word in transcript["words"])
    highlights = transcript["auto_highlights_result"]
    assert highlights["status"] == "success"
    (outage,) = [result for result in highlights["results"] if result["text"] == "internet outage"]
    assert outage["count"] == 2
    words = {(word["start"], word["text"]) for word in transcript["words"]}
    assert all((time["start"], "internet") in words for time in outage["timestamps"])


def test_highlights_come_only_when_asked_for(engine: Engine, refund: bytes) -> None:
    transcript = engine.transcribe(refund)
    assert transcript["auto_highlights"] is False
    assert transcript["auto_highlights_result"] is None
    assert transcript["text"] == TEXT


def test_a_film_is_transcribed(engine: Engine) -> None:
    film = (ROOT / "tests" / "fixtures" / "refund.mp4").read_bytes()
    assert engine.transcribe(film)["text"] == TEXT


def test_a_part_of_a_recording_keeps_its_times(engine: Engine, refund: bytes) -> None:
    transcript = engine.transcribe(refund, audio_start_from=2900)
    assert transcript["text"] == "I want a refund for the internet outage."
    assert transcript["words"][0]["start"] > 2900


def test_silence_completes_with_nothing(engine: Engine) -> None:
    transcript = engine.transcribe(wav(np.zeros(32_000, np.int16)), auto_highlights=True)
    assert transcript["status"] == "completed"
    assert transcript["text"] == ""
    assert transcript["words"] == []
    assert transcript["audio_duration"] == 2
    assert transcript["auto_highlights_result"] == {"status": "success", "results": []}


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (
            b"<html><body>Not found</body></html>",
            NO_AUDIO + "text/html (HTML document, ASCII text).",
        ),
        (
            bytes(range(256)) * 100,
            NO_AUDIO + "application/octet-stream (data).",
        ),
        (wav(np.zeros(1600, np.int16)), "Audio duration is too short."),
    ],
)
def test_what_cannot_be_transcribed_says_why(engine: Engine, content: bytes, error: str) -> None:
    transcript = engine.transcribe(content, auto_highlights=True)
    assert (transcript["status"], transcript["error"]) == ("error", error)


def test_an_upload_may_be_chunked(engine: Engine, refund: bytes) -> None:
    chunks = (refund[start : start + 1000] for start in range(0, len(refund), 1000))
    answer = engine.call("POST", "/v2/upload", data=chunks, headers={"Transfer-Encoding": "chunked"})
    assert answer.status_code == 200
    created = engine.create(audio_url=answer.json()["upload_url"])
    assert engine.ended(created["id"])["text"] == TEXT


@pytest.mark.parametrize("content", [b"", iter(())])
def test_an_empty_upload_fails_as_plain_text(engine: Engine, content: bytes) -> None:
    answer = engine.call("POST", "/v2/upload", data=content)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.text.startswith("Upload failed, please try again.")


def test_uploads_are_for_jobs_only(engine: Engine, refund: bytes) -> None:
    assert engine.call("GET", engine.upload(refund).removeprefix(engine.url)).status_code == 403
    unknown = f"{engine.url}/upload/0123abcd/00000000-0000-0000-0000-000000000000"
    answer = engine.call("POST", "/v2/transcript", json={"audio_url": unknown})
    assert (answer.status_code, answer.json()) == (403, {"error": "Cannot access uploaded file"})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "media.bucket.localhost"])
def test_a_recording_is_downloaded(engine: Engine, web: Web, refund: bytes, host: str) -> None:
    web.files["/a%2Fb%20c.mp3"] = refund
    url = web.url("/a%2Fb%20c.mp3?X-Amz-Credential=k%2F1&X-Amz-Signature=a%2Bb", host)
    transcript = engine.ended(engine.create(audio_url=url)["id"])
    assert (transcript["text"], transcript["audio_url"]) == (TEXT, url)
    assert [got.path for got in web.gets] == ["/a%2Fb%20c.mp3?X-Amz-Credential=k%2F1&X-Amz-Signature=a%2Bb"]
    assert "X-Amz" not in engine.log.read_text()
    assert KEY not in str(web.gets[0].headers)


def test_a_redirect_is_followed_as_written(engine: Engine, web: Web, refund: bytes) -> None:
    web.files["/there"] = refund
    web.redirects["/here"] = web.url("/there?sig=a%2Fb%3D", "other.localhost")
    assert engine.ended(engine.create(audio_url=web.url("/here"))["id"])["text"] == TEXT
    assert [got.path for got in web.gets] == ["/here", "/there?sig=a%2Fb%3D"]


def test_what_cannot_be_downloaded_says_so(engine: Engine, web: Web) -> None:
    for url in (web.url("/missing.mp3"), "http://127.0.0.1:9/x.mp3", "http://nowhere.invalid/x.mp3"):
        transcript = engine.ended(engine.create(audio_url=url)["id"])
        assert transcript["status"] == "error"
        assert transcript["error"] == (
            f"Download error, unable to download {url}. "
            "Please make sure the file exists and is accessible from the internet."
        )


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{}", "Transcript creation error, audio_url not found"),
        (b"{", "Invalid endpoint schema, please refer to documentation for examples."),
        (b'{"audio_url": "http://a.test/", "format_text": "no"}', "format_text must be a Boolean"),
    ],
)
def test_a_bad_request_is_explained(engine: Engine, body: bytes, text: str) -> None:
    answer = engine.call("POST", "/v2/transcript", data=body)
    assert (answer.status_code, answer.json()["error"]) == (400, text)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_transcript_is_not_found(engine: Engine, method: str) -> None:
    answer = engine.call(method, "/v2/transcript/00000000-0000-0000-0000-000000000000")
    assert answer.status_code == 400
    assert answer.json()["error"] == "Transcript lookup error, transcript id not found"


def test_a_deleted_transcript_is_blank_and_its_upload_gone(engine: Engine, refund: bytes) -> None:
    url = engine.upload(refund)
    made = engine.ended(engine.create(audio_url=url, auto_highlights=True)["id"])
    answer = engine.call("DELETE", f"/v2/transcript/{made['id']}")
    assert answer.status_code == 200
    assert answer.json() == engine.get(made["id"])
    assert answer.json()["text"] == "Deleted by user."
    assert answer.json()["audio_url"] == "http://deleted_by_user"
    assert answer.json()["status"] == "completed"
    assert answer.json()["words"] is None
    assert answer.json()["auto_highlights_result"] is None
    assert engine.call("POST", "/v2/transcript", json={"audio_url": url}).status_code == 403


def test_a_running_job_can_be_deleted(engine: Engine, refund: bytes) -> None:
    created = engine.create(audio_url=engine.upload(refund))
    answer = engine.call("DELETE", f"/v2/transcript/{created['id']}")
    assert (answer.json()["status"], answer.json()["text"]) == ("error", "Deleted by user.")
    assert engine.transcribe(refund)["text"] == TEXT
    assert engine.get(created["id"])["status"] == "error"


def test_the_list_pages_from_new_to_old(engine: Engine, web: Web) -> None:
    made = [engine.create(audio_url=web.url(f"/none/{number}"))["id"] for number in range(5)]
    for one in made:
        engine.ended(one)
    page = engine.call("GET", "/v2/transcript?limit=2").json()
    seen: list[str] = []
    while len(seen) < 4:
        assert page["page_details"]["result_count"] == len(page["transcripts"]) == 2
        seen += [row["id"] for row in page["transcripts"]]
        page = engine.call("GET", page["page_details"]["prev_url"].removeprefix(engine.url)).json()
    assert seen == made[:0:-1]
    newer = engine.call("GET", page["page_details"]["next_url"].removeprefix(engine.url)).json()
    assert [row["id"] for row in newer["transcripts"]] == made[2:0:-1]
    (row,) = [row for row in newer["transcripts"] if row["id"] == made[1]]
    assert row["status"] == "error"
    assert row["error"].startswith("Download error")
    assert row["audio_url"] == web.url("/none/1")
    assert engine.call("GET", row["resource_url"].removeprefix(engine.url)).json()["id"] == made[1]
    failed = engine.call("GET", "/v2/transcript?limit=200&status=error").json()["transcripts"]
    assert {row["status"] for row in failed} == {"error"}
    assert set(made) <= {row["id"] for row in failed}


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "status=done", "created_on=yesterday"])
def test_a_bad_list_query_is_refused(engine: Engine, query: str) -> None:
    answer = engine.call("GET", f"/v2/transcript?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]
