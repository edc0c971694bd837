"""Reads a call of AssemblyAI's webhook as the HTTP API (payload 2.0) hands it to the function."""

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from audio_highlights.errors import WebhookForbidden, WebhookUnauthorized, WebhookUnreadable
from audio_highlights.models import Finished
from audio_highlights.workflow import WEBHOOK_HEADER, is_bound

_BODY_BYTES = 4096  # a real one has about 80
_ID_CHARACTERS = 200
_ATTEMPT = re.compile(r"[0-9]{1,9}")

Network = IPv4Network | IPv6Network


def networks(text: str) -> tuple[Network, ...]:
    """Addresses or CIDR blocks with commas between them; ValueError where one is neither. None for an empty text."""
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def read_webhook(event: Mapping[str, Any], secrets: Iterable[str], sources: Sequence[Network] = ()) -> Finished | None:
    """Verify source and binding, then read the body {"transcript_id", "status": "completed" | "error"}.

    `secrets` are tried in their order and none is taken from it after the one that fits. No `sources`: any may call.
    None for rightly bound news that ends no transcript (redacted audio is ready). Raises WebhookForbidden,
    WebhookUnauthorized or WebhookUnreadable.
    """
    if sources and not _comes_from(event, sources):
        message = "the caller's address is not among WebhookSourceIps"
        raise WebhookForbidden(message)
    query = event.get("queryStringParameters") or {}
    recording_id, attempt = query.get("recording", ""), query.get("attempt", "")
    presented = (event.get("headers") or {}).get(WEBHOOK_HEADER, "")
    if not _ATTEMPT.fullmatch(attempt) or not any(
        secret and is_bound(secret, recording_id, int(attempt), presented)  # an empty one binds nothing
        for secret in secrets
    ):
        message = "the header is not the binding of the recording and attempt in the query"
        raise WebhookUnauthorized(message)
    body = _body(event)
    if "transcript_id" not in body and body.get("status") == "redacted_audio_ready":
        return None
    transcript_id, status = body.get("transcript_id"), body.get("status")
    if not isinstance(transcript_id, str) or not 0 < len(transcript_id) <= _ID_CHARACTERS:
        message = f"no transcript_id for recording {recording_id}"
        raise WebhookUnreadable(message)
    if status not in ("completed", "error"):
        message = f"unknown status for recording {recording_id}"
        raise WebhookUnreadable(message)
    return Finished(recording_id, int(attempt), transcript_id)


def _comes_from(event: Mapping[str, Any], sources: Sequence[Network]) -> bool:
    """Whether the address that API Gateway itself saw is in one of them; a forwarded-for header proves nothing."""
    try:
        address = ip_address(event["requestContext"]["http"]["sourceIp"])
    except (KeyError, ValueError):
        return False
    return any(address in source for source in sources)


def _body(event: Mapping[str, Any]) -> dict[str, Any]:
    raw = event.get("body") or ""
    if len(raw) > _BODY_BYTES:
        message = f"a body of {len(raw)} characters"
        raise WebhookUnreadable(message)
    try:
        text = base64.b64decode(raw, validate=True) if event.get("isBase64Encoded") else raw
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        message = "the body is not JSON"
        raise WebhookUnreadable(message) from error
    if not isinstance(body, dict):
        message = "the body is not a JSON object"
        raise WebhookUnreadable(message)
    return body
