"""What a transcript holds beside its key phrases, in a form short enough for a row; and what redaction must keep out.

The results themselves are in the stored transcript, whole.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from audio_highlights.json_items import Items
from audio_highlights.models import Transcript

SUMMARY_CHARACTERS = 1000  # of a summary on the row; the highlights file has it whole
_MOST_LABELS = 5
_MOST_KINDS = 20
_LABEL_CHARACTERS = 60
_RESULTS_WITH_TEXT = ("sentiment_analysis_results",)
_LABELLED_TEXT = ("iab_categories_result", "content_safety_labels")
# AssemblyAI echoes them, with what was to be kept out.
_ECHOED_TERMS = ("redact_static_entities", "keyterms_prompt", "custom_spelling", "prompt")
# Nothing of these is asked for beside redaction; what is there all the same is not kept.
_UNREDACTED = (
    "chapters", "entities", "summary", "unredacted_text", "unredacted_words", "unredacted_utterances",
)  # fmt: skip
# What changes the price or the transcript, as its echo shows it.
_ASKED_FOR = (
    "auto_chapters", "auto_highlights", "content_safety", "custom_spelling", "disfluencies", "domain",
    "entity_detection", "filter_profanity", "iab_categories", "keyterms_prompt", "multichannel", "prompt", "redact_pii",
    "redact_pii_audio", "redact_static_entities", "sentiment_analysis", "speaker_labels", "summarization",
)  # fmt: skip
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


class SummaryStatus(StrEnum):
    """How a summary that was asked for turned out."""

    SUCCESS = "success"
    UNAVAILABLE = "unavailable"  # the model failed; the transcript is fine
    MISSING = "missing"  # there is none, and nothing says why


def is_redacted(transcript: Transcript) -> bool:
    """Whether it was asked to be redacted."""
    return transcript.body.get("redact_pii") is True


def asked_for(transcript: Transcript) -> list[str]:
    """Names of what was asked for beyond words, as AssemblyAI bills it; tasks of speech understanding by theirs."""
    tasks = _mapping(_mapping(transcript.body.get("speech_understanding")).get("request"))
    return [
        *(name for name in _ASKED_FOR if transcript.body.get(name)),
        *(f"speech_understanding.{one}" for one in tasks),
    ]


def short_form(transcript: Transcript) -> dict[str, Any]:
    """Counts and labels of the results that were asked for, without any words of the recording; under 2 KB."""
    body = transcript.body
    understood = _mapping(_mapping(body.get("speech_understanding")).get("response"))
    found: dict[str, Any] = {
        "speakers": len(set(_each(body.get("utterances"), "speaker")) or set(_each(body.get("words"), "speaker"))),
        "channels": body.get("audio_channels") if isinstance(body.get("audio_channels"), int) else None,
        "sentiments": _counted(body.get("sentiment_analysis_results"), "sentiment"),
        "entities": _counted(body.get("entities"), "entity_type"),
        "topics": _labels(body.get("iab_categories_result")),
        "content_safety": _labels(body.get("content_safety_labels")),
        "chapters": len(_objects(body.get("chapters"))),
        "action_items": len(_objects(_mapping(understood.get("action_items")).get("items"))),
        "redact_pii": is_redacted(transcript),
    }
    return {name: value for name, value in found.items() if value}


def summary(transcript: Transcript) -> tuple[SummaryStatus | None, str]:
    """How a summary turned out, and its text; None where none was asked for."""
    understanding = _mapping(transcript.body.get("speech_understanding"))
    answers = _mapping(understanding.get("response"))
    if "summarization" in {*_mapping(understanding.get("request")), *answers}:
        answer = _mapping(answers.get("summarization"))
        text = "\n".join(_passages(answer.get("summary")))
        failed = bool(answer) and answer.get("status") != "success"
    elif transcript.body.get("summarization") is True:
        said = transcript.body.get("summary")
        text, failed = said.strip() if isinstance(said, str) else "", False
    else:
        return None, ""
    if text:
        return SummaryStatus.SUCCESS, text
    return (SummaryStatus.UNAVAILABLE if failed else SummaryStatus.MISSING), ""


def shortened(text: str, characters: int = SUMMARY_CHARACTERS) -> str:
    """The beginning of a text, up to a word's end, with an ellipsis where there is more."""
    if len(text) <= characters:
        return text
    beginning = text[: characters - 1]
    return (beginning.rpartition(" ")[0] or beginning).rstrip() + "\u2026"


def without_what_was_redacted(body: Mapping[str, Any]) -> dict[str, Any]:
    """A redacted transcript as it may be kept.

    AssemblyAI redacts text, words and utterances. The texts that other results repeat are left out (their times
    stay), and of the key phrases those that do not stand in the redacted text.
    """
    kept = {name: value for name, value in body.items() if name not in (*_UNREDACTED, *_ECHOED_TERMS)}
    kept.pop("speech_understanding", None)
    for name in _RESULTS_WITH_TEXT:
        if name in kept:
            kept[name] = [_without_text(one) for one in _objects(kept[name])]
    for name in _LABELLED_TEXT:
        if isinstance(kept.get(name), Mapping):
            kept[name] = {**kept[name], "results": [_without_text(one) for one in _objects(kept[name].get("results"))]}
    phrases = kept.get("auto_highlights_result")
    if isinstance(phrases, Mapping):
        said = f" {' '.join(_words(kept.get('text')))} "
        spoken = [one for one in _objects(phrases.get("results")) if f" {' '.join(_words(one.get('text')))} " in said]
        kept["auto_highlights_result"] = {**phrases, "results": spoken}
    return kept


def _counted(results: object, name: str) -> dict[str, int]:
    labels = (label[:_LABEL_CHARACTERS] for label in _each(results, name))
    return dict(Counter(labels).most_common(_MOST_KINDS))


def _labels(result: object) -> list[str]:
    """The most relevant labels of topics or content safety."""
    relevance = _mapping(_mapping(result).get("summary"))
    rated = {label: value for label, value in relevance.items() if isinstance(value, int | float)}
    return [label[:_LABEL_CHARACTERS] for label in sorted(rated, key=lambda label: -rated[label])[:_MOST_LABELS]]


def _passages(parts: object) -> Iterator[str]:
    for part in _objects(parts):
        text = part.get("text") or part.get("headline")
        if isinstance(text, str) and text.strip():
            yield text.strip()


def _without_text(result: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name != "text"}


def _words(text: object) -> Sequence[str]:
    return _WORD.findall(text.casefold()) if isinstance(text, str) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | Items) else []


def _each(results: object, name: str) -> Iterator[str]:
    """The texts that the objects of a list have under this name."""
    found = results.each(name) if isinstance(results, Items) else (one.get(name) for one in _objects(results))
    return (text for text in found if isinstance(text, str))
