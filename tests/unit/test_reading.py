"""What people read: nothing lost and nothing twice over pages, phrases counted right, nothing internal shown."""

import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_highlights import reading
from audio_highlights.errors import AnswerTooLarge, RecordingNotFound, RequestUnreadable
from audio_highlights.models import folded
from audio_highlights.models import utc_text as text_of
from audio_highlights.parameters import Cursor
from audio_highlights.reading import MOST_QUERIES, Reader
from audio_highlights.tally import Count, packed, said, unpacked
from tests.fakes import FakeCatalogue

NOW = datetime(2026, 11, 22, 16, 53, tzinfo=UTC)
KEY_OF_A_DAY = ("day", "created_at", "recording_id")
INTERNAL = {
    "open_shard": "0",
    "due_at": 1,
    "lease_until": 1,
    "upload_url": "https://cdn.assemblyai.com/upload/1",
    "retried_transcripts": {"t0"},
    "extra_transcripts": {"t2"},
    "etag": "e1",
}


class Archive:
    """A catalogue with a reader, and how to fill it."""

    def __init__(self) -> None:
        self.catalogue = FakeCatalogue()
        self.now = NOW
        self.numbers = itertools.count()
        self.reader = Reader(self.catalogue, lambda: self.now)

    def put(self, days_ago: int = 0, status: str = "completed", *, minute: int = 0, **more: Any) -> str:
        """A recording, by default of today."""
        recording_id = f"{next(self.numbers):032x}"
        created = (NOW - timedelta(days=days_ago)).replace(hour=8, minute=minute).isoformat().replace("+00:00", "Z")
        uris = {"highlights_uri": "s3://results/h", "transcript_uri": "s3://results/t"} if status == "completed" else {}
        self.catalogue.rows[recording_id] = {
            "recording_id": recording_id,
            "bucket": "recordings",
            "key": f"calls/{recording_id}.mp3",
            "status": status,
            "day": created[:10],
            "created_at": created,
            "attempt": Decimal(1),
            **uris,
            **INTERNAL,
            **more,
        }
        return recording_id

    def say(self, recording_id: str, *texts: str, count: int = 1, timestamps: int = 1, days_ago: int = 0) -> None:
        """The phrases of a recording that was completed so many days ago."""
        completed = (NOW - timedelta(days=days_ago)).replace(microsecond=1000 * int(recording_id, 16))
        completed_at = completed.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for text in texts:
            position = 1 + len(self.catalogue.highlights(recording_id))
            self.catalogue.phrases[recording_id, position] = {
                "recording_id": recording_id,
                "position": Decimal(position),
                "text": text,
                "phrase": folded(text),
                "count": Decimal(count),
                "rank": Decimal("0.15"),
                "timestamps": [{"start": Decimal(1000), "end": Decimal(1500)}] * timestamps,
                "completed_at": completed_at,
                "day": completed_at[:10],
                "bucket": "recordings",
                "key": f"calls/{recording_id}.mp3",
                "internal": "x",
            }

    def phrases(self, **asked: str) -> dict[str, Any]:
        return self.reader.phrases(asked, time_is_up=lambda: False)


@pytest.fixture
def archive() -> Archive:
    return Archive()


type Listing = Callable[[dict[str, str]], dict[str, Any]]


def pages(listing: Listing, asked: dict[str, str], between: Callable[[], object] = lambda: None) -> list[list[Any]]:
    """All pages, to the end."""
    found = []
    cursor: dict[str, str] = {}
    while True:
        answer = listing({**asked, **cursor})
        following = answer.pop("next")
        [page] = answer.values()
        found.append(page)
        if following is None:
            return found
        cursor = {"cursor": following}
        between()
        assert len(found) < 500, "it has no end"


def ids(page: list[dict[str, Any]]) -> list[str]:
    return [one["recording_id"] for one in page]


# ---- recordings


