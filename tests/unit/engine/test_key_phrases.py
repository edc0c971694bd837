"""The contract of `auto_highlights_result`, on chosen and on generated words."""

import json
import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.phrases import read_words, recall
from local.engine.key_phrases import find_key_phrases, main

LEADING = {"the", "a", "an", "my", "your", "his", "her", "its", "our", "their", "this", "that", "these", "those"}
VOCABULARY_TEXT = (
    "the a my this internet outage refund customer account Account Customer's modem light red new monthly payment "
    "started want pay paid has is of and in very um yeah three 42 New York technician's using fast broken weather "
    "systems system don't I'm Dr. J. e-mail people other most things"
)
VOCABULARY = VOCABULARY_TEXT.split()
MARKS = ("", "", "", "", ",", ".", "?", "!", ";", "...", '"')

type Words = list[dict[str, Any]]


def spoken(text: str, speaker: str | None = None) -> Words:
    """One word every 400 ms, each 300 ms long."""
    return [
        {"text": word, "start": 400 * i, "end": 400 * i + 300, "speaker": speaker}
        for i, word in enumerate(text.split())
    ]


def phrases(text: str) -> dict[str, dict[str, Any]]:
    return {result["text"]: result for result in find_key_phrases(spoken(text))["results"]}


def bare(word: str) -> str:
    return re.sub(r"^\W+|\W+$", "", word).lower()


def said_times(phrase: str, words: Sequence[dict[str, Any]]) -> list[dict[str, int]]:
    """Where a phrase is said: found by a second, slower way than the engine's."""
    wanted = phrase.lower().split()
    found = []
    for i in range(len(words) - len(wanted) + 1):
        window = words[i : i + len(wanted)]
        texts = [str(word["text"]) for word in window]
        closed = any(re.search(r"\W$", text) for text in texts[:-1])
        opened = any(re.search(r"^\W", text) for text in texts[1:])
        if [bare(text) for text in texts] == wanted and not (closed or opened):
            found.append({"start": window[0]["start"], "end": window[-1]["end"]})
    return found


def assert_contract(words: Sequence[dict[str, Any]]) -> None:
    answer = find_key_phrases(words)
    assert answer["status"] == "success"
    results = answer["results"]
    assert len(results) <= 15
    ranks = [result["rank"] for result in results]
    assert ranks == sorted(ranks, reverse=True)
    assert all(rank == round(rank, 2) and 0.02 <= rank <= 0.16 for rank in ranks)
    texts = [result["text"].lower() for result in results]
    assert len(set(texts)) == len(texts)
    for result in results:
        assert result["count"] == len(result["timestamps"]) > 0
        assert result["text"].split()[0].lower() not in LEADING
        assert len(result["text"].split()) <= 6
        assert result["timestamps"] == said_times(result["text"], words)


def test_the_repeated_noun_phrase_is_found_where_it_is_said() -> None:
    text = "The internet outage started on Monday. I want a refund for the internet outage."
    found = phrases(text)
    assert found["internet outage"]["count"] == 2
    assert found["internet outage"]["timestamps"] == [{"start": 400, "end": 1100}, {"start": 4800, "end": 5500}]
    assert "refund" in found


def test_a_phrase_never_crosses_punctuation() -> None:
    found = phrases("We sell weather, systems of weather systems and red weather - systems.")
    assert found["weather systems"]["count"] == 1


def test_determiners_and_possessives_are_left_off_the_front_and_quantifiers_stay() -> None:
    found = phrases("My monthly payment was late. Other people want the monthly payment. This refund is good.")
    assert "monthly payment" in found
    assert "Other people" in found
    assert not LEADING & {text.split()[0].lower() for text in found}


def test_a_possessive_is_another_word() -> None:
    found = phrases("People know that the people's choice is people.")
    assert found["People"]["count"] == 2


def test_case_makes_no_second_phrase_and_plural_does() -> None:
    found = phrases("Weather systems are slow. The weather system is slow. Weather Systems were slow.")
    assert found["Weather systems"]["count"] == 2
    assert found["weather system"]["count"] == 1


def test_a_gerund_never_begins_a_phrase() -> None:
    found = phrases("We are using cloud services. They like using cloud services every day.")
    assert "cloud services" in found
    assert not any(text.lower().startswith("using") for text in found)


def test_a_filler_parts_what_it_stands_between() -> None:
    assert "internet um outage" not in phrases("The internet um outage started. Yeah refund.")


