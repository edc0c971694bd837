"""Log lines: one JSON object each, and nothing in them that opens a door."""

import io
import json

import pytest
from aws_lambda_powertools import Logger

from audio_highlights.config import variable
from audio_highlights.errors import ProviderUnavailable, TranscriptNotReady
from audio_highlights.models import Upload
from audio_highlights.workflow import binding
from tests.fakes import SECRET, FakeQueue, World
from tests.unit.functions import Context, event, lines, load

SIGNED = "https://recordings.s3.amazonaws.com/calls/a.wav?versionId=v1&X-Amz-Signature=verysecret"


def test_a_line_has_level_service_utc_time_and_what_was_appended(logger: Logger, output: io.StringIO) -> None:
    logger.append_keys(recording_id="r1")
    logger.info("submitted", reason="new")
    [line] = lines(output.getvalue())
    assert (line["level"], line["message"], line["recording_id"], line["reason"]) == ("INFO", "submitted", "r1", "new")
    assert line["service"].startswith("test-")
    assert line["timestamp"].endswith("+0000")


def test_no_signature_is_in_a_message(logger: Logger, output: io.StringIO) -> None:
    logger.info(f"unable to download {SIGNED}. Please try again", url=SIGNED, nested={"urls": [SIGNED]})  # noqa: G004
    [line] = lines(output.getvalue())
    assert "verysecret" not in output.getvalue()
    assert line["url"] == SIGNED.partition("?")[0]
    assert "Please try again" in line["message"]


def test_no_signature_is_in_a_traceback(logger: Logger, output: io.StringIO) -> None:
    def fetch(url: str) -> None:
        message = f"403 for {url}"
        raise OSError(message)

    try:
        try:
            fetch(SIGNED)
        except OSError as error:
            message = f"after {SIGNED}"
            raise RuntimeError(message) from error
    except RuntimeError:
        logger.exception("unexpected")
    [line] = lines(output.getvalue())
    assert "RuntimeError: after https://recordings.s3.amazonaws.com/calls/a.wav" in line["exception"]
    assert "verysecret" not in output.getvalue()


@pytest.mark.parametrize("quoted", [f'Could not connect to the endpoint URL: "{SIGNED}"', f'("{SIGNED}", "next")'])
def test_a_line_with_a_url_in_quotes_is_still_json(logger: Logger, output: io.StringIO, quoted: str) -> None:
    logger.warning(quoted)
    [line] = lines(output.getvalue())
    assert line["message"] == quoted.replace(SIGNED, SIGNED.partition("?")[0])


def test_a_query_with_letters_beyond_ascii_is_cut_whole(logger: Logger, output: io.StringIO) -> None:
    logger.info("https://x.test/a?name=\u00e9\U0001f600&X-Amz-Signature=verysecret")
    assert "verysecret" not in output.getvalue()


def test_a_line_break_in_a_key_does_not_make_a_second_line(logger: Logger, output: io.StringIO) -> None:
    logger.info("looking", key='a\n{"level":"INFO"}\r\u2028.wav')
    assert output.getvalue().count("\n") == 1
    assert len(lines(output.getvalue())) == 1


@pytest.mark.parametrize(
    "character", ["\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\u202e", "\ud800", "\U000e0001"], ids=ascii
)
def test_a_character_that_is_not_for_reading_is_escaped_and_still_there(
    logger: Logger, output: io.StringIO, character: str
) -> None:
    logger.info(f"a{character}b", key=f"käll {character} 日本 📞")  # noqa: G004
    text = output.getvalue()
    assert text.rstrip("\n").isprintable()
    assert "käll" in text
    assert "日本 📞" in text
    [line] = lines(text)
    assert (line["message"], line["key"]) == (f"a{character}b", f"käll {character} 日本 📞")


def submit_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], world: World) -> str:
    submit = load("submit", monkeypatch)
    monkeypatch.setattr(submit, "submitter", world.submitter)
    monkeypatch.setattr(submit, "queue", FakeQueue())
    submit.handler(event("submit/object-created"), Context())
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "trouble",
    [
        None,
        ProviderUnavailable(f"after {SIGNED}", may_have_accepted=False),
        TranscriptNotReady(SIGNED),
        OSError(SIGNED),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
def test_submit_logs_neither_signature_nor_binding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trouble: Exception | None
) -> None:
    world = World()
    body = json.loads(event("submit/object-created")["Records"][0]["body"])
    upload = Upload.from_event(body)
    world.media.hold(upload)
    if trouble:
        world.provider.refusals.append(trouble)
    output = submit_lines(monkeypatch, capsys, world)
    assert lines(output)[-1]["recording_id"] == upload.recording_id
    for secret in ("verysecret", "Signature", SECRET, binding(SECRET, upload.recording_id, 1)):
        assert secret not in output


def test_every_line_of_submit_names_its_recording(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [line] = lines(submit_lines(monkeypatch, capsys, World()))
    assert (line["bucket"], line["key"], line["message"]) == ("recordings", "calls/refund.mp3", "ignored")
    assert line["recording_id"]
    assert line["function_request_id"] == Context().aws_request_id


def test_an_environment_that_lacks_something_says_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUEUE_URL", raising=False)
    with pytest.raises(RuntimeError, match="QUEUE_URL is missing"):
        variable("QUEUE_URL")
