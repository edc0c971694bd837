"""What the engine's measurements measure: the sample again and again, and texts as long as asked for."""

import itertools
from pathlib import Path

import pytest

from bench import engine


def test_the_sample_is_repeated_with_its_text(tmp_path: Path) -> None:
    once, twice = (engine.repeated(tmp_path, times) for times in (1, 2))
    assert engine.length_of(once[0]) == pytest.approx(99.8, abs=0.2)
    assert engine.length_of(twice[0]) == pytest.approx(2 * engine.length_of(once[0]))
    assert twice[1].read_text() == 2 * once[1].read_text()


def test_texts_follow_one_another_without_end_and_in_time() -> None:
    texts = [{"text": "one two"}, {"text": "three"}]
    words = list(itertools.islice(engine.words_of(texts), 5))
    assert [word["text"] for word in words] == ["one", "two", "three", "one", "two"]
    assert all(early["end"] <= late["start"] for early, late in itertools.pairwise(words))
