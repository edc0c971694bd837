"""The life of a job, with workers that do what the test says."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from yarl import URL

from local.engine.audio import AudioError
from local.engine.jobs import SERVER_ERROR, Jobs, Limits
from local.engine.parameters import new_transcript
from local.engine.transcripts import Transcripts
from local.engine.workers import WorkerError, Workers

UPLOAD = ("0123abcd", "00000000-0000-4000-8000-000000000000")
BASE = URL("http://127.0.0.1:8080")

type Task = Callable[..., Awaitable[Any]]


class ToldWorkers(Workers):
    """Calls the test's functions; starts no process."""

    def __init__(self, tasks: dict[str, Task]) -> None:
        super().__init__(2, [])
        self._tasks = tasks

    async def run(self, task: str, *arguments: Any) -> Any:
        return await self._tasks[task](*arguments)


def answers(value: Any) -> Task:
    async def task(*_: Any) -> Any:
        await asyncio.sleep(0)
        if isinstance(value, Exception):
            raise value
        return value

    return task


def word(text: str, start: int, confidence: float = 0.5) -> dict[str, Any]:
    return {"text": text, "start": start, "end": start + 100, "confidence": confidence, "speaker": None}


def run_job(directory: Path, tasks: dict[str, Task], **parameters: Any) -> dict[str, Any]:
    """Run one job over an uploaded file and return its transcript."""

    async def run() -> dict[str, Any]:
        transcripts = Transcripts(directory / "db")
        jobs = Jobs(directory, transcripts, ToldWorkers(tasks), Limits())
        await jobs.start()
        jobs.base_url = BASE
        jobs.new_upload(*UPLOAD).write_bytes(b"sound")
        request = {"audio_url": str(BASE / "upload" / "/".join(UPLOAD)), **parameters}
        transcripts.add(new_transcript("t1", request, jobs.next_status()), None)
        jobs.submit("t1")
        try:
            async with asyncio.timeout(30):
                while transcripts.open_ids():  # noqa: ASYNC110  a job tells its end to the store alone
                    await asyncio.sleep(0)
            assert list((directory / "jobs").iterdir()) == []
            return transcripts.get("t1") or {}
        finally:
            await jobs.close()
            transcripts.close()

    return asyncio.run(run())


def test_words_come_in_the_order_of_their_segments_whichever_is_done_first(tmp_path: Path) -> None:
    second_done = asyncio.Event()

    async def recognise(_: str, start: int, __: int) -> list[dict[str, Any]]:
        if start == 0:
            await second_done.wait()
            return [word("one", 0, 0.25)]
        second_done.set()
        return [word("two", 500, 0.75)]

    prepared = {"count": 16_001, "segments": [[0, 8000, False], [8000, 16_000, True]]}
    transcript = run_job(tmp_path, {"prepare": answers(prepared), "recognise": recognise})
    assert transcript["text"] == "One. Two."
    assert transcript["confidence"] == 0.5
    assert transcript["audio_duration"] == 2  # 1.00006 s: rounded up


def test_one_job_takes_no_more_turns_than_there_are_workers(tmp_path: Path) -> None:
    at_once = [0]
    most = [0]

    async def recognise(*_: Any) -> list[dict[str, Any]]:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        await asyncio.sleep(0)
        at_once[0] -= 1
        return []

    prepared = {"count": 16_000, "segments": [[i, i + 1, True] for i in range(20)]}
    assert run_job(tmp_path, {"prepare": answers(prepared), "recognise": recognise})["text"] == ""
    assert most == [2]


def test_key_phrases_that_fail_are_unavailable_and_the_transcript_is_good(tmp_path: Path) -> None:
    tasks = {
        "prepare": answers({"count": 16_000, "segments": [[0, 16_000, True]]}),
        "recognise": answers([word("hello", 0)]),
        "key_phrases": answers(WorkerError("broken")),
    }
    transcript = run_job(tmp_path, tasks, auto_highlights=True)
    assert (transcript["status"], transcript["text"]) == ("completed", "Hello.")
    assert transcript["auto_highlights_result"] == {"status": "unavailable", "results": []}


