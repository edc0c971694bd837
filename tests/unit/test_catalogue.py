"""The parts of reading that a healthy AWS does not show: what was left out of a batch, and what is denied."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from audio_highlights.catalogue import Catalogue
from audio_highlights.errors import ResultGone
from audio_highlights.storage import FOR_PRESIGNING, client


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-no-account")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    boto3.setup_default_session()
    return Catalogue("recordings", "highlights", "flow")


@pytest.fixture(autouse=True)
def no_session_is_left() -> Iterator[None]:
    yield
    boto3.setup_default_session()


def key(position: int) -> dict[str, Any]:
    return {"recording_id": {"S": "r"}, "position": {"N": str(position)}}


def test_items_that_dynamodb_left_out_are_asked_for_again(catalogue: Catalogue) -> None:
    dynamodb = Stubber(vars(catalogue)["_dynamodb"])
    for asked, given, left in (((1, 2, 3), (2,), (3, 1)), ((3, 1), (), (3, 1)), ((3, 1), (3, 1), ())):
        dynamodb.add_response(
            "batch_get_item",
            {
                "Responses": {"highlights": [key(one) for one in given]},
                "UnprocessedKeys": {"highlights": {"Keys": [key(one) for one in left]}} if left else {},
            },
            {"RequestItems": {"highlights": {"Keys": [key(one) for one in asked]}}},
        )
    with dynamodb:
        found = catalogue.items([("r", 1), ("r", 2), ("r", 3), ("r", 1)])
    assert [int(item["position"]) for item in found] == [2, 3, 1]
    dynamodb.assert_no_pending_responses()


def test_no_items_are_no_request(catalogue: Catalogue) -> None:
    with Stubber(vars(catalogue)["_dynamodb"]):
        assert catalogue.items([]) == []


@pytest.mark.parametrize("code", ["NoSuchKey", "AccessDenied"])
def test_a_file_that_is_not_there_is_gone_whether_s3_says_so_or_denies_it(catalogue: Catalogue, code: str) -> None:
    s3 = Stubber(client("s3", config=FOR_PRESIGNING))
    s3.add_client_error("get_object", code)
    with s3, pytest.raises(ResultGone, match=r"s3://results/highlights/a\.json cannot be read"):
        catalogue.read("s3://results/highlights/a.json")


def test_a_busy_bucket_is_an_error_of_ours(catalogue: Catalogue) -> None:
    s3 = Stubber(client("s3", config=FOR_PRESIGNING))
    s3.add_client_error("get_object", "SlowDown")
    with s3, pytest.raises(ClientError, match="SlowDown"):
        catalogue.read("s3://results/highlights/a.json")


def test_a_url_names_the_bucket_s_own_host_and_the_version(catalogue: Catalogue) -> None:
    url = catalogue.audio_url({"bucket": "calls", "key": "a/b c.mp3", "version_id": "v1"})
    assert url.startswith("https://calls.s3.eu-west-1.amazonaws.com/a/b%20c.mp3?")
    assert "versionId=v1" in url
    assert "versionId" not in catalogue.audio_url({"bucket": "calls", "key": "a/b c.mp3"})
