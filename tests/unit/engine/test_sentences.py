"""Words become sentences and paragraphs."""

from typing import Any

from hypothesis import given

from local.engine.sentences import paragraphs, sentences
from tests.unit.engine.transcript_words import any_words, spoken


def texts(passages: list[dict[str, Any]]) -> list[str]:
    return [passage["text"] for passage in passages]


def test_a_sentence_has_what_clients_read() -> None:
    words = spoken("It rains. It pours.", speaker="A")
    words[1]["confidence"] = 1.0
    first, second = sentences(words)
    assert first == {
        "text": "It rains.",
        "start": 0,
        "end": 500,
        "confidence": 0.75,
        "words": words[:2],
        "speaker": "A",
    }
    assert (second["start"], second["end"]) == (600, 1100)


def test_all_marks_end_sentences_but_abbreviations_and_initials_do_not() -> None:
    words = spoken('Is Dr. Ray in? No! "He left." Ask J. P. Morgan, please. Mrs. Lee')
    assert texts(sentences(words)) == ["Is Dr. Ray in?", "No!", '"He left."', "Ask J. P. Morgan, please.", "Mrs. Lee"]


def test_without_any_mark_pauses_end_sentences() -> None:
    assert texts(sentences(spoken("it rains | it pours"))) == ["it rains", "it pours"]


def test_a_pause_inside_a_marked_sentence_does_not_end_it() -> None:
    assert texts(sentences(spoken("It | rains. It pours."))) == ["It rains.", "It pours."]


def test_another_speaker_begins_another_sentence_and_paragraph() -> None:
    words = spoken("so we", speaker="A") + spoken("no wait. I know.", 600, speaker="B")
    assert texts(sentences(words)) == ["so we", "no wait.", "I know."]
    assert [sentence["speaker"] for sentence in sentences(words)] == ["A", "B", "B"]
    assert texts(paragraphs(words)) == ["so we", "no wait. I know."]


def test_channels_that_talk_at_the_same_time_are_not_mixed() -> None:
    left, right = spoken("I see it. And now?", channel="1"), spoken("we do not.", 100, channel="2")
    words = sorted(left + right, key=lambda word: int(word["start"]))
    found = sentences(words)
    assert [(one["channel"], one["text"]) for one in found] == [
        ("1", "I see it."),
        ("2", "we do not."),
        ("1", "And now?"),
    ]


def test_a_long_pause_begins_a_paragraph() -> None:
    assert texts(paragraphs(spoken("One. Two. | Three. | | Four."))) == ["One. Two. Three.", "Four."]


def test_a_paragraph_stays_readable() -> None:
    found = paragraphs(spoken("a b c d. " * 60))
    assert [len(paragraph["words"]) for paragraph in found] == [100, 100, 40]
    assert set(found[0]) == {"text", "start", "end", "confidence", "words"}


def test_no_words_are_no_sentences() -> None:
    assert sentences([]) == paragraphs([]) == []


@given(any_words())
def test_every_word_is_in_one_sentence_and_one_paragraph_in_order(words: list[dict[str, Any]]) -> None:
    for passages in (sentences(words), paragraphs(words)):
        assert [word for passage in passages for word in passage["words"]] == words
        assert " ".join(texts(passages)) == " ".join(word["text"] for word in words)
        assert all(0 <= passage["confidence"] <= 1 for passage in passages)
        assert all(passage["start"] <= passage["end"] for passage in passages)
