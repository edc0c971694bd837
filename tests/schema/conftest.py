"""The specification is not part of this project: its path is given."""

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--spec", type=Path, required=True, help="AssemblyAI's openapi.yml")
