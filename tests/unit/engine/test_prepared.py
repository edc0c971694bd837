"""What is said of a recording beside its words: too little speech, unusable sound, how far the job is."""

import logging

import numpy as np
import pytest

from local.engine.audio import AudioError
from local.engine.prepared import Prepared
from local.engine.progress import Progress
from local.engine.recogniser import Word
from local.engine.worker import centred

WORDS: list[Word] = [{"text": "hello", "start": 0, "end": 300, "confidence": 0.9, "speaker": None}]


def test_less_speech_than_asked_for_is_an_error() -> None:
    prepared = Prepared(count=16_000, segments=[], speech=0.25)
    prepared.check_speech(None)
    prepared.check_speech(0.25)
    with pytest.raises(AudioError, match=r"^Audio speech threshold 0\.25 is below .* threshold value 0\.5$"):
        prepared.check_speech(0.5)


def test_good_sound_has_no_warning() -> None:
    assert Prepared(count=16_000, segments=[], sample_rate=16_000).warnings(WORDS, 0.5) == []


def test_telephone_sound_and_low_confidence_are_warned_of() -> None:
    narrow, unsure = Prepared(count=16_000, segments=[], sample_rate=8000).warnings(WORDS, 0.49)
    assert "only 8000 samples per second" in narrow
    assert "confidence of the words is 0.49" in unsure


def test_damage_is_warned_of() -> None:
    (warning,) = Prepared(count=16_000, segments=[], lost=1).warnings(WORDS, 0.9)
    assert "damaged or missing" in warning


def test_silence_has_no_warning() -> None:
    assert Prepared(count=16_000, segments=[], sample_rate=8000).warnings([], 0.0) == []


def test_each_tenth_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    progress = Progress("t1", 3600.4, 2, 1000)
    for _ in range(200):
        progress.add(5)
    assert caplog.messages[0] == "job t1 10 % of 3600 s, 2 workers"
    assert [line.split()[2] for line in caplog.messages] == [str(tenth) for tenth in range(10, 101, 10)]


def test_one_long_segment_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    progress = Progress("t1", 20, 1, 1000)
    progress.add(550)
    progress.add(450)
    assert caplog.messages == ["job t1 55 % of 20 s, 1 workers", "job t1 100 % of 20 s, 1 workers"]


def test_a_constant_in_the_sound_is_taken_out() -> None:
    sound = np.array([12_000, 8000, 10_000], np.int16)
    assert centred(sound).tolist() == [2000, -2000, 0]
    assert centred(sound - np.int16(9500)).tolist() == [2500, -1500, 500]
    assert centred(np.array([32_767, -32_768, -32_768], np.int16)).max() == 32_767
    assert centred(np.zeros(0, np.int16)).tolist() == []
