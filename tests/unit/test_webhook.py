"""The webhook, through its handler: only the provider, only about its own recording; 4xx only where no retry helps."""

import base64
import hmac
import inspect
import json
from collections.abc import Iterator
from typing import Any

import pytest

from audio_highlights import workflow
from audio_highlights.workflow import WEBHOOK_HEADER, binding
from tests.fakes import SECRET, FakeQueue, FakeSecrets
from tests.unit.functions import Context, event, load

RECORDING = "0123456789abcdef0123456789abcdef"
BODY = {"transcript_id": "9ea68fd3-f953-42c1-9742-976c447fb463", "status": "completed"}


@pytest.fixture(scope="module")
def loaded() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield load("webhook", monkeypatch)


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def webhook(loaded: Any, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(loaded, "results_queue", queue)
    monkeypatch.setattr(loaded, "secrets", FakeSecrets())
    return loaded


def call(
    body: object = BODY,
    *,
    header: str | None = None,
    query: dict[str, str] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """A call as the HTTP API hands it over, rightly bound unless said otherwise."""
    header = binding(SECRET, RECORDING, 1) if header is None else header
    return {
        **event("webhook/completed"),
        "headers": {"content-type": "application/json", WEBHOOK_HEADER: header},
        "queryStringParameters": {"recording": RECORDING, "attempt": "1"} if query is None else query,
        "body": body if isinstance(body, str) else json.dumps(body),
        **changes,
    }


def status(webhook: Any, event: dict[str, Any]) -> int:
    answer = webhook.handler(event, Context())
    assert set(answer) == {"statusCode"}  # nothing about us for whoever asks
    return int(answer["statusCode"])


@pytest.mark.parametrize("ended", ["completed", "error"])
def test_a_rightly_bound_call_becomes_one_message(webhook: Any, queue: FakeQueue, ended: str) -> None:
    assert status(webhook, call({**BODY, "status": ended})) == 200
    assert queue.sent == [{"recording_id": RECORDING, "attempt": 1, "transcript_id": BODY["transcript_id"]}]


def test_a_base64_body_is_read(webhook: Any, queue: FakeQueue) -> None:
    body = base64.b64encode(json.dumps(BODY).encode()).decode()
    assert status(webhook, call(body, isBase64Encoded=True)) == 200
    assert len(queue.sent) == 1


def test_unknown_fields_do_no_harm(webhook: Any, queue: FakeQueue) -> None:
    assert status(webhook, call({**BODY, "new": {"field": 1}})) == 200
    assert len(queue.sent) == 1


def test_what_the_caller_says_of_itself_is_no_proof(webhook: Any, queue: FakeQueue) -> None:
    headers = {"x-forwarded-for": "44.238.19.20", "authorization": binding(SECRET, RECORDING, 1)}
    assert status(webhook, call(headers=headers)) == 401
    assert not queue.sent


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        "wrong",
        SECRET,
        binding("another secret", RECORDING, 1),
        binding(SECRET, "f" * 32, 1),
        binding(SECRET, RECORDING, 2),
        binding(SECRET, RECORDING, 1)[:-1],
        binding(SECRET, RECORDING, 1) + "0",
        binding(SECRET, RECORDING, 1).upper(),
        f"{binding(SECRET, RECORDING, 1)},{binding(SECRET, RECORDING, 1)}",
        "\u00e9\U0001f600",
        "x" * 10_000,
    ],
    ids=lambda header: ascii(header)[:20],
)
def test_any_other_header_is_refused(webhook: Any, queue: FakeQueue, header: str) -> None:
    assert status(webhook, call(header=header)) == 401
    assert not queue.sent


@pytest.mark.parametrize("headers", [None, {}, {"content-type": "application/json"}])
def test_a_missing_header_is_refused(webhook: Any, queue: FakeQueue, headers: dict[str, str] | None) -> None:
    assert status(webhook, call(headers=headers)) == 401
    assert not queue.sent


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"recording": RECORDING},
        {"attempt": "1"},
        {"recording": "f" * 32, "attempt": "1"},
        {"recording": RECORDING, "attempt": "2"},
        {"recording": RECORDING, "attempt": ""},
        {"recording": RECORDING, "attempt": "one"},
        {"recording": RECORDING, "attempt": "-1"},
        {"recording": RECORDING, "attempt": "1.0"},
        {"recording": RECORDING, "attempt": "1,1"},
        {"recording": RECORDING, "attempt": "\u0661"},
        {"recording": RECORDING, "attempt": "1\n"},
        {"recording": RECORDING, "attempt": "9" * 5000},
        {"recording": f"{RECORDING}|1", "attempt": "1"},
        {"recording": "\u00e9", "attempt": "1"},
    ],
    ids=lambda query: ascii(query)[:60],
)
def test_a_query_that_the_header_does_not_bind_is_refused(
    webhook: Any, queue: FakeQueue, query: dict[str, str]
) -> None:
    assert status(webhook, call(query=query)) == 401
    assert not queue.sent


