"""The parts of the AWS adapter that need no AWS: what S3's answers mean, how a URL is signed, what is stored."""

import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from audio_highlights.errors import PermanentError, RecordingUnusable
from audio_highlights.models import Recording, Status, Upload, is_marked
from audio_highlights.storage import Media, Results, Secrets
from tests.fakes import WAV
from tests.unit.test_models import KEYS

UPLOAD = Upload("recordings", "calls/refund.wav", "v1", "e1", 1000)


@pytest.fixture(autouse=True, scope="module")
def region() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


# ---- Media.look


class Bucket:
    """The adapter in front of answers as S3 gives them."""

    def __init__(self) -> None:
        self.media = Media("arn:aws:iam::123456789012:role/signer")
        self.stub = Stubber(vars(self.media)["_client"])
        self.stub.activate()

    def look(self, upload: Upload) -> Any:
        found = self.media.look(upload)
        self.stub.assert_no_pending_responses()
        return found


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def part(head: bytes = WAV, **changes: Any) -> dict[str, Any]:
    body = StreamingBody(io.BytesIO(head), len(head))
    return {"Body": body, "ContentRange": "bytes 0-79/48212", "ETag": '"e1"', "VersionId": "v1", **changes}


def test_one_request_tells_size_version_and_first_bytes(bucket: Bucket) -> None:
    expected = {"Bucket": "recordings", "Key": "calls/refund.wav", "VersionId": "v1", "Range": "bytes=0-4095"}
    bucket.stub.add_response("get_object", part(Metadata={"speaker": "Ada"}), expected)
    stored, head = bucket.look(UPLOAD)
    assert (stored.version_id, stored.etag, stored.size_bytes, stored.storage_class) == ("v1", "e1", 48212, "STANDARD")
    assert stored.metadata == {"speaker": "Ada"}
    assert head == WAV


def test_a_version_is_asked_for_only_where_the_event_names_one(bucket: Bucket) -> None:
    expected = {"Bucket": "recordings", "Key": "calls/refund.wav", "Range": ANY}
    bucket.stub.add_response("get_object", part(VersionId="null"), expected)
    stored, _ = bucket.look(replace(UPLOAD, version_id=None))
    assert stored.version_id is None


def test_of_a_whole_object_in_place_of_the_range_only_the_head_is_read(bucket: Bucket) -> None:
    content = WAV + bytes(100_000)
    whole = {"Body": StreamingBody(io.BytesIO(content), len(content)), "ContentLength": len(content), "ETag": '"e1"'}
    bucket.stub.add_response("get_object", whole)
    stored, head = bucket.look(UPLOAD)
    assert stored.size_bytes == len(content)
    assert head == content[:4096]


def test_an_empty_object_has_no_range_and_its_head_is_asked_for(bucket: Bucket) -> None:
    bucket.stub.add_client_error("get_object", "InvalidRange", http_status_code=416)
    bucket.stub.add_response("head_object", {"ContentLength": 0, "ETag": '"e2"', "VersionId": "v1"})
    stored, head = bucket.look(UPLOAD)
    assert (stored.version_id, stored.etag, stored.size_bytes, head) == ("v1", "e2", 0, b"")


def test_an_empty_object_that_is_deleted_meanwhile_was_deleted(bucket: Bucket) -> None:
    bucket.stub.add_client_error("get_object", "InvalidRange", http_status_code=416)
    bucket.stub.add_client_error("head_object", "404", http_status_code=404)
    with pytest.raises(RecordingUnusable, match="was deleted"):
        bucket.look(UPLOAD)


def test_an_event_without_a_size_does_not_make_the_object_empty(bucket: Bucket) -> None:
    bucket.stub.add_response("get_object", part())
    stored, head = bucket.look(replace(UPLOAD, size_bytes=0))
    assert (stored.size_bytes, head) == (48212, WAV)


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        ("NoSuchKey", RecordingUnusable, "was deleted"),
        ("NoSuchVersion", RecordingUnusable, "was deleted"),
        ("MethodNotAllowed", RecordingUnusable, "was deleted"),
        ("404", RecordingUnusable, "was deleted"),
        ("InvalidObjectState", RecordingUnusable, "archived"),
        ("AccessDenied", PermanentError, "KMS key"),
        ("403", PermanentError, "KMS key"),
        ("SlowDown", ClientError, "SlowDown"),
        ("InternalError", ClientError, "InternalError"),
        ("NoSuchBucket", ClientError, "NoSuchBucket"),
    ],
)
def test_what_an_error_of_s3_means(bucket: Bucket, code: str, error: type[Exception], says: str) -> None:
    bucket.stub.add_client_error("get_object", code)
    with pytest.raises(error, match=says) as caught:
        bucket.look(UPLOAD)
    assert isinstance(caught.value, RecordingUnusable) == (error is RecordingUnusable)