def test_recordings_come_newest_day_first_and_newest_first_within_a_day(archive: Archive) -> None:
    old, early, late = archive.put(3), archive.put(minute=1), archive.put(minute=2)
    assert ids(archive.reader.recordings({})["recordings"]) == [late, early, old]


def test_recordings_of_other_days_are_not_listed(archive: Archive) -> None:
    archive.put(31)
    inside = archive.put(2)
    archive.put(1)
    day = str((NOW - timedelta(days=2)).date())
    assert ids(archive.reader.recordings({"from": day, "to": day})["recordings"]) == [inside]


def test_a_list_shows_what_the_contract_names_and_nothing_internal(archive: Archive) -> None:
    archive.put(metadata={"agent": "slt"}, transcript_id="t1", audio_duration=Decimal(100))
    [[shown]] = pages(archive.reader.recordings, {})
    assert set(shown) == {"recording_id", "bucket", "key", "status", "day", "created_at", "audio_duration"}


def test_a_full_last_page_has_no_next_page_in_an_empty_period(archive: Archive) -> None:
    archive.put()
    today = str(NOW.date())
    answer = archive.reader.recordings({"limit": "1", "from": today})
    following = archive.reader.recordings({"limit": "1", "from": today, "cursor": answer["next"]})
    assert following == {"recordings": [], "next": None}


def test_a_page_looks_at_every_empty_day_of_the_longest_period(archive: Archive) -> None:
    archive.put(91)
    answer = archive.reader.recordings({"from": str((NOW - timedelta(days=91)).date())})
    assert (len(answer["recordings"]), answer["next"]) == (1, None)


def test_a_rare_status_is_searched_for_with_so_many_queries_a_page_and_the_next_goes_on(archive: Archive) -> None:
    rare = archive.put(9, "processing")
    for minute in range(59):
        for days_ago in range(8):
            archive.put(days_ago, minute=minute)
    found = pages(archive.reader.recordings, {"status": "processing", "limit": "2"})
    assert [ids(page) for page in found] == [[], [rare]]
    assert archive.catalogue.queries > MOST_QUERIES
    archive.catalogue.queries = 0
    archive.reader.recordings({"status": "processing", "limit": "2"})
    assert archive.catalogue.queries == MOST_QUERIES


def test_a_page_goes_on_in_its_own_period_though_a_day_has_passed(archive: Archive) -> None:
    oldest = archive.put(29)
    archive.put()
    answer = archive.reader.recordings({"limit": "1"})
    archive.now += timedelta(days=1)
    assert ids(archive.reader.recordings({"limit": "1", "cursor": answer["next"]})["recordings"]) == [oldest]


@given(
    st.lists(st.tuples(st.integers(0, 8), st.sampled_from(["completed", "failed"]), st.integers(0, 3)), max_size=40),
    st.integers(1, 7),
    st.sampled_from([{}, {"status": "failed"}]),
    st.integers(1, 9),
    st.booleans(),
)
def test_no_recording_is_lost_or_repeated_over_pages_while_others_arrive_and_go(
    rows: list[tuple[int, str, int]], limit: int, filtered: dict[str, str], reads: int, deleting: bool
) -> None:
    archive = Archive()
    archive.catalogue.filtered = reads
    expected = {archive.put(days_ago, status, minute=minute) for days_ago, status, minute in rows}
    expected = {
        one
        for one in expected
        if archive.catalogue.rows[one]["status"]
        in (filtered.get("status"), *[status for status in ("completed", "failed") if not filtered])
    }
    chance = random.Random(limit)
    gone: set[str] = set()

    def meanwhile() -> None:
        archive.put(status="failed", minute=59)  # newer than all there are
        if deleting and len(gone) < 3:
            deleted = chance.choice(list(archive.catalogue.rows))
            gone.add(deleted)
            del archive.catalogue.rows[deleted]

    found = [
        row for page in pages(archive.reader.recordings, {**filtered, "limit": str(limit)}, meanwhile) for row in page
    ]
    assert len(ids(found)) == len(set(ids(found)))
    assert expected - gone <= set(ids(found)) <= expected
    order = [(row["day"], row["created_at"]) for row in found]
    assert order == sorted(order, reverse=True)