def test_a_segment_that_fails_fails_the_job(tmp_path: Path) -> None:
    tasks = {
        "prepare": answers({"count": 16_000, "segments": [[0, 8000, True], [8000, 16_000, True]]}),
        "recognise": answers(WorkerError("broken")),
    }
    transcript = run_job(tmp_path, tasks)
    assert (transcript["status"], transcript["error"]) == ("error", SERVER_ERROR)


def test_the_fault_of_a_file_is_told(tmp_path: Path) -> None:
    transcript = run_job(tmp_path, {"prepare": answers(AudioError("Audio duration is too short."))})
    assert (transcript["status"], transcript["error"]) == ("error", "Audio duration is too short.")
    assert transcript["text"] is None


def test_the_asked_part_reaches_the_decoder(tmp_path: Path) -> None:
    asked: list[Any] = []

    async def prepare(*arguments: Any) -> dict[str, Any]:
        asked.extend(arguments[2:])
        return {"count": 16_000, "segments": []}

    run_job(tmp_path, {"prepare": prepare}, audio_start_from=100, audio_end_at=900)
    assert asked == [100, 900]


def test_a_stop_in_good_order_is_never_held_against_a_job(tmp_path: Path) -> None:
    async def hang(*_: Any) -> None:
        await asyncio.Event().wait()

    async def run() -> list[str]:
        statuses = []
        for start in range(5):
            transcripts = Transcripts(tmp_path / "db")
            jobs = Jobs(tmp_path, transcripts, ToldWorkers({"prepare": hang}), Limits(concurrency=1))
            await jobs.start()
            if start == 0:
                jobs.new_upload(*UPLOAD).write_bytes(b"sound")
                url = str(BASE / "upload" / "/".join(UPLOAD))
                for name in ("t1", "t2"):
                    transcripts.add(new_transcript(name, {"audio_url": url}, jobs.next_status()), None)
                    jobs.submit(name)
            await asyncio.sleep(0)
            statuses += [str((transcripts.get(name) or {})["status"]) for name in ("t1", "t2")]
            await jobs.close()
            transcripts.close()
        return statuses

    assert asyncio.run(run()) == ["processing", "queued"] * 5


def test_a_job_deleted_from_the_queue_leaves_the_others_their_order(tmp_path: Path) -> None:
    order: list[str] = []
    go = asyncio.Event()

    async def prepare(media: str, *_: Any) -> dict[str, Any]:
        order.append(Path(media).name[-1])
        await go.wait()
        return {"count": 16_000, "segments": []}

    async def run() -> None:
        transcripts = Transcripts(tmp_path / "db")
        jobs = Jobs(tmp_path, transcripts, ToldWorkers({"prepare": prepare}), Limits(concurrency=1))
        await jobs.start()
        for number in range(4):
            name = UPLOAD[1][:-1] + str(number)
            jobs.new_upload(UPLOAD[0], name).write_bytes(b"sound")
            request = {"audio_url": str(BASE / "upload" / UPLOAD[0] / name)}
            transcripts.add(new_transcript(f"t{number}", request, jobs.next_status()), None)
            jobs.submit(f"t{number}")
        jobs.drop("t1")
        transcripts.update("t1", status="error")
        go.set()
        async with asyncio.timeout(30):
            while transcripts.open_ids():  # noqa: ASYNC110  a job tells its end to the store alone
                await asyncio.sleep(0)
        await jobs.close()
        transcripts.close()

    asyncio.run(run())
    assert order == ["0", "2", "3"]


def test_uploads_that_nobody_uses_go_while_the_server_runs(tmp_path: Path) -> None:
    async def run() -> None:
        transcripts = Transcripts(tmp_path / "db")
        jobs = Jobs(tmp_path, transcripts, ToldWorkers({}), Limits(upload_s=0.05))
        await jobs.start()
        used, unused = (jobs.new_upload(UPLOAD[0][:-1] + end, UPLOAD[1]) for end in "12")
        for path in (used, unused):
            path.write_bytes(b"sound")
        url = BASE / "upload" / used.parent.name / used.name
        transcripts.add(new_transcript("t1", {"audio_url": str(url)}, "completed"), None)
        async with asyncio.timeout(30):
            while unused.parent.exists():  # noqa: ASYNC110  the disk is all there is to see
                await asyncio.sleep(0.01)
        assert used.exists()
        await jobs.close()
        transcripts.close()

    asyncio.run(run())
