"""What is read, from real tables and buckets: the same as the fake of the unit tests says, key by key."""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import requests

from audio_highlights.catalogue import Catalogue
from audio_highlights.errors import RecordingNotFound, ResultGone
from audio_highlights.models import Highlight, Status, Upload
from audio_highlights.reading import Reader
from audio_highlights.storage import Ledger, Results
from audio_highlights.tallies import Tallies
from audio_highlights.tally import Count, Said, Tallier, Tally, said
from tests.fakes import FakeCatalogue
from tests.integration.conftest import Tables

NOW = datetime(2026, 11, 22, 16, 53, tzinfo=UTC)


@dataclass
class Store:
    """The tables, as the pipeline writes them."""

    tables: Tables
    results: str
    moment: datetime = NOW

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.tables.recordings, self.tables.highlights, lambda: self.moment)

    @property
    def reader(self) -> Reader:
        return Reader(Catalogue(self.tables.recordings, self.tables.highlights, self.tables.flow), lambda: NOW)

    def put(self, key: str, *texts: str, days_ago: int = 0, timestamps: int = 2) -> str:
        """A recording that was completed so many days ago."""
        self.moment = NOW - timedelta(days=days_ago)
        upload = Upload("calls", key, "v1", "e1", 4711)
        recording = self.ledger.claim(upload, {"agent": "slt", "call_id": str(days_ago % 2)}, 120).recording
        assert self.ledger.record_transcript(recording, "t1", Status.PROCESSING, 900)
        spoken = tuple((1000 * number, 1000 * number + 500) for number in range(timestamps))
        highlights = [
            Highlight(place, text, timestamps, Decimal("0.15"), spoken) for place, text in enumerate(texts, start=1)
        ]
        document = {"auto_highlights_result": {"status": "success", "results": []}}
        facts = {
            "highlights_uri": Results(self.results).put_highlights(recording, document),
            "transcript_uri": Results(self.results).put_transcript(recording, {"words": []}),
            "confidence": Decimal("0.84066"),
        }
        assert self.ledger.complete(recording, facts, highlights)
        return recording.recording_id

    def fail(self, key: str, *, days_ago: int = 0) -> str:
        self.moment = NOW - timedelta(days=days_ago)
        upload = Upload("calls", key, "v1", "e1", 0)
        assert self.ledger.refuse(upload, {}, "it is empty", Status.IGNORED) is None
        return upload.recording_id


@pytest.fixture
def store(tables: Tables, bucket: str) -> Store:
    return Store(tables, bucket)


def all_of(listing: Callable[[dict[str, str]], dict[str, Any]], of: str, **asked: str) -> list[Any]:
    found = []
    cursor: dict[str, str] = {}
    for _ in range(200):
        page = listing({**asked, **cursor})
        found += page[of]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}
    pytest.fail("the pages have no end")


def test_a_completed_recording_is_read_with_its_highlights(store: Store) -> None:
    recording_id = store.put("a b+c/\u00fc.mp3", "Internet Outage", "modem")
    detail = store.reader.recording(recording_id)
    assert (detail["key"], detail["status"], detail["confidence"]) == (
        "a b+c/\u00fc.mp3",
        "completed",
        Decimal("0.84066"),
    )
    assert [(one["position"], one["phrase"]) for one in detail["highlights"]] == [(1, "internet outage"), (2, "modem")]
    assert not {"lease_until", "etag", "highlights_uri"} & set(detail)
    with pytest.raises(RecordingNotFound):
        store.reader.recording("f" * 32)


def test_the_index_of_days_has_what_a_list_shows(store: Store) -> None:
    recording_id = store.put("call.mp3", "modem", days_ago=3)
    [listed] = store.reader.recordings({})["recordings"]
    row = store.reader.recording(recording_id)
    assert listed == {name: row[name] for name in listed}
    assert {"key", "size_bytes", "completed_at", "status", "day", "created_at"} <= set(listed)


@pytest.mark.parametrize("limit", ["1", "2", "7"])
@pytest.mark.parametrize("status", [None, "ignored", "completed", "failed"])
def test_all_pages_have_every_recording_once_newest_first(store: Store, limit: str, status: str | None) -> None:
    chance = random.Random(limit)
    rows = {}
    for number in range(14):
        days_ago = chance.randint(0, 4)
        put = store.put if number % 3 else store.fail
        rows[put(f"{number}.mp3", days_ago=days_ago)] = "completed" if number % 3 else "ignored"
    asked = {"limit": limit, **({"status": status} if status else {})}
    found = all_of(store.reader.recordings, "recordings", **asked)
    assert sorted(one["recording_id"] for one in found) == sorted(
        recording_id for recording_id, of in rows.items() if status in (None, of)
    )
    moments = [one["created_at"] for one in found]
    assert moments == sorted(moments, reverse=True)


