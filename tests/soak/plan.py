"""What a soak does, as data: a pure function of the seed and of how many uploads there are.

Every upload has a key with a tag that no other key has. The engine's faults find their recording by that tag.
"""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

COMPLETED = frozenset({"completed"})
FAILED = frozenset({"failed"})
IGNORED = frozenset({"ignored"})
LONGEST_DELAY_SECONDS = 20
LONGEST_BODY_BYTES = 3000
SMALLEST = 50
"""With fewer uploads there is not room for everything."""
_ALWAYS = 9
"""So many jobs no recording gets: a fault of all its jobs."""


class Content(StrEnum):
    """What the object holds."""

    MEDIA = "media"
    TEXT = "text"
    EMPTY = "empty"


class Deletion(StrEnum):
    """How the object is deleted right after its upload."""

    MARKED = "a delete marker"
    FOR_GOOD = "the version itself"


@dataclass(frozen=True, slots=True)
class PlannedUpload:
    """One object version. `ends` are the statuses that it may end with, one or more."""

    tag: str
    key: str
    content: Content = Content.MEDIA
    deletion: Deletion | None = None
    ends: frozenset[str] = COMPLETED
    highlights_status: str | None = None  # where a fault decides it
    repeats: tuple["Repeat", ...] = ()


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same event again. AWS names the object's version in it, the local AWS does not."""

    delay_seconds: int
    with_version: bool


@dataclass(frozen=True, slots=True)
class Poison:
    """A message in the submit queue that nobody can read, sent after so many uploads."""

    after_uploads: int
    body: str


@dataclass(frozen=True, slots=True)
class Kill:
    """So long after the one before, a process of that function dies in the middle of what it does."""

    gap_seconds: float
    function: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Uploads of one key are next to each other, in the order in which they are made."""

    seed: int
    uploads: tuple[PlannedUpload, ...]
    poison: tuple[Poison, ...]
    faults: tuple[Mapping[str, Any], ...]
    kills: tuple[Kill, ...]

    def body(self, upload: PlannedUpload) -> bytes:
        """The object's bytes: no two recordings are the same."""
        draw = random.Random(f"{self.seed} {upload.tag}")
        match upload.content:
            case Content.EMPTY:
                return b""
            case Content.TEXT:
                return f"Minutes of meeting {upload.tag}: {draw.random()}\n".encode() * draw.randint(1, 20)
        return b"\xff\xfb\x90\x00" + draw.randbytes(draw.randint(600, LONGEST_BODY_BYTES - 4))


def make_plan(seed: int, uploads: int) -> Plan:
    """Draw a plan with so many uploads (object versions). Raises ValueError below SMALLEST."""
    if uploads < SMALLEST:
        message = f"A soak needs at least {SMALLEST} uploads, to have room for every fault; {uploads} are too few."
        raise ValueError(message)
    return _Draw(seed, uploads).plan()


type _Change = Callable[[PlannedUpload, random.Random], PlannedUpload]
type _FaultOf = Callable[[random.Random], dict[str, Any]]

# Per thousand uploads; each at least once.
_KEYS: Mapping[str, tuple[int, str]] = {
    "plain": (0, "calls/{tag}.mp3"),
    "space": (10, "calls/with space/{tag} call.mp3"),
    "plus": (10, "calls/1+1/{tag}+more.mp3"),
    "percent": (10, "calls/100%25/{tag}%20%2F%zz.mp3"),
    "emoji": (10, "calls/📞/{tag} 🎧.mp3"),
    "quotes": (10, "calls/'single'/{tag} \"double\" `tick`.mp3"),
    "signs": (10, "calls/#1?a=b&c=d/{tag};x=<y>\\z.mp3"),
    "decomposed": (10, "calls/Cafe\u0301/{tag} U\u0308bung.mp3"),
    "long": (10, "calls/" + "é" * 440 + "/{tag}.mp3"),
    "upper": (10, "calls/{tag}.MP3"),
    "bare": (10, "calls/{tag}"),
}

