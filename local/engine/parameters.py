"""What a client may ask for: the rules of `POST /v2/transcript`, with AssemblyAI's own error texts."""

import json
import re
from collections.abc import Mapping
from typing import Any

from local.engine import net

SPEECH_MODELS = ("universal-3-pro", "universal-2", "universal-3-5-pro", "assemblyai-stt-3-7")
DEFAULT_SPEECH_MODELS = ("universal-3-5-pro", "universal-2")
BAD_SCHEMA = "Invalid endpoint schema, please refer to documentation for examples."

_ENGLISH = ("en", "en_au", "en_uk", "en_us")
_TYPES: Mapping[type, tuple[str, tuple[str, ...]]] = {
    bool: (
        "a Boolean",
        (
            "auto_chapters",
            "auto_highlights",
            "content_safety",
            "custom_topics",
            "disfluencies",
            "entity_detection",
            "filter_profanity",
            "format_text",
            "iab_categories",
            "language_detection",
            "multichannel",
            "punctuate",
            "redact_pii",
            "redact_pii_audio",
            "redact_pii_return_unredacted",
            "sentiment_analysis",
            "speaker_labels",
            "summarization",
        ),
    ),
    int: (
        "an Integer",
        ("audio_end_at", "audio_start_from", "content_safety_confidence", "speakers_expected"),
    ),
    float: ("a Number", ("language_confidence_threshold", "speech_threshold", "temperature")),
    str: (
        "a String",
        (
            "audio_url",
            "domain",
            "language_code",
            "prompt",
            "redact_pii_audio_quality",
            "redact_pii_sub",
            "summary_model",
            "summary_type",
            "webhook_auth_header_name",
            "webhook_auth_header_value",
            "webhook_url",
        ),
    ),
    list: (
        "a List",
        ("custom_spelling", "keyterms_prompt", "language_codes", "redact_pii_policies", "topics"),
    ),
    dict: (
        "an Object",
        ("language_detection_options", "redact_pii_audio_options", "speaker_options", "speech_understanding"),
    ),
}
_HEADER_NAME = re.compile(r"[A-Za-z0-9_-]{1,1000}")
_HEADER_VALUE = re.compile(r"[^\r\n\0]{1,1000}")

# What the API object holds beside the request's own values, before there is any result.
_NO_RESULTS = (
    "audio_channels", "audio_duration", "auto_highlights_result", "chapters", "confidence",
    "content_safety_labels",
    "entities", "iab_categories_result", "language_confidence", "sentiment_analysis_results", "speech_model",
    "speech_model_used", "summary", "text", "throttled", "utterances", "webhook_status_code", "words",
)  # fmt: skip
_ECHOED_OR_NULL = (
    "audio_end_at", "audio_start_from", "custom_spelling", "domain", "language_codes",
    "language_confidence_threshold",
    "language_detection_options", "prompt", "redact_pii_audio_options", "redact_pii_audio_quality",
    "redact_pii_policies", "redact_pii_sub", "speakers_expected", "speech_threshold", "speech_understanding",
    "summary_model", "summary_type", "temperature", "webhook_auth_header_name", "webhook_url",
)  # fmt: skip
_ECHOED_OR_FALSE = tuple(name for name in _TYPES[bool][1] if name not in ("format_text", "punctuate"))


class BadRequestError(Exception):
    """A request that AssemblyAI would refuse with 400 and this text."""


