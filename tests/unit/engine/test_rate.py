"""How many requests are let through, by a clock of the test's own."""

from argparse import ArgumentTypeError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.engine.rate import RateLimit, read_rate


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(schedule: list[float], requests: int, seconds: int) -> list[int]:
    clock = Clock()
    limit = RateLimit(requests, seconds, clock)
    answers = []
    for clock.now in schedule:
        answers.append(limit.take())
    return answers


def test_one_too_many_is_told_when_to_come_back() -> None:
    assert taken([0, 1, 2.5, 9.5, 10, 10.5, 11], requests=2, seconds=10) == [0, 0, 8, 1, 0, 1, 0]


def test_refused_requests_do_not_count() -> None:
    assert taken([0, 1, 2, 3, 9, 10], requests=1, seconds=10) == [0, 9, 8, 7, 1, 0]


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 5), st.integers(1, 20))
def test_no_stretch_has_more_than_the_rate_and_who_waits_is_let_in(
    steps: list[int], requests: int, seconds: int,
) -> None:  # fmt: skip
    clock = Clock()
    limit = RateLimit(requests, seconds, clock)
    let_in: list[float] = []
    for step in steps:
        clock.now += step / 10
        if wait := limit.take():
            clock.now += wait
            assert limit.take() == 0
        let_in.append(clock.now)
        assert sum(time > clock.now - seconds for time in let_in) <= requests


def test_a_rate_is_written_as_requests_by_seconds() -> None:
    assert read_rate("20000/300") == (20_000, 300)


@pytest.mark.parametrize("text", ["", "5", "5/", "0/1", "1/0", "-1/2", "a/b", "1/2/3", "1.5/2"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="20000/300"):
        read_rate(text)
