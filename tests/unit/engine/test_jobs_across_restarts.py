"""Any order of new jobs, ends, deletions, stops and deaths of the server: the queue stays a queue."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from yarl import URL

from local.engine.jobs import Jobs, Limits
from local.engine.parameters import new_transcript
from local.engine.transcripts import Transcripts
from local.engine.workers import Workers

MOST_AT_ONCE = 3
DEATHS = 3
BASE = URL("http://127.0.0.1:8080")


class WaitingWorkers(Workers):
    """Decodes a file when the test says so; starts no process."""

    def __init__(self) -> None:
        super().__init__(1, [])
        self.decoding: dict[str, asyncio.Event] = {}

    async def run(self, task: str, *arguments: Any) -> Any:
        assert task == "prepare"
        name = Path(arguments[0]).name
        self.decoding[name] = asyncio.Event()
        await self.decoding[name].wait()
        return {"count": 16_000, "segments": []}


class MortalJobs(Jobs):
    async def die(self, transcripts: Transcripts) -> None:
        """Leave behind what a killed process would: nobody took back the starts of what was running."""
        running = list(self._running)
        await self.close()
        for transcript_id in running:
            transcripts.count_start(transcript_id)


class Servers(RuleBasedStateMachine):
    """One server after another on one folder, beside a model of what clients should see."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.loop = asyncio.new_event_loop()
        self.open: dict[str, int] = {}
        """Open jobs, oldest first -> deaths of the server while they ran."""
        self.ended: dict[str, str] = {}
        self.at_once = 2
        self.begin()

    def begin(self) -> None:
        self.transcripts = Transcripts(self.folder / "db")
        self.workers = WaitingWorkers()
        self.jobs = MortalJobs(self.folder, self.transcripts, self.workers, Limits(concurrency=self.at_once))
        self.loop.run_until_complete(self.jobs.start())
        self.inside(lambda: None)

    def inside[**P, T](self, action: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Do something as the server would, and let what follows from it happen."""

        async def act() -> T:
            result = action(*arguments, **options)
            for _ in range(10):
                await asyncio.sleep(0)
            return result

        return self.loop.run_until_complete(act())

    def name_of(self, transcript_id: str) -> str:
        return f"00000000-0000-4000-8000-{int(transcript_id[1:]):012}"

    @rule(number=st.integers(1, 4))
    def create_some(self, number: int) -> None:
        for _ in range(number):
            self.create()

    def create(self) -> None:
        number = len(self.open) + len(self.ended)
        transcript_id = f"t{number}"
        self.jobs.new_upload("0123abcd", self.name_of(transcript_id)).write_bytes(b"sound")
        url = str(BASE / "upload" / "0123abcd" / self.name_of(transcript_id))
        self.transcripts.add(new_transcript(transcript_id, {"audio_url": url}, self.jobs.next_status()), None)
        before = self.transcripts.get(transcript_id)
        assert self.inside(self.jobs.submit, transcript_id) == before
        self.open[transcript_id] = 0

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, MOST_AT_ONCE - 1))
    def complete(self, which: int) -> None:
        running = list(self.open)[: self.at_once]
        transcript_id = running[which % len(running)]
        self.inside(self.workers.decoding[self.name_of(transcript_id)].set)
        del self.open[transcript_id]
        self.ended[transcript_id] = "completed"

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 9))
    def delete(self, which: int) -> None:
        transcript_id = list(self.open)[which % len(self.open)]
        self.inside(self.jobs.drop, transcript_id)
        self.transcripts.update(transcript_id, status="error")
        del self.open[transcript_id]
        self.ended[transcript_id] = "error"

    @rule(at_once=st.integers(1, MOST_AT_ONCE))
    def stop(self, at_once: int) -> None:
        self.loop.run_until_complete(self.jobs.close())
        self.transcripts.close()
        self.at_once = at_once
        self.begin()

    @rule()
    def die(self) -> None:
        for transcript_id in list(self.open)[: self.at_once]:
            self.open[transcript_id] += 1
            if self.open[transcript_id] == DEATHS:
                del self.open[transcript_id]
                self.ended[transcript_id] = "error"
        self.loop.run_until_complete(self.jobs.die(self.transcripts))
        self.transcripts.close()
        self.begin()

    @invariant()
    def the_oldest_open_jobs_run_and_the_rest_is_queued(self) -> None:
        expected = {one: "processing" if turn < self.at_once else "queued" for turn, one in enumerate(self.open)}
        rows = self.transcripts.page(1000)
        assert {row["id"]: row["status"] for row in rows} == expected | self.ended
        assert {path.name for path in (self.folder / "jobs").iterdir()} == set(list(self.open)[: self.at_once])

    def teardown(self) -> None:
        self.loop.run_until_complete(self.jobs.close())
        self.transcripts.close()
        self.loop.close()
        shutil.rmtree(self.folder)


TestServers = Servers.TestCase
TestServers.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