def test_a_page_goes_on_though_the_row_it_ended_with_is_gone(store: Store) -> None:
    ids = [store.put(f"{number}.mp3", days_ago=number) for number in range(3)]
    first = store.reader.recordings({"limit": "1"})
    assert [one["recording_id"] for one in first["recordings"]] == ids[:1]
    key = {"recording_id": {"S": ids[0]}}
    boto3.client("dynamodb").delete_item(TableName=store.tables.recordings, Key=key)
    following = store.reader.recordings({"limit": "1", "cursor": first["next"]})
    assert [one["recording_id"] for one in following["recordings"]] == [ids[1]]


def test_phrases_are_counted_over_days_and_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        store.put(f"{number}.mp3", "Refund", "refund policy", f"only {number}", days_ago=number % 2)
    query = Catalogue.phrases_of
    # By DynamoDB's megabyte it would take thousands.
    monkeypatch.setattr(Catalogue, "phrases_of", lambda self, day, prefix, after, _: query(self, day, prefix, after, 2))
    answer = store.reader.phrases({"from": "2026-11-21"}, time_is_up=lambda: False)
    assert [(one["phrase"], one["recordings"], one["trend"]) for one in answer["phrases"][:2]] == [
        ("refund", 5, [4, 6]),
        ("refund policy", 5, [4, 6]),
    ]
    assert len(answer["phrases"]) == 7
    found = store.reader.phrases({"prefix": "REFUND P"}, time_is_up=lambda: False)["phrases"]
    assert [one["phrase"] for one in found] == ["refund policy"]


