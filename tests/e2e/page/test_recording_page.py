"""One recording in a real browser: its phrases, its moments, its words, and hearing them."""

import csv
import gzip
import io
import json
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import boto3
import pytest
from playwright.sync_api import Page, expect

from cli.stack import Stack
from tests.e2e.conftest import put_and_end
from tests.e2e.page.conftest import ROOT, Visit, axe, until
from tests.e2e.page.planted import long_call, plant, plant_redacted_audio, silence

LEAD_S = 1.2  # so long before a word it may begin to play
Highlights = list[dict[str, Any]]


def place_of(page: Page) -> float:
    """Where the player is, in seconds."""
    return float(page.evaluate("document.querySelector('audio, video').currentTime"))


def plays(page: Page) -> None:
    until(page, "() => document.querySelector('audio, video')?.paused === false")


def lands_before(page: Page, start_ms: int) -> None:
    """Wait until the player is where the word is about to be said."""
    start = start_ms / 1000
    until(
        page,
        "([from, to]) => { const at = document.querySelector('audio, video')?.currentTime;"
        " return from <= at && at <= to; }",
        [max(0.0, start - LEAD_S), start + 0.3],
    )


def opened(visit: Visit, call: dict[str, Any], **options: Any) -> Page:
    page = visit(f"/?recording={call['recording_id']}", **options)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text("Thank you for calling")).to_be_visible()
    return page


def words_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    bucket, _, key = row["transcript_uri"].removeprefix("s3://").partition("/")
    body = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    words: list[dict[str, Any]] = json.loads(gzip.decompress(body))["words"]
    return words


def phrase(page: Page, text: str) -> Any:
    return page.locator("button.phrase").filter(has_text=text)


def test_from_the_list_a_highlight_is_heard_with_two_clicks(
    visit: Visit, call: dict[str, Any], highlights: Highlights
) -> None:
    page = visit("/")
    page.get_by_role("link", name="support call.mp3", exact=True).first.click()
    phrase(page, highlights[0]["text"]).click()
    plays(page)
    lands_before(page, int(highlights[0]["timestamps"][0]["start"]))


def test_all_phrases_stand_there_highest_rank_first_with_their_counts(
    visit: Visit, call: dict[str, Any], highlights: Highlights
) -> None:
    page = opened(visit, call)
    shown = page.locator("button.phrase").all_inner_texts()
    assert [text.split("\n")[0] for text in shown] == [one["text"] for one in highlights]
    for text, one in zip(shown, highlights, strict=True):
        assert str(one["count"]) in text.split("\n")


