"""A stack on a local AWS of its own, with an engine that answers at once, for as long as it is measured."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import requests

from audio_highlights import storage
from bench.report import Say
from cli.stack import Stack
from local.stack import DEFAULT_STACK_NAME, FOREIGN_VARIABLES, PROJECT, Local

RECORDING = PROJECT / "tests" / "fixtures" / "refund.mp3"


@contextmanager
def running_stack(say: Say, **parameters: str) -> Iterator[tuple[Local, Stack]]:
    """Start, deploy, and stop in the end; boto3 points at it meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        local = Local.at(Path(folder))
        local.engine_options = ("--instant", "--concurrency", "1000")
        try:
            local.start(say)
            with clients_of(local):
                local.build(say)
                local.deploy(say, parameters=parameters)
                yield local, Stack.named(DEFAULT_STACK_NAME)
        finally:
            local.stop(say)


@contextmanager
def clients_of(local: Local) -> Iterator[None]:
    """AWS clients that are made meanwhile speak to this local AWS, and are forgotten after."""
    with patch.dict(os.environ, local.client_environment()):
        for name in FOREIGN_VARIABLES:
            os.environ.pop(name, None)
        forget_clients()
        try:
            yield
        finally:
            forget_clients()


def forget_clients() -> None:
    """Clients remember where they speak to and as whom: whoever changes that begins anew."""
    boto3.setup_default_session()
    storage.client.cache_clear()  # type: ignore[attr-defined]  # for mypy it is boto3.client


def transcripts(local: Local) -> Iterator[dict[str, Any]]:
    """All that the engine knows, as AssemblyAI lists them: with status, times and audio_url."""
    url: str | None = f"{local.engine_url}/v2/transcript?limit=200"
    while url:
        answer = requests.get(url, headers={"Authorization": local.engine_key}, timeout=10)
        answer.raise_for_status()
        page = answer.json()
        yield from page["transcripts"]
        url = page["page_details"]["prev_url"]