def test_a_longer_determiner_run_costs_rank() -> None:
    before = "The technician came on Monday and the customer was at home, so in an hour the light was green again. "
    alone = phrases(f"{before}Monthly payments were late.")["Monthly payments"]["rank"]
    assert phrases(f"{before}The three monthly payments were late.")["monthly payments"]["rank"] < alone


def test_without_punctuation_a_long_pause_ends_a_phrase() -> None:
    close = spoken("we repaired the modem payment systems")
    apart = [dict(word) for word in close]
    for word in apart[4:]:
        word["start"] += 800
        word["end"] += 800
    together = {result["text"] for result in find_key_phrases(close)["results"]}
    separate = {result["text"] for result in find_key_phrases(apart)["results"]}
    assert "modem payment systems" in together
    assert {"modem", "payment systems"} <= separate


def test_a_change_of_speaker_ends_a_phrase() -> None:
    words = spoken("we repaired the modem", "A") + spoken("payment systems are slow.", "B")
    assert "modem payment systems" not in {result["text"] for result in find_key_phrases(words)["results"]}


@pytest.mark.parametrize(
    "text",
    ["", "the", "Hello", "the a my of and", "1 2 3 4.5 67%", "🙂 🙂🙂", "... - ,", "नमस्ते दुनिया", "\ud800 x", "a\0b c",
     "\u2019 \u2019s 's n't", "İstanbul ẞ ﬁ"],
)  # fmt: skip
def test_odd_words_give_an_answer(text: str) -> None:
    answer = find_key_phrases([{"text": word, "start": 0, "end": 1} for word in text.split(" ")])
    assert answer["status"] == "success"
    assert all(result["count"] > 0 for result in answer["results"])


def test_no_words_no_phrases() -> None:
    assert find_key_phrases([]) == {"status": "success", "results": []}


def test_a_long_text_gives_fifteen_phrases_within_the_contract() -> None:
    words = spoken(" ".join(VOCABULARY[(i * i + i // 7) % len(VOCABULARY)] + MARKS[i % 11] for i in range(20_000)))
    assert len(find_key_phrases(words)["results"]) == 15


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(VOCABULARY), st.sampled_from(MARKS)), max_size=120))
def test_the_contract_holds_for_any_order_of_words(parts: list[tuple[str, str]]) -> None:
    words = spoken(" ".join(word + mark for word, mark in parts))
    assert_contract(words)
    assert find_key_phrases(words) == find_key_phrases(words)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.text(max_size=12), max_size=30))
def test_no_text_crashes_it(texts: list[str]) -> None:
    words = [{"text": text, "start": 10 * i, "end": 10 * i + 5} for i, text in enumerate(texts)]
    results = find_key_phrases(words)["results"]
    assert len(results) <= 15
    assert all(result["count"] == len(result["timestamps"]) > 0 for result in results)


def test_most_phrases_are_those_of_the_reference() -> None:
    recalls = []
    for file in sorted((Path(__file__).parents[2] / "fixtures" / "phrases").glob("*.json")):
        recording = json.loads(file.read_text(encoding="utf-8"))
        words = read_words(recording)
        assert_contract(words)
        found = [result["text"] for result in find_key_phrases(words)["results"]]
        recalls.append(recall(recording["phrases"], found))
    assert len(recalls) == 12
    assert statistics.mean(exact for exact, _ in recalls) >= 0.75
    assert statistics.mean(near for _, near in recalls) >= 0.82


def test_half_of_the_phrases_survive_the_loss_of_case_and_punctuation() -> None:
    shares = []
    for file in sorted((Path(__file__).parents[2] / "fixtures" / "phrases").glob("*.json")):
        recording = json.loads(file.read_text(encoding="utf-8"))
        words = spoken(re.sub(r"[.,?!]+(\s|$)", r"\1", recording["text"].lower()))
        assert_contract(words)
        shares.append(recall(recording["phrases"], [result["text"] for result in find_key_phrases(words)["results"]]))
    assert statistics.mean(exact for exact, _ in shares) >= 0.5


def test_the_command_prints_the_same_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = spoken("The internet outage started on Monday.")
    file = tmp_path / "words.json"
    file.write_text(json.dumps({"words": words}))
    assert main([str(file)]) == 0
    assert json.loads(capsys.readouterr().out) == find_key_phrases(words)
