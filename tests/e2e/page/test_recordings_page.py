"""The list of recordings, in a real browser: what is there, what happens, what can be done."""

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from playwright.sync_api import Page, expect

from audio_highlights.models import TOP_HIGHLIGHTS
from cli import recordings
from cli.stack import Stack
from tests.e2e.conftest import System, ended, put_and_end, wait_for
from tests.e2e.page.conftest import ROOT, Visit, axe
from tests.e2e.page.planted import plant, silence

REFUND = ROOT / "tests" / "fixtures" / "refund.mp3"
COMPLETED = re.compile("Completed")


def row_of(page: Page, name: str) -> Any:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def upload(page: Page, path: Path) -> None:
    page.locator("input[type=file]").set_input_files(path)


def copy_of(path: Path, folder: Path, body: bytes | None = None) -> Path:
    """The same under a name that no other recording has; with another body where one is given."""
    copy = folder / f"{uuid4().hex[:8]}{path.suffix}"
    copy.write_bytes(path.read_bytes() if body is None else body)
    return copy


@pytest.fixture
def two_seconds_too_short(tmp_path: Path) -> Path:
    """A WAV file without any sound in it: AssemblyAI takes it, and fails."""
    path = tmp_path / f"{uuid4().hex[:8]}.wav"
    header = bytes.fromhex("524946462400000057415645666d74201000000001000100401f0000803e00000200100064617461")
    path.write_bytes(header + bytes(4))
    return path


def test_a_completed_recording_shows_its_length_and_its_top_phrases(
    visit: Visit, call: dict[str, Any], highlights: list[dict[str, Any]]
) -> None:
    row = row_of(visit("/"), "support call.mp3").first
    expect(row).to_contain_text("Completed")
    expect(row).to_contain_text("1:40")
    for highlight in highlights[:TOP_HIGHLIGHTS]:
        expect(row.get_by_role("link", name=highlight["text"], exact=True)).to_be_visible()


def test_an_upload_is_followed_until_it_is_completed(visit: Visit, tmp_path: Path) -> None:
    page = visit("/")
    expect(page.get_by_role("heading", name="Recordings")).to_be_visible()
    recording = copy_of(REFUND, tmp_path)
    upload(page, recording)
    row = row_of(page, recording.name)
    expect(row).to_be_visible(timeout=30_000)
    expect(row).to_contain_text(COMPLETED, timeout=60_000)


def test_a_file_dropped_onto_the_page_is_uploaded(visit: Visit, tmp_path: Path) -> None:
    page = visit("/")
    expect(page.get_by_role("heading", name="Recordings")).to_be_visible()
    name = f"{uuid4().hex[:8]}.txt"
    page.evaluate(
        """name => {
          const dropped = new DataTransfer();
          dropped.items.add(new File(["no recording at all"], name, { type: "text/plain" }));
          const how = { bubbles: true, cancelable: true, dataTransfer: dropped };
          for (const type of ["dragenter", "dragover", "drop"]) document.body.dispatchEvent(new DragEvent(type, how));
        }""",
        name,
    )
    row = row_of(page, name)
    expect(row).to_contain_text("Ignored", timeout=30_000)
    expect(row).to_contain_text("is not audio or video")


def test_an_empty_file_is_not_uploaded_and_the_page_says_why(visit: Visit, tmp_path: Path) -> None:
    page = visit("/")
    expect(page.get_by_role("heading", name="Recordings")).to_be_visible()
    upload(page, copy_of(REFUND, tmp_path, b""))
    expect(page.get_by_text("Not uploaded. The file is empty.")).to_be_visible()


def test_a_failed_recording_says_why_and_is_tried_again_after_a_question_that_says_the_price(
    visit: Visit, stack: Stack, two_seconds_too_short: Path
) -> None:
    failed = put_and_end(stack, two_seconds_too_short, two_seconds_too_short.name)
    assert failed["status"] == "failed"
    page = visit("/")
    row = row_of(page, two_seconds_too_short.name)
    expect(row).to_contain_text(failed["reason"])
    row.get_by_role("button", name="Retry").click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("bills the new transcript")
    question.get_by_role("button", name="Retry").click()
    expect(question).to_be_hidden()

    def tried() -> dict[str, Any] | None:
        now = recordings.row(stack, failed["recording_id"])
        return now if now and now["attempt"] > failed["attempt"] and now["status"] == "failed" else None

    again = wait_for(tried, "the second failure")
    assert again["transcript_id"] != failed["transcript_id"]
    expect(row).to_contain_text("Failed", timeout=30_000)