def read_request(body: bytes) -> dict[str, Any]:
    """Return the parameters of a create request, nulls left out. Raises BadRequestError."""
    try:
        sent = json.loads(body)
        # What JSON cannot carry back (NaN) or no text file can (half a surrogate pair) goes no further.
        json.dumps(sent, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadRequestError(BAD_SCHEMA) from error
    if not isinstance(sent, dict):
        raise BadRequestError(BAD_SCHEMA)
    parameters = {name: value for name, value in sent.items() if value is not None}
    _check_audio_url(parameters)
    _check_types(parameters)
    _check_speech_models(parameters)
    _check_language(parameters)
    _check_webhook(parameters)
    _check_times(parameters)
    return parameters


def new_transcript(transcript_id: str, parameters: Mapping[str, Any], status: str) -> dict[str, Any]:
    """Return the transcript object of a job that has no result yet."""
    language = parameters.get("language_code", "en_us")
    return {
        "id": transcript_id,
        "language_model": "assemblyai_default",
        "acoustic_model": "assemblyai_default",
        "language_code": "en_us" if language == "en" else language,
        "status": status,
        "audio_url": parameters["audio_url"],
        **dict.fromkeys(_NO_RESULTS),
        **{name: parameters.get(name) for name in _ECHOED_OR_NULL},
        **{name: parameters.get(name, False) for name in _ECHOED_OR_FALSE},
        "format_text": parameters.get("format_text", True),
        "punctuate": parameters.get("punctuate", True),
        "keyterms_prompt": parameters.get("keyterms_prompt", []),
        "speech_models": parameters.get("speech_models"),
        "webhook_auth": "webhook_auth_header_name" in parameters,
    }


def blanked(transcript: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is left of a transcript that its owner deleted."""
    return {
        **transcript,
        **dict.fromkeys(_NO_RESULTS),
        "audio_url": "http://deleted_by_user",
        "text": "Deleted by user.",
        "webhook_url": None,
        "webhook_auth": False,
        "webhook_auth_header_name": None,
        "webhook_status_code": transcript.get("webhook_status_code"),
        "prompt": None,
        "keyterms_prompt": [],
        "custom_spelling": None,
    }


def _check_audio_url(parameters: Mapping[str, Any]) -> None:
    url = parameters.get("audio_url")
    if not url:
        msg = "Transcript creation error, audio_url not found"
        raise BadRequestError(msg)
    if not isinstance(url, str) or not _is_web_url(url):
        msg = "Transcript creation error, audio_url should start with http"
        raise BadRequestError(msg)


def _is_web_url(url: str) -> bool:
    try:
        return bool(net.as_written(url))
    except ValueError:
        return False


def _check_types(parameters: Mapping[str, Any]) -> None:
    for kind, (wording, names) in _TYPES.items():
        for name in names:
            value = parameters.get(name)
            accepted = (int, float) if kind is float else kind
            if value is not None and (
                not isinstance(value, accepted) or (kind is not bool and isinstance(value, bool))
            ):
                msg = f"{name} must be {wording}"
                raise BadRequestError(msg)


def _check_speech_models(parameters: Mapping[str, Any]) -> None:
    if "speech_model" in parameters:
        msg = (
            'speech_model is deprecated. Use "speech_models" instead. See documentation: '
            "https://www.assemblyai.com/docs/pre-recorded-audio/select-the-speech-model"
        )
        raise BadRequestError(msg)
    models = parameters.get("speech_models")
    if models is None:
        return
    if not isinstance(models, list) or not models or any(model not in SPEECH_MODELS for model in models):
        msg = (
            '"speech_models" must be a non-empty list containing one or more of: '
            '"universal-3-pro", "universal-2", "universal-3-5-pro"'
        )
        raise BadRequestError(msg)


def _check_language(parameters: Mapping[str, Any]) -> None:
    language = parameters.get("language_code", "en_us")
    if language in _ENGLISH:
        return
    if parameters.get("auto_highlights"):
        msg = "The following models are not available in this language: auto_highlights"
        raise BadRequestError(msg)
    # AssemblyAI knows a hundred languages. Better to refuse than to write English words for German speech.
    msg = f"language_code {language} is not supported: this engine recognises English only"
    raise BadRequestError(msg)


def _check_webhook(parameters: Mapping[str, Any]) -> None:
    url = parameters.get("webhook_url")
    name = parameters.get("webhook_auth_header_name")
    value = parameters.get("webhook_auth_header_value")
    if url is not None and not _is_web_url(url):
        msg = "webhook_url should start with http"
        raise BadRequestError(msg)
    if (name is None) != (value is None):
        msg = "webhook_auth_header_name and webhook_auth_header_value must be given together"
        raise BadRequestError(msg)
    if name is not None and url is None:
        msg = "webhook_auth_header_name needs a webhook_url"
        raise BadRequestError(msg)
    if name is not None and not _HEADER_NAME.fullmatch(name):
        msg = "webhook_auth_header_name must be 1 to 1000 letters, digits, hyphens or underscores"
        raise BadRequestError(msg)
    if value is not None and not _HEADER_VALUE.fullmatch(value):
        msg = "webhook_auth_header_value must be 1 to 1000 characters without a line break"
        raise BadRequestError(msg)


def _check_times(parameters: Mapping[str, Any]) -> None:
    start, end = parameters.get("audio_start_from", 0), parameters.get("audio_end_at")
    if start < 0 or (end is not None and end <= start):
        msg = "audio_start_from must not be negative and must come before audio_end_at"
        raise BadRequestError(msg)
