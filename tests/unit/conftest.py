"""What all unit tests share."""

import io
import itertools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest
from aws_lambda_powertools import Logger
from hypothesis import HealthCheck, settings

from audio_highlights.observability import function_logger

if TYPE_CHECKING:
    import logging

# A busy machine is no failure, and a run that fails fails again.
settings.register_profile(
    "unit", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], max_examples=60
)
settings.load_profile("unit")


_services = itertools.count(1)


@pytest.fixture(autouse=True, scope="package")
def no_account() -> Iterator[None]:
    """No unit test sees the account, the credentials or the local stack of the shell that runs it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AWS_", "ASSEMBLYAI_")):
                patch.delenv(name)
        yield


@pytest.fixture
def output() -> io.StringIO:
    """What `logger` writes."""
    return io.StringIO()


@pytest.fixture
def logger(output: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Logger:
    """A function's logger that no other test has used."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"test-{next(_services)}")
    logger = function_logger()
    cast("logging.StreamHandler[io.StringIO]", logger.handlers[0]).setStream(output)
    return logger
