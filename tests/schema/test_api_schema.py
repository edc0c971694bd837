"""Every answer of a running engine against AssemblyAI's OpenAPI document: `make check-api-schema SPEC=...`."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.integration.engine.running_engine import ROOT, Engine
from tests.schema.specification import Specification

UPLOAD, TRANSCRIPTS = "/v2/upload", "/v2/transcript"
TRANSCRIPT = "/v2/transcript/{transcript_id}"
UNKNOWN = "00000000-0000-0000-0000-000000000000"
READINGS = {
    "sentences": "sentences",
    "paragraphs": "paragraphs",
    "srt?chars_per_caption=20": "{subtitle_format}",
    "vtt": "{subtitle_format}",
    "word-search?words=internet%20outage,refund": "word-search",
}
EVERYTHING = {
    "audio_start_from": 0,
    "audio_end_at": 100_000,
    "auto_highlights": True,
    "content_safety": True,
    "content_safety_confidence": 60,
    "custom_spelling": [{"from": ["dicarlo"], "to": "Decarlo"}],
    "custom_topics": True,
    "disfluencies": True,
    "domain": "medical-v1",
    "entity_detection": True,
    "filter_profanity": True,
    "format_text": True,
    "iab_categories": True,
    "keyterms_prompt": ["refund"],
    "language_codes": ["en"],
    "language_confidence_threshold": 0.2,
    "language_detection": True,
    "language_detection_options": {"expected_languages": ["en"], "fallback_language": "auto"},
    "prompt": "A support call.",
    "punctuate": True,
    "redact_pii": True,
    "redact_pii_audio": True,
    "redact_pii_audio_options": {"override_audio_redaction_method": "silence"},
    "redact_pii_audio_quality": "wav",
    "redact_pii_policies": ["person_name"],
    "redact_pii_return_unredacted": True,
    "redact_pii_sub": "entity_name",
    "redact_static_entities": {"TOOL": ["Bearclaw"]},
    "remove_audio_tags": "all",
    "sentiment_analysis": True,
    "speaker_labels": True,
    "speakers_expected": 2,
    "speech_models": ["universal-3-5-pro", "universal-2"],
    "speech_threshold": 0.1,
    "speech_understanding": {"request": {"translation": {"target_languages": ["es"]}}},
    "summarization": True,
    "summary_model": "informative",
    "summary_type": "bullets",
    "temperature": 0.5,
    "topics": ["refunds"],
    "webhook_auth_header_name": "X-Key",
    "webhook_auth_header_value": "s3cret",
    "webhook_url": "http://127.0.0.1:9/hook",
}
# Parameters that cannot stand beside the ones above.
ALONE: list[dict[str, Any]] = [
    {"auto_chapters": True},
    {"language_code": "en_uk"},
    {"multichannel": True},
    {"speech_understanding": {"request": {"summarization": {"summary_type": "paragraph", "effort": "medium"}}}},
    {"summarization": True, "summary_model": "catchy", "summary_type": "gist", "speech_models": ["universal-2"]},
    {"speaker_labels": True, "speaker_options": {"min_speakers_expected": 1, "max_speakers_expected": 2}},
]


@pytest.fixture(scope="session")
def specification(request: pytest.FixtureRequest) -> Specification:
    return Specification(yaml.safe_load(request.config.getoption("--spec").read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    running = Engine(tmp_path_factory.mktemp("engine"), "--webhook-interval", "0.02")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def upload(engine: Engine) -> str:
    return engine.upload((ROOT / "tests" / "fixtures" / "refund.mp3").read_bytes())


@pytest.fixture(scope="session")
def finished(engine: Engine, upload: str) -> dict[str, Any]:
    return engine.ended(engine.create(audio_url=upload, auto_highlights=True)["id"])


@pytest.fixture
def unending(engine: Engine) -> Iterator[dict[str, Any]]:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        created = engine.create(audio_url=f"http://127.0.0.1:{silent.getsockname()[1]}/x.mp3")
        yield created
        engine.call("DELETE", f"{TRANSCRIPTS}/{created['id']}")


class Check:
    """Makes calls and holds their answers against the document."""

    def __init__(self, specification: Specification, engine: Engine) -> None:
        self._specification = specification
        self._engine = engine

    def __call__(
        self,
        status: int,
        method: str,
        operation: str,
        path: str | None = None,
        **options: Any,
    ) -> requests.Response:
        answer = self._engine.call(method, path or operation, **options)
        assert answer.status_code == status, answer.text
        assert self._specification.complaints(method, operation, answer) == []
        return answer


@pytest.fixture
def check(specification: Specification, engine: Engine) -> Check:
    return Check(specification, engine)


def test_uploads(check: Check) -> None:
    check(200, "post", UPLOAD, data=b"any bytes")
    check(422, "post", UPLOAD, data=b"")


def test_a_transcript_with_every_parameter(
    check: Check, specification: Specification, engine: Engine, upload: str,
) -> None:  # fmt: skip
    sent = EVERYTHING | {name: value for one in ALONE for name, value in one.items()}
    assert {*sent, "speech_model"} == {*specification.request_properties()}
    created = check(200, "post", TRANSCRIPTS, json={**EVERYTHING, "audio_url": upload}).json()
    for name in specification.document["components"]["schemas"]["Transcript"]["properties"].keys() & EVERYTHING.keys():
        assert created[name] == EVERYTHING[name]
    assert engine.ended(created["id"])["status"] == "completed"
    check(200, "get", TRANSCRIPT, f"{TRANSCRIPTS}/{created['id']}")


@pytest.mark.parametrize("parameters", ALONE, ids=",".join)
def test_a_transcript_with_other_parameters(
    check: Check, engine: Engine, upload: str, parameters: dict[str, Any],
) -> None:  # fmt: skip
    created = check(200, "post", TRANSCRIPTS, json={**parameters, "audio_url": upload}).json()
    assert engine.ended(created["id"])["status"] == "completed"
    check(200, "get", TRANSCRIPT, f"{TRANSCRIPTS}/{created['id']}")


def test_a_summary(check: Check, specification: Specification, engine: Engine, upload: str) -> None:
    asked = {"speech_understanding": {"request": {"summarization": {"summary_type": "bullets"}}}}
    created = check(200, "post", TRANSCRIPTS, json={**asked, "audio_url": upload}).json()
    response = engine.ended(created["id"])["speech_understanding"]["response"]
    assert response["summarization"]["summary"]
    assert specification.complaints_of("SummarizationResponse", response) == []


def test_no_parameter_is_taken_in_a_wrong_type(check: Check, specification: Specification, upload: str) -> None:
    for name, schema in specification.request_properties().items():
        wrong = "x" if schema.get("type") == "object" else {"x": 1}
        answer = check(400, "post", TRANSCRIPTS, json={"audio_url": upload, name: wrong})
        assert name in answer.json()["error"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"audio_url": "ftp://x"}', b'{"audio_url": 1}'])
def test_a_request_that_is_none(check: Check, body: bytes) -> None:
    check(400, "post", TRANSCRIPTS, data=body)


def test_an_upload_that_is_not_there(check: Check, engine: Engine) -> None:
    check(403, "post", TRANSCRIPTS, json={"audio_url": f"{engine.url}/upload/0123abcd/{UNKNOWN}"})


def test_a_transcript_from_work_to_deletion(check: Check, engine: Engine, upload: str) -> None:
    created = check(200, "post", TRANSCRIPTS, json={"audio_url": upload, "auto_highlights": True}).json()
    path = f"{TRANSCRIPTS}/{created['id']}"
    engine.ended(created["id"])
    check(200, "get", TRANSCRIPT, path)
    # The upload goes with the transcript: a copy for the other tests.
    own = engine.transcribe((ROOT / "tests" / "fixtures" / "refund.mp3").read_bytes())
    check(200, "delete", TRANSCRIPT, f"{TRANSCRIPTS}/{own['id']}")
    check(200, "get", TRANSCRIPT, f"{TRANSCRIPTS}/{own['id']}")
    for reading, operation in READINGS.items():
        check(400, "get", f"{TRANSCRIPT}/{operation}", f"{TRANSCRIPTS}/{own['id']}/{reading}")


def test_a_transcript_that_failed(check: Check, engine: Engine) -> None:
    failed = engine.transcribe(b"no sound")
    assert failed["status"] == "error"
    check(200, "get", TRANSCRIPT, f"{TRANSCRIPTS}/{failed['id']}")


def test_a_transcript_in_work(check: Check, unending: dict[str, Any]) -> None:
    path = f"{TRANSCRIPTS}/{unending['id']}"
    check(200, "get", TRANSCRIPT, path)
    for reading, operation in READINGS.items():
        check(400, "get", f"{TRANSCRIPT}/{operation}", f"{path}/{reading}")
    check(200, "delete", TRANSCRIPT, path)


def test_lists(check: Check, finished: dict[str, Any], unending: dict[str, Any]) -> None:
    check(200, "get", TRANSCRIPTS)
    check(200, "get", TRANSCRIPTS, f"{TRANSCRIPTS}?limit=200&status=completed&created_on=2001-01-01")
    check(200, "get", TRANSCRIPTS, f"{TRANSCRIPTS}?before_id={unending['id']}&after_id={finished['id']}")
    check(200, "get", TRANSCRIPTS, f"{TRANSCRIPTS}?throttled_only=true")
    check(400, "get", TRANSCRIPTS, f"{TRANSCRIPTS}?limit=201")
    check(400, "get", TRANSCRIPTS, f"{TRANSCRIPTS}?status=done")


def test_readings(check: Check, finished: dict[str, Any]) -> None:
    path = f"{TRANSCRIPTS}/{finished['id']}"
    for reading, operation in READINGS.items():
        check(200, "get", f"{TRANSCRIPT}/{operation}", f"{path}/{reading}")
    check(400, "get", f"{TRANSCRIPT}/redacted-audio", f"{path}/redacted-audio")
    check(400, "get", f"{TRANSCRIPT}/word-search", f"{path}/word-search")
    check(400, "get", f"{TRANSCRIPT}/{{subtitle_format}}", f"{path}/srt?chars_per_caption=0")
    check(404, "get", f"{TRANSCRIPT}/{{subtitle_format}}", f"{path}/docx")


def test_every_operation_knows_unknown_ids(check: Check, specification: Specification) -> None:
    for method, operation in specification.operations():
        if "{transcript_id}" in operation:
            path = operation.format(transcript_id=UNKNOWN, subtitle_format="srt")
            check(400, method, operation, path)


def test_every_operation_wants_the_key(check: Check, specification: Specification) -> None:
    for method, operation in specification.operations():
        path = operation.format(transcript_id=UNKNOWN, subtitle_format="srt")
        check(401, method, operation, path, headers={"Authorization": "wrong"})


def test_every_operation_has_a_rate(specification: Specification, tmp_path: Path) -> None:
    engine = Engine(tmp_path, "--rate", "1/3600", "--workers", "1")
    try:
        check = Check(specification, engine)
        check(200, "get", TRANSCRIPTS)
        for method, operation in specification.operations():
            check(429, method, operation, operation.format(transcript_id=UNKNOWN, subtitle_format="srt"))
    finally:
        engine.stop()
