"""A recording of ten hours: 90,000 words, some 16 MB of JSON, through the adapters as they ship."""

import gzip
import io
import json
import multiprocessing
import resource
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import requests
from samtranslator.yaml_helper import yaml_parse

from audio_highlights.assemblyai import AssemblyAI
from audio_highlights.storage import Results
from audio_highlights.workflow import Deliverer
from tests.fakes import World
from tests.unit.functions import ROOT

WORDS = 90_000


def answer_of(job: dict[str, Any]) -> bytes:
    """What the provider answers: every word three times, as it does (in words, in utterances, in the text)."""
    words = [
        {"text": f"word{n % 900}", "start": n * 400, "end": n * 400 + 390, "confidence": 0.98, "speaker": "A"}
        for n in range(WORDS)
    ]
    stamps = [{"start": n * 4000, "end": n * 4000 + 500} for n in range(9000)]
    phrases = [
        {"text": f"word{n}", "count": 9000 - n * 600, "rank": 1 - n / 100, "timestamps": stamps[: 9000 - n * 600]}
        for n in range(15)
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


def deliver_ten_hours() -> tuple[str, int, int, int]:
    """How the delivery ended, timestamps of the first phrase, words stored, and the process's most memory in bytes."""
    world = World()
    finished = world.submitted()
    answer = requests.Response()
    answer.status_code, answer.raw = 200, io.BytesIO(answer_of(world.provider.jobs["t1"]))
    assert len(answer.content) > 16_000_000
    written: dict[str, bytes] = {}

    class Bucket:
        def put_object(self, **request: Any) -> None:
            written[request["Key"]] = request["Body"]

    provider = AssemblyAI("https://api.example.com", lambda _: "key")
    with patch.dict("os.environ", AWS_DEFAULT_REGION="eu-west-1"), patch.object(provider, "_send", return_value=answer):
        results = Results("results")
        vars(results)["_client"] = Bucket()
        outcome, _ = Deliverer(
            ledger=world.ledger,
            provider=provider,
            results=results,
            results_queue=world.queue,
            events=world.events,
            line=world.line,
            now=world.clock,
        ).deliver(finished, redelivered=False)
    most = most_memory()
    [packed] = [body for name, body in written.items() if name.endswith(".gz")]
    words = len(json.loads(gzip.decompress(packed))["words"])
    return outcome, len(world.ledger.items[finished.recording_id][1].timestamps), words, most


def test_73_ten_hours_fit_into_half_of_the_memory_of_results() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        outcome, timestamps, words, most = process.submit(deliver_ten_hours).result()
    assert (outcome, timestamps, words) == ("completed", 9000, WORDS)
    resources = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))["Resources"]
    assert most < resources["ResultsFunction"]["Properties"]["MemorySize"] * 1_000_000 / 2
