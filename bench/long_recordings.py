"""What a long recording takes: `results`, captions, and `upload` mode, each event in a process of its own.

The functions' own code, with tables, buckets, queues and secrets of the local AWS. Transcripts come from 127.0.0.1, and
so do the bytes of a large recording, which are zeros and lie nowhere.
"""

import itertools
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import boto3

from audio_highlights.models import Recording, Status, Upload
from audio_highlights.storage import Ledger
from bench.as_on_lambda import ENVIRONMENT, message
from bench.fresh import Cost
from bench.report import PROJECT, Samples, Say, Table
from bench.running import create_table, running_local
from tests.deployed_template import as_written

REPEATS = 3
RESULTS, API, SUBMIT, WHOLE_TREE = (
    "functions/results/app.py",
    "functions/api/app.py",
    "functions/submit/app.py",
    "bench/whole_tree.py",
)
_MB = 1_000_000
_WORDS_A_MINUTE = 150
_SIZES = {"10 MB": 10 * _MB, "1 GB": 1000 * _MB}
_WORDS_IN_A_TURN = 40
_MB_OF_A_CORE = 1769  # Lambda gives processor time by memory
_TEXTS = PROJECT / "local" / "engine" / "noun_phrases" / "spoken.txt"
_BLOCK = bytes(1024 * 1024)
_WAV = b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00"


def measure(say: Say) -> Iterator[Table]:
    """Long recordings; two minutes."""
    with _place(say) as place:
        yield _stored(place, say)
        yield _captioned(place, say)
        yield _uploaded(place, say)


def _stored(place: "Place", say: Say) -> Table:
    rows = []
    for length, minutes, speakers, files in (
        ("10 min", 10, True, (RESULTS,)),
        ("1 h", 60, True, (RESULTS,)),
        ("10 h", 600, False, (RESULTS,)),
        ("10 h", 600, True, (RESULTS, WHOLE_TREE)),
    ):
        transcript = transcript_of(minutes * _WORDS_A_MINUTE, speakers=speakers)
        kind = "words, utterances" if speakers else "words"
        for file in files:
            say(f"{length}, {kind}: {file}")
            runs = [place.deliver(file, transcript) for _ in range(REPEATS)]
            more = Samples([(run.most_bytes - run.before_bytes) / len(transcript) for run in runs])
            size, by = f"{len(transcript) / _MB:.1f}", "results" if file == RESULTS else "as a whole"
            rows.append([length, kind, size, by, *_cells(runs, place.results_mb), more.text(".1f")])
    return Table(
        f"A transcript is stored by `results` ({place.results_mb} MB)",
        ("recording", "transcript", "MB of JSON", "by", *_columns(place.results_mb), "bytes more for one of JSON"),
        rows,
        "From the message to the rows, the files and the event, in a fresh process, which may have no more data "
        "(RLIMIT_DATA) than the function has memory. MB are resident memory: after the imports, and the most. "
        f"Lambda gives a core for {_MB_OF_A_CORE} MB: in the time with {place.results_mb} MB the CPU time is stretched "
        "by that, which holds for a core as fast as this one. As a whole: json.loads, json.dumps and gzip.compress. "
        f"{REPEATS} times each; median (least-most).",
    )


def _captioned(place: "Place", say: Say) -> Table:
    """Of the transcript that was stored last."""
    say("captions of 10 h")
    runs, sizes = zip(*(place.export("vtt") for _ in range(REPEATS)), strict=True)
    return Table(
        f"Captions of 10 h are made by `api` ({place.api_mb} MB)",
        ("MB of WebVTT", *_columns(place.api_mb)),
        [[f"{sizes[0] / _MB:.1f}", *_cells(runs, place.api_mb)]],
        "GET /api/recordings/{id}/export of the last transcript above, measured as that.",
    )


def _uploaded(place: "Place", say: Say) -> Table:
    rows = []
    for size, size_bytes in _SIZES.items():
        say(f"upload: {size}")
        runs = [place.upload(size_bytes) for _ in range(REPEATS)]
        rows.append([size, *_cells(runs, place.submit_mb)])
    return Table(
        f"A recording is uploaded by `submit` ({place.submit_mb} MB, AudioTransfer=upload)",
        ("recording", *_columns(place.submit_mb)),
        rows,
        "From the message to the transcript that is asked for, as above; S3 and AssemblyAI are on this machine.",
    )


def _columns(megabytes: int) -> Sequence[str]:
    return "MB before", "MB at most", "CPU s", "s", f"s with {megabytes} MB"


