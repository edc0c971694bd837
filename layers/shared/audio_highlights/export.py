"""A completed recording as a file for other programs and for people: its highlights, or captions of what is said."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from audio_highlights import captions
from audio_highlights.errors import AnswerTooLarge
from audio_highlights.models import Highlight, Transcript

FORMATS = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
}
CAPTIONS = ("srt", "vtt")
# Lambda answers 6 MB at most, and the body is a JSON text in it.
_MOST_BYTES = 5_500_000
_NAME_CHARACTERS = 150
# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
# What Markdown takes for markup within a line, and what some of its readers make a link of by itself.
_MARKUP = re.compile(r"[\\`*_{}\[\]#|~!$^@]|(?<=:)//|(?<=www)\.", re.IGNORECASE)
_JOINERS = "\u200c\u200d"  # parts of words, and of emoji
_BULLETS = "-*+\u2022 \t"
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}

type Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class File:
    """A file to download."""

    text: str
    content_type: str
    disposition: str


def of_highlights(kind: str, row: Row, stored: bytes) -> File:
    """As json, csv or md, of the highlights file as it is stored: it has every timestamp."""
    text = stored.decode("utf-8", "replace")  # half a surrogate pair may be in it
    if kind != "json":
        document = json.loads(text)
        _, highlights = Transcript(document).highlights()
        text = _csv(highlights) if kind == "csv" else _markdown(row, document, highlights)
    return _file(kind, row, text)


def of_transcript(kind: str, row: Row, transcript: Mapping[str, Any]) -> File:
    """As srt or vtt."""
    found = captions.of_transcript(transcript)
    return _file(kind, row, captions.srt(found) if kind == "srt" else captions.vtt(found))


def _file(kind: str, row: Row, text: str) -> File:
    if len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")) > _MOST_BYTES:
        message = (
            f"The {kind} file is larger than an answer can be. All of it is at the recording's "
            f"{'transcript_url' if kind in CAPTIONS else 'highlights_url'} (GET /api/recordings/{row['recording_id']})."
        )
        raise AnswerTooLarge(message)
    return File(text, FORMATS[kind], _disposition(row, kind))


def _disposition(row: Row, kind: str) -> str:
    """Content-Disposition (RFC 6266): the name in UTF-8, and one in ASCII for who cannot read that."""
    name = _file_name(row, kind)
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _file_name(row: Row, kind: str) -> str:
    """The recording's own name with another ending, without what a file name cannot have."""
    name = _last_part(row["key"])
    stem = name.rpartition(".")[0] or name
    kept = "".join("_" if _is_odd(character) else character for character in stem).strip(". ")[:_NAME_CHARACTERS]
    return f"{kept or row['recording_id']}.{kind}"


def _last_part(key: str) -> str:
    return key.rstrip("/").rpartition("/")[2] or key


def _is_odd(character: str) -> bool:
    return character in '\\/:*?"<>|%;' or _is_hidden(character)


def _is_hidden(character: str) -> bool:
    """Whether it is a control, a line break, half a surrogate pair, or turns the direction of writing around."""
    return character not in _JOINERS and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _csv(highlights: list[Highlight]) -> str:
    """A line per occurrence; a phrase without any has one, without times."""
    output = io.StringIO(newline="")
    writer = csv.writer(output)
    writer.writerow(["position", "text", "count", "rank", "start_ms", "end_ms", "start"])
    for one in highlights:
        head = [one.position, _cell(one.text), one.count, "" if one.rank is None else one.rank]
        for start, end in one.timestamps:
            writer.writerow([*head, start, end, f"{_time(start)}.{start % 1000:03}"])
        if not one.timestamps:
            writer.writerow([*head, "", "", ""])
    return output.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _markdown(row: Row, document: Mapping[str, Any], highlights: list[Highlight]) -> str:
    place, moment = _plain(f"s3://{row['bucket']}/{row['key']}"), str(row["created_at"])
    length = f", {_time(int(row['audio_duration']) * 1000)} long" if "audio_duration" in row else ""
    lines = [
        f"# {_plain(_last_part(row['key']))}",
        "",
        f"{place}, first seen {moment[:10]} {moment[11:16]} UTC{length}.",
        "",
        *_summary(document),
    ]
    if not highlights:
        why = str(row.get("highlights_status", "none were found")).replace("_", " ")
        return "\n".join([*lines, f"No highlights: {_plain(why)}.", ""])
    lines += ["| | phrase | count | rank | said at |", "|--:|---|--:|--:|---|"]
    for one in highlights:
        times = " ".join(_time(start) for start, _ in one.timestamps)
        rank = "" if one.rank is None else one.rank
        lines.append(f"| {one.position} | {_plain(one.text)} | {one.count} | {rank} | {times} |")
    return "\n".join([*lines, ""])


def _summary(document: Mapping[str, Any]) -> list[str]:
    """The whole of it, as a quotation: a list where it has several lines. Nothing where none was asked for."""
    said = document.get("summary")
    points = [point for line in said.splitlines() if (point := _plain(line.lstrip(_BULLETS)))] if said else []
    if points:
        start = "> - " if len(points) > 1 else "> "
        return ["Summary, as AssemblyAI gives it:", "", *(start + point for point in points), ""]
    if "summary_status" in document:
        return ["AssemblyAI gave no summary, though one was asked for.", ""]
    return []


def _plain(text: str) -> str:
    """As text in Markdown, in one line, that nothing takes for markup."""
    spaced = " ".join("".join(" " if _is_hidden(one) else one for one in text).split())
    return "".join(_HTML.get(one, one) for one in _MARKUP.sub(r"\\\g<0>", spaced))


def _time(ms: int) -> str:
    seconds = ms // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
