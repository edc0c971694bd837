"""deliver: a transcript that has ended becomes files, items, a closed row and an event; never another recording's."""

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from audio_highlights.errors import ForeignTranscript, ProviderUnavailable, StorageBusy, TranscriptNotReady
from audio_highlights.models import Finished, HighlightsStatus, Status
from audio_highlights.workflow import HIGHLIGHTS_READY, RECORDING_FAILED, WEBHOOK_HEADER, Outcome
from tests.fakes import LEASE_SECONDS, Crash, World

REFUND = {
    "count": 2,
    "rank": 0.11,
    "text": "Refund",
    "timestamps": [{"start": 250, "end": 700}, {"start": 9, "end": 90}],
}
CLAIM = {"count": 1, "rank": 0.06, "text": "new claim", "timestamps": [{"start": 1000, "end": 1400}]}
COMPLETED: dict[str, Any] = {
    "auto_highlights_result": {"status": "success", "results": [CLAIM, REFUND]},
    "audio_duration": 31,
    "confidence": 0.9312,
    "language_code": "en_us",
    "speech_model_used": "universal-3-5-pro",
    "text": "Refund, please.",
}


def completed(world: World, **body: Any) -> Finished:
    finished = world.submitted()
    world.provider.end(finished.transcript_id, **{**COMPLETED, **body})
    return finished


