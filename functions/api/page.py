"""The page's files, as a browser may have them: public, and without any data."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


class Page:
    """The files of a folder, each read when it is first asked for. A path that is not among them is not found."""

    def __init__(
        self, folder: Path, *, client_id: str, sign_in_url: str, bucket_origins: Callable[[], Iterable[str]]
    ) -> None:
        self._paths = {
            found.relative_to(folder).as_posix(): found for found in folder.rglob("*") if found.suffix in _TYPES
        }
        configuration = {"client_id": client_id, "sign_in_url": sign_in_url}
        self._read = {"config.json": _with_etag(json.dumps(configuration).encode())}
        self._sign_in_url = sign_in_url
        self._bucket_origins = bucket_origins

    @cached_property
    def _headers(self) -> dict[str, str]:
        return _security_headers(self._sign_in_url, sorted(set(self._bucket_origins())))

    def answer(self, path: str, event: APIGatewayProxyEventV2) -> Response[str]:
        """The file, or 304 where the browser has it, or 404."""
        if path not in self._read and path in self._paths:
            self._read[path] = _with_etag(self._paths[path].read_bytes())
        if path not in self._read:
            return Response(404, "application/json", json.dumps({"error": f"The page has no file {path}."}))
        body, etag = self._read[path]
        headers: Mapping[str, str | list[str]] = {**self._headers, "ETag": etag, "Cache-Control": "no-cache"}
        if event.headers.get("if-none-match") == etag:
            return Response(304, body="", headers=dict(headers))
        return Response(200, _TYPES[Path(path).suffix], body.decode(), dict(headers))


def _with_etag(body: bytes) -> tuple[bytes, str]:
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _security_headers(sign_in_url: str, bucket_origins: list[str]) -> dict[str, str]:
    """Scripts and styles from here alone; data from here, the sign-in and the two buckets."""
    buckets = " ".join(bucket_origins)
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": f"'self' {sign_in_url} {buckets}",
        "media-src": buckets,
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in policy.items()),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "Strict-Transport-Security": "max-age=31536000",
        "X-Content-Type-Options": "nosniff",
    }
