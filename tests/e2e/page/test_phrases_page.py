"""What is said most, in a real browser: and from a phrase to every moment at which it is said."""

from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from cli.stack import Stack
from tests.e2e.page.conftest import Visit, axe
from tests.e2e.page.planted import plant, silence
from tests.e2e.page.test_recording_page import Highlights, lands_before, plays


@pytest.fixture
def said(stack: Stack) -> str:
    """A phrase that two recordings say and no other: at 3 s in both, and at 5 s in one."""
    phrase = f"Parcel {uuid4().hex[:6]}"
    for stamps in ([3000], [3000, 5000]):
        found = {"text": phrase, "count": len(stamps), "rank": 0.1}
        times = [{"start": start, "end": start + 700} for start in stamps]
        result = {"status": "success", "results": [found | {"timestamps": times}]}
        plant(stack, f"{uuid4().hex[:8]}.mp3", silence(7), auto_highlights_result=result)
    return phrase


def test_the_top_phrases_have_their_counts_and_a_picture_of_their_days(
    visit: Visit, call: dict[str, Any], highlights: Highlights
) -> None:
    page = visit("/?view=phrases")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name=highlights[0]["text"], exact=True))
    expect(row).to_be_visible()
    expect(row.get_by_role("img")).to_be_visible()


def test_a_phrase_is_found_by_how_it_begins_and_leads_to_its_recordings(visit: Visit, said: str) -> None:
    page = visit("/?view=phrases")
    page.get_by_label("Search phrases").press_sequentially(said[:10].upper())
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name=said, exact=True))
    expect(row).to_contain_text("2")
    expect(row).to_contain_text("3")
    row.get_by_role("link", name=said, exact=True).click()
    expect(page.get_by_role("button", name="Play at 0:03")).to_have_count(2)
    expect(page.get_by_role("button", name="Play at 0:05")).to_have_count(1)
    page.go_back()
    expect(page.get_by_role("link", name=said, exact=True)).to_be_visible()


def test_a_moment_plays_there_and_leads_to_the_recording(visit: Visit, said: str) -> None:
    page = visit(f"/?view=phrases&phrase={said}")
    page.get_by_role("button", name="Play at 0:05").click()
    plays(page)
    lands_before(page, 5000)
    page.get_by_role("region", name="Player").get_by_role("link").click()
    page.wait_for_url("**/?recording=*#t=*")
    lands_before(page, 5000)


def test_a_phrase_that_nobody_says_is_no_riddle(visit: Visit) -> None:
    page = visit("/?view=phrases&phrase=nobody%20says%20this")
    expect(page.get_by_text("No recording says it.")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_the_phrases_are_fit_for_everybody(visit: Visit, call: dict[str, Any], scheme: str, width: int) -> None:
    page = visit("/?view=phrases", color_scheme=scheme, viewport={"width": width, "height": 800})
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
