"""What the doctor finds where something is wrong; on a healthy stack, see tests/e2e/test_cli.py."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli import doctor
from cli.dead_letters import about, moved
from cli.doctor import Finding, Verdict
from cli.stack import Stack
from tests.unit.cli.conftest import OUTPUTS, PARAMETERS, Operated

STACK = Stack("audio-highlights", OUTPUTS, PARAMETERS)


def use(monkeypatch: pytest.MonkeyPatch, **looks: Any) -> None:
    monkeypatch.setattr(doctor, "_LOOKS", looks)


def wrong(_: Stack) -> Iterator[Finding]:
    yield Finding("queue", Verdict.WRONG, "Full.", "Nothing moves.", "Empty it.")


def fine(_: Stack) -> Iterator[Finding]:
    yield Finding("page", Verdict.FINE, "It answers.")


def denied(_: Stack) -> Iterator[Finding]:
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetSecretValue")
    yield


def test_findings_say_what_so_what_and_what_to_do_and_exit_1(
    operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, a=wrong, b=fine, c=denied)
    done = operated.run("doctor")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "✗ queue: Full.",
        "    Nothing moves.",
        "    Empty it.",
        "✓ page: It answers.",
        "? c: AWS refuses GetSecretValue (AccessDenied).",
        "    Your credentials need the right to do this.",
        "",
        "3 looked at, 1 wrong; 1 could not be looked at.",
    ]
    assert operated.json("doctor", exit_code=1)["wrong"] == 1


def test_what_could_not_be_looked_at_is_not_wrong(operated: Operated, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, a=fine, b=denied)
    assert operated.run("doctor").exit_code == 0


def test_rows_that_are_open_for_long_are_named_by_their_reasons(
    operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, recordings=doctor._LOOKS["recordings"])  # noqa: SLF001
    monkeypatch.setattr(doctor, "utc_now", operated.world.clock)
    monkeypatch.setitem(OUTPUTS, "SweepFunctionName", "sweep")
    for number in range(3):
        finished = operated.world.submitted(f"calls/{number}.mp3")
    operated.world.ledger.rows[finished.recording_id]["reason"] = "AssemblyAI refuses the API key (401)."
    assert operated.run("doctor").exit_code == 0
    operated.world.clock.advance(2 * 3600)
    [finding] = operated.json("doctor", exit_code=1)["findings"]
    assert "3 of 3 in work came more than 60 min ago" in finding["what"]
    assert "2: processing, without a reason; 1: AssemblyAI refuses the API key (401)." in finding["what"]
    assert "s3://recordings/calls/0.mp3" in finding["so_what"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"detail": {"bucket": {"name": "calls"}, "object": {"key": "a.mp3"}}, "secret": "s"}', "s3://calls/a.mp3"),
        ('{"recording_id": "r1", "attempt": 1, "transcript_id": "t1"}', "recording r1"),
        ('{"token": "secret"}', "not a message of the pipeline"),
        ("secret", "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_of_a_dead_letter_only_its_recording_is_told(body: str, said: str) -> None:
    assert about(body) == said


class FakeSqs:
    """Two queues; a message that is sent to the target may come back at once."""

    def __init__(self, number: int, *, comes_back: bool = False) -> None:
        self.dead = [{"Body": f"message {one}", "ReceiptHandle": f"r{one}"} for one in range(number)]
        self.hidden: list[dict[str, str]] = []
        self.sent: list[str] = []
        self._comes_back = comes_back

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": {"ApproximateNumberOfMessages": str(len(self.dead))}}

    def receive_message(self, **request: Any) -> dict[str, Any]:
        most = request["MaxNumberOfMessages"]
        some, self.dead = self.dead[:most], self.dead[most:]
        self.hidden += some
        return {"Messages": some} if some else {}

    def send_message(self, **request: Any) -> None:
        self.sent.append(request["MessageBody"])
        if self._comes_back:
            self.dead.append({"Body": request["MessageBody"], "ReceiptHandle": f"again {len(self.sent)}"})

    def delete_message(self, **request: Any) -> None:
        assert len(self.sent) > 0, "deleted before it was sent"
        self.hidden = [one for one in self.hidden if one["ReceiptHandle"] != request["ReceiptHandle"]]


def test_all_dead_letters_are_sent_back_and_then_deleted() -> None:
    sqs: Any = FakeSqs(23)
    assert moved(sqs, "dead", "queue") == 23
    assert (len(sqs.sent), sqs.dead, sqs.hidden) == (23, [], [])


def test_dead_letters_that_come_back_at_once_do_not_go_round() -> None:
    sqs: Any = FakeSqs(12, comes_back=True)
    assert moved(sqs, "dead", "queue") == 12
    assert len(sqs.dead) == 12
