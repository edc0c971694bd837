"""Summaries: extracts of what was said, in its order, and no longer than asked for."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.engine.sentences import split_sentences, text_of
from local.engine.summaries import classic, summarise, understood

SAMPLE = Path(__file__).parents[3] / "samples" / "support-call.words.json"


@pytest.fixture(scope="module")
def call() -> list[dict[str, Any]]:
    content = json.loads(SAMPLE.read_text(encoding="utf-8"))
    words = content if isinstance(content, list) else content["words"]
    return [{"speaker": None, "confidence": 1.0, **word} for word in words]


def sentences(words: list[dict[str, Any]]) -> list[str]:
    return [text_of(sentence) for sentence in split_sentences(words)]


@pytest.mark.parametrize(("effort", "count"), [("low", 2), ("medium", 4)])
def test_bullets_are_sentences_of_the_call_in_their_order(call: list[dict[str, Any]], effort: str, count: int) -> None:
    answer = understood(call, "bullets", effort)
    assert {name: answer[name] for name in ("status", "summary_type", "effort")} == {
        "status": "success",
        "summary_type": "bullets",
        "effort": effort,
    }
    texts = [item["text"] for item in answer["summary"]]
    assert len(texts) == count
    assert [text for text in sentences(call) if text in texts] == texts
    assert all(item["start"] < item["end"] for item in answer["summary"])


def test_a_summary_holds_the_phrases_that_count_most(call: list[dict[str, Any]]) -> None:
    [passage] = understood(call, "paragraph", "medium")["summary"]
    assert "internet outage" in passage["text"].lower()
    assert passage["headline"].lower() in passage["text"].lower()


def test_a_long_recording_has_a_passage_for_each_five_minutes(call: list[dict[str, Any]]) -> None:
    later = [{**word, "start": word["start"] + 600_000, "end": word["end"] + 600_000} for word in call]
    first, second = understood([*call, *later], "paragraph")["summary"]
    assert second["start"] - first["start"] == 600_000


@pytest.mark.parametrize(("kind", "lines"), [("bullets", 3), ("bullets_verbose", 6), ("headline", 1), ("paragraph", 1)])
def test_classic_summaries_have_their_shapes(call: list[dict[str, Any]], kind: str, lines: int) -> None:
    text = classic(call, kind)
    assert len(text.splitlines()) == lines
    assert all(line.startswith("- ") for line in text.splitlines()) == kind.startswith("bullets")


def test_a_gist_is_a_phrase(call: list[dict[str, Any]]) -> None:
    assert 0 < len(classic(call, "gist").split()) <= 6


def test_of_nothing_said_there_is_an_empty_summary() -> None:
    assert summarise([], {"summary_type": "paragraph"}, "bullets") == (
        {"status": "success", "summary_type": "paragraph", "effort": "low", "summary": []},
        "",
    )
    assert summarise([], None, None) == (None, None)
    assert classic([], "gist") == ""


def test_one_short_word_is_its_own_summary() -> None:
    words = [{"text": "Hello.", "start": 0, "end": 400, "confidence": 1.0, "speaker": None}]
    assert understood(words, "bullets")["summary"] == [{"start": 0, "end": 400, "headline": "Hello", "text": "Hello."}]
