"""Exports: read back by the programs that they are for, whatever was said and however the file is called."""

import csv
import io
import json
import random
import re
from decimal import Decimal
from typing import Any
from unicodedata import category
from urllib.parse import unquote

import pytest
import webvtt
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from audio_highlights import export
from audio_highlights.captions import Caption, captions, srt, vtt
from audio_highlights.errors import AnswerTooLarge

ROW = {
    "recording_id": "0" * 32,
    "bucket": "recordings",
    "key": "calls/2026/refund call.mp3",
    "created_at": "2026-11-22T16:53:00.123Z",
    "audio_duration": Decimal(3725),
    "highlights_status": "success",
}
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "a|b|c",
    "[click](javascript:alert(1))",
    "`code` *bold* __under__ ~~gone~~",
    "https://evil.example.com and www.evil.example.com or me@evil.example.com",
    "&lt;script&gt;",
    "line\nbreak\r\u2028and\u0085more",
    "# heading",
    "\\| \\",
    "![x](https://evil.example.com/x.png)",
    "$x^2$",
    "\u202egnp.exe",
]


def result(text: str, *starts: int, rank: float | None = 0.15) -> dict[str, Any]:
    stamps = [{"start": start, "end": start + 500} for start in starts]
    return {"text": text, "count": len(starts), "rank": rank, "timestamps": stamps}


def stored(*results: dict[str, Any]) -> bytes:
    document = {"recording_id": "0" * 32, "auto_highlights_result": {"status": "success", "results": list(results)}}
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")


def lines(*results: dict[str, Any]) -> list[list[str]]:
    return list(csv.reader(io.StringIO(export.of_highlights("csv", ROW, stored(*results)).text, newline="")))


# ---- json, csv, md


def test_json_is_the_stored_file_as_it_is() -> None:
    document = stored(result("internet outage", 1000))
    file = export.of_highlights("json", ROW, document)
    assert (file.text.encode(), file.content_type) == (document, "application/json")


def test_csv_has_a_line_per_occurrence_the_highest_rank_first() -> None:
    assert lines(result("modem", 61_001, rank=0.05), result("outage", 5, 36_000_000)) == [
        ["position", "text", "count", "rank", "start_ms", "end_ms", "start"],
        ["1", "outage", "2", "0.15", "5", "505", "0:00:00.005"],
        ["1", "outage", "2", "0.15", "36000000", "36000500", "10:00:00.000"],
        ["2", "modem", "1", "0.05", "61001", "61501", "0:01:01.001"],
    ]


def test_a_phrase_without_a_rank_or_a_time_has_its_line() -> None:
    [_, line] = lines(result("outage", rank=None))
    assert line == ["1", "outage", "0", "", "", "", ""]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_phrase_is_a_formula_in_a_spreadsheet(start: str) -> None:
    text = f'{start}HYPERLINK("https://evil.example.com","x")'
    [_, line] = lines(result(text, 0))
    assert line[1] == f"'{text}"


@given(st.text())
def test_every_phrase_is_one_cell_of_csv(text: str) -> None:
    for line in lines(result(f"x{text}", 0))[1:]:
        assert line[1] == f"x{text}"


def test_markdown_tells_what_when_and_how_long_and_has_a_table() -> None:
    text = export.of_highlights("md", ROW, stored(result("internet outage", 5445, 3_605_000))).text
    assert text.splitlines() == [
        "# refund call.mp3",
        "",
        r"s3:\//recordings/calls/2026/refund call.mp3, first seen 2026-11-22 16:53 UTC, 1:02:05 long.",
        "",
        "| | phrase | count | rank | said at |",
        "|--:|---|--:|--:|---|",
        "| 1 | internet outage | 2 | 0.15 | 0:00:05 1:00:05 |",
    ]


def summarised(**said: Any) -> str:
    document = json.loads(stored(result("outage", 0))) | said
    return export.of_highlights("md", ROW, json.dumps(document).encode()).text


