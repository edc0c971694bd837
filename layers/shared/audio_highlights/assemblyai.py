"""AssemblyAI's pre-recorded API. The only module that speaks HTTP.

https://www.assemblyai.com/docs/api-reference. No request is repeated here but after a 401: the queues do that.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import requests
from urllib3.exceptions import NewConnectionError

from audio_highlights import json_items
from audio_highlights.errors import (
    HighlightsError,
    ProviderAccountRefused,
    ProviderUnavailable,
    RequestRefused,
    TranscriptNotFound,
    TranscriptNotReady,
)
from audio_highlights.models import Transcript, without_url_queries

_CONNECT_SECONDS = 5
_READ_SECONDS = 30
_UPLOAD_READ_SECONDS = 300  # the answer comes only when the whole body has been stored
_TRANSCRIPT = ("id", "status")
_DELETED = "http://deleted_by_user"  # the audio_url of a transcript that was deleted
_CHUNK = 1024 * 1024
_PAGE = 200  # the most that one page of the list may hold

_SECONDS = re.compile(r"[0-9]{1,5}")

# Statuses that a retry can cure. 403 is not among them: "Cannot access uploaded file" stays so.
_RETRYABLE = frozenset({408, 409, 422, 425, 429})


class AssemblyAI:
    """A client for one region and one account.

    `api_key(fresh)` returns the key; with fresh=True it must not come from a cache. A 401 is answered by one
    more try with a fresh key, so that a rotated key works at once.
    """

    def __init__(self, base_url: str, api_key: Callable[[bool], str]) -> None:
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._session = requests.Session()
        self._session.trust_env = False  # no key for this host out of a .netrc, no proxy by accident

    def create(self, parameters: Mapping[str, Any]) -> Transcript:
        """POST /v2/transcript: start a transcript. Every call that is accepted is billed."""
        return Transcript(self._call("POST", "/v2/transcript", needs=_TRANSCRIPT, body=parameters, starts=True))

    def get(self, transcript_id: str) -> Transcript:
        """GET /v2/transcript/{id}. Raises TranscriptNotFound for an unknown id."""
        lost = f"AssemblyAI does not know transcript {transcript_id}: it was deleted, or made by another account."
        try:
            path = f"/v2/transcript/{quote(transcript_id, safe='')}"
            transcript = Transcript(self._call("GET", path, needs=_TRANSCRIPT))
        except RequestRefused as refusal:
            # Documented as 400 by the guides and as 404 by the specification: the text is what both share.
            if "not found" in str(refusal):
                raise TranscriptNotFound(lost) from refusal
            raise
        if transcript.audio_url == _DELETED:
            raise TranscriptNotFound(lost)
        return transcript

    def upload(self, chunks: Iterator[bytes]) -> str:
        """POST /v2/upload in constant memory (chunked transfer). Returns the upload_url."""
        return str(self._call("POST", "/v2/upload", needs=("upload_url",), chunks=chunks)["upload_url"])

    def redacted_audio(self, transcript_id: str) -> Iterator[bytes]:
        """The recording with what was redacted made inaudible, a part at a time. Raises TranscriptNotReady.

        AssemblyAI has it some time after the transcript, for 24 hours, behind a URL that is a password.
        """
        try:
            path = f"/v2/transcript/{quote(transcript_id, safe='')}/redacted-audio"
            url = self._call("GET", path, needs=("redacted_audio_url",))["redacted_audio_url"]
        except RequestRefused as refusal:  # nothing tells what is not there yet from what will never be
            message = f"The redacted audio of transcript {transcript_id} is not there: {refusal}"
            raise TranscriptNotReady(message) from refusal
        try:
            with self._session.get(
                url, stream=True, timeout=(_CONNECT_SECONDS, _READ_SECONDS), allow_redirects=False
            ) as response:
                if response.status_code != requests.codes.ok:
                    message = f"The redacted audio of {transcript_id} cannot be fetched: {response.status_code}."
                    raise ProviderUnavailable(message)
                yield from response.iter_content(_CHUNK)
        except requests.RequestException as error:
            message = f"The redacted audio of {transcript_id} cannot be fetched: {type(error).__name__}."
            raise ProviderUnavailable(message) from error

    def delete(self, transcript_id: str) -> None:
        """DELETE /v2/transcript/{id}: the provider forgets it; one that it does not know is no error."""
        try:
            self._call("DELETE", f"/v2/transcript/{quote(transcript_id, safe='')}")
        except RequestRefused as refusal:
            if "not found" not in str(refusal):
                raise

    def created_since(self, moment: datetime) -> Iterator[tuple[str, str, str]]:
        """(transcript_id, status, audio_url) of the account's transcripts created since then, newest first.

        The only way to find a transcript whose id was lost.
        """
        path = f"/v2/transcript?limit={_PAGE}"
        while True:
            answer = self._call("GET", path)
            page = [*(answer.get("transcripts") or ())]
            for listed in page:
                created = datetime.fromisoformat(str(listed["created"]))
                if created.replace(tzinfo=created.tzinfo or UTC) < moment:
                    return
                yield str(listed["id"]), str(listed["status"]), str(listed.get("audio_url") or "")
            if not page or not (answer.get("page_details") or {}).get("prev_url"):
                return
            path = f"/v2/transcript?limit={_PAGE}&before_id={quote(str(page[-1]['id']), safe='')}"

    def _call(
        self,
        method: str,
        path: str,
        *,
        needs: Sequence[str] = (),
        body: Mapping[str, Any] | None = None,
        chunks: Iterator[bytes] | None = None,
        starts: bool = False,
    ) -> dict[str, Any]:
        """`starts` says that the call may start a transcript, so that its failure must say whether it did."""
        try:
            response = self._send(method, path, fresh_key=False, body=body, chunks=chunks)
            if response.status_code == requests.codes.unauthorized:
                if chunks is None:
                    response = self._send(method, path, fresh_key=True, body=body, chunks=None)
                else:
                    self._api_key(True)  # the audio is used up; the next attempt has the fresh key
            return _read(response, needs)
        except ProviderUnavailable as trouble:
            trouble.may_have_accepted = trouble.may_have_accepted and starts
            raise

    def _send(
        self,
        method: str,
        path: str,
        *,
        fresh_key: bool,
        body: Mapping[str, Any] | None,
        chunks: Iterator[bytes] | None,
    ) -> requests.Response:
        try:
            return self._session.request(
                method,
                f"{self._base_url}{path}",
                headers={"Authorization": self._api_key(fresh_key)},
                json=body,
                data=chunks,
                timeout=(_CONNECT_SECONDS, _READ_SECONDS if chunks is None else _UPLOAD_READ_SECONDS),
                allow_redirects=False,
            )
        except requests.ConnectTimeout as error:
            message = f"AssemblyAI ({self._base_url}) could not be reached: no connection within {_CONNECT_SECONDS} s."
            raise ProviderUnavailable(message) from error
        except requests.RequestException as error:
            message = f"AssemblyAI ({self._base_url}) could not be reached: {type(error).__name__}."
            raise ProviderUnavailable(message, may_have_accepted=not _never_connected(error)) from error


def _never_connected(error: requests.RequestException) -> bool:
    """Whether no request can have been read. A reset, a timeout or broken TLS may come after it was."""
    return isinstance(getattr(error.args[0], "reason", None) if error.args else None, NewConnectionError)


def _read(response: requests.Response, needs: Sequence[str]) -> dict[str, Any]:
    code = response.status_code
    try:
        body = json_items.read(response.content)
    except (ValueError, RecursionError):
        body = None
    if code == requests.codes.ok and isinstance(body, dict) and all(isinstance(body.get(name), str) for name in needs):
        return body
    raise _error(code, body, response.headers.get("Retry-After"))


def _error(code: int, body: object, retry_after: str | None) -> HighlightsError:
    said = body.get("error") if isinstance(body, dict) else None
    text = without_url_queries(said) if isinstance(said, str) else "no readable answer"
    if code == requests.codes.unauthorized:
        return ProviderAccountRefused(
            "AssemblyAI refuses the API key (401). Put the right key into the API key secret; "
            "the recording waits in the submit queue and needs no new upload."
        )
    if code == requests.codes.bad_request and "balance is negative" in text:
        return ProviderAccountRefused(f"AssemblyAI takes no work: {text} The recording waits in the submit queue.")
    if code == requests.codes.too_many_requests:
        seconds = int(retry_after) if retry_after and _SECONDS.fullmatch(retry_after) else 0
        wait = f" It asks to wait {seconds} s." if seconds else ""
        return ProviderUnavailable(f"AssemblyAI answers 429, too many requests.{wait}", wait_seconds=seconds)
    refused = requests.codes.bad_request <= code < requests.codes.server_error
    if isinstance(said, str) and refused and code not in _RETRYABLE:
        return RequestRefused(f"AssemblyAI refuses the request ({code}): {text}")
    return ProviderUnavailable(f"AssemblyAI answers {code}: {text}", may_have_accepted=not refused)