def test_the_recordings_of_a_call_are_listed_whatever_their_day_and_status_the_newest_first(archive: Archive) -> None:
    archive.put(call_id="47"), archive.put()
    old, failed, new = (
        archive.put(200, call_id="4711"),
        archive.put(100, "failed", call_id="4711"),
        archive.put(call_id="4711"),
    )
    for limit in ("1", "2", "50"):
        listed = pages(archive.reader.recordings, {"call_id": " 4711 ", "limit": limit})
        assert [one for page in listed for one in ids(page)] == [new, failed, old]
    assert archive.reader.recordings({"call_id": "none"}) == {"recordings": [], "next": None}


@pytest.mark.parametrize("beside", [{"from": "2026-11-01"}, {"to": "2026-11-22"}, {"status": "failed"}])
def test_a_call_has_no_days_and_no_status(archive: Archive, beside: dict[str, str]) -> None:
    with pytest.raises(RequestUnreadable, match="without `from`"):
        archive.reader.recordings({"call_id": "4711", **beside})


@pytest.mark.parametrize("called", [" ", "\u00e4" * 513])
def test_what_no_call_can_be_called_is_refused(archive: Archive, called: str) -> None:
    with pytest.raises(RequestUnreadable, match="1 to 1024 bytes"):
        archive.reader.recordings({"call_id": called})


def test_a_cursor_of_another_call_is_refused(archive: Archive) -> None:
    archive.put(call_id="a"), archive.put(call_id="a")
    following = archive.reader.recordings({"call_id": "a", "limit": "1"})["next"]
    with pytest.raises(RequestUnreadable, match="`cursor`"):
        archive.reader.recordings({"call_id": "b", "limit": "1", "cursor": following})
    forged = Cursor({"call_id": "a", "created_at": "2026-11-22T08:00:00Z", "recording_id": "0" * 32})
    asked = {"call_id": "b", "limit": "1"}
    with pytest.raises(RequestUnreadable, match="`cursor`"):
        archive.reader.recordings({**asked, "cursor": forged.text(asked)})


# ---- one recording


def test_a_recording_has_its_highlights_and_urls(archive: Archive) -> None:
    recording_id = archive.put(metadata={"agent": "slt"}, confidence=Decimal("0.93"), version_id="v1")
    archive.say(recording_id, "internet outage", "modem")
    detail = archive.reader.recording(recording_id)
    assert (detail["metadata"], detail["confidence"], detail["attempt"]) == ({"agent": "slt"}, Decimal("0.93"), 1)
    assert [one["text"] for one in detail["highlights"]] == ["internet outage", "modem"]
    assert set(detail["highlights"][0]) == {"position", "text", "phrase", "count", "rank", "timestamps"}
    assert {"audio_url", "transcript_url", "highlights_url"} <= set(detail)
    assert not set(INTERNAL) & set(detail)
    assert not {"highlights_uri", "transcript_uri"} & set(detail)


@pytest.mark.parametrize("status", ["submitting", "queued", "processing", "failed", "ignored", "deleting"])
def test_before_it_is_completed_there_are_no_highlights_and_no_files(archive: Archive, status: str) -> None:
    recording_id = archive.put(status=status, reason="it waits", highlights_uri="s3://results/h")
    archive.say(recording_id, "not yet")
    detail = archive.reader.recording(recording_id)
    assert (detail["status"], detail["reason"], detail["highlights"]) == (status, "it waits", [])
    assert "audio_url" in detail
    assert not {"transcript_url", "highlights_url"} & set(detail)