def test_markdown_has_the_whole_summary_above_the_table() -> None:
    one = summarised(summary="Ada asks for a refund. " * 99, summary_status="success")
    assert one.splitlines()[4:7] == [
        "Summary, as AssemblyAI gives it:",
        "",
        "> " + ("Ada asks for a refund. " * 99).strip(),
    ]
    several = summarised(summary="- Ada asks.\n\n- It is *paid*.", summary_status="success")
    assert several.splitlines()[6:8] == ["> - Ada asks.", r"> - It is \*paid\*."]
    assert several.index("> -") < several.index("| outage |")
    assert "Summary" not in summarised()


@pytest.mark.parametrize("status", ["unavailable", "missing"])
def test_markdown_says_that_there_is_no_summary_where_one_was_asked_for(status: str) -> None:
    assert "AssemblyAI gave no summary, though one was asked for." in summarised(summary_status=status)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_summary_is_markup(hostile: str) -> None:
    plain, _ = told(summarised(summary="x\ny", summary_status="success"))
    found, _ = told(summarised(summary=f"x {hostile}\n{hostile}\ny", summary_status="success"))
    assert found - {"text_special"} == plain


def test_markdown_says_why_there_are_no_highlights() -> None:
    row = {**ROW, "highlights_status": "language_not_supported"}
    assert r"No highlights: language not supported." in export.of_highlights("md", row, stored()).text


def told(text: str) -> tuple[set[str], str]:
    """The kinds of markup in a Markdown text, and its words, as GitHub's flavour reads it."""
    reader = MarkdownIt("gfm-like", {"html": True})
    assert reader.linkify
    reader.linkify.set({"fuzzy_link": False})  # GitHub makes no link of a bare name
    tokens = reader.parse(text)
    inline = [child for token in tokens for child in token.children or []]
    return {one.type for one in [*tokens, *inline]}, "".join(one.content for one in inline)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_phrase_and_no_name_is_markup(hostile: str) -> None:
    plain, _ = told(export.of_highlights("md", ROW, stored(result("outage", 0))).text)
    row = {**ROW, "key": f"{hostile}/{hostile}.mp3", "bucket": "recordings"}
    found, words = told(export.of_highlights("md", row, stored(result(f"x {hostile}", 0))).text)
    assert found == plain | {"text_special"} or found == plain
    assert words.count(" ".join("".join(one if one.isprintable() else " " for one in hostile).split())) >= 2


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_whatever_is_said_the_table_keeps_its_form(text: str) -> None:
    written = export.of_highlights("md", ROW, stored(result(f"x{text}", 0))).text
    tokens = MarkdownIt("gfm-like").parse(written)
    assert [token.type for token in tokens].count("td_open") == 5


# ---- names


def names(key: str) -> tuple[str, str]:
    """The plain name and the one in UTF-8."""
    said = export.of_highlights("csv", {**ROW, "key": key}, stored()).disposition
    found = re.fullmatch(r"attachment; filename=\"([ !#-\[\]-~]*)\"; filename\*=UTF-8''([A-Za-z0-9._~%-]+)", said)
    assert found, said
    return found[1], unquote(found[2], errors="strict")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("calls/refund.mp3", "refund.csv"),
        ("refund", "refund.csv"),
        ("a.b.c/x.y.wav", "x.y.csv"),
        ("k\u00e4ll \u65e5\u672c \U0001f600.mp3", "k\u00e4ll \u65e5\u672c \U0001f600.csv"),
        ('a"b;c\\d%41.mp3', "a_b_c_d_41.csv"),
        ("a\r\nSet-Cookie: x=y.mp3", "a__Set-Cookie_ x=y.csv"),
        ("\u202egpj.mp3", "_gpj.csv"),
        ("..mp3", f"{'0' * 32}.csv"),
        ("folder/", "folder.csv"),
        (".mp3", "mp3.csv"),
        ("x" * 1000, "x" * 150 + ".csv"),
        ("\U0001f600" * 200, "\U0001f600" * 150 + ".csv"),
    ],
)
def test_a_file_is_called_as_its_recording(key: str, expected: str) -> None:
    plain, name = names(key)
    assert name == expected
    assert plain.isascii()
    assert len(plain) == len(name)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_key_gives_a_name_that_is_one_name(key: str) -> None:
    plain, name = names(key)
    for one in (plain, name):
        assert one.endswith(".csv")
        assert not set(one) & set('\\/:*?"<>|\r\n')
        assert one not in ("..csv", ".csv")


