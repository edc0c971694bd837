"""What a recording asks of AWS, counted exactly: who adds a request, or a unit, has to write it down here.

The functions run here, warm, against the local AWS through the proxy that `make bench-requests` counts with.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pytest

from audio_highlights.models import Upload
from audio_highlights.workflow import WEBHOOK_HEADER, binding
from bench.as_on_lambda import message
from bench.counting import Counts, Proxy
from local.stack import PROJECT, Local
from tests.integration.conftest import Tables
from tests.integration.engine.running_engine import KEY, Engine
from tests.unit.functions import Context, event, load

SPEECH = PROJECT / "tests" / "fixtures" / "refund.mp3"
SECRET = uuid4().hex


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """It makes up as many phrases as AssemblyAI gives at most: 15."""
    engine = Engine(tmp_path_factory.mktemp("instant"), "--instant")
    yield engine
    engine.stop()


@pytest.fixture
def proxy(local_system: Local) -> Iterator[Proxy]:
    proxy = Proxy(local_system.aws_url)
    with proxy.running():
        yield proxy


@pytest.fixture
def media_bucket(local_system: Local) -> str:
    """With versions, as the template has it."""
    name = f"media-{uuid4().hex[:12]}"
    boto3.client("s3").create_bucket(Bucket=name)
    boto3.client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@dataclass
class Pipeline:
    """submit, webhook and results as Lambda calls them, one after the other."""

    submit: Any
    webhook: Any
    results: Any
    receive: Callable[[], str]
    row: Callable[[str], dict[str, Any]]
    put: Callable[[], Upload]
    engine: Engine
    proxy: Proxy

    def take(self) -> Counts:
        """One recording from its event to its event; what was asked of AWS on the way."""
        upload = self.put()
        self.proxy.taken()
        self._call(self.submit, upload.event())
        counts = self.proxy.taken()
        row = self.row(upload.recording_id)
        assert row["status"] == "processing"
        self.engine.ended(row["transcript_id"])
        self.proxy.taken()  # the provider's download
        assert self.webhook.handler(self._news(row), Context()) == {"statusCode": 200}
        counts += self.proxy.taken()
        self._call(self.results, json.loads(self.receive()))
        counts += self.proxy.taken()
        row = self.row(upload.recording_id)
        assert (row["status"], row["highlight_count"]) == ("completed", 15)
        return counts

    def _call(self, function: Any, body: object) -> None:
        assert function.handler(message(body), Context()) == {"batchItemFailures": []}

    def _news(self, row: dict[str, Any]) -> dict[str, Any]:
        call: dict[str, Any] = event("webhook/completed")
        call["queryStringParameters"] = {"recording": row["recording_id"], "attempt": str(row["attempt"])}
        call["headers"][WEBHOOK_HEADER] = binding(SECRET, row["recording_id"], int(row["attempt"]))
        call["body"] = json.dumps({"transcript_id": row["transcript_id"], "status": "completed"})
        call["isBase64Encoded"] = False
        return call


@pytest.fixture
def environment(tables: Tables, bucket: str, engine: Engine, proxy: Proxy, signer_role: str) -> dict[str, str]:
    """Of the functions."""
    sqs, secrets = boto3.client("sqs"), boto3.client("secretsmanager")

    def secret(text: str) -> str:
        return secrets.create_secret(Name=f"of-{uuid4().hex[:8]}", SecretString=text)["ARN"]

    return {
        **{name: os.environ[name] for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")},
        "AWS_ENDPOINT_URL": proxy.url,
        "ASSEMBLYAI_BASE_URL": engine.url,
        "API_KEY_SECRET_ARN": secret(KEY),
        "WEBHOOK_SECRET_ARN": secret(SECRET),
        "WEBHOOK_URL": "http://127.0.0.1:9/webhook",  # nobody listens: the tests bring the news themselves
        "RECORDINGS_TABLE": tables.recordings,
        "HIGHLIGHTS_TABLE": tables.highlights,
        "FLOW_TABLE": tables.flow,
        "RESULTS_BUCKET": bucket,
        "RESULTS_QUEUE_URL": sqs.create_queue(QueueName=f"results-{uuid4().hex[:8]}")["QueueUrl"],
        "SIGNER_ROLE_ARN": signer_role,
    }


@pytest.fixture
def pipeline(
    environment: dict[str, str], media_bucket: str, engine: Engine, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> Pipeline:
    s3, sqs = boto3.client("s3"), boto3.client("sqs")  # before the environment leads to the proxy
    rows = boto3.resource("dynamodb").Table(environment["RECORDINGS_TABLE"])
    queue = environment["RESULTS_QUEUE_URL"]

    def receive() -> str:
        [message] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return message["Body"]

    def put() -> Upload:
        key = f"{uuid4().hex}.mp3"
        answer = s3.put_object(Bucket=media_bucket, Key=key, Body=SPEECH.read_bytes())
        return Upload(media_bucket, key, answer["VersionId"], answer["ETag"].strip('"'), SPEECH.stat().st_size)

    def row(recording_id: str) -> dict[str, Any]:
        return rows.get_item(Key={"recording_id": recording_id}, ConsistentRead=True)["Item"]

    functions = {name: load(name, monkeypatch, **environment) for name in ("submit", "webhook", "results")}
    pipeline = Pipeline(**functions, receive=receive, row=row, put=put, engine=engine, proxy=proxy)
    pipeline.take()  # warm: sessions are open, secrets are known
    return pipeline


def test_a_recording_asks_for_so_much_and_no_more(pipeline: Pipeline) -> None:
    assert pipeline.take().requests == {
        "s3 GET": 1,  # metadata and the first bytes
        "sts AssumeRole": 1,  # who signs the URL
        "dynamodb UpdateItem": 4,  # claim, enter, record the transcript, leave
        "sqs SendMessage": 1,  # the webhook's news
        "dynamodb GetItem": 1,
        "s3 PUT": 2,  # highlights, transcript
        "dynamodb TransactWriteItems": 1,  # the row, and 15 phrases
        "events PutEvents": 1,
    }


def test_a_recording_takes_so_many_units_of_its_tables(pipeline: Pipeline, tables: Tables) -> None:
    counts = pipeline.take()
    named = {tables.recordings: "row", tables.highlights: "phrase", tables.flow: "line"}
    assert [(named[write.table], write.units) for write in counts.writes] == [
        ("row", 3),  # claimed; also in the indexes of days and of open rows
        ("line", 1),
        ("row", 4),  # its transcript is known; its time among the open rows moves
        ("row", 4),  # completed in a transaction; out of the open rows
        *[("phrase", 4)] * 15,  # in the same transaction; also in the indexes of phrases and of days
        ("line", 1),
    ]
    assert counts.read_units == 1


def test_a_place_among_200_takes_four_units(pipeline: Pipeline, tables: Tables) -> None:
    others = [number.to_bytes(16) for number in range(199)]
    boto3.client("dynamodb", endpoint_url=pipeline.proxy.url).update_item(
        TableName=tables.flow,
        Key={"name": {"S": "in-flight"}},
        UpdateExpression="ADD places :others",
        ExpressionAttributeValues={":others": {"BS": others}},
    )
    counts = pipeline.take()
    assert [write.units for write in counts.writes if write.table == tables.flow] == [4, 4]
