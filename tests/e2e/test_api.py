"""The deployed API, asked over HTTP with tokens that were got as the page gets them; and with all that are none."""

import base64
import gzip
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from cli.stack import Stack
from tests.e2e.conftest import System, put_and_end
from tests.e2e.test_recordings import SPEECH
from tests.signed_in import Api, Client, SignInFailed, request, user

PATHS = ["/api/recordings", "/api/phrases", "/api/phrases/recordings?phrase=internet+outage"]

type Tokens = dict[str, Any]


@pytest.fixture(scope="module")
def person(stack: Stack) -> Iterator[tuple[str, str]]:
    """The name and the password of a user."""
    with user(stack.outputs["UserPoolId"]) as made:
        yield made


@pytest.fixture(scope="module")
def tokens(stack: Stack, person: tuple[str, str]) -> Tokens:
    return Client.of_page(stack.outputs["PageUrl"]).sign_in(*person)


@pytest.fixture(scope="module")
def api(stack: Stack, tokens: Tokens) -> Api:
    return Api(stack.outputs["PageUrl"], tokens["access_token"])


@pytest.fixture(scope="module")
def row(stack: Stack) -> dict[str, Any]:
    """A completed recording under an odd key."""
    return put_and_end(stack, SPEECH, f"{uuid4().hex}/r\u00e4ge & + 50% #1.mp3")