def test_a_deleted_recording_is_gone_everywhere(visit: Visit, stack: Stack, system: System, tmp_path: Path) -> None:
    recording = copy_of(REFUND, tmp_path)
    row = put_and_end(stack, recording, recording.name)
    page = visit("/")
    row_of(page, recording.name).get_by_role("button", name="Delete").click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("cannot be undone")
    question.get_by_role("button", name="Cancel").click()
    expect(question).to_be_hidden()
    row_of(page, recording.name).get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row_of(page, recording.name)).to_have_count(0, timeout=30_000)
    assert recordings.row(stack, row["recording_id"]) is None
    assert recordings.highlights(stack, row["recording_id"]) == []
    s3 = boto3.client("s3")
    for bucket in (stack.media_bucket, stack.outputs["ResultsBucketName"]):
        for listing in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            left = [one["Key"] for kind in ("Versions", "DeleteMarkers") for one in dict(listing).get(kind, [])]  # type: ignore[attr-defined]
            assert not [key for key in left if recording.name in key or row["recording_id"] in key]
    assert [one["audio_url"] for one in system.transcripts() if one["id"] == row["transcript_id"]] in (
        [],
        ["http://deleted_by_user"],
    )


HOSTILE = [
    "<img src=x onerror=alert(1)>.mp3",
    "\u202egpj.3pm אוטו.mp3",
    "📞 call 👩‍👩‍👧.mp3",
    f"{'long' * 120}.mp3",
    "a'b\"c&amp;d%20e+f#g?h.mp3",
]


def test_hostile_names_stand_there_as_they_are(visit: Visit, stack: Stack) -> None:
    folder = uuid4().hex[:8]
    for name in HOSTILE:
        plant(stack, f"{folder}/{name}", silence(7), auto_highlights_result=HOSTILE_PHRASES)
    page = visit("/", viewport={"width": 360, "height": 740})
    for name in HOSTILE:
        link = page.locator(f"a[title={_quoted(f'{folder}/{name}')}]")
        expect(link).to_be_visible()
        assert name in link.inner_text() or "\u202e" in name
    assert page.locator("main img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


HOSTILE_PHRASES = {
    "status": "success",
    "results": [
        {"text": text, "count": 1, "rank": 0.1, "timestamps": [{"start": 500, "end": 900}]}
        for text in ("<script>alert(1)</script>", "שיחת לקוח", "🎉 refund 🎉", "{{7*7}} & <b>")
    ],
}


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_the_list_is_filtered_by_name_and_by_status(visit: Visit, stack: Stack, call: dict[str, Any]) -> None:
    name = f"{uuid4().hex[:8]}.txt"
    boto3.client("s3").put_object(Bucket=stack.media_bucket, Key=name, Body=b"no recording at all")
    ended(stack, recordings.uploaded(stack, name))
    page = visit("/")
    expect(row_of(page, name)).to_be_visible()
    page.get_by_role("searchbox").fill(name[:8])
    expect(row_of(page, "support call.mp3")).to_have_count(0)
    expect(row_of(page, name)).to_be_visible()
    page.get_by_role("searchbox").fill("")
    page.get_by_label("Status").select_option(label="Ignored")
    expect(row_of(page, "support call.mp3")).to_have_count(0)
    expect(row_of(page, name)).to_be_visible()


def test_the_search_box_finds_a_call_whose_recordings_are_not_loaded(visit: Visit, stack: Stack) -> None:
    called = f"call-{uuid4().hex[:8]}"
    names = [f"{uuid4().hex[:8]}.mp3" for _ in range(2)]
    for name in names:
        plant(stack, f"calls/{name}", silence(2), days_ago=200, said_of_it={"call_id": called})
    page = visit("/")
    box = page.get_by_role("searchbox")
    box.fill(called)
    page.get_by_role("button", name=f"Look for call id {called}").click()
    for name in names:
        expect(row_of(page, name)).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(1 + len(names))
    expect(page.get_by_label("Status")).to_be_hidden()
    box.fill(names[0])
    expect(page.get_by_role("row")).to_have_count(2)
    page.reload()
    expect(page.get_by_text(f"Recordings of the call {called}")).to_be_visible()
    assert axe(page) == []
    page.get_by_role("link", name="All recordings").click()
    expect(page.get_by_label("Status")).to_be_visible()


def test_a_call_that_nobody_knows_is_no_riddle(visit: Visit) -> None:
    page = visit("/?call=nobody%27s")
    expect(page.get_by_role("heading", name="No recording of this call")).to_be_visible()


def test_the_list_is_sorted_by_a_click_on_a_column_and_says_so(visit: Visit, call: dict[str, Any]) -> None:
    page = visit("/")
    header = page.get_by_role("columnheader", name="Name")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    names = page.locator("tbody a.recording-name").all_text_contents()
    assert len(names) > 1
    assert names == page.evaluate(
        "names => names.toSorted(new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' }).compare)", names
    )


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_the_list_is_fit_for_everybody(visit: Visit, call: dict[str, Any], scheme: str, width: int) -> None:
    page = visit("/", color_scheme=scheme, viewport={"width": width, "height": 800})
    expect(row_of(page, "support call.mp3").first).to_be_visible()
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
