"""A page takes as many requests with ten thousand recordings as with a thousand; counted at the DynamoDB in memory."""

from collections.abc import Iterator

import boto3
import pytest

from audio_highlights.catalogue import Catalogue
from audio_highlights.reading import MOST_QUERIES, Reader
from bench.many_recordings import DAYS, NOW, Archive, counted_pages, tallied
from bench.tables import Tables

FILTERED = "recordings, queued (1 of 400)"  # reads on until it has found a page of them


@pytest.fixture(autouse=True)
def no_session_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-no-account")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    yield
    boto3.setup_default_session()


def requests_per_page(recordings: int, days: int) -> dict[str, int]:
    tables = Tables(archive := Archive(recordings, days))
    with tables.answering() as counts:
        tallied(archive)
        catalogue = Catalogue("RecordingsTable", "HighlightsTable", "FlowTable")
        return {name: requests for name, (requests, _) in counted_pages(counts, Reader(catalogue, lambda: NOW)).items()}


def test_ten_thousand_recordings_of_a_day_take_the_requests_of_a_thousand() -> None:
    few, many = requests_per_page(1_000, 1), requests_per_page(10_000, 1)
    assert few.pop(FILTERED) < many.pop(FILTERED) <= MOST_QUERIES
    assert many == few
    assert many == {
        "recordings": 1,
        "recordings, completed": 1,
        "recordings, failed": 1,
        "recordings of a call": 1,
        "who says a phrase": 2,
        "who says what begins so": 2,
        "who says something rare": DAYS + 1,
        "top phrases": DAYS,  # the tallies, and each small day
        "top phrases that begin so": DAYS + 1,
    }


def test_ten_thousand_recordings_of_a_month_take_no_more_than_two_requests_a_day() -> None:
    found = requests_per_page(10_000, DAYS)
    assert found.pop(FILTERED) <= MOST_QUERIES
    assert found["top phrases"] == 1
    assert max(found.values()) <= DAYS + 1