@pytest.mark.parametrize(
    ("row", "audio", "place"),
    [
        ({"options": ["auto_highlights"]}, "original", "recordings"),
        ({"options": ["redact_pii"], "redact_audio": True}, "original", "recordings"),  # thought better of it
        ({"options": ["redact_pii", "redact_pii_audio"]}, "withheld", None),
        (
            {"options": ["redact_pii", "redact_pii_audio"], "redacted_audio_uri": "s3://results/redacted/r"},
            "redacted",
            "results",
        ),
        ({"status": "deleting", "options": ["redact_pii", "redact_pii_audio"]}, "withheld", None),
        *(
            ({"status": status, "redact_audio": True}, "withheld", None)
            for status in ("queued", "processing", "failed")
        ),
        ({"status": "failed"}, "original", "recordings"),
    ],
)
def test_88_where_redacted_audio_was_asked_for_nobody_gets_any_other(
    archive: Archive, row: dict[str, Any], audio: str, place: str | None
) -> None:
    detail = archive.reader.recording(archive.put(**row))
    assert detail["audio"] == audio
    assert (detail["audio_url"] or "").startswith(f"https://{place}.example.com/" if place else "")
    assert bool(detail["audio_url"]) == bool(place)


def test_a_recording_shows_what_was_asked_for_and_what_else_was_found(archive: Archive) -> None:
    shown: dict[str, Any] = {
        "call_id": "4711",
        "options": ["auto_highlights", "speaker_labels"],
        "insights": {"speakers": Decimal(2)},
        "summary": "Ada asks for a refund.",
        "summary_status": "success",
    }
    detail = archive.reader.recording(archive.put(**shown))
    assert {name: detail[name] for name in shown} == shown


@pytest.mark.parametrize("recording_id", ["f" * 32, "F" * 32, "", "x" * 5000, "../" * 3, "0" * 32 + "\n"])
def test_what_is_no_recording_is_not_found(archive: Archive, recording_id: str) -> None:
    archive.put()
    with pytest.raises(RecordingNotFound, match="no recording"):
        archive.reader.recording(recording_id)


def test_an_answer_holds_a_hundred_thousand_timestamps_those_of_the_highest_ranks(archive: Archive) -> None:
    recording_id = archive.put()
    archive.say(recording_id, *map(str, range(25)), timestamps=5000)
    highlights = archive.reader.recording(recording_id)["highlights"]
    assert [len(one["timestamps"]) for one in highlights] == [5000] * 20 + [0] * 5
    assert [one.get("timestamps_cut", False) for one in highlights] == [False] * 20 + [True] * 5


# ---- phrases


def test_phrases_come_by_recordings_then_by_count_then_by_name(archive: Archive) -> None:
    one, two = archive.put(), archive.put()
    archive.say(one, "everywhere", "b once", "a once")
    archive.say(two, "everywhere")
    archive.say(two, "often", count=5)
    phrases = archive.phrases()["phrases"]
    assert [(each["phrase"], each["recordings"], each["count"]) for each in phrases] == [
        ("everywhere", 2, 2),
        ("often", 1, 5),
        ("a once", 1, 1),
        ("b once", 1, 1),
    ]
    assert [each["phrase"] for each in archive.phrases(limit="1")["phrases"]] == ["everywhere"]


def test_a_trend_counts_each_day_from_the_first_to_the_last(archive: Archive) -> None:
    for days_ago, count in ((0, 1), (0, 2), (3, 4), (5, 8)):
        archive.say(archive.put(), "refund", count=count, days_ago=days_ago)
    answer = archive.phrases(**{"from": "2026-11-19"})
    assert (answer["from"], answer["to"]) == ("2026-11-19", "2026-11-22")
    [refund] = answer["phrases"]
    assert (refund["trend"], refund["count"], refund["recordings"]) == ([4, 0, 0, 3], 7, 3)


def test_a_phrase_is_written_as_most_write_it(archive: Archive) -> None:
    for text in ("refund", "Refund", "Refund", "REFUND"):
        archive.say(archive.put(), text, days_ago=int(text.isupper()))
    [refund] = archive.phrases()["phrases"]
    assert (refund["phrase"], refund["text"], refund["count"]) == ("refund", "Refund", 4)


