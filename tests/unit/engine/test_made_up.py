"""Words without recognition."""

import itertools
from pathlib import Path

from local.engine.key_phrases import find_key_phrases
from local.engine.made_up import drawn_text, spoken


def test_the_same_bytes_give_the_same_words_and_others_give_others(tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("one", "same", "other"))
    one.write_bytes(b"sound")
    same.write_bytes(b"sound")
    other.write_bytes(b"sounds")
    assert drawn_text(one, 70) == drawn_text(same, 70)
    assert drawn_text(one, 70) != drawn_text(other, 70)
    assert 70 <= len(drawn_text(one, 70).split()) < 77
    assert drawn_text(one, 0) == ""


def test_words_are_in_order_and_key_phrases_are_found_in_them(tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.write_bytes(b"sound")
    words = spoken(drawn_text(media, 70))
    assert all(before["end"] < after["start"] for before, after in itertools.pairwise(words))
    assert len(find_key_phrases(words)["results"]) > 5
    assert spoken("") == []
