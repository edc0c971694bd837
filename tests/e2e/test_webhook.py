"""The deployed webhook, called from outside: what API Gateway and the function make of it together.

The number in a name is the fault's in docs/security.md.
"""

import json
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import pytest
import requests

from audio_highlights.workflow import WEBHOOK_HEADER, binding
from cli import recordings
from cli.stack import Stack
from tests.e2e.conftest import System, put_and_end, resource_of, wait_for
from tests.e2e.test_recordings import SPEECH
from tests.running_system import reachable


@pytest.fixture(scope="module")
def row(stack: Stack) -> dict[str, Any]:
    """The row of a recording that has ended: no call changes it any more."""
    return put_and_end(stack, SPEECH, f"{uuid4().hex}/refund.mp3")


def webhook_secret(stack: Stack) -> str:
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=resource_of(stack, "WebhookSecret"))
    return secret["SecretString"]


def post(
    stack: Stack,
    row: dict[str, Any],
    header: str | None,
    *,
    body: str | bytes | None = None,
    method: str = "POST",
    path: str = "",
    **headers: str,
) -> int:
    """The status of a call about this recording."""
    url = stack.outputs["WebhookUrl"]
    told = {"transcript_id": row["transcript_id"], "status": "completed"}
    answer = requests.request(
        method,
        f"{reachable(url)}{path}",
        params={"recording": row["recording_id"], "attempt": str(row["attempt"])},
        data=json.dumps(told) if body is None else body,
        headers={"Host": urlsplit(url).netloc, **({WEBHOOK_HEADER: header} if header else {}), **headers},
        timeout=30,
    )
    return answer.status_code


def bound(stack: Stack, row: dict[str, Any]) -> str:
    return binding(webhook_secret(stack), row["recording_id"], int(row["attempt"]))


def test_43_without_the_right_binding_it_is_401_and_nothing_changes(
    system: System, stack: Stack, row: dict[str, Any]
) -> None:
    assert post(stack, row, None) == 401
    assert post(stack, row, "0" * 64) == 401
    assert post(stack, row, "\u00e9".encode().decode("latin-1")) == 401
    assert post(stack, row, None, authorization=system.provider_key) == 401
    assert recordings.row(stack, row["recording_id"]) == row


def test_44_the_binding_of_another_recording_or_attempt_is_401(stack: Stack, row: dict[str, Any]) -> None:
    assert post(stack, row, bound(stack, {**row, "recording_id": uuid4().hex})) == 401
    assert post(stack, row, bound(stack, {**row, "attempt": 7})) == 401


def test_47_a_replay_after_completion_is_taken_and_changes_nothing(stack: Stack, row: dict[str, Any]) -> None:
    for _ in range(3):
        assert post(stack, row, bound(stack, row)) == 200
    assert recordings.row(stack, row["recording_id"]) == row


@pytest.mark.parametrize(
    "body",
    [b"", b"not JSON", b"null", b"[" * 4096, b"\xff\xfe\x00", b"x" * 2_000_000],
    ids=["empty", "not JSON", "null", "deep", "binary", "2 MB"],
)
def test_55_a_body_that_is_no_webhook_s_is_400(stack: Stack, row: dict[str, Any], body: bytes) -> None:
    assert post(stack, row, bound(stack, row), body=body) == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_56_another_method_finds_nothing(stack: Stack, row: dict[str, Any], method: str) -> None:
    assert post(stack, row, bound(stack, row), method=method) == 404


@pytest.mark.parametrize("path", ["/more", "/../webhookx", "x"])
def test_56_another_path_finds_nothing(stack: Stack, row: dict[str, Any], path: str) -> None:
    assert post(stack, row, bound(stack, row), path=path) == 404


def test_45_what_was_bound_before_a_rotation_is_let_in_after_it(stack: Stack, row: dict[str, Any]) -> None:
    before = bound(stack, row)
    boto3.client("secretsmanager").put_secret_value(
        SecretId=resource_of(stack, "WebhookSecret"), SecretString=uuid4().hex + uuid4().hex
    )
    after = bound(stack, row)
    assert after != before
    assert post(stack, row, before) == 200
    wait_for(lambda: post(stack, row, after) == 200 or None, "the new secret to be seen")
    assert post(stack, row, before) == 200
    assert recordings.row(stack, row["recording_id"]) == row
    # And what is submitted now, with whichever of the two secrets, ends by its webhook.
    assert put_and_end(stack, SPEECH, f"{uuid4().hex}/refund.mp3")["status"] == "completed"


def test_59_from_an_address_that_is_not_named_it_is_403_whatever_a_header_says(
    system: System, poll_stack: Stack, row: dict[str, Any]
) -> None:
    if system.folder is None:
        pytest.skip("which addresses a deployed stack names is not known")
    for headers in ({}, {"X-Forwarded-For": "44.238.19.20"}, {"Forwarded": "for=44.238.19.20"}):
        assert post(poll_stack, row, bound(poll_stack, row), **headers) == 403