def files(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """The highlights file and the transcript file, which must be the only ones."""
    [highlights] = [file for name, file in world.results.files.items() if name.startswith("highlights/")]
    [transcript] = [file for name, file in world.results.files.items() if name.startswith("transcripts/")]
    return highlights, transcript


def test_a_completed_transcript_is_stored_item_by_item_highest_rank_first() -> None:
    world = World()
    finished = completed(world)
    outcome, _ = world.deliver(finished)
    assert outcome is Outcome.COMPLETED
    items = world.ledger.items[finished.recording_id]
    assert [(number, item.text, item.count, item.rank) for number, item in items.items()] == [
        (1, "Refund", 2, Decimal("0.11")),
        (2, "new claim", 1, Decimal("0.06")),
    ]
    assert items[1].timestamps == ((250, 700), (9, 90))


def test_the_row_is_closed_with_what_lists_show() -> None:
    world = World()
    finished = completed(world)
    world.deliver(finished)
    row = world.row(finished)
    expected = {
        "status": Status.COMPLETED,
        "transcript_id": finished.transcript_id,
        "highlights_status": "success",
        "highlight_count": 2,
        "top_highlights": ["Refund", "new claim"],
        "audio_duration": 31,
        "language_code": "en_us",
        "confidence": Decimal("0.9312"),
        "speech_model": "universal-3-5-pro",
        "highlights_uri": f"s3://results/highlights/dt=2026-11-22/{finished.recording_id}.json",
        "transcript_uri": f"s3://results/transcripts/dt=2026-11-22/{finished.recording_id}.json.gz",
    }
    assert {name: row[name] for name in expected} == expected
    assert not {"open_shard", "due_at", "lease_until", "reason"} & set(row)


def test_the_highlights_file_holds_the_providers_result_untouched_and_where_it_came_from() -> None:
    world = World()
    finished = completed(world)
    world.deliver(finished)
    highlights, transcript = files(world)
    assert highlights["auto_highlights_result"] == COMPLETED["auto_highlights_result"]
    row = world.row(finished)
    for name in ("recording_id", "bucket", "key", "version_id", "created_at", "transcript_id"):
        assert highlights[name] == row[name]
    assert transcript["text"] == "Refund, please."


def test_no_signature_is_stored_or_told() -> None:
    world = World()
    world.deliver(completed(world))
    assert "Signature" in world.provider.jobs["t1"]["audio_url"]
    assert "Signature" not in repr((world.results.files, world.events.told, world.ledger.rows))


def test_the_event_says_what_the_files_say() -> None:
    world = World()
    finished = completed(world)
    world.deliver(finished)
    row = world.row(finished)
    [told] = world.told(HIGHLIGHTS_READY)
    assert told == {
        name: row[name]
        for name in [
            *("recording_id", "bucket", "key", "version_id", "transcript_id", "highlights_status", "highlight_count"),
            *("top_highlights", "audio_duration", "language_code", "speech_model", "highlights_uri", "transcript_uri"),
            "options",
        ]
    }


def test_a_list_shows_five_phrases_at_most() -> None:
    world = World()
    results = [{**CLAIM, "text": f"phrase {number}", "rank": number / 100} for number in range(9)]
    finished = completed(world, auto_highlights_result={"status": "success", "results": results})
    world.deliver(finished)
    assert world.row(finished)["top_highlights"] == [f"phrase {number}" for number in (8, 7, 6, 5, 4)]
    assert world.row(finished)["highlight_count"] == 9


# ---- what else was asked for


ENRICHED: dict[str, Any] = {
    "speaker_labels": True,
    "sentiment_analysis": True,
    "entity_detection": True,
    "iab_categories": True,
    "content_safety": True,
    "utterances": [{"speaker": "A", "text": "Refund, please."}, {"speaker": "B", "text": "Yes."}, {"speaker": "A"}],
    "sentiment_analysis_results": [
        {"text": "Refund, please.", "sentiment": one} for one in ("NEUTRAL", "NEUTRAL", "x")
    ],
    "entities": [{"entity_type": "person_name", "text": "Ada"}, {"entity_type": "person_name", "text": "Bo"}, {}],
    "iab_categories_result": {
        "status": "success",
        "results": [{"text": "Refund, please.", "labels": []}],
        "summary": {"Shopping>Refunds": 0.9, "Travel": 0.1, "Modems": 0.95},
    },
    "content_safety_labels": {"status": "success", "results": [], "summary": {"profanity": 0.2}},
}


def test_the_row_and_the_file_carry_a_short_form_of_what_else_was_found() -> None:
    world = World()
    finished = completed(world, **ENRICHED)
    world.deliver(finished)
    row = world.row(finished)
    assert row["insights"] == {
        "speakers": 2,
        "sentiments": {"NEUTRAL": 2, "x": 1},
        "entities": {"person_name": 2},
        "topics": ["Modems", "Shopping>Refunds", "Travel"],
        "content_safety": ["profanity"],
    }
    assert row["options"] == [
        "content_safety", "entity_detection", "iab_categories", "sentiment_analysis", "speaker_labels"
    ]  # fmt: skip
    highlights, transcript = files(world)
    assert highlights["insights"] == row["insights"]
    assert transcript["entities"] == ENRICHED["entities"]
    assert world.told(HIGHLIGHTS_READY)[0]["insights"] == row["insights"]


def test_whatever_the_provider_sends_the_short_form_stays_short() -> None:
    world = World()
    many = [
        {"entity_type": f"{number}" * 999, "sentiment": "\u00e4" * 999, "speaker": str(number)} for number in range(999)
    ]
    labels = {"status": "success", "summary": {"topic" * 99 + str(number): number for number in range(999)}}
    wrong = {"chapters": "none", "speech_understanding": [], "audio_channels": "two"}
    finished = completed(
        world, entities=many, sentiment_analysis_results=many, words=many, iab_categories_result=labels, **wrong
    )
    world.deliver(finished)
    assert len(json.dumps(world.row(finished)["insights"], ensure_ascii=False).encode()) < 2048


def understanding(**answer: Any) -> dict[str, Any]:
    request = {"summarization": {"summary_type": "paragraph"}}
    return {"speech_understanding": {"request": request, "response": {"summarization": answer}}}


PASSAGES = [{"start": 0, "end": 900, "headline": "A refund", "text": "Ada asks for a refund."}, {"headline": "Thanks"}]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (understanding(status="success", summary=PASSAGES), "success", "Ada asks for a refund.\nThanks"),
        ({"summarization": True, "summary": " Ada asks for a refund. "}, "success", "Ada asks for a refund."),
        (understanding(status="failed", summary=None), "unavailable", None),
        (understanding(status="success", summary=[{"text": " "}, "x", {"text": 7}]), "missing", None),
        ({"speech_understanding": {"request": {"summarization": {}}}}, "missing", None),
        ({"summarization": True, "summary": None}, "missing", None),
    ],
)
def test_87_a_summary_is_stored_or_it_says_why_there_is_none(
    body: dict[str, Any], status: str, text: str | None
) -> None:
    world = World()
    finished = completed(world, **body)
    world.deliver(finished)
    for place in (world.row(finished), files(world)[0], world.told(HIGHLIGHTS_READY)[0]):
        assert (place["summary_status"], place.get("summary")) == (status, text)


