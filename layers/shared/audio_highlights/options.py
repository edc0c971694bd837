"""What a stack and a recording may ask of AssemblyAI beyond the key phrases. Checked before anything is paid.

The stack's options are a JSON object. A recording's own stand in its object's metadata or tags, whose names begin with
`aai-`; they win over the stack's, and tags over metadata, because tags can still be changed after the upload.

Only what is listed here passes. The checks are AssemblyAI's documented ones as far as a recording would fail or be paid
for in vain; lists that AssemblyAI extends (languages, redaction policies, speech models) are checked for form alone.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from audio_highlights.errors import OptionRefused

type Options = dict[str, Any]

PREFIX = "aai-"
_SHOWN = 80  # characters of a value in a reason


class _Form(StrEnum):
    """How a value is written as text."""

    FLAG = "flag"
    WHOLE = "whole number"
    NUMBER = "number"
    TEXT = "text"
    LIST = "list"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class _Kind:
    """One parameter: how its text is read, what it may be, and how to tell people."""

    form: _Form
    accepts: Callable[[Any], bool]
    allowed: str


def _whole(least: int, most: int) -> _Kind:
    def accepts(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most

    return _Kind(_Form.WHOLE, accepts, f"a whole number from {least} to {most}")


def _is_fraction(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _one_of(*words: str) -> _Kind:
    return _Kind(_Form.TEXT, lambda value: value in words, " or ".join(words))


def _text(pattern: str, allowed: str) -> _Kind:
    return _Kind(_Form.TEXT, lambda value: _is_text(value, pattern), allowed)


def _texts(pattern: str, allowed: str, most: int = 100) -> _Kind:
    return _Kind(_Form.LIST, lambda value: _are_texts(value, pattern, most), allowed)


def _object(accepts: Callable[[dict[str, Any]], bool], allowed: str) -> _Kind:
    return _Kind(_Form.OBJECT, lambda value: isinstance(value, dict) and accepts(value), allowed)


def _is_text(value: object, pattern: str = r"[\s\S]+") -> bool:
    return isinstance(value, str) and value.strip() != "" and re.fullmatch(pattern, value) is not None


def _are_texts(value: object, pattern: str = r"[\s\S]+", most: int = 100) -> bool:
    return isinstance(value, list) and 0 < len(value) <= most and all(_is_text(one, pattern) for one in value)


def _words(count: int) -> str:
    """A pattern for at most so many words."""
    return rf"\s*\S+(\s+\S+){{0,{count - 1}}}\s*"


def _holds(value: object, **parts: Callable[[Any], bool]) -> bool:
    """Whether it is an object of these parts and no others, each of which it may lack."""
    return isinstance(value, dict) and all(name in parts and parts[name](part) for name, part in value.items())


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _among(*choices: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in choices


def _is_spelling(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"from", "to"}
        and _are_texts(value["from"], _words(5))
        and _is_text(value["to"], r"\S+")
    )


def _is_static_entity(label: str, terms: object) -> bool:
    return re.fullmatch(r"[A-Za-z0-9 _-]{1,80}", label) is not None and _are_texts(terms, r"[\s\S]{1,200}", 200)


_MOST_LABELS = 100
_LANGUAGE = r"[a-z]{2,3}(_[a-z]{2,4})?"
_EFFORT = _among("low", "medium")
_TASKS: Mapping[str, Callable[[Any], bool]] = {
    "summarization": lambda task: (
        _holds(task, summary_type=_among("paragraph", "bullets"), effort=_EFFORT) and "summary_type" in task
    ),
    "action_items": lambda task: _holds(task, include_decisions=_is_flag, effort=_EFFORT),
    "translation": lambda task: (
        _holds(
            task,
            target_languages=lambda codes: _are_texts(codes, _LANGUAGE),
            formal=_is_flag,
            match_original_utterance=_is_flag,
        )
        and "target_languages" in task
    ),
    "speaker_identification": lambda task: (
        _holds(
            task,
            speaker_type=_among("name", "role"),
            known_values=lambda names: _are_texts(names, r".{1,35}"),
            speakers=lambda speakers: isinstance(speakers, list) and all(isinstance(one, dict) for one in speakers),
        )
        and "speaker_type" in task
    ),
    "custom_formatting": lambda task: _holds(task, date=_is_text, phone_number=_is_text, email=_is_text),
}


def _is_understanding(value: dict[str, Any]) -> bool:
    request = value.get("request")
    return value.keys() == {"request"} and isinstance(request, dict) and bool(request) and _holds(request, **_TASKS)


def _are_speaker_options(value: dict[str, Any]) -> bool:
    count = _whole(1, 100).accepts
    least, most = value.get("min_speakers_expected", 1), value.get("max_speakers_expected", 100)
    return _holds(value, min_speakers_expected=count, max_speakers_expected=count) and least <= most


_FLAG = _Kind(_Form.FLAG, _is_flag, "true or false")
_FRACTION = _Kind(_Form.NUMBER, _is_fraction, "a number from 0 to 1")
_TIME = _whole(0, 10 * 3_600_000)

_KINDS: Mapping[str, _Kind] = {
    "audio_end_at": _TIME,
    "audio_start_from": _TIME,
    "auto_chapters": _FLAG,
    "content_safety": _FLAG,
    "content_safety_confidence": _whole(25, 100),
    "custom_spelling": _Kind(
        _Form.LIST,
        lambda value: isinstance(value, list) and bool(value) and all(map(_is_spelling, value)),
        'a JSON list of {"from": [phrases of at most 5 words], "to": one word}',
    ),
    "disfluencies": _FLAG,
    "domain": _one_of("medical-v1"),
    "entity_detection": _FLAG,
    "filter_profanity": _FLAG,
    "format_text": _FLAG,
    "iab_categories": _FLAG,
    "keyterms_prompt": _texts(_words(6), "at most 1000 words or phrases of at most 6 words, with commas between", 1000),
    "language_code": _text(_LANGUAGE, "a language code such as en, en_uk or de"),
    "language_codes": _texts(_LANGUAGE, "language codes, en among them, with commas between, such as en,es"),
    "language_confidence_threshold": _FRACTION,
    "language_detection": _FLAG,
    "language_detection_options": _object(
        lambda value: _holds(
            value,
            expected_languages=lambda codes: _are_texts(codes, f"all|{_LANGUAGE}"),
            fallback_language=lambda code: _is_text(code, f"auto|{_LANGUAGE}"),
            code_switching=_is_flag,
            code_switching_confidence_threshold=_is_fraction,
            localization=lambda codes: _are_texts(codes, "en_au|en_uk", 1),
        ),
        "a JSON object of expected_languages, fallback_language, code_switching, code_switching_confidence_threshold "
        "and localization",
    ),
    "multichannel": _FLAG,
    "prompt": _text(_words(1500), "a text of at most 1500 words"),
    "punctuate": _FLAG,
    "redact_pii": _FLAG,
    "redact_pii_audio": _FLAG,
    "redact_pii_audio_options": _object(
        lambda value: _holds(
            value, return_redacted_no_speech_audio=_is_flag, override_audio_redaction_method=_among("silence")
        ),
        "a JSON object of return_redacted_no_speech_audio and override_audio_redaction_method",
    ),
    "redact_pii_audio_quality": _one_of("mp3", "wav"),
    "redact_pii_policies": _texts(r"[a-z_]{1,60}", "AssemblyAI's policies, such as person_name,phone_number"),
    "redact_pii_sub": _one_of("entity_name", "hash"),
    "redact_static_entities": _object(
        lambda value: 0 < len(value) <= _MOST_LABELS and all(_is_static_entity(*one) for one in value.items()),
        "a JSON object of at most 100 labels, each with a list of at most 200 terms",
    ),
    "remove_audio_tags": _one_of("all", "speaker"),
    "sentiment_analysis": _FLAG,
    "speaker_labels": _FLAG,
    "speaker_options": _object(
        _are_speaker_options, "a JSON object of min_speakers_expected and max_speakers_expected, the least first"
    ),
    "speakers_expected": _whole(1, 100),
    "speech_models": _texts(r"[a-z0-9-]{1,60}", "speech models in order of preference, with commas between", 10),
    "speech_threshold": _FRACTION,
    "speech_understanding": _object(
        _is_understanding,
        'a JSON object {"request": {...}} with summarization (summary_type paragraph or bullets, effort low or medium),'
        " action_items, translation, speaker_identification or custom_formatting",
    ),
    "summarization": _FLAG,
    "summary_model": _one_of("informative", "conversational", "catchy"),
    "summary_type": _one_of("bullets", "bullets_verbose", "gist", "headline", "paragraph"),
    "temperature": _FRACTION,
}

_NEVER: Mapping[str, str] = {
    "audio_url": "it is the uploaded object",
    "auto_highlights": "key phrases are what this is for and always asked for",
    "custom_topics": "AssemblyAI gives it no meaning any more",
    "redact_pii_return_unredacted": "what is stored would hold what was to be redacted",
    "speech_model": "AssemblyAI takes speech_models in its place",
    "topics": "AssemblyAI gives it no meaning any more",
    "webhook_auth_header_name": "the webhook is the pipeline's own",
    "webhook_auth_header_value": "the webhook is the pipeline's own",
    "webhook_url": "the webhook is the pipeline's own",
}

# The first makes sense only with the second.
_NEEDS: Sequence[tuple[str, str]] = (
    ("auto_chapters", "punctuate"),
    ("content_safety_confidence", "content_safety"),
    ("redact_pii", "format_text"),
    ("redact_pii_audio", "redact_pii"),
    ("redact_pii_audio_options", "redact_pii_audio"),
    ("redact_pii_audio_quality", "redact_pii_audio"),
    ("redact_pii_policies", "redact_pii"),
    ("redact_pii_sub", "redact_pii"),
    ("redact_static_entities", "redact_pii"),
    ("sentiment_analysis", "punctuate"),
    ("speaker_labels", "punctuate"),
    ("speaker_options", "speaker_labels"),
    ("speakers_expected", "speaker_labels"),
    ("summarization", "format_text"),
    ("summarization", "punctuate"),
    ("summarization", "summary_model"),
    ("summarization", "summary_type"),
    ("summary_model", "summarization"),
    ("summary_type", "summarization"),
)
# AssemblyAI redacts text and words. What other models say of a recording may hold what was redacted there.
_BESIDE_REDACTION = "auto_chapters", "entity_detection", "speech_understanding", "summarization"
_EXCLUDE: Sequence[tuple[str, str]] = (
    ("auto_chapters", "summarization"),
    ("language_code", "language_codes"),
    ("language_code", "language_confidence_threshold"),
    ("language_code", "language_detection"),
    ("language_code", "language_detection_options"),
    ("language_codes", "language_detection"),
    ("speaker_options", "speakers_expected"),
    *((one, "redact_pii") for one in _BESIDE_REDACTION),
)
_REDACTED_AUDIO = "redact_pii_audio"
_ON_BY_DEFAULT = "format_text", "punctuate"
_SUMMARY_TYPES = {"catchy": ("gist", "headline")}
_OTHER_SUMMARY_TYPES = "headline", "paragraph", "bullets", "bullets_verbose"
_CLASSIC = "universal-2"
_CLASSIC_ONLY = "auto_chapters", "summarization"
_NEVER_CLASSIC = "prompt", "remove_audio_tags", "temperature"
_CLASSIC_KEYTERMS = 200
_CLASSIC_ADVICE = {
    "summarization": f"Set speech_models to {_CLASSIC}, or ask for the summary by speech_understanding.",
    "auto_chapters": f"Set speech_models to {_CLASSIC}.",
}
_ENGLISH = re.compile(r"en(_[a-z]+)?")


def stack_options(text: str, speech_models: Sequence[str]) -> Options:
    """Read what a stack asks for every recording. Raises OptionRefused."""
    try:
        options = _from_json(text)
    except (ValueError, RecursionError) as error:
        message = f"{_shown(text)} is not JSON."
        raise OptionRefused(message) from error
    if not isinstance(options, dict):
        message = f"{_shown(text)} is not a JSON object."
        raise OptionRefused(message)
    for name, value in options.items():
        _check_known(name, name)
        if name == "speech_models":
            message = "speech_models has a parameter of its own, SpeechModels."
            raise OptionRefused(message)
        _check_value(name, name, value)
    _check_together(options, speech_models)
    return options


def recording_options(
    stack: Mapping[str, Any],
    speech_models: Sequence[str],
    metadata: Mapping[str, str],
    tags: Mapping[str, str],
) -> Options:
    """What is asked for one recording: the stack's options, but for those that its own displace.

    `speech_models` are the stack's. Raises OptionRefused.
    """
    own = _read_own(metadata, "metadata") | _read_own(tags, "a tag")
    if stack.get("redact_pii"):
        for name in own:
            if name.startswith("redact_"):
                message = f"{PREFIX}{name} cannot be changed: the stack has every recording redacted in the same way."
                raise OptionRefused(message)
    options = {**_beside(own, stack), **own}
    _check_together(options, options.get("speech_models", speech_models))
    return options


def names_redacted_audio(stack: str, metadata: Mapping[str, str], tags: Mapping[str, str]) -> bool:
    """Whether redacted audio is spoken of anywhere, in options that can be used or not.

    Until it is known what was asked for, nobody may hear the audio then.
    """
    named = {name.lower().replace("-", "_") for name in (*metadata, *tags)}
    return _REDACTED_AUDIO in stack or PREFIX.replace("-", "_") + _REDACTED_AUDIO in named


def other_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata that is no option."""
    return {name: value for name, value in metadata.items() if not name.lower().startswith(PREFIX)}