@pytest.mark.parametrize(
    "changes", [{"header": "\ud800"}, {"query": {"recording": "\ud800", "attempt": "1"}}], ids=["header", "query"]
)
def test_text_that_is_no_text_is_refused(webhook: Any, queue: FakeQueue, changes: dict[str, Any]) -> None:
    assert status(webhook, call(**changes)) == 401
    assert not queue.sent


def test_a_call_without_a_query_is_refused(webhook: Any, queue: FakeQueue) -> None:
    without = call()
    del without["queryStringParameters"]
    assert status(webhook, without) == 401
    assert not queue.sent


@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        "not JSON",
        "{",
        "null",
        "[]",
        '"text"',
        "7",
        "[" * 4000,
        '{"a":' * 800,
        "1" * 4096,
        json.dumps([BODY]),
        json.dumps({**BODY, "padding": "x" * 5000}),
        json.dumps({"status": "completed"}),
        json.dumps({"transcript_id": "t"}),
        json.dumps({**BODY, "status": "processing"}),
        json.dumps({**BODY, "status": "redacted_audio_ready"}),
        json.dumps({**BODY, "status": None}),
        json.dumps({**BODY, "status": ["completed"]}),
        json.dumps({**BODY, "status": {"completed": 1}}),
        json.dumps({**BODY, "transcript_id": None}),
        json.dumps({**BODY, "transcript_id": ""}),
        json.dumps({**BODY, "transcript_id": 7}),
        json.dumps({**BODY, "transcript_id": ["t"]}),
        json.dumps({**BODY, "transcript_id": "t" * 201}),
    ],
    ids=lambda body: body[:40],
)
def test_a_rightly_bound_body_that_is_no_webhooks_is_refused(webhook: Any, queue: FakeQueue, body: str) -> None:
    assert status(webhook, call(body)) == 400
    assert not queue.sent


@pytest.mark.parametrize("body", ["***", "\u00e9", base64.b64encode(b"\xff\xfe\x00").decode(), json.dumps(BODY)])
def test_a_base64_body_that_is_none_is_refused(webhook: Any, queue: FakeQueue, body: str) -> None:
    assert status(webhook, call(body, isBase64Encoded=True)) == 400
    assert not queue.sent


def test_a_call_without_a_body_is_refused(webhook: Any, queue: FakeQueue) -> None:
    without = call()
    del without["body"]
    assert status(webhook, without) == 400
    assert not queue.sent


def test_a_wrong_binding_counts_before_a_wrong_body(webhook: Any) -> None:
    assert status(webhook, call("not JSON", header="wrong")) == 401


def test_news_of_redacted_audio_are_taken_and_passed_on_to_nobody(webhook: Any, queue: FakeQueue) -> None:
    body = {"redacted_audio_url": "https://x.test/a?s=1", "status": "redacted_audio_ready"}
    assert status(webhook, call(body)) == 200
    assert not queue.sent


@pytest.mark.parametrize("part", ["queue", "secret"])
def test_trouble_of_ours_is_no_4xx(webhook: Any, queue: FakeQueue, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoSecrets(FakeSecrets):
        def get(self, arn: str, *, fresh: bool = False) -> str:
            raise OSError(arn, fresh)

    if part == "queue":
        queue.trouble = OSError("SQS is down")
    else:
        monkeypatch.setattr(webhook, "secrets", NoSecrets())
    with pytest.raises(OSError, match=r"down|secret"):  # API Gateway makes a 5xx of it, and the provider tries again
        webhook.handler(call(), Context())


def test_ten_duplicates_are_ten_messages_and_left_to_the_ledger(webhook: Any, queue: FakeQueue) -> None:
    assert [status(webhook, call()) for _ in range(10)] == [200] * 10
    assert len(queue.sent) == 10


def test_the_binding_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return True

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert workflow.is_bound(SECRET, RECORDING, 1, "presented")
    assert compared == [(binding(SECRET, RECORDING, 1).encode(), b"presented")]
    assert "==" not in inspect.getsource(workflow.is_bound)


def test_a_refusal_is_logged_with_its_reason_and_without_the_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    webhook = load("webhook", monkeypatch)
    monkeypatch.setattr(webhook, "secrets", FakeSecrets())
    assert status(webhook, call(header="forged-value")) == 401
    output = capsys.readouterr().out
    [line] = [json.loads(one) for one in output.splitlines()]
    assert line["level"] == "WARNING"
    assert "not the binding" in line["reason"]
    assert SECRET not in output
    assert binding(SECRET, RECORDING, 1) not in output
    assert "forged-value" not in output


def test_log_injection_stays_on_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    webhook = load("webhook", monkeypatch)
    monkeypatch.setattr(webhook, "secrets", FakeSecrets())
    evil = 'x\n{"level":"INFO","message":"all is well"}\r\u2028'
    header = binding(SECRET, evil, 1)
    assert status(webhook, call({}, header=header, query={"recording": evil, "attempt": "1"})) == 400
    [line] = capsys.readouterr().out.rstrip("\n").split("\n")
    assert json.loads(line)["level"] == "WARNING"