def test_a_recording_that_writes_a_phrase_in_two_ways_says_it_once(archive: Archive) -> None:
    archive.say(archive.put(), "Stra\u00dfe", "STRASSE")
    [street] = archive.phrases()["phrases"]
    assert (street["recordings"], street["count"]) == (1, 2)


def test_a_prefix_finds_phrases_whatever_the_case(archive: Archive) -> None:
    archive.say(archive.put(), "internet outage", "Internet speed", "intern", "outage")
    found = archive.phrases(prefix="  INTERNET ")["phrases"]
    assert [one["phrase"] for one in found] == ["internet outage", "internet speed"]


def test_a_day_of_many_pages_is_counted_whole(archive: Archive) -> None:
    archive.catalogue.page = 3
    for _ in range(5):
        archive.say(archive.put(), "refund", "modem")
    assert [(one["phrase"], one["recordings"]) for one in archive.phrases()["phrases"]] == [("modem", 5), ("refund", 5)]


def test_when_the_time_is_up_fewer_days_must_be_asked_for(archive: Archive) -> None:
    with pytest.raises(AnswerTooLarge, match="fewer days"):
        archive.reader.phrases({}, time_is_up=lambda: True)


# ---- who says them


def test_who_says_a_phrase_comes_newest_first_of_all_days(archive: Archive) -> None:
    old, new, other = archive.put(), archive.put(), archive.put()
    archive.say(old, "Refund", days_ago=400)
    archive.say(new, "noise", "refund", timestamps=2)
    archive.say(other, "refunds")
    answer = archive.reader.sayings({"phrase": " ReFund"})
    assert [(one["recording_id"], one["position"], one["text"]) for one in answer["sayings"]] == [
        (new, 2, "refund"),
        (old, 1, "Refund"),
    ]
    assert len(answer["sayings"][0]["timestamps"]) == 2
    assert "internal" not in answer["sayings"][0]
    assert answer["next"] is None


def test_a_long_phrase_is_found_by_the_part_that_is_stored(archive: Archive) -> None:
    long = "\u00df" * 400
    archive.say(archive.put(), long)
    assert len(archive.reader.sayings({"phrase": long})["sayings"]) == 1
    assert len(archive.reader.sayings({"prefix": long})["sayings"]) == 1


def test_a_prefix_finds_who_says_it_newest_day_first(archive: Archive) -> None:
    old, new = archive.put(), archive.put()
    archive.say(old, "refund", days_ago=1)
    archive.say(new, "Refund policy", "refund", "outage")
    archive.say(archive.put(), "refund", days_ago=40)
    found = archive.reader.sayings({"prefix": "REF"})["sayings"]
    assert [(one["recording_id"], one["phrase"]) for one in found] == [
        (new, "refund"),
        (new, "refund policy"),
        (old, "refund"),
    ]


@pytest.mark.parametrize("asked", [{}, {"phrase": "a", "prefix": "b"}, {"phrase": ""}, {"from": "2026-11-22"}])
def test_either_a_phrase_or_a_prefix_is_needed(archive: Archive, asked: dict[str, str]) -> None:
    with pytest.raises(RequestUnreadable, match="either `phrase`"):
        archive.reader.sayings(asked)