def test_an_object_is_streamed_in_parts(bucket: Bucket) -> None:
    content = bytes(3 * 1024 * 1024 + 7)
    body = StreamingBody(io.BytesIO(content), len(content))
    bucket.stub.add_response("get_object", {"Body": body}, {"Bucket": ANY, "Key": ANY, "VersionId": "v1"})
    chunks = list(bucket.media.chunks(UPLOAD))
    assert b"".join(chunks) == content
    assert max(map(len, chunks)) <= 1024 * 1024


@pytest.fixture
def signing(bucket: Bucket) -> Media:
    """Signs with a session as STS would give it, as often as needed."""
    session = {"AccessKeyId": "ASIAOFTHESIGNER0", "SecretAccessKey": "made-up", "SessionToken": "token-of-the-signer"}

    class Sts:
        def assume_role(self, **request: Any) -> dict[str, Any]:
            assert request["RoleArn"] == "arn:aws:iam::123456789012:role/signer"
            assert request["DurationSeconds"] == 3600
            return {"Credentials": session}

    vars(bucket.media)["_sts"] = Sts()
    return bucket.media


def test_a_url_is_signed_with_a_session_of_its_own_for_this_version_and_region(signing: Media) -> None:
    parts = urlsplit(signing.presign(UPLOAD))
    assert (parts.scheme, parts.path) == ("https", "/calls/refund.wav")
    assert parts.hostname == "recordings.s3.eu-west-1.amazonaws.com"
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query["X-Amz-Credential"].startswith("ASIAOFTHESIGNER0/")
    assert query["X-Amz-Security-Token"] == "token-of-the-signer"
    assert query["X-Amz-Expires"] == "3600"
    assert query["versionId"] == "v1"


@pytest.mark.parametrize("key", KEYS, ids=ascii)
@pytest.mark.parametrize("version_id", ["a+b/c=.d", None])
def test_a_url_is_found_again_by_its_recording_and_no_other(signing: Media, key: str, version_id: str | None) -> None:
    upload = Upload("recordings", key, version_id, "e1", 1000)
    audio_url = signing.presign(upload)
    assert unquote(urlsplit(audio_url).path) == f"/{key}"
    assert is_marked(audio_url, upload.recording_id)
    for other in (replace(upload, key=key + "x"), replace(upload, version_id="v2"), replace(upload, bucket="other")):
        assert not is_marked(audio_url, other.recording_id)


@pytest.mark.parametrize(
    "audio_url",
    [
        "",
        "not a URL",
        "https://[x/a",
        "https://[::1",
        "http://deleted_by_user",
        "https://cdn.assemblyai.com/upload/1",
        f"https://recordings.s3.amazonaws.com/{UPLOAD.recording_id}.wav",
        f"https://x.test/a?recording={UPLOAD.recording_id}",
        f"https://x.test/a?response-content-disposition={UPLOAD.recording_id}",
    ],
)
def test_any_other_url_is_not_ours(audio_url: str) -> None:
    assert not is_marked(audio_url, UPLOAD.recording_id)


# ---- Results


@pytest.fixture
def written() -> dict[str, bytes]:
    return {}


@pytest.fixture
def results(written: dict[str, bytes]) -> Results:
    class Client:
        def put_object(self, **request: Any) -> None:
            assert request["Bucket"] == "results"
            written[request["Key"]] = request["Body"]

    results = Results("results")
    vars(results)["_client"] = Client()
    return results


RECORDING = Recording("r1", "recordings", "k", Status.PROCESSING, 1, "2026-11-22", "2026-11-22T16:53:00.000Z")


