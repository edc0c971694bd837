"""Which files are uploaded, under which keys, and what they carry."""

from pathlib import Path
from typing import Any

import pytest
import typer

from audio_highlights.errors import OptionRefused
from audio_highlights.models import Upload, readable_metadata
from audio_highlights.options import recording_options
from cli import files, recordings
from cli.stack import Stack
from tests.unit.cli.conftest import OUTPUTS, PARAMETERS, Operated

SOUND = b"\xff\xfb\x90\x64" * 10
STACK = Stack("audio-highlights", OUTPUTS, PARAMETERS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Some recordings and what lies about beside them."""
    root = tmp_path / "calls"
    for name in ("b.mp3", "a.mp3", "2026/c ü.wav", "2026/.hidden.mp3", ".git/d.mp3"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SOUND)
    (root / "notes.txt").write_text("What was said")
    (root / "scan.mp3").write_bytes(b"%PDF-1.7 and more")
    (root / "empty.mp3").touch()
    return root


def test_a_folder_keeps_its_places_and_leaves_out_what_is_surely_no_recording(folder: Path) -> None:
    found = files.found([folder], "in/", None, 1000)
    assert [file.key for file in found if not file.skipped] == [
        "in/calls/a.mp3",
        "in/calls/b.mp3",
        "in/calls/2026/c ü.wav",
    ]
    assert {file.path.name: file.skipped for file in found if file.skipped} == {
        "notes.txt": "its bytes are plain text",
        "scan.mp3": "its bytes are a PDF document",
        "empty.mp3": "empty",
        ".hidden.mp3": "hidden",
    }


def test_a_file_that_is_named_is_never_hidden_and_may_have_a_key_of_its_own(folder: Path) -> None:
    [found] = files.found([folder / "2026" / ".hidden.mp3"], "", "calls/x.mp3", 1000)
    assert (found.key, found.skipped) == ("calls/x.mp3", None)


def test_what_is_too_large_or_has_too_long_a_key_is_skipped(folder: Path) -> None:
    [large] = files.found([folder / "a.mp3"], "", None, len(SOUND) - 1)
    assert str(large.skipped).startswith("larger than")
    [long] = files.found([folder / "a.mp3"], "x" * 1020, None, 1000)
    assert "1,024 bytes" in str(long.skipped)


def test_two_files_never_share_a_key(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "a.mp3"
    other.parent.mkdir()
    other.write_bytes(SOUND)
    with pytest.raises(typer.BadParameter, match=r"both become a\.mp3"):
        files.found([folder / "a.mp3", other], "", None, 1000)
    with pytest.raises(typer.BadParameter, match="for one file"):
        files.found([folder], "", "x.mp3", 1000)


def test_options_and_metadata_arrive_as_the_pipeline_reads_them() -> None:
    sent = files.metadata(
        STACK, ["language_code=en_uk", "keyterms_prompt=Müller, modem"], ["call_id=4711", "agent=Zoë=1"]
    )
    assert all(text.isascii() for text in sent.values())
    read = {name: readable_metadata(text) for name, text in sent.items()}
    assert (read["call_id"], read["agent"]) == ("4711", "Zoë=1")
    assert recording_options({}, STACK.speech_models, read, {}) == {
        "language_code": "en_uk",
        "keyterms_prompt": ["Müller", "modem"],
    }


@pytest.mark.parametrize("option", ["language_cod=en", "speaker_labels=perhaps", "summarization=true"])
def test_options_that_would_be_refused_are_refused_before_anything_is_sent(option: str) -> None:
    with pytest.raises(OptionRefused):
        files.metadata(STACK, [option], [])


@pytest.mark.parametrize(
    "metadata", ["call_id", "=1", "aai-language_code=en", "two words=1", "note=two\nlines", "note=" + "x" * 2048]
)
def test_metadata_that_s3_would_not_carry_is_a_usage_error(metadata: str) -> None:
    with pytest.raises(typer.BadParameter):
        files.metadata(STACK, [], [metadata])


# ---- the command


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, operated: Operated) -> dict[str, dict[str, Any]]:
    """What was uploaded; each is submitted at once."""
    held: dict[str, dict[str, Any]] = {}

    def upload(stack: Stack, path: Path, key: str, progress: Any, metadata: Any) -> Upload:
        if path.name == "b.mp3":
            message = "the disk is broken"
            raise OSError(message)
        progress(path.stat().st_size)
        held[key] = metadata
        finished = operated.world.submitted(key)
        operated.world.provider.end(finished.transcript_id)
        operated.world.deliver(finished)
        recording = operated.world.ledger.get(finished.recording_id)
        assert recording
        return recording.upload

    monkeypatch.setattr(recordings, "upload", upload)
    return held


def test_a_folder_is_uploaded_and_followed_and_what_fails_does_not_stop_the_others(
    operated: Operated, bucket: dict[str, dict[str, Any]], folder: Path
) -> None:
    report = operated.json("upload", str(folder), "--option", "language_code=en", "--prefix", "in/", exit_code=1)[
        "files"
    ]
    assert {one["key"]: one.get("status", one.get("skipped", one.get("error"))) for one in report} == {
        "in/calls/a.mp3": "completed",
        "in/calls/b.mp3": "it could not be uploaded",
        "in/calls/2026/c ü.wav": "completed",
        "in/calls/2026/.hidden.mp3": "hidden",
        "in/calls/notes.txt": "its bytes are plain text",
        "in/calls/scan.mp3": "its bytes are a PDF document",
        "in/calls/empty.mp3": "empty",
    }
    assert bucket["in/calls/a.mp3"] == {"aai-language_code": "en"}


def test_a_wrong_option_uploads_nothing(operated: Operated, bucket: dict[str, dict[str, Any]], folder: Path) -> None:
    done = operated.run("upload", str(folder), "--option", "language=en")
    assert done.exit_code == 2
    assert "unknown option" in done.stderr
    assert bucket == {}


def test_without_waiting_the_ids_are_printed(
    operated: Operated, bucket: dict[str, dict[str, Any]], folder: Path
) -> None:
    done = operated.run("upload", str(folder / "a.mp3"), "--no-wait")
    assert done.exit_code == 0
    [line] = done.stdout.splitlines()
    assert line.split()[0] in operated.world.ledger.rows


def test_nothing_to_upload_is_a_usage_error(
    operated: Operated, bucket: dict[str, dict[str, Any]], folder: Path
) -> None:
    done = operated.run("upload", str(folder / "notes.txt"))
    assert done.exit_code == 2
    assert "its bytes are plain text" in done.stderr
