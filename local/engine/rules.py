"""Which parameters of a create request go together, and what they may hold beside the right type."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from local.engine import net

type _Parameters = Mapping[str, Any]

_ENGLISH = ("en", "en_au", "en_uk", "en_us")
_ON_BY_DEFAULT = ("format_text", "punctuate")
_NEEDS = (
    ("auto_chapters", "punctuate"),
    ("sentiment_analysis", "punctuate"),
    ("speaker_labels", "punctuate"),
    ("summarization", "punctuate"),
    ("summarization", "format_text"),
    ("redact_pii", "format_text"),
    ("redact_pii_audio", "redact_pii"),
    ("redact_pii_return_unredacted", "redact_pii"),
    ("redact_static_entities", "redact_pii"),
    ("speaker_options", "speaker_labels"),
    ("speakers_expected", "speaker_labels"),
)
_RANGES = {
    "audio_start_from": (0, None),
    "language_confidence_threshold": (0, 1),
    "speakers_expected": (1, None),
    "speech_threshold": (0, 1),
    "temperature": (0, 1),
}
_CONTENT_SAFETY_CONFIDENCE = (25, 100)
_HEADER_NAME = re.compile(r"[A-Za-z0-9_-]{1,1000}")
_HEADER_VALUE = re.compile(r"[^\r\n\0]{1,1000}")

_SUMMARY_TYPES = {
    "informative": ("bullets", "bullets_verbose", "headline", "paragraph"),
    "conversational": ("bullets", "bullets_verbose", "headline", "paragraph"),
    "catchy": ("gist", "headline"),
}
_PROMPT_WORDS = 1500
_KEYTERM_WORDS = 6
_KEYTERMS = {"universal-2": 200}  # where it is the only model that was asked for
_MOST_KEYTERMS = 1000
_SPELLING_WORDS = 5

_PII_POLICIES = [
    "account_number", "banking_information", "blood_type", "corporate_action", "credit_card_cvv",
    "credit_card_expiration", "credit_card_number", "date", "date_interval", "date_of_birth", "day",
    "drivers_license", "drug", "duration", "effect", "email_address", "event", "filename", "financial_metric",
    "gender", "gender_sexuality", "healthcare_number", "injury", "ip_address", "language", "location",
    "location_address", "location_address_street", "location_city", "location_coordinate", "location_country",
    "location_state", "location_zip", "marital_status", "medical_code", "medical_condition", "medical_process",
    "money_amount", "month", "nationality", "number_sequence", "occupation", "organization", "organization_id",
    "organization_medical_facility", "passport_number", "password", "person_age", "person_name", "phone_number",
    "physical_attribute", "political_affiliation", "product", "project", "religion", "sexuality", "statistics",
    "time", "trend", "url", "us_social_security_number", "username", "vehicle_id", "year", "zodiac_sign",
]  # fmt: skip

# JSON Schemas of what a parameter may hold, its type being right.
_STRINGS = {"type": "array", "items": {"type": "string"}}
_FRACTION = {"type": "number", "minimum": 0, "maximum": 1}
_EFFORT = {"enum": ["low", "medium"]}
_SHAPES: Mapping[str, Mapping[str, Any]] = {
    "custom_spelling": {
        "items": {
            "type": "object",
            "required": ["from", "to"],
            "properties": {"from": _STRINGS, "to": {"type": "string"}},
        },
    },
    "domain": {"enum": ["medical-v1"]},
    "keyterms_prompt": _STRINGS,
    "language_codes": _STRINGS,
    "language_detection_options": {
        "properties": {
            "expected_languages": _STRINGS,
            "fallback_language": {"type": "string"},
            "code_switching": {"type": "boolean"},
            "code_switching_confidence_threshold": _FRACTION,
            "localization": {"type": "array", "items": {"enum": ["en_au", "en_uk"]}, "maxItems": 1},
        },
    },
    "redact_pii_audio_options": {
        "properties": {
            "return_redacted_no_speech_audio": {"type": "boolean"},
            "override_audio_redaction_method": {"enum": ["silence"]},
        },
    },
    "redact_pii_audio_quality": {"enum": ["mp3", "wav"]},
    "redact_pii_policies": {"items": {"enum": _PII_POLICIES}},
    "redact_pii_sub": {"enum": ["entity_name", "hash"]},
    "redact_static_entities": {
        "maxProperties": 100,
        "propertyNames": {"pattern": "^[A-Za-z0-9 _-]{1,80}$"},
        "additionalProperties": {
            "type": "array",
            "items": {"type": "string", "maxLength": 200},
            "maxItems": 200,
        },
    },
    "remove_audio_tags": {"enum": ["all", "speaker"]},
    "speaker_options": {
        "properties": {
            "min_speakers_expected": {"type": "integer", "minimum": 1},
            "max_speakers_expected": {"type": "integer", "minimum": 1},
        },
    },
    "speech_understanding": {
        "required": ["request"],
        "properties": {
            "request": {
                "type": "object",
                "minProperties": 1,
                "properties": {
                    "translation": {
                        "type": "object",
                        "required": ["target_languages"],
                        "properties": {
                            "target_languages": _STRINGS,
                            "formal": {"type": "boolean"},
                            "match_original_utterance": {"type": "boolean"},
                        },
                    },
                    "speaker_identification": {
                        "type": "object",
                        "required": ["speaker_type"],
                        "properties": {
                            "speaker_type": {"enum": ["name", "role"]},
                            "known_values": {"type": "array", "items": {"type": "string", "maxLength": 35}},
                            "speakers": {"type": "array", "items": {"type": "object"}},
                        },
                    },
                    "custom_formatting": {
                        "type": "object",
                        "properties": {name: {"type": "string"} for name in ("date", "phone_number", "email")},
                    },
                    "summarization": {
                        "type": "object",
                        "required": ["summary_type"],
                        "properties": {"summary_type": {"enum": ["bullets", "paragraph"]}, "effort": _EFFORT},
                    },
                    "action_items": {
                        "type": "object",
                        "properties": {"include_decisions": {"type": "boolean"}, "effort": _EFFORT},
                    },
                },
            },
        },
    },
    "summary_model": {"enum": list(_SUMMARY_TYPES)},
    "summary_type": {"enum": ["bullets", "bullets_verbose", "gist", "headline", "paragraph"]},
    "topics": _STRINGS,
}
_VALIDATORS = {name: Draft202012Validator(schema) for name, schema in _SHAPES.items()}


def first_refusal(parameters: _Parameters) -> str | None:
    """Return what is wrong with parameters of the right types, as a text for the client; None if all is well."""
    checks = (_language, _webhook, _shapes, _ranges, _together, _summary, _word_counts)
    return next((text for check in checks for text in check(parameters)), None)


def _is_on(parameters: _Parameters, name: str) -> bool:
    return bool(parameters.get(name, name in _ON_BY_DEFAULT))


def _language(parameters: _Parameters) -> Iterator[str]:
    language = parameters.get("language_code")
    detection = parameters.get("language_detection")
    expected = parameters.get("language_detection_options", {}).get("expected_languages")
    if language not in (None, *_ENGLISH):
        if parameters.get("auto_highlights"):
            yield "The following models are not available in this language: auto_highlights"
        # AssemblyAI knows a hundred languages. Better to refuse than to write English words for German speech.
        yield f"language_code {language} is not supported: this engine recognises English only"
    if any(language not in _ENGLISH for language in parameters.get("language_codes", ())):
        yield "language_codes other than English are not supported: this engine recognises English only"
    if isinstance(expected, list) and expected and not {"all", *_ENGLISH}.intersection(map(str, expected)):
        yield "expected_languages must include en: this engine recognises English only"
    if language is not None and detection:
        yield "language_code and language_detection cannot be used together"
    if language is None and detection is False and "language_codes" not in parameters:
        yield "language_detection can be false only together with a language_code"
    if (language is not None or detection is False) and "language_confidence_threshold" in parameters:
        yield "language_confidence_threshold requires language_detection to be true"


def _webhook(parameters: _Parameters) -> Iterator[str]:
    url = parameters.get("webhook_url")
    name = parameters.get("webhook_auth_header_name")
    value = parameters.get("webhook_auth_header_value")
    if url is not None and not net.is_web_url(url):
        yield "webhook_url should start with http"
    if (name is None) != (value is None):
        yield "webhook_auth_header_name and webhook_auth_header_value must be given together"
    if name is not None and url is None:
        yield "webhook_auth_header_name needs a webhook_url"
    if name is not None and not _HEADER_NAME.fullmatch(name):
        yield "webhook_auth_header_name must be 1 to 1000 letters, digits, hyphens or underscores"
    if value is not None and not _HEADER_VALUE.fullmatch(value):
        yield "webhook_auth_header_value must be 1 to 1000 characters without a line break"


def _shapes(parameters: _Parameters) -> Iterator[str]:
    for name, validator in _VALIDATORS.items():
        if name in parameters and (error := best_match(validator.iter_errors(parameters[name]))):
            yield f"{name}{error.json_path.removeprefix('$')}: {error.message}"


def _ranges(parameters: _Parameters) -> Iterator[str]:
    ranges: dict[str, tuple[int, int | None]] = dict(_RANGES)
    if parameters.get("content_safety"):  # otherwise the confidence is ignored
        ranges["content_safety_confidence"] = _CONTENT_SAFETY_CONFIDENCE
    for name, (least, most) in ranges.items():
        value = parameters.get(name, least)
        if most is None and value < least:
            yield f"{name} must be at least {least}"
        if most is not None and not least <= value <= most:
            yield f"{name} must be between {least} and {most}"
    end = parameters.get("audio_end_at")
    if end is not None and end <= parameters.get("audio_start_from", 0):
        yield "audio_start_from must come before audio_end_at"


def _together(parameters: _Parameters) -> Iterator[str]:
    for name, needed in _NEEDS:
        if name in parameters and parameters[name] and not _is_on(parameters, needed):
            yield f"{name} requires {needed} to be true"
    if parameters.get("auto_chapters") and parameters.get("summarization"):
        yield "Only one of the following models can be enabled at a time: auto_chapters, summarization."
    options = parameters.get("speaker_options", {})
    if options and "speakers_expected" in parameters:
        yield "speaker_options and speakers_expected cannot be used together"
    least, most = options.get("min_speakers_expected", 1), options.get("max_speakers_expected")
    if most is not None and least > most:
        yield "min_speakers_expected must not be greater than max_speakers_expected"


def _summary(parameters: _Parameters) -> Iterator[str]:
    model, kind = parameters.get("summary_model"), parameters.get("summary_type")
    if (model is None) != (kind is None):
        yield "summary_model and summary_type must be given together"
    elif model is not None and kind not in _SUMMARY_TYPES[model]:
        yield f"summary_model {model} supports these values of summary_type: {', '.join(_SUMMARY_TYPES[model])}"


def _word_counts(parameters: _Parameters) -> Iterator[str]:
    if len(parameters.get("prompt", "").split()) > _PROMPT_WORDS:
        yield f"prompt must have at most {_PROMPT_WORDS} words"
    terms = parameters.get("keyterms_prompt", [])
    models = parameters.get("speech_models", [])
    most = _KEYTERMS.get(models[0], _MOST_KEYTERMS) if len(models) == 1 else _MOST_KEYTERMS
    if len(terms) > most:
        yield f"keyterms_prompt must have at most {most} words or phrases"
    if any(len(term.split()) > _KEYTERM_WORDS for term in terms):
        yield f"keyterms_prompt: a phrase must have at most {_KEYTERM_WORDS} words"
    for spelling in parameters.get("custom_spelling", []):
        if len(spelling["to"].split()) != 1:
            yield "custom_spelling: `to` must be a single word"
        if any(not 1 <= len(phrase.split()) <= _SPELLING_WORDS for phrase in spelling["from"]):
            yield f"custom_spelling: a phrase in `from` must have 1 to {_SPELLING_WORDS} words"
