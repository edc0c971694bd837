"""The script of faults: what may be written in it, and which fault hits what. See faults.md."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.engine.parameters import BadRequestError

READS = ("sentences", "paragraphs", "srt", "vtt", "word-search", "redacted-audio")
CALLS = ("upload", "create", "get", "list", "delete", *READS)
ANSWERED_EARLY = "webhook before the answer"
COMPLETED_EARLY = "webhook before the completion"
ALWAYS = "always"

_LONGEST_S = 24 * 3600
_MOST_WORDS = 200_000


def _is_number(value: Any, least: float, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and _is_number(value, least, most)


def _is_header(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and value.isascii()


@dataclass(frozen=True)
class _Option:
    """What a key of a fault may hold, and that in words."""

    holds: Callable[[Any], bool]
    wording: str


_OPTIONS: Mapping[str, _Option] = {
    "accepted": _Option(lambda value: isinstance(value, bool), "true or false"),
    "before": _Option(lambda value: value in ("answer", "completion"), '"answer" or "completion"'),
    "body": _Option(lambda value: isinstance(value, str), "a text"),
    "code": _Option(lambda value: value in (200, 502) and not isinstance(value, bool), "200 or 502"),
    "content_type": _Option(_is_header, "a header's value in ASCII"),
    "copies": _Option(lambda value: _is_whole(value, 2, 100), "a whole number from 2 to 100"),
    "extra": _Option(lambda value: isinstance(value, bool), "true or false"),
    "header_value": _Option(_is_header, "a header's value in ASCII"),
    "id": _Option(lambda value: isinstance(value, str), '"unknown", "previous" or the id to send'),
    "language": _Option(lambda value: isinstance(value, str), "a language code"),
    "retry_after": _Option(
        lambda value: _is_header(value) or _is_whole(value, 0, _LONGEST_S), "a whole number of seconds or a text"
    ),
    "seconds": _Option(
        lambda value: _is_number(value, 0, _LONGEST_S) and math.isfinite(value), "a number of seconds, up to a day"
    ),
    "status": _Option(lambda value: isinstance(value, str), "a text"),
    "text": _Option(lambda value: isinstance(value, str), "a text"),
    "value": _Option(lambda _: True, "any JSON"),
    "words": _Option(lambda value: _is_whole(value, 0, _MOST_WORDS), f"a whole number up to {_MOST_WORDS}"),
}

type _Kinds = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""Kind -> the options it must have, and those it may have."""

_CALL_KINDS: _Kinds = {
    **dict.fromkeys(("400", "401", "403", "404", "500", "502", "504"), ((), ("text", "accepted"))),
    **dict.fromkeys(("429", "503"), ((), ("text", "accepted", "retry_after"))),
    "negative-balance": ((), ()),
    "html": ((), ("code", "accepted")),
    "not-json": ((), ("text", "accepted")),
    "truncated": ((), ()),
    "broken-off": ((), ()),
    "reset": ((), ("accepted",)),
    "drip": (("seconds",), ()),
    "hang": (("seconds",), ("accepted",)),
}
_WEBHOOK_KINDS: _Kinds = {
    "lost": ((), ()),
    "early": (("before",), ()),
    "late": (("seconds",), ()),
    "repeated": ((), ("copies", "seconds")),
    "wrong-id": ((), ("id", "extra")),
    "wrong-status": ((), ("status", "extra")),
    "wrong-header": ((), ("header_value", "extra")),
    "no-header": ((), ("extra",)),
    "body": (("body",), ("content_type", "extra")),
}
_JOB_KINDS: _Kinds = {
    "queued": (("seconds",), ()),
    "processing": (("seconds",), ()),
    "error": ((), ("text", "seconds")),
    "download-error": ((), ("seconds",)),
    "unavailable": ((), ("seconds",)),
    "other-language": ((), ("language", "seconds")),
    "no-results": ((), ("seconds",)),
    "no-rank": ((), ("seconds",)),
    "highlights": (("value",), ("seconds",)),
    "words": ((), ("text", "words", "seconds")),
    "vanishes": ((), ("seconds",)),
}
_POINTS: Mapping[str, _Kinds] = {**dict.fromkeys(CALLS, _CALL_KINDS), "webhook": _WEBHOOK_KINDS, "job": _JOB_KINDS}
_NOTHING_TO_MATCH = ("upload", "list")
_GENERAL = ("on", "do", "times", "skip", "match")


