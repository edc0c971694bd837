"""Carries a plan out: uploads, deletions, repeated events, poison, killed functions, sweeps; waits for quiet."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from tests.soak.audit import ENDED, Evidence, Made
from tests.soak.plan import Deletion, Plan, PlannedUpload, Poison
from tests.soak.system import Listener, System

UPLOADERS = 8
SWEEP_SECONDS = 10
_LOOK_SECONDS = 1
_QUIET_LOOKS = 3
_LONGEST_LIST = 30
QUEUES = ("SubmitQueueUrl", "ResultsQueueUrl", "SubmitDeadLetterQueueUrl", "ResultsDeadLetterQueueUrl")
HEALED = ("ended", "resubmitted", "given_up", "called")
"""What a sweep answers of what it did."""
_WORKING_QUEUES = QUEUES[:2]


@dataclass(slots=True)
class Progress:
    """What is shown while it runs. Depths are by the queue's output; faults by where and what."""

    uploads: int
    started: float = field(default_factory=time.monotonic)
    made: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    depths: Counter[str] = field(default_factory=Counter)
    faults_planned: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    sweeps: int = 0
    healed: Counter[str] = field(default_factory=Counter)
    webhooks_owed: int = 0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def ended(self) -> int:
        return sum(self.statuses[status] for status in ENDED)

    @property
    def open(self) -> int:
        return self.made - self.ended


class NotQuiet(Exception):
    """The time is up and something is still open; the message says what and why."""


