"""What tests share and what they do not.

Those that share what takes long to start run one after the other, in one process of the test run.
"""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from audio_highlights import storage

TESTS = Path(__file__).parent
_TOGETHER = ("e2e/test_soak.py", "e2e/page", "e2e", "integration/engine", "integration")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", type=Path, metavar="FOLDER", help="Keep the pictures of the page there.")
    parser.addoption("--cli-page", action="store_true", help="Write what the commands said into docs/cli.md.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of the deployed stacks, of the engine and of the local AWS together; unit tests run anywhere."""
    for item in items:
        place = item.path.relative_to(TESTS).as_posix()
        group = next((one for one in _TOGETHER if place.startswith(one)), None)
        if group:
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Half a surrogate pair in what a test logged would not survive the way of its report between the processes."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(autouse=True)
def own_clients() -> Iterator[None]:
    """No test, nor what is set up for the next ones, talks through AWS clients of another region or account."""
    forget: Callable[[], None] = storage.client.cache_clear  # type: ignore[attr-defined]  # for mypy it is boto3.client
    forget()
    yield
    forget()
