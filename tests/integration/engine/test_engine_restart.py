"""What survives: restarts of the server, deaths of its workers, a big job beside a small one."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.engine.running_engine import KEY, ROOT, Engine, Web, wait_for

SERVER_ERROR = "Server error, developers have been alerted"
GATED = ("--recogniser", "tests.integration.engine.scripted_recogniser:gated", "--workers", "1")
MORTAL = ("--recogniser", "tests.integration.engine.scripted_recogniser:mortal", "--workers", "1")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a test and its recogniser meet."""
    monkeypatch.setenv("SCRIPT_FOLDER", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_open_jobs_go_on_after_a_restart_in_their_order(
    start_engine: Callable[..., Engine], web: Web, refund: bytes, folder: Path, how: signal.Signals,
) -> None:  # fmt: skip
    engine = start_engine(*GATED, "--concurrency", "1")
    url = engine.upload(refund)
    made = [engine.create(audio_url=url, webhook_url=web.url("/hook"))["id"] for _ in range(3)]
    engine.stop(how)
    engine = start_engine(*GATED, "--concurrency", "1")
    assert [engine.get(one)["status"] for one in made] == ["processing", "queued", "queued"]
    (folder / "open").touch()
    told = [json.loads(web.posts.get(timeout=60).body) for _ in made]
    assert told == [{"transcript_id": one, "status": "completed"} for one in made]
    assert {engine.get(one)["text"] for one in made} == {"Heard. Heard."}
    assert {engine.get(one)["audio_url"] for one in made} == {url}


def test_a_job_that_was_there_at_three_deaths_of_the_server_ends_in_error(
    start_engine: Callable[..., Engine], web: Web, refund: bytes, folder: Path,
) -> None:  # fmt: skip
    engine = start_engine(*GATED)
    url = engine.upload(refund)
    created = engine.create(audio_url=url, webhook_url=web.url("/hook"))
    for _ in range(2):
        engine.stop(signal.SIGKILL)
        engine = start_engine(*GATED)
        assert engine.get(created["id"])["status"] == "processing"
    engine.stop(signal.SIGKILL)
    (folder / "open").touch()
    engine = start_engine(*GATED)
    transcript = engine.ended(created["id"])
    assert (transcript["status"], transcript["error"]) == ("error", SERVER_ERROR)
    assert json.loads(web.posts.get(timeout=60).body)["status"] == "error"
    assert engine.ended(engine.create(audio_url=url)["id"])["status"] == "completed"


def test_a_webhook_has_ten_attempts_whatever_happens_to_the_server(
    start_engine: Callable[..., Engine], web: Web,
) -> None:  # fmt: skip
    web.webhook_statuses = itertools.repeat(500)
    header = {"webhook_auth_header_name": "X-Key", "webhook_auth_header_value": "s3cret"}
    engine = start_engine("--webhook-interval", "0.3", "--workers", "1")
    created = engine.create(audio_url=web.url("/missing"), webhook_url=web.url("/hook"), **header)
    posts = [web.posts.get(timeout=60)]
    engine.stop(signal.SIGKILL)
    engine = start_engine("--webhook-interval", "0.01", "--workers", "1")

    def outcome() -> dict[str, Any] | None:
        transcript = engine.get(created["id"])
        return transcript if transcript["webhook_status_code"] is not None else None

    assert wait_for(outcome, "webhook outcome")["webhook_status_code"] == 500
    posts += [web.posts.get() for _ in range(web.posts.qsize())]
    assert len(posts) == 10
    assert {(post.headers["X-Key"], post.body) for post in posts} == {("s3cret", posts[0].body)}
    assert "s3cret" not in engine.log.read_text()


def test_uploads_that_nobody_used_go_after_a_day_and_used_ones_stay(
    start_engine: Callable[..., Engine], refund: bytes, folder: Path,
) -> None:  # fmt: skip
    engine = start_engine(*GATED)
    used, unused, fresh = (engine.upload(refund) for _ in range(3))
    engine.create(audio_url=used)
    engine.stop()
    yesterday = time.time() - 24 * 3600 - 60
    for url in (used, unused):
        os.utime(engine.data_dir / url.removeprefix(engine.url + "/").replace("upload", "uploads", 1), (yesterday,) * 2)
    engine = start_engine(*GATED)
    left = {f"/upload/{path.parent.name}/{path.name}" for path in (engine.data_dir / "uploads").glob("*/*")}
    assert left == {"/upload/" + url.partition("/upload/")[2] for url in (used, fresh)}
    assert engine.call("POST", "/v2/transcript", json={"audio_url": engine.url + "/upload/" + unused[-45:]}).json() == {
        "error": "Cannot access uploaded file",
    }


def test_two_servers_do_not_share_a_folder(start_engine: Callable[..., Engine]) -> None:
    engine = start_engine("--workers", "1")
    command = [sys.executable, "-m", "local.engine", "--data-dir", str(engine.data_dir), "--api-key", KEY]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert second.stderr.startswith(f"Another engine is using {engine.data_dir}.")


def test_a_task_whose_worker_dies_is_done_once_more_and_not_again(
    start_engine: Callable[..., Engine], refund: bytes, folder: Path,
) -> None:  # fmt: skip
    (folder / "lives").write_text("x")
    engine = start_engine(*MORTAL)
    assert engine.transcribe(refund)["status"] == "completed"
    (folder / "lives").write_text("xx")
    transcript = engine.transcribe(refund)
    assert (transcript["status"], transcript["error"]) == ("error", SERVER_ERROR)
    assert engine.transcribe(refund)["status"] == "completed"


def test_a_small_recording_does_not_wait_for_the_end_of_a_big_one(
    start_engine: Callable[..., Engine], refund: bytes, folder: Path,
) -> None:  # fmt: skip
    engine = start_engine(*GATED)
    big = engine.create(audio_url=engine.upload(refund * 20))
    small = engine.create(audio_url=engine.upload(refund))
    (folder / "open").touch()
    assert len(engine.ended(big["id"])["words"]) > 20
    engine.ended(small["id"])
    rows = {row["id"]: row for row in engine.call("GET", "/v2/transcript").json()["transcripts"]}
    assert rows[small["id"]]["completed"] < rows[big["id"]]["completed"]
