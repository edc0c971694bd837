"""The pipeline's data: identities, events, numbers, phrases."""

import json
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from audio_highlights.errors import MalformedMessage
from audio_highlights.models import (
    Finished,
    Highlight,
    HighlightsStatus,
    Transcript,
    Upload,
    utc_text,
    without_url_queries,
)

UPLOAD = Upload("recordings", "calls/refund.wav", "v1", "e1", 1000)
TEXTS = st.text(max_size=20)
UPLOADS = st.builds(Upload, TEXTS, TEXTS, st.none() | st.text(min_size=1, max_size=9), TEXTS, st.just(1))


def event(**stored: Any) -> dict[str, Any]:
    """EventBridge's event of S3, with these fields of the object."""
    return {
        "version": "0",
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"version": "0", "bucket": {"name": "recordings"}, "object": stored, "reason": "PutObject"},
    }


# ---- recording_id


def test_a_recording_id_never_changes() -> None:
    # Rows of last year are found by it: a change of this value needs a migration.
    assert UPLOAD.recording_id == "f2816467434589c1884407d4261f3212"


def test_with_versions_only_place_and_version_make_the_recording() -> None:
    assert replace(UPLOAD, etag="e2", size_bytes=7).recording_id == UPLOAD.recording_id
    assert replace(UPLOAD, version_id="v2").recording_id != UPLOAD.recording_id


def test_without_versions_new_content_is_a_new_recording() -> None:
    unversioned = replace(UPLOAD, version_id=None)
    assert replace(unversioned, size_bytes=7).recording_id == unversioned.recording_id
    assert replace(unversioned, etag="e2").recording_id != unversioned.recording_id


def test_a_version_and_an_etag_of_the_same_text_are_two_recordings() -> None:
    assert Upload("b", "k", "x", "x", 1).recording_id != Upload("b", "k", None, "x", 1).recording_id


def test_parts_cannot_be_shifted_into_one_another() -> None:
    assert Upload("ab", "c", "v", "", 1).recording_id != Upload("a", "bc", "v", "", 1).recording_id


def test_7_two_spellings_of_a_name_are_two_recordings() -> None:
    composed, decomposed = (unicodedata.normalize(form, "Z\u00fcrich.wav") for form in ("NFC", "NFD"))
    assert replace(UPLOAD, key=composed).recording_id != replace(UPLOAD, key=decomposed).recording_id


@given(UPLOADS, UPLOADS)
def test_different_places_or_versions_are_different_recordings(one: Upload, other: Upload) -> None:
    identities = [(up.bucket, up.key, up.version_id, None if up.version_id else up.etag) for up in (one, other)]
    assert (one.recording_id == other.recording_id) == (identities[0] == identities[1])


@given(st.text(st.characters(), min_size=1))
def test_7_any_key_gives_a_recording_id(key: str) -> None:
    assert len(replace(UPLOAD, key=key).recording_id) == 32


# ---- from_event


KEYS = [
    "plain.wav",
    "with space.wav",
    "a+b.wav",
    "100%25.wav",
    "100%.wav",
    "a#b?c&d=e.wav",
    "quotes'\".wav",
    "\U0001f600/\u202e.wav",
    unicodedata.normalize("NFC", "Zu\u0308rich.wav"),
    unicodedata.normalize("NFD", "Z\u00fcrich.wav"),
    "../../etc/passwd",
    "line\nbreak\x01.wav",
    "/leading",
    "k" * 1024,
]


@pytest.mark.parametrize("key", KEYS, ids=ascii)
def test_7_a_key_is_taken_as_it_comes(key: str) -> None:
    message = json.dumps(event(key=key, size=10, etag="e1", **{"version-id": "v1"}))
    assert Upload.from_event(json.loads(message)) == Upload("recordings", key, "v1", "e1", 10)


@given(st.text(min_size=1))
def test_7_no_key_is_changed(key: str) -> None:
    assert Upload.from_event(event(key=key, size=1, etag="e")).key == key


@pytest.mark.parametrize("version", [{}, {"version-id": None}, {"version-id": ""}], ids=str)
def test_an_event_of_a_bucket_without_versions_has_none(version: dict[str, Any]) -> None:
    assert Upload.from_event(event(key="k", size=1, etag="e", **version)).version_id is None


def test_the_null_version_is_none() -> None:
    # Else all contents that a key gets while versioning is suspended are one recording.
    assert Upload.from_event(event(key="k", size=1, etag="e", **{"version-id": "null"})).version_id is None