def _cells(runs: Sequence[Cost], megabytes: int) -> Sequence[str]:
    stretched = (run.seconds + run.cpu_seconds * max(0, _MB_OF_A_CORE / megabytes - 1) for run in runs)
    return (
        Samples([run.before_bytes / _MB for run in runs]).text(".0f"),
        Samples([run.most_bytes / _MB for run in runs]).text(".0f"),
        Samples([run.cpu_seconds for run in runs]).text(".2f"),
        Samples([run.seconds for run in runs]).text(".2f"),
        Samples(list(stretched)).text(".2f"),
    )


def transcript_of(count: int, *, speakers: bool) -> bytes:
    """AssemblyAI's answer for so many words of people who talk: each with its times; in turns where speakers are told.

    Its id is TRANSCRIPT_ID.
    """
    chance = random.Random(1)  # noqa: S311  the same each time
    said = itertools.islice(itertools.cycle(_TEXTS.read_text(encoding="utf-8").split()), count)
    words = [
        {
            "text": text,
            "start": number * 400,
            "end": number * 400 + chance.randint(80, 390),
            "confidence": round(1 - chance.betavariate(1, 20), 6),
            "speaker": "AB"[number // _WORDS_IN_A_TURN % 2] if speakers else None,
        }
        for number, text in enumerate(said)
    ]
    turns = [
        {
            "speaker": turn[0]["speaker"],
            "start": turn[0]["start"],
            "end": turn[-1]["end"],
            "confidence": 0.95,
            "text": _text(turn),
            "words": turn,
        }
        for turn in map(list, itertools.batched(words, _WORDS_IN_A_TURN, strict=False))
    ]
    phrases = [
        {
            "text": f"{words[place]['text']} {words[place + 1]['text']}",
            "count": count // 600,
            "rank": 0.1,
            "timestamps": [{"start": at, "end": at + 800} for at in range(0, count * 400, 600 * 400)],
        }
        for place in range(15)
    ]
    answer = {
        "id": TRANSCRIPT_ID,
        "status": "completed",
        "audio_url": "https://media.s3.amazonaws.com/calls/long.mp3?X-Amz-Signature=0123456789abcdef",
        "language_code": "en_us",
        "audio_duration": count * 60 // _WORDS_A_MINUTE,
        "confidence": 0.95,
        "speaker_labels": speakers,
        "auto_highlights": True,
        "text": _text(words),
        "words": words,
        "utterances": turns if speakers else None,
        "auto_highlights_result": {"status": "success", "results": phrases},
    }
    return json.dumps(answer, separators=(",", ":")).encode()


TRANSCRIPT_ID = "00000000-0000-4000-8000-000000000000"


def _text(words: Sequence[Mapping[str, Any]]) -> str:
    return " ".join(str(word["text"]) for word in words)


@dataclass(slots=True)
class Place:
    """Where the functions work: their environment, the rows they find, and what is served to them."""

    environment: Mapping[str, str]
    ledger: Ledger
    served: "Served"
    results_mb: int
    api_mb: int
    submit_mb: int
    delivered: Recording | None = None  # by `results`, last

    def deliver(self, file: str, transcript: bytes) -> Cost:
        """Have a recording's transcript stored."""
        claim = self.ledger.claim(self._new_upload(1000), {}, 120, redact_audio=False)
        transcript_id = str(uuid4())
        self.ledger.record_transcript(claim.recording, transcript_id, Status.PROCESSING, 900)
        self.served.transcript = transcript.replace(TRANSCRIPT_ID.encode(), transcript_id.encode())
        recording_id = claim.recording.recording_id
        finished = {"recording_id": recording_id, "attempt": claim.recording.attempt, "transcript_id": transcript_id}
        cost, answer = self._handled(file, self.results_mb, message(finished) if file == RESULTS else finished)
        there = self.ledger.get(recording_id)
        if file == RESULTS and (there is None or there.status is not Status.COMPLETED):
            raise NotDone(file, answer)
        self.delivered = there if file == RESULTS else self.delivered
        return cost

    def export(self, kind: str) -> tuple[Cost, int]:
        """Ask for captions of the recording that was delivered last; how many bytes they are."""
        event = json.loads((PROJECT / "events" / "api" / "recordings.json").read_text(encoding="utf-8"))
        path = f"/api/recordings/{self.delivered.recording_id if self.delivered else ''}/export"
        event |= {"rawPath": path, "rawQueryString": f"format={kind}", "queryStringParameters": {"format": kind}}
        event["requestContext"]["http"]["path"] = path
        cost, answer = self._handled(API, self.api_mb, event)
        if answer["statusCode"] != HTTPStatus.OK:
            raise NotDone(API, answer)
        return cost, len(answer["body"].encode())

    def upload(self, size_bytes: int) -> Cost:
        """Have a recording uploaded."""
        upload = self._new_upload(size_bytes)
        self.served.audio_bytes, self.served.uploaded_bytes = size_bytes, 0
        s3 = {"AWS_ENDPOINT_URL_S3": self.served.url, "AUDIO_TRANSFER": "upload"}
        cost, answer = self._handled(SUBMIT, self.submit_mb, message(upload.event()), **s3)
        if self.served.uploaded_bytes != size_bytes or answer["batchItemFailures"]:
            raise NotDone(SUBMIT, answer)
        return cost

    def _new_upload(self, size_bytes: int) -> Upload:
        return Upload("media", f"calls/{uuid4().hex}.wav", None, Served.ETAG, size_bytes)

    def _handled(self, file: str, megabytes: int, event: Any, **environment: str) -> tuple[Cost, Any]:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "bench.fresh", file, str(megabytes)],
            input=json.dumps(event),
            env={**self.environment, **environment},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NotDone(file, done.stderr[-2000:])
        told = json.loads(done.stdout)
        return Cost(**told["cost"]), told["answer"]


