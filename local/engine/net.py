"""Host names: `localhost` and all names under it are this machine (RFC 6761; not every resolver knows)."""

import re
import socket

from aiohttp import ClientSession, TCPConnector, ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

_LEGAL = re.compile(r"[\w\-.~:/?#\[\]@!$&'()*+,;=%]+", re.ASCII)


def is_loopback_name(host: str) -> bool:
    """Whether a host name means this machine."""
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")


def as_written(url: str) -> URL:
    """Parse a URL without changing how it is written, unless it holds what no URL may hold.

    A presigned URL is signed letter by letter: who re-quotes it breaks it. Raises ValueError.
    """
    parsed = URL(url, encoded=_LEGAL.fullmatch(url) is not None)
    if not parsed.host or parsed.scheme not in ("http", "https") or not parsed.port:
        raise ValueError
    return parsed


def is_web_url(url: str) -> bool:
    """Whether a URL can be asked for."""
    try:
        return bool(as_written(url))
    except ValueError:
        return False


class LoopbackResolver(AbstractResolver):
    """Answers 127.0.0.1 for loopback names and asks the system for all others."""

    def __init__(self) -> None:
        """Make the resolver that is asked for other names."""
        self._system = ThreadedResolver()

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        """Return the addresses of a host name."""
        if not is_loopback_name(host):
            return await self._system.resolve(host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            ),
        ]

    async def close(self) -> None:
        """Close the system's resolver."""
        await self._system.close()


def client_session() -> ClientSession:
    """Return a client that resolves loopback names, re-quotes no redirect and takes files as they are."""
    return ClientSession(
        connector=TCPConnector(resolver=LoopbackResolver()),
        requote_redirect_url=False,
        headers={"Accept-Encoding": "identity"},
    )
