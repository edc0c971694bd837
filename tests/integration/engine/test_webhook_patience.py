"""A receiver that takes too long."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from local.engine import webhook
from local.engine.deliveries import Delivery
from local.engine.transcripts import Transcripts


def test_a_receiver_that_never_answers_in_time_is_told_ten_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_S", 0.1)
    taken = 0

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        taken += 1
        await reader.read()  # until the sender hangs up
        writer.close()

    async def run() -> dict[str, Any]:
        transcripts = Transcripts(tmp_path / "db")
        webhooks = webhook.Webhooks(transcripts, interval_s=0.01)
        async with await asyncio.start_server(take, "127.0.0.1", 0) as server, asyncio.timeout(60):
            await webhooks.start()
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
            webhooks.begin(webhooks.store(Delivery("t1", url, webhook.body("t1", "completed"))))
            while webhooks.counts()["owed"]:  # noqa: ASYNC110  the store is all there is to see
                await asyncio.sleep(0.01)
            await webhooks.close()
        counts = webhooks.counts()
        transcripts.close()
        return counts

    assert asyncio.run(run()) == {"answers": {"no answer": 10}, "owed": 0}
    assert taken == 10