def test_without_a_request_for_a_summary_there_is_none_and_no_status() -> None:
    world = World()
    finished = completed(world, summarization=False, summary=None)
    world.deliver(finished)
    assert not {"summary", "summary_status"} & {*world.row(finished), *files(world)[0]}


def test_a_long_summary_is_cut_on_the_row_and_whole_in_the_file() -> None:
    world = World()
    whole = "The customer asks for a refund again. " * 100
    finished = completed(world, summarization=True, summary=whole)
    world.deliver(finished)
    short = world.row(finished)["summary"]
    assert len(short) <= 1000
    assert short.endswith("\u2026")
    assert whole.startswith(short[:-1])
    assert files(world)[0]["summary"] == whole.strip()


def test_85_of_a_redacted_recording_nothing_that_repeats_the_speech_is_stored_or_told() -> None:
    world = World()
    hidden = "Ada Lovelace"
    phrase = {"count": 1, "rank": 0.2, "text": hidden, "timestamps": [{"start": 0, "end": 9}]}
    finished = completed(
        world,
        **{
            **ENRICHED,
            "redact_pii": True,
            "redact_static_entities": {"WHO": [hidden]},
            "keyterms_prompt": [hidden],
            "prompt": f"A call by {hidden}",
            "text": "[PERSON_NAME] wants a refund: a new claim.",
            "unredacted_text": f"{hidden} wants a refund.",
            "unredacted_words": [{"text": hidden}],
            "entities": [{"entity_type": "person_name", "text": hidden}],
            "chapters": [{"headline": hidden}],
            "sentiment_analysis_results": [{"text": hidden, "sentiment": "NEUTRAL", "start": 0, "end": 9}],
            "iab_categories_result": {"results": [{"text": hidden, "timestamp": {}}], "summary": {"Modems": 1}},
            "content_safety_labels": {"results": [{"text": hidden}], "summary": {}},
            "auto_highlights_result": {"status": "success", "results": [phrase, REFUND, CLAIM]},
            "summarization": True,
            "summary": f"{hidden} calls.",
            **understanding(status="success", summary=[{"text": hidden}]),
        },
    )
    world.deliver(finished)
    row = world.row(finished)
    assert hidden not in repr((row, world.results.files, world.events.told, world.ledger.items))
    assert row["top_highlights"] == ["Refund", "new claim"]
    assert row["insights"]["redact_pii"] is True
    assert row["insights"]["entities"] == {"person_name": 1}
    assert files(world)[1]["sentiment_analysis_results"] == [{"sentiment": "NEUTRAL", "start": 0, "end": 9}]


def test_86_redacted_audio_is_kept_when_it_is_there_however_late_and_often_it_is_asked_for() -> None:
    world = World()
    finished = completed(world, redact_pii=True, redact_pii_audio=True, redact_pii_audio_quality="wav")
    world.deliver(finished)
    world.deliver(finished, redelivered=True)
    assert world.queue.sent == [{**finished.body(), "redacted_audio": True}] * 2
    news = Finished.from_body(world.queue.sent[0])
    with pytest.raises(TranscriptNotReady):
        world.deliver(news)
    assert "redacted_audio_uri" not in world.row(finished)
    world.provider.redacted["t1"] = [b"beep", b"beep"]
    for _ in range(2):
        assert world.deliver(news)[0] is Outcome.COMPLETED
    key = f"redacted/dt=2026-11-22/{finished.recording_id}"
    assert world.results.audio == {key: ("wav", b"beepbeep")}
    assert world.row(finished)["redacted_audio_uri"] == f"s3://results/{key}"
    assert world.row(finished)["status"] is Status.COMPLETED


