"""Days as people type them."""

import re
from collections.abc import Iterator
from datetime import date, timedelta

from audio_highlights.parameters import MOST_DAYS
from cli.output import usage

_UNITS = {"d": 1, "w": 7}


def first_day(text: str, today: date) -> date:
    """The first day of `7d` (today and the six days before), `2w`, or of a date on. Days are UTC."""
    if found := re.fullmatch(r"([0-9]{1,4})([dw])", text):
        days = int(found[1]) * _UNITS[found[2]]
        if days < 1:
            message = f"{text} is no time at all."
            raise usage(message)
        return today - timedelta(days - 1)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is no time: write 7d, 2w or 2026-11-01."
        raise usage(message) from None
    if day > today:
        message = f"{day} has not come yet."
        raise usage(message)
    return day


def windows(first: date, last: date) -> Iterator[tuple[date, date]]:
    """The days from the first to the last in windows as long as one question may span, the newest first."""
    while first <= last:
        start = max(first, last - timedelta(MOST_DAYS - 1))
        yield start, last
        last = start - timedelta(1)
