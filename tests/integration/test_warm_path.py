"""What a warm function does for each recording, counted: it builds no client and opens no connection anew."""

import time
from collections import Counter
from typing import Any

import boto3
import pytest
import urllib3.util.connection
from botocore.client import ClientCreator

from audio_highlights.assemblyai import AssemblyAI
from audio_highlights.config import utc_now
from audio_highlights.models import Finished, Upload
from audio_highlights.storage import Ledger
from bench.as_on_lambda import message
from local.stack import PROJECT, Local
from tests.integration.conftest import Tables
from tests.integration.test_buckets import put
from tests.unit.functions import Context, load

SPEECH = (PROJECT / "tests" / "fixtures" / "refund.mp3").read_bytes()
WARM_UP, COUNTED = 1, 2


@pytest.fixture
def environment(local_system: Local, tables: Tables, bucket: str, signer_role: str) -> dict[str, str]:
    """What the template would give the functions. Without versions the local S3 gives the head alone, as AWS does."""
    secrets, queues = boto3.client("secretsmanager"), boto3.client("sqs")
    name = bucket.removeprefix("integration-")
    queue_url = queues.create_queue(QueueName=f"warm-{name}")["QueueUrl"]
    return {
        **local_system.client_environment(),
        "API_KEY_SECRET_ARN": secrets.create_secret(Name=f"key-{name}", SecretString=local_system.engine_key)["ARN"],
        "WEBHOOK_SECRET_ARN": secrets.create_secret(Name=f"hook-{name}", SecretString="made-up")["ARN"],
        "WEBHOOK_URL": "",
        "RECORDINGS_TABLE": tables.recordings,
        "HIGHLIGHTS_TABLE": tables.highlights,
        "FLOW_TABLE": tables.flow,
        "RESULTS_BUCKET": bucket,
        "SIGNER_ROLE_ARN": signer_role,
        **dict.fromkeys(("QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "SUBMIT_QUEUE_URL"), queue_url),
    }


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the clients that are built and the connections that are opened from now on."""
    counts: Counter[str] = Counter()
    build, connect = ClientCreator.create_client, urllib3.util.connection.create_connection

    def counting_build(self: ClientCreator, *args: Any, **kwargs: Any) -> Any:
        counts["clients"] += 1
        return build(self, *args, **kwargs)

    def counting_connect(address: tuple[str, int], *args: Any, **kwargs: Any) -> Any:
        counts[f"connections to port {address[1]}"] += 1
        return connect(address, *args, **kwargs)

    monkeypatch.setattr(ClientCreator, "create_client", counting_build)
    monkeypatch.setattr(urllib3.util.connection, "create_connection", counting_connect)
    return counts


def test_a_warm_recording_takes_no_new_client_and_no_new_connection(
    environment: dict[str, str], made: Counter[str], local_system: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(environment["RECORDINGS_TABLE"], environment["HIGHLIGHTS_TABLE"], utc_now)
    bucket = environment["RESULTS_BUCKET"]
    uploads = [put(bucket, SPEECH, f"{number}.mp3") for number in range(WARM_UP + COUNTED)]
    submit, results = (load(name, monkeypatch, **environment) for name in ("submit", "results"))
    provider = AssemblyAI(local_system.engine_url, lambda _: local_system.engine_key)

    def submitted(upload: Upload) -> Finished:
        assert submit.handler(message(upload.event()), Context()) == {"batchItemFailures": []}
        recording = ledger.get(upload.recording_id)
        assert recording
        assert recording.transcript_id
        return Finished(upload.recording_id, 1, recording.transcript_id)

    def delivered(finished: Finished) -> None:
        assert results.handler(message(finished.body()), Context()) == {"batchItemFailures": []}
        recording = ledger.get(finished.recording_id)
        assert recording
        assert recording.status == "completed"

    finished = [submitted(upload) for upload in uploads[:WARM_UP]]
    assert min(made["clients"], made[f"connections to port {local_system.aws_port}"]) > 0  # they are seen
    made.clear()
    finished += [submitted(upload) for upload in uploads[WARM_UP:]]
    assert made == {}
    for one in finished:
        while provider.get(one.transcript_id).status in ("queued", "processing"):
            time.sleep(0.1)
    for one in finished[:WARM_UP]:
        delivered(one)
    made.clear()
    for one in finished[WARM_UP:]:
        delivered(one)
    assert made == {}
