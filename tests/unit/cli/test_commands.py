"""Commands on a stack in memory: what they say, on which stream, and their exit codes."""

import itertools
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from audio_highlights.models import Status
from cli import recordings
from cli.stack import Stack, StackNotFound
from tests.unit.cli.conftest import Operated


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


def test_a_list_has_a_line_for_each_recording_with_phrases_or_the_reason(operated: Operated) -> None:
    first, second = operated.completed("calls/a.mp3"), operated.refused("calls/b.pdf")
    done = operated.run("list")
    assert done.exit_code == 0
    header, *lines = done.stdout.splitlines()
    assert header.split() == [
        "recording",
        "came",
        "(UTC)",
        "status",
        "length",
        "key",
        "top",
        "phrases,",
        "or",
        "why",
        "not",
    ]
    [of_first] = [line for line in lines if line.startswith(first[:8])]
    [of_second] = [line for line in lines if line.startswith(second[:8])]
    assert "1:00:00" in of_first
    assert "Internet outage, refund" in of_first
    assert "ignored" in of_second
    assert "is not audio" in of_second
    assert all(len(line) <= 120 for line in lines)


def test_a_list_can_be_narrowed_and_says_where_there_is_more(operated: Operated) -> None:
    for number in range(5):
        operated.completed(f"calls/{number}.mp3")
    operated.refused("calls/b.pdf")
    found = operated.json("list", "--status", "completed", "--limit", "3")
    assert (len(found["recordings"]), found["more"]) == (3, True)
    assert not operated.json("list", "--status", "completed", "--limit", "5")["more"]
    operated.world.clock.advance(8 * 86400)
    assert operated.json("list")["recordings"] == []
    assert len(operated.json("list", "--since", "9d")["recordings"]) == 6
    assert len(operated.json("list", "--since", "2026-11-22")["recordings"]) == 6


def test_a_list_goes_back_further_than_one_question_may(operated: Operated) -> None:
    operated.completed("calls/a.mp3")
    operated.world.clock.advance(200 * 86400)
    assert [one["key"] for one in operated.json("list", "--since", "250d")["recordings"]] == ["calls/a.mp3"]


def test_json_is_one_document_and_numbers_are_numbers(operated: Operated) -> None:
    recording_id = operated.completed("calls/a.mp3")
    shown = operated.json("show", recording_id)
    assert shown["highlights"][0] == {
        "position": 1,
        "text": "Internet outage",
        "count": 2,
        "rank": 0.13,
        "timestamps": [{"start": 65_000, "end": 66_000}] * 2,
    }
    assert shown["page_url"] == f"https://page.example.com/?recording={recording_id}"
    assert not {"lease_until", "due_at", "attempts_before", "upload_url"} & shown.keys()
    assert "X-Amz" not in json.dumps(shown)


def test_a_recording_is_shown_with_its_timeline_options_insights_and_summary(operated: Operated) -> None:
    facts: dict[str, Any] = {
        "options": ["auto_highlights", "speaker_labels"],
        "insights": {"speakers": 2},
        "summary": "An outage, and a refund.",
        "summary_status": "success",
    }
    text = operated.run("show", operated.completed("calls/a.mp3", **facts)).stdout
    for part in (
        "auto_highlights, speaker_labels",
        "speakers: 2",
        "An outage, and a refund.",
        "1:05 1:05",
        "█",
        "1:00:00",
    ):
        assert part in text


def test_a_recording_without_highlights_is_shown_with_the_reason(operated: Operated) -> None:
    text = operated.run("show", operated.refused("calls/b.pdf")).stdout
    assert "ignored" in text
    assert "a PDF document" in text
    assert "rank" not in text


def test_a_recording_is_found_by_the_beginning_of_its_id(operated: Operated) -> None:
    recording_id = operated.completed("calls/a.mp3")
    assert operated.json("show", recording_id[:6])["recording_id"] == recording_id
    other = recording_id[:6] + "0" * 26
    operated.world.ledger.rows[other] = {**operated.world.ledger.rows[recording_id], "recording_id": other}
    done = operated.run("show", recording_id[:6])
    assert done.exit_code == 1
    assert "the beginning of 2 recordings" in done.stderr


def test_a_recording_is_found_by_its_object(operated: Operated, monkeypatch: pytest.MonkeyPatch) -> None:
    recording_id = operated.completed("calls/a.mp3")
    newer = operated.world.media.put("calls/a.mp3")  # its event has not come
    row = operated.world.ledger.rows[recording_id]
    older = operated.world.ledger.get(recording_id)
    assert older
    found = [(newer, None), (older.upload, None)]
    monkeypatch.setattr(recordings, "versions", lambda *_: iter(found))
    assert operated.json("show", f"s3://{row['bucket']}/calls/a.mp3")["recording_id"] == recording_id
    assert operated.run("show", "s3://another/calls/a.mp3").exit_code == 1


