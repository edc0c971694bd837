"""`python -m bench.aws_requests`: the AWS requests that one recording takes, counted; for cli/prices.toml.

A stack of its own, with an engine that makes words up. Its functions speak to the local AWS through a proxy that
counts. What AWS does by itself is not seen there, and is added by what AWS documents: see `_BY_AWS`.
"""

import asyncio
import json
import os
import re
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

import aiohttp
import boto3
import typer
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from cli import recordings
from cli.stack import Stack
from local.stack import DEFAULT_STACK_NAME, PROJECT, Local

_SIGNED_FOR = re.compile(r"Credential=[^/\s]+/\d{8}/[^/]+/([^/]+)/aws4_request")
_REPORT = re.compile(r"REPORT RequestId.*?Billed Duration: (\d+) ms", re.DOTALL)
_FUNCTIONS = ("Submit", "Webhook", "Results", "Sweep")
_HOP_HEADERS = ("connection", "content-length", "transfer-encoding", "content-encoding")
# The event from S3 and its way into SubmitQueue; a receive and a delete for each of two messages; the webhook's call.
_BY_AWS = {"events": 1, "sqs": 1 + 2 * 2, "http_api": 1}
# Write units beside the item's own: DynamoDB writes each index that an item is in.
_INDEX_UNITS = {"RecordingsTable": 2, "HighlightsTable": 2, "FlowTable": 0}
_DYNAMODB_READS = ("GetItem", "Query", "BatchGetItem", "Scan")


class Proxy:
    """Passes every request on to the local AWS as it is, and counts it."""

    def __init__(self, target: str) -> None:
        self._target = target
        self.requests: Counter[str] = Counter()
        self.write_units = 0
        self.url = ""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve in a thread."""
        loop, ready = asyncio.new_event_loop(), threading.Event()

        async def start() -> web.AppRunner:
            application = web.Application(client_max_size=2**30)
            application.router.add_route("*", "/{path:.*}", self._pass_on)
            runner = web.AppRunner(application, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            ready.set()
            return runner

        def serve() -> None:
            runner = loop.run_until_complete(start())
            loop.run_forever()
            loop.run_until_complete(runner.cleanup())

        thread = threading.Thread(target=serve)
        thread.start()
        ready.wait()
        try:
            yield
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self._count(request, body)
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method,
                URL(self._target + request.raw_path, encoded=True),
                headers=CIMultiDict(request.headers),
                data=body,
                allow_redirects=False,
            ) as answer,
        ):
            headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_HEADERS}
            return web.Response(status=answer.status, headers=headers, body=await answer.read())

    def _count(self, request: web.Request, body: bytes) -> None:
        signed = request.headers.get("Authorization") or "Credential=" + unquote(
            request.query.get("X-Amz-Credential", "")
        )
        found = _SIGNED_FOR.search(signed)
        service = found[1] if found else "unsigned"
        action = request.headers.get("X-Amz-Target", request.method).rpartition(".")[2]
        self.requests[f"{service} {action}"] += 1
        if service == "dynamodb" and action not in _DYNAMODB_READS:
            self.write_units += _units(action, json.loads(body))


def _units(action: str, body: dict[str, Any]) -> int:
    """What DynamoDB takes for items under 1 KB: twice in a transaction, and once for each index."""
    if action == "TransactWriteItems":
        tables = [next(iter(one.values()))["TableName"] for one in body["TransactItems"]]
        return sum(2 + _index_units(table) for table in tables)
    if action == "BatchWriteItem":
        return sum((1 + _index_units(table)) * len(writes) for table, writes in body["RequestItems"].items())
    return 1 + _index_units(body["TableName"])


def _index_units(table: str) -> int:
    return next(units for name, units in _INDEX_UNITS.items() if name in table)


def main(
    uploads: Annotated[int, typer.Option(min=1, help="Recordings; the first ones warm the functions up.")] = 20,
) -> None:
    """Count, and print a section of cli/prices.toml."""
    with tempfile.TemporaryDirectory() as folder:
        local = Local.at(Path(folder))
        local.engine_options = ("--instant",)
        try:
            local.start(_say)
            proxy = Proxy(local.aws_url)
            with proxy.running(), _environment(local):
                local.build(_say)
                local.deploy(_say, parameters={"MaxConcurrency": "2"})
                _print(_counted(Stack.named(DEFAULT_STACK_NAME), proxy, uploads), uploads)
        finally:
            local.stop(_say)


def _counted(stack: Stack, proxy: Proxy, uploads: int) -> dict[str, float]:
    """Upload one after the other, count, and share out."""
    functions, resources = boto3.client("lambda"), stack.resources()
    for function in _FUNCTIONS:
        name = resources[f"{function}Function"]
        present = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**present, "AWS_ENDPOINT_URL": proxy.url}}
        )
    sample = PROJECT / "tests" / "fixtures" / "refund.mp3"

    def send(key: str) -> None:
        recording_id = recordings.upload(stack, sample, key).recording_id
        for _ in recordings.follow(stack, recording_id, 120):
            pass

    for number in range(5):
        send(f"warm/{number}.mp3")
    proxy.requests.clear()
    proxy.write_units = 0
    invocations, billed_ms = _reports(stack)
    for number in range(uploads):
        send(f"counted/{number}.mp3")
    later, later_ms = _reports(stack)
    _say("counted: " + json.dumps({name: count / uploads for name, count in sorted(proxy.requests.items())}))

    def each(service: str, *actions: str) -> float:
        seen = (
            count for name, count in proxy.requests.items() if name.split()[0] == service and name.split()[1] in actions
        )
        return sum(seen) / uploads

    def all_of(service: str) -> float:
        return sum(count for name, count in proxy.requests.items() if name.split()[0] == service) / uploads

    calls = (later - invocations) / uploads
    return {
        "lambda": calls,
        "lambda_gb_seconds": (later_ms - billed_ms) / 1000 / uploads / 2,  # 512 MB each
        "sqs": all_of("sqs") + _BY_AWS["sqs"],
        "dynamodb_write": proxy.write_units / uploads,
        "dynamodb_read": each("dynamodb", *_DYNAMODB_READS),
        "s3_put": each("s3", "PUT", "POST") + 1,  # the upload itself
        "s3_get": each("s3", "GET", "HEAD"),
        "events": all_of("events") + _BY_AWS["events"],
        "http_api": _BY_AWS["http_api"],
        "sts": all_of("sts"),
        "secrets_manager": all_of("secretsmanager"),
        "xray": calls,  # at most: X-Ray samples
    }


def _reports(stack: Stack) -> tuple[int, float]:
    """How often the functions ran, and for how many ms, by their logs."""
    logs = boto3.client("logs")
    pages = logs.get_paginator("filter_log_events")
    found = [
        float(report[1])
        for function in ("submit", "webhook", "results")
        for page in pages.paginate(logGroupName=f"/{stack.name}/{function}")
        for event in page["events"]
        if (report := _REPORT.search(event["message"]))
    ]
    return len(found), sum(found)


@contextmanager
def _environment(local: Local) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(local.client_environment())
    boto3.setup_default_session()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _print(counts: dict[str, float], uploads: int) -> None:
    lines = [f"# Counted over {uploads} recordings with `make bench-requests`.", "[aws.recording]"]
    lines += [f"{name} = {count:.4g}" for name, count in counts.items()]
    sys.stdout.write("\n".join(lines) + "\n")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    typer.run(main)
