"""The server's own life: webhooks, queue, restarts, worker processes."""

import itertools
import json
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.engine.running_engine import KEY, Engine, Web, is_alive, wait_for

HEADER = {"webhook_auth_header_name": "X-Recording-Key", "webhook_auth_header_value": "s3cret"}


def told(engine: Engine, transcript_id: str) -> dict[str, Any]:
    """Wait until the outcome of the webhook is known."""

    def outcome() -> dict[str, Any] | None:
        transcript = engine.get(transcript_id)
        return transcript if transcript["webhook_status_code"] is not None else None

    return wait_for(outcome, "webhook outcome")


@pytest.mark.parametrize("host", ["127.0.0.1", "hooks.app.localhost"])
def test_the_webhook_tells_id_and_status_and_no_more(engine: Engine, web: Web, refund: bytes, host: str) -> None:
    url = web.url("/hook?recording=a%2Fb&attempt=1", host)
    created = engine.create(audio_url=engine.upload(refund), webhook_url=url, **HEADER)
    assert created["webhook_auth"] is True
    assert "s3cret" not in json.dumps(created)
    post = web.posts.get(timeout=60)
    assert json.loads(post.body) == {"transcript_id": created["id"], "status": "completed"}
    assert post.path == "/hook?recording=a%2Fb&attempt=1"
    assert post.headers["X-Recording-Key"] == "s3cret"
    assert post.headers["Content-Type"].startswith("application/json")
    assert told(engine, created["id"])["webhook_status_code"] == 200
    assert web.posts.empty()


def test_a_failed_job_is_told_too(engine: Engine, web: Web) -> None:
    created = engine.create(audio_url=web.url("/missing"), webhook_url=web.url("/hook"))
    assert json.loads(web.posts.get(timeout=60).body)["status"] == "error"
    assert told(engine, created["id"])["webhook_status_code"] == 200


def test_a_webhook_is_repeated_until_it_is_taken(engine: Engine, web: Web) -> None:
    web.webhook_statuses = iter((500, 503, 302, 204))
    created = engine.create(audio_url=web.url("/missing"), webhook_url=web.url("/hook"))
    assert told(engine, created["id"])["webhook_status_code"] == 204
    assert web.posts.qsize() == 4


@pytest.mark.parametrize("status", [400, 404, 429])
def test_any_4xx_ends_delivery(engine: Engine, web: Web, status: int) -> None:
    web.webhook_statuses = itertools.chain((500, status), itertools.repeat(200))
    created = engine.create(audio_url=web.url("/missing"), webhook_url=web.url("/hook"))
    assert told(engine, created["id"])["webhook_status_code"] == status
    assert web.posts.qsize() == 2


def test_ten_attempts_are_made(engine: Engine, web: Web) -> None:
    web.webhook_statuses = itertools.repeat(502)
    created = engine.create(audio_url=web.url("/missing"), webhook_url=web.url("/hook"))
    assert told(engine, created["id"])["webhook_status_code"] == 502
    assert web.posts.qsize() == 10


def test_jobs_beyond_the_limit_wait_their_turn(
    start_engine: Callable[..., Engine], web: Web, refund: bytes,
) -> None:  # fmt: skip
    engine = start_engine("--concurrency", "1", "--workers", "1")
    url = engine.upload(refund)
    made = [engine.create(audio_url=url, webhook_url=web.url("/hook")) for _ in range(3)]
    assert [one["status"] for one in made] == ["processing", "queued", "queued"]
    order = [json.loads(web.posts.get(timeout=60).body)["transcript_id"] for _ in made]
    assert order == [one["id"] for one in made]


def test_a_job_that_takes_too_long_ends(start_engine: Callable[..., Engine], refund: bytes) -> None:
    engine = start_engine("--job-time-limit", "0.01")
    transcript = engine.transcribe(refund)
    assert (transcript["status"], transcript["error"]) == ("error", "Server error, developers have been alerted")


def test_the_workers_of_a_server_that_died_end_and_what_was_done_stays(
    start_engine: Callable[..., Engine], refund: bytes,
) -> None:  # fmt: skip
    engine = start_engine()
    finished = engine.transcribe(refund)
    engine.create(audio_url=engine.upload(refund))
    workers = engine.workers()
    assert len(workers) == 2
    engine.stop(signal.SIGKILL)
    wait_for(lambda: True if not any(map(is_alive, workers)) else None, "end of the workers")
    assert start_engine().get(finished["id"]) == finished


def test_sigterm_ends_it_and_its_workers_even_while_they_work(
    start_engine: Callable[..., Engine], refund: bytes,
) -> None:  # fmt: skip
    engine = start_engine()
    engine.create(audio_url=engine.upload(refund))
    workers = engine.workers()
    assert engine.stop() == 0
    assert not any(map(is_alive, workers))


@pytest.mark.parametrize(
    "opening",
    [
        b"Content-Length: 100000\r\n\r\nonly this",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nno number\r\n",
    ],
)
def test_an_upload_that_breaks_off_leaves_nothing(start_engine: Callable[..., Engine], opening: bytes) -> None:
    engine = start_engine("--workers", "1")
    uploads = engine.data_dir / "uploads"
    with socket.create_connection(("127.0.0.1", engine.port)) as client:
        client.sendall(
            b"POST /v2/upload HTTP/1.1\r\nHost: engine\r\nAuthorization: " + KEY.encode() + b"\r\n" + opening
        )
        if b"no number" not in opening:
            wait_for(lambda: True if list(uploads.iterdir()) else None, "begun upload")
    wait_for(lambda: True if not list(uploads.rglob("*-*")) else None, "end of the upload")
    assert engine.call("GET", "/health").status_code == 200
    assert "Traceback" not in engine.log.read_text()


def test_a_worker_that_dies_is_replaced(start_engine: Callable[..., Engine], refund: bytes) -> None:
    engine = start_engine("--workers", "1")
    first = engine.transcribe(refund)
    (worker,) = engine.workers()
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: True if not is_alive(worker) else None, "end of the worker")
    assert engine.transcribe(refund)["words"] == first["words"]
    assert worker not in engine.workers()


def test_a_recogniser_that_cannot_start_fails_the_job_not_the_server(
    start_engine: Callable[..., Engine], refund: bytes,
) -> None:  # fmt: skip
    engine = start_engine("--recogniser", "local.engine.recogniser:no_such_factory", "--workers", "1")
    assert engine.transcribe(refund)["error"] == "Server error, developers have been alerted"
    assert engine.call("GET", "/health").status_code == 200
    assert "cannot start the recogniser local.engine.recogniser:no_such_factory" in engine.log.read_text()


def test_another_recogniser_can_be_plugged_in(
    start_engine: Callable[..., Engine], refund: bytes, tmp_path: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / "parrot.py").write_text(
        "def make(clean):\n"
        "    return lambda samples, keyterms: [{'text': f'clean={clean}', 'start': 0, 'end': len(samples) // 16,\n"
        "                             'confidence': 1.0, 'speaker': None}]\n",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    engine = start_engine("--recogniser", "parrot:make", "--workers", "1")
    assert engine.transcribe(refund)["text"] == "Clean=True. Clean=True."