def test_phrases_are_sorted_by_count_and_by_time_and_filtered(
    visit: Visit, call: dict[str, Any], highlights: Highlights
) -> None:
    page = opened(visit, call)
    texts = page.locator("button.phrase bdi")
    page.get_by_label("Sort phrases by").select_option(label="Count")
    counts = {one["text"]: int(one["count"]) for one in highlights}
    shown = [counts[text] for text in texts.all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    page.get_by_label("Sort phrases by").select_option(label="First heard")
    starts = {one["text"]: int(one["timestamps"][0]["start"]) for one in highlights}
    shown = [starts[text] for text in texts.all_inner_texts()]
    assert shown == sorted(shown)
    page.get_by_label("Filter phrases").fill("MODEM")
    assert set(texts.all_inner_texts()) == {one["text"] for one in highlights if "modem" in one["text"].lower()}


def test_the_keys_go_from_moment_to_moment_of_the_chosen_phrase(
    visit: Visit, call: dict[str, Any], highlights: Highlights
) -> None:
    page = opened(visit, call)
    moments = [int(stamp["start"]) for stamp in highlights[0]["timestamps"]]
    phrase(page, highlights[0]["text"]).click()
    lands_before(page, moments[0])
    page.keyboard.press("n")
    lands_before(page, moments[1])
    page.keyboard.press("n")
    lands_before(page, moments[2])
    page.keyboard.press("p")
    lands_before(page, moments[1])


def test_space_plays_and_pauses_arrows_skip_and_a_question_mark_shows_the_keys(
    visit: Visit, call: dict[str, Any]
) -> None:
    page = opened(visit, call)
    page.keyboard.press(" ")
    plays(page)
    page.keyboard.press(" ")
    until(page, "() => document.querySelector('audio, video').paused")
    before = place_of(page)
    page.keyboard.press("ArrowRight")
    until(page, "before => document.querySelector('audio, video').currentTime > before + 4", before)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_keys_do_nothing_while_a_word_is_typed(visit: Visit, call: dict[str, Any]) -> None:
    page = opened(visit, call)
    page.get_by_label("Search in the transcript").fill("")
    page.get_by_label("Search in the transcript").press_sequentially("n p ?")
    assert place_of(page) == 0
    assert page.evaluate("document.querySelector('audio, video').paused")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_link_to_a_moment_opens_there(visit: Visit, call: dict[str, Any], highlights: Highlights) -> None:
    start = int(highlights[0]["timestamps"][2]["start"])
    page = visit(f"/?recording={call['recording_id']}#t={start}")
    expect(page.get_by_text("Thank you for calling")).to_be_visible()
    lands_before(page, start)


def test_the_address_follows_the_chosen_moment_and_can_be_opened_again(
    visit: Visit, call: dict[str, Any], highlights: Highlights
) -> None:
    page = opened(visit, call)
    phrase(page, highlights[1]["text"]).click()
    start = int(highlights[1]["timestamps"][0]["start"])
    until(page, "start => location.hash === `#t=${start}`", start)
    page.reload()
    expect(page.get_by_text("Thank you for calling")).to_be_visible()
    lands_before(page, start)


def test_a_click_on_a_word_plays_it(visit: Visit, call: dict[str, Any], stack: Stack) -> None:
    page = opened(visit, call)
    [first, *_] = [word for word in words_of(call) if word["text"].startswith("technician")]
    box = page.evaluate(
        """word => {
          const walker = document.createTreeWalker(document.querySelector(".transcript"), NodeFilter.SHOW_TEXT);
          for (let node; (node = walker.nextNode());) {
            const at = node.data.indexOf(word);
            if (at < 0) continue;
            const range = new Range();
            range.setStart(node, at);
            range.setEnd(node, at + word.length);
            node.parentElement.scrollIntoView({ block: "center", behavior: "instant" });
            const { x, y, width, height } = range.getClientRects()[0];
            return { x: x + width / 2, y: y + height / 2 };
          }
        }""",
        first["text"],
    )
    page.mouse.click(box["x"], box["y"])
    lands_before(page, first["start"])


def test_the_transcript_is_searched_and_says_which_of_how_many(visit: Visit, call: dict[str, Any]) -> None:
    page = opened(visit, call)
    said = " ".join(word["text"] for word in words_of(call)).lower()
    count = said.count("internet outage")
    assert count > 1
    box = page.get_by_label("Search in the transcript")
    box.fill("INTERNET outage")
    expect(page.get_by_text(f"1 / {count}")).to_be_visible()
    box.press("Enter")
    expect(page.get_by_text(f"2 / {count}")).to_be_visible()
    box.press("Shift+Enter")
    expect(page.get_by_text(f"1 / {count}")).to_be_visible()
    box.fill("zebra crossing")
    expect(page.get_by_text("No match")).to_be_visible()


@pytest.mark.parametrize("kind", ["JSON", "CSV", "Markdown", "SRT", "VTT"])
def test_what_was_found_is_saved_as_a_file(
    visit: Visit, call: dict[str, Any], highlights: Highlights, kind: str
) -> None:
    page = opened(visit, call)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as saved:
        page.locator("#export-list").get_by_role("button", name=kind).click()
    name = saved.value.suggested_filename
    assert name.startswith("support call")
    text = saved.value.path().read_text(encoding="utf-8-sig")
    match kind:
        case "JSON":
            assert json.loads(text)["auto_highlights_result"]["results"][0]["text"]
        case "CSV":
            lines = list(csv.DictReader(io.StringIO(text)))
            assert len(lines) == sum(len(one["timestamps"]) for one in highlights)
        case "Markdown":
            assert all(one["text"] in text for one in highlights)
        case "SRT":
            assert text.startswith("1\n00:00:0")
        case "VTT":
            assert text.startswith("WEBVTT")


def test_a_failed_recording_says_why_and_offers_to_try_again(visit: Visit, stack: Stack, tmp_path: Any) -> None:
    broken = tmp_path / f"{uuid4().hex[:8]}.mp3"
    broken.write_bytes((ROOT / "tests" / "fixtures" / "refund.mp3").read_bytes()[:400])
    row = put_and_end(stack, broken, broken.name)
    assert row["status"] == "failed"
    page = visit(f"/?recording={row['recording_id']}")
    expect(page.get_by_text(row["reason"])).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"auto_highlights_result": {"status": "success", "results": []}}, "stands out"),
        ({"auto_highlights_result": None, "language_code": "de"}, "German"),
        ({"auto_highlights_result": {"status": "unavailable", "results": []}}, "AssemblyAI"),
    ],
)
def test_a_completed_recording_without_highlights_says_so(
    visit: Visit, stack: Stack, answer: dict[str, Any], words: str
) -> None:
    said = [{"text": "Hello.", "start": 0, "end": 400, "confidence": 0.9}]
    recording = plant(stack, f"{uuid4().hex[:8]}.mp3", silence(7), words=said, **answer)
    page = visit(f"/?recording={recording.recording_id}")
    expect(page.get_by_role("main")).to_contain_text("Hello.")
    expect(page.get_by_role("main")).to_contain_text(words, ignore_case=True)


def summarised(**answer: Any) -> dict[str, Any]:
    request = {"summarization": {"summary_type": "bullets"}}
    return {"speech_understanding": {"request": request, "response": {"summarization": answer}}}


