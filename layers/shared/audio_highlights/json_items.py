"""JSON in which long lists stay the text they came as.

Ten hours of words are 8 MB of text, and three to five times as much as objects; AssemblyAI gives them twice where
speakers are told apart. Of most of them nothing is asked: they are only passed on.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from json import JSONDecodeError, JSONDecoder
from typing import Any

_MARK = re.compile(r"[ \t\n\r]*([{}\[\]:,])[ \t\n\r]*")
_PART = 256 * 1024  # characters


class Items:
    """A list of objects as its text, which is known to be JSON: read an item at a time, and written as it came."""

    __slots__ = ("_end", "_start", "_text")

    def __init__(self, text: str, start: int, end: int) -> None:
        self._text, self._start, self._end = text, start, end

    def __iter__(self) -> Iterator[Any]:
        for item, _ in self._read(JSONDecoder()):
            yield item

    def each(self, name: str) -> Iterator[Any]:
        """What every object in it has under this name, if anything; without a trace of what else is in them."""
        for value, at in self._read(JSONDecoder(object_hook=lambda one: one.get(name))):
            if self._text.startswith("{", at):
                yield value

    def parts(self) -> Iterator[str]:
        """The text, a part at a time."""
        for at in range(self._start, self._end, _PART):
            yield self._text[at : min(at + _PART, self._end)]

    def _read(self, decoder: JSONDecoder) -> Iterator[tuple[Any, int]]:
        """Its items, each with where it begins."""
        mark, at = _marked(self._text, self._start, "[")
        while mark != "]":
            item, end = decoder.raw_decode(self._text, at)
            yield item, at
            mark, at = _marked(self._text, end, ",]")


def read(raw: bytes) -> Any:
    """As json.loads, but with lists of objects in the outermost object as Items.

    NaN and Infinity are not JSON and no database takes them: they count as missing, and a list that has any is a list.
    """
    text = raw.decode(json.detect_encoding(raw), "surrogatepass")
    return _Reader(text).document()


def written(document: Mapping[str, Any]) -> Iterator[bytes]:
    """The document as JSON in UTF-8, a part at a time."""
    between = "{"
    for name, value in document.items():
        yield _encoded(f"{between}{_json(name)}:")
        yield from map(_encoded, value.parts() if isinstance(value, Items) else (_json(value),))
        between = ","
    yield b"}" if document else b"{}"


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._odd = False  # whether a number was met that JSON does not have
        numbers: Any = {"parse_constant": self._missing, "parse_float": self._finite}
        self._value = JSONDecoder(**numbers).raw_decode
        self._unkept = JSONDecoder(**numbers, object_hook=lambda _: None).raw_decode

    def document(self) -> Any:
        text = self._text
        first = _MARK.match(text)
        if first is None or first[1] != "{":
            return json.loads(text, parse_constant=self._missing, parse_float=self._finite)
        found = {}
        mark, at = "{", first.end()
        if text.startswith("}", at):
            mark, at = _marked(text, at, "}")
        while mark != "}":
            if not text.startswith('"', at):
                message = "A name is missing"
                raise JSONDecodeError(message, text, at)
            name, at = self._value(text, at)
            _, at = _marked(text, at, ":")
            found[name], at = self._list(at) if text.startswith("[", at) else self._value(text, at)
            mark, at = _marked(text, at, ",}")
        if at != len(text):
            message = "There is more after the end"
            raise JSONDecodeError(message, text, at)
        return found

    def _list(self, start: int) -> tuple[Any, int]:
        text = self._text
        mark, at = _marked(text, start, "[")
        if not text.startswith("{", at):
            return self._value(text, start)
        self._odd = False
        while mark != "]":
            _, at = self._unkept(text, at)
            mark, at = _marked(text, at, ",]")
        return self._value(text, start) if self._odd else (Items(text, start, at), at)

    def _missing(self, _: str) -> None:
        self._odd = True

    def _finite(self, digits: str) -> float | None:
        number = float(digits)
        if math.isfinite(number):
            return number
        self._odd = True
        return None


def _marked(text: str, at: int, marks: str) -> tuple[str, int]:
    """Which of the marks comes next, and where that begins which follows it."""
    found = _MARK.match(text, at)
    if found is None or found[1] not in marks:
        message = f"One of {marks} is missing"
        raise JSONDecodeError(message, text, at)
    return found[1], found.end()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