MALFORMED: list[Any] = [
    None,
    [],
    {},
    "text",
    7,
    True,
    {"detail": None},
    {"detail": []},
    {"detail": "x"},
    {"detail": {"bucket": {"name": "b"}}},
    {"detail": {"object": {"key": "k", "size": 1}}},
    {"detail": {"bucket": "b", "object": {"key": "k", "size": 1}}},
    {"detail": {"bucket": {"name": ""}, "object": {"key": "k", "size": 1}}},
    {"detail": {"bucket": {"name": 7}, "object": {"key": "k", "size": 1}}},
    {"detail": {"bucket": {"name": "b"}, "object": ["key"]}},
    event(size=1),
    event(key="", size=1),
    event(key=None, size=1),
    event(key=["k"], size=1),
    event(key="k", size="1"),
    event(key="k", size=None),
    event(key="k", size=1, etag=7),
    event(key="k", size=1, **{"version-id": 7}),
    {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"},
    {"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "k", "size": 1}}}]},
]


@pytest.mark.parametrize("malformed", MALFORMED, ids=str)
def test_5_6_what_is_no_object_created_event_is_malformed(malformed: object) -> None:
    with pytest.raises(MalformedMessage):
        Upload.from_event(malformed)


def test_5_what_we_do_not_know_in_an_event_does_no_harm() -> None:
    known = event(key="k", size=1, etag="e")
    more = {**known, "detail": {**known["detail"], "reason": "CopyObject", "new": [1]}, "version": "1", "new": {}}
    assert Upload.from_event(more) == Upload.from_event(known)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["detail", "bucket", "object", "name", "key", "size"]) | TEXTS, inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_6_any_json_is_an_upload_or_malformed(body: object) -> None:
    try:
        upload = Upload.from_event(body)
    except MalformedMessage:
        return
    assert upload.recording_id


# ---- Finished


@given(TEXTS, st.integers(), TEXTS)
def test_news_of_an_end_survive_the_queue(recording_id: str, attempt: int, transcript_id: str) -> None:
    finished = Finished(recording_id, attempt, transcript_id)
    assert Finished.from_body(json.loads(json.dumps(finished.body()))) == finished


@given(JSON)
def test_anything_else_is_malformed(body: object) -> None:
    with pytest.raises(MalformedMessage):
        Finished.from_body(body)


@pytest.mark.parametrize("wrong", [{"attempt": "1"}, {"attempt": 1.0}, {"recording_id": None}, {"transcript_id": 7}])
def test_a_field_of_the_wrong_type_is_malformed(wrong: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        Finished.from_body(Finished("r", 1, "t").body() | wrong)


# ---- highlights


def highlights(*results: Any, status: str = "success") -> tuple[HighlightsStatus, list[Highlight]]:
    return Transcript({"auto_highlights_result": {"status": status, "results": list(results)}}).highlights()


@given(st.lists(st.none() | st.integers(2, 16).map(lambda number: number / 100), max_size=30))
def test_the_highest_rank_is_first_and_what_has_none_is_last(ranks: list[float | None]) -> None:
    status, found = highlights(*({"text": f"{number}", "rank": rank} for number, rank in enumerate(ranks)))
    assert [one.position for one in found] == list(range(1, len(ranks) + 1))
    assert sorted(one.text for one in found) == sorted(str(number) for number in range(len(ranks)))
    known = sorted((Decimal(str(rank)) for rank in ranks if rank is not None), reverse=True)
    assert [one.rank for one in found] == known + [None] * (len(ranks) - len(known))
    if not ranks:
        assert status is HighlightsStatus.EMPTY
    else:
        assert status is (HighlightsStatus.RANK_MISSING if None in ranks else HighlightsStatus.SUCCESS)


def test_phrases_of_equal_rank_keep_the_providers_order() -> None:
    _, found = highlights(*({"text": text, "rank": 0.05} for text in "cab"))
    assert [one.text for one in found] == ["c", "a", "b"]


@given(st.floats(min_value=1e-6, max_value=1e6))
def test_a_rank_is_exactly_the_number_in_the_json(rank: float) -> None:
    _, [found] = highlights(json.loads(json.dumps({"text": "x", "rank": rank})))
    assert found.rank == Decimal(repr(rank))


def test_a_rank_has_no_binary_tail() -> None:
    _, [found] = highlights({"text": "x", "rank": 0.07})
    assert str(found.rank) == "0.07"


@pytest.mark.parametrize("rank", [None, True, "0.1", [], float("nan"), float("inf"), -float("inf")], ids=str)
def test_a_rank_that_is_no_number_is_missing(rank: object) -> None:
    status, [found] = highlights({"text": "x", "rank": rank})
    assert found.rank is None
    assert status is HighlightsStatus.RANK_MISSING


def test_a_missing_count_is_the_number_of_timestamps() -> None:
    stamps = [{"start": 1, "end": 2}, {"start": 3, "end": 4}]
    _, [found] = highlights({"text": "x", "rank": 1, "timestamps": stamps})
    assert (found.count, found.timestamps) == (2, ((1, 2), (3, 4)))


def test_the_providers_count_is_kept() -> None:
    _, [found] = highlights({"text": "x", "rank": 1, "count": 3, "timestamps": []})
    assert found.count == 3


@given(JSON)
def test_64_no_result_of_any_shape_is_an_error(result: object) -> None:
    status, found = Transcript({"auto_highlights_result": result}).highlights()
    assert bool(found) == (status in (HighlightsStatus.SUCCESS, HighlightsStatus.RANK_MISSING))


@pytest.mark.parametrize("timestamps", [7, True])
def test_timestamps_that_are_no_list_are_left_out(timestamps: object) -> None:
    _, [found] = highlights({"text": "x", "rank": 1, "timestamps": timestamps})
    assert found.timestamps == ()


def phrase(text: str) -> str:
    return Highlight(1, text, 1, None, ()).phrase


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Data Science", "data science"),
        ("  data \t\n science ", "data science"),
        ("STRASSE", "strasse"),
        ("Stra\u00dfe", "strasse"),
        ("\uff21\uff29", "ai"),
        ("Z\u00fcrich", "z\u00fcrich"),
        ("Zu\u0308rich", "z\u00fcrich"),
        ("non\u00a0breaking", "non breaking"),
    ],
)
def test_a_phrase_is_folded_for_search(text: str, expected: str) -> None:
    assert phrase(text) == expected


