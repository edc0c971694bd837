"""The page of a recording in a browser: of ten minutes, and of three hours.

The page's own files, and answers as the API gives them, without a stack: what is measured is the page.
"""

import gzip
import json
import math
import shutil
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Route, sync_playwright

from bench.report import PROJECT, Samples, Say, Table

_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Without these it looks for updates and speaks to its maker.
_QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
_ORIGIN = "https://page.example.com"
_ID = "0" * 32
_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
_WORD_MS = 360
_WORDS_OF = {"10 min": 1_667, "3 h": 30_000}
_OPENED = 3
_PROSE = (
    "so the line was quiet again and we waited for somebody to pick up because it had been a long day in which "
    "nothing came when they said it would although we asked twice and were told that it must be on the way by now"
)
_FILL = _PROSE.split()
_PHRASES = [f"{kind} {thing}" for kind in ("monthly", "missing", "second") for thing in _FILL[5:10]]
# When the transcript's text is there and the browser has drawn it.
_WATCH = """
sessionStorage.setItem("tokens", JSON.stringify({access_token: "a", refresh_token: "b", until: Date.now() + 1e9}));
new MutationObserver((_, watch) => {
  if (!document.querySelector(".transcript-text p")) return;
  watch.disconnect();
  requestAnimationFrame(() => setTimeout(() => { window.drawn = performance.now(); }));
}).observe(document, {childList: true, subtree: true});
"""
_FRAMES = """
() => new Promise((done) => {
  const frames = [];
  let last = performance.now();
  const begun = last;
  const next = (now) => {
    frames.push(now - last);
    last = now;
    scrollBy(0, 120);
    if (now - begun < 2000) requestAnimationFrame(next); else done(frames.slice(1));
  };
  requestAnimationFrame(next);
})
"""


def measure(say: Say) -> Iterable[Table]:
    """Open, scroll, and count. Without a chromium it says that it is skipped."""
    title = "The page of a recording"
    if _CHROMIUM is None:
        yield Table(title, ["Skipped"], [["there is no chromium here; with Debian: apt-get install chromium"]])
        return
    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-gpu", *_QUIET])
        for length, words in _WORDS_OF.items():
            say(length)
            rows.append([f"{length}, {words:,} words", *_measured(browser, words)])
        version = browser.version
        browser.close()
    columns = ["Recording", "Opened, ms", "Frame, ms", "Slowest of 20 frames, ms", "DOM nodes", "Requests"]
    note = (
        f"Chromium {version}, without a screen. Opened: from the last byte of the transcript to its drawn text, "
        f"{_OPENED} times; frames: while it is scrolled for two seconds."
    )
    yield Table(title, columns, rows, note)


def _measured(browser: Browser, words: int) -> list[str]:
    opened, frames, slowest, nodes, requests = [], [], [], 0, 0
    answers = _answers(words)
    for _ in range(_OPENED):
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.add_init_script(_WATCH)
        page = context.new_page()
        page.route("**/*", lambda route: _answer(route, answers))
        page.goto(f"{_ORIGIN}/?recording={_ID}")
        page.wait_for_function("window.drawn", timeout=30_000)
        opened.append(_since_the_bytes(page))
        found = page.evaluate(_FRAMES)
        frames.append(statistics.median(found))
        slowest.append(sorted(found)[math.ceil(len(found) * 0.95) - 1])
        nodes = page.evaluate("document.querySelectorAll('*').length")
        requests = page.evaluate("performance.getEntriesByType('resource').length") + 1
        context.close()
    return [*(Samples(one).text(".0f") for one in (opened, frames, slowest)), f"{nodes:,}", str(requests)]


def _since_the_bytes(page: Page) -> float:
    script = "window.drawn - performance.getEntriesByName(location.origin + '/transcript')[0].responseEnd"
    return float(page.evaluate(script))


def _answer(route: Route, answers: Mapping[str, bytes]) -> None:
    path = urlsplit(route.request.url).path
    if path in answers:
        kind = "application/gzip" if path == "/transcript" else "application/json"
        route.fulfill(body=answers[path], content_type=kind)
        return
    file = PROJECT / "viewer" / (Path(path).name or "index.html")
    if file.is_file():
        route.fulfill(body=file.read_bytes(), content_type=_TYPES[file.suffix])
    else:
        route.fulfill(status=404)


def _answers(words: int) -> dict[str, bytes]:
    """What the page asks for, by path: a call of two speakers, who say each of 15 phrases again and again."""
    said = [_word(number) for number in range(words)]
    spoken: dict[str, list[dict[str, int]]] = {phrase: [] for phrase in _PHRASES}
    for number in range(21, words, 100):
        start = number * _WORD_MS
        spoken[_PHRASES[number // 100 % len(_PHRASES)]].append({"start": start - _WORD_MS, "end": start + 300})
    highlights = [
        {"position": place, "text": text, "phrase": text, "count": len(stamps), "rank": 0.1, "timestamps": stamps}
        for place, (text, stamps) in enumerate(spoken.items(), start=1)
    ]
    recording: dict[str, Any] = {
        "recording_id": _ID,
        "bucket": "recordings",
        "key": "calls/long.mp3",
        "status": "completed",
        "day": "2026-11-22",
        "created_at": "2026-11-22T16:53:00.123Z",
        "completed_at": "2026-11-22T17:13:00.123Z",
        "audio_duration": words * _WORD_MS // 1000,
        "language_code": "en_us",
        "highlights_status": "success",
        "highlight_count": len(highlights),
        "highlights": highlights,
        "audio": "withheld",  # there is none to be heard
        "audio_url": None,
        "transcript_url": f"{_ORIGIN}/transcript",
        "highlights_url": f"{_ORIGIN}/highlights",
    }
    return {
        f"/api/recordings/{_ID}": json.dumps(recording).encode(),
        "/viewer/config.json": json.dumps({"client_id": "page", "sign_in_url": _ORIGIN}).encode(),
        "/transcript": gzip.compress(json.dumps({"words": said}).encode()),
    }


def _word(number: int) -> dict[str, Any]:
    text = _FILL[number % len(_FILL)]
    if number % 100 in (20, 21):  # a phrase of two words
        text = _PHRASES[number // 100 % len(_PHRASES)].split()[number % 100 - 20]
    text += "" if (number + 1) % 20 else "."
    start = number * _WORD_MS
    return {"text": text, "start": start, "end": start + 300, "confidence": 0.9, "speaker": "AB"[number // 40 % 2]}
