"""`python -m local.engine`: start the server."""

import argparse
import asyncio
import fcntl
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web
from yarl import URL

from local.engine.faults import Faults
from local.engine.jobs import Jobs, Limits
from local.engine.rate import DOCUMENTED, RateLimit, read_rate
from local.engine.server import Server, write_port
from local.engine.transcripts import Transcripts
from local.engine.worker import DEFAULT_RECOGNISER
from local.engine.workers import Workers

_LOG = logging.getLogger("local.engine")
_HOST = "127.0.0.1"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.engine",
        description="A speech-to-text server on 127.0.0.1 that answers as AssemblyAI's API does.",
    )
    add = parser.add_argument
    add("--port", type=int, default=0, help="0 (default) takes a free one")
    add("--port-file", type=Path, help="where to write the port number once the server answers")
    add("--data-dir", type=Path, required=True, help="transcripts, uploads and what jobs work on")
    add("--api-key", default=os.environ.get("ASSEMBLYAI_API_KEY"), help="default: $ASSEMBLYAI_API_KEY")
    add("--workers", type=int, default=2, help="processes that recognise speech, 190 MB each (default 2)")
    add(
        "--concurrency",
        type=int,
        default=Limits.concurrency,
        help="jobs at once, the rest is queued (default 5)",
    )
    add("--job-time-limit", type=float, default=Limits.job_s, metavar="SECONDS", help="default 3 hours")
    add(
        "--webhook-interval",
        type=float,
        default=Limits.webhook_interval_s,
        metavar="SECONDS",
        help="default 10",
    )
    add(
        "--upload-lifetime",
        type=float,
        default=Limits.upload_s,
        metavar="SECONDS",
        help="how long uploads stay that no transcript uses (default 24 hours)",
    )
    add(
        "--rate",
        type=read_rate,
        default=DOCUMENTED,
        metavar="REQUESTS/SECONDS",
        help="requests beyond it are answered 429 (default 20000/300)",
    )
    add("--recogniser", default=DEFAULT_RECOGNISER, metavar="MODULE:FACTORY", help="default: %(default)s")
    add("--faults", action="store_true", help="let POST /faults say what goes wrong, see faults.md")
    add("--instant", action="store_true", help="make the words up instead of recognising any, for load tests")
    add("--rude-words", action="store_true", help="let the recogniser hear rude words")
    options = parser.parse_args(arguments)
    if not options.api_key:
        parser.error("--api-key is required")
    if options.workers < 1 or options.concurrency < 1:
        parser.error("--workers and --concurrency must be at least 1")
    return options


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep a second server out of the folder: it would do the same jobs and send the same webhooks again."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"Another engine is using {folder}. Stop it, or give this one another --data-dir.")
        yield


async def _serve(options: argparse.Namespace) -> None:
    transcripts = Transcripts(options.data_dir / "transcripts.sqlite3")
    rude = ["--rude-words"] if options.rude_words else []
    workers = Workers(options.workers, ["--recogniser", options.recogniser, *rude])
    limits = Limits(
        concurrency=options.concurrency,
        job_s=options.job_time_limit,
        webhook_interval_s=options.webhook_interval,
        upload_s=options.upload_lifetime,
        instant=options.instant,
    )
    faults = Faults(transcripts) if options.faults else None
    jobs = Jobs(options.data_dir.resolve(), transcripts, workers, limits, faults)
    server = Server(options.api_key, jobs, transcripts, RateLimit(*options.rate), faults)
    runner = web.AppRunner(server.application(), access_log=None)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    try:
        await runner.setup()
        site = web.TCPSite(runner, _HOST, options.port, shutdown_timeout=1)
        await jobs.start()
        await site.start()
        port = runner.addresses[0][1]
        jobs.base_url = URL.build(scheme="http", host=_HOST, port=port)
        workers.start()
        if options.port_file:
            write_port(options.port_file, port)
        _LOG.info("ready on http://%s:%d", _HOST, port)
        await stop.wait()
    finally:
        await runner.cleanup()
        await jobs.close()
        await workers.close()
        transcripts.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    options = _options(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    # What fails in a handler is logged there. These two add pages about clients that broke off.
    for name in ("asyncio", "aiohttp.server"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with _alone_in(options.data_dir):
        asyncio.run(_serve(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
