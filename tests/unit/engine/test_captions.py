"""Words become captions."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.engine.captions import Caption, captions, srt, vtt
from tests.unit.engine.transcript_words import any_words, spoken


def texts(found: list[Caption]) -> list[str]:
    return [caption.text for caption in found]


@given(any_words(), st.integers(1, 200))
def test_captions_hold_every_word_once_in_order_within_the_limit(words: list[dict[str, Any]], limit: int) -> None:
    found = captions(words, limit)
    assert " ".join(texts(found)).split() == [word["text"] for word in words]
    for caption in found:
        assert len(caption.text) <= limit or " " not in caption.text
        assert caption.start < caption.end
    starts = [caption.start for caption in found]
    assert starts == sorted(starts)
    firsts, lasts = {word["start"] for word in words}, {word["end"] for word in words}
    assert all(caption.start in firsts for caption in found)
    assert all(caption.end in lasts or caption.end == caption.start + 1 for caption in found)


@given(any_words(), st.integers(1, 200))
def test_both_formats_can_be_read_back(words: list[dict[str, Any]], limit: int) -> None:
    found = captions(words, limit)
    blocks = srt(found).split("\n\n") if found else []
    assert len(blocks) == len(found)
    for number, (block, caption) in enumerate(zip(blocks, found, strict=True), start=1):
        head, times, text = block.rstrip("\n").split("\n")
        assert (head, text) == (str(number), caption.text)
        first, last = times.split(" --> ")
        assert (milliseconds(first), milliseconds(last)) == (caption.start, caption.end)
    head, *cues = vtt(found).rstrip("\n").split("\n\n")
    assert head == "WEBVTT"
    assert len(cues) == len(found)
    for cue, caption in zip(cues, found, strict=True):
        times, text = cue.split("\n")
        first, last = times.split(" --> ")
        assert (milliseconds(first), milliseconds(last)) == (caption.start, caption.end)
        assert "<" not in text
        assert text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == caption.text


def milliseconds(time: str) -> int:
    found = re.fullmatch(r"(?:(\d{2,}):)?([0-5]\d):([0-5]\d)[.,](\d{3})", time)
    assert found
    hours, minutes, seconds, thousandths = (int(part or 0) for part in found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths


def test_short_sentences_share_a_caption_until_someone_pauses() -> None:
    assert texts(captions(spoken("Yes. I do. | | Well. Fine."))) == ["Yes. I do.", "Well. Fine."]


def test_another_speaker_gets_another_caption() -> None:
    words = spoken("Ready?", speaker="A") + spoken("Yes.", 300, speaker="B")
    assert texts(captions(words)) == ["Ready?", "Yes."]


def test_a_long_sentence_is_spread_evenly() -> None:
    words = spoken("one two three four five six seven.")
    assert texts(captions(words, 33)) == ["one two three four", "five six seven."]
    assert texts(captions(words, 34)) == ["one two three four five six seven."]


def test_a_sentence_that_fits_is_not_cut_for_the_one_before() -> None:
    assert texts(captions(spoken("One two three. Four five six."), 20)) == ["One two three.", "Four five six."]


def test_a_word_beyond_the_limit_stands_alone() -> None:
    assert texts(captions(spoken("an incomprehensible word."), 6)) == ["an", "incomprehensible", "word."]


@pytest.mark.parametrize(
    ("ms", "in_srt", "in_vtt"),
    [
        (0, "00:00:00,000", "00:00.000"),
        (61_005, "00:01:01,005", "01:01.005"),
        (3_599_999, "00:59:59,999", "59:59.999"),
        (3_600_000, "01:00:00,000", "01:00:00.000"),
        (100 * 3_600_000 + 1, "100:00:00,001", "100:00:00.001"),
    ],
)
def test_times_are_written_as_each_format_wants(ms: int, in_srt: str, in_vtt: str) -> None:
    caption = Caption(ms, 101 * 3_600_000, "Hi.")
    assert srt([caption]) == f"1\n{in_srt} --> 101:00:00,000\nHi.\n"
    assert vtt([caption]) == f"WEBVTT\n\n{in_vtt} --> 101:00:00.000\nHi.\n"


def test_captions_are_set_apart_by_an_empty_line() -> None:
    found = [Caption(0, 500, "One."), Caption(500, 900, "Two.")]
    assert srt(found) == "1\n00:00:00,000 --> 00:00:00,500\nOne.\n\n2\n00:00:00,500 --> 00:00:00,900\nTwo.\n"


def test_silence_has_no_captions() -> None:
    assert captions([]) == []
    assert srt([]) == ""
    assert vtt([]) == "WEBVTT\n"