def test_86_redacted_audio_of_another_transcript_or_of_an_open_recording_is_not_kept() -> None:
    world = World()
    finished = completed(world)
    world.provider.redacted |= {"t1": [b"x"], "t9": [b"y"]}
    early = replace(finished, redacted_audio=True)
    assert world.deliver(early)[0] is Outcome.DUPLICATE
    world.deliver(finished)
    assert world.deliver(replace(early, transcript_id="t9"))[0] is Outcome.DUPLICATE
    assert (world.results.audio, world.queue.sent) == ({}, [])


WITHOUT_RANK = {"count": 1, "text": "without a rank", "timestamps": []}


@pytest.mark.parametrize(
    ("expected", "texts", "body"),
    [
        ("missing", [], {"auto_highlights_result": None}),
        ("missing", [], {"auto_highlights_result": None, "language_code": "en"}),
        ("missing", [], {"auto_highlights_result": None, "language_code": None}),
        ("missing", [], {"auto_highlights_result": []}),
        ("language_not_supported", [], {"auto_highlights_result": None, "language_code": "de"}),
        ("language_not_supported", [], {"auto_highlights_result": {"status": "success"}, "language_code": "es"}),
        ("unavailable", [], {"auto_highlights_result": {"status": "unavailable", "results": None}}),
        ("unavailable", [], {"auto_highlights_result": {}}),
        ("empty", [], {"auto_highlights_result": {"status": "success", "results": []}}),
        ("empty", [], {"auto_highlights_result": {"status": "success", "results": None}}),
        (
            "empty",
            [],
            {"auto_highlights_result": {"status": "success", "results": [None, 7, "x", [], {}, {"text": " "}]}},
        ),
        (
            "rank_missing",
            ["Refund", "without a rank"],
            {"auto_highlights_result": {"status": "success", "results": [WITHOUT_RANK, REFUND]}},
        ),
        (
            "rank_missing",
            ["new claim", "Refund"],
            {"auto_highlights_result": {"status": "success", "results": [{**REFUND, "rank": None}, CLAIM]}},
        ),
        (
            "success",
            ["Refund"],
            {"auto_highlights_result": {"status": "success", "results": [{"rank": 1}, REFUND, {"text": None}]}},
        ),
    ],
)
def test_15_64_whatever_became_of_the_highlights_the_recording_completes(
    expected: str, texts: list[str], body: dict[str, Any]
) -> None:
    world = World()
    finished = completed(world, **body)
    assert world.deliver(finished)[0] is Outcome.COMPLETED
    row = world.row(finished)
    assert row["status"] is Status.COMPLETED
    assert row["highlights_status"] == expected
    assert HighlightsStatus(expected)
    assert row["top_highlights"] == texts
    assert [item.text for item in world.ledger.items[finished.recording_id].values()] == texts
    assert [told["highlights_status"] for told in world.told(HIGHLIGHTS_READY)] == [expected]


def test_64_a_body_without_any_result_completes() -> None:
    world = World()
    finished = world.submitted()
    world.provider.end(finished.transcript_id)
    assert world.deliver(finished)[0] is Outcome.COMPLETED
    assert world.row(finished)["highlights_status"] == "missing"


def test_65_five_hundred_phrases_are_all_stored_in_order() -> None:
    world = World()
    results = [{**CLAIM, "text": f"phrase {number}", "rank": number / 1000} for number in range(500)]
    finished = completed(world, auto_highlights_result={"status": "success", "results": results})
    world.deliver(finished)
    items = world.ledger.items[finished.recording_id]
    assert list(items) == list(range(1, 501))
    assert items[1].text == "phrase 499"
    assert items[500].rank == Decimal("0.0")


