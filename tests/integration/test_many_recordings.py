"""What is counted at the DynamoDB in memory is what the local AWS is asked: page by page the same requests, answers."""

import base64
import json
import math
from collections.abc import Sequence
from typing import Any

import boto3
import pytest

from audio_highlights.catalogue import Catalogue
from audio_highlights.reading import Reader
from audio_highlights.storage import to_item
from audio_highlights.tallies import Tallies
from audio_highlights.tally import Tallier, Tally
from bench.many_recordings import NOW, PAGES, Archive
from bench.tables import Counts, Tables, counted
from tests.integration.conftest import Tables as Names

RECORDINGS = 400  # on one day: 5,940 phrases


def written(table: str, items: Sequence[dict[str, Any]]) -> None:
    client = boto3.client("dynamodb")
    for start in range(0, len(items), 25):
        writes: Any = [{"PutRequest": {"Item": to_item(_exact(item))}} for item in items[start : start + 25]]
        assert not client.batch_write_item(RequestItems={table: writes})["UnprocessedItems"]


def _exact(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if not isinstance(value, float)}


def asked(counts: Counts, names: Names) -> dict[str, tuple[dict[str, int], Any]]:
    """Of each page, before and after the large day was counted: the requests, and the answer."""
    found: dict[str, tuple[dict[str, int], Any]] = {}
    tallies = Tallies(names.flow, names.highlights)
    for when in ("", "counted ahead: "):
        reader = Reader(Catalogue(names.recordings, names.highlights, names.flow), lambda: NOW)
        for name, page in PAGES.items():
            counts.requests.clear()
            answer = page(reader)
            found[when + name] = dict(counts.requests), comparable(answer)
        counts.requests.clear()
        Tallier(tallies, lambda: NOW).count(until=math.inf)
        found[when + "counting"] = dict(counts.requests), None
    return found


def comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """Without what was not written; a cursor's parts come in any order."""
    for one in answer.get("sayings", []):
        one.pop("rank", None)
    if following := answer.get("next"):
        answer["next"] = json.loads(base64.urlsafe_b64decode(following + "=" * (-len(following) % 4)))
    return answer


def test_the_dynamodb_in_memory_answers_and_counts_as_the_local_aws_does(tables: Names) -> None:
    archive = Archive(RECORDINGS, 1)
    written(tables.recordings, archive.recordings())
    written(tables.highlights, archive.highlights())
    with counted() as counts:
        real = asked(counts, tables)
    in_memory = Tables(archive)
    with in_memory.answering() as counts:
        simulated = asked(counts, Names("RecordingsTable", "HighlightsTable", "FlowTable"))
    boto3.setup_default_session()
    assert {name: requests for name, (requests, _) in simulated.items()} == {
        name: requests for name, (requests, _) in real.items()
    }
    assert {name: answer for name, (_, answer) in simulated.items()} == {
        name: answer for name, (_, answer) in real.items()
    }
    assert real["counted ahead: top phrases"][1]["counted_at"]
    assert not real["top phrases"][1]["counted_at"]


def test_a_tally_is_written_only_in_the_place_of_the_one_it_comes_from(tables: Names) -> None:
    tallies = Tallies(tables.flow, tables.highlights)
    tally = tallies.read("2026-11-22")
    assert tally == Tally("2026-11-22")
    assert tallies.write(tally)
    assert not tallies.write(tally)
    tally = tallies.read("2026-11-22")
    assert tally.generation == 1
    assert tallies.write(tally)
    assert not tallies.write(tally)
    assert tallies.read("2026-11-22").generation == 2


@pytest.mark.parametrize("beyond", [None, "common phrase 010", "zzz"])
def test_a_count_goes_on_beyond_a_phrase(tables: Names, beyond: str | None) -> None:
    archive = Archive(30, 1)
    written(tables.highlights, archive.highlights())
    tallies = Tallies(tables.flow, tables.highlights)
    found = [row["phrase"] for page in tallies.phrases("2026-11-22", beyond) for row in page]
    assert found == sorted(one["phrase"] for one in archive.highlights() if beyond is None or one["phrase"] > beyond)