@pytest.fixture(scope="module")
def detail(api: Api, row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/api/recordings/{row['recording_id']}")
    return found


# ---- what is read


def test_a_recording_is_found_on_a_page_of_its_day(api: Api, row: dict[str, Any]) -> None:
    found = []
    cursor: dict[str, str] = {}
    while True:
        page = api.get("/api/recordings", limit="1", to=row["day"], **{"from": row["day"]}, **cursor)
        found += page["recordings"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    [listed] = [one for one in found if one["recording_id"] == row["recording_id"]]
    assert (listed["key"], listed["status"]) == (row["key"], "completed")
    assert listed["top_highlights"] == row["top_highlights"]
    ids = [one["recording_id"] for one in found]
    assert len(set(ids)) == len(ids)


def test_a_cursor_of_another_listing_is_refused(api: Api, row: dict[str, Any]) -> None:
    cursor = api.get("/api/recordings", limit="1", to=row["day"])["next"]
    for asked in ({"limit": "2", "to": row["day"]}, {"limit": "1", "to": row["day"], "status": "failed"}):
        answer = api("GET", "/api/recordings", params={**asked, "cursor": cursor or "none"})
        assert (answer.status_code, "cursor" in answer.json()["error"]) == (400, True)


def test_a_recording_has_its_highlights_as_the_table_has_them(detail: dict[str, Any], row: dict[str, Any]) -> None:
    assert [one["text"] for one in detail["highlights"]][:5] == row["top_highlights"]
    assert [one["position"] for one in detail["highlights"]] == list(range(1, int(row["highlight_count"]) + 1))
    outage = next(one for one in detail["highlights"] if one["phrase"] == "internet outage")
    assert len(outage["timestamps"]) == outage["count"] > 0


def test_the_audio_is_had_from_the_middle_on(detail: dict[str, Any]) -> None:
    audio = SPEECH.read_bytes()
    answer = requests.get(detail["audio_url"], headers={"Range": "bytes=1000-1999"}, timeout=30)
    # The local AWS answers with the whole object where a version is asked for.
    expected = {206: audio[1000:2000], 200: audio}
    assert answer.content == expected[answer.status_code]
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert requests.get(detail["audio_url"].replace("Signature=", "Signature=0"), timeout=30).status_code == 403


def test_the_transcript_and_the_highlights_are_had_by_their_urls(detail: dict[str, Any], row: dict[str, Any]) -> None:
    transcript = json.loads(gzip.decompress(requests.get(detail["transcript_url"], timeout=30).content))
    assert "internet outage" in transcript["text"].lower()
    assert requests.get(detail["highlights_url"], timeout=30).json()["recording_id"] == row["recording_id"]


def test_a_page_of_this_origin_and_no_other_may_read_the_files(stack: Stack, detail: dict[str, Any]) -> None:
    origin = stack.outputs["ApiUrl"]
    for asking, told in ((origin, origin), ("https://evil.example.com", None)):
        answer = requests.get(detail["transcript_url"], headers={"Origin": asking}, timeout=30)
        assert answer.headers.get("Access-Control-Allow-Origin") == told


def test_a_phrase_is_found_and_counted(api: Api, row: dict[str, Any]) -> None:
    for asked in ({"phrase": "Internet  OUTAGE"}, {"prefix": "internet out"}):
        sayings = api.get("/api/phrases/recordings", limit="50", **asked)["sayings"]
        [saying] = [one for one in sayings if one["recording_id"] == row["recording_id"]]
        assert saying["key"] == row["key"]
        assert len(saying["timestamps"]) == saying["count"]
    [outage] = api.get("/api/phrases", prefix="internet out", limit="200")["phrases"]
    assert outage["phrase"] == "internet outage"
    assert outage["recordings"] >= 1
    assert sum(outage["trend"]) == outage["count"]


@pytest.mark.parametrize("kind", ["json", "csv", "md", "srt", "vtt"])
def test_an_export_is_a_file_with_the_recording_s_name(api: Api, row: dict[str, Any], kind: str) -> None:
    answer = api("GET", f"/api/recordings/{row['recording_id']}/export", params={"format": kind})
    assert answer.status_code == 200
    assert f"filename*=UTF-8''r%C3%A4ge%20%26%20%2B%2050_%20%231.{kind}" in answer.headers["Content-Disposition"]
    assert "internet outage" in " ".join(answer.content.decode().lower().split())


def test_what_is_not_there_or_wrong_is_said(api: Api) -> None:
    assert api("GET", f"/api/recordings/{'f' * 32}").status_code == 404
    assert api("GET", "/api/recordings?limit=0").status_code == 400
    assert api("GET", "/api/nothing").status_code == 404


def test_answers_are_for_nobody_s_cache(api: Api) -> None:
    for path in PATHS:
        assert api("GET", path).headers["Cache-Control"] == "no-store"


def test_the_page_is_public_and_its_files_are_data_free(stack: Stack) -> None:
    page = stack.outputs["PageUrl"]
    assert request("GET", page).headers["Content-Type"].startswith("text/html")
    assert set(request("GET", f"{page}viewer/config.json").json()) == {"client_id", "sign_in_url"}
    assert request("GET", f"{page}openapi.json").json()["openapi"].startswith("3.1")
    for path in ("viewer/../app.py", "viewer/%2e%2e/app.py", "viewer/nothing.js", "app.py"):
        assert request("GET", f"{page}{path}").status_code == 404


# ---- who may not


def assert_no_data(page_url: str, token: str | None, row: dict[str, Any], allowed: tuple[int, ...] = (401,)) -> None:
    for path in [
        *PATHS,
        f"/api/recordings/{row['recording_id']}",
        f"/api/recordings/{row['recording_id']}/export?format=csv",
    ]:
        answer = Api(page_url, token)("GET", path)
        assert answer.status_code in allowed, path
        assert "outage" not in answer.text
        assert row["recording_id"] not in answer.text


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    head, claims, signature = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
    return json.loads(head), json.loads(claims), signature


def joined(head: dict[str, Any], claims: dict[str, Any], signature: bytes) -> str:
    return ".".join(_base64(part) for part in (json.dumps(head).encode(), json.dumps(claims).encode(), signature))


def _base64(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def signed(head: dict[str, Any], claims: dict[str, Any], key: RSAPrivateKey) -> str:
    unsigned = joined(head, claims, b"").rstrip(".")
    return f"{unsigned}.{_base64(key.sign(unsigned.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def another_key(token: str) -> str:
    head, claims, _ = parts(token)
    return signed(head, claims, generate_private_key(65537, 2048))


def changed_claims(**changes: Any) -> Callable[[str], str]:
    def changed(token: str) -> str:
        head, claims, signature = parts(token)
        return joined(head, claims | changes, signature)

    return changed


def without_algorithm(name: str) -> Callable[[str], str]:
    def unsigned(token: str) -> str:
        head, claims, _ = parts(token)
        return joined({**head, "alg": name}, claims, b"")

    return unsigned


def other_signature(token: str) -> str:
    head, claims, signature = parts(token)
    return joined(head, claims, bytes([signature[0] ^ 1]) + signature[1:])


FORGERIES: dict[str, Callable[[str], str]] = {
    "garbage": lambda _: "garbage",
    "three parts of garbage": lambda _: "a.b.c",
    "empty parts": lambda _: "..",
    "cut off": lambda token: token[:-20],
    "without a signature": lambda token: token.rpartition(".")[0] + ".",
    "another signature": other_signature,
    "another subject": changed_claims(sub="somebody"),
    "a later end": changed_claims(exp=int(time.time()) + 10**6),
    "no algorithm": without_algorithm("none"),
    "no algorithm, in other letters": without_algorithm("nOnE"),
    "a symmetric algorithm": without_algorithm("HS256"),
    "a key of its own": another_key,
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_gives_no_data(stack: Stack, tokens: Tokens, row: dict[str, Any], forgery: str) -> None:
    forged = FORGERIES[forgery](tokens["access_token"])
    assert_no_data(stack.outputs["PageUrl"], forged, row)


def test_nobody_without_a_token_gets_data(stack: Stack, row: dict[str, Any]) -> None:
    assert_no_data(stack.outputs["PageUrl"], None, row)


def test_an_id_token_gives_no_data(stack: Stack, tokens: Tokens, row: dict[str, Any]) -> None:
    assert_no_data(stack.outputs["PageUrl"], tokens["id_token"], row, allowed=(401, 403))


def test_a_refresh_token_gives_no_data(stack: Stack, tokens: Tokens, row: dict[str, Any]) -> None:
    assert_no_data(stack.outputs["PageUrl"], tokens["refresh_token"], row)


def test_a_token_of_another_client_of_the_same_pool_gives_no_data(
    system: System, stack: Stack, person: tuple[str, str], row: dict[str, Any]
) -> None:
    made = client_of(system, stack, stack.outputs["UserPoolId"])
    try:
        assert_no_data(stack.outputs["PageUrl"], made.sign_in(*person)["access_token"], row)
    finally:
        boto3.client("cognito-idp").delete_user_pool_client(
            UserPoolId=stack.outputs["UserPoolId"], ClientId=made.client_id
        )


def test_a_token_of_a_foreign_pool_gives_no_data(system: System, stack: Stack, row: dict[str, Any]) -> None:
    cognito = boto3.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="foreign", UsernameAttributes=["email"])["UserPool"]["Id"]
    try:
        with user(pool) as (name, password):
            foreign = client_of(system, stack, pool).sign_in(name, password)
            assert parts(foreign["access_token"])[1]["scope"].split() == ["openid", "email"]
            assert_no_data(stack.outputs["PageUrl"], foreign["access_token"], row)
    finally:
        cognito.delete_user_pool(UserPoolId=pool)


def client_of(system: System, stack: Stack, pool_id: str) -> Client:
    """Another client, which may do what the page's may."""
    if system.folder is None:
        pytest.skip("on AWS a pool's sign-in needs a domain of its own")
    page = Client.of_page(stack.outputs["PageUrl"])
    made = boto3.client("cognito-idp").create_user_pool_client(
        UserPoolId=pool_id,
        ClientName="another",
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid", "email"],
        CallbackURLs=[page.redirect_uri],
        SupportedIdentityProviders=["COGNITO"],
    )["UserPoolClient"]
    return Client(page.sign_in_url, made["ClientId"], page.redirect_uri)


def pool_key(folder: Path, pool_id: str) -> RSAPrivateKey:
    """What the local AWS signs the access tokens of the pool with; it lies in this run's own folder."""
    text = (folder / "aws" / "state" / "cognito-pool-keys" / f"{pool_id}-access.pem").read_bytes()
    key = serialization.load_pem_private_key(text, password=None)
    assert isinstance(key, RSAPrivateKey)
    return key


def test_an_expired_token_gives_no_data(system: System, stack: Stack, tokens: Tokens, row: dict[str, Any]) -> None:
    if system.folder is None:
        pytest.skip("nobody has the keys of a user pool on AWS, and its tokens live an hour")
    page_url = stack.outputs["PageUrl"]
    key = pool_key(system.folder, stack.outputs["UserPoolId"])
    head, claims, _ = parts(tokens["access_token"])
    now = int(time.time())
    assert Api(page_url, signed(head, claims, key))("GET", PATHS[0]).status_code == 200  # the key is the right one
    expired = claims | {"iat": now - 3700, "auth_time": now - 3700, "exp": now - 100}
    assert_no_data(page_url, signed(head, expired, key), row)
    without_scope = claims | {"scope": "email"}
    assert_no_data(page_url, signed(head, without_scope, key), row, allowed=(403,))


def test_a_wrong_password_gives_no_token(stack: Stack, person: tuple[str, str]) -> None:
    with pytest.raises(SignInFailed):
        Client.of_page(stack.outputs["PageUrl"]).sign_in(person[0], "Wrong1!password")


def test_the_sign_in_sends_its_code_to_the_page_alone(stack: Stack, person: tuple[str, str]) -> None:
    page = Client.of_page(stack.outputs["PageUrl"])
    with pytest.raises(SignInFailed):
        Client(page.sign_in_url, page.client_id, "https://evil.example.com/").sign_in(*person)
