"""The measurement measures: known errors, known noise, and one real run."""

from pathlib import Path

import numpy as np
import pytest

from bench.recognition import main, noisy, normalised, telephone

FIXTURES = Path(__file__).parents[2] / "fixtures"


def tone(hertz: float) -> "np.typing.NDArray[np.int16]":
    return (5000 * np.sin(2 * np.pi * hertz * np.arange(16_000) / 16_000)).astype(np.int16)


def power(samples: "np.typing.NDArray[np.int16]") -> float:
    return float(np.square(samples.astype(np.float64)).mean())


def test_words_are_compared_without_speakers_case_and_marks() -> None:
    assert (
        normalised("Agent: I\u2019m sorry, 20 times.\nCustomer: Half-time: yes!\n")
        == "i'm sorry 20 times half time yes"
    )


def test_a_telephone_carries_the_middle() -> None:
    assert [power(telephone(tone(hertz))) > power(tone(hertz)) / 2 for hertz in (100, 1000, 5000)] == [
        False,
        True,
        False,
    ]


def test_noise_is_20_db_below_the_speech_and_always_the_same() -> None:
    speech = tone(440)
    assert power(noisy(speech) - speech) == pytest.approx(power(speech) / 100, rel=0.05)
    assert np.array_equal(noisy(speech), noisy(speech))


def test_a_recording_and_its_text_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "refund.txt"
    text.write_text("The internet outage started on Monday. I want two refunds for the internet outage.")
    assert main([str(FIXTURES / "refund.mp3"), str(text), "--processes", "1", "--compare", "untuned"]) == 0
    printed = capsys.readouterr().out
    (tuned,) = [line for line in printed.splitlines() if "pocketsphinx" in line]
    assert "14.3%" in tuned  # two of fourteen words were not said
    assert "untuned" in printed


def test_a_recording_without_its_text_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(FIXTURES / "refund.mp3")])
    with pytest.raises(SystemExit):
        main([str(FIXTURES / "refund.mp3"), str(tmp_path / "none.txt")])
    assert "none.txt" in capsys.readouterr().err
