"""Reads a call of AssemblyAI's webhook as the HTTP API (payload 2.0) hands it to the function."""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from audio_highlights.errors import WebhookUnauthorized, WebhookUnreadable
from audio_highlights.models import Finished
from audio_highlights.workflow import WEBHOOK_HEADER, is_bound

_BODY_BYTES = 4096  # a real one has about 80
_ID_CHARACTERS = 200
_ATTEMPT = re.compile(r"[0-9]{1,9}")


def read_webhook(event: Mapping[str, Any], secret: str) -> Finished | None:
    """Verify the binding, then read the body {"transcript_id", "status": "completed" | "error"}.

    None for rightly bound news that ends no transcript (redacted audio is ready). Raises WebhookUnauthorized or
    WebhookUnreadable.
    """
    query = event.get("queryStringParameters") or {}
    recording_id, attempt = query.get("recording", ""), query.get("attempt", "")
    presented = (event.get("headers") or {}).get(WEBHOOK_HEADER, "")
    if not _ATTEMPT.fullmatch(attempt) or not is_bound(secret, recording_id, int(attempt), presented):
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