_CREATES: Sequence[tuple[int, _FaultOf]] = (
    (20, lambda draw: {"do": "429", "retry_after": 1, "times": draw.randint(1, 2)}),
    (10, lambda _: {"do": "500"}),
    (10, lambda _: {"do": "500", "accepted": True}),
    (10, lambda _: {"do": "503", "retry_after": 1}),
    (10, lambda _: {"do": "reset"}),
    (10, lambda _: {"do": "reset", "accepted": True}),
    (10, lambda _: {"do": "not-json", "accepted": True}),
    (5, lambda _: {"do": "truncated"}),
)
# Its event comes again while the provider takes its time to answer. Only the first are submitted as soon as they come.
_RACES = 5
_FIRST = 10
# Accepted, and nobody hears of it: neither the answer nor the webhook arrives.
_ORPHANS = 15
_ACCEPTED = ("500", "reset", "not-json")
# Each stops the line of all recordings for a while, which only a long soak has time for.
_LINE_STOPS = 2
_LONG = 500
_GETS: Sequence[tuple[int, _FaultOf]] = (
    (15, lambda draw: {"do": "500", "times": draw.randint(1, 2)}),
    (15, lambda _: {"do": "reset"}),
    (10, lambda _: {"do": "html", "code": 502}),
)
_WEBHOOKS: Sequence[tuple[int, _FaultOf]] = (
    (20, lambda _: {"do": "lost"}),
    (20, lambda draw: {"do": "late", "seconds": draw.randint(2, LONGEST_DELAY_SECONDS)}),
    (20, lambda draw: {"do": "repeated", "copies": draw.randint(2, 4), "seconds": draw.randint(0, 2)}),
    (10, lambda _: {"do": "wrong-id", "extra": True}),
    (5, lambda _: {"do": "wrong-status", "extra": True}),
    (10, lambda _: {"do": "wrong-header", "extra": True}),
    (10, lambda _: {"do": "early", "before": "answer"}),
    (10, lambda _: {"do": "early", "before": "completion"}),
)
# Beside the fault: how the recording ends by it, and its highlights_status.
_JOBS: Sequence[tuple[int, _FaultOf, frozenset[str], str | None]] = (
    (20, lambda _: {"do": "error", "times": _ALWAYS}, FAILED, None),
    (10, lambda _: {"do": "download-error", "times": _ALWAYS}, FAILED, None),
    (20, lambda draw: {"do": "download-error", "times": draw.randint(1, 2)}, COMPLETED, None),
    (10, lambda _: {"do": "unavailable", "times": _ALWAYS}, COMPLETED, "unavailable"),
    (10, lambda _: {"do": "no-results", "times": _ALWAYS}, COMPLETED, "empty"),
    (10, lambda _: {"do": "other-language", "times": _ALWAYS}, COMPLETED, "language_not_supported"),
    (20, lambda draw: {"do": "processing", "seconds": draw.randint(1, 6)}, COMPLETED, None),
)
_EMPTY, _TEXT, _FOLDERS, _OVERWRITTEN, _MARKED, _FOR_GOOD = 10, 15, 10, 15, 15, 15
_REPEATED = 40
_POISON = 8
_KILLS = 25


def _line_stop(draw: random.Random) -> dict[str, Any]:
    return {"do": "negative-balance", "times": draw.randint(1, 2)}


def _poisons(tag: str) -> tuple[str, ...]:
    return (
        f"no event {tag}",
        json.dumps({"note": tag}),
        json.dumps([tag]),
        json.dumps(tag),
        json.dumps({"detail": {"bucket": {"name": tag}, "object": {}}}),
        json.dumps({"detail": {"bucket": {"name": "b"}, "object": {"key": tag, "size": "many"}}}),
        json.dumps({"detail": {"bucket": {"name": "b"}, "object": {"key": [tag]}}}),
        "[" * 3000 + tag,
        f'{{"detail": NaN, "tag": "{tag}"}}',
    )