@pytest.mark.parametrize(
    ("asked", "start"),
    [("refund", 5445), ("internet  OUTAGE", 65_000), ("2", 5445), ("1:05", 65_000), ("1:00:01", 3_601_000)],
)
def test_play_prints_the_link_to_a_moment(operated: Operated, asked: str, start: int) -> None:
    recording_id = operated.completed("calls/a.mp3")
    done = operated.run("show", recording_id, "--play", asked)
    assert done.stdout == f"https://page.example.com/?recording={recording_id}#t={start}\n"


def test_play_of_what_is_not_said_is_not_found(operated: Operated) -> None:
    done = operated.run("show", operated.completed("calls/a.mp3"), "--play", "weather")
    assert (done.exit_code, done.stdout) == (1, "")


def test_recordings_of_a_call_are_shown_together(operated: Operated) -> None:
    for number in range(2):
        operated.completed(f"calls/{number}.mp3", call_id="4711")
    assert {one["key"] for one in operated.json("show", "--call", "4711")["recordings"]} == {
        "calls/0.mp3",
        "calls/1.mp3",
    }
    assert operated.run("show", "--call", "4712").exit_code == 1


def test_phrases_have_a_bar_for_each_day(operated: Operated) -> None:
    operated.completed("calls/a.mp3")
    operated.world.clock.advance(86400)
    operated.completed("calls/b.mp3")
    operated.completed("calls/c.mp3")
    text = operated.run("phrases", "--since", "3d").stdout
    [line] = [line for line in text.splitlines() if "Internet outage" in line]
    assert line.split() == ["3", "6", "Internet", "outage", "·▄█"]
    assert operated.json("phrases", "--prefix", "ref")["phrases"][0]["count"] == 3


def test_a_search_finds_a_phrase_and_with_prefix_how_it_begins(operated: Operated) -> None:
    operated.completed("calls/a.mp3")
    assert [one["text"] for one in operated.json("search", "REFUND")["sayings"]] == ["refund"]
    assert operated.json("search", "ref")["sayings"] == []
    assert [one["text"] for one in operated.json("search", "ref", "--prefix")["sayings"]] == ["refund"]
    assert "0:05" in operated.run("search", "refund").stdout