# ---- captions


def spoken(text: str, *, at: int = 0, speaker: str | None = None, word_ms: int = 300) -> list[dict[str, Any]]:
    return [
        {"text": word, "start": at + number * word_ms, "end": at + (number + 1) * word_ms - 20, "speaker": speaker}
        for number, word in enumerate(text.split())
    ]


def texts(words: list[Any]) -> list[str]:
    return [" / ".join(one.lines) for one in captions(words)]


def test_captions_break_at_sentence_ends() -> None:
    said = "Thank you for calling customer support. How can I help you today?"
    assert texts(spoken(said)) == ["Thank you for calling customer support.", "How can I help you today?"]


def test_a_short_sentence_stays_with_the_next() -> None:
    assert texts(spoken("Yes. I see your customer account.")) == ["Yes. I see your customer account."]


def test_captions_break_at_a_pause_and_where_another_speaks() -> None:
    words = (
        spoken("one two", speaker="A") + spoken("three", at=2000, speaker="A") + spoken("four", at=2300, speaker="B")
    )
    assert texts(words) == ["one two", "three", "four"]


def test_a_full_caption_breaks_after_a_clause_of_its_second_half() -> None:
    said = "We have an internet outage at our office and at the warehouse, since Monday morning last week"
    assert texts(spoken(said, word_ms=200)) == [
        "We have an internet outage at / our office and at the warehouse,",
        "since Monday morning last week",
    ]


def test_a_caption_ends_when_the_next_begins_and_is_shown_for_a_second_where_there_is_room() -> None:
    words = [
        *spoken("Hello", word_ms=200),
        *spoken("you", at=3000, word_ms=200),
        *spoken("there.", at=4400, word_ms=9000),
    ]
    assert [(one.start, one.end) for one in captions(words)] == [(0, 1000), (3000, 4000), (4400, 11_400)]


def test_two_who_speak_at_once_have_a_caption_each() -> None:
    words = (
        spoken("yes", speaker="A", word_ms=5000)
        + spoken("no", at=1000, speaker="B")
        + spoken("so", at=1000, speaker="C")
    )
    assert [(one.start, one.end) for one in captions(words)] == [(0, 1000), (1000, 1001), (1000, 2000)]


def test_what_joins_letters_stays_in_the_word() -> None:
    persian, family = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\U0001f468\u200d\U0001f469"
    assert texts(spoken(f"{persian} {family}")) == [f"{persian} {family}"]
    assert names(f"{persian}.mp3")[1] == f"{persian}.csv"
    assert f"# {persian}.mp3" in export.of_highlights("md", {**ROW, "key": f"{persian}.mp3"}, stored()).text


def test_a_word_longer_than_a_line_is_shown_whole() -> None:
    assert texts(spoken("so " + "x" * 100 + " it is")) == ["so", "x" * 100, "it is"]


@pytest.mark.parametrize(
    "words",
    [
        [],
        [None],
        [7],
        ["word"],
        [{}],
        [{"text": "x"}],
        [{"text": 1, "start": 0, "end": 1}],
        [{"text": " ", "start": 0, "end": 1}],
    ],
)
def test_what_is_no_word_is_left_out(words: list[Any]) -> None:
    assert captions(words) == []
    assert texts([*words, *spoken("word")]) == ["word"]


WORDS = st.lists(
    st.tuples(
        st.text(min_size=1, max_size=60)
        | st.sampled_from(["the", "end.", "well,", "<i>", "-->", "&amp;", "\n", "{\\an8}"]),
        st.integers(0, 3000),
        st.integers(0, 9000),
        st.sampled_from([None, "A", "B", "<b>"]),
    ),
    max_size=60,
)


