"""What all unit tests share."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no failure, and a run that fails fails again.
settings.register_profile(
    "unit", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], max_examples=60
)
settings.load_profile("unit")


@pytest.fixture(autouse=True, scope="package")
def no_account() -> Iterator[None]:
    """No unit test sees the account, the credentials or the local stack of the shell that runs it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AWS_", "ASSEMBLYAI_")):
                patch.delenv(name)
        yield