@dataclass
class _Draw:
    seed: int
    count: int
    draw: random.Random = field(init=False)
    uploads: list[PlannedUpload] = field(init=False)
    faults: list[Mapping[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draw = random.Random(f"soak {self.seed} {self.count}")
        self.uploads = [self._plain(number) for number in range(self.count)]

    @staticmethod
    def _plain(number: int) -> PlannedUpload:
        tag = f"u{number:06}u"
        return PlannedUpload(tag, _KEYS["plain"][1].format(tag=tag))

    def plan(self) -> Plan:
        self._odd_keys()
        singles = self._odd_objects()
        self._engine_faults(singles)
        self._repeats()
        return Plan(self.seed, tuple(self.uploads), self._poison(), tuple(self.faults), self._kills())

    def _some(self, per_thousand: int) -> int:
        return max(1, round(self.count * per_thousand / 1000))

    def _odd_keys(self) -> None:
        kinds = [kind for kind, (per_thousand, _) in _KEYS.items() if per_thousand]
        wanted = [kind for kind in kinds for _ in range(self._some(_KEYS[kind][0]))]
        for place, kind in zip(self.draw.sample(range(self.count), len(wanted)), wanted, strict=True):
            upload = self.uploads[place]
            self.uploads[place] = replace(upload, key=_KEYS[kind][1].format(tag=upload.tag))

    def _odd_objects(self) -> list[int]:
        """Make some of the uploads odd, each in one way. Returns the places of the others: single good recordings."""
        # Pairs first: an overwritten key is two uploads side by side.
        pairs = self.draw.sample(range(0, self.count - 1, 2), self._some(_OVERWRITTEN))
        for place in pairs:
            self.uploads[place + 1] = replace(self.uploads[place + 1], key=self.uploads[place].key)
        paired = {place + offset for place in pairs for offset in (0, 1)}
        singles = [place for place in range(self.count) if place not in paired]
        self.draw.shuffle(singles)
        changes: list[tuple[int, _Change]] = [
            (_EMPTY, lambda one, _: replace(one, content=Content.EMPTY, ends=IGNORED)),
            (_TEXT, lambda one, _: replace(one, content=Content.TEXT, ends=IGNORED)),
            (_FOLDERS, lambda one, _: replace(one, content=Content.EMPTY, ends=IGNORED, key=f"calls/{one.tag}/")),
            (_MARKED, lambda one, _: replace(one, deletion=Deletion.MARKED)),
            # It depends on who is first: the deletion, the submission, or the provider's download.
            (_FOR_GOOD, lambda one, _: replace(one, deletion=Deletion.FOR_GOOD, ends=COMPLETED | FAILED | IGNORED)),
        ]
        for per_thousand, change in changes:
            for _ in range(self._some(per_thousand)):
                place = singles.pop()
                self.uploads[place] = change(self.uploads[place], self.draw)
        return sorted(singles)

    def _engine_faults(self, places: list[int]) -> None:
        orphans = self.draw.sample(places, self._some(_ORPHANS))
        for place in orphans:
            self._add("create", place, lambda draw: {"do": draw.choice(_ACCEPTED), "accepted": True})
            self._add("webhook", place, lambda _: {"do": "lost"})
        places = [place for place in places if place not in orphans]
        races = self.draw.sample(places[:_FIRST], min(_FIRST, self._some(_RACES)))
        for place in races:
            self._add("create", place, lambda draw: {"do": "hang", "seconds": draw.randint(2, 4)})
            self.uploads[place] = replace(self.uploads[place], repeats=(Repeat(0, with_version=True),) * 2)
        places = [place for place in places if place not in races]
        for on, kinds in (("create", _CREATES), ("get", _GETS), ("webhook", _WEBHOOKS)):
            wanted = [fault for per_thousand, fault in kinds for _ in range(self._some(per_thousand))]
            if on == "create" and self.count >= _LONG:
                wanted += [_line_stop] * self._some(_LINE_STOPS)
            for place, fault in zip(self.draw.sample(places, len(wanted)), wanted, strict=True):
                self._add(on, place, fault)
        amounts = [self._some(per_thousand) for per_thousand, *_ in _JOBS]
        chosen = iter(self.draw.sample(places, sum(amounts)))
        for amount, (_, fault, ends, highlights_status) in zip(amounts, _JOBS, strict=True):
            for _ in range(amount):
                place = next(chosen)
                self._add("job", place, fault)
                self.uploads[place] = replace(self.uploads[place], ends=ends, highlights_status=highlights_status)

    def _add(self, on: str, place: int, fault: _FaultOf) -> None:
        self.faults.append({"on": on, "match": self.uploads[place].tag, **fault(self.draw)})

    def _repeats(self) -> None:
        there = [place for place, upload in enumerate(self.uploads) if not (upload.deletion or upload.repeats)]
        for place in self.draw.sample(there, self._some(_REPEATED)):
            repeats = tuple(
                Repeat(self.draw.choice((0, 0, self.draw.randint(1, LONGEST_DELAY_SECONDS))), self.draw.random() < 0.5)
                for _ in range(self.draw.randint(2, 3))
            )
            self.uploads[place] = replace(self.uploads[place], repeats=repeats)

    def _poison(self) -> tuple[Poison, ...]:
        amount = max(3, self._some(_POISON))
        messages = [self.draw.choice(_poisons(f"p{number:06}p")) for number in range(amount)]
        return tuple(Poison(self.draw.randrange(self.count), message) for message in messages)

    def _kills(self) -> tuple[Kill, ...]:
        functions = ("submit", "results", "submit", "results", "webhook", "sweep")
        amount = max(2, self._some(_KILLS))
        chosen = [functions[number % len(functions)] for number in range(amount)]
        self.draw.shuffle(chosen)
        return tuple(Kill(round(self.draw.uniform(1, 6), 2), function) for function in chosen)
