"""The audit of a soak: it agrees with a sound system, and names what is wrong with any other."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from audio_highlights.models import Upload, recording_mark
from tests.soak.audit import Count, Evidence, Made, audit
from tests.soak.plan import Plan, PlannedUpload, Poison

BUCKET = "media"


def transcript(made: Made, transcript_id: str, status: str = "completed") -> dict[str, Any]:
    query = urlencode({"response-content-disposition": recording_mark(made.recording_ids[0])})
    return {"id": transcript_id, "status": status, "audio_url": f"http://aws/{BUCKET}/some.mp3?{query}"}


def row(made: Made, status: str, **more: Any) -> dict[str, Any]:
    return {"recording_id": made.recording_ids[0], "key": made.upload.key, "status": status, "attempt": 1, **more}


def completed(made: Made) -> dict[str, Any]:
    recording_id = made.recording_ids[0]
    return row(
        made,
        "completed",
        transcript_id=f"t-{made.planned.tag}",
        highlights_status="success",
        highlight_count=3,
        highlights_uri=f"s3://results/highlights/dt=d/{recording_id}.json",
        transcript_uri=f"s3://results/transcripts/dt=d/{recording_id}.json.gz",
    )


FIRST, SECOND, BAD, EMPTY = (
    Made(PlannedUpload(tag, f"{tag}.mp3", ends=frozenset({ends})), Upload(BUCKET, f"{tag}.mp3", f"v-{tag}", tag, 9))
    for tag, ends in (("first", "completed"), ("second", "completed"), ("bad", "failed"), ("empty", "ignored"))
)
PLAN = Plan(1, tuple(made.planned for made in (FIRST, SECOND, BAD, EMPTY)), (Poison(0, "poison"),), (), ())


def sound() -> Evidence:
    rows = [
        completed(FIRST),
        completed(SECOND),
        row(BAD, "failed", reason="no audio", transcript_id="t-bad"),
        row(EMPTY, "ignored", reason="empty"),
    ]
    ids = [FIRST.recording_ids[0], SECOND.recording_ids[0]]
    return Evidence(
        made=[FIRST, SECOND, BAD, EMPTY],
        rows=rows,
        phrases=dict.fromkeys(ids, 3),
        files={f"highlights/dt=d/{one}.json" for one in ids} | {f"transcripts/dt=d/{one}.json.gz" for one in ids},
        transcripts=[transcript(FIRST, "t-first"), transcript(SECOND, "t-second"), transcript(BAD, "t-bad", "error")],
        counts={"creates": {"http://aws/some.mp3": 3}},
        faults_done=[],
        submit_dead_letters=["poison"],
        results_dead_letters=[],
        events={
            **{("Highlights Ready", one): 1 for one in ids},
            ("Recording Failed", BAD.recording_ids[0]): 2,
        },
        leaks=[],
    )


def disagreeing(seen: Evidence) -> list[Count]:
    return [count for count in audit(PLAN, seen) if not count.agrees]


def test_a_sound_system_agrees_and_the_parts_add_up() -> None:
    counts = {count.name: dict(count.parts) for count in audit(PLAN, sound())}
    assert disagreeing(sound()) == []
    assert counts["uploads = completed + failed + ignored"] == {
        "uploads": 4,
        "completed": 2,
        "failed": 1,
        "ignored": 1,
        "open": 0,
    }
    paid = counts["paid transcripts = recordings with one + explained extra ones"]
    assert (paid["paid"], paid["recordings with a transcript"], paid["jobs that failed, free"]) == (2, 2, 1)


def test_an_extra_transcript_that_was_deleted_and_noted_agrees() -> None:
    seen = sound()
    deleted = {"id": "t-extra", "status": "completed", "audio_url": "http://deleted_by_user"}
    rows = [{**seen.rows[0], "extra_transcripts": {"t-extra"}}, *seen.rows[1:]]
    assert disagreeing(replace(seen, transcripts=[*seen.transcripts, deleted], rows=rows)) == []
    [count] = disagreeing(replace(seen, transcripts=[*seen.transcripts, deleted]))
    assert count.disagreements == ["deleted at the provider, and on no row: transcript t-extra"]


def test_poison_that_was_buried_twice_and_a_dead_letter_of_a_lying_webhook_agree() -> None:
    seen = replace(
        sound(),
        submit_dead_letters=["poison", "poison"],
        results_dead_letters=['{"transcript_id": "unknown"}'],
        faults_done=[{"on": "webhook", "do": "wrong-id"}],
    )
    assert disagreeing(seen) == []


def test_a_row_under_the_content_of_a_version_that_is_gone_is_the_upload_s() -> None:
    seen = sound()
    rows = [*seen.rows[:3], {**seen.rows[3], "recording_id": EMPTY.recording_ids[1]}]
    assert disagreeing(replace(seen, rows=rows)) == []


def with_row(number: int, **changes: Any) -> Callable[[Evidence], Evidence]:
    def change(seen: Evidence) -> Evidence:
        rows = [dict(one) for one in seen.rows]
        rows[number] |= changes
        return replace(seen, rows=rows)

    return change


def without_row(seen: Evidence) -> Evidence:
    return replace(seen, rows=seen.rows[:3])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without_row, "empty (empty.mp3) has no row"),
        (with_row(0, status="processing"), "still open:"),
        (with_row(2, reason=""), "ended without a reason:"),
        (with_row(3, reason=None), "ended without a reason:"),
        (
            lambda seen: replace(seen, rows=[*seen.rows, {**seen.rows[3], "recording_id": "f" * 32}]),
            "a row of no upload:",
        ),
        (
            lambda seen: replace(seen, rows=[*seen.rows, {**seen.rows[3], "recording_id": EMPTY.recording_ids[1]}]),
            "has two rows:",
        ),
        (lambda seen: replace(seen, files=set(sorted(seen.files)[1:])), "no file at the highlights_uri"),
        (lambda seen: replace(seen, files=set(sorted(seen.files)[:-1])), "no file at the transcript_uri"),
        (lambda seen: replace(seen, files=seen.files | {"highlights/x.json"}), "a file of no completed recording:"),
        (with_row(1, highlight_count=4), "3 phrase items, the row says 4:"),
        (lambda seen: replace(seen, phrases={**seen.phrases, "x": 1}), "phrase items of x, which is not completed"),
        (
            lambda seen: replace(seen, transcripts=[*seen.transcripts, transcript(FIRST, "t-again")]),
            "paid and not used: transcript t-again of",
        ),
        (
            lambda seen: replace(seen, transcripts=[*seen.transcripts, transcript(BAD, "t-for-nothing")]),
            "paid and not used: transcript t-for-nothing of",
        ),
        (lambda seen: replace(seen, transcripts=seen.transcripts[1:]), "its transcript is not among the paid ones:"),
        (with_row(0, extra_transcripts={"t-x"}), "on its row as extra, and not deleted: transcript t-x"),
        (lambda seen: replace(seen, submit_dead_letters=[]), "poison that is not among the dead letters: poison"),
        (lambda seen: replace(seen, submit_dead_letters=["poison", "a recording"]), "a submit dead letter that is no"),
        (lambda seen: replace(seen, results_dead_letters=['{"transcript_id": "t-first"}']), "a results dead letter:"),
        (lambda seen: replace(seen, results_dead_letters=["?"]), "1 results dead letters name unknown transcripts"),
        (
            lambda seen: replace(
                seen, events={one: n for one, n in seen.events.items() if one[0] != "Recording Failed"}
            ),
            "no event 'Recording Failed' of",
        ),
        (
            lambda seen: replace(seen, events={**seen.events, ("Recording Failed", FIRST.recording_ids[0]): 1}),
            "an event 'Recording Failed' of",
        ),
        (with_row(0, highlights_status="missing"), "highlights_status missing, not success:"),
        (with_row(3, status="failed"), "should have ignored:"),
        (lambda seen: replace(seen, leaks=["submit: X-Amz-Signature"]), "submit: X-Amz-Signature"),
    ],
)
def test_what_is_wrong_is_said(spoil: Callable[[Evidence], Evidence], said: str) -> None:
    disagreements = [one for count in disagreeing(spoil(sound())) for one in count.disagreements]
    assert [one for one in disagreements if said in one], disagreements
