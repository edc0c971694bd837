"""The table of phrase agreement: what it reads, counts and prints."""

import json
from pathlib import Path

import pytest

from bench.phrases import main, read_reference, read_words, recall

TRANSCRIPT = {
    "text": "The internet outage started on Monday. I want a refund for the internet outage.",
    "auto_highlights_result": {"status": "success", "results": [{"text": "internet outage"}, {"text": "Refund"}]},
}


def test_recall_counts_the_same_words_and_half_of_the_words() -> None:
    found = ["Internet outage", "monthly payment plan"]
    assert recall(["internet outage", "payment plan", "plan", "modem"], found) == (0.25, 0.5)


def test_a_transcript_without_words_is_read_from_its_text() -> None:
    words = read_words({"text": "One two", "words": []})
    assert [word["text"] for word in words] == ["One", "two"]
    assert words[0]["end"] <= words[1]["start"]
    assert read_words([{"text": "a"}]) == [{"text": "a"}]


@pytest.mark.parametrize(
    "content",
    ["one\n\n two words \n", '["one", "two words"]', '{"results": [{"text": "one"}, {"text": "two words"}]}',
     '{"auto_highlights_result": {"results": [{"text": "one"}, {"text": "two words"}]}}'],
)  # fmt: skip
def test_a_reference_may_be_lines_or_json(tmp_path: Path, content: str) -> None:
    file = tmp_path / "phrases"
    file.write_text(content)
    assert read_reference(file) == ["one", "two words"]


def test_the_table_has_a_row_for_each_recording_and_the_means(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    one, words, phrases = tmp_path / "call.json", tmp_path / "words.json", tmp_path / "phrases.txt"
    one.write_text(json.dumps(TRANSCRIPT))
    words.write_text(json.dumps(read_words(TRANSCRIPT)))
    phrases.write_text("internet outage\nred modem")
    assert main([str(one), "--pair", str(words), str(phrases), "--runs", "1"]) == 0
    printed = capsys.readouterr().out
    assert "call" in printed
    assert "100%" in printed
    assert "75.0%" in printed


def test_nothing_to_compare_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main([])
    empty = tmp_path / "empty.txt"
    empty.touch()
    with pytest.raises(SystemExit):
        main(["--pair", str(empty), str(empty)])
