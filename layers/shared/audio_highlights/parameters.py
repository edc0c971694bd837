"""What a request of the API asks for: its parameters and its cursor, checked. A wrong one raises RequestUnreadable."""

import base64
import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Self

from audio_highlights.errors import RequestUnreadable
from audio_highlights.models import CALL_ID_BYTES, folded

MOST_DAYS = 92
_USUAL_DAYS = 30
_LONGEST_CURSOR = 4000
_MOST_POSITIONS = 100_000  # of phrases of a recording, which has 15
_DAY = r"2[0-9]{3}-[0-9]{2}-[0-9]{2}"
_MOMENT = _DAY + r"T[0-9:.]{8,15}Z"
_PATTERNS = {
    "day": _DAY,
    "created_at": _MOMENT,
    "completed_at": _MOMENT,
    "recording_id": r"[0-9a-f]{32}",
    "phrase": r"(?s).{1,500}",
    "call_id": rf"(?s).{{1,{CALL_ID_BYTES}}}",
}

type Key = dict[str, Any]
"""The attributes of a row after which a listing goes on; or a day alone, of which nothing was listed yet."""


def given(parameters: Mapping[str, str] | None, *names: str) -> dict[str, str]:
    """Those of the parameters that have a value."""
    found = {name: text for name in names if (text := (parameters or {}).get(name))}
    for name, text in found.items():
        try:
            text.encode()
        except UnicodeEncodeError:
            message = f"`{name}` is not text in UTF-8."
            raise RequestUnreadable(message) from None
    return found


def is_recording_id(text: str) -> bool:
    """Whether it looks like one; a table would refuse longer keys."""
    return bool(re.fullmatch(_PATTERNS["recording_id"], text))


def number(name: str, text: str | None, *, usual: int, most: int) -> int:
    """A whole number from 1 on."""
    if text is None:
        return usual
    # int() alone would take "1_0" and the digits of every script.
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= most:
        message = f"`{name}` must be a whole number from 1 to {most}."
        raise RequestUnreadable(message)
    return int(text)


def choice(name: str, text: str | None, choices: Collection[str]) -> str:
    """One of the choices."""
    if text not in choices:
        message = f"`{name}` must be one of {', '.join(choices)}."
        raise RequestUnreadable(message)
    return str(text)


def words(name: str, text: str) -> str:
    """A phrase, or how one begins, folded as phrases are stored."""
    phrase = folded(text)
    if not phrase:
        message = f"`{name}` is empty."
        raise RequestUnreadable(message)
    return phrase


def call_id(text: str) -> str:
    """What a call is called, as rows have it."""
    called = text.strip()
    if not 0 < len(called.encode()) <= CALL_ID_BYTES:
        message = f"`call_id` must have 1 to {CALL_ID_BYTES} bytes."
        raise RequestUnreadable(message)
    return called


@dataclass(frozen=True, slots=True)
class Period:
    """Days (UTC), the first and the last included; at most MOST_DAYS."""

    first: date
    last: date

    @classmethod
    def of(cls, parameters: Mapping[str, str], today: date) -> Self:
        """As `from` and `to` say; without them, the last 30 days."""
        last = _day("to", parameters["to"]) if "to" in parameters else today
        usual = last - timedelta(_USUAL_DAYS - 1)
        first = _day("from", parameters["from"]) if "from" in parameters else usual
        if first > last:
            message = f"`from` ({first}) is after `to` ({last})."
            raise RequestUnreadable(message)
        period = cls(first, last)
        if len(period) > MOST_DAYS:
            message = f"{first} to {last} is {len(period)} days; ask for at most {MOST_DAYS} at a time."
            raise RequestUnreadable(message)
        return period

    def __len__(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def days(self) -> list[str]:
        """From the first to the last."""
        return [str(self.first + timedelta(one)) for one in range(len(self))]


def _day(name: str, text: str) -> date:
    try:
        if re.fullmatch(_DAY, text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # 2026-02-30
    message = f"`{name}` is not a day; write it as 2026-11-22."
    raise RequestUnreadable(message)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a listing goes on.

    As text it holds nothing that is not for whoever gets it, and everybody who is signed in may see everything: there
    is nothing to win by making one up, so it is checked and not signed. Its digest tells one of another listing from
    its own, and a damaged one. The period is that of the first page: "today" may be another day meanwhile.
    """

    key: Key
    period: Period | None = None

    def text(self, parameters: Mapping[str, str]) -> str:
        """As the `next` of a listing with these parameters."""
        said: dict[str, Any] = {"after": self.key}
        if self.period:
            said["days"] = [str(self.period.first), str(self.period.last)]
        said["digest"] = _digest(said, parameters)
        return base64.urlsafe_b64encode(json.dumps(said, ensure_ascii=False).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, parameters: Mapping[str, str], names: Collection[str], *, of_days: bool) -> Self:
        """The parameter `cursor` of a listing whose keys have these attributes."""
        try:
            return cls._read(parameters, set(names), of_days=of_days)
        except (RequestUnreadable, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise not_of_this_listing() from None

    @classmethod
    def _read(cls, parameters: Mapping[str, str], names: set[str], *, of_days: bool) -> Self:
        text = parameters["cursor"]
        if len(text) > _LONGEST_CURSOR:
            raise ValueError
        said = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        if said.pop("digest") != _digest(said, parameters):
            raise ValueError
        key, days = said.pop("after"), said.pop("days") if of_days else []
        if said or not isinstance(key, dict) or not (set(key) == names or (of_days and set(key) == {"day"})):
            raise ValueError
        for name, value in key.items():
            _check(name, value)
        if not of_days:
            return cls(key)
        period = Period(*(_day("days", day) for day in days))
        if len(period) > MOST_DAYS or key["day"] not in period.days:
            raise ValueError
        return cls(key, period)


def not_of_this_listing() -> RequestUnreadable:
    """What is said of a cursor that cannot be one of the listing."""
    return RequestUnreadable("`cursor` is not the `next` of a page with the same other parameters. Begin without it.")


def _digest(said: Mapping[str, Any], parameters: Mapping[str, str]) -> str:
    listing = {name: text for name, text in parameters.items() if name != "cursor"}
    return hashlib.sha256(json.dumps([said, listing], sort_keys=True).encode()).hexdigest()[:16]


def _check(name: str, value: Any) -> None:
    if name == "position":
        if type(value) is not int or not 1 <= value <= _MOST_POSITIONS:
            raise ValueError
    elif not re.fullmatch(_PATTERNS[name], value):
        raise ValueError
    else:
        value.encode()
