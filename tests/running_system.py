"""A local AWS and an engine of a test run's own, with the environment of its clients."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest

from local.stack import FOREIGN_VARIABLES, Local


def reachable(url: str) -> str:
    """The same URL through 127.0.0.1 where its host name ends in .localhost, which Python does not resolve here."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    return url.replace(name, "127.0.0.1") if name.endswith(".localhost") else url


def say(text: str) -> None:
    """Shown by pytest where a set-up fails."""
    print(text, file=sys.stderr)  # noqa: T201


@contextmanager
def running(folder: Path, *engine_options: str) -> Iterator[Local]:
    """Start both in the folder, point boto3 and AssemblyAI's SDKs at them, stop both in the end."""
    local = Local.at(folder)
    local.engine_options = engine_options
    with pytest.MonkeyPatch.context() as patch:
        try:
            local.start(say)
            for name, value in local.client_environment().items():
                patch.setenv(name, value)
            for name in FOREIGN_VARIABLES:
                patch.delenv(name, raising=False)
            boto3.setup_default_session()  # the former one may remember other credentials
            yield local
        finally:
            local.stop(say)
            boto3.setup_default_session()
