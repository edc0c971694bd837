"""The price file, and what is computed by it."""

from decimal import Decimal
from pathlib import Path

import pytest

from cli.prices import PRICES, Prices, PricesUnreadable, asked, dollars, hours, sizes_of


def test_a_transcript_costs_by_the_second_what_its_model_and_options_cost() -> None:
    parts, unknown = Prices.load().transcript(90, "universal-3-5-pro", ["auto_highlights", "speaker_labels"])
    assert parts == {
        "universal-3-5-pro": Decimal("0.00525"),
        "auto_highlights": Decimal("0.00025"),
        "speaker_labels": Decimal("0.0005"),
    }
    assert unknown == []


def test_what_has_no_price_is_named_and_not_taken_for_free() -> None:
    parts, unknown = Prices.load().transcript(60, "assemblyai-stt-9", ["auto_chapters", "disfluencies"])
    assert (parts, unknown) == ({}, ["assemblyai-stt-9", "auto_chapters"])


def test_lengths_are_guessed_as_a_range_by_the_ends_of_names() -> None:
    sizes = sizes_of([("a/b.MP3", 1_000_000), ("c.mp3", 1_000_000), ("noend", 64_000)])
    assert sizes == {"mp3": 2_000_000, "noend": 64_000}
    long, price = Prices.load().guess({"mp3": 144_000_000}, "universal-2", ["auto_highlights"])
    assert (long.least, long.most) == (Decimal(3600), Decimal(36000))
    assert (round(price.least, 9), round(price.most, 9)) == (Decimal("0.16"), Decimal("1.6"))


def test_options_are_asked_for_under_the_names_that_are_billed() -> None:
    options = {
        "speaker_labels": True,
        "sentiment_analysis": False,
        "language_code": "en",
        "speech_understanding": {"request": {"summarization": {}}},
    }
    assert asked(options) == ["auto_highlights", "speaker_labels", "speech_understanding.summarization"]


def test_a_recording_takes_every_kind_of_request_that_has_a_price() -> None:
    prices = Prices.load()
    for mode, counts in prices.recording.items():
        assert set(counts) <= set(prices.units)
        assert Decimal("0.00001") < prices.of_recording(mode) < Decimal("0.001")


def test_webhook_mode_costs_less_than_8_cents_for_1000_recordings_and_poll_mode_more() -> None:
    prices = Prices.load()
    assert prices.of_recording("webhook") * 1000 < Decimal("0.08")
    assert prices.of_recording("webhook") < prices.of_recording("poll")
    assert {"http_api"} == set(prices.recording["webhook"]) - set(prices.recording["poll"])
    assert {"states"} == set(prices.recording["poll"]) - set(prices.recording["webhook"])


@pytest.mark.parametrize("text", ["", "[provider", "[provider]\nsource = 1\n"])
def test_a_price_file_that_cannot_be_read_says_which_and_why(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(PricesUnreadable, match=r"prices\.toml"):
        Prices.load(path)


def test_every_price_has_a_date_and_a_source() -> None:
    for source in Prices.load().sources:
        assert "https://" in source
        assert "2026-" in source
    assert PRICES.name == "prices.toml"


def test_amounts_are_readable() -> None:
    assert [dollars(Decimal(one)) for one in ("0", "0.00611", "1234.5")] == ["$0.00", "$0.0061", "$1,234.50"]
    assert [hours(one) for one in (90, 5400)] == ["1.5 min", "1.5 h"]
