"""A real engine process, and a web server that holds files for it and takes its webhooks."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.integration.engine.running_engine import KEY, ROOT, Engine, Received, Web


@pytest.fixture
def web() -> Iterator[Web]:
    """Serve files and take webhooks on a free port."""
    content = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content.gets.append(Received("GET", self.path, dict(self.headers), b""))
            path = self.path.partition("?")[0]
            if path in content.redirects:
                self.send_response(302)
                self.send_header("Location", content.redirects[path])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.answer(200 if path in content.files else 404, content.files.get(path, b"not here"))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            received = Received("POST", self.path, dict(self.headers), body)
            if content.post_gate:
                content.posts.put(received)
                content.post_gate.wait()
                self.answer(next(content.webhook_statuses))
            else:
                self.answer(next(content.webhook_statuses))
                content.posts.put(received)

        def answer(self, status: int, body: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class calls it so
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    content.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield content
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One engine for all tests that do not need their own."""
    running = Engine(tmp_path_factory.mktemp("engine"), "--webhook-interval", "0.02")
    yield running
    assert running.stop() == 0
    assert KEY not in running.log.read_text()


@pytest.fixture
def start_engine(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    """Start engines of a test's own; the same data directory unless told otherwise."""
    started: list[Engine] = []

    def start(*flags: str) -> Engine:
        started.append(Engine(tmp_path / "data", *flags))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.stop()


@pytest.fixture(scope="session")
def refund() -> bytes:
    """Two spoken sentences, 6 s."""
    return (ROOT / "tests" / "fixtures" / "refund.mp3").read_bytes()
