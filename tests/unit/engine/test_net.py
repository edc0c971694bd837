"""Names and URLs."""

import asyncio
import socket

import pytest

from local.engine.net import LoopbackResolver, as_written


@pytest.mark.parametrize("host", ["localhost", "api.localhost", "a.b.LOCALHOST", "x.localhost."])
def test_every_localhost_name_is_this_machine(host: str) -> None:
    async def resolve() -> list[tuple[str, int, int]]:
        resolver = LoopbackResolver()
        try:
            found = await resolver.resolve(host, 8080, socket.AF_INET6)
            return [(one["host"], one["port"], one["family"]) for one in found]
        finally:
            await resolver.close()

    assert asyncio.run(resolve()) == [("127.0.0.1", 8080, socket.AF_INET)]


def test_other_names_are_asked_of_the_system() -> None:
    async def resolve() -> None:
        resolver = LoopbackResolver()
        try:
            await resolver.resolve("localhost.invalid", 80)
        finally:
            await resolver.close()

    with pytest.raises(OSError, match=r"."):
        asyncio.run(resolve())


@pytest.mark.parametrize(
    "url", ["http://x.test/a%2Fb%20c+d?sig=a%2Bb%3D&k=(1)", "https://x.test:8443/?recording=a&recording=b"],
)  # fmt: skip
def test_a_signed_url_is_not_rewritten(url: str) -> None:
    assert str(as_written(url)) == url


def test_what_no_url_may_hold_is_quoted() -> None:
    assert str(as_written("http://x.test/a b\u00e9")) == "http://x.test/a%20b%C3%A9"


@pytest.mark.parametrize("url", ["ftp://x.test/a", "http:///a", "http://x.test:99999/", "x"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^|."):
        as_written(url)