@pytest.mark.parametrize(
    "entry",
    [
        {"timestamps": None},
        {"timestamps": []},
        {"timestamps": [None, {"start": 1}, {"start": "1", "end": 2}, {"start": 1.5, "end": 2}]},
        {"count": None, "timestamps": []},
        {"rank": "0.1"},
        {"rank": True},
        {"rank": -1.5e-7},
        {"text": "<script>alert(1)</script> \u202e \U0001f600 \"'\\"},
    ],
    ids=str,
)
def test_64_65_69_a_strange_entry_keeps_its_phrase(entry: dict[str, Any]) -> None:
    world = World()
    finished = completed(world, auto_highlights_result={"status": "success", "results": [{**CLAIM, **entry}]})
    world.deliver(finished)
    [item] = world.ledger.items[finished.recording_id].values()
    assert item.text == entry.get("text", "new claim")


def test_14_silence_is_a_completed_recording_without_highlights() -> None:
    world = World()
    silent = {"text": "", "words": [], "auto_highlights_result": {"status": "success", "results": []}}
    finished = completed(world, **silent, confidence=0.0)
    assert world.deliver(finished)[0] is Outcome.COMPLETED
    row = world.row(finished)
    assert (row["highlights_status"], row["highlight_count"], row["top_highlights"]) == ("empty", 0, [])
    assert files(world)[1]["words"] == []


@pytest.mark.parametrize(
    "text",
    [
        "<img src=x onerror=alert(1)>",
        "\u202eevil\u202c \u05e9\u05dc\u05d5\u05dd",
        "\U0001f469\u200d\U0001f680 e\u0301",
        "\"quoted\" 'twice' \\ `",
        "a\n\tb\x00\x1b[31m",
    ],
    ids=ascii,
)
def test_69_a_phrase_is_stored_and_told_as_it_is(text: str) -> None:
    world = World()
    finished = completed(world, auto_highlights_result={"status": "success", "results": [{**REFUND, "text": text}]})
    world.deliver(finished)
    [item] = world.ledger.items[finished.recording_id].values()
    [told] = world.told(HIGHLIGHTS_READY)
    highlights, _ = files(world)
    assert item.text == text
    assert world.row(finished)["top_highlights"] == told["top_highlights"] == highlights["top_highlights"] == [text]
    assert highlights["auto_highlights_result"]["results"][0]["text"] == text


@pytest.mark.parametrize("rank", [1e-200, 1e200, 10**40, -(10**40), 10**400], ids=lambda rank: f"{rank!r:.9}")
def test_65_a_rank_beyond_what_a_table_takes_counts_as_missing(rank: float) -> None:
    world = World()
    results = [{**CLAIM, "rank": rank}]
    finished = completed(world, auto_highlights_result={"status": "success", "results": results})
    world.deliver(finished)
    assert world.row(finished)["highlights_status"] == "rank_missing"


@pytest.mark.parametrize(
    "body",
    [
        {"audio_duration": 30.5},
        {"auto_highlights_result": {"status": "success", "results": [{**CLAIM, "count": 10**40}]}},
        {
            "auto_highlights_result": {
                "status": "success",
                "results": [{**CLAIM, "timestamps": [{"start": 10**40, "end": 1}]}],
            }
        },
    ],
    ids=["duration", "count", "timestamp"],
)
def test_65_a_number_of_the_wrong_kind_does_not_keep_a_recording_open(body: dict[str, Any]) -> None:
    world = World()
    assert world.deliver(completed(world, **body))[0] is Outcome.COMPLETED


# ---- errors


def test_54_a_failed_transcript_fails_the_recording_with_a_reason_without_a_signature() -> None:
    world = World()
    finished = world.submitted()
    audio_url = world.provider.jobs["t1"]["audio_url"]
    world.provider.end("t1", "error", error=f"Transcoding failed, unable to read {audio_url}. Please make sure ...")
    assert world.deliver(finished)[0] is Outcome.FAILED
    row = world.row(finished)
    assert row["status"] is Status.FAILED
    assert "unable to read https://recordings.s3.eu-west-1.amazonaws.com/calls/refund.wav" in row["reason"]
    assert "secret" not in row["reason"]
    [told] = world.told(RECORDING_FAILED)
    assert (told["recording_id"], told["status"], told["reason"]) == (finished.recording_id, "failed", row["reason"])
    assert not world.results.files


