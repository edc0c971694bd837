"""Samples -> segments -> words -> written text."""

import functools
import importlib.resources
import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from local.engine.audio import SAMPLE_RATE, decode, read_samples
from local.engine.pronunciation import phones
from local.engine.recogniser import Recogniser, is_rude, pocketsphinx_recogniser
from local.engine.segments import find_segments

FIXTURES = Path(__file__).parents[2] / "fixtures"


@functools.cache
def recogniser() -> Recogniser:
    return pocketsphinx_recogniser(True)


@pytest.fixture(scope="module")
def refund(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.int16]:
    target = tmp_path_factory.mktemp("decoded") / "samples"
    decode(FIXTURES / "refund.mp3", target)
    return read_samples(target)


def silence(seconds: float) -> NDArray[np.int16]:
    return np.zeros(int(seconds * SAMPLE_RATE), np.int16)


def test_silence_has_no_segments() -> None:
    assert find_segments(silence(30)) == []
    assert find_segments(silence(0)) == []


def test_each_sentence_is_a_segment(refund: NDArray[np.int16]) -> None:
    first, second = find_segments(refund)
    assert first.stop == second.start  # the pause between them is shorter than two pads: halved
    assert first.pause
    assert second.pause
    assert 2.4 < first.stop / SAMPLE_RATE < 3.4


def test_padding_is_400_ms_where_there_is_room(refund: NDArray[np.int16]) -> None:
    segments = find_segments(np.concatenate((silence(5), refund, silence(5))))
    (bare,) = {segment.start for segment in find_segments(refund)[:1]}
    assert 4.5 * SAMPLE_RATE < segments[0].start < 5.2 * SAMPLE_RATE
    assert bare == 0
    assert segments[-1].stop < 11.5 * SAMPLE_RATE


def test_long_speech_is_cut_within_20_s_and_nothing_is_lost(refund: NDArray[np.int16]) -> None:
    unbroken = np.concatenate([refund[2500:39_000]] * 30)
    segments = find_segments(unbroken)
    assert all(segment.stop - segment.start <= 20 * SAMPLE_RATE for segment in segments)
    assert all(one.stop <= other.start for one, other in itertools.pairwise(segments))
    cut = [(one, other) for one, other in itertools.pairwise(segments) if not one.pause]
    assert cut
    assert all(one.stop == other.start for one, other in cut)


def test_the_words_are_recognised_with_their_times(refund: NDArray[np.int16]) -> None:
    words = recogniser()(refund)
    assert " ".join(str(word["text"]) for word in words) == (
        "the internet outage started on monday i want a refund for the internet outage"
    )
    assert all(int(word["start"] or 0) < int(word["end"] or 0) for word in words)
    assert all(0 <= float(word["confidence"] or 0) <= 1 for word in words)
    refund_word = words[9]
    assert (refund_word["text"], refund_word["speaker"]) == ("refund", None)
    assert 3500 < int(refund_word["start"] or 0) < 4100


def test_an_utterance_does_not_depend_on_the_ones_before(refund: NDArray[np.int16]) -> None:
    recognise = recogniser()
    before = recognise(refund[:47_000])
    recognise(refund[47_000:])
    recognise(np.random.default_rng(1).integers(-9000, 9000, 30_000, np.int16))
    assert recognise(refund[:47_000]) == before


def test_no_samples_no_words_and_the_next_is_fine(refund: NDArray[np.int16]) -> None:
    assert recogniser()(silence(0)) == []
    assert recogniser()(silence(0.05)) == []
    assert len(recogniser()(refund)) == 14


def heard(samples: NDArray[np.int16], *keyterms: str) -> str:
    return " ".join(str(word["text"]) for word in recogniser()(samples, keyterms))


@pytest.fixture(scope="module")
def key_terms(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.int16]:
    target = tmp_path_factory.mktemp("decoded") / "samples"
    decode(FIXTURES / "key-terms.mp3", target)
    return read_samples(target)


def test_key_terms_are_heard_only_where_they_are_asked_for(key_terms: NDArray[np.int16]) -> None:
    plain = heard(key_terms)
    assert not {"router", "webhook"} & set(plain.split())
    assert "the router is next" in heard(key_terms, "Router settings")  # the dictionary knows how it is said
    assert "your webhook must answer" in heard(key_terms, "webhook", "router")  # this one is guessed
    assert "router" not in heard(key_terms, "webhook")
    assert heard(key_terms) == plain


def test_key_terms_put_nothing_into_other_speech(refund: NDArray[np.int16]) -> None:
    assert heard(refund, "router", "Kubernetes", "webhook") == heard(refund)


def test_key_terms_that_cannot_be_said_change_nothing(refund: NDArray[np.int16]) -> None:
    assert heard(refund, "", "\u65e5\u672c", "42", "refund", "x", "-", "bullshit", "brrr" * 100) == heard(refund)


@pytest.mark.parametrize(
    ("word", "said"),
    [("webhook", "W EH B HH UH K"), ("chatbot", "CH AE T B AH T"), ("", ""), ("日本", "")],
)
def test_words_are_said_as_they_are_spelled(word: str, said: str) -> None:
    assert phones(word) == said


def test_the_clean_dictionary_lacks_few_words_and_no_harmless_ones() -> None:
    dictionary = importlib.resources.files("pocketsphinx") / "model" / "en-us" / "cmudict-en-us.dict"
    entries = [line.split()[0] for line in dictionary.read_text().splitlines()]
    rude = [entry for entry in entries if is_rude(entry)]
    assert 50 < len(rude) < 110
    harmless = {"ship", "peacock", "assess", "class", "dickens", "cocktail", "scunthorpe", "title", "shih", "slutsky"}
    assert not harmless & set(rude)
    assert is_rude("shit(2)")
