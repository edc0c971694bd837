"""What a client may ask for: the rules of `POST /v2/transcript`, with AssemblyAI's own error texts."""

import json
from collections.abc import Mapping
from typing import Any

from local.engine import net, rules
from local.engine.texts import BAD_SCHEMA
from local.engine.transcripts import DELETED_URL

SPEECH_MODELS = ("universal-3-pro", "universal-2", "universal-3-5-pro", "assemblyai-stt-3-7")
DEFAULT_SPEECH_MODELS = ("universal-3-5-pro", "universal-2")
CLASSIC_MODEL = "universal-2"
DEFAULT_SUMMARY_TYPE = "bullets"

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
            "remove_audio_tags",
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
        (
            "language_detection_options",
            "redact_pii_audio_options",
            "redact_static_entities",
            "speaker_options",
            "speech_understanding",
        ),
    ),
}

# What the API object holds beside the request's own values, before there is any result.
_NO_RESULTS = (
    "audio_duration", "auto_highlights_result", "chapters", "confidence",
    "content_safety_labels", "custom_topics_results",
    "entities", "iab_categories_result", "language_confidence", "language_detection_results",
    "sentiment_analysis_results", "speech_model", "speech_model_used", "summary", "text", "throttled",
    "translated_texts", "utterances", "webhook_status_code", "words",
)  # fmt: skip
_ECHOED_OR_NULL = (
    "audio_end_at", "audio_start_from", "custom_spelling", "domain", "language_codes",
    "language_confidence_threshold",
    "language_detection_options", "prompt", "redact_pii_audio_options", "redact_pii_audio_quality",
    "redact_pii_policies", "redact_pii_sub", "redact_static_entities", "remove_audio_tags", "speaker_options",
    "speakers_expected", "speech_threshold", "speech_understanding", "summary_model", "summary_type", "temperature",
    "webhook_auth_header_name", "webhook_url",
)  # fmt: skip
# The API still shows parameters that it no longer takes.
_RETIRED: Mapping[str, Any] = {"boost_param": None, "dual_channel": False, "speed_boost": False, "word_boost": []}
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
    if refusal := rules.first_refusal(parameters):
        raise BadRequestError(refusal)
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
        **_RETIRED,
        "format_text": parameters.get("format_text", True),
        "punctuate": parameters.get("punctuate", True),
        "is_deleted": None,
        "keyterms_prompt": parameters.get("keyterms_prompt", []),
        "topics": parameters.get("topics", []),
        "speech_models": parameters.get("speech_models"),
        "webhook_auth": "webhook_auth_header_name" in parameters,
    }


def blanked(transcript: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is left of a transcript that its owner deleted."""
    return {
        **transcript,
        **dict.fromkeys(_NO_RESULTS),
        "audio_url": DELETED_URL,
        "text": "Deleted by user.",
        "webhook_url": None,
        "webhook_auth": False,
        "webhook_auth_header_name": None,
        "webhook_status_code": transcript.get("webhook_status_code"),
        **dict.fromkeys(("custom_spelling", "metadata", "prompt", "redact_static_entities", "speech_understanding")),
        "is_deleted": True,
        "keyterms_prompt": [],
        "topics": [],
    }


def _check_audio_url(parameters: Mapping[str, Any]) -> None:
    url = parameters.get("audio_url")
    if not url:
        msg = "Transcript creation error, audio_url not found"
        raise BadRequestError(msg)
    if not isinstance(url, str) or not net.is_web_url(url):
        msg = "Transcript creation error, audio_url should start with http"
        raise BadRequestError(msg)


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
