"""Which parameters go together."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.engine.parameters import BadRequestError, new_transcript, read_request
from local.engine.rules import first_refusal

NEEDS = [
    ({"auto_chapters": True}, "punctuate"),
    ({"sentiment_analysis": True}, "punctuate"),
    ({"speaker_labels": True}, "punctuate"),
    ({"summarization": True}, "punctuate"),
    ({"summarization": True}, "format_text"),
    ({"redact_pii": True}, "format_text"),
]
SWITCHED_ON = [
    ({"redact_pii_audio": True}, "redact_pii"),
    ({"redact_pii_return_unredacted": True}, "redact_pii"),
    ({"redact_static_entities": {"TOOL": ["Bearclaw"]}}, "redact_pii"),
    ({"speaker_options": {"max_speakers_expected": 3}}, "speaker_labels"),
    ({"speakers_expected": 2}, "speaker_labels"),
]


@pytest.mark.parametrize(("parameters", "needed"), NEEDS)
def test_what_is_on_by_default_must_not_be_switched_off(parameters: dict[str, Any], needed: str) -> None:
    assert first_refusal(parameters) is None
    (name,) = parameters
    assert first_refusal({**parameters, needed: False}) == f"{name} requires {needed} to be true"


@pytest.mark.parametrize(("parameters", "needed"), SWITCHED_ON)
def test_what_is_off_by_default_must_be_switched_on(parameters: dict[str, Any], needed: str) -> None:
    (name,) = parameters
    assert first_refusal(parameters) == f"{name} requires {needed} to be true"
    assert first_refusal({**parameters, needed: True}) is None


@pytest.mark.parametrize("model", ["informative", "conversational", "catchy"])
@pytest.mark.parametrize("kind", ["bullets", "bullets_verbose", "gist", "headline", "paragraph"])
def test_each_summary_model_has_its_types(model: str, kind: str) -> None:
    allowed = kind in (
        {"gist", "headline"} if model == "catchy" else {"bullets", "bullets_verbose", "headline", "paragraph"}
    )
    refusal = first_refusal({"summarization": True, "summary_model": model, "summary_type": kind})
    assert (refusal is None) == allowed
    assert allowed or f"summary_model {model} supports" in str(refusal)


@pytest.mark.parametrize(
    "parameters",
    [
        {"language_detection": True},
        {"language_detection": True, "language_confidence_threshold": 0.7},
        {"language_confidence_threshold": 0.7},
        {"language_code": "en_uk", "language_detection": False},
        {"language_detection_options": {"expected_languages": ["de", "en"], "fallback_language": "auto"}},
        {"language_detection_options": {"expected_languages": ["all"], "localization": ["en_au"]}},
        {"language_codes": ["en", "en_us"]},
        {"multichannel": True, "speaker_labels": True},
        {"content_safety_confidence": 1},
        {"content_safety": True, "content_safety_confidence": 25},
        {"custom_spelling": [{"from": ["s q l", "sequel"], "to": "SQL"}]},
        {"keyterms_prompt": ["a b c d e f"] * 1000},
        {"prompt": "word " * 1500},
        {"redact_pii": True, "redact_pii_policies": ["person_name"], "redact_pii_sub": "hash"},
        {"speaker_labels": True, "speaker_options": {"min_speakers_expected": 2, "max_speakers_expected": 2}},
        {"speech_understanding": {"request": {"summarization": {"summary_type": "bullets", "effort": "low"}}}},
        {"speech_understanding": {"request": {"translation": {"target_languages": ["es"]}}}},
        {"speech_understanding": {"request": {"speaker_identification": {"speaker_type": "name"}}}},
        {"speech_understanding": {"request": {"action_items": {}, "custom_formatting": {"date": "mm/dd"}}}},
        {"remove_audio_tags": "speaker", "temperature": 1, "speech_threshold": 0.5, "domain": "medical-v1"},
    ],
)  # fmt: skip
def test_what_is_documented_is_taken(parameters: dict[str, Any]) -> None:
    assert first_refusal(parameters) is None


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"auto_chapters": True, "summarization": True},
         "Only one of the following models can be enabled at a time: auto_chapters, summarization."),
        ({"language_code": "en", "language_detection": True}, "language_code and language_detection cannot be"),
        ({"language_detection": False}, "language_detection can be false only together with a language_code"),
        ({"language_code": "en", "language_confidence_threshold": 0.5}, "language_confidence_threshold requires"),
        ({"language_confidence_threshold": 1.5}, "language_confidence_threshold must be between 0 and 1"),
        ({"language_code": "de"}, "language_code de is not supported: this engine recognises English only"),
        ({"language_codes": ["en", "es"]}, "language_codes other than English are not supported"),
        ({"language_detection_options": {"expected_languages": ["de"]}}, "expected_languages must include en"),
        ({"language_detection_options": {"localization": ["en_us"]}}, "language_detection_options.localization[0]: "),
        ({"content_safety": True, "content_safety_confidence": 24}, "content_safety_confidence must be between"),
        ({"custom_spelling": [{"from": ["a"], "to": "two words"}]}, "custom_spelling: `to` must be a single word"),
        ({"custom_spelling": [{"from": ["a b c d e f"], "to": "x"}]}, "custom_spelling: a phrase in `from`"),
        ({"custom_spelling": [{"from": "a", "to": "x"}]}, "custom_spelling[0].from: 'a' is not of type 'array'"),
        ({"custom_spelling": [{"from": ["a"]}]}, "custom_spelling[0]: 'to' is a required property"),
        ({"domain": "legal-v1"}, "domain: 'legal-v1' is not one of ['medical-v1']"),
        ({"keyterms_prompt": ["a"] * 1001}, "keyterms_prompt must have at most 1000"),
        ({"keyterms_prompt": ["a"] * 201, "speech_models": ["universal-2"]}, "keyterms_prompt must have at most 200"),
        ({"keyterms_prompt": ["a b c d e f g"]}, "keyterms_prompt: a phrase must have at most 6 words"),
        ({"keyterms_prompt": [1]}, "keyterms_prompt[0]: 1 is not of type 'string'"),
        ({"prompt": "word " * 1501}, "prompt must have at most 1500 words"),
        ({"redact_pii": True, "redact_pii_policies": ["names"]}, "redact_pii_policies[0]: 'names' is not one of"),
        ({"redact_pii_sub": "stars"}, "redact_pii_sub: 'stars' is not one of ['entity_name', 'hash']"),
        ({"redact_pii": True, "redact_static_entities": {"A/B": ["x"]}}, "redact_static_entities: 'A/B' does not"),
        ({"redact_pii_audio_quality": "ogg"}, "redact_pii_audio_quality: 'ogg' is not one of ['mp3', 'wav']"),
        ({"remove_audio_tags": "some"}, "remove_audio_tags: 'some' is not one of"),
        ({"speaker_labels": True, "speakers_expected": 0}, "speakers_expected must be at least 1"),
        ({"speaker_labels": True, "speakers_expected": 2, "speaker_options": {"min_speakers_expected": 2}},
         "speaker_options and speakers_expected cannot be used together"),
        ({"speaker_labels": True, "speaker_options": {"min_speakers_expected": 3, "max_speakers_expected": 2}},
         "min_speakers_expected must not be greater"),
        ({"speech_threshold": -0.1}, "speech_threshold must be between 0 and 1"),
        ({"speech_understanding": {}}, "speech_understanding: 'request' is a required property"),
        ({"speech_understanding": {"request": {"summarization": {"summary_type": "gist"}}}},
         "speech_understanding.request.summarization.summary_type: 'gist' is not one of ['bullets', 'paragraph']"),
        ({"summary_type": "gist"}, "summary_model and summary_type must be given together"),
        ({"summary_model": "dull", "summary_type": "gist"}, "summary_model: 'dull' is not one of"),
        ({"temperature": 2}, "temperature must be between 0 and 1"),
    ],
)  # fmt: skip
def test_what_is_not_says_why(parameters: dict[str, Any], text: str) -> None:
    assert str(first_refusal(parameters)).startswith(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 300) | st.sampled_from(["en", "all", "role", "bullets"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "from",
                    "to",
                    "request",
                    "summarization",
                    "expected_languages",
                    "min_speakers_expected",
                    "max_speakers_expected",
                ],
            ),
            inner,
            max_size=2,
        )
    ),
)
NAMES = sorted(new_transcript("x", {"audio_url": "http://a"}, "queued"))


@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6))
def test_any_mixture_is_taken_or_refused(parameters: dict[str, Any]) -> None:
    try:
        taken = read_request(json.dumps({**parameters, "audio_url": "http://a.test/"}).encode())
    except BadRequestError as error:
        assert str(error)  # noqa: PT017  either outcome will do, an empty text will not
    else:
        assert taken.items() <= {**parameters, "audio_url": "http://a.test/"}.items()
