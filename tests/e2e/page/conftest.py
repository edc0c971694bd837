"""The page in a real browser, on the deployed stack. Where there is no chromium these tests say so and are skipped."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from cli import recordings
from cli.stack import Stack
from tests.e2e.conftest import put_and_end, wait_for
from tests.signed_in import user as user_of

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "samples" / "support-call.mp3"
AXE = ROOT / ".tools" / "viewer" / "node_modules" / "axe-core" / "axe.min.js"
_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_PATIENCE_MS = 20_000  # a function may have to start, on a busy machine
expect.set_options(timeout=_PATIENCE_MS)
# Without these it looks for updates and speaks to its maker.
_QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


@dataclass(frozen=True)
class User:
    """Somebody who may sign in."""

    name: str
    password: str


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if _CHROMIUM is None:
        pytest.skip("there is no chromium on this machine; with Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-gpu", *_QUIET])
        yield started
        started.close()


@pytest.fixture(scope="session")
def user(stack: Stack) -> Iterator[User]:
    """A user of the stack's user pool, made for this run."""
    with user_of(stack.outputs["UserPoolId"]) as (name, password):
        yield User(name, password)


@dataclass
class Watch:
    """What a page must not do: raise, break its content security policy, ask any other host."""

    hosts: set[str]
    troubles: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.troubles.append(f"raised: {error}"))
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("request", lambda request: self._asked(request.url))

    def _heard(self, kind: str, text: str) -> None:
        # A status of 4xx is an error for the console too; what the page makes of it is the tests' matter.
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):
            self.troubles.append(f"{kind}: {text}")

    def _asked(self, url: str) -> None:
        where = urlsplit(url)
        if where.scheme in ("http", "https") and where.netloc not in self.hosts:
            self.troubles.append(f"asked {where.netloc}")


Visit = Callable[..., Page]


@pytest.fixture
def stranger(browser: Browser, stack: Stack) -> Iterator[Visit]:
    """Call it with a path of the page: a browser that nobody is signed in to. Troubles fail the test."""
    yield from _visits(browser, stack, None)


@pytest.fixture
def visit(browser: Browser, stack: Stack, tokens: str) -> Iterator[Visit]:
    """Call it with a path of the page, and options of the browser: the user is signed in."""
    yield from _visits(browser, stack, tokens)


def _visits(browser: Browser, stack: Stack, tokens: str | None) -> Iterator[Visit]:
    watch = Watch({urlsplit(stack.page_url).netloc, *_other_hosts(stack)})
    contexts = []

    def go(path: str = "/", **options: Any) -> Page:
        context = browser.new_context(locale="en-GB", timezone_id="UTC", **options)
        contexts.append(context)
        if tokens:
            kept = json.dumps(tokens)
            context.add_init_script(f"if (!sessionStorage.tokens) sessionStorage.setItem('tokens', {kept})")
        page = context.new_page()
        page.set_default_timeout(_PATIENCE_MS)
        watch.over(page)
        page.goto(stack.page_url + path.removeprefix("/"))
        return page

    yield go
    for context in contexts:
        context.close()
    assert watch.troubles == []


def _other_hosts(stack: Stack) -> set[str]:
    """Where the page may go beside its own origin: the sign-in, and the two buckets."""
    s3 = boto3.client("s3")
    urls = [
        s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "any"})
        for bucket in (stack.media_bucket, stack.outputs["ResultsBucketName"])
    ]
    return {urlsplit(url).netloc for url in [*urls, stack.outputs["SignInUrl"]]}


def sign_in(page: Page, user: User) -> None:
    """Fill in the form of the user pool's sign-in page."""
    page.locator("input[name=username]:visible").fill(user.name)
    page.locator("input[name=password]:visible").fill(user.password)
    page.locator("input[name=password]:visible").press("Enter")


@pytest.fixture(scope="session")
def tokens(browser: Browser, stack: Stack, user: User) -> str:
    """What the page keeps of a sign-in, got by signing in."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(stack.page_url)
    sign_in(page, user)
    page.get_by_role("button", name="Sign out").wait_for()
    kept: str = page.evaluate("sessionStorage.getItem('tokens')")
    context.close()
    return kept


@pytest.fixture(scope="session")
def call(stack: Stack) -> dict[str, Any]:
    """The row of the sample call, uploaded and completed."""
    row = put_and_end(stack, SAMPLE, "calls/support call.mp3")
    assert row["status"] == "completed"
    return row


@pytest.fixture(scope="session")
def highlights(stack: Stack, call: dict[str, Any]) -> list[dict[str, Any]]:
    """The sample call's highlights, highest rank first."""
    return recordings.highlights(stack, call["recording_id"])


def until(page: Page, expression: str, arg: Any = None) -> None:
    """Wait until a JavaScript function is true of the page; asked from outside, as the page evaluates no text."""
    wait_for(lambda: page.evaluate(expression, arg) or None, f"{expression} on {page.url}")


def axe(page: Page) -> list[str]:
    """What axe-core finds serious or critical on the page as it is, one line each."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{one['id']}: {one['help']} ({one['nodes'][0]['html'][:200]})"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