def test_what_was_deleted_since_the_index_was_read_is_left_out(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, there = archive.put(), archive.put()
    for one in (gone, there):
        archive.say(one, "refund")
    items = archive.catalogue.items
    monkeypatch.setattr(
        archive.catalogue, "items", lambda keys: [one for one in items(keys) if one["recording_id"] != gone]
    )
    assert ids(archive.reader.sayings({"phrase": "refund"})["sayings"]) == [there]


@pytest.mark.parametrize("by", ["phrase", "prefix"])
def test_a_page_with_many_timestamps_is_shorter_and_the_next_goes_on(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    monkeypatch.setattr(reading, "MOST_TIMESTAMPS", 7)
    said = [archive.put() for _ in range(5)]
    for one in said:
        archive.say(one, "refund", timestamps=3)
    found = pages(archive.reader.sayings, {by: "refund"})
    assert [len(page) for page in found] == [2, 2, 1]
    assert sorted(recording_id for page in found for recording_id in ids(page)) == said


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["a", "ab", "abc", "b"])), max_size=30),
    st.integers(1, 6),
    st.sampled_from([{"phrase": "ab"}, {"prefix": "a"}, {"prefix": "ab"}]),
)
def test_nobody_who_says_it_is_lost_or_repeated_over_pages(
    said: list[tuple[int, str]], limit: int, asked: dict[str, str]
) -> None:
    archive = Archive()
    expected = []
    for days_ago, text in said:
        recording_id = archive.put()
        archive.say(recording_id, text, days_ago=days_ago)
        if text == asked.get("phrase") or text.startswith(asked.get("prefix", "z")):
            expected.append(recording_id)

    arrivals = itertools.repeat("a new one", 3)

    def meanwhile() -> None:
        archive.say(archive.put(), *itertools.islice(arrivals, 1))

    found = [one for page in pages(archive.reader.sayings, {**asked, "limit": str(limit)}, meanwhile) for one in page]
    assert sorted(ids([one for one in found if one["text"] != "a new one"])) == expected
    assert len({(one["recording_id"], one["position"]) for one in found}) == len(found)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"phrase": "refund"}, {"phrase": "modem"}),
        ({"phrase": "refund"}, {"prefix": "refund"}),
        ({"prefix": "refund"}, {"prefix": "ref"}),
        ({"prefix": "refund"}, {"prefix": "refund", "to": "2026-11-22"}),
    ],
)
def test_a_cursor_of_another_search_is_refused(archive: Archive, first: dict[str, str], second: dict[str, str]) -> None:
    for _ in range(2):
        archive.say(archive.put(), "refund", "modem")
    cursor = archive.reader.sayings({**first, "limit": "1"})["next"]
    assert cursor
    assert ids(archive.reader.sayings({**first, "limit": "1", "cursor": cursor})["sayings"])
    with pytest.raises(RequestUnreadable, match="`cursor`"):
        archive.reader.sayings({**second, "limit": "1", "cursor": cursor})


# ---- large days


def count_ahead(archive: Archive, days_ago: int = 0, left_out: int = 0) -> datetime:
    """Have a day counted as the sweep does, without its rarest phrases; returns when."""
    day = str((NOW - timedelta(days_ago)).date())
    counted_at = NOW - timedelta(minutes=10 * (days_ago + 1))
    rows = sorted(
        (row for row in archive.catalogue.phrases.values() if row["day"] == day), key=lambda row: row["phrase"]
    )
    phrases = sorted(said(rows), key=lambda one: one.order)
    kept = unpacked(packed(phrases[: len(phrases) - left_out]))
    archive.catalogue.counts[day] = Count(counted_at, kept, left_out)
    return counted_at


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.lists(st.sampled_from(["A", "a", "ab", "b", "\u00df", "SS"]), max_size=4)),
        max_size=12,
    ),
    st.sets(st.integers(0, 2)),
    st.sampled_from(["", "a", "s"]),
)
def test_days_that_were_counted_ahead_give_the_same_answer(
    recordings: list[tuple[int, list[str]]], large: set[int], prefix: str
) -> None:
    archive = Archive()
    for days_ago, texts in recordings:
        archive.say(archive.put(days_ago), *texts, days_ago=days_ago)
    asked = {"prefix": prefix} if prefix else {}
    live = archive.phrases(**asked)
    for days_ago in large:
        count_ahead(archive, days_ago)
    ahead = archive.phrases(**asked)
    assert [(one["phrase"], one["trend"]) for one in ahead["phrases"]] == [
        (one["phrase"], one["trend"]) for one in live["phrases"]
    ]
    assert [one["recordings"] for one in ahead["phrases"]] == [one["recordings"] for one in live["phrases"]]