def test_files_have_the_same_key_and_bytes_every_time(results: Results, written: dict[str, bytes]) -> None:
    document = {"text": "Z\u00fcrich \U0001f600 \u202e <b>\"'", "rank": 0.07}
    first = [results.put_highlights(RECORDING, document), results.put_transcript(RECORDING, document)]
    before = dict(written)
    assert [results.put_highlights(RECORDING, document), results.put_transcript(RECORDING, document)] == first
    assert first == [
        "s3://results/highlights/dt=2026-11-22/r1.json",
        "s3://results/transcripts/dt=2026-11-22/r1.json.gz",
    ]
    assert written == before
    assert list(written.values())[1][4:8] == bytes(4)  # no time in the gzip header
    highlights, transcript = written.values()
    assert json.loads(highlights) == json.loads(gzip.decompress(transcript)) == document


def test_a_highlights_file_is_one_line(results: Results, written: dict[str, bytes]) -> None:
    results.put_highlights(RECORDING, {"text": "one\ntwo\r"})
    [highlights] = written.values()
    assert b"\n" not in highlights


def test_text_that_is_no_text_is_stored_all_the_same(results: Results, written: dict[str, bytes]) -> None:
    results.put_highlights(RECORDING, {"text": "\ud800"})
    assert written


# ---- Secrets


class Vault:
    """Secrets Manager: what each version stage of the one secret holds, and what was asked for."""

    class exceptions:  # noqa: N801  named as boto3 names it
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self, **stages: str) -> None:
        self.stages = stages
        self.asked: list[str] = []

    def get_secret_value(self, *, SecretId: str, VersionStage: str = "AWSCURRENT") -> dict[str, str]:  # noqa: N803
        assert SecretId == "arn"
        self.asked.append(VersionStage)
        if VersionStage not in self.stages:
            raise self.exceptions.ResourceNotFoundException
        return {"SecretString": self.stages[VersionStage]}


def secrets_of(vault: Vault) -> Secrets:
    secrets = Secrets()
    vars(secrets)["_provider"].client = vault
    return secrets


def test_a_secret_that_fits_is_all_that_is_asked_for() -> None:
    vault = Vault(AWSCURRENT="new\n", AWSPREVIOUS="old")
    secrets = secrets_of(vault)
    for _ in range(3):
        assert next(secrets.accepted("arn")) == "new"
    assert vault.asked == ["AWSCURRENT"]


def test_a_rotation_that_the_cache_has_not_seen_is_seen_when_the_cached_secret_does_not_fit() -> None:
    vault = Vault(AWSCURRENT="first")
    secrets = secrets_of(vault)
    assert list(secrets.accepted("arn")) == ["first", "first"]
    vault = Vault(AWSCURRENT="second\n", AWSPREVIOUS="first\n")
    secrets = secrets_of(vault)
    assert next(secrets.accepted("arn")) == "second"
    vault.stages = {"AWSCURRENT": "third", "AWSPREVIOUS": "second"}
    assert list(secrets.accepted("arn")) == ["second", "third", "second"]


def test_ten_wrong_callers_cost_two_questions_and_a_while_later_two_more(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("audio_highlights.storage.time.monotonic", lambda: now)
    vault = Vault(AWSCURRENT="new", AWSPREVIOUS="old")
    secrets = secrets_of(vault)
    for _ in range(10):
        assert list(secrets.accepted("arn")) == ["new", "new", "old"]
    assert vault.asked == ["AWSCURRENT", "AWSCURRENT", "AWSPREVIOUS"]
    now += 6
    vault.stages = {"AWSCURRENT": "newer"}
    assert list(secrets.accepted("arn")) == ["new", "newer"]
    assert len(vault.asked) == 5


def test_trouble_with_the_secret_before_is_not_taken_for_its_absence() -> None:
    class Busy(Vault):
        def get_secret_value(self, *, SecretId: str, VersionStage: str = "AWSCURRENT") -> dict[str, str]:  # noqa: N803
            if VersionStage == "AWSPREVIOUS":
                raise ClientError({"Error": {"Code": "ThrottlingException"}}, "GetSecretValue")
            return super().get_secret_value(SecretId=SecretId, VersionStage=VersionStage)

    with pytest.raises(ClientError, match="Throttling"):
        list(secrets_of(Busy(AWSCURRENT="new")).accepted("arn"))