@pytest.mark.parametrize("asked", [{"phrase": "REFUND"}, {"prefix": "Refund"}])
def test_who_says_a_phrase_is_found_over_pages_with_every_moment(store: Store, asked: dict[str, str]) -> None:
    ids = [store.put(f"{number}.mp3", "modem", "refund", days_ago=number // 2) for number in range(5)]
    found = all_of(store.reader.sayings, "sayings", limit="2", **asked)
    assert sorted(one["recording_id"] for one in found) == sorted(ids)
    assert {one["position"] for one in found} == {2}
    assert all(one["timestamps"] == [{"start": 0, "end": 500}, {"start": 1000, "end": 1500}] for one in found)
    days = [one["completed_at"][:10] for one in found]
    assert days == sorted(days, reverse=True)


def test_more_items_than_a_batch_takes_are_all_read(store: Store) -> None:
    ids = [store.put(f"{number}.mp3", *"abcdefghijklmno") for number in range(8)]
    keys = [(recording_id, place) for recording_id in ids for place in range(1, 16)]
    catalogue = Catalogue(store.tables.recordings, store.tables.highlights, store.tables.flow)
    found = catalogue.items([*keys, keys[0], ("f" * 32, 1)])
    assert sorted((item["recording_id"], int(item["position"])) for item in found) == sorted(keys)


def test_the_longest_phrase_is_stored_and_found(store: Store) -> None:
    text = "\U0001f600 " * 400
    recording_id = store.put("a.mp3", text)
    for asked in ({"phrase": text}, {"prefix": text}):
        [saying] = store.reader.sayings(asked)["sayings"]
        assert saying["recording_id"] == recording_id


def test_the_fake_and_the_tables_give_the_same_rows_and_keys(store: Store) -> None:
    chance = random.Random(7)
    for number in range(12):
        put = store.put if number % 2 else store.fail
        put(f"{number}.mp3", *(("a", "ab", "b") if number % 2 else ()), days_ago=chance.randint(0, 1))
    real = Catalogue(store.tables.recordings, store.tables.highlights, store.tables.flow)
    fake = FakeCatalogue()
    tables = boto3.resource("dynamodb")
    for row in tables.Table(store.tables.recordings).scan()["Items"]:
        fake.rows[str(row["recording_id"])] = row
    for item in tables.Table(store.tables.highlights).scan()["Items"]:
        fake.phrases[str(item["recording_id"]), int(str(item["position"]))] = item
    for day, most in itertools.product(("2026-11-22", "2026-11-21", "2026-11-20"), (1, 3, 50)):
        for prefix in ("", "a", "ab", "x"):
            found, expected = (walked(partial(one.phrases_of, day, prefix, most=most)) for one in (real, fake))
            assert found == expected
        for status in (None, "ignored"):
            found, expected = (walked(partial(one.recordings_of, day, status, most=most)) for one in (real, fake))
            # Rows of one moment come in an order of DynamoDB's own.
            assert sorted(found) == sorted(expected)
    for called, most in itertools.product(("0", "1", "2"), (1, 3, 50)):
        found, expected = (walked(partial(one.by_call, called, most=most)) for one in (real, fake))
        assert sorted(found) == sorted(expected)
        assert bool(found) == (called != "2")


def test_the_index_of_calls_has_what_a_list_shows(store: Store) -> None:
    for number in range(4):
        store.put(f"{number}.mp3", "modem", days_ago=number)  # of the calls 0 and 1
    found = all_of(store.reader.recordings, "recordings", call_id="1", limit="1")
    assert [one["key"] for one in found] == ["1.mp3", "3.mp3"]
    assert found == [one for one in store.reader.recordings({})["recordings"] if one["key"] in ("1.mp3", "3.mp3")]


def walked(query: Callable[..., Any]) -> list[str]:
    found: list[str] = []
    after: dict[str, Any] | None = None
    while True:
        rows, after = query(after=after)
        found += [row["recording_id"] for row in rows]
        if after is None:
            return found


def test_urls_are_of_one_version_for_an_hour_and_shown_in_the_page(store: Store, versioned_bucket: str) -> None:
    s3 = boto3.client("s3")
    first = s3.put_object(Bucket=versioned_bucket, Key="a b+#\u00fc.mp3", Body=b"the first")["VersionId"]
    s3.put_object(Bucket=versioned_bucket, Key="a b+#\u00fc.mp3", Body=b"the second")
    catalogue = Catalogue(store.tables.recordings, store.tables.highlights, store.tables.flow)
    row = {"bucket": versioned_bucket, "key": "a b+#\u00fc.mp3"}
    url = catalogue.audio_url({**row, "version_id": first})
    assert requests.get(url, timeout=30).content == b"the first"
    assert requests.get(catalogue.audio_url(row), timeout=30).content == b"the second"
    query = parse_qs(urlsplit(url).query)
    assert (query["X-Amz-Expires"], query["response-content-disposition"]) == (["3600"], ["inline"])
    assert requests.get(url.replace(first, "another"), timeout=30).status_code == 403


def test_a_file_is_read_by_its_uri_until_it_is_gone(store: Store) -> None:
    recording_id = store.put("a.mp3", "modem")
    assert store.reader.export(recording_id, {"format": "vtt"}).text == "WEBVTT\n"
    assert requests.get(store.reader.recording(recording_id)["highlights_url"], timeout=30).json()
    s3 = boto3.client("s3")
    for stored in s3.list_objects_v2(Bucket=store.results)["Contents"]:
        s3.delete_object(Bucket=store.results, Key=stored["Key"])
    with pytest.raises(ResultGone):
        store.reader.export(recording_id, {"format": "csv"})


def test_what_ended_badly_is_listed_as_such_until_it_is_asked_for_again_or_deleted(store: Store) -> None:
    again, deleted, left = (store.fail(f"{number}.mp3", days_ago=number) for number in range(3))
    ledger = store.ledger

    def listed() -> list[str]:
        return [one["recording_id"] for one in store.reader.recordings({"status": "ignored"})["recordings"]]

    assert listed() == [again, deleted, left]
    [first, second] = [ledger.get(one) for one in (again, deleted)]
    assert first
    assert second
    assert ledger.ask_again(first, "asked for again")
    assert ledger.ask_to_delete(second)
    assert listed() == [left]
    claimed = ledger.claim(first.upload, {}, 120).recording
    assert ledger.end(claimed, Status.FAILED, "no audio")
    assert [one["reason"] for one in store.reader.recordings({"status": "failed"})["recordings"]] == ["no audio"]


def test_what_a_deletion_takes_out_of_the_tally_is_what_was_counted(store: Store) -> None:
    store.put("a.mp3", "refund", "modem")
    deleted = store.put("b.mp3", "Refund", "a name")
    tallies = Tallies(store.tables.flow, store.tables.highlights)
    day = "2026-11-22"
    counted = Count(NOW, sorted(said(row for page in tallies.phrases(day, None) for row in page), key=by_order))
    assert tallies.write(Tally(day, counted=counted))
    recording = store.ledger.get(deleted)
    assert recording
    Tallier(tallies, lambda: NOW).forget(store.ledger.phrases(recording))
    [kept] = Catalogue(store.tables.recordings, store.tables.highlights, store.tables.flow).tallies([day]).values()
    assert sorted((one.phrase, one.recordings, one.text) for one in kept.said) == [
        ("modem", 1, "modem"),
        ("refund", 1, "refund"),
    ]


def by_order(one: Said) -> tuple[int, int, str]:
    return one.order
