"""From sound of many kinds to its transcript, over HTTP; and downloads that go wrong."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from local.engine.audio import decode, read_samples
from tests.integration.engine.running_engine import ROOT, Engine, Web
from tests.unit.engine.made_audio import Form, encode, wav

TEXT = "The internet outage started on Monday. I want a refund for the internet outage."

type Samples = np.typing.NDArray[np.int16]


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    target = tmp_path_factory.mktemp("decoded") / "samples"
    decode(ROOT / "tests" / "fixtures" / "refund.mp3", target)
    return read_samples(target)


def stereo(left: Samples, right: Samples) -> bytes:
    return wav(np.stack([left, right], axis=1).tobytes(), channels=2)


@pytest.mark.parametrize(
    "form",
    [
        Form("ogg", "opus", 48_000),
        Form("asf", "wmav2", 44_100),
        Form("matroska", "ac3", 48_000, "5.1", "mpeg4"),
        Form("wav", "adpcm_ms", 22_050),
    ],
    ids=lambda form: form.codec,
)
def test_lossy_formats_keep_the_words(engine: Engine, speech: Samples, form: Form, tmp_path: Path) -> None:
    media = encode(tmp_path / "media", speech, form).read_bytes()
    assert engine.transcribe(media)["text"] == TEXT


def test_opposite_phases_keep_the_words(engine: Engine, speech: Samples) -> None:
    assert engine.transcribe(stereo(speech, -speech))["text"] == TEXT


def test_a_faulty_microphone_keeps_the_words(engine: Engine, speech: Samples) -> None:
    assert engine.transcribe(wav((speech + np.int16(6000)).tobytes()))["text"] == TEXT


def test_telephone_sound_is_taken_and_warned_of(engine: Engine, speech: Samples, tmp_path: Path) -> None:
    loud = np.random.default_rng(1).normal(0, 900, len(speech))
    noisy = np.clip(speech + loud, -32_768, 32_767).astype(np.int16)
    media = encode(tmp_path / "call.wav", noisy, Form("wav", "pcm_mulaw", 8000)).read_bytes()
    transcript = engine.transcribe(media)
    assert transcript["status"] == "completed"
    assert transcript["confidence"] < 0.5
    messages = [warning["message"] for warning in transcript["metadata"]["warnings"]]
    assert ["8000 samples per second" in messages[0], "mean confidence" in messages[1]] == [True, True]


def test_good_sound_has_no_metadata(engine: Engine, refund: bytes) -> None:
    assert "metadata" not in engine.transcribe(refund)


def test_silence_has_no_language(engine: Engine) -> None:
    transcript = engine.transcribe(wav(bytes(64_000)), language_detection=True)
    assert (transcript["status"], transcript["error"]) == (
        "error", "language_detection cannot be performed on files with no spoken audio.",
    )  # fmt: skip


def test_too_little_speech_is_refused_where_asked_for(engine: Engine, refund: bytes) -> None:
    assert engine.transcribe(refund, speech_threshold=0.5)["status"] == "completed"
    transcript = engine.transcribe(wav(bytes(64_000)), speech_threshold=0.1)
    assert transcript["error"] == "Audio speech threshold 0.0 is below the requested speech threshold value 0.1"


def test_each_channel_is_transcribed_on_its_own(engine: Engine) -> None:
    call = (ROOT / "samples" / "support-call-stereo.mp3").read_bytes()
    transcript = engine.transcribe(call, multichannel=True, audio_end_at=11_500)
    assert transcript["audio_channels"] == 2
    assert [(turn["channel"], turn["speaker"]) for turn in transcript["utterances"]] == [("1", "1"), ("2", "2")]
    agent, customer = transcript["utterances"]
    assert agent["text"] == "Thank you for calling customer support. How can I help you."
    assert customer["text"].startswith("We have an internet outage at our office and warehouse.")
    assert agent["end"] < customer["start"]
    assert transcript["words"] == agent["words"] + customer["words"]
    assert {word["channel"] for word in agent["words"]} == {"1"}
    assert transcript["text"] == f"{agent['text']} {customer['text']}"


def test_the_channels_of_one_recording_are_not_told_apart_unless_asked_for(engine: Engine, speech: Samples) -> None:
    transcript = engine.transcribe(stereo(speech, np.zeros_like(speech)))
    assert (transcript["text"], transcript["utterances"]) == (TEXT, None)


def test_key_terms_and_spellings_are_written_as_asked(engine: Engine) -> None:
    media = (ROOT / "tests" / "fixtures" / "key-terms.mp3").read_bytes()
    transcript = engine.transcribe(
        media,
        keyterms_prompt=["Router", "webhook"],
        custom_spelling=[{"from": ["ten seconds"], "to": "10s"}],
    )
    assert transcript["text"] == "The Router is next to the window. Your webhook must answer within 10s."


def test_progress_is_in_the_log(engine: Engine, refund: bytes) -> None:
    made = engine.transcribe(refund)
    assert f"job {made['id']} 100 % of 6 s, 2 workers" in engine.log.read_text()


@pytest.fixture
def raw_server() -> Iterator[Callable[[bytes], str]]:
    """Answer every connection with given bytes and hang up."""
    listener = socket.create_server(("127.0.0.1", 0))
    answers: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.recv(65_536)
                client.sendall(answers[0])

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()

    def start(answer: bytes) -> str:
        answers.append(answer)
        return f"http://127.0.0.1:{listener.getsockname()[1]}/recording.mp3?signature=secret"

    yield start
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "the server answered 403"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nonly this", "ClientPayloadError"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5000000001\r\n\r\n", "the file is larger than 5 GB"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: /again\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            "TooManyRedirects",
        ),
        (b"no HTTP at all\r\n\r\n", "ClientResponseError"),
        (b"", "ServerDisconnectedError"),
    ],
    ids=["forbidden", "cut short", "too large", "redirects", "no HTTP", "hangs up"],
)
def test_a_download_that_fails_says_so_and_the_log_says_why(
    engine: Engine, raw_server: Callable[[bytes], str], answer: bytes, reason: str,
) -> None:  # fmt: skip
    url = raw_server(answer)
    transcript = engine.ended(engine.create(audio_url=url)["id"])
    assert transcript["error"] == (
        f"Download error, unable to download {url}. "
        "Please make sure the file exists and is accessible from the internet."
    )
    assert f"no download from {url.partition('?')[0]}: {reason}" in engine.log.read_text()
    assert "secret" not in engine.log.read_text()


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"<html><title>Sign in</title></html>", "text/html (HTML document, ASCII text)"), (b"", "inode/x-empty (empty)")],
    ids=["a page", "nothing"],
)
def test_a_download_that_is_no_recording_says_what_it_is(engine: Engine, web: Web, content: bytes, kind: str) -> None:
    web.files["/recording.mp3"] = content
    transcript = engine.ended(engine.create(audio_url=web.url("/recording.mp3"))["id"])
    assert transcript["error"] == (f"Transcoding failed. File does not appear to contain audio. File type is {kind}.")
