"""The page's files: public, with a policy that lets nothing in, and nothing but what is in the folder."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.as_on_lambda import ENVIRONMENT
from tests.unit.functions import ROOT, Context, event, shared

VIEWER = ROOT / "viewer"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Any:
    return shared("api", monkeypatch)


def get(api: Any, path: str, **headers: str) -> dict[str, Any]:
    request = event("api/page")
    request["rawPath"] = request["requestContext"]["http"]["path"] = path
    request["headers"] |= headers
    answer: dict[str, Any] = api.handler(request, Context())
    return answer


def policy(answer: dict[str, Any]) -> dict[str, list[str]]:
    parts = [part.split() for part in answer["headers"]["Content-Security-Policy"].split(";")]
    return {name: sources for name, *sources in parts}


def test_the_page_is_served_with_all_that_it_loads(api: Any) -> None:
    index = get(api, "/")
    assert (index["statusCode"], index["headers"]["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert index["body"] == (VIEWER / "index.html").read_text(encoding="utf-8")
    for path in VIEWER.rglob("*"):
        if path.is_file():
            answer = get(api, f"/viewer/{path.relative_to(VIEWER).as_posix()}")
            assert (answer["statusCode"], answer["body"]) == (200, path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("app.js", "text/javascript"),
        ("style.css", "text/css"),
        ("icon.svg", "image/svg+xml"),
        ("config.json", "application/json"),
    ],
)
def test_a_file_has_its_type_and_no_other_is_guessed(api: Any, name: str, kind: str) -> None:
    headers = get(api, f"/viewer/{name}")["headers"]
    assert (headers["Content-Type"].partition(";")[0], headers["X-Content-Type-Options"]) == (kind, "nosniff")


def test_the_page_learns_where_to_sign_in_and_nothing_else(api: Any) -> None:
    expected = {"client_id": ENVIRONMENT["CLIENT_ID"], "sign_in_url": ENVIRONMENT["SIGN_IN_URL"]}
    assert json.loads(get(api, "/viewer/config.json")["body"]) == expected


def test_the_policy_lets_in_what_the_page_needs_and_nothing_else(api: Any) -> None:
    buckets = {f"https://{name}.s3.eu-west-1.amazonaws.com" for name in ("recordings", "results")}
    found = policy(get(api, "/"))
    assert found["default-src"] == ["'none'"]
    assert found["script-src"] == found["style-src"] == ["'self'"]
    assert set(found["connect-src"]) == {"'self'", ENVIRONMENT["SIGN_IN_URL"], *buckets}
    assert set(found["media-src"]) == buckets
    assert found["frame-ancestors"] == found["base-uri"] == found["form-action"] == ["'none'"]
    assert not {"*", "'unsafe-inline'", "'unsafe-eval'", "https:", "http:", "blob:"} & {
        source for sources in found.values() for source in sources
    }


@pytest.mark.parametrize("path", ["/", "/viewer/app.js", "/viewer/index.html"])
def test_every_file_carries_the_policy_and_no_referrer(api: Any, path: str) -> None:
    headers = get(api, path)["headers"]
    assert policy(get(api, path))["default-src"] == ["'none'"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Strict-Transport-Security"].startswith("max-age=")
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_a_browser_that_has_the_file_is_not_sent_it_again(api: Any) -> None:
    first = get(api, "/viewer/app.js")
    etag = first["headers"]["ETag"]
    assert first["headers"]["Cache-Control"] == "no-cache"
    again = get(api, "/viewer/app.js", **{"if-none-match": etag})
    assert (again["statusCode"], again.get("body") or "") == (304, "")
    assert (again["headers"]["ETag"], again["headers"]["Cache-Control"]) == (etag, "no-cache")
    assert get(api, "/viewer/app.js", **{"if-none-match": '"another"'})["statusCode"] == 200
    assert etag != get(api, "/viewer/dom.js")["headers"]["ETag"]


@pytest.mark.parametrize(
    "path",
    [
        "../app.py",
        "..%2fapp.py",
        "%2e%2e/app.py",
        "..\\app.py",
        "/etc/passwd",
        "//etc/passwd",
        "./app.js",
        "x/../app.js",
        "nothing.js",
        "app.js/",
        "app.js\x00",
        "openapi.json",
        "page.py",
        "__pycache__",
        "<script>alert(1)</script>",
    ],
)
def test_what_is_no_file_of_the_page_is_not_found(api: Any, path: str) -> None:
    answer = get(api, f"/viewer/{path}")
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (404, "application/json")
    assert set(json.loads(answer["body"])) == {"error"}


def test_the_folder_in_the_function_is_the_page() -> None:
    assert (Path(ROOT) / "functions" / "api" / "viewer").resolve() == VIEWER