def test_watching_ends_with_the_last_and_tells_each_change_as_a_line(
    operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = operated.world.submitted("calls/a.mp3")

    def end(_: float) -> None:
        operated.world.provider.end(finished.transcript_id)
        operated.world.deliver(finished)

    monkeypatch.setattr("time.sleep", end)
    done = operated.run("watch", "--json")
    assert done.exit_code == 0
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["processing", "completed"]


def test_watching_what_failed_exits_1_and_what_does_not_end_3(
    operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert operated.run("watch", operated.refused("calls/b.pdf")).exit_code == 1
    operated.world.submitted("calls/a.mp3")
    ticks = itertools.count(step=10)
    monkeypatch.setattr("time.monotonic", lambda: next(ticks))
    done = operated.run("watch", "--timeout", "60")
    assert done.exit_code == 3
    assert "1 of 1 recordings have not ended" in done.stderr


# ---- retry, delete


def test_a_retry_says_its_cost_and_is_not_done_without_a_yes(operated: Operated) -> None:
    recording_id = operated.refused("calls/b.mp3")
    done = operated.run("retry", recording_id)
    assert done.exit_code == 2
    assert "$0.2200 an hour with universal-3-5-pro and auto_highlights" in done.stderr
    assert "--yes" in done.stderr
    assert operated.world.submit_queue.sent == []


@pytest.mark.parametrize(("selection", "number"), [(["--status", "failed"], 1), (["--prefix", "calls/"], 2)])
def test_retries_are_chosen_by_status_or_by_prefix(operated: Operated, selection: list[str], number: int) -> None:
    operated.refused("calls/a.pdf")
    failed = operated.refused("calls/b.pdf")
    operated.world.ledger.rows[failed]["status"] = Status.FAILED
    operated.refused("other/c.pdf")
    operated.completed("calls/d.mp3")
    outcomes = operated.json("retry", *selection, "--yes")["recordings"]
    assert [one["status"] for one in outcomes] == ["queued"] * number
    assert len(operated.world.submit_queue.sent) == number


def test_a_retry_that_is_refused_is_told_and_exits_1(operated: Operated) -> None:
    recording_id = operated.completed("calls/a.mp3")
    [outcome] = operated.json("retry", recording_id, "--yes", exit_code=1)["recordings"]
    assert "it is completed" in outcome["error"]


def test_a_retry_of_nothing_in_particular_is_a_usage_error(operated: Operated) -> None:
    assert operated.run("retry", "--yes").exit_code == 2
    assert operated.run("retry", "--status", "completed", "--yes").exit_code == 2
    assert operated.run("retry", "--status", "failed", "--yes").exit_code == 0


def test_a_deletion_says_what_goes_and_waits_until_it_is_gone(
    operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording_id = operated.completed("calls/a.mp3")
    assert operated.run("delete", recording_id).exit_code == 2
    assert operated.world.row(operated.world.ledger.get(recording_id).upload)["status"] == "completed"  # type: ignore[union-attr]
    monkeypatch.setattr("time.sleep", lambda _: operated.world.deleter.delete(recording_id))
    done = operated.run("delete", recording_id, "--yes")
    assert done.exit_code == 0
    assert "s3://recordings/calls/a.mp3 (completed, 2 highlights)" in done.stderr
    assert done.stdout.split() == [recording_id, "deleted", "calls/a.mp3"]
    assert recording_id not in operated.world.ledger.rows


def test_a_deletion_that_takes_too_long_exits_3_with_its_reason(
    operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording_id = operated.completed("calls/a.mp3")
    ticks = itertools.count(step=100)
    monkeypatch.setattr("time.monotonic", lambda: next(ticks))
    monkeypatch.setattr("time.sleep", lambda _: operated.world.ledger.rows[recording_id].update(reason="S3 denies it."))
    done = operated.run("delete", recording_id, "--yes")
    assert done.exit_code == 3
    assert "S3 denies it." in done.stderr


# ---- cost


def test_the_cost_is_by_billed_seconds_model_and_options(operated: Operated) -> None:
    operated.completed("calls/a.mp3")  # an hour of universal-2
    operated.completed(
        "calls/b.mp3", options=["auto_highlights", "speaker_labels", "auto_chapters"], audio_duration=1800
    )
    operated.refused("calls/c.pdf")
    found = operated.json("cost")
    assert found["total"] == {
        "recordings": 3,
        "seconds": 5400,
        "provider": pytest.approx(0.16 + 0.18 / 2),
        "aws": pytest.approx(found["by_day"]["2026-11-22"]["aws"]),
    }
    assert found["price_unknown"] == {"auto_chapters": 1}
    assert found["by_option"]["speaker_labels"]["provider"] == pytest.approx(0.01)
    assert [one["provider"] for one in found["by_recording"] if one["key"] == "calls/c.pdf"] == [0]
    told = operated.run("cost", "--by", "option")
    assert "auto_chapters of 1 recording," in told.stderr
    assert "$0.2500" in told.stdout


def test_a_transcript_that_was_paid_twice_is_twice_in_the_cost(operated: Operated) -> None:
    operated.completed("calls/a.mp3", extra_transcripts={"t9"})
    found = operated.json("cost")
    assert (found["total"]["seconds"], found["total"]["provider"]) == (7200, pytest.approx(0.32))


# ---- usage, and AWS


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--since", "yesterday"),
        ("list", "--since", "0d"),
        ("list", "--since", "2027-01-01"),
        ("list", "--status", "done"),
        ("show",),
        ("show", "not-an-id"),
        ("show", "abc"),
        ("phrases", "--since", "100d"),
        ("upload", "/nowhere/at-all.mp3"),
        ("no-such-command",),
    ],
)
def test_what_cannot_be_meant_so_exits_2_and_says_why(operated: Operated, arguments: tuple[str, ...]) -> None:
    done = operated.run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.strip()


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (StackNotFound("There is no stack 'x'."), "There is no stack 'x'."),
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Query"),
            "AWS refuses Query (AccessDenied)",
        ),
        (NoCredentialsError(), "AWS cannot be asked"),
    ],
)
def test_without_a_stack_or_against_aws_exits_4(
    operated: Operated, monkeypatch: pytest.MonkeyPatch, trouble: Exception, said: str
) -> None:
    def named(_: type[Stack], name: str) -> Stack:
        raise trouble

    monkeypatch.setattr(Stack, "named", classmethod(named))
    done = operated.run("list")
    assert (done.exit_code, done.stdout) == (4, "")
    assert said in done.stderr
