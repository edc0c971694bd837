"""What a warm function does not do again for each recording."""

from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

import boto3
import pytest
from botocore.client import ClientCreator

from audio_highlights.models import Upload, recording_mark
from audio_highlights.storage import FOR_PRESIGNING, PRESIGNED_SECONDS, Media
from tests.unit.test_models import KEYS

SESSION = {"AccessKeyId": "ASIAOFTHESIGNER0", "SecretAccessKey": "made-up", "SessionToken": "token+of/the=signer"}


class Sts:
    """Gives one session, as often as asked."""

    def assume_role(self, **_: Any) -> dict[str, Any]:
        return {"Credentials": SESSION}


@pytest.fixture
def media(monkeypatch: pytest.MonkeyPatch) -> Media:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    media = Media("arn:aws:iam::123456789012:role/signer")
    vars(media)["_sts"] = Sts()
    return media


@pytest.mark.parametrize("key", KEYS, ids=ascii)
@pytest.mark.parametrize("version_id", ["a+b/c=.d", None])
def test_a_url_is_signed_as_a_client_of_the_session_would_sign_it(
    media: Media, key: str, version_id: str | None
) -> None:
    upload = Upload("recordings", key, version_id, "e1", 1000)
    which = {"Bucket": upload.bucket, "Key": key, **({"VersionId": version_id} if version_id else {})}
    which["ResponseContentDisposition"] = recording_mark(upload.recording_id)
    client = boto3.client(
        "s3",
        aws_access_key_id=SESSION["AccessKeyId"],
        aws_secret_access_key=SESSION["SecretAccessKey"],
        aws_session_token=SESSION["SessionToken"],
        config=FOR_PRESIGNING,
    )
    while True:
        url, expected = (
            urlsplit(one)
            for one in (
                media.presign(upload),
                client.generate_presigned_url("get_object", Params=which, ExpiresIn=PRESIGNED_SECONDS),
            )
        )
        if signed_at(url) == signed_at(expected):  # the second may have passed in between
            break
    assert (url.scheme, url.netloc, url.path) == (expected.scheme, expected.netloc, expected.path)
    assert parse_qs(url.query, strict_parsing=True) == parse_qs(expected.query, strict_parsing=True)


def signed_at(url: SplitResult) -> list[str]:
    return parse_qs(url.query)["X-Amz-Date"]


def test_no_client_is_built_to_sign_a_url(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        message = "a client is built for one URL"
        raise AssertionError(message)

    monkeypatch.setattr(ClientCreator, "create_client", refuse)
    with pytest.raises(AssertionError, match="is built"):  # the check itself sees one
        boto3.client("s3")
    assert media.presign(Upload("recordings", "a.wav", "v1", "e1", 1000)).startswith("https://recordings.s3.")
