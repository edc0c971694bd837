"""Words and phrases are found in a transcript."""

from typing import Any

from hypothesis import given

from local.engine.word_search import word_search
from tests.unit.engine.transcript_words import any_words, spoken

WORDS = spoken("The Internet outage: internet-wide, the internet's outage. “Internet” outage!")


def test_case_and_punctuation_do_not_count_and_parts_of_words_do() -> None:
    assert word_search(WORDS, ["internet"]) == {
        "total_count": 2,
        "matches": [{"text": "internet", "count": 2, "timestamps": [[300, 500], [2100, 2300]], "indexes": [1, 7]}],
    }


def test_a_phrase_is_words_in_a_row() -> None:
    (match,) = word_search(WORDS, ["Internet   Outage"])["matches"]
    assert (match["count"], match["indexes"]) == (2, [1, 7])
    assert match["timestamps"] == [[300, 800], [2100, 2600]]


def test_an_apostrophe_is_part_of_a_word_however_it_is_written() -> None:
    assert word_search(WORDS, ["Internet’s"])["total_count"] == 1


def test_terms_that_do_not_occur_are_left_out_and_repeated_ones_counted_once() -> None:
    found = word_search(WORDS, ["outage", "refund", "the", "outage"])
    assert [match["text"] for match in found["matches"]] == ["outage", "the"]
    assert found["total_count"] == 5


def test_a_phrase_stays_in_its_channel_whatever_the_other_says_meanwhile() -> None:
    left, right = spoken("all right then", channel="1"), spoken("no then", 100, channel="2")
    words = sorted(left + right, key=lambda word: int(word["start"]))
    (match,) = word_search(words, ["right then"])["matches"]
    assert (match["indexes"], match["timestamps"]) == ([2], [[300, 800]])
    assert word_search(words, ["all no"])["total_count"] == 0


def test_overlapping_occurrences_all_count() -> None:
    assert word_search(spoken("no no no"), ["no no"])["matches"][0]["indexes"] == [0, 1]


@given(any_words())
def test_every_word_is_found_where_it_is(words: list[dict[str, Any]]) -> None:
    for index, word in enumerate(words):
        if any(character.isalpha() for character in word["text"]):
            (match,) = word_search(words, [word["text"]])["matches"]
            assert index in match["indexes"]
            assert [word["start"], word["end"]] in match["timestamps"]
            assert match["count"] == len(match["timestamps"]) == len(match["indexes"])