class NotDone(Exception):
    """A function did not do what was measured."""

    def __init__(self, file: str, answer: object) -> None:
        super().__init__(f"{file} did not do it: {answer}")


@contextmanager
def _place(say: Say) -> Iterator[Place]:
    """A local AWS with what the functions need, without their deployment."""
    served = Served()
    with running_local(say, "--instant"), served.running():
        yield _furnished(served)


def _furnished(served: "Served") -> Place:
    tables = {
        "RECORDINGS_TABLE": create_table("RecordingsTable", "RecordingsTable"),
        "HIGHLIGHTS_TABLE": create_table("HighlightsTable", "HighlightsTable"),
        "FLOW_TABLE": create_table("FlowTable", "FlowTable"),
    }
    for bucket in ("media", "results"):
        boto3.client("s3").create_bucket(Bucket=bucket)
    queues = {name: boto3.client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("work", "dead")}
    secret = boto3.client("secretsmanager").create_secret(Name="key", SecretString="of-no-account")["ARN"]
    environment = {
        **ENVIRONMENT,
        **os.environ,
        **tables,
        "PYTHONPATH": f"{PROJECT / 'layers' / 'shared'}:{PROJECT}",
        "API_KEY_SECRET_ARN": secret,
        "WEBHOOK_SECRET_ARN": secret,
        "ASSEMBLYAI_BASE_URL": served.url,
        "DEAD_LETTER_QUEUE_URL": queues["dead"],
        "LEASE_SECONDS": "900",
        "MEDIA_BUCKET": "media",
        "QUEUE_URL": queues["work"],
        "RESULTS_BUCKET": "results",
        "SUBMIT_QUEUE_URL": queues["work"],
    }
    ledger = Ledger(tables["RECORDINGS_TABLE"], tables["HIGHLIGHTS_TABLE"], lambda: datetime.now(UTC))
    resources = as_written()["Resources"]
    sizes = (resources[f"{name}Function"]["Properties"]["MemorySize"] for name in ("Results", "Api", "Submit"))
    return Place(environment, ledger, served, *sizes)


@dataclass(slots=True)
class Served:
    """AssemblyAI, as far as one transcript and uploads go; and a bucket whose every object has `audio_bytes`."""

    ETAG = "0123456789abcdef" * 2

    url: str = ""
    transcript: bytes = b""
    audio_bytes: int = 0
    uploaded_bytes: int = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve in threads."""
        handler = type("_OfThis", (_Handler,), {"served": self})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            self.url = f"http://127.0.0.1:{server.server_port}"
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: Served

    def do_GET(self) -> None:
        if urlsplit(self.path).path.startswith("/v2/transcript/"):
            self._answer(HTTPStatus.OK, self.served.transcript)
            return
        whole, wanted = self.served.audio_bytes, self.headers.get("Range")
        size = min(whole, int(wanted.rpartition("-")[2]) + 1) if wanted else whole
        self.send_response(HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.OK)
        self.send_header("Content-Length", str(size))
        if wanted:
            self.send_header("Content-Range", f"bytes 0-{size - 1}/{whole}")
        self.send_header("ETag", f'"{Served.ETAG}"')
        self.end_headers()
        self.wfile.write(_WAV)
        for left in range(size - len(_WAV), 0, -len(_BLOCK)):
            self.wfile.write(_BLOCK[:left])

    def do_POST(self) -> None:
        if self.path == "/v2/upload":
            while size := int(self.rfile.readline(), 16):
                self.served.uploaded_bytes += len(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            self._answer(HTTPStatus.OK, b'{"upload_url":"https://cdn.assemblyai.com/upload/1"}')
            return
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(HTTPStatus.OK, json.dumps({"id": str(uuid4()), "status": "processing"}).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def logmessage(self, *_: object) -> None:
        pass