def has_key_phrases(options: Mapping[str, Any]) -> bool:
    """Whether key phrases may be asked for: AssemblyAI refuses them where another language than English is named."""
    language = options.get("language_code")
    return language is None or _ENGLISH.fullmatch(language) is not None


def _read_own(texts: Mapping[str, str], where: str) -> Options:
    own: Options = {}
    for label, text in texts.items():
        if not label.lower().startswith(PREFIX):
            continue
        name = label.lower().removeprefix(PREFIX).replace("-", "_")
        _check_known(name, label)
        value = _read(_KINDS[name].form, text)
        _check_value(name, label, value)
        if own.setdefault(name, value) != value:
            message = f"{PREFIX}{name} is given twice as {where}, with different values."
            raise OptionRefused(message)
    return own


def _read(form: _Form, text: str) -> Any:
    """The value that a text stands for; the text itself where it can stand for none."""
    text = text.strip()
    if form is _Form.FLAG:
        return {"true": True, "false": False}.get(text.lower(), text)
    if form is _Form.LIST and not text.startswith("["):
        return [part.strip() for part in text.split(",")]
    if form is _Form.TEXT:
        return text
    try:
        return _from_json(text)
    except (ValueError, RecursionError):
        return text


def _from_json(text: str) -> Any:
    """Raises ValueError or RecursionError; NaN and infinity are not JSON."""
    value = json.loads(text)
    json.dumps(value, allow_nan=False)
    return value


