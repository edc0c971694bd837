"""A permission to upload, used as a browser does: what it lets in, and what not."""

import base64
import json
from typing import Any

import boto3
import pytest
import requests

from audio_highlights.storage import Uploads

KEY = "uploads/2026-11-22/0a1b2c3d/Gespräch 100% a+b 日本 #1?.mp3"
MOST = 1000
type Form = tuple[str, dict[str, str]]


@pytest.fixture
def form(bucket: str) -> Form:
    return Uploads(bucket).permit(KEY, most_bytes=MOST, content_type="audio/mpeg")


def post(form: Form, body: bytes, **changes: str) -> int:
    url, fields = form
    # The file's name is the browser's; the file comes last.
    answer = requests.post(url, data=fields | changes, files={"file": ("any.mp3", body)}, timeout=10)
    return answer.status_code


def keys(bucket: str) -> list[str]:
    return [one["Key"] for one in boto3.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_the_file_is_stored_under_the_key_with_its_type(form: Form, bucket: str) -> None:
    assert post(form, b"x" * MOST) == 204
    stored = boto3.client("s3").get_object(Bucket=bucket, Key=KEY)
    assert (stored["Body"].read(), stored["ContentType"]) == (b"x" * MOST, "audio/mpeg")
    assert keys(bucket) == [KEY]


def test_another_type_may_be_given(form: Form, bucket: str) -> None:
    assert post(form, b"x", **{"Content-Type": "video/mp4"}) == 204
    assert boto3.client("s3").head_object(Bucket=bucket, Key=KEY)["ContentType"] == "video/mp4"


@pytest.mark.parametrize("size", [0, MOST + 1])
def test_a_file_too_large_or_empty_is_not_stored(form: Form, bucket: str, size: int) -> None:
    assert post(form, b"x" * size) == 400
    assert keys(bucket) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "uploads/2026-11-22/0a1b2c3d/another.mp3"},
        {"key": "calls/${filename}"},
        {"acl": "public-read"},
        {"x-amz-signature": "0" * 64},
        {
            "policy": base64.b64encode(
                json.dumps({"expiration": "2036-01-01T00:00:00Z", "conditions": []}).encode()
            ).decode()
        },
    ],
    ids=str,
)
def test_what_the_permission_does_not_say_is_refused(form: Form, bucket: str, changes: dict[str, str]) -> None:
    assert post(form, b"x", **changes) in (400, 403)
    assert keys(bucket) == []


def test_a_permission_is_for_one_bucket(form: Form, bucket: str, versioned_bucket: str) -> None:
    other = f"integration-other-{bucket[-12:]}"
    boto3.client("s3").create_bucket(Bucket=other)
    url, fields = form
    assert post((url.replace(bucket, other), fields), b"x") in (400, 403)
    assert keys(other) == []


def test_a_permission_ends_after_an_hour(form: Form) -> None:
    policy: dict[str, Any] = json.loads(base64.b64decode(form[1]["policy"]))
    assert policy["expiration"].endswith("Z")
    signed = form[1]["x-amz-date"]
    hours = int(policy["expiration"][11:13]) - int(signed[9:11])
    assert hours % 24 == 1
