"""The webhook, through its handler: only the provider, only about its own recording; 4xx only where no retry helps.

The number in a name is the fault's in docs/security.md; what comes of a call that is let in, test_webhook_abuse tells.
"""

import base64
import hmac
import inspect
import json
from collections.abc import Iterator
from typing import Any

import pytest

from audio_highlights import workflow
from audio_highlights.webhook import networks
from audio_highlights.workflow import WEBHOOK_HEADER, binding
from tests.fakes import SECRET, FakeQueue, FakeSecrets
from tests.unit.functions import Context, event, lines, load

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


@pytest.mark.parametrize("depth", [10, 500, 1900])
def test_55_a_field_we_do_not_know_may_be_as_deep_as_the_body_is_long(webhook: Any, depth: int) -> None:
    body = json.dumps(BODY)[:-1] + ', "new": ' + "[" * depth + "]" * depth + "}"
    assert status(webhook, call(body)) in (200, 400)  # a depth that cannot be parsed is the caller's trouble, no 5xx


def test_55_a_body_of_exactly_the_limit_is_read_and_one_character_more_is_not(webhook: Any, queue: FakeQueue) -> None:
    body = json.dumps(BODY)
    assert status(webhook, call(body + " " * (4096 - len(body)))) == 200
    assert status(webhook, call(body + " " * (4097 - len(body)))) == 400
    assert len(queue.sent) == 1


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "a/b; charset=utf-16"])
def test_56_the_content_type_does_not_matter(webhook: Any, queue: FakeQueue, content_type: str) -> None:
    headers = {"content-type": content_type, WEBHOOK_HEADER: binding(SECRET, RECORDING, 1)}
    assert status(webhook, call(headers=headers)) == 200
    assert len(queue.sent) == 1


def test_a_base64_body_is_read(webhook: Any, queue: FakeQueue) -> None:
    body = base64.b64encode(json.dumps(BODY).encode()).decode()
    assert status(webhook, call(body, isBase64Encoded=True)) == 200
    assert len(queue.sent) == 1


def test_unknown_fields_do_no_harm(webhook: Any, queue: FakeQueue) -> None:
    assert status(webhook, call({**BODY, "new": {"field": 1}})) == 200
    assert len(queue.sent) == 1


def test_59_what_the_caller_says_of_itself_is_no_proof(webhook: Any, queue: FakeQueue) -> None:
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
def test_43_any_other_header_is_refused(webhook: Any, queue: FakeQueue, header: str) -> None:
    assert status(webhook, call(header=header)) == 401
    assert not queue.sent


@pytest.mark.parametrize("headers", [None, {}, {"content-type": "application/json"}])
def test_43_a_missing_header_is_refused(webhook: Any, queue: FakeQueue, headers: dict[str, str] | None) -> None:
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
def test_44_a_query_that_the_header_does_not_bind_is_refused(
    webhook: Any, queue: FakeQueue, query: dict[str, str]
) -> None:
    assert status(webhook, call(query=query)) == 401
    assert not queue.sent


@pytest.mark.parametrize(
    "changes", [{"header": "\ud800"}, {"query": {"recording": "\ud800", "attempt": "1"}}], ids=["header", "query"]
)
def test_43_text_that_is_no_text_is_refused(webhook: Any, queue: FakeQueue, changes: dict[str, Any]) -> None:
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
        "[" * 4096,
        "[" * 2048 + "]" * 2048,
        '{"a":' * 819,
        '{"a":' * 682 + "1" + "}" * 682,
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
def test_55_a_rightly_bound_body_that_is_no_webhooks_is_refused(webhook: Any, queue: FakeQueue, body: str) -> None:
    assert status(webhook, call(body)) == 400
    assert not queue.sent


@pytest.mark.parametrize("body", ["***", "\u00e9", base64.b64encode(b"\xff\xfe\x00").decode(), json.dumps(BODY)])
def test_55_a_base64_body_that_is_none_is_refused(webhook: Any, queue: FakeQueue, body: str) -> None:
    assert status(webhook, call(body, isBase64Encoded=True)) == 400
    assert not queue.sent


def test_55_a_call_without_a_body_is_refused(webhook: Any, queue: FakeQueue) -> None:
    without = call()
    del without["body"]
    assert status(webhook, without) == 400
    assert not queue.sent


def test_a_wrong_binding_counts_before_a_wrong_body(webhook: Any) -> None:
    assert status(webhook, call("not JSON", header="wrong")) == 401


def test_61_news_of_redacted_audio_are_taken_and_passed_on_to_nobody(webhook: Any, queue: FakeQueue) -> None:
    body = {"redacted_audio_url": "https://x.test/a?s=1", "status": "redacted_audio_ready"}
    assert status(webhook, call(body)) == 200
    assert not queue.sent


