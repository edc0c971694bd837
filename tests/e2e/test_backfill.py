"""Objects that were in the bucket before the stack: submitted once each though the command is killed.

Run on demand, as the soak of a thousand is: `make backfill-test N=500`. A function that a busy machine kills keeps its
message for its visibility timeout of nine minutes.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from cli.stack import Stack
from local.stack import DEFAULT_STACK_NAME
from tests.e2e.conftest import wait_for
from tests.running_system import running, say
from tests.soak.system import ENGINE_OPTIONS, System

OBJECTS = int(os.environ.get("BACKFILL_OBJECTS", "0"))
HIGHLIGHTS = str(Path(sys.executable).with_name("highlights"))
pytestmark = [
    pytest.mark.skipif(not OBJECTS, reason="takes minutes: make backfill-test"),
    pytest.mark.skipif("E2E_STACK_NAME" in os.environ, reason="counts at the local engine what was paid"),
]


@pytest.fixture
def heard() -> None:
    """No listener, and so no stacks of the other tests: this one has its own."""


@pytest.fixture(scope="module")
def old_bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A stack on a bucket that was there before, with its objects, and sent no events when they came."""
    with running(tmp_path_factory.mktemp("backfill"), *ENGINE_OPTIONS) as local:
        local.build(say)
        bucket, s3 = f"backfill-{uuid4().hex[:12]}", boto3.client("s3")
        s3.create_bucket(Bucket=bucket)

        def put(number: int) -> None:
            s3.put_object(
                Bucket=bucket, Key=f"calls/{number:03}.mp3", Body=b"\xff\xfb\x90\x64" + number.to_bytes(2) * 500
            )

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, range(OBJECTS)))
        s3.put_object(Bucket=bucket, Key="calls/empty.mp3", Body=b"")
        s3.put_object(Bucket=bucket, Key="other/not-asked-for.mp3", Body=b"\xff\xfb\x90\x64" * 100)
        local.deploy(say, parameters={"ExistingMediaBucketName": bucket, "MaxConcurrency": "5"})
        yield System(local, Stack.named(DEFAULT_STACK_NAME))


def command(*arguments: str) -> list[str]:
    return [HIGHLIGHTS, *arguments, "--stack", DEFAULT_STACK_NAME]


def answer(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(command(*arguments, "--json"), check=True, capture_output=True, text=True, timeout=800)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.timeout(1200)
def test_a_backfill_that_is_killed_goes_on_and_pays_for_each_recording_once(old_bucket: System) -> None:
    system = old_bucket
    plan = answer("backfill", "--prefix", "calls/", "--dry-run")
    assert (plan["objects"], plan["known"], plan["unusable"], plan["missing"]) == (OBJECTS + 1, 0, 1, OBJECTS)
    assert plan["size_bytes"] == OBJECTS * 1004
    assert system.counts()["creates"] == {}

    with subprocess.Popen(command("backfill", "--prefix", "calls/", "--max-pending", "40", "--yes")) as first:
        wait_for(lambda: True if len(system.counts()["creates"]) >= OBJECTS // 5 else None, "a part of the transcripts")
        first.send_signal(signal.SIGKILL)
    paid = len(system.counts()["creates"])
    assert OBJECTS // 5 <= paid < OBJECTS
    # No more were under way than were asked for: what the killed one left is at most that.
    second = answer("backfill", "--prefix", "calls/", "--max-pending", "40", "--yes")
    assert OBJECTS - paid - 40 <= second["sent"] <= OBJECTS - OBJECTS // 5

    counts = system.counts()
    assert set(counts["creates"].values()) == {1}
    assert len(counts["creates"]) == OBJECTS
    assert counts["billed"]["transcripts"] == OBJECTS
    assert {row["status"] for row in system.rows()} == {"completed"}
    assert answer("backfill", "--prefix", "calls/", "--dry-run")["missing"] == 0

    # The provider's own count of what it will bill is what the report says.
    report = answer("cost", "--since", "2d")
    assert report["total"]["recordings"] == OBJECTS
    assert report["total"]["seconds"] == counts["billed"]["seconds"] > 0
    assert report["total"]["provider"] == pytest.approx(counts["billed"]["seconds"] * 0.22 / 3600, abs=1e-6)