def _check_known(name: str, label: str) -> None:
    if name in _NEVER:
        message = f"{_shown(label)} is no option: {_NEVER[name]}."
        raise OptionRefused(message)
    if name not in _KINDS:
        near = difflib.get_close_matches(name, _KINDS, 1)
        prefix = PREFIX if label.lower().startswith(PREFIX) else ""
        hint = f"did you mean {prefix}{near[0]}?" if near else "the README lists what there is."
        message = f"unknown option {_shown(label)}; {hint}"
        raise OptionRefused(message)


def _check_value(name: str, label: str, value: object) -> None:
    kind = _KINDS[name]
    if not kind.accepts(value):
        message = f"{label} cannot be {_shown(value)}: it takes {kind.allowed}."
        raise OptionRefused(message)


def _beside(own: Mapping[str, Any], stack: Mapping[str, Any]) -> Options:
    """Those of the stack's options that can stand beside a recording's own."""
    left = {name: value for name, value in stack.items() if name not in own}
    while True:  # what needs something that went, goes too
        both = {**left, **own}
        dropped = {
            name
            for one, other in _EXCLUDE
            if _is_on(both, one) and _is_on(both, other)
            for name in (one, other)
            if name in left and (one in own or other in own)
        } | {name for name, needed in _NEEDS if name in left and not _is_on(both, needed)}
        dropped = {name for name in dropped if not name.startswith("redact_")}  # no recording turns redaction off
        if not dropped:
            return left
        for name in dropped:
            del left[name]