def timed(drawn: list[tuple[str, int, int, str | None]]) -> list[dict[str, Any]]:
    at, words = 0, []
    for text, gap, length, speaker in drawn:
        at += gap
        words.append({"text": text, "start": at, "end": at + length, "speaker": speaker})
    return words


@given(WORDS)
def test_captions_say_every_word_once_in_lines_and_times_that_can_be_read(drawn: list[Any]) -> None:
    words = timed(drawn)
    found = captions(words)
    printable = [
        "".join(" " if category(one) in ("Cc", "Cs", "Zl", "Zp") else one for one in word["text"]) for word in words
    ]
    assert " ".join(" ".join(one.lines) for one in found).split() == " ".join(printable).split()
    for one in found:
        assert 0 < one.end - one.start <= 7000
        assert len(one.lines) <= 2
        assert all(len(line) <= 42 for line in one.lines) or len(one.lines) == 1
    assert [one.start for one in found] == sorted(one.start for one in found)


@given(WORDS)
def test_programs_read_captions_as_they_were_meant(drawn: list[Any]) -> None:
    found = captions(timed(drawn))
    cues = webvtt.from_buffer(io.StringIO(vtt(found))).captions if found else []
    assert [(ms(cue.start), ms(cue.end)) for cue in cues] == [(one.start, one.end) for one in found]
    assert [unescaped(cue.raw_text) for cue in cues] == ["\n".join(one.lines) for one in found]
    assert [cue.voice and unescaped(cue.voice) for cue in cues] == [one.speaker for one in found]
    blocks = srt(found).split("\n\n") if found else []
    assert [block.strip("\n").split("\n") for block in blocks] == [
        [
            str(number),
            f"{stamp(one.start)} --> {stamp(one.end)}",
            *"\n".join(one.lines).replace("-->", "->").split("\n"),
        ]
        for number, one in enumerate(found, start=1)
    ]


def ms(text: str) -> int:
    hours, minutes, seconds = text.split(":")
    return int(hours) * 3_600_000 + int(minutes) * 60_000 + round(float(seconds) * 1000)


def stamp(moment: int) -> str:
    return f"{moment // 3_600_000:02}:{moment // 60_000 % 60:02}:{moment // 1000 % 60:02},{moment % 1000:03}"


def unescaped(text: str) -> str:
    without_voice = re.sub(r"^<v [^>]*>", "", text)
    return without_voice.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def test_speakers_are_voices_in_webvtt_only() -> None:
    found = [Caption(0, 1000, ("Hello <b>",), "Speaker A")]
    assert vtt(found) == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n<v Speaker A>Hello &lt;b&gt;\n"
    assert srt(found) == "1\n00:00:00,000 --> 00:00:01,000\nHello <b>\n"


def test_a_transcript_without_words_has_no_captions() -> None:
    assert export.of_transcript("vtt", ROW, {"words": None}).text == "WEBVTT\n"
    assert export.of_transcript("srt", ROW, {}).text == ""


# ---- how large


def ten_hours() -> list[dict[str, Any]]:
    """90,000 words of the usual lengths."""
    chance = random.Random(7)
    words, at = [], 0
    for number in range(90_000):
        text = "x" * chance.choices(range(1, 13), [3, 17, 21, 17, 11, 9, 8, 6, 4, 2, 1, 1])[0]
        end = at + chance.randint(150, 500)
        words.append({"text": text + ("." if number % 13 == 12 else ""), "start": at, "end": end, "speaker": "A"})
        at = end + chance.randint(0, 150)
    return words


@pytest.mark.parametrize("kind", export.CAPTIONS)
def test_captions_of_ten_hours_fit_into_an_answer(kind: str) -> None:
    text = export.of_transcript(kind, ROW, {"words": ten_hours()}).text
    assert 500_000 < len(json.dumps(text)) < 2_000_000  # of 6 MB


def test_what_is_larger_than_an_answer_is_refused_with_where_it_is() -> None:
    many = result("a phrase", *range(0, 36_000_000, 200))
    with pytest.raises(AnswerTooLarge, match=f"highlights_url .*{'0' * 32}"):
        export.of_highlights("json", ROW, stored(many))
