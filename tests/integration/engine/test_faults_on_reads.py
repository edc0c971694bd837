"""Faults on what is read back of a transcript, with a server that has such a route."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from local.engine.fault_script import READS
from local.engine.faults import Faults
from local.engine.parameters import new_transcript
from local.engine.transcripts import Transcripts


@pytest.mark.parametrize("read", READS)
def test_each_read_can_fail_by_itself(tmp_path: Path, read: str) -> None:
    async def right(_: web.Request) -> web.Response:
        return web.Response(text="right")

    async def run() -> list[int]:
        transcripts = Transcripts(tmp_path / "db")
        for name in ("t1", "t2"):
            transcripts.add(new_transcript(name, {"audio_url": f"http://a.test/{name}"}, "completed"), None)
        faults = Faults(transcripts)
        application = web.Application(middlewares=[faults.middleware])
        application.add_routes(
            [
                web.post("/faults", faults.post),
                web.get("/v2/transcript/{id}", right),
                web.get("/v2/transcript/{id}/{what}", right),
            ],
        )
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        statuses = []
        async with aiohttp.ClientSession() as client:
            await client.post(f"{base}/faults", json={"on": read, "do": "500", "match": "a.test/t2"})
            for path in ("t1", "t2", f"t1/{read}", "t2/other", f"t2/{read}", f"t2/{read}"):
                async with client.get(f"{base}/v2/transcript/{path}") as answer:
                    statuses.append(answer.status)
        await runner.cleanup()
        transcripts.close()
        return statuses

    assert asyncio.run(run()) == [200, 200, 200, 200, 500, 200]