def _is_on(options: Mapping[str, Any], name: str) -> bool:
    """Whether an option is asked for: a flag that is true, or any other value."""
    return options.get(name, name in _ON_BY_DEFAULT) is not False


def _check_together(options: Mapping[str, Any], models: Sequence[str]) -> None:
    for checks in (_needs, _exclusions, _languages, _summaries, _models, _times):
        for problem in checks(options, models):
            raise OptionRefused(problem)


def _needs(options: Mapping[str, Any], _: Sequence[str]) -> Iterator[str]:
    for name, needed in _NEEDS:
        if name in options and _is_on(options, name) and not _is_on(options, needed):
            yield f"{name} needs {needed}" + (" to be true." if _KINDS[needed].form is _Form.FLAG else ".")


def _exclusions(options: Mapping[str, Any], _: Sequence[str]) -> Iterator[str]:
    for one, other in _EXCLUDE:
        if one in options and other in options and _is_on(options, one) and _is_on(options, other):
            why = " Its result may hold what is redacted from the text." if other == "redact_pii" else ""
            yield f"{one} and {other} cannot be used together.{why}"


def _languages(options: Mapping[str, Any], _: Sequence[str]) -> Iterator[str]:
    if "language_codes" in options and "en" not in options["language_codes"]:
        yield "language_codes must have en among them."
    if options.get("language_detection") is False and not {"language_code", "language_codes"} & options.keys():
        yield "language_detection can be false only with a language_code."