class Soak:
    """One run of a plan."""

    def __init__(self, plan: Plan, system: System, show: Callable[[Progress], None]) -> None:
        self._plan = plan
        self._system = system
        self._show = show
        self._listener = Listener(system)
        self._stop = threading.Event()
        self._made: list[Made] = []
        self.progress = Progress(len(plan.uploads), faults_planned=sum(fault.get("times", 1) for fault in plan.faults))

    def run(self, limit_seconds: float) -> Evidence:
        """Do all that is planned and wait for quiet. Raises NotQuiet after the limit."""
        self._system.script(list(self._plan.faults))
        with ThreadPoolExecutor(UPLOADERS) as uploaders, self._in_background(self._kill, self._sweep):
            sending = [uploaders.submit(self._send, turn) for turn in self._turns()]
            try:
                self._until_quiet(limit_seconds, sending)
            except BaseException:
                uploaders.shutdown(cancel_futures=True)
                raise
        return self._evidence()

    @contextmanager
    def _in_background(self, *tasks: Callable[[], None]) -> Iterator[None]:
        with ThreadPoolExecutor(len(tasks)) as pool:
            running = [pool.submit(task) for task in tasks]
            try:
                yield
            finally:
                self._stop.set()
        for one in running:
            one.result()

    # Done to the system

    def _turns(self) -> Iterator[list[PlannedUpload | Poison]]:
        """What one thread does in order: the versions of one key, and the poison that comes after them."""
        number = 0
        for _, group in groupby(self._plan.uploads, key=lambda upload: upload.key):
            uploads = list(group)
            first, number = number, number + len(uploads)
            yield [*uploads, *(poison for poison in self._plan.poison if first <= poison.after_uploads < number)]

    def _send(self, turn: list[PlannedUpload | Poison]) -> None:
        for one in turn:
            if isinstance(one, Poison):
                self._system.send(one.body)
            else:
                self._upload(one)

    def _upload(self, planned: PlannedUpload) -> None:
        upload = self._system.put(planned.key, self._plan.body(planned))
        self._made.append(Made(planned, upload))
        if planned.deletion:
            version = {"VersionId": str(upload.version_id)} if planned.deletion is Deletion.FOR_GOOD else {}
            self._system.s3.delete_object(Bucket=upload.bucket, Key=upload.key, **version)  # type: ignore[arg-type]
        for repeat in planned.repeats:
            self._system.send_event(upload, with_version=repeat.with_version, delay_seconds=repeat.delay_seconds)

    def _kill(self) -> None:
        draw = random.Random(f"kills {self._plan.seed}")
        for kill in self._plan.kills:
            if self._stop.wait(kill.gap_seconds):
                return
            while not self._system.kill(kill.function, draw):
                if self._stop.wait(kill.gap_seconds):
                    return
            self.progress.kills[kill.function] += 1

    def _sweep(self) -> None:
        while not self._stop.wait(SWEEP_SECONDS):
            done = self._system.sweep()
            self.progress.healed += Counter({name: done[name] for name in HEALED if done.get(name)})
            self.progress.sweeps += 1

    # Waiting

    def _until_quiet(self, limit_seconds: float, sending: list[Future[None]]) -> None:
        quiet = 0
        while quiet < _QUIET_LOOKS:
            looked = time.monotonic()
            rows = self._look()
            for one in sending:
                if one.done():
                    one.result()
            all_sent = all(one.done() for one in sending)
            quiet = quiet + 1 if all_sent and self._is_quiet(rows) else 0
            if self.progress.seconds > limit_seconds:
                raise NotQuiet(self._why_not(rows, limit_seconds))
            # Looking must not be what the local AWS is busy with.
            time.sleep(max(_LOOK_SECONDS, 4 * (time.monotonic() - looked)))

    def _look(self) -> list[dict[str, Any]]:
        progress, system = self.progress, self._system
        progress.made = len(self._made)
        rows = system.rows()
        progress.statuses = Counter(str(row["status"]) for row in rows)
        progress.depths = Counter({queue: system.depth(queue) for queue in QUEUES})
        progress.faults = Counter(f"{one['on']} {one['do']}" for one in system.faults_done())
        progress.webhooks_owed = system.counts()["webhooks"]["owed"]
        self._listener.listen()
        self._show(progress)
        return rows

    def _is_quiet(self, rows: list[dict[str, Any]]) -> bool:
        ended = {row["recording_id"] for row in rows if row["status"] in ENDED}
        return (
            len(ended) == len(rows)
            and all(ended.intersection(made.recording_ids) for made in self._made)
            and not any(self.progress.depths[queue] for queue in _WORKING_QUEUES)
            and self.progress.webhooks_owed == 0
        )

    def _why_not(self, rows: list[dict[str, Any]], limit_seconds: float) -> str:
        known = {row["recording_id"] for row in rows}
        left = [f"  no row: {made.upload.name}" for made in self._made if not known.intersection(made.recording_ids)]
        left += [f"  {self._still(row)}" for row in rows if row["status"] not in ENDED]
        more = [f"  and {len(left) - _LONGEST_LIST} more"] if len(left) > _LONGEST_LIST else []
        lines = [f"After {limit_seconds:.0f} s it is not over:", *left[:_LONGEST_LIST], *more]
        lines += [f"  {self.progress.depths[queue]} messages: {queue}" for queue in _WORKING_QUEUES]
        lines.append(f"  {self.progress.webhooks_owed} webhooks are not delivered")
        return "\n".join(lines)

    def _still(self, row: Mapping[str, Any]) -> str:
        """What an open row says, and what was planned to go wrong with it."""
        planned = [f"{fault['on']} {fault['do']}" for fault in self._plan.faults if fault["match"] in row["key"]]
        now = int(time.time())
        times = [f"{name} {int(row[name]) - now:+} s" for name in ("due_at", "lease_until") if row.get(name)]
        said = [f"{name} {row[name]}" for name in ("attempt", "transcript_id", "reason") if row.get(name)]
        place = f"{row['recording_id']} {row['key'][:80]}"
        return f"{row['status']}: {place}, {', '.join([*said, *times])}; planned: {', '.join(planned) or 'nothing'}"

    def _evidence(self) -> Evidence:
        system = self._system
        self._listener.listen()
        return Evidence(
            made=self._made,
            rows=system.rows(),
            phrases=system.phrases(),
            files=system.result_files(),
            transcripts=system.transcripts(),
            counts=system.counts(),
            faults_done=system.faults_done(),
            submit_dead_letters=system.messages("SubmitDeadLetterQueueUrl"),
            results_dead_letters=system.messages("ResultsDeadLetterQueueUrl"),
            events=self._listener.heard,
            leaks=system.leaks(),
        )
