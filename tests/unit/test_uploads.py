"""What a file's name becomes, and how large it may be."""

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_highlights.config import AudioTransfer
from audio_highlights.errors import RequestUnreadable
from audio_highlights.models import MAX_AUDIO_BYTES, MAX_UPLOAD_BYTES
from audio_highlights.uploads import UploadRequest

NOW = datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC)
FOLDER = "uploads/2026-11-22/0a1b2c3d/"


def key(name: str) -> str:
    return UploadRequest(name, 1).key(NOW, "0a1b2c3d")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("call.mp3", "call.mp3"),
        ("Gespräch mit Zoë – 日本 😀.m4a", "Gespräch mit Zoë – 日本 😀.m4a"),
        ("Zoe\u0308.wav", "Zoë.wav"),
        ("100% a+b #1?&=.mp3", "100% a+b #1?&=.mp3"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("C:\\calls\\a.mp3", "C:_calls_a.mp3"),
        ("${filename}.mp3", "_{filename}.mp3"),
        ("US$ 5.mp3", "US_ 5.mp3"),
        ("a\x00b\r\nc\x7f\u2028d.mp3", "abcd.mp3"),
        ("broken \ud83d.mp3", "broken .mp3"),
        ("  spaces  ", "spaces"),
        (".", "recording"),
        ("..", "recording"),
        ("\x01 \x02", "recording"),
    ],
)
def test_a_name_becomes_a_key_in_a_folder_of_its_own(name: str, expected: str) -> None:
    assert key(name) == FOLDER + expected


def test_a_key_too_long_for_s3_is_cut_before_its_suffix() -> None:
    cut = key("日" * 250 + ".flac"), key("😀" * 255), key("x." + "😀" * 250)
    assert all(len(one.encode()) <= 1024 for one in cut)
    assert all(len(one.encode()) > 1020 for one in (cut[1], cut[2]))
    assert len(cut[0].encode()) < 1024
    longest = key("😀" * 251 + ".mp3")
    assert longest.endswith("😀.mp3")
    assert 1020 < len(longest.encode()) <= 1024


@given(st.text(min_size=1, max_size=255))
def test_whatever_the_name_the_key_is_one_that_s3_takes_and_a_form_leaves_alone(name: str) -> None:
    made = key(name)
    assert len(made.encode()) <= 1024
    assert made.startswith(FOLDER)
    last = made.removeprefix(FOLDER)
    assert last not in ("", ".", "..")
    assert not set(last) & set("/\\$\ufffe\uffff")
    assert not [one for one in last if unicodedata.category(one) in ("Cc", "Cs")]
    assert UploadRequest(last, 1).key(NOW, "0a1b2c3d") == made  # nothing is left to be cleaned


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.mp3", "audio/mpeg"),
        ("A.MP4", "video/mp4"),
        ("a.html", "application/octet-stream"),
        ("a.svg", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ],
)
def test_the_type_is_one_that_players_know_and_no_browser_runs(name: str, expected: str) -> None:
    assert UploadRequest(name, 1).content_type == expected


@pytest.mark.parametrize(
    ("transfer", "limit"),
    [(AudioTransfer.PRESIGNED_URL, MAX_AUDIO_BYTES), (AudioTransfer.UPLOAD, MAX_UPLOAD_BYTES)],
)
def test_the_largest_file_is_permitted_and_one_byte_more_is_told_the_limit(transfer: AudioTransfer, limit: int) -> None:
    assert UploadRequest("a", limit).check_size(transfer) == limit
    assert UploadRequest("a", 1).check_size(transfer) == limit
    with pytest.raises(RequestUnreadable, match=f"at most {limit / 1e9:.1f} GB .{limit:,} bytes."):
        UploadRequest("a", limit + 1).check_size(transfer)
    for nothing in (0, -1):
        with pytest.raises(RequestUnreadable, match="is empty"):
            UploadRequest("a", nothing).check_size(transfer)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "a",
        {},
        {"name": "a.mp3"},
        {"size_bytes": 1},
        {"name": 1, "size_bytes": 1},
        {"name": "a.mp3", "size_bytes": "1"},
        {"name": "a.mp3", "size_bytes": 1.5},
        {"name": "a.mp3", "size_bytes": True},
        {"name": "", "size_bytes": 1},
        {"name": "a" * 256, "size_bytes": 1},
    ],
)
def test_a_body_that_is_not_as_described_is_refused_with_words(body: object) -> None:
    with pytest.raises(RequestUnreadable, match="name"):
        UploadRequest.from_body(body)


def test_a_body_as_described_is_read() -> None:
    assert UploadRequest.from_body({"name": "a.mp3", "size_bytes": 4711, "more": 1}) == UploadRequest("a.mp3", 4711)
