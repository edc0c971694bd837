"""Objects in a real S3: what is seen of them, what is signed, what is stored."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace

import boto3
import pytest
import requests

from audio_highlights.errors import ProviderUnavailable, RecordingUnusable
from audio_highlights.media_type import HEAD_BYTES
from audio_highlights.models import Recording, Status, Upload, is_marked
from audio_highlights.storage import Media, Results, Shelf

KEY = "calls/a b+c%25/'é' 日本#1?.mp3"


@pytest.fixture
def media(signer_role: str) -> Media:
    return Media(signer_role)


def put(bucket: str, body: bytes, key: str = KEY, **more: object) -> Upload:
    answer = boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=body, **more)  # type: ignore[arg-type]
    return Upload(bucket, key, answer.get("VersionId"), answer["ETag"].strip('"'), len(body))


def test_the_head_of_the_very_version_is_seen(media: Media, versioned_bucket: str) -> None:
    first = put(versioned_bucket, b"first" + bytes(2 * HEAD_BYTES), Metadata={"agent": "slt"})
    put(versioned_bucket, b"second")
    stored, head = media.look(first)
    assert head == b"first" + bytes(HEAD_BYTES - 5)
    assert stored.size_bytes == 2 * HEAD_BYTES + 5
    assert (stored.version_id, stored.etag, stored.metadata) == (first.version_id, first.etag, {"agent": "slt"})


def test_metadata_is_readable_and_tags_are_seen_of_the_very_version(media: Media, versioned_bucket: str) -> None:
    written = {"agent": "=?UTF-8?B?SsO8cmdlbg==?=", "note": "=?broken?", "aai-language_code": "en"}
    first = put(versioned_bucket, b"first", Metadata=written, Tagging="aai-speaker_labels=true&team=a%20b")
    put(versioned_bucket, b"second")
    stored, _ = media.look(first)
    assert stored.metadata == {"agent": "J\u00fcrgen", "note": "=?broken?", "aai-language_code": "en"}
    assert stored.tags == {"aai-speaker_labels": "true", "team": "a b"}


def test_two_kilobytes_of_metadata_are_seen_whole(media: Media, bucket: str) -> None:
    terms = ",".join(f"term{number}" for number in range(250))[:2000]
    stored, _ = media.look(put(bucket, b"x", Metadata={"aai-keyterms_prompt": terms}))
    assert stored.metadata == {"aai-keyterms_prompt": terms}
    assert stored.tags == {}


def test_9_an_empty_object_is_seen_as_empty(media: Media, bucket: str) -> None:
    stored, head = media.look(put(bucket, b""))
    assert (stored.size_bytes, head, stored.version_id) == (0, b"", None)


def test_4_a_deleted_object_is_unusable_with_a_reason(media: Media, versioned_bucket: str, bucket: str) -> None:
    upload = put(versioned_bucket, b"gone")
    boto3.client("s3").delete_object(Bucket=upload.bucket, Key=KEY, VersionId=str(upload.version_id))
    with pytest.raises(RecordingUnusable, match="was deleted before it was submitted"):
        media.look(upload)
    with pytest.raises(RecordingUnusable, match="was deleted"):
        media.look(Upload(bucket, "never", None, "e", 3))


def test_3_an_event_without_a_version_finds_its_own_content_behind_a_newer_one(
    media: Media, versioned_bucket: str
) -> None:
    first = put(versioned_bucket, b"first")
    put(versioned_bucket, b"second")
    stored, head = media.look(replace(first, version_id=None))
    assert (head, stored.version_id, stored.etag) == (b"first", first.version_id, first.etag)
    boto3.client("s3").delete_object(Bucket=versioned_bucket, Key=KEY)  # a marker; the versions stay
    assert media.look(replace(first, version_id=None))[0].version_id == first.version_id
    with pytest.raises(RecordingUnusable, match="was deleted"):
        media.look(replace(first, version_id=None, etag="0" * 32))


def test_an_object_overwritten_by_an_empty_one_is_seen_as_that(media: Media, bucket: str) -> None:
    first = put(bucket, b"first")
    empty = put(bucket, b"")
    stored, head = media.look(first)
    assert (stored.etag, stored.size_bytes, head) == (empty.etag, 0, b"")


def test_a_presigned_url_opens_that_version_for_a_get_and_nothing_else(media: Media, versioned_bucket: str) -> None:
    upload = put(versioned_bucket, b"the first recording")
    put(versioned_bucket, b"the second recording")
    url = media.presign(upload)
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    assert requests.get(url, timeout=10).content == b"the first recording"
    assert requests.head(url, timeout=10).status_code == 403
    assert requests.get(url.replace(str(upload.version_id), "other"), timeout=10).status_code == 403
    assert is_marked(url, upload.recording_id)
    assert not is_marked(url, "0" * 32)


def test_a_recording_streams_in_parts(media: Media, bucket: str) -> None:
    body = bytes(range(256)) * 10_000
    parts = list(media.chunks(put(bucket, body)))
    assert b"".join(parts) == body
    assert max(map(len, parts)) <= 1024 * 1024


def test_results_have_the_same_key_and_bytes_every_time(bucket: str) -> None:
    results = Results(bucket)
    recording = Recording("0" * 32, "b", "k", Status.PROCESSING, 1, "2026-11-22", "2026-11-22T00:00:00.000Z")
    for _ in range(2):
        highlights_uri = results.put_highlights(recording, {"text": "naïve \ud800 <b>"})
        transcript_uri = results.put_transcript(recording, {"words": []})
    assert highlights_uri == f"s3://{bucket}/highlights/dt=2026-11-22/{'0' * 32}.json"
    assert transcript_uri == f"s3://{bucket}/transcripts/dt=2026-11-22/{'0' * 32}.json.gz"
    s3 = boto3.client("s3")
    stored = s3.get_object(Bucket=bucket, Key=highlights_uri.split("/", 3)[3])["Body"].read()
    assert stored.count(b"\n") == 0
    packed = s3.get_object(Bucket=bucket, Key=transcript_uri.split("/", 3)[3])["Body"].read()
    assert json.loads(gzip.decompress(packed)) == {"words": []}


def test_every_version_in_the_bucket_is_listed_as_its_event_names_it(versioned_bucket: str, bucket: str) -> None:
    uploads = {put(versioned_bucket, b"one"), put(versioned_bucket, b"two"), put(versioned_bucket, b"x", "other.mp3")}
    boto3.client("s3").delete_object(Bucket=versioned_bucket, Key="other.mp3")
    [(page, place)] = Shelf(versioned_bucket).pages(None)
    assert {upload for upload, _ in page} == uploads
    assert place is None
    assert all(modified.tzinfo for _, modified in page)


def test_a_long_listing_goes_on_where_it_stopped(bucket: str) -> None:
    uploads = {put(bucket, b"x", f"{number:04}.mp3") for number in range(25)}
    [(first, place), (second, end)] = Shelf(bucket, page_size=20).pages(None)
    assert (len(first), end) == (20, None)
    assert {upload for upload, _ in first + second} == uploads
    [(again, _)] = Shelf(bucket, page_size=20).pages(place)
    assert again == second


def test_redacted_audio_larger_than_a_part_is_stored_whole(bucket: str) -> None:
    row = Recording("r1", bucket, KEY, Status.COMPLETED, 1, "2026-11-22", "2026-11-22T00:00:00.000Z")
    parts = [bytes([number]) * 1_000_003 for number in range(20)]
    uri = Results(bucket).put_redacted_audio(row, iter(parts), "mp3")
    assert uri == f"s3://{bucket}/redacted/dt=2026-11-22/r1"
    stored = boto3.client("s3").get_object(Bucket=bucket, Key="redacted/dt=2026-11-22/r1")
    assert stored["ContentType"] == "audio/mpeg"
    assert stored["Body"].read() == b"".join(parts)


def test_86_redacted_audio_that_breaks_off_leaves_nothing(bucket: str) -> None:
    row = Recording("r1", bucket, KEY, Status.COMPLETED, 1, "2026-11-22", "2026-11-22T00:00:00.000Z")

    def broken() -> Iterator[bytes]:
        yield bytes(9_000_000)
        message = "it broke off"
        raise ProviderUnavailable(message)

    with pytest.raises(ProviderUnavailable):
        Results(bucket).put_redacted_audio(row, broken(), "mp3")
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket=bucket)
