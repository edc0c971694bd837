"""The commands on a deployed stack of their own; docs/cli.md shows what they say.

With --cli-page what they say is written there.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli import recordings
from cli.stack import Stack
from local.stack import DEFAULT_STACK_NAME, PROJECT
from tests.e2e.conftest import wait_for
from tests.running_system import running, say

PAGE = PROJECT / "docs" / "cli.md"
BIN = Path(sys.executable).parent
SAMPLE = PROJECT / "tests" / "fixtures" / "refund.mp3"
_BLOCK = re.compile(r"```console\n(.*?)```\n", re.DOTALL)
# What differs from one run to the next, the longest first.
_VARYING = (
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
    (r"\b[0-9a-f]{32}\b", "ID"),
    (r"[a-z]{2}-[a-z]+-\d_\w{9}", "POOL"),
    (r"\b[0-9a-f]{13}\b", "HASH"),
    (r"\b[0-9a-f]{12}\b", "HASH"),
    (r"\b[0-9a-f]{8}\b", "SHORT"),
    (r"\b[0-9A-F]{12,13}\b", "HASH"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "MOMENT"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "MINUTE"),
    (r"\d{4}-\d\d-\d\d", "DAY"),
    (r"(localhost|127\.0\.0\.1):\d+", "HOST"),
    (r"(● \w+)( \d+\.\d s)?", r"\1"),
    (r"by \d+ s\.", "by SECONDS."),
    (r"[ ─]+", " "),
)

pytestmark = pytest.mark.skipif("E2E_STACK_NAME" in os.environ, reason="breaks parts of the stack: local only")


@pytest.fixture
def heard() -> None:
    """No listener, and so no stacks of the other tests: this one has its own."""


@dataclass(frozen=True)
class Operated:
    stack: Stack
    environment: dict[str, str]

    def shell(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run it as somebody types it, who sees both streams."""
        return subprocess.run(
            ["/bin/bash", "-c", command],
            env=self.environment, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False, timeout=250,
        )  # fmt: skip

    def json(self, *arguments: str) -> tuple[Any, int]:
        done = subprocess.run(
            [str(BIN / "highlights"), *arguments, "--json"],
            env=self.environment, capture_output=True, text=True, check=False, timeout=250,
        )  # fmt: skip
        return json.loads(done.stdout), done.returncode


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    """A stack with two old recordings that it was never told of, and a dead letter."""
    with running(tmp_path_factory.mktemp("cli")) as local:
        local.build(say)
        local.deploy(say)
        stack = Stack.named(DEFAULT_STACK_NAME)
        events, rule = boto3.client("events"), stack.resources()["UploadRule"]
        events.disable_rule(Name=rule)
        for number in (1, 2):
            key = f"archive/call-{number}.mp3"
            body = SAMPLE.read_bytes() + bytes([number])
            boto3.client("s3").put_object(Bucket=stack.media_bucket, Key=key, Body=body)
        found, code = Operated(stack, {**os.environ, "STACK_NAME": stack.name}).json("doctor")
        assert code == 1
        assert [one["check"] for one in found["findings"] if one["verdict"] == "wrong"] == ["rule UploadRule"]
        events.enable_rule(Name=rule)
        letter = '{"from": "somebody else", "token": "made-up"}'
        boto3.client("sqs").send_message(QueueUrl=stack.outputs["SubmitDeadLetterQueueUrl"], MessageBody=letter)
        yield Operated(
            stack,
            {
                **os.environ,
                "PATH": f"{BIN}:{os.environ['PATH']}",
                "STACK_NAME": stack.name,
                "MEDIA_BUCKET": stack.media_bucket,
                "COLUMNS": "100",
            },
        )


@pytest.mark.timeout(1200)
def test_the_page_shows_what_the_commands_say(operated: Operated, pytestconfig: pytest.Config) -> None:
    page = PAGE.read_text()
    said = _BLOCK.sub(lambda block: f"```console\n{_typed(operated, block[1])}```\n", page)
    assert "made-up" not in said, "of a dead letter, more is shown than what it is about"
    if pytestconfig.getoption("--cli-page"):
        PAGE.write_text(said)
    assert _alike(said) == _alike(page)