@pytest.mark.parametrize("part", ["queue", "secret"])
def test_57_trouble_of_ours_is_no_4xx(
    webhook: Any, queue: FakeQueue, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoSecrets(FakeSecrets):
        def get(self, arn: str, *, fresh: bool = False) -> str:
            raise OSError(arn, fresh)

    if part == "queue":
        queue.trouble = OSError("SQS is down")
    else:
        monkeypatch.setattr(webhook, "secrets", NoSecrets())
    with pytest.raises(OSError, match=r"down|secret"):  # API Gateway makes a 5xx of it, and the provider tries again
        webhook.handler(call(), Context())


def test_46_ten_duplicates_are_ten_messages_and_left_to_the_ledger(webhook: Any, queue: FakeQueue) -> None:
    assert [status(webhook, call()) for _ in range(10)] == [200] * 10
    assert len(queue.sent) == 10


# ---- a secret that is being rotated


def test_45_the_previous_secret_binds_during_a_rotation(
    webhook: Any, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "secrets", FakeSecrets("new", former="old"))
    assert status(webhook, call(header=binding("new", RECORDING, 1))) == 200
    assert status(webhook, call(header=binding("old", RECORDING, 1))) == 200
    assert status(webhook, call(header=binding("older", RECORDING, 1))) == 401
    assert len(queue.sent) == 2


def test_45_without_a_rotation_only_the_current_secret_binds(webhook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "secrets", FakeSecrets("new"))
    assert status(webhook, call(header=binding("new", RECORDING, 1))) == 200
    assert status(webhook, call(header=binding("old", RECORDING, 1))) == 401


def test_43_an_empty_secret_binds_nothing(webhook: Any, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "secrets", FakeSecrets(""))
    assert status(webhook, call(header=binding("", RECORDING, 1))) == 401
    assert not queue.sent


# ---- where a call comes from


def from_address(address: object) -> dict[str, Any]:
    called = call()
    http = {**called["requestContext"]["http"], "sourceIp": address}
    return {**called, "requestContext": {**called["requestContext"], "http": http}}


@pytest.fixture
def guarded(webhook: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(webhook, "sources", networks("44.238.19.20, 54.220.25.36/32,2001:db8::/32"))
    return webhook


@pytest.mark.parametrize("address", ["44.238.19.20", "54.220.25.36", "2001:db8::1"])
def test_59_a_call_from_a_named_address_is_let_in(guarded: Any, queue: FakeQueue, address: str) -> None:
    assert status(guarded, from_address(address)) == 200
    assert len(queue.sent) == 1


@pytest.mark.parametrize("address", ["44.238.19.21", "127.0.0.1", "2001:db9::1", "::ffff:1.2.3.4", "", "unknown"])
def test_59_a_call_from_any_other_address_is_refused_though_rightly_bound(
    guarded: Any, queue: FakeQueue, address: str
) -> None:
    assert status(guarded, from_address(address)) == 403
    assert not queue.sent


def test_59_a_forwarded_for_header_opens_nothing(guarded: Any, queue: FakeQueue) -> None:
    called = from_address("203.0.113.7")
    for name in ("x-forwarded-for", "x-real-ip", "forwarded", "true-client-ip"):
        called["headers"][name] = "44.238.19.20"
    assert status(guarded, called) == 403
    assert not queue.sent


def test_59_a_named_address_is_no_binding(guarded: Any, queue: FakeQueue) -> None:
    called = from_address("44.238.19.20")
    called["headers"][WEBHOOK_HEADER] = "forged"
    assert status(guarded, called) == 401
    assert not queue.sent


def test_59_a_call_without_an_address_is_refused(guarded: Any) -> None:
    called = call()
    del called["requestContext"]
    assert status(guarded, called) == 403


def test_the_addresses_come_from_the_environment_and_a_wrong_one_stops_the_function(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load("webhook", monkeypatch).sources == ()
    assert load("webhook", monkeypatch, WEBHOOK_SOURCE_IPS="10.0.0.7/8").sources == networks("10.0.0.0/8")
    with pytest.raises(ValueError, match=r"10\.0\.0\.300"):
        load("webhook", monkeypatch, WEBHOOK_SOURCE_IPS="10.0.0.300")


def test_the_binding_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return True

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert workflow.is_bound(SECRET, RECORDING, 1, "presented")
    assert compared == [(binding(SECRET, RECORDING, 1).encode(), b"presented")]
    assert "==" not in inspect.getsource(workflow.is_bound)


def test_60_a_refusal_is_logged_with_its_reason_and_without_the_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    webhook = load("webhook", monkeypatch)
    monkeypatch.setattr(webhook, "secrets", FakeSecrets())
    assert status(webhook, call(header="forged-value")) == 401
    output = capsys.readouterr().out
    [line] = lines(output)
    assert line["level"] == "WARNING"
    assert "not the binding" in line["reason"]
    assert SECRET not in output
    assert binding(SECRET, RECORDING, 1) not in output
    assert "forged-value" not in output


EVIL = 'x\n{"level":"INFO","message":"all is well"}\r\u2028\x00\x1b[31m\x7f\x9b\u202e\ud800'


@pytest.mark.parametrize(
    "place", ["query of a bound call", "query", "attempt", "header", "other header", "transcript_id", "status", "body"]
)
def test_60_log_injection_stays_on_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    webhook = load("webhook", monkeypatch)
    monkeypatch.setattr(webhook, "secrets", FakeSecrets())
    monkeypatch.setattr(webhook, "results_queue", FakeQueue())
    called = {
        "query of a bound call": lambda: call(
            {}, header=binding(SECRET, EVIL, 1), query={"recording": EVIL, "attempt": "1"}
        ),
        "query": lambda: call(query={"recording": EVIL, "attempt": "1", EVIL: EVIL}),
        "attempt": lambda: call(query={"recording": RECORDING, "attempt": EVIL}),
        "header": lambda: call(header=EVIL),
        "other header": lambda: call(headers={"user-agent": EVIL, EVIL: EVIL}),
        "transcript_id": lambda: call({**BODY, "transcript_id": EVIL}),
        "status": lambda: call({**BODY, "status": EVIL}),
        "body": lambda: call(EVIL),
    }[place]()
    status(webhook, called)
    output = capsys.readouterr().out.rstrip("\n")
    [line] = lines(output)
    assert line["message"] != "all is well"
    assert output.replace("\n", "").isprintable()  # no control character that a terminal would obey