@given(st.text(st.characters(codec="ascii")))
def test_case_and_spaces_do_not_matter_to_search(text: str) -> None:
    assert phrase(text.upper()) == phrase(f"\n{text.lower()} ")
    assert phrase(phrase(text)) == phrase(text)


# ---- Transcript


@pytest.mark.parametrize(
    ("webhook_url", "expected"),
    [
        (None, None),
        ("", None),
        ("https://x.test/webhook", None),
        ("https://x.test/webhook?recording=&attempt=1", None),
        ("https://x.test/webhook?recording=abc&attempt=1", "abc"),
    ],
)
def test_the_bound_recording_is_read_from_the_echoed_webhook_url(webhook_url: str | None, expected: str | None) -> None:
    assert Transcript({"webhook_url": webhook_url}).bound_recording == expected


@pytest.mark.parametrize("number", [0.9312, 1, 0])
def test_a_confidence_is_exact(number: float) -> None:
    assert Transcript({"confidence": number}).confidence == Decimal(str(number))
    assert Transcript({"confidence": None}).confidence is None


def test_the_body_is_not_in_the_representation() -> None:
    assert "private" not in repr(Transcript({"id": "t", "text": "private"}))


# ---- texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no url here?", "no url here?"),
        ("https://x.test/a.wav", "https://x.test/a.wav"),
        ("https://x.test/a.wav?X-Amz-Signature=1", "https://x.test/a.wav"),
        ("unable to download https://x.test/a?s=1. Please", "unable to download https://x.test/a Please"),
        ('"https://x.test/a?s=1" and <http://y.test/?s=2>', '"https://x.test/a" and <http://y.test/>'),
        ("HTTPS://x.test/a?s=1", "HTTPS://x.test/a"),
        ("https://x.test/a#s=1", "https://x.test/a"),
        ("https://x.test/a?s=https://y.test/?t=1", "https://x.test/a"),
        ("https://x.test?s=1\nnext", "https://x.test\nnext"),
    ],
)
def test_the_query_of_every_url_is_cut(text: str, expected: str) -> None:
    assert without_url_queries(text) == expected


@given(st.text(), st.from_regex(r"[A-Za-z0-9%&=_.~-]+", fullmatch=True), st.text())
def test_no_signature_survives(before: str, query: str, after: str) -> None:
    secret = "X-Amz-Signature=verysecret"
    assume("verysecret" not in before + after)
    assert "verysecret" not in without_url_queries(f"{before} https://x.test/a?{query}&{secret} {after}")


@given(st.text())
def test_text_without_a_url_is_left_alone(text: str) -> None:
    assume("://" not in text)
    assert without_url_queries(text) == text


def test_times_are_utc_and_sort_as_text() -> None:
    moment = datetime(2026, 11, 22, 18, 53, 0, 123_999, tzinfo=timezone(timedelta(hours=2)))
    assert utc_text(moment) == "2026-11-22T16:53:00.123Z"


@given(*[st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))] * 2)  # noqa: DTZ001  the strategy adds the zone
def test_later_times_never_sort_before_earlier_ones(one: datetime, other: datetime) -> None:
    assert (utc_text(one) <= utc_text(other)) or one > other