def _typed(operated: Operated, block: str) -> str:
    """The commands of a block with what they say now."""
    parts = []
    for command in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
        output = operated.shell(command).stdout.strip("\n")
        lines = [line.rstrip() for line in output.splitlines()]
        parts.append("\n".join([f"$ {command}", *lines]))
    return "\n\n".join(parts) + "\n"


def _alike(text: str) -> list[str]:
    for pattern, name in _VARYING:
        text = re.sub(pattern, name, text)
    return text.splitlines()


def test_every_command_is_on_the_page() -> None:
    shown = set(re.findall(r"^\$ highlights (\w+)", PAGE.read_text(), re.MULTILINE))
    assert shown == {
        "upload", "list", "show", "watch", "search", "phrases",
        "retry", "delete", "backfill", "cost", "doctor", "redrive",
    }  # fmt: skip


def test_an_interrupted_upload_of_a_folder_is_taken_up_again(operated: Operated, tmp_path: Path) -> None:
    folder = tmp_path / "two"
    folder.mkdir()
    for name in ("a.mp3", "b.mp3"):
        (folder / name).write_bytes(b"\xff\xfb\x90\x64" * 200)
    sent, code = operated.json("upload", str(folder / "a.mp3"), "--prefix", "two/", "--no-wait")
    assert code == 0
    again, code = operated.json("upload", str(folder), "--skip-existing", "--no-wait")
    assert code == 0
    first, second = again["files"]
    assert first["skipped"] == "the bucket has it already"
    assert second["key"] == "two/b.mp3"
    for one in (sent["files"][0], second):
        # No sound is in them: the road through the pipeline ends with a reason.
        *_, row = recordings.follow(operated.stack, one["recording_id"], 120)
        assert row is not None
        assert row["reason"]


def test_the_doctor_finds_what_is_wrong_and_says_what_to_do(operated: Operated) -> None:
    secrets, s3, sqs = boto3.client("secretsmanager"), boto3.client("s3"), boto3.client("sqs")
    stack = operated.stack
    where = stack.resources()["ApiKeySecret"]
    right = secrets.get_secret_value(SecretId=where)["SecretString"]
    secrets.put_secret_value(SecretId=where, SecretString="no-key-of-this-provider")
    s3.put_bucket_versioning(Bucket=stack.media_bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_bucket_notification_configuration(Bucket=stack.media_bucket, NotificationConfiguration={})
    sqs.send_message(QueueUrl=stack.outputs["ResultsDeadLetterQueueUrl"], MessageBody='{"recording_id": "r1"}')
    try:
        found, code = operated.json("doctor")
    finally:
        secrets.put_secret_value(SecretId=where, SecretString=right)
        s3.put_bucket_versioning(Bucket=stack.media_bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_notification_configuration(
            Bucket=stack.media_bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
    wrong = {one["check"]: one for one in found["findings"] if one["verdict"] == "wrong"}
    assert code == 1
    assert {"API key", "versioning", "bucket's events", "dead letters of results"} <= wrong.keys()
    assert all(one["so_what"] and one["do"] for one in wrong.values())
    assert "recording r1" in wrong["dead letters of results"]["what"]
    assert "no-key-of-this-provider" not in json.dumps(found)


def test_dead_letters_are_sent_back_and_worked_on(operated: Operated) -> None:
    """A lost upload, found among the dead letters, becomes a row."""
    stack, sqs = operated.stack, boto3.client("sqs")
    events, rule = boto3.client("events"), stack.resources()["UploadRule"]
    events.disable_rule(Name=rule)
    path = PROJECT / "README.md"
    upload = recordings.upload(stack, path, "lost/readme.mp3")
    events.enable_rule(Name=rule)
    sqs.send_message(QueueUrl=stack.outputs["SubmitDeadLetterQueueUrl"], MessageBody=json.dumps(upload.event()))
    moved, code = operated.json("redrive", "submit", "--yes")
    assert code == 0
    assert moved["moved"]["submit"] >= 1
    row = wait_for(lambda: recordings.row(stack, upload.recording_id), "the row of what was sent back")
    assert row["key"] == "lost/readme.mp3"