def test_an_error_without_a_text_still_gives_a_reason() -> None:
    world = World()
    finished = world.submitted()
    world.provider.end("t1", "error")
    world.deliver(finished)
    assert "gave no reason" in world.row(finished)["reason"]


def test_63_74_a_transcript_that_the_provider_lost_fails_the_recording() -> None:
    world = World()
    finished = world.submitted()
    world.provider.jobs.clear()
    assert world.deliver(finished)[0] is Outcome.FAILED
    assert "does not know transcript t1" in world.row(finished)["reason"]


def second_attempt(world: World) -> tuple[Finished, Finished]:
    """The news of two attempts at one recording, both accepted; the row stands at the second."""
    upload = world.media.put()
    world.journal.crash_after = "create"
    with pytest.raises(Crash, match="create"):
        world.submit(upload)
    world.clock.advance(LEASE_SECONDS)
    world.provider.end("t1", "error", error="Download error")
    world.submit(upload)
    first, second = Finished(upload.recording_id, 1, "t1"), Finished(upload.recording_id, 2, "t2")
    assert world.row(second)["transcript_id"] == "t2"
    return first, second


def test_the_error_of_an_older_attempt_does_not_end_a_newer_one() -> None:
    world = World()
    first, second = second_attempt(world)
    assert world.deliver(first)[0] is Outcome.DUPLICATE
    assert world.row(first)["status"] is Status.PROCESSING
    assert not world.events.told
    world.provider.end("t2", **COMPLETED)
    assert world.deliver(second)[0] is Outcome.COMPLETED


@pytest.mark.parametrize("error", ["Audio duration is too short.", "Download error, unable to download"])
def test_70_whatever_the_error_of_an_older_attempt_the_newer_one_goes_on(error: str) -> None:
    world = World()
    first, second = second_attempt(world)
    world.provider.end("t1", "error", error=error)
    row = dict(world.row(first))
    assert world.deliver(first)[0] is Outcome.DUPLICATE
    assert world.row(first) == row
    assert not world.events.told
    assert world.in_flight.holders == {second.recording_id}


def test_the_error_of_an_adopted_transcript_ends_the_recording() -> None:
    world = World()
    upload = world.media.put()
    world.journal.crash_after = "create"
    with pytest.raises(Crash, match="create"):
        world.submit(upload)
    world.clock.advance(LEASE_SECONDS)
    assert world.submit(upload)[0] is Outcome.ADOPTED
    world.provider.end("t1", "error", error="Audio duration is too short.")
    world.deliver(Finished(upload.recording_id, 1, "t1"))  # its webhook_url names the attempt that asked for it
    assert world.row(upload)["status"] is Status.FAILED


@pytest.mark.parametrize("status", ["queued", "processing"])
def test_62_a_transcript_that_is_not_ready_comes_again(status: str) -> None:
    world = World()
    finished = world.submitted()
    world.provider.jobs["t1"]["status"] = status
    with pytest.raises(TranscriptNotReady, match=status):
        world.deliver(finished)
    assert world.row(finished)["status"] is Status.PROCESSING
    assert not world.results.files


def test_63_trouble_of_the_provider_changes_nothing() -> None:
    world = World()
    finished = completed(world)
    world.provider.get_troubles["t1"] = ProviderUnavailable("503", may_have_accepted=True)
    with pytest.raises(ProviderUnavailable):
        world.deliver(finished)
    assert world.row(finished)["status"] is Status.PROCESSING
    world.provider.get_troubles.clear()
    assert world.deliver(finished, redelivered=True)[0] is Outcome.COMPLETED


# ---- more than once


