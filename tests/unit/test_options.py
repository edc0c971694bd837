"""Options: what is listed passes as AssemblyAI takes it, everything else is refused with a reason for people."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_highlights.errors import OptionRefused
from audio_highlights.options import has_key_phrases, other_metadata, recording_options, stack_options

MODELS = ("universal-3-5-pro", "universal-2")
CLASSIC = ("universal-2",)
BULLETS = {"request": {"summarization": {"summary_type": "bullets", "effort": "low"}}}
CLASSIC_SUMMARY = {"summarization": True, "summary_model": "informative", "summary_type": "bullets"}


def own(metadata: dict[str, str], stack: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return recording_options(stack or {}, more.get("models", MODELS), metadata, more.get("tags", {}))


def of_stack(options: Any, models: tuple[str, ...] = MODELS) -> dict[str, Any]:
    return stack_options(options if isinstance(options, str) else json.dumps(options), models)


# ---- texts become values


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("aai-language_code", "en", "en"),
        ("aai-language_code", " de ", "de"),
        ("aai-speaker_labels", "true", True),
        ("aai-speaker_labels", "False", False),
        ("AAI-Speaker-Labels", "TRUE", True),
        ("aai-audio_start_from", "1500", 1500),
        ("aai-speech_threshold", "0.25", 0.25),
        ("aai-speech_threshold", "1", 1),
        ("aai-keyterms_prompt", "modem, internet outage ,refund", ["modem", "internet outage", "refund"]),
        ("aai-keyterms_prompt", '["Smith, Jones & Co", "refund"]', ["Smith, Jones & Co", "refund"]),
        ("aai-keyterms_prompt", "Käll", ["Käll"]),
        ("aai-speech_understanding", json.dumps(BULLETS), BULLETS),
        ("aai-custom_spelling", '[{"from": ["de carlo"], "to": "Decarlo"}]', [{"from": ["de carlo"], "to": "Decarlo"}]),
        ("aai-speech_models", "universal-2", ["universal-2"]),
        ("aai-prompt", "A call about a modem, and a refund.", "A call about a modem, and a refund."),
        ("aai-domain", "medical-v1", "medical-v1"),
    ],
)
def test_a_text_is_read_as_the_option_is_meant(name: str, text: str, value: object) -> None:
    [read] = own({name: text}).values()
    assert read == value
    assert type(read) is type(value)


def test_what_is_no_option_is_other_metadata() -> None:
    metadata = {"agent": "slt", "call_id": "4711", "aai-speaker_labels": "true", "AAI-x": "y"}
    assert other_metadata(metadata) == {"agent": "slt", "call_id": "4711"}
    assert own({"agent": "slt", "call_id": "4711"}) == {}


# ---- refusals


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("aai-foo", "1", "unknown option 'aai-foo'"),
        ("aai-speaker_label", "true", "did you mean aai-speaker_labels?"),
        ("aai-", "true", "unknown option 'aai-'"),
        ("aai-audio_url", "https://example.com", "it is the uploaded object"),
        ("aai-auto_highlights", "false", "key phrases are what this is for"),
        ("aai-webhook_url", "https://example.com", "the webhook is the pipeline's own"),
        ("aai-webhook_auth_header_value", "x", "the webhook is the pipeline's own"),
        ("aai-speech_model", "universal-2", "speech_models in its place"),
        ("aai-redact_pii_return_unredacted", "true", "would hold what was to be redacted"),
        ("aai-speaker_labels", "yes", "aai-speaker_labels cannot be 'yes': it takes true or false"),
        ("aai-speaker_labels", "true,true", "it takes true or false"),
        ("aai-speaker_labels", "", "cannot be ''"),
        ("aai-speakers_expected", "two", "a whole number from 1 to 100"),
        ("aai-speakers_expected", "2.5", "a whole number from 1 to 100"),
        ("aai-speakers_expected", "true", "a whole number from 1 to 100"),
        ("aai-speakers_expected", "0", "a whole number from 1 to 100"),
        ("aai-speakers_expected", "9" * 2000, "a whole number from 1 to 100"),
        ("aai-temperature", "NaN", "a number from 0 to 1"),
        ("aai-temperature", "1e999", "a number from 0 to 1"),
        ("aai-language_code", "en-US", "a language code such as en"),
        ("aai-language_code", "english please", "a language code such as en"),
        ("aai-keyterms_prompt", "a,,b", "words or phrases"),
        ("aai-keyterms_prompt", "[1, 2]", "words or phrases"),
        ("aai-keyterms_prompt", '["a"', "words or phrases"),
        ("aai-keyterms_prompt", "one two three four five six seven", "at most 6 words"),
        ("aai-speech_understanding", "summarization", "a JSON object"),
        ("aai-speech_understanding", "{}", "a JSON object"),
        ("aai-speech_understanding", '{"request": {"summarization": {}}}', "summary_type paragraph or bullets"),
        ("aai-speech_understanding", '{"request": {"summarization": {"summary_type": "gist"}}}', "a JSON object"),
        ("aai-speech_understanding", '{"request": {"ask_anything": {}}}', "a JSON object"),
        ("aai-speech_understanding", "[" * 2000, "a JSON object"),
        ("aai-custom_spelling", '[{"from": ["a"], "to": "two words"}]', "one word"),
        ("aai-summary_type", "novel", "bullets or bullets_verbose"),
        ("aai-redact_static_entities", '{"La/bel": ["x"]}', "at most 100 labels"),
    ],
)
def test_83_what_cannot_be_asked_for_is_refused_with_a_reason(name: str, text: str, said: str) -> None:
    with pytest.raises(OptionRefused) as refusal:
        own({name: text})
    assert said in str(refusal.value)
    assert len(str(refusal.value)) < 500


def test_60_83_a_hostile_value_stays_on_one_short_line() -> None:
    with pytest.raises(OptionRefused) as refusal:
        own({"aai-language_code": "\x1b[2Jen\r\nReason: fine\u202e" + "x" * 2000})
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"speakers_expected": 2}, "speakers_expected needs speaker_labels to be true"),
        ({"speaker_labels": False, "speaker_options": {"min_speakers_expected": 2}}, "needs speaker_labels"),
        ({"speaker_labels": True, "speakers_expected": 2, "speaker_options": {}}, "cannot be used together"),
        (
            {"speaker_labels": True, "speaker_options": {"min_speakers_expected": 3, "max_speakers_expected": 2}},
            "least",
        ),
        ({"speaker_labels": True, "punctuate": False}, "speaker_labels needs punctuate"),
        ({"redact_pii_policies": ["person_name"]}, "redact_pii_policies needs redact_pii"),
        ({"redact_pii": True, "format_text": False}, "redact_pii needs format_text"),
        ({"redact_pii": True, "entity_detection": True}, "may hold what is redacted"),
        ({"redact_pii": True, "speech_understanding": BULLETS}, "may hold what is redacted"),
        ({"language_code": "en", "language_detection": True}, "cannot be used together"),
        ({"language_detection": False}, "only with a language_code"),
        ({"language_codes": ["es", "fr"]}, "must have en among them"),
        ({"summarization": True}, "summarization needs summary_model"),
        ({"summary_type": "bullets"}, "summary_type needs summarization"),
        (CLASSIC_SUMMARY, "summarization works with universal-2 alone"),
        ({"auto_chapters": True}, "auto_chapters works with universal-2 alone"),
        ({"content_safety_confidence": 60}, "needs content_safety"),
        ({"audio_start_from": 2000, "audio_end_at": 1000}, "must come before"),
        ({"audio_end_at": 0}, "must come before"),
    ],
)
def test_83_contradictions_are_refused_for_a_stack_and_for_a_recording(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionRefused, match=said):
        of_stack(options)
    with pytest.raises(OptionRefused, match=said):
        own({f"aai-{name}": value if isinstance(value, str) else json.dumps(value) for name, value in options.items()})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({**CLASSIC_SUMMARY, "summary_model": "catchy"}, "it has gist, headline"),
        ({**CLASSIC_SUMMARY, "summary_type": "gist"}, "it has headline, paragraph, bullets, bullets_verbose"),
        ({**CLASSIC_SUMMARY, "auto_chapters": True}, "cannot be used together"),
        ({"prompt": "A support call."}, "prompt does nothing with universal-2"),
        ({"temperature": 0.5}, "temperature does nothing"),
        ({"keyterms_prompt": [f"term {number}" for number in range(201)]}, "at most 200"),
    ],
)
def test_what_the_classic_model_cannot_do_is_refused_for_it(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionRefused, match=said):
        of_stack(options, CLASSIC)


def test_a_recording_may_choose_the_model_that_writes_classic_summaries() -> None:
    texts = {f"aai-{name}": str(value) for name, value in CLASSIC_SUMMARY.items()}
    assert own({**texts, "aai-speech_models": "universal-2"}) == {**CLASSIC_SUMMARY, "speech_models": ["universal-2"]}


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", '"x"', "{", "{'a': 1}", '{"temperature": NaN}', '{"temperature": 1e999}', "[" * 5000],
)
def test_a_stack_s_text_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(OptionRefused):
        of_stack(text)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"speaker_labels": "true"}, "speaker_labels cannot be 'true'"),
        ({"speakr_labels": True}, "did you mean speaker_labels?"),
        ({"speech_models": ["universal-2"]}, "SpeechModels"),
        ({"webhook_url": "https://example.com"}, "pipeline's own"),
        ({"speaker_labels": None}, "true or false"),
    ],
)
def test_a_stack_s_options_have_json_s_types(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionRefused, match=said):
        of_stack(options)


def test_an_option_given_twice_is_refused_only_where_the_values_differ() -> None:
    assert own({"aai-speaker-labels": "true", "aai-speaker_labels": "true"}) == {"speaker_labels": True}
    with pytest.raises(OptionRefused, match="given twice"):
        own({"aai-speaker-labels": "true", "aai-speaker_labels": "false"})


# ---- who wins


def test_tags_win_over_metadata_and_metadata_over_the_stack() -> None:
    stack = of_stack({"language_code": "en", "disfluencies": True, "speech_threshold": 0.1})
    metadata = {"aai-language_code": "en_uk", "aai-speech_threshold": "0.2"}
    assert own(metadata, stack, tags={"aai-speech_threshold": "0.3", "cost-centre": "7"}) == {
        "language_code": "en_uk",
        "disfluencies": True,
        "speech_threshold": 0.3,
    }


@pytest.mark.parametrize(
    ("stack", "metadata", "left"),
    [
        ({"language_detection": True}, {"aai-language_code": "de"}, {"language_code": "de"}),
        ({"language_code": "de"}, {"aai-language_detection": "true"}, {"language_detection": True}),
        (
            {"speaker_labels": True, "speakers_expected": 2},
            {"aai-speaker_options": '{"max_speakers_expected": 4}'},
            {"speaker_labels": True, "speaker_options": {"max_speakers_expected": 4}},
        ),
        ({"speaker_labels": True, "speakers_expected": 2}, {"aai-speaker_labels": "false"}, {"speaker_labels": False}),
        ({"entity_detection": True}, {"aai-redact_pii": "true"}, {"redact_pii": True}),
        (
            {"speaker_labels": True, "speakers_expected": 2, "sentiment_analysis": True},
            {"aai-punctuate": "false"},
            {"punctuate": False},
        ),
    ],
)
def test_what_a_recording_rules_out_of_the_stack_s_options_goes(
    stack: dict[str, Any], metadata: dict[str, str], left: dict[str, Any]
) -> None:
    assert own(metadata, of_stack(stack)) == left


@pytest.mark.parametrize(
    "metadata",
    [
        {"aai-redact_pii": "false"},
        {"aai-redact_pii_policies": "date"},
        {"aai-redact-pii-sub": "hash"},
        {"aai-entity_detection": "true"},
        {"aai-format_text": "false"},
    ],
)
def test_85_no_recording_can_undo_the_stack_s_redaction(metadata: dict[str, str]) -> None:
    stack = of_stack({"redact_pii": True, "redact_pii_policies": ["person_name", "phone_number"]})
    assert own({}, stack) == stack
    with pytest.raises(OptionRefused):
        own(metadata, stack)


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({}, True),
        ({"language_code": "en"}, True),
        ({"language_code": "en_uk"}, True),
        ({"language_code": "de"}, False),
        ({"language_detection": True}, True),
        ({"language_codes": ["en", "es"]}, True),
    ],
)
def test_key_phrases_are_asked_for_unless_another_language_is_named(options: dict[str, Any], *, asked: bool) -> None:
    assert has_key_phrases(options) is asked


# ---- whatever is written there

TEXTS = st.one_of(
    st.text(max_size=200),
    st.sampled_from(["true", "false", "1", "0.5", "en", "[]", "{}", "null", '["x"]', '{"request": {}}', "universal-2"]),
)
KNOWN = st.sampled_from(
    ["speaker_labels", "speakers_expected", "language_code", "keyterms_prompt", "redact_pii", "entity_detection",
     "punctuate", "format_text", "speech_understanding", "summarization", "temperature", "redact_pii_policies"]
)  # fmt: skip
METADATA = st.dictionaries(st.one_of(KNOWN, st.text(max_size=30)).map("aai-".__add__), TEXTS, max_size=5)


@given(metadata=METADATA, tags=METADATA)
def test_any_metadata_gives_listed_options_or_a_reason(metadata: dict[str, str], tags: dict[str, str]) -> None:
    try:
        options = own(metadata, tags=tags)
    except OptionRefused as refusal:
        reason = str(refusal)
    else:
        reason = ""
    assert reason.isprintable()
    if reason:
        return
    json.dumps(options, allow_nan=False)
    assert not [name for name in options if name.startswith(("webhook", "audio_url", "auto_highlights"))]
    # What passed for a recording passes for a stack.
    assert of_stack({name: value for name, value in options.items() if name != "speech_models"}) is not None


@given(metadata=METADATA)
def test_whatever_a_recording_asks_for_the_stack_s_redaction_stays(metadata: dict[str, str]) -> None:
    stack = of_stack({"redact_pii": True, "redact_pii_policies": ["person_name"]})
    try:
        options = own(metadata, stack)
    except OptionRefused:
        return
    assert options.items() >= stack.items()
