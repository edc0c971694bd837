"""What is surely no media is refused before it costs anything; all else goes to the provider."""

import gzip
import io
import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_highlights.media_type import HEAD_BYTES, not_media

FIXTURES = Path(__file__).parents[1] / "fixtures"
TONE = random.Random(1).randbytes(512)

MEDIA = {
    "wav": b"RIFF\x24\x08\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00",
    "mp3 with tags": b"ID3\x04\x00\x00\x00\x00\x00\x23TSSE",
    "mp3 without tags": b"\xff\xfb\x90\x64\x00\x0f",
    "mp4": b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00",
    "ogg": b"OggS\x00\x02\x00\x00\x00\x00",
    "flac": b"fLaC\x00\x00\x00\x22",
    "webm": b"\x1aE\xdf\xa3\x9fB\x86\x81\x01",
    "amr": b"#!AMR\n\x3c\x91\x17\x16\xbe\x66\x78\x00",
    "aac": b"\xff\xf1\x50\x80\x02\x1f\xfc",
    "aiff": b"FORM\x00\x00\x10\x24AIFFCOMM",
    "mpeg-ts": b"G@\x00\x10\x00\x00\xb0\x0d",
    "raw PCM": TONE,
    "raw silence": bytes(512),
    "raw quiet": b"\x00\x00\x01\x00\xff\xff" * 80,
    "starts like BMP": b"BM" + TONE,
    "starts like a program": b"MZ" + TONE,
    "UTF-16 text": "minutes".encode("utf-16"),  # not beyond doubt
}

OTHERS = {
    "plain text": b"Agenda\r\n\t1. Refunds\n",
    "text with a byte order mark": b"\xef\xbb\xbfAgenda",
    "text in another script": "\u8b70\u4e8b\u9332".encode(),
    "JSON": b'{"a": 1}',
    "CSV": b"a,b\n1,2\n",
    "HTML": b"<!DOCTYPE html><html>",
    "HTML after blanks": b"\n\n  <HTML lang='en'>",
    "XML": b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "gzip": gzip.compress(b"RIFF"),
    "7z": b"7z\xbc\xaf\x27\x1c\x00\x04",
    "rar": b"Rar!\x1a\x07\x01\x00",
    "xz": b"\xfd7zXZ\x00\x00\x04",
    "zstd": b"\x28\xb5\x2f\xfd\x04\x00",
    "PNG": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "JPEG": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    "GIF": b"GIF89a\x01\x00\x01\x00",
    "WebP": b"RIFF\x24\x00\x00\x00WEBPVP8 ",
    "program": b"\x7fELF\x02\x01\x01\x00",
    "SQLite": b"SQLite format 3\x00\x10\x00",
    "Parquet": b"PAR1\x15\x04\x15",
    "old Word": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00\x00",
}


def archive(name: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as files:
        files.writestr(name, "x")
    return packed.getvalue()[:HEAD_BYTES]


@pytest.mark.parametrize("head", MEDIA.values(), ids=MEDIA)
def test_what_may_be_media_is_let_through(head: bytes) -> None:
    assert not_media(head) is None


@pytest.mark.parametrize("name", ["refund.mp3", "refund.mp4"])
def test_real_recordings_are_let_through(name: str) -> None:
    assert not_media((FIXTURES / name).read_bytes()[:HEAD_BYTES]) is None


@pytest.mark.parametrize("head", OTHERS.values(), ids=OTHERS)
def test_11_what_is_surely_no_media_is_refused(head: bytes) -> None:
    assert not_media(head)


@pytest.mark.parametrize("name", ["notes.txt", "word/document.xml", "talk.mp3"])
def test_an_archive_is_refused_whatever_is_in_it(name: str) -> None:
    assert not_media(archive(name)) == "a zip archive or an office document"


def test_a_page_is_told_from_other_text() -> None:
    assert not_media(b"<html>") == "a web page (HTML)"
    assert not_media(b"a < b") == "plain text"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), st.integers(1, 3))
def test_text_cut_in_the_middle_of_a_character_is_text(text: str, cut: int) -> None:
    head = text.encode() + "\U0001f600".encode()[:cut]
    assert not_media(head)


@given(st.binary(min_size=1, max_size=64))
def test_bytes_that_are_no_text_are_let_through_unless_they_have_a_signature(head: bytes) -> None:
    assert not_media(b"\xfe" + head) is None