@dataclass(eq=False)
class Fault:
    """One line of a script, and how much of it is left."""

    on: str
    do: str
    match: str = ""
    skip: int = 0
    """How many matching occasions still pass unharmed."""
    times: int | None = 1
    """How many are still hit after those; None for all."""
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def point(self) -> str:
        """Where it strikes: what `on` names, but for early webhooks."""
        if self.do != "early":
            return self.on
        return ANSWERED_EARLY if self.options["before"] == "answer" else COMPLETED_EARLY

    def as_written(self) -> dict[str, Any]:
        """Return it as it would stand in a script."""
        return {
            "on": self.on,
            "do": self.do,
            "times": ALWAYS if self.times is None else self.times,
            **({"skip": self.skip} if self.skip else {}),
            **({"match": self.match} if self.match else {}),
            **self.options,
        }


class Script:
    """The faults that are left, in the order in which they were written."""

    def __init__(self) -> None:
        """Begin with none."""
        self._faults: list[Fault] = []

    def add(self, faults: Iterable[Fault]) -> None:
        """Put faults behind those that are left."""
        self._faults += faults

    def clear(self) -> None:
        """Forget all that is left."""
        self._faults.clear()

    def take(self, point: str, texts: Iterable[str | None] = ()) -> Fault | None:
        """Return the fault that hits this occasion, and use it up by one; None if there is none.

        The first fault for `point` whose `match` is in one of the `texts` gets it. While that one still has
        occasions to skip, it lets this one pass to the faults behind it.
        """
        present = [text for text in texts if text]
        for fault in self._faults:
            if fault.point != point or not (fault.match == "" or any(fault.match in text for text in present)):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
            return fault
        return None

    def is_empty(self) -> bool:
        """Whether nothing is left that could hit anything."""
        return not self._faults

    def left(self) -> list[dict[str, Any]]:
        """Return what is left, as a script."""
        return [fault.as_written() for fault in self._faults]


def read_script(body: bytes) -> list[Fault]:
    """Read a script: a JSON list of faults, or one fault. Raises BadRequestError, which says what is wrong where."""
    try:
        written = json.loads(body)
        json.dumps(written, ensure_ascii=False).encode()  # half a surrogate pair can be neither sent nor stored
    except (ValueError, RecursionError) as error:
        msg = f"The script is not JSON in UTF-8: {error}"
        raise BadRequestError(msg) from error
    lines = written if isinstance(written, list) else [written]
    return [_read_fault(line, f"Fault {number}") for number, line in enumerate(lines, start=1)]


def _read_fault(line: Any, name: str) -> Fault:
    if not isinstance(line, dict):
        msg = f'{name} must be an object such as {{"on": "create", "do": "503"}}'
        raise BadRequestError(msg)
    on = _one_of(line, "on", _POINTS, name)
    do = _one_of(line, "do", _POINTS[on], f'{name}, on "{on}"')
    where = f'{name}, "{do}" on "{on}"'
    required, allowed = _POINTS[on][do]
    options = {key: value for key, value in line.items() if key not in _GENERAL}
    for key in options:
        if key not in required + allowed:
            msg = f'{where}: "{key}" has no meaning here; it takes {_listed((*_GENERAL, *required, *allowed))}'
            raise BadRequestError(msg)
    for key in required:
        if key not in options:
            msg = f'{where} needs "{key}": {_OPTIONS[key].wording}'
            raise BadRequestError(msg)
    for key, value in options.items():
        _check(_OPTIONS[key].holds(value), where, key, _OPTIONS[key].wording)
    if "text" in options and "words" in options:
        msg = f'{where}: give "text" or "words", not both'
        raise BadRequestError(msg)
    skip, times, match = line.get("skip", 0), line.get("times", 1), line.get("match", "")
    _check(_is_whole(skip, 0, 10**9), where, "skip", "a whole number from 0")
    _check(times == ALWAYS or _is_whole(times, 1, 10**9), where, "times", f'a whole number from 1, or "{ALWAYS}"')
    _check(isinstance(match, str), where, "match", "a text")
    if match and on in _NOTHING_TO_MATCH:
        msg = f'{where}: there is no recording to match, leave "match" out'
        raise BadRequestError(msg)
    return Fault(on=on, do=do, match=match, skip=skip, times=None if times == ALWAYS else times, options=options)


def _one_of(line: Mapping[str, Any], key: str, names: Iterable[str], where: str) -> str:
    value = line.get(key)
    if not isinstance(value, str) or value not in names:
        msg = f'{where}: "{key}" must be one of {_listed(names)}'
        raise BadRequestError(msg)
    return value


def _check(holds: bool, where: str, key: str, wording: str) -> None:
    if not holds:
        msg = f'{where}: "{key}" must be {wording}'
        raise BadRequestError(msg)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
