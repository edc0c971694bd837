"""A proxy before the local AWS that counts what is asked of it."""

import asyncio
import json
import re
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import aiohttp
import boto3
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from bench.dynamodb import Charged, Item, item_bytes, read_units

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

_SIGNED_FOR = re.compile(r"Credential=[^/\s]+/\d{8}/[^/]+/([^/]+)/aws4_request")
_HOP_HEADERS = ("connection", "content-length", "transfer-encoding", "content-encoding")
_READS = ("GetItem", "Query", "BatchGetItem", "Scan")


@dataclass(frozen=True, slots=True)
class Write:
    """One item that a request changed, or tried to change, and the units that DynamoDB takes for it."""

    table: str
    action: str
    units: int


@dataclass(slots=True)
class Counts:
    """What was asked."""

    requests: Counter[str] = field(default_factory=Counter)
    """By service and action: "dynamodb UpdateItem"; of S3 the method: "s3 GET"."""
    presigned: Counter[str] = field(default_factory=Counter)
    """The same of those who hold a presigned URL: the provider."""
    writes: list[Write] = field(default_factory=list)
    read_units: float = 0

    @property
    def write_units(self) -> int:
        return sum(write.units for write in self.writes)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.requests + other.requests,
            self.presigned + other.presigned,
            self.writes + other.writes,
            self.read_units + other.read_units,
        )

    def of(self, service: str, *actions: str) -> int:
        """How many requests a service got, or those of these actions."""
        named = (name.split() for name in self.requests)
        return sum(
            self.requests[f"{asked} {action}"]
            for asked, action in named
            if asked == service and action in (actions or (action,))
        )


class Proxy:
    """Passes every request on to the local AWS as it is, and counts it.

    Of DynamoDB's writes it reads the items before and after, which is not counted; to see the right ones it lets one
    write pass at a time.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._dynamodb: DynamoDBClient = boto3.client("dynamodb", endpoint_url=target)
        self._tables: dict[str, Charged] = {}
        self._session: aiohttp.ClientSession
        self._one_write = asyncio.Lock()
        self.counts = Counts()
        self.url = ""

    def taken(self) -> Counts:
        """What was counted since this was asked last."""
        counts, self.counts = self.counts, Counts()
        return counts

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve in a thread."""
        loop, ready = asyncio.new_event_loop(), threading.Event()

        async def start() -> web.AppRunner:
            self._session = aiohttp.ClientSession(auto_decompress=False)
            application = web.Application(client_max_size=2**30)
            application.router.add_route("*", "/{path:.*}", self._serve)
            runner = web.AppRunner(application, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            ready.set()
            return runner

        async def end(runner: web.AppRunner) -> None:
            await runner.cleanup()
            await self._session.close()

        def serve() -> None:
            runner = loop.run_until_complete(start())
            loop.run_forever()
            loop.run_until_complete(end(runner))
            loop.close()

        thread = threading.Thread(target=serve)
        thread.start()
        ready.wait()
        try:
            yield
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    async def _serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        authorization = request.headers.get("Authorization", "")
        presigned = "X-Amz-Credential" in request.query
        found = _SIGNED_FOR.search(f"Credential={request.query['X-Amz-Credential']}" if presigned else authorization)
        service = found[1] if found else "unsigned"
        action = _action(request, body)
        (self.counts.presigned if presigned else self.counts.requests)[f"{service} {action}"] += 1
        if service != "dynamodb":
            return await self._pass_on(request, body)
        if action not in _READS:
            return await self._written(request, action, body)
        answer = await self._pass_on(request, body)
        self._count_read(action, json.loads(body), answer)
        return answer

    async def _pass_on(self, request: web.Request, body: bytes) -> web.Response:
        async with self._session.request(
            request.method,
            URL(self._target + request.raw_path, encoded=True),
            headers=CIMultiDict(request.headers),
            data=body,
            allow_redirects=False,
        ) as answer:
            headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_HEADERS}
            return web.Response(status=answer.status, headers=headers, body=await answer.read())

    async def _written(self, request: web.Request, action: str, body: bytes) -> web.Response:
        transaction = action == "TransactWriteItems"
        async with self._one_write:
            touched = [(self._table(name), key) for name, key in self._touched(action, json.loads(body))]
            before = await asyncio.to_thread(self._items, touched)
            answer = await self._pass_on(request, body)
            after = await asyncio.to_thread(self._items, touched)
        self.counts.writes += [
            Write(table.name, action, table.write_units(old, new, transaction=transaction))
            for (table, _), old, new in zip(touched, before, after, strict=True)
        ]
        return answer

    def _touched(self, action: str, asked: Mapping[str, Any]) -> Iterator[tuple[str, Item]]:
        """Tables and keys of what a request writes."""
        if action == "TransactWriteItems":
            for one in asked["TransactItems"]:
                [write] = one.values()
                yield write["TableName"], self._key(write)
        elif action == "BatchWriteItem":
            for table, writes in asked["RequestItems"].items():
                for one in writes:
                    [write] = one.values()
                    yield table, self._key({"TableName": table, **write})
        else:
            yield asked["TableName"], self._key(asked)

    def _key(self, write: Mapping[str, Any]) -> Item:
        keys = self._table(write["TableName"]).keys
        named: Item = write.get("Key") or write["Item"]
        return {name: value for name, value in named.items() if name in keys}

    def _table(self, name: str) -> Charged:
        if name not in self._tables:
            self._tables[name] = Charged.described(self._dynamodb.describe_table(TableName=name)["Table"])
        return self._tables[name]

    def _items(self, touched: Collection[tuple[Charged, Item]]) -> list[Item | None]:
        return [
            self._dynamodb.get_item(TableName=table.name, Key=dict(key), ConsistentRead=True).get("Item")
            for table, key in touched
        ]

    def _count_read(self, action: str, asked: Mapping[str, Any], answer: web.Response) -> None:
        """By what was answered: a projection costs what the whole item does, so of those it is a lower bound."""
        found = json.loads(answer.body) if isinstance(answer.body, bytes) else {}
        if action == "BatchGetItem":
            for table, of_table in asked["RequestItems"].items():
                consistent = of_table.get("ConsistentRead", False)
                sizes = [item_bytes(item) for item in found.get("Responses", {}).get(table, ())]
                sizes += [0] * (len(of_table["Keys"]) - len(sizes))
                self.counts.read_units += sum(read_units(size, consistent=consistent) for size in sizes)
            return
        items = [found.get("Item", {})] if action == "GetItem" else found.get("Items", [])
        size = sum(item_bytes(item) for item in items)
        self.counts.read_units += read_units(size, consistent=asked.get("ConsistentRead", False))


def _action(request: web.Request, body: bytes) -> str:
    if "X-Amz-Target" in request.headers:
        return request.headers["X-Amz-Target"].rpartition(".")[2]
    if request.content_type == "application/x-www-form-urlencoded":
        return parse_qs(body.decode()).get("Action", [request.method])[0]
    return request.method