def test_an_answer_says_since_when_phrases_may_be_missing(archive: Archive) -> None:
    for days_ago in range(3):
        archive.say(archive.put(days_ago), "refund", days_ago=days_ago)
    assert archive.phrases()["counted_at"] is None
    count_ahead(archive, 0)
    count_ahead(archive, 2)
    answer = archive.phrases()
    assert (answer["counted_at"], answer["rarest_left_out"]) == ("2026-11-22T16:23:00.000Z", False)
    assert archive.phrases(**{"from": "2026-11-21"})["counted_at"] == "2026-11-22T16:43:00.000Z"


def test_the_rarest_phrases_of_a_large_day_are_left_out_of_a_list_and_found_by_how_they_begin(archive: Archive) -> None:
    archive.say(archive.put(), "refund", "router", "zebra")
    archive.say(archive.put(), "refund", "router")
    count_ahead(archive, left_out=1)
    answer = archive.phrases()
    assert ([one["phrase"] for one in answer["phrases"]], answer["rarest_left_out"]) == (["refund", "router"], True)
    answer = archive.phrases(prefix="zeb")
    assert ([one["phrase"] for one in answer["phrases"]], answer["rarest_left_out"]) == (["zebra"], False)
    assert answer["counted_at"] is None


def test_a_prefix_that_too_much_begins_with_is_looked_up_in_the_tally(archive: Archive) -> None:
    for _ in range(51):
        archive.say(archive.put(), *(f"refund {number}" for number in range(10)))
    counted_at = count_ahead(archive, left_out=3)
    answer = archive.phrases(prefix="refund")
    assert len(answer["phrases"]) == 7
    assert (answer["rarest_left_out"], answer["counted_at"]) == (True, text_of(counted_at))


@pytest.mark.parametrize("recordings", [10, 200])
def test_a_page_of_phrases_takes_one_request_however_much_was_said_on_large_days(
    archive: Archive, recordings: int
) -> None:
    archive.catalogue.page = 100
    for number in range(recordings):
        archive.say(archive.put(), "refund", f"only {number}")
    count_ahead(archive, left_out=5)
    for prefix, queries in ((None, 30), ("only", 31)):
        archive.catalogue.queries = 0
        archive.phrases(**({"prefix": prefix} if prefix else {}))
        assert (
            archive.catalogue.queries == queries
        )  # the tallies, a small day each, and what begins so on the large one


# ---- what ended badly


@pytest.mark.parametrize("status", ["failed", "ignored"])
def test_what_ended_badly_takes_one_query_a_page_however_many_did_not(archive: Archive, status: str) -> None:
    rare = [archive.put(days_ago, status, minute=minute) for days_ago in (1, 4) for minute in (30, 20)]
    for minute in range(59):
        for days_ago in range(6):
            archive.put(days_ago, minute=minute)
    archive.put(3, "failed" if status == "ignored" else "ignored")
    archive.put(40, status)
    found = pages(archive.reader.recordings, {"status": status, "limit": "3"})
    assert [ids(page) for page in found] == [rare[:3], rare[3:]]
    assert archive.catalogue.queries == 2


def test_a_cursor_that_is_not_of_its_day_is_refused(archive: Archive) -> None:
    for minute in (1, 2):
        archive.put(0, "failed", minute=minute)
    asked = {"status": "failed", "limit": "1"}
    good = Cursor.read({**asked, "cursor": archive.reader.recordings(asked)["next"]}, KEY_OF_A_DAY, of_days=True)
    forged = Cursor(good.key | {"created_at": "2020-01-01T08:00:00.000Z"}, good.period)
    with pytest.raises(RequestUnreadable, match="cursor"):
        archive.reader.recordings({**asked, "cursor": forged.text(asked)})
