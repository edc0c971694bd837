"""The rules of a create request."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.engine.parameters import (
    SPEECH_MODELS,
    BadRequestError,
    blanked,
    new_transcript,
    read_request,
)
from local.engine.texts import BAD_SCHEMA

URL = "https://bucket.s3.amazonaws.com/a%2Bb.mp3?X-Amz-Signature=1%2F2"
MODELS_TEXT = (
    '"speech_models" must be a non-empty list containing one or more of: '
    '"universal-3-pro", "universal-2", "universal-3-5-pro"'
)


def refusal(**parameters: Any) -> str:
    with pytest.raises(BadRequestError) as error:
        read_request(json.dumps({"audio_url": URL, **parameters}).encode())
    return str(error.value)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b'{"audio_url": "http://a", "prompt": "\\ud800"}',
                                  b'{"audio_url": "http://a", "temperature": NaN}', b"[" * 100_000])  # fmt: skip
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequestError, match=BAD_SCHEMA.replace(".", r"\.")):
        read_request(body)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (None, "Transcript creation error, audio_url not found"),
        ("", "Transcript creation error, audio_url not found"),
        ("s3://bucket/key", "Transcript creation error, audio_url should start with http"),
        ("http://", "Transcript creation error, audio_url should start with http"),
        ("http://[", "Transcript creation error, audio_url should start with http"),
        (7, "Transcript creation error, audio_url should start with http"),
    ],
)
def test_audio_url(url: object, text: str) -> None:
    assert refusal(audio_url=url) == text


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"format_text": "yes"}, "format_text must be a Boolean"),
        ({"auto_highlights": 1}, "auto_highlights must be a Boolean"),
        ({"audio_end_at": True}, "audio_end_at must be an Integer"),
        ({"webhook_url": ["http://a"]}, "webhook_url must be a String"),
        ({"keyterms_prompt": "a"}, "keyterms_prompt must be a List"),
        ({"speech_models": []}, MODELS_TEXT),
        ({"speech_models": "universal-2"}, MODELS_TEXT),
        ({"speech_models": ["universal-9"]}, MODELS_TEXT),
        ({"speech_models": [["universal-2"]]}, MODELS_TEXT),
        (
            {"auto_highlights": True, "language_code": "de"},
            "The following models are not available in this language: auto_highlights",
        ),
        ({"audio_start_from": 500, "audio_end_at": 500},
         "audio_start_from must come before audio_end_at"),
        ({"audio_start_from": -1}, "audio_start_from must be at least 0"),
    ],
)  # fmt: skip
def test_wrong_values_are_named(parameters: dict[str, Any], text: str) -> None:
    assert refusal(**parameters) == text


def test_the_singular_model_is_refused() -> None:
    assert refusal(speech_model="universal-2").startswith('speech_model is deprecated. Use "speech_models" instead.')


@pytest.mark.parametrize(
    "parameters",
    [
        {"webhook_auth_header_name": "X-Key", "webhook_url": "http://a"},
        {"webhook_auth_header_value": "v", "webhook_url": "http://a"},
        {"webhook_auth_header_name": "X-Key", "webhook_auth_header_value": "v"},
        {"webhook_auth_header_name": "X Key", "webhook_auth_header_value": "v", "webhook_url": "http://a"},
        {"webhook_auth_header_name": "X-Key", "webhook_auth_header_value": "v\r\nX: y", "webhook_url": "http://a"},
        {"webhook_auth_header_name": "x" * 1001, "webhook_auth_header_value": "v", "webhook_url": "http://a"},
    ],
)
def test_a_webhook_header_comes_whole_and_clean_and_with_a_url(parameters: dict[str, str]) -> None:
    assert refusal(**parameters).startswith("webhook_auth_header_")


@pytest.mark.parametrize("model", SPEECH_MODELS)
def test_known_models_pass(model: str) -> None:
    body = json.dumps({"audio_url": URL, "speech_models": [model]}).encode()
    assert read_request(body)["speech_models"] == [model]


def test_nulls_and_unknown_names_are_no_error() -> None:
    body = json.dumps({"audio_url": URL, "punctuate": None, "new_feature": 1}).encode()
    assert "punctuate" not in read_request(body)


def test_the_transcript_echoes_the_request_but_the_secret() -> None:
    sent = {
        "audio_url": URL,
        "auto_highlights": True,
        "language_code": "en",
        "webhook_url": "https://hook.test/?recording=a%2Fb",
        "webhook_auth_header_name": "X-Key",
        "webhook_auth_header_value": "s3cret",
    }
    transcript = new_transcript("id-1", read_request(json.dumps(sent).encode()), "processing")
    assert transcript["audio_url"] == URL
    assert transcript["webhook_url"] == sent["webhook_url"]
    assert transcript["webhook_auth"] is True
    assert transcript["language_code"] == "en_us"
    assert transcript["auto_highlights"] is True
    assert transcript["punctuate"] is True
    assert transcript["auto_highlights_result"] is None
    assert "error" not in transcript
    assert "s3cret" not in json.dumps(transcript)


def test_a_deleted_transcript_keeps_nothing_of_its_owner() -> None:
    parameters = {"audio_url": URL, "prompt": "for Ada", "webhook_url": "https://hook.test/?who=Ada"}
    transcript = new_transcript("id-1", parameters, "completed") | {"text": "Ada", "words": [{"text": "Ada"}]}
    left = blanked(transcript)
    assert left["text"] == "Deleted by user."
    assert left["audio_url"] == "http://deleted_by_user"
    assert left["words"] is None
    assert "Ada" not in json.dumps(left)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
    st.sampled_from(sorted(new_transcript("x", {"audio_url": URL}, "queued"))),
)
def test_any_value_is_taken_or_refused(value: object, name: str) -> None:
    try:
        parameters = read_request(json.dumps({"audio_url": URL, name: value}).encode())
    except BadRequestError as error:
        assert str(error)  # noqa: PT017  either outcome will do, an empty text will not
    else:
        json.dumps(new_transcript("id-1", parameters, "queued"), allow_nan=False)
