"""The pipeline as a simulation: its queues, functions, places and URLs, and a provider that has limits of its own.

It follows layers/shared/audio_highlights/line.py step by step, in virtual time: a day passes in seconds. What is left
out: cold starts, failures but of URLs and webhooks, AssemblyAI's 429, and all of DynamoDB but the one item that every
submit writes to.
"""

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import simpy

from audio_highlights.storage import OPEN_SHARDS, PRESIGNED_SECONDS
from audio_highlights.workflow import MOST_RETRIES
from bench.limits import RAW_ID_BYTES, item_units
from bench.report import Samples

type Process = Generator[simpy.Event, Any]

_TURN_SECONDS = 900  # how long who is called has to come
_SWEEP_SECONDS = 200  # of a sweep, before it stops
_POLLERS_AT_FIRST, _POLLERS_PER_SECOND = 5, 5  # as AWS documents: five functions at first, 300 more a minute
_TOO_OLD_SECONDS = 1.0  # that the provider takes to find a URL too old


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The template's parameters, the provider's limits, and how many seconds the steps take."""

    max_in_flight: int = 200
    max_concurrency: int = 10
    provider_parallel: int = 200
    url_seconds: float = PRESIGNED_SECONDS
    overdue_seconds: float = 900
    sweep_every_seconds: float = 300
    lost_webhooks: float = 0  # the part of them
    id_bytes: int = RAW_ID_BYTES  # of one id in the item of who is in flight
    units_a_second: float = 1000  # that DynamoDB writes of it; who is throttled waits

    start_every: float = 0  # how far apart a queue starts its functions; the local AWS takes its time
    event: float = 0.5  # from the upload to a message in the submit queue
    message: float = 0.05  # from a message to a function that takes it
    look: float = 0.15  # submit: until it asks for a place
    ask: float = 0.45  # submit: the URL, the POST and the row
    give_back: float = 0.05  # submit: the row of who found no place
    webhook: float = 0.3  # from a transcript's end to a message in the results queue
    store: float = 0.4  # results: until the row is completed
    leave: float = 0.1  # results: tell the others, and give the place back
    check: float = 0.2  # sweep: asking for one transcript


@dataclass(slots=True, eq=False)
class Recording:
    """What happened to one recording, and when."""

    number: int
    transcript_seconds: float
    uploaded: float
    shard: int
    claimed: float = math.nan
    begun: float = math.nan  # the provider has taken its last transcript out of its queue
    transcribed: float = math.nan
    completed: float = math.nan
    attempts: int = 0
    waited: int = 0  # those that found no place
    url_age: float = 0  # the highest at which the provider fetched it
    too_old: int = 0  # URLs
    failed: bool = False
    due: float = math.inf  # when somebody calls it, where it waits as a row

    @property
    def ended(self) -> bool:
        return not math.isnan(self.completed)

    @property
    def seconds(self) -> float:
        """From upload to highlights."""
        return self.completed - self.uploaded


@dataclass(slots=True)
class Seen:
    """What is so at one moment. Units and requests are those since the moment before."""

    time: float
    submit_queue: int
    functions: int  # submit functions at work
    rows: int  # that wait for a place
    in_flight: int  # who has a place
    provider_queue: int
    at_provider: int  # transcripts in work
    open: int
    units: float  # that the one item of who is in flight takes to write
    requests: int  # of the provider


@dataclass(slots=True)
class Outcome:
    """All recordings, and what was seen."""

    settings: Settings
    recordings: list[Recording]
    seen: list[Seen] = field(default_factory=list)
    most_at_provider: int = 0

    def percentile(self, percent: float, of: Callable[[Recording], float] = lambda one: one.seconds) -> float:
        """With so many of those that ended at or below it."""
        values = [of(one) for one in self.recordings if one.ended]
        return Samples(values).percentile(percent) if values else math.nan

    @property
    def too_old(self) -> float:
        """The part of recordings of which a URL grew too old."""
        return sum(one.too_old > 0 for one in self.recordings) / len(self.recordings)

    @property
    def failed(self) -> float:
        """The part of recordings that failed, because URL after URL grew too old."""
        return sum(one.failed for one in self.recordings) / len(self.recordings)

    @property
    def last(self) -> float:
        """When the last recording ended."""
        return max(one.completed for one in self.recordings)

    def most_per_second(self, what: str, seconds: float = 60) -> float:
        """The most of `units` or `requests` a second, over so long."""
        step = self.seen[1].time - self.seen[0].time
        values: list[float] = [getattr(one, what) for one in self.seen]
        width = min(max(1, round(seconds / step)), len(values))
        sums = itertools.accumulate(values, initial=0)
        running = list(sums)
        return max(late - early for early, late in zip(running, running[width:], strict=False)) / (width * step)


class _Functions:
    """What an event source mapping starts: at most so many at once, and not all at first."""

    def __init__(self, env: simpy.Environment, most: int, start_every: float) -> None:
        self._env = env
        self._most = most
        self._start_every = start_every
        self._next_start = 0.0
        self._started = self._free = min(_POLLERS_AT_FIRST, most)
        self._messages: deque[simpy.Event] = deque()  # that wait for a function
        if self._started < most:
            env.process(self._grow())

    def _grow(self) -> Process:
        while self._started < self._most:
            yield self._env.timeout(1)
            more = min(_POLLERS_PER_SECOND, self._most - self._started)
            self._started += more
            for _ in range(more):
                self.end()

    @property
    def waiting(self) -> int:
        return len(self._messages)

    @property
    def at_work(self) -> int:
        return self._started - self._free

    def start(self) -> Process:
        """Wait until one more may run."""
        if self._free:
            self._free -= 1
        else:
            message = self._env.event()
            self._messages.append(message)
            yield message
        if self._start_every:
            moment = max(self._env.now, self._next_start)
            self._next_start = moment + self._start_every
            yield self._env.timeout(moment - self._env.now)

    def end(self) -> None:
        """One has ended, and takes the next message."""
        if self._messages:
            self._messages.popleft().succeed()
        else:
            self._free += 1


class Pipeline:
    """One run: recordings come, and all end."""

    def __init__(self, settings: Settings, seed: int = 1) -> None:
        self._settings = settings
        self._draw = random.Random(seed)  # noqa: S311  repeatable, guards nothing
        self._env = env = simpy.Environment()
        self._submit = _Functions(env, settings.max_concurrency, settings.start_every)
        self._results = _Functions(env, settings.max_concurrency, settings.start_every)
        self._provider = simpy.Resource(env, settings.provider_parallel)
        self._holders: set[Recording] = set()
        self._noted = 0  # how often somebody was noted to wait
        self._waiting: list[list[tuple[float, int, Recording]]] = [[] for _ in range(OPEN_SHARDS)]
        self._rows = 0
        self._unheard: list[tuple[float, int, Recording, bool]] = []  # transcripts whose webhook was lost
        self._units, self._requests = 0.0, 0
        self._item_free = 0.0  # when the next write of the item may be
        self._open = 0
        self._all: list[Recording] = []
        self._most_at_provider = 0
        self._uploads_over = False

    def run(self, uploads: Iterable[tuple[float, float]], sample_seconds: float = 1) -> Outcome:
        """`uploads`: when each comes, in their order, and how many seconds its transcript takes."""
        outcome = Outcome(self._settings, self._all)
        self._env.process(self._source(uploads))
        self._env.process(self._sweep())
        done = self._env.process(self._watch(outcome, sample_seconds))
        self._env.run(until=done)
        outcome.most_at_provider = self._most_at_provider
        return outcome

    def _source(self, uploads: Iterable[tuple[float, float]]) -> Process:
        for number, (moment, seconds) in enumerate(uploads):
            if moment > self._env.now:
                yield self._env.timeout(moment - self._env.now)
            recording = Recording(number, seconds, self._env.now, self._draw.randrange(OPEN_SHARDS))
            self._all.append(recording)
            self._open += 1
            self._send(recording, self._settings.event)
        self._uploads_over = True

    def _watch(self, outcome: Outcome, every: float) -> Process:
        while not self._uploads_over or self._open:
            outcome.seen.append(
                Seen(
                    time=self._env.now,
                    submit_queue=self._submit.waiting,
                    functions=self._submit.at_work,
                    rows=self._rows,
                    in_flight=len(self._holders),
                    provider_queue=len(self._provider.queue),
                    at_provider=self._provider.count,
                    open=self._open,
                    units=self._units,
                    requests=self._requests,
                )
            )
            self._units, self._requests = 0.0, 0
            yield self._env.timeout(every)

    # ---- submit

    def _send(self, recording: Recording, seconds: float = 0) -> None:
        self._env.process(self._submitted(recording, seconds + self._settings.message))

    def _submitted(self, recording: Recording, seconds: float) -> Process:
        settings = self._settings
        yield self._env.timeout(seconds)
        yield from self._submit.start()
        if recording.ended or (recording.attempts and math.isinf(recording.due)):
            yield self._env.timeout(settings.look)  # called twice: the row is not open to a claim
            self._submit.end()
            return
        recording.attempts += 1
        first = recording.attempts == 1
        if first:
            recording.claimed = self._env.now
        else:
            self._rows -= 1
        recording.due = math.inf
        yield self._env.timeout(settings.look)
        yield from self._write()
        if self._enter(recording, behind_others=first):
            yield self._env.timeout(settings.ask)
            self._requests += 1
            self._env.process(self._transcribed(recording, self._env.now))
        else:
            recording.waited += 1
            yield self._env.timeout(settings.give_back)
            self._wait(recording, recording.claimed)
            yield from self._write()  # it gives back the place that it may hold from before
            yield from self._write()
            self._noted += 1
            self._call(settings.max_in_flight - len(self._holders))
        self._submit.end()

    # ---- the line, as line.py has it

    def _write(self) -> Process:
        """Write the item of who is in flight; what is refused there takes as much."""
        units = item_units(len(self._holders), self._settings.id_bytes)
        self._units += units
        moment = max(self._env.now, self._item_free)
        self._item_free = moment + units / self._settings.units_a_second
        if moment > self._env.now:
            yield self._env.timeout(moment - self._env.now)

    def _enter(self, recording: Recording, *, behind_others: bool) -> bool:
        if len(self._holders) >= self._settings.max_in_flight or (behind_others and self._noted):
            return False
        self._holders.add(recording)
        return True

    def _wait(self, recording: Recording, due: float) -> None:
        recording.due = due
        self._rows += 1
        heapq.heappush(self._waiting[recording.shard], (due, recording.number, recording))

    def _leave(self, recording: Recording) -> Process:
        yield from self._write()
        self._holders.remove(recording)
        noted = self._noted
        if noted and not self._call(1):
            yield from self._write()
            if self._noted == noted:
                self._noted = 0

    def _call(self, count: int) -> int:
        """Send so many waiting ones to the submit queue: the longest waiting of each shard first."""
        called = 0
        for shard in self._draw.sample(self._waiting, OPEN_SHARDS):
            while called < count and shard and shard[0][0] <= self._env.now:
                due, _, recording = heapq.heappop(shard)
                if recording.due == due:  # else it has come since
                    called += 1
                    self._call_up(recording)
        return called

    def _call_up(self, recording: Recording) -> None:
        recording.due = self._env.now + _TURN_SECONDS
        heapq.heappush(self._waiting[recording.shard], (recording.due, recording.number, recording))
        self._send(recording)

    # ---- the provider, and its news

    def _transcribed(self, recording: Recording, signed: float) -> Process:
        with self._provider.request() as place:
            yield place
            self._most_at_provider = max(self._most_at_provider, self._provider.count)
            recording.begun = self._env.now
            recording.url_age = max(recording.url_age, self._env.now - signed)
            too_old = self._env.now - signed > self._settings.url_seconds
            yield self._env.timeout(_TOO_OLD_SECONDS if too_old else recording.transcript_seconds)
        recording.transcribed = self._env.now
        if self._draw.random() < self._settings.lost_webhooks:
            due = signed + self._settings.overdue_seconds
            heapq.heappush(self._unheard, (due, recording.number, recording, too_old))
        else:
            self._env.process(self._delivered(recording, too_old, self._settings.webhook))

    def _delivered(self, recording: Recording, too_old: bool, seconds: float) -> Process:
        yield self._env.timeout(seconds + self._settings.message)
        yield from self._results.start()
        self._requests += 1
        yield self._env.timeout(self._settings.store)
        recording.too_old += too_old
        if too_old and recording.too_old <= MOST_RETRIES:
            self._wait(recording, self._env.now)
            yield from self._leave(recording)
            if recording.due <= self._env.now:  # else another has called it meanwhile
                self._call_up(recording)
        else:
            recording.completed, recording.failed = self._env.now, too_old
            self._open -= 1
            yield self._env.timeout(self._settings.leave)
            yield from self._leave(recording)
        self._results.end()

    def _sweep(self) -> Process:
        while True:
            yield self._env.timeout(self._settings.sweep_every_seconds)
            until = self._env.now + _SWEEP_SECONDS
            while self._unheard and self._unheard[0][0] <= self._env.now < until:
                _, _, recording, too_old = heapq.heappop(self._unheard)
                yield self._env.timeout(self._settings.check)
                self._requests += 1
                self._env.process(self._delivered(recording, too_old, 0))
            self._call(self._settings.max_in_flight - len(self._holders))


# ---- what comes


def at_once(count: int, draw: Callable[[], float]) -> list[tuple[float, float]]:
    """All at the first moment."""
    return [(0.0, draw()) for _ in range(count)]


def by_rate(rates: Sequence[float], draw: Callable[[], float], seed: int = 1) -> list[tuple[float, float]]:
    """Uploads at random, so many an hour in each hour."""
    chance, moment, most = random.Random(seed), 0.0, max(rates)  # noqa: S311  repeatable, guards nothing
    found = []
    while (moment := moment + chance.expovariate(most / 3600)) < 3600 * len(rates):
        if chance.random() * most < rates[int(moment // 3600)]:
            found.append((moment, draw()))
    return found


def transcripts(
    *, mean_minutes: float = 10, base: float = 15, part: float = 0.01, seed: int = 1
) -> Callable[[], float]:
    """How long transcripts take: a few seconds, and a part of the recording's length, which varies as calls' do.

    A lognormal length whose mean is that many minutes and whose median is about half of it.
    """
    chance, sigma = random.Random(seed), 1.1  # noqa: S311  repeatable, guards nothing
    mu = math.log(60 * mean_minutes) - sigma**2 / 2

    def draw() -> float:
        return base + part * min(chance.lognormvariate(mu, sigma), 36_000)

    return draw
