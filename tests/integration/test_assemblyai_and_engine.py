"""The adapter against the engine: two implementations of one contract that know nothing of each other."""

import io
import re
import time
import wave
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config

from audio_highlights.assemblyai import AssemblyAI
from audio_highlights.errors import ProviderAccountRefused, RequestRefused, TranscriptNotFound
from audio_highlights.insights import SummaryStatus, asked_for, summary
from audio_highlights.models import HighlightsStatus, Transcript
from audio_highlights.options import has_key_phrases, recording_options, stack_options
from local.stack import PROJECT, Local

SPEECH = PROJECT / "tests" / "fixtures" / "refund.mp3"
MODELS = ["universal-3-5-pro", "universal-2"]


@pytest.fixture
def provider(local_system: Local) -> AssemblyAI:
    return AssemblyAI(local_system.engine_url, lambda _: local_system.engine_key)


def parts() -> Iterator[bytes]:
    with SPEECH.open("rb") as file:
        while part := file.read(10_000):
            yield part


def ended(provider: AssemblyAI, transcript: Transcript) -> Transcript:
    deadline = time.monotonic() + 60
    while transcript.status in ("queued", "processing"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        transcript = provider.get(transcript.transcript_id)
    return transcript


def test_an_uploaded_recording_comes_back_with_its_highlights(provider: AssemblyAI) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    audio_url = provider.upload(parts())
    created = provider.create({"audio_url": audio_url, "auto_highlights": True, "speech_models": MODELS})
    assert created.status in ("queued", "processing")
    assert (created.transcript_id, audio_url) in [(one, url) for one, _, url in provider.created_since(before)]
    transcript = ended(provider, created)
    status, highlights = transcript.highlights()
    assert (transcript.status, status) == ("completed", HighlightsStatus.SUCCESS)
    assert "internet outage" in [highlight.phrase for highlight in highlights]
    assert all(len(highlight.timestamps) == highlight.count for highlight in highlights)
    assert list(provider.created_since(datetime.now(UTC) + timedelta(hours=1))) == []


def test_11_what_is_not_audio_ends_in_an_error_with_a_text(provider: AssemblyAI) -> None:
    audio_url = provider.upload(iter([b"this is no recording\n" * 100]))
    created = provider.create({"audio_url": audio_url, "auto_highlights": True, "speech_models": MODELS})
    transcript = ended(provider, created)
    assert transcript.status == "error"
    assert "does not appear to contain audio" in transcript.error


def silence(seconds: int) -> bytes:
    """A WAV file."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16_000 * seconds))
    return made.getvalue()


def test_14_silence_completes_without_highlights(provider: AssemblyAI) -> None:
    audio_url = provider.upload(iter([silence(2)]))
    created = provider.create({"audio_url": audio_url, "auto_highlights": True, "speech_models": MODELS})
    transcript = ended(provider, created)
    assert (transcript.status, transcript.highlights()) == ("completed", (HighlightsStatus.EMPTY, []))


@pytest.mark.parametrize("whole", [SPEECH, SPEECH.with_suffix(".mp4")], ids=lambda path: path.suffix)
@pytest.mark.parametrize("part", [0.02, 0.5, 0.98])
def test_13_media_that_breaks_off_ends_one_way_or_the_other(provider: AssemblyAI, whole: Path, part: float) -> None:
    content = whole.read_bytes()
    audio_url = provider.upload(iter([content[: int(len(content) * part)]]))
    created = provider.create({"audio_url": audio_url, "auto_highlights": True, "speech_models": MODELS})
    transcript = ended(provider, created)
    assert transcript.status == "completed" or transcript.error


def test_41_what_the_provider_says_of_an_expired_url_is_what_a_new_one_cures(provider: AssemblyAI, bucket: str) -> None:
    s3: Any = boto3.client("s3", config=Config(signature_version="s3v4"))
    s3.upload_file(str(SPEECH), bucket, "refund.mp3")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "refund.mp3"}, ExpiresIn=1)
    deadline = time.monotonic() + 60
    while requests.get(url, timeout=10).status_code != 403:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    created = provider.create({"audio_url": url, "auto_highlights": True, "speech_models": MODELS})
    transcript = ended(provider, created)
    assert transcript.status == "error"
    assert transcript.error.startswith("Download error")


def test_31_a_bad_parameter_is_refused_for_good(provider: AssemblyAI) -> None:
    with pytest.raises(RequestRefused, match="should start with http"):
        provider.create({"audio_url": "ftp://nowhere", "speech_models": MODELS})


def test_63_an_unknown_transcript_is_not_found(provider: AssemblyAI) -> None:
    with pytest.raises(TranscriptNotFound, match="does not know transcript"):
        provider.get("00000000-0000-4000-8000-000000000000")


def test_33_a_wrong_key_is_the_account_s_trouble_and_a_rotated_one_works_at_once(local_system: Local) -> None:
    wrong = AssemblyAI(local_system.engine_url, lambda _: "wrong")
    with pytest.raises(ProviderAccountRefused, match="401"):
        list(wrong.created_since(datetime.now(UTC)))
    asked: list[bool] = []

    def rotated(fresh: bool) -> str:
        asked.append(fresh)
        return local_system.engine_key if fresh else "old"

    assert (
        list(AssemblyAI(local_system.engine_url, rotated).created_since(datetime.now(UTC) + timedelta(hours=1))) == []
    )
    assert asked == [False, True]


# ---- options and summaries


@pytest.mark.parametrize("stack", ["{}", '{"speech_understanding": {"request": {"action_items": {}}}}'])
def test_a_summary_by_speech_understanding_comes_back(provider: AssemblyAI, stack: str) -> None:
    asked = '{"request": {"summarization": {"summary_type": "bullets"}}}'
    options = recording_options(
        stack_options(stack, MODELS), MODELS, {"aai-speech_understanding": asked}, {"aai-disfluencies": "true"}
    )
    created = provider.create({"audio_url": provider.upload(parts()), "speech_models": MODELS, **options})
    transcript = ended(provider, created)
    status, text = summary(transcript)
    assert status is SummaryStatus.SUCCESS
    assert set(text.splitlines()) <= set(re.findall(r"[^.]+\.", transcript.body["text"].replace(". ", ".")))
    assert asked_for(transcript) == ["disfluencies", "speech_understanding.summarization"]


def test_a_classic_summary_comes_back_of_its_model_alone(provider: AssemblyAI) -> None:
    metadata = {"aai-summarization": "true", "aai-summary_model": "catchy", "aai-summary_type": "gist"}
    options = recording_options({}, MODELS, {**metadata, "aai-speech-models": "universal-2"}, {})
    created = provider.create({"audio_url": provider.upload(parts()), **options})
    status, text = summary(ended(provider, created))
    assert (status, 0 < len(text.split()) <= 6) == (SummaryStatus.SUCCESS, True)


@pytest.mark.parametrize(
    "metadata",
    [
        {"aai-speaker_labels": "true", "aai-speakers_expected": "2", "aai-sentiment_analysis": "true"},
        {"aai-redact_pii": "true", "aai-redact_pii_policies": "person_name,phone_number", "aai-redact_pii_sub": "hash"},
        {"aai-keyterms_prompt": "modem, internet outage", "aai-language_detection": "true", "aai-domain": "medical-v1"},
        {"aai-custom_spelling": '[{"from": ["modem"], "to": "Modem"}]', "aai-audio_end_at": "20000"},
        {"aai-multichannel": "true", "aai-content_safety": "true", "aai-content_safety_confidence": "60"},
        {"aai-language_detection_options": '{"expected_languages": ["en", "es"], "fallback_language": "auto"}'},
        {"aai-prompt": "A call.", "aai-temperature": "0.2", "aai-remove_audio_tags": "all", "aai-language_code": "en"},
    ],
)
def test_what_passes_our_checks_passes_the_provider_s(provider: AssemblyAI, metadata: dict[str, str]) -> None:
    options = recording_options({}, MODELS, metadata, {})
    created = provider.create(
        {"audio_url": provider.upload(parts()), "speech_models": MODELS, "auto_highlights": True, **options}
    )
    assert ended(provider, created).status == "completed"


def test_15_key_phrases_in_a_language_that_is_named_are_refused_and_so_not_asked_for(provider: AssemblyAI) -> None:
    audio_url = provider.upload(parts())
    german = {"audio_url": audio_url, "language_code": "de"}
    with pytest.raises(RequestRefused, match="not available in this language: auto_highlights"):
        provider.create({**german, "auto_highlights": True})
    assert not has_key_phrases(german)
    with pytest.raises(RequestRefused, match="recognises English only"):  # this engine's own limit
        provider.create(german)