def _summaries(options: Mapping[str, Any], _: Sequence[str]) -> Iterator[str]:
    if options.get("summarization"):
        model = options["summary_model"]
        types = _SUMMARY_TYPES.get(model, _OTHER_SUMMARY_TYPES)
        if options["summary_type"] not in types:
            yield f"summary_model {model} has no summary_type {options['summary_type']}; it has {', '.join(types)}."


def _models(options: Mapping[str, Any], models: Sequence[str]) -> Iterator[str]:
    classic_alone = set(models) == {_CLASSIC}
    for name in _CLASSIC_ONLY:
        if options.get(name) and not classic_alone:
            named = ", ".join(models)
            yield f"{name} works with {_CLASSIC} alone, and speech_models are {named}. {_CLASSIC_ADVICE[name]}"
    for name in _NEVER_CLASSIC:
        if name in options and classic_alone:
            yield f"{name} does nothing with {_CLASSIC}, which is the only one of the speech_models."
    if classic_alone and len(options.get("keyterms_prompt", ())) > _CLASSIC_KEYTERMS:
        yield f"keyterms_prompt takes at most {_CLASSIC_KEYTERMS} words or phrases with {_CLASSIC}."


def _times(options: Mapping[str, Any], _: Sequence[str]) -> Iterator[str]:
    if "audio_end_at" in options and options["audio_end_at"] <= options.get("audio_start_from", 0):
        yield "audio_start_from must come before audio_end_at."


def _shown(value: object) -> str:
    """A value as a reason may hold it: one line, not too long, with nothing that moves a cursor."""
    text = value if isinstance(value, str) else json.dumps(value)
    kept = "".join(character if character.isprintable() else " " for character in text[:_SHOWN])
    return f"'{kept}{'…' if len(text) > _SHOWN else ''}'"
