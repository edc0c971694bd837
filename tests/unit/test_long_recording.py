"""A recording of ten hours: 90,000 words, some 16 MB of JSON; or of many bytes. Through the adapters as they ship."""

import gc
import gzip
import io
import json
import multiprocessing
import resource
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any, cast
from unittest.mock import patch

import pytest
import requests
from botocore.response import StreamingBody

from audio_highlights import export, json_items
from audio_highlights.assemblyai import AssemblyAI
from audio_highlights.models import Upload
from audio_highlights.storage import Media, Results
from audio_highlights.workflow import Deliverer, has_ended
from tests.deployed_template import as_written
from tests.fakes import World

WORDS = 90_000


def answer_of(job: dict[str, Any], count: int = WORDS, said: int = 9000) -> bytes:
    """What the provider answers: every word three times, as it does (in words, in utterances, in the text).

    The first of the phrases is said so often, and the others less and less.
    """
    words = [
        {"text": f"word{n % 900}", "start": n * 400, "end": n * 400 + 390, "confidence": 0.98, "speaker": "A"}
        for n in range(count)
    ]
    stamps = [{"start": n * 4000, "end": n * 4000 + 500} for n in range(said)]
    phrases = [
        {"text": f"word{n}", "count": len(spoken), "rank": 1 - n / 100, "timestamps": spoken}
        for n in range(15)
        if (spoken := stamps[: said - n * said // 15])
    ]
    whole = {
        **job,
        "status": "completed",
        "audio_duration": 36_000,
        "text": " ".join(str(word["text"]) for word in words),
        "words": words,
        "utterances": [{"speaker": "A", "start": 0, "end": 36_000_000, "words": words}],
        "auto_highlights_result": {"status": "success", "results": phrases},
    }
    return json.dumps(whole).encode()


def most_memory() -> int:
    """The most bytes that this process ever had. On Linux getrusage counts its parent's too."""
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS


class Bucket:
    """Takes what is written."""

    def __init__(self) -> None:
        self.written: dict[str, bytes] = {}

    def put_object(self, **request: Any) -> None:
        self.written[request["Key"]] = request["Body"]

    def transcript(self) -> dict[str, Any]:
        [packed] = [body for name, body in self.written.items() if name.endswith(".gz")]
        return dict(json.loads(gzip.decompress(packed)))


def deliverer(world: World, answer: bytes, bucket: Bucket) -> Deliverer:
    """Of a provider that answers so."""

    def answered(*_: object, **__: object) -> requests.Response:
        response = requests.Response()
        response.status_code, response.raw = 200, io.BytesIO(answer)
        assert response.content
        return response

    provider = AssemblyAI("https://api.example.com", lambda _: "key")
    vars(provider)["_send"] = answered
    with patch.dict("os.environ", AWS_DEFAULT_REGION="eu-west-1"):
        results = Results("results")
    vars(results)["_client"] = bucket
    return Deliverer(
        ledger=world.ledger,
        provider=provider,
        results=results,
        results_queue=world.queue,
        events=world.events,
        line=world.line,
        now=world.clock,
    )


def deliver_ten_hours() -> tuple[str, int, int, int]:
    """How the delivery ended, timestamps of the first phrase, words stored, and the process's most memory in bytes."""
    world, bucket = World(), Bucket()
    finished = world.submitted()
    answer = answer_of(world.provider.jobs["t1"])
    assert len(answer) > 16_000_000
    outcome, _ = deliverer(world, answer, bucket).deliver(finished, redelivered=False)
    most = most_memory()
    timestamps = len(world.ledger.items[finished.recording_id][1].timestamps)
    return outcome, timestamps, len(bucket.transcript()["words"]), most


def test_73_ten_hours_fit_into_half_of_the_memory_of_results() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        outcome, timestamps, words, most = process.submit(deliver_ten_hours).result()
    assert (outcome, timestamps, words) == ("completed", 9000, WORDS)
    resources = as_written()["Resources"]
    memory = resources["ResultsFunction"]["Properties"]["MemorySize"]
    assert memory <= 512
    assert most < memory * 1_000_000 / 2


# ---- memory as Python counts it, the same on every machine; for a byte, an hour takes as much as ten

AN_HOUR = 9000  # words


def most_allocated(work: Callable[[], object]) -> int:
    """The most bytes that the work had at one time."""
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("asked", [{}, {"redact_pii": True}], ids=["as it came", "redacted"])
def test_73_a_transcript_is_stored_without_its_words_as_objects(asked: dict[str, Any]) -> None:
    world, bucket = World(), Bucket()
    finished = world.submitted()
    answer = answer_of({**world.provider.jobs["t1"], **asked}, count=AN_HOUR, said=100)
    ready = deliverer(world, answer, bucket)
    # Once as bytes, once as text. One list of words as objects would be two times more, both of them four.
    assert most_allocated(lambda: ready.deliver(finished, redelivered=False)) < 2.7 * len(answer)
    stored = bucket.transcript()
    assert len(stored["words"]) == len(stored["utterances"][0]["words"]) == AN_HOUR
    assert world.ledger.rows[finished.recording_id]["insights"]["speakers"] == 1


def test_73_whether_a_transcript_has_ended_is_asked_without_its_words_as_objects() -> None:
    world = World()
    finished = world.submitted()
    answer = answer_of(world.provider.jobs["t1"], count=AN_HOUR, said=100)
    provider = vars(deliverer(world, answer, Bucket()))["_provider"]
    assert most_allocated(lambda: has_ended(provider, finished)) < 2.3 * len(answer)


def test_captions_are_made_without_the_transcript_as_objects() -> None:
    answer = answer_of({"id": "t1"}, count=AN_HOUR, said=100)
    row = {"key": "calls/long.mp3"}
    allocated = most_allocated(lambda: export.of_transcript("srt", row, json_items.read(answer)))
    assert allocated < 3 * len(answer)


class Zeros(io.RawIOBase):
    """An object in S3 that lies nowhere."""

    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), self._left)
        self._left -= size
        return size


class Sink(BaseHTTPRequestHandler):
    """AssemblyAI's /v2/upload: says how many bytes came."""

    def do_POST(self) -> None:
        assert self.headers["Transfer-Encoding"] == "chunked"
        came = 0
        while size := int(self.rfile.readline(), 16):
            came += len(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        body = json.dumps({"upload_url": f"https://cdn.test/{came}"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def sink() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Sink) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("megabytes", [8, 64])
def test_an_upload_takes_a_few_parts_of_memory_whatever_its_size(
    sink: str, monkeypatch: pytest.MonkeyPatch, megabytes: int
) -> None:
    size = megabytes * 2**20

    class Shelf:
        def get_object(self, **_: str) -> dict[str, Any]:
            return {"Body": StreamingBody(cast("IO[bytes]", Zeros(size)), size)}

    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    media = Media("arn:aws:iam::123456789012:role/signer")
    vars(media)["_client"] = Shelf()
    provider = AssemblyAI(sink, lambda _: "key")
    upload = Upload("media", "calls/long.wav", None, "e", size)
    urls: list[str] = []
    # A part is 1 MB; this counts what the server has of them too.
    assert most_allocated(lambda: urls.append(provider.upload(media.chunks(upload)))) < 7 * 2**20
    assert urls == [f"https://cdn.test/{size}"]