@pytest.mark.parametrize("status", ["completed", "error"])
def test_46_47_duplicates_and_replays_change_nothing_and_tell_nobody(status: str) -> None:
    world = World()
    finished = world.submitted()
    world.provider.end("t1", status, **COMPLETED)
    world.deliver(finished)
    effects, row = list(world.journal.effects), dict(world.row(finished))
    world.clock.advance(86_400)
    for _ in range(10):
        assert world.deliver(finished)[0] is Outcome.DUPLICATE
    assert world.journal.effects == effects
    assert world.row(finished) == row


@pytest.mark.parametrize(("status", "event"), [("completed", HIGHLIGHTS_READY), ("error", RECORDING_FAILED)])
def test_66_a_redelivery_after_the_row_was_closed_tells_again(status: str, event: str) -> None:
    world = World()
    finished = world.submitted()
    world.provider.end("t1", status, **COMPLETED)
    world.events.troubles.append(StorageBusy("EventBridge did not take it"))
    with pytest.raises(StorageBusy):
        world.deliver(finished)
    row = dict(world.row(finished))
    world.deliver(finished, redelivered=True)
    [told] = world.told(event)
    assert told["recording_id"] == finished.recording_id
    assert world.row(finished) == row


@pytest.mark.parametrize("status", ["completed", "error"])
def test_66_a_crash_after_any_side_effect_leaves_one_result_set_and_an_event(status: str) -> None:
    untroubled = World()
    finished = untroubled.submitted()
    before = len(untroubled.journal.effects)
    untroubled.provider.end("t1", status, **COMPLETED)
    untroubled.deliver(finished)
    effects = untroubled.journal.effects[before:]
    assert effects[-2:] == ["event", "leave"]
    for number in range(1, len(effects) + 1):
        world = World()
        assert world.submitted() == finished
        world.provider.end("t1", status, **COMPLETED)
        world.journal.crash_after = before + number
        with pytest.raises(Crash):
            world.deliver(finished)
        world.deliver(finished, redelivered=True)
        assert world.row(finished)["status"] == untroubled.row(finished)["status"], effects[number - 1]
        assert world.results.files == untroubled.results.files
        assert world.ledger.items == untroubled.ledger.items
        assert world.events.told[-1] == untroubled.events.told[-1]
        assert not world.in_flight.holders


def test_48_a_webhook_before_the_id_was_recorded_finds_its_recording() -> None:
    world = World()
    upload = world.media.put()
    world.journal.crash_after = "create"
    with pytest.raises(Crash, match="create"):
        world.submit(upload)
    assert "transcript_id" not in world.row(upload)
    world.provider.end("t1", **COMPLETED)
    assert world.deliver(Finished(upload.recording_id, 1, "t1"))[0] is Outcome.COMPLETED
    world.clock.advance(LEASE_SECONDS)
    assert world.submit(upload)[0] is Outcome.DUPLICATE
    assert world.row(upload)["status"] is Status.COMPLETED


# ---- what is not ours


def another_recordings(world: World) -> Finished:
    return Finished(world.submitted("a.wav").recording_id, 1, world.submitted("b.wav").transcript_id)


def without_our_webhook(world: World) -> Finished:
    finished = world.submitted()
    world.provider.jobs["t9"] = {"id": "t9", "status": "processing", "audio_url": "https://example.com/a.mp3"}
    return Finished(finished.recording_id, 1, "t9")


def of_another_system(world: World) -> Finished:
    finished = without_our_webhook(world)
    world.provider.jobs["t9"]["webhook_url"] = "https://example.com/hook?recording=7"
    return finished


@pytest.mark.parametrize("make", [another_recordings, without_our_webhook, of_another_system])
@pytest.mark.parametrize("poll", [False, True])
@pytest.mark.parametrize("status", ["completed", "error"])
def test_53_a_foreign_transcript_stores_nothing(make: Callable[[World], Finished], status: str, *, poll: bool) -> None:
    world = World(poll=poll)
    finished = make(world)
    world.provider.end(finished.transcript_id, status, **COMPLETED)
    with pytest.raises(ForeignTranscript):
        world.deliver(finished)
    assert not world.results.files
    assert not world.ledger.items
    assert not world.events.told
    assert world.row(finished)["status"] is Status.PROCESSING


