"""What the api function answers to who uploads, asks again, or deletes."""

import base64
import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest

from audio_highlights.models import MAX_AUDIO_BYTES, Finished, Status, Upload
from tests.fakes import World
from tests.unit.functions import Context, load

if TYPE_CHECKING:
    import logging

USER = "5a0e1c9e-0001-7000-8000-000000000001"


class Api:
    """The function, in a world."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.world = World()

    def call(self, method: str, path: str, body: object = None, *, encoded: bool = False) -> tuple[int, dict[str, Any]]:
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        event = {
            "version": "2.0",
            "routeKey": "ANY /api/{path+}",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {"content-type": "application/json"},
            "requestContext": {
                "http": {"method": method, "path": path, "sourceIp": "127.0.0.1"},
                "stage": "$default",
                "authorizer": {"jwt": {"claims": {"sub": USER, "token_use": "access"}, "scopes": ["openid"]}},
            },
            "body": base64.b64encode(text.encode()).decode() if encoded and text else text,
            "isBase64Encoded": encoded,
        }
        answer = self.module.handler(event, Context())
        assert answer["headers"]["Content-Type"] == "application/json"
        assert answer["headers"]["Cache-Control"] == "no-store"
        return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture(scope="module")
def module() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials of its first use
        patch.setenv("AWS_ACCESS_KEY_ID", "made-up")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
        patch.setenv("AWS_SESSION_TOKEN", "made-up-session")
        yield load("api", patch)


@pytest.fixture
def api(module: Any, monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api(module)
    monkeypatch.setattr(module, "orders", api.world.orders)
    return api


@pytest.fixture
def log(module: Any) -> io.StringIO:
    """What the function writes to its log."""
    written = io.StringIO()
    cast("logging.StreamHandler[io.StringIO]", module.logger.handlers[0]).setStream(written)
    return written


def failed(world: World) -> Upload:
    upload = world.media.put()
    world.submit(upload)
    world.provider.end("t1", "error", error="too short")
    world.deliver(Finished(upload.recording_id, 1, "t1"))
    return upload


# ---- uploads


def test_an_upload_is_permitted_for_one_key_and_so_many_bytes(api: Api) -> None:
    status, answer = api.call("POST", "/api/uploads", {"name": "my call.mp3", "size_bytes": 4711})
    assert status == 201
    assert answer.keys() == {"url", "fields", "key"}
    folder, day, chance, name = answer["key"].split("/")
    assert (folder, len(day), len(chance), name) == ("uploads", 10, 8, "my call.mp3")
    assert answer["fields"]["key"] == answer["key"]
    assert answer["fields"]["Content-Type"] == "audio/mpeg"
    assert answer["fields"]["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
    policy = json.loads(base64.b64decode(answer["fields"]["policy"]))
    assert {"key": answer["key"]} in policy["conditions"]
    assert {"bucket": "recordings"} in policy["conditions"]
    assert ["content-length-range", 1, MAX_AUDIO_BYTES] in policy["conditions"]
    assert ["starts-with", "$Content-Type", ""] in policy["conditions"]
    assert answer["url"].startswith("https://recordings.s3.eu-west-1.amazonaws.com")


def test_two_uploads_of_a_name_are_two_keys(api: Api) -> None:
    keys = {api.call("POST", "/api/uploads", {"name": "a.mp3", "size_bytes": 1})[1]["key"] for _ in range(20)}
    assert len(keys) == 20


def test_a_body_may_come_encoded(api: Api) -> None:
    status, _ = api.call("POST", "/api/uploads", {"name": "日.mp3", "size_bytes": 1}, encoded=True)
    assert status == 201


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "The body"),
        ("", "The body"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "The body must be"),
        ({"name": "a.mp3"}, "The body must be"),
        ({"name": "a.mp3", "size_bytes": 0}, "is empty"),
        ({"name": "a.mp3", "size_bytes": MAX_AUDIO_BYTES + 1}, "at most 5.0 GB"),
    ],
)
def test_what_cannot_be_uploaded_is_refused_with_words(api: Api, body: object, words: str) -> None:
    status, answer = api.call("POST", "/api/uploads", body)
    assert (status, words in answer["error"]) == (400, True)


def test_no_log_line_has_what_would_let_others_upload(api: Api, log: io.StringIO) -> None:
    _, answer = api.call("POST", "/api/uploads", {"name": "a.mp3", "size_bytes": 1})
    logged = log.getvalue()
    assert answer["key"] in logged
    assert answer["fields"]["x-amz-security-token"] == "made-up-session"
    for name in ("policy", "x-amz-signature", "x-amz-security-token"):
        assert answer["fields"][name] not in logged


# ---- retry and delete


def test_a_retry_is_accepted_and_who_asked_is_logged(api: Api, log: io.StringIO) -> None:
    upload = failed(api.world)
    status, answer = api.call("POST", f"/api/recordings/{upload.recording_id}/retry")
    assert (status, answer) == (202, {"recording_id": upload.recording_id, "status": "queued"})
    assert api.world.called() == [upload]
    assert api.world.row(upload)["status"] is Status.QUEUED
    [line] = [line for line in map(json.loads, log.getvalue().splitlines()) if line["message"] == "asked for again"]
    assert (line["recording_id"], line["user"]) == (upload.recording_id, USER)


def test_a_deletion_is_accepted_again_and_again_until_it_is_done(api: Api) -> None:
    upload = failed(api.world)
    path = f"/api/recordings/{upload.recording_id}"
    for _ in range(2):
        assert api.call("DELETE", path) == (202, {"recording_id": upload.recording_id, "status": "deleting"})
    api.world.deleter.delete(upload.recording_id)
    status, answer = api.call("DELETE", path)
    assert (status, "was deleted" in answer["error"]) == (404, True)


def test_what_is_in_work_is_neither_deleted_nor_submitted_again(api: Api) -> None:
    recording_id = api.world.submitted().recording_id
    for method, path in (("DELETE", ""), ("POST", "/retry")):
        status, answer = api.call(method, f"/api/recordings/{recording_id}{path}")
        assert (status, "in work (processing)" in answer["error"]) == (409, True)


@pytest.mark.parametrize("recording_id", ["0" * 32, "no-id", "%2e%2e", "x" * 3000])
def test_what_is_not_there_is_404(api: Api, recording_id: str) -> None:
    for method, path in (("DELETE", ""), ("POST", "/retry")):
        status, answer = api.call(method, f"/api/recordings/{recording_id}{path}")
        assert (status, bool(answer["error"])) == (404, True)


def test_whoever_calls_it_without_verified_claims_changes_nothing(api: Api) -> None:
    upload = failed(api.world)
    event = {
        "version": "2.0",
        "rawPath": f"/api/recordings/{upload.recording_id}",
        "headers": {},
        "requestContext": {"http": {"method": "DELETE", "path": "/"}, "stage": "$default"},
        "isBase64Encoded": False,
    }
    assert api.module.handler(event, Context())["statusCode"] == 401
    assert api.world.row(upload)["status"] is Status.FAILED
