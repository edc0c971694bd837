"""Pictures of the three pages; `make pictures` keeps those that are in the README."""

import random
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from cli.stack import Stack
from tests.e2e.page.conftest import Visit
from tests.e2e.page.planted import plant, silence
from tests.e2e.page.test_recording_page import Highlights, lands_before, phrase

_PNG = b"\x89PNG\r\n"
_PHRASES = [
    "internet outage",
    "replacement modem",
    "refund",
    "customer account",
    "bank account",
    "next week",
    "contract",
]
_CALLS = ["anna-router", "bell-invoice", "cruz-moving-house", "diaz-second-line", "ekwe-contract-end", "fox-outage"]


@pytest.fixture(scope="module")
def month(stack: Stack, pytestconfig: pytest.Config) -> None:
    """Some calls of each of the last days, about what calls are about; the same every time.

    A few days do where nobody keeps the pictures.
    """
    chance = random.Random(2026)
    for days_ago in range(1, 30 if pytestconfig.getoption("--pictures") else 4):
        for call in chance.sample(_CALLS, chance.randint(0, 3)):
            results = [
                {
                    "text": text,
                    "count": count,
                    "rank": round(0.15 - place / 100, 2),
                    "timestamps": [{"start": at * 1000, "end": at * 1000 + 600} for at in range(0, count * 9, 9)],
                }
                for place, text in enumerate(chance.sample(_PHRASES, 4))
                for count in [chance.randint(1, 6)]
            ]
            found = {"status": "success", "results": results}
            length = chance.randint(70, 900)
            key = f"calls/{call}-{days_ago:02}.mp3"
            plant(stack, key, silence(7), days_ago=days_ago, audio_duration=length, auto_highlights_result=found)


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where the pictures go."""
    kept: Path = request.config.getoption("--pictures") or tmp_path
    kept.mkdir(parents=True, exist_ok=True)
    return kept


@pytest.mark.usefixtures("month")
def test_the_three_pages_are_pictured(visit: Visit, call: dict[str, Any], highlights: Highlights, folder: Path) -> None:
    page = visit("/?find=calls", viewport={"width": 1280, "height": 800})
    expect(page.locator("tbody tr").nth(1)).to_be_visible()
    page.screenshot(path=folder / "recordings.png")

    page.goto(page.url.partition("?")[0] + f"?recording={call['recording_id']}")
    phrase(page, highlights[0]["text"]).click()
    lands_before(page, int(highlights[0]["timestamps"][0]["start"]))
    page.keyboard.press("n")
    lands_before(page, int(highlights[0]["timestamps"][1]["start"]))
    page.keyboard.press(" ")
    page.screenshot(path=folder / "recording.png")

    page.goto(page.url.partition("?")[0] + "?view=phrases&phrase=refund")
    expect(page.get_by_role("button", name="Play at").first).to_be_visible()
    expect(page.locator("tbody tr").nth(1)).to_be_visible()
    page.screenshot(path=folder / "phrases.png")
    for name in ("recordings", "recording", "phrases"):
        assert (folder / f"{name}.png").read_bytes().startswith(_PNG)