def test_a_summary_stands_above_the_transcript_and_what_else_was_found_among_the_facts(
    visit: Visit, stack: Stack
) -> None:
    passages = [{"text": "Ada asks for <b>a refund</b>."}, *({"text": f"{month} is paid."} for month in range(1, 13))]
    recording = plant(
        stack,
        f"{uuid4().hex}/refund.mp3",
        silence(2),
        said_of_it={"call_id": "4711 & more", "agent": "slt"},
        speaker_labels=True,
        utterances=[{"speaker": "A"}, {"speaker": "B"}],
        sentiment_analysis_results=[{"sentiment": "NEUTRAL"}, {"sentiment": "NEUTRAL"}, {"sentiment": "POSITIVE"}],
        iab_categories_result={"summary": {"Shopping>Refunds": 0.9}},
        words=[{"text": "Hello.", "start": 0, "end": 500, "confidence": 0.9, "speaker": "A"}],
        **summarised(status="success", summary=passages),
    )
    page = visit(f"/?recording={recording.recording_id}")
    summary = page.get_by_role("region", name="Summary")
    for passage in passages:
        expect(summary.get_by_text(passage["text"], exact=True)).to_be_visible()
    expect(summary).to_contain_text("As AssemblyAI gives it.")
    above, below = summary.bounding_box(), page.get_by_text("Hello.").bounding_box()
    assert above
    assert below
    assert above["y"] + above["height"] <= below["y"]
    assert page.evaluate("scrollY") == 0  # it is read from its beginning
    page.get_by_text("Facts", exact=True).click()
    facts = page.locator(".facts")
    for fact in (
        "Speakers\n2",
        "Sentiment\n2 neutral, 1 positive",
        "Topics\nShopping › Refunds",
        "Asked for\nspeaker_labels, speech_understanding.summarization",
        "agent\nslt",
    ):
        assert fact in facts.inner_text()
    assert "Entities" not in facts.inner_text()  # none were asked for
    assert axe(page) == []
    page.get_by_role("link", name="4711 & more").click()
    expect(page.get_by_text("Recordings of the call 4711 & more")).to_be_visible()
    expect(page.get_by_role("link", name="refund.mp3", exact=True)).to_have_count(1)


def test_a_summary_that_was_asked_for_and_is_not_there_is_told(visit: Visit, stack: Stack) -> None:
    answer = summarised(status="failed", summary=None)
    recording = plant(stack, f"{uuid4().hex}/refund.mp3", silence(2), **answer)
    page = visit(f"/?recording={recording.recording_id}")
    expect(page.get_by_text("AssemblyAI could not make the summary that was asked for.")).to_be_visible()


def test_88_where_redacted_audio_was_asked_for_nothing_is_heard_until_that_is_there(visit: Visit, stack: Stack) -> None:
    said = [{"text": "Hello.", "start": 0, "end": 500, "confidence": 0.9, "speaker": None}]
    redact: dict[str, Any] = {"redact_pii": True, "redact_pii_audio": True}
    recording = plant(stack, f"{uuid4().hex}/refund.mp3", silence(30), words=said, **redact)
    page = visit(f"/?recording={recording.recording_id}")
    expect(page.get_by_text("Only its redacted audio may be heard.")).to_be_visible()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_hidden()
    expect(page.get_by_text("Hello.")).to_be_visible()
    assert page.evaluate("scrollY") == 0
    page.keyboard.press(" ")
    assert page.evaluate("document.querySelector('video').src") == ""
    assert page.locator("[src*='refund.mp3']").count() == 0
    plant_redacted_audio(stack, recording, silence(7))
    page.get_by_role("button", name="Play", exact=True).click()
    plays(page)
    expect(page.get_by_text("Only its redacted audio may be heard.")).to_be_hidden()
    src = unquote(page.evaluate("document.querySelector('video').src"))
    assert f"/redacted/dt={recording.day}/{recording.recording_id}" in src
    page.get_by_text("Facts", exact=True).click()
    expect(page.locator(".facts")).to_contain_text("redacted, as AssemblyAI gives it")


def test_a_recording_that_does_not_exist_is_no_riddle(visit: Visit) -> None:
    page = visit(f"/?recording={'0' * 32}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("deleted")


def test_a_call_of_three_hours_opens_scrolls_and_plays_at_its_end(visit: Visit, stack: Stack) -> None:
    answer = long_call()
    recording = plant(stack, f"{uuid4().hex[:8]}.mp3", silence(answer["audio_duration"]), **answer)
    page = visit(f"/?recording={recording.recording_id}")
    transcript = page.get_by_role("region", name="Transcript")
    expect(transcript).to_contain_text("quiet again and we waited")
    said = page.evaluate("document.querySelector('.transcript').textContent.trim().split(/\\s+/).length")
    assert said > len(answer["words"])
    nodes = page.evaluate("document.querySelectorAll('.transcript *').length")
    assert nodes < len(answer["words"]) / 4  # not an element for each word
    last = answer["auto_highlights_result"]["results"][0]["timestamps"][-1]["start"]
    text = answer["auto_highlights_result"]["results"][0]["text"]
    phrase(page, text).click()
    plays(page)
    page.evaluate("ms => { location.hash = `t=${ms}`; }", last)
    lands_before(page, last)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_the_recording_is_fit_for_everybody(visit: Visit, call: dict[str, Any], scheme: str, width: int) -> None:
    page = opened(visit, call, color_scheme=scheme, viewport={"width": width, "height": 800})
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