def test_poll_mode_delivers_the_transcript_that_the_row_names() -> None:
    world = World(poll=True)
    finished = completed(world)
    assert world.provider.jobs["t1"]["webhook_url"] is None
    assert world.deliver(finished)[0] is Outcome.COMPLETED


def test_51_news_of_a_recording_without_a_row_is_kept_for_a_person() -> None:
    world = World()
    others = world.submitted()
    world.provider.end("t1")
    with pytest.raises(ForeignTranscript, match="row was deleted"):
        world.deliver(Finished("f" * 32, 1, others.transcript_id))
    assert "t1" in world.provider.jobs


def test_51_what_nobody_knows_any_more_is_no_news() -> None:
    assert World().deliver(Finished("f" * 32, 1, "t1"))[0] is Outcome.DUPLICATE


def test_52_a_completed_that_the_provider_does_not_confirm_stores_nothing() -> None:
    world = World()
    finished = world.submitted()
    with pytest.raises(TranscriptNotReady):
        world.deliver(finished)
    assert not world.results.files


def two_transcripts(world: World) -> tuple[Finished, Finished]:
    """Two transcripts of one recording, both completed and both bound to it."""
    first = world.submitted()
    other = {"status": "success", "results": [{**CLAIM, "text": "of the other"}]}
    world.provider.jobs["t2"] = {**world.provider.jobs["t1"], "id": "t2"}
    world.provider.end("t1", **COMPLETED)
    world.provider.end("t2", **{**COMPLETED, "auto_highlights_result": other})
    return first, Finished(first.recording_id, 1, "t2")


def assert_all_of_one_transcript(world: World, finished: Finished) -> None:
    row, (highlights, transcript) = world.row(finished), files(world)
    items = world.ledger.items[finished.recording_id]
    assert row["transcript_id"] == highlights["transcript_id"] == transcript["id"]
    assert row["top_highlights"] == highlights["top_highlights"] == [item.text for item in items.values()]
    assert {told["transcript_id"] for told in world.told(HIGHLIGHTS_READY)} == {row["transcript_id"]}


@pytest.mark.parametrize("redelivered", [False, True])
def test_70_of_two_transcripts_one_after_the_other_the_first_stays(*, redelivered: bool) -> None:
    world = World()
    first, second = two_transcripts(world)
    world.deliver(first)
    assert world.deliver(second, redelivered=redelivered)[0] is Outcome.EXTRA
    assert world.row(first)["transcript_id"] == "t1"
    assert world.provider.deleted == ["t2"]
    assert world.row(first)["extra_transcripts"] == {"t2"}
    assert_all_of_one_transcript(world, first)


def test_70_of_two_transcripts_at_the_same_time_files_items_and_row_are_of_the_same() -> None:
    world = World()
    first, second = two_transcripts(world)
    world.results.during_put = lambda: world.deliver(first)
    assert world.deliver(second)[0] is Outcome.DUPLICATE
    assert world.row(first)["transcript_id"] == "t1"
    assert_all_of_one_transcript(world, first)


def test_74_a_redelivery_after_the_provider_deleted_the_transcript_keeps_what_was_stored() -> None:
    world = World()
    finished = completed(world)
    world.deliver(finished)
    stored, row = dict(world.results.files), dict(world.row(finished))
    world.provider.jobs.clear()
    assert world.deliver(finished, redelivered=True)[0] is Outcome.DUPLICATE
    assert (world.results.files, world.row(finished)) == (stored, row)


def test_53_an_unknown_id_that_the_row_does_not_name_ends_nothing() -> None:
    world = World()
    finished = world.submitted()
    with pytest.raises(ForeignTranscript):
        world.deliver(Finished(finished.recording_id, 1, "made-up"))
    assert world.row(finished)["status"] is Status.PROCESSING


def test_the_binding_header_has_a_name_that_the_provider_takes() -> None:
    assert all(letter.isalnum() or letter == "-" for letter in WEBHOOK_HEADER)
    assert WEBHOOK_HEADER.lower() == WEBHOOK_HEADER  # as the HTTP API hands headers over
