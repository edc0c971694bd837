"""submit: one upload, one paid transcript, whatever happens on the way."""

import contextlib
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from audio_highlights.config import AudioTransfer
from audio_highlights.errors import (
    PermanentError,
    ProviderAccountRefused,
    ProviderUnavailable,
    RecordingInWork,
    RequestRefused,
    StorageBusy,
)
from audio_highlights.line import PROBE_SECONDS
from audio_highlights.models import MAX_AUDIO_BYTES, MAX_UPLOAD_BYTES, OPEN, Finished, Status, Upload
from audio_highlights.workflow import RECORDING_FAILED, WEBHOOK_HEADER, Outcome, Submitter, binding
from tests.fakes import LEASE_SECONDS, OVERDUE_SECONDS, SECRET, WAV, WEBHOOK_URL, Crash, World

BOTH_TRANSFERS = pytest.mark.parametrize("transfer", list(AudioTransfer))

UNREACHABLE = ProviderUnavailable("no connection within 5 s", may_have_accepted=False)
TOO_MANY = ProviderUnavailable("429, too many requests", may_have_accepted=False)
READ_TIMEOUT = ProviderUnavailable("could not be reached: ReadTimeout", may_have_accepted=True)
WRONG_KEY = ProviderAccountRefused("refuses the API key (401)")
NEGATIVE_BALANCE = ProviderAccountRefused("Your current account balance is negative.")


def test_the_provider_is_asked_for_key_phrases_with_the_configured_models() -> None:
    world = World()
    upload = world.media.put()
    outcome, _ = world.submit(upload)
    assert outcome is Outcome.SUBMITTED
    [asked] = world.provider.asked
    assert asked["auto_highlights"] is True
    assert asked["speech_models"] == ["universal-3-5-pro", "universal-2"]
    assert "language_code" not in asked


def test_the_audio_url_is_signed_for_exactly_the_announced_version() -> None:
    world = World()
    older = world.media.put()
    world.media.put()
    world.submit(older)
    audio_url = urlsplit(world.provider.asked[0]["audio_url"])
    assert audio_url.path == "/calls/refund.wav"
    assert parse_qs(audio_url.query)["versionId"] == [older.version_id]


def test_the_webhook_is_bound_to_the_recording_and_the_attempt() -> None:
    world = World()
    upload = world.media.put()
    world.provider.refusals.append(UNREACHABLE)
    with pytest.raises(ProviderUnavailable):
        world.submit(upload)
    world.submit(upload)
    [asked] = world.provider.asked
    assert asked["webhook_url"] == f"{WEBHOOK_URL}?recording={upload.recording_id}&attempt=2"
    assert asked["webhook_auth_header_name"] == WEBHOOK_HEADER
    assert asked["webhook_auth_header_value"] == binding(SECRET, upload.recording_id, 2)


def test_every_recording_and_every_attempt_has_a_binding_of_its_own() -> None:
    bindings = {binding(SECRET, one, attempt) for one in ("a", "a1", "b") for attempt in (1, 11, 2)}
    assert len(bindings) == 9


def test_the_row_names_the_transcript_and_when_to_worry() -> None:
    world = World()
    upload = world.media.put()
    world.submit(upload)
    row = world.row(upload)
    assert (row["status"], row["transcript_id"], row["attempt"]) == (Status.PROCESSING, "t1", 1)
    assert row["due_at"] == int(world.clock.now.timestamp()) + OVERDUE_SECONDS
    assert row["metadata"] == {"speaker": "Ada"}
    assert "lease_until" not in row


def test_a_transcript_behind_the_concurrency_limit_is_queued() -> None:
    world = World()
    world.provider.first_status = "queued"
    upload = world.media.put()
    world.submit(upload)
    assert world.row(upload)["status"] is Status.QUEUED
    assert world.submit(upload)[0] is Outcome.DUPLICATE
    assert world.provider.paid == ["t1"]


def test_poll_mode_sends_no_webhook_and_watches_the_transcript() -> None:
    world = World(poll=True)
    upload = world.media.put()
    world.submit(upload)
    assert not [name for name in world.provider.asked[0] if name.startswith("webhook")]
    assert world.watch.watched == {f"{upload.recording_id}-1": Finished(upload.recording_id, 1, "t1")}


def test_webhook_mode_watches_nothing() -> None:
    world = World()
    world.submit(world.media.put())
    assert "watch" not in world.journal.effects


def test_upload_mode_streams_the_object_and_notes_its_url_before_it_asks() -> None:
    world = World(transfer=AudioTransfer.UPLOAD)
    upload = world.media.put()
    world.submit(upload)
    [chunks] = world.provider.uploads
    assert len(chunks) > 1
    assert b"".join(chunks) == WAV
    assert world.provider.asked[0]["audio_url"] == "https://cdn.assemblyai.com/upload/1"
    assert world.row(upload)["upload_url"] == "https://cdn.assemblyai.com/upload/1"
    assert world.journal.effects == ["claim", "enter", "upload", "note upload_url", "create", "record transcript"]


def test_what_the_event_lacks_is_taken_from_the_object() -> None:
    world = World()
    stored = world.media.put()
    world.submit(replace(stored, version_id=None, size_bytes=0))
    assert world.row(stored)["version_id"] == stored.version_id
    assert world.row(stored)["size_bytes"] == stored.size_bytes
    assert world.submit(stored)[0] is Outcome.DUPLICATE
    assert world.provider.paid == ["t1"]


# ---- options


def test_options_of_the_stack_and_of_the_recording_reach_the_provider() -> None:
    world = World(options='{"speaker_labels": true, "language_detection": true}')
    upload = world.media.put(metadata={"aai-language_code": "en_uk", "agent": "slt"}, tags={"aai-disfluencies": "true"})
    world.submit(upload)
    [asked] = world.provider.asked
    assert (asked["speaker_labels"], asked["language_code"], asked["disfluencies"]) == (True, "en_uk", True)
    assert "language_detection" not in asked
    assert asked["auto_highlights"] is True
    assert world.row(upload)["metadata"] == {"agent": "slt"}


def test_a_recording_may_name_its_speech_models() -> None:
    world = World()
    world.submit(world.media.put(metadata={"aai-speech_models": "universal-2"}))
    assert world.provider.asked[0]["speech_models"] == ["universal-2"]


def test_15_key_phrases_are_not_asked_for_where_another_language_is_named() -> None:
    world = World()
    upload = world.media.put(metadata={"aai-language_code": "de"})
    world.submit(upload)
    [asked] = world.provider.asked
    assert asked["language_code"] == "de"
    assert "auto_highlights" not in asked  # AssemblyAI would refuse the whole request
    world.provider.end("t1", language_code="de", auto_highlights_result=None)
    world.deliver(Finished(upload.recording_id, 1, "t1"))
    assert (world.row(upload)["status"], world.row(upload)["highlights_status"]) == (
        Status.COMPLETED,
        "language_not_supported",
    )


def test_the_call_is_named_on_the_row() -> None:
    world = World()
    named, ignored = (
        world.media.put(metadata={"call-id": " 4711 "}),
        world.media.put(head=b"", metadata={"call_id": "8"}),
    )
    world.submit(named)
    world.submit(ignored)
    assert [world.row(one)["call_id"] for one in (named, ignored)] == ["4711", "8"]


@pytest.mark.parametrize(
    ("stack", "metadata", "tags", "redact"),
    [
        ('{"redact_pii": true, "redact_pii_audio": true}', {}, {}, True),
        ('{"redact_pii_audio": true}', {}, {}, True),  # cannot be used: it waits, and nobody may hear it meanwhile
        ("{}", {"aai-redact_pii": "true", "aai-redact-pii-audio": "true"}, {}, True),
        ("{}", {}, {"aai-redact_pii": "true", "aai-redact_pii_audio": "true"}, True),
        ("{}", {"aai-redact_pii_audio": "true"}, {}, True),  # refused: it needs redact_pii
        ('{"redact_pii": true}', {"redact_pii_audio": "true"}, {}, False),
    ],
)
def test_88_from_its_first_moment_a_row_says_that_its_audio_is_to_be_redacted(
    stack: str, metadata: dict[str, str], tags: dict[str, str], *, redact: bool
) -> None:
    world = World(options=stack)
    upload = world.media.put(metadata=metadata, tags=tags)
    world.submit(upload)
    assert world.row(upload).get("redact_audio", False) is redact


def test_88_a_tag_that_comes_before_a_retry_is_on_the_row_too() -> None:
    world = World()
    upload = world.media.put(tags={"aai-speech_threshold": "high"})
    world.submit(upload)
    world.media.tag(upload, {"aai-redact_pii": "true", "aai-redact_pii_audio": "true"})
    world.orders.retry(upload.recording_id)
    [again] = world.called()
    assert world.submit(again)[0] is Outcome.SUBMITTED
    assert world.row(upload)["redact_audio"] is True


@pytest.mark.parametrize("where", ["metadata", "tags"])
def test_83_an_option_that_cannot_be_used_fails_with_a_reason_and_one_event_and_nothing_is_paid(where: str) -> None:
    world = World()
    wrong = {"aai-speakers_expected": "two"}
    upload = world.media.put(metadata=wrong) if where == "metadata" else world.media.put(tags=wrong)
    assert world.submit(upload)[0] is Outcome.FAILED
    row = world.row(upload)
    assert row["status"] is Status.FAILED
    for part in (upload.name, "aai-speakers_expected", "'two'", "a whole number from 1 to 100"):
        assert part in row["reason"]
    assert [told["reason"] for told in world.told(RECORDING_FAILED)] == [row["reason"]]
    assert world.submit(upload)[0] is Outcome.DUPLICATE
    assert (world.provider.asked, world.provider.uploads) == ([], [])


def test_83_a_retry_reads_the_mended_tags() -> None:
    world = World()
    upload = world.media.put(metadata={"aai-speaker_label": "true"}, tags={"aai-speech_threshold": "high"})
    world.submit(upload)
    assert world.row(upload)["status"] is Status.FAILED
    world.media.tag(upload, {"aai-speech_threshold": "0.2"})
    world.orders.retry(upload.recording_id)
    [again] = world.called()
    assert world.submit(again)[0] is Outcome.FAILED
    assert "did you mean aai-speaker_labels?" in world.row(upload)["reason"]  # metadata cannot be mended

    upload = world.media.put("calls/tagged.wav", tags={"aai-speech_threshold": "high"})
    world.submit(upload)
    world.media.tag(upload, {"aai-speech_threshold": "0.2"})
    world.orders.retry(upload.recording_id)
    [again] = world.called()
    assert world.submit(again)[0] is Outcome.SUBMITTED
    assert world.provider.asked[0]["speech_threshold"] == 0.2


def test_84_unusable_options_of_the_stack_stop_the_line_until_they_are_mended() -> None:
    world = World(options='{"speakers_expected": 2}')
    uploads = [world.media.put(f"calls/{number}.wav") for number in range(3)]
    assert {world.submit(upload)[0] for upload in uploads} == {Outcome.WAITING}
    for upload in uploads:
        row = world.row(upload)
        assert (row["status"], "speakers_expected needs speaker_labels" in row["reason"]) == (Status.QUEUED, True)
    assert (world.provider.asked, world.events.told) == ([], [])
    assert len(world.submit_queue.delayed) == 1  # one probe, however many wait

    mended = World(options='{"speaker_labels": true, "speakers_expected": 2}')
    world.submitter = Submitter(
        ledger=world.ledger,
        media=world.media,
        provider=world.provider,
        events=world.events,
        line=world.line,
        now=world.clock,
        settings=mended.settings,
        webhook_secret=lambda: SECRET,
        watch=None,
    )
    world.clock.advance(PROBE_SECONDS + 1)
    world.submit(Upload.from_event(world.submit_queue.delayed[0]))
    for upload in world.called():
        world.submit(upload)
    assert len(world.provider.paid) == 3


# ---- more than once


def test_1_the_same_event_five_times_pays_once() -> None:
    world = World()
    upload = world.media.put()
    outcomes = [world.submit(upload)[0] for _ in range(5)]
    assert outcomes == [Outcome.SUBMITTED, *[Outcome.DUPLICATE] * 4]
    assert world.provider.paid == ["t1"]


@pytest.mark.parametrize("status", ["completed", "error"])
def test_1_an_event_that_comes_after_the_end_changes_nothing(status: str) -> None:
    world = World()
    upload = world.media.put()
    world.submit(upload)
    world.provider.end("t1", status)
    world.deliver(Finished(upload.recording_id, 1, "t1"))
    row = dict(world.row(upload))
    assert world.submit(upload)[0] is Outcome.DUPLICATE
    assert world.row(upload) == row
    assert len(world.provider.jobs) == 1


def test_2_3_new_content_under_an_old_key_is_a_recording_of_its_own() -> None:
    world = World()
    older, newer = world.media.put(), world.media.put()
    for upload in (newer, older, older, newer):
        world.submit(upload)
    assert len(world.ledger.rows) == 2
    assert len(world.provider.paid) == 2


def test_21_40_of_two_submits_at_once_the_second_waits() -> None:
    world = World()
    upload = world.media.put()
    refused: list[RecordingInWork] = []

    def second() -> None:
        with pytest.raises(RecordingInWork) as caught:
            world.submit(upload)
        refused.append(caught.value)

    world.provider.during_create = second
    assert world.submit(upload)[0] is Outcome.SUBMITTED
    assert upload.key in str(refused[0])
    assert world.provider.paid == ["t1"]


def test_48_a_webhook_before_the_id_is_recorded_ends_the_recording() -> None:
    world = World()
    upload = world.media.put()

    def webhook() -> None:
        world.provider.end("t1")
        world.deliver(Finished(upload.recording_id, 1, "t1"))

    world.provider.during_create = webhook
    world.submit(upload)
    assert world.row(upload)["status"] is Status.COMPLETED


# ---- crashes


@BOTH_TRANSFERS
@pytest.mark.parametrize("poll", [False, True])
def test_25_26_36_a_crash_after_any_side_effect_leaves_one_paid_transcript(
    transfer: AudioTransfer, *, poll: bool
) -> None:
    untroubled = World(transfer=transfer, poll=poll)
    untroubled.submit(untroubled.media.put())
    effects = untroubled.journal.effects
    assert {"claim", "create", "record transcript"} <= set(effects)
    for number in range(1, len(effects) + 1):
        world = World(transfer=transfer, poll=poll)
        upload = world.media.put()
        world.journal.crash_after = number
        with pytest.raises(Crash):
            world.submit(upload)
        world.clock.advance(LEASE_SECONDS + 1)
        world.submit(upload)
        row = world.row(upload)
        assert world.provider.paid == ["t1"], effects[number - 1]
        assert row["status"] in (Status.QUEUED, Status.PROCESSING), effects[number - 1]
        assert row["transcript_id"] == "t1"
        if poll:
            assert [news.transcript_id for news in world.watch.watched.values()] == ["t1"]


@BOTH_TRANSFERS
@pytest.mark.parametrize("second", range(1, 5))
@pytest.mark.parametrize("first", range(1, 5))
def test_25_26_36_two_crashes_in_a_row_pay_no_more_than_one(transfer: AudioTransfer, first: int, second: int) -> None:
    world = World(transfer=transfer)
    upload = world.media.put()
    for effects in (first, second):
        world.journal.crash_after = len(world.journal.effects) + effects
        with contextlib.suppress(Crash):
            world.submit(upload)
        world.clock.advance(LEASE_SECONDS)
    world.journal.crash_after = None
    world.submit(upload)
    assert world.provider.paid == ["t1"]
    assert world.row(upload)["transcript_id"] == "t1"


def test_36_a_redelivery_while_the_dead_ones_lease_runs_comes_again_later() -> None:
    world = World()
    upload = world.media.put()
    world.journal.crash_after = 1
    with pytest.raises(Crash):
        world.submit(upload)
    world.clock.advance(LEASE_SECONDS - 1)
    with pytest.raises(RecordingInWork):
        world.submit(upload)
    world.clock.advance(1)
    assert world.submit(upload)[0] is Outcome.SUBMITTED
    assert world.row(upload)["attempt"] == 2


def orphaned(transfer: AudioTransfer) -> tuple[World, Upload]:
    """A world in which the function died between the acceptance and the recording of the id."""
    world = World(transfer=transfer)
    upload = world.media.put()
    world.journal.crash_after = "create"
    with pytest.raises(Crash, match="create"):
        world.submit(upload)
    world.clock.advance(LEASE_SECONDS)
    return world, upload


@BOTH_TRANSFERS
@pytest.mark.parametrize("status", ["queued", "processing", "completed"])
def test_26_27_a_paid_transcript_whose_id_was_lost_is_adopted(transfer: AudioTransfer, status: str) -> None:
    world, upload = orphaned(transfer)
    world.provider.jobs["t1"]["status"] = status
    world.submit(world.media.put("calls/other.wav"))  # a neighbour's transcript, newer in the list
    assert world.submit(upload)[0] is Outcome.ADOPTED
    assert world.row(upload)["transcript_id"] == "t1"
    assert world.row(upload)["status"] is (Status.QUEUED if status == "queued" else Status.PROCESSING)
    assert world.provider.paid == ["t1", "t2"]


@BOTH_TRANSFERS
def test_26_a_lost_transcript_that_failed_is_free_and_is_asked_for_anew(transfer: AudioTransfer) -> None:
    world, upload = orphaned(transfer)
    world.provider.end("t1", "error", error="Download error")
    assert world.submit(upload)[0] is Outcome.SUBMITTED
    assert world.row(upload)["transcript_id"] == "t2"
    assert world.provider.paid == ["t2"]


def test_another_versions_transcript_is_not_adopted() -> None:
    world = World()
    older, newer = world.media.put(), world.media.put()
    world.submit(older)
    world.journal.crash_after = len(world.journal.effects) + 1
    with pytest.raises(Crash, match="claim"):
        world.submit(newer)
    world.clock.advance(LEASE_SECONDS)
    assert world.submit(newer)[0] is Outcome.SUBMITTED
    assert world.row(newer)["transcript_id"] == "t2"


def test_without_versions_the_transcript_of_the_former_content_is_not_adopted() -> None:
    world = World()
    older = world.media.put(versioned=False)
    world.submit(older)
    newer = world.media.put(versioned=False)
    world.journal.crash_after = len(world.journal.effects) + 1
    with pytest.raises(Crash, match="claim"):
        world.submit(newer)
    world.clock.advance(LEASE_SECONDS)
    world.submit(newer)
    assert world.row(older)["transcript_id"] != world.row(newer)["transcript_id"]


def test_a_transcript_older_than_the_recording_is_not_looked_for() -> None:
    world, upload = orphaned(AudioTransfer.PRESIGNED_URL)
    world.row(upload)["created_at"] = "2026-11-22T18:00:00.000Z"
    assert world.submit(upload)[0] is Outcome.SUBMITTED


# ---- the provider in trouble


def fails(world: World, upload: Upload, trouble: Exception) -> None:
    """One try that meets this trouble: the message comes again, or the row waits for the stopped line to go on."""
    if isinstance(trouble, ProviderAccountRefused):
        assert world.submit(upload) == (Outcome.WAITING, str(trouble))
        assert world.in_flight.stopped == str(trouble)
        world.clock.advance(PROBE_SECONDS)
    else:
        with pytest.raises(type(trouble)):
            world.submit(upload)
    assert not world.in_flight.holders


@BOTH_TRANSFERS
@pytest.mark.parametrize("trouble", [UNREACHABLE, TOO_MANY, WRONG_KEY, NEGATIVE_BALANCE], ids=str)
def test_28_29_32_33_what_was_surely_not_accepted_waits_with_a_reason_and_is_paid_once(
    transfer: AudioTransfer, trouble: Exception
) -> None:
    world = World(transfer=transfer)
    upload = world.media.put()
    world.provider.refusals += [trouble, trouble]
    for _ in range(2):
        fails(world, upload, trouble)
        assert world.row(upload)["status"] is Status.QUEUED
        assert world.row(upload)["reason"] == str(trouble)
    assert world.submit(upload)[0] is Outcome.SUBMITTED  # at once: no lease is in the way
    assert world.provider.paid == ["t1"]
    assert "reason" not in world.row(upload)
    assert world.row(upload)["attempt"] == 3
    assert not world.events.told


@BOTH_TRANSFERS
def test_27_30_34_what_may_have_been_accepted_is_not_released_but_adopted_later(transfer: AudioTransfer) -> None:
    world = World(transfer=transfer)
    upload = world.media.put()
    world.provider.lost_answers.append(READ_TIMEOUT)
    with pytest.raises(ProviderUnavailable):
        world.submit(upload)
    assert world.row(upload)["status"] is Status.SUBMITTING
    with pytest.raises(RecordingInWork):
        world.submit(upload)
    world.clock.advance(LEASE_SECONDS)
    assert world.submit(upload)[0] is Outcome.ADOPTED
    assert world.provider.paid == ["t1"]


@BOTH_TRANSFERS
@pytest.mark.parametrize("trouble", [UNREACHABLE, TOO_MANY, WRONG_KEY], ids=str)
def test_26_28_29_33_an_orphan_is_looked_for_until_the_list_could_be_read(
    transfer: AudioTransfer, trouble: Exception
) -> None:
    world = World(transfer=transfer)
    upload = world.media.put()
    world.provider.lost_answers.append(READ_TIMEOUT)
    world.provider.list_troubles.append(trouble)
    with pytest.raises(ProviderUnavailable):
        world.submit(upload)
    world.clock.advance(LEASE_SECONDS)
    assert world.in_flight.holders == {upload.recording_id}  # it may be in work
    fails(world, upload, trouble)
    assert world.row(upload)["status"] is Status.SUBMITTING  # not released as surely unpaid
    world.submit(upload)
    assert world.provider.paid == ["t1"]
    assert world.row(upload)["transcript_id"] == "t1"


def test_31_a_refused_request_fails_with_its_reason_and_one_event() -> None:
    world = World()
    upload = world.media.put()
    world.provider.refusals.append(RequestRefused('AssemblyAI refuses the request (400): "speech_models" must be ...'))
    assert world.submit(upload)[0] is Outcome.FAILED
    assert world.submit(upload)[0] is Outcome.DUPLICATE
    row = world.row(upload)
    assert row["status"] is Status.FAILED
    assert '"speech_models" must be' in row["reason"]
    assert "open_shard" not in row
    [told] = world.told(RECORDING_FAILED)
    assert told == {
        "recording_id": upload.recording_id,
        "bucket": upload.bucket,
        "key": upload.key,
        "version_id": upload.version_id,
        "status": "failed",
        "reason": row["reason"],
    }
    assert not world.provider.jobs


@pytest.mark.parametrize("denied", [False, True])
def test_a_failure_is_told_even_if_the_event_bus_did_not_take_it_at_first(*, denied: bool) -> None:
    world = World()
    upload = world.media.put()
    if denied:
        world.media.trouble = PermanentError("S3 denies reading it")
    else:
        world.provider.refusals += [RequestRefused("400"), RequestRefused("400")]
    world.events.troubles.append(StorageBusy("EventBridge did not take it"))
    with pytest.raises(StorageBusy):
        world.submit(upload)
    world.clock.advance(LEASE_SECONDS)
    world.submit(upload, redelivered=True)
    [told] = world.told(RECORDING_FAILED)
    assert told["reason"] == world.row(upload)["reason"]


def test_a_redelivery_that_s3_denies_does_not_tell_that_a_recording_at_work_failed() -> None:
    world = World()
    upload = world.media.put()
    world.submit(upload)
    world.media.trouble = PermanentError("S3 denies reading it")
    world.submit(upload, redelivered=True)
    assert world.row(upload)["status"] is Status.PROCESSING
    assert not world.told(RECORDING_FAILED)


# ---- what is no recording


@pytest.mark.parametrize(
    ("reason", "key", "properties"),
    [
        ("empty (0 bytes)", "empty.wav", {"head": b""}),
        ("folder marker", "calls/", {"head": b""}),
        ("archived", "old.wav", {"storage_class": "GLACIER"}),
        ("archived", "older.wav", {"storage_class": "DEEP_ARCHIVE"}),
        ("5.0 GB", "long.wav", {"size_bytes": MAX_AUDIO_BYTES + 1}),
        ("plain text", "notes.mp3", {"head": b"Agenda\n1. refunds\n"}),
        ("web page", "page.mp3", {"head": b"<!DOCTYPE html><title>404</title>"}),
        ("zip archive", "calls.mp3", {"head": b"PK\x03\x04\x14\x00"}),
        ("PDF document", "scan.mp3", {"head": b"%PDF-1.7\n"}),
    ],
)
def test_8_9_10_11_16_what_is_no_recording_is_ignored_with_a_reason_and_not_paid_for(
    reason: str, key: str, properties: dict[str, object]
) -> None:
    world = World()
    upload = world.media.put(key, **properties)  # type: ignore[arg-type]
    assert world.submit(upload)[0] is Outcome.IGNORED
    assert world.submit(upload)[0] is Outcome.DUPLICATE
    row = world.row(upload)
    assert row["status"] is Status.IGNORED
    assert reason in row["reason"]
    assert f"s3://{upload.bucket}/{key}" in row["reason"]
    assert not world.provider.jobs
    assert not world.events.told


@pytest.mark.parametrize(
    ("transfer", "limit"), [(AudioTransfer.PRESIGNED_URL, MAX_AUDIO_BYTES), (AudioTransfer.UPLOAD, MAX_UPLOAD_BYTES)]
)
def test_10_the_largest_recording_is_taken_and_one_byte_more_is_not(transfer: AudioTransfer, limit: int) -> None:
    world = World(transfer=transfer)
    assert world.submit(world.media.put("a.wav", size_bytes=limit))[0] is Outcome.SUBMITTED
    outcome, reason = world.submit(world.media.put("b.wav", size_bytes=limit + 1))
    assert outcome is Outcome.IGNORED
    assert f"{limit / 1e9:.1f} GB" in reason


def test_what_s3_holds_counts_and_not_what_the_event_says() -> None:
    world = World()
    stored = world.media.put(size_bytes=MAX_AUDIO_BYTES + 1)
    assert world.submit(replace(stored, size_bytes=1000))[0] is Outcome.IGNORED


def test_4_a_deleted_object_is_ignored() -> None:
    world = World()
    upload = world.media.put()
    world.media.delete(upload)
    assert world.submit(upload)[0] is Outcome.IGNORED
    assert "was deleted" in world.row(upload)["reason"]


def test_3_without_versions_an_overwritten_object_is_ignored_and_the_newer_one_submitted() -> None:
    world = World()
    older = world.media.put(versioned=False)
    newer = world.media.put(versioned=False)
    assert world.submit(older)[0] is Outcome.IGNORED
    assert "overwritten" in world.row(older)["reason"]
    assert world.submit(newer)[0] is Outcome.SUBMITTED
    assert world.provider.paid == ["t1"]


@pytest.mark.parametrize("trouble", [UNREACHABLE, NEGATIVE_BALANCE], ids=str)
def test_4_an_object_deleted_while_it_waited_for_the_provider_does_not_stay_open(trouble: Exception) -> None:
    world = World()
    upload = world.media.put()
    world.provider.refusals.append(trouble)
    fails(world, upload, trouble)
    world.media.delete(upload)
    world.submit(upload, redelivered=True)
    assert world.row(upload)["status"] in (Status.IGNORED, Status.FAILED)
    assert "was deleted" in world.row(upload)["reason"]


def test_a_refusal_never_touches_a_row_that_is_at_work() -> None:
    world = World()
    upload = world.media.put()
    world.submit(upload)
    world.media.delete(upload)
    assert world.submit(upload)[0] is Outcome.DUPLICATE
    assert world.row(upload)["status"] in OPEN


def test_17_what_s3_denies_fails_with_a_reason_and_one_event() -> None:
    world = World()
    upload = world.media.put()
    world.media.trouble = PermanentError("S3 denies reading it. Check the bucket policy and the KMS key.")
    assert world.submit(upload)[0] is Outcome.FAILED
    assert world.submit(upload)[0] is Outcome.DUPLICATE
    assert world.row(upload)["status"] is Status.FAILED
    assert [told["reason"] for told in world.told(RECORDING_FAILED)] == [str(world.media.trouble)]
    assert not world.provider.jobs


def test_an_unexpected_error_of_s3_is_not_an_end() -> None:
    world = World()
    upload = world.media.put()
    world.media.trouble = OSError("S3 is slow")
    with pytest.raises(OSError, match="slow"):
        world.submit(upload)
    assert not world.ledger.rows


@pytest.mark.parametrize("key", ["CALL.WAV", "call.txt", "call.pdf", "call", "call.mp3.zip", "calls.d/.wav"])
def test_12_the_bytes_decide_and_not_the_name(key: str) -> None:
    world = World()
    assert world.submit(world.media.put(key))[0] is Outcome.SUBMITTED


@pytest.mark.parametrize("length", [12, 20, 44])
def test_13_a_recording_that_breaks_off_is_the_providers_to_judge_and_fails_with_its_reason(length: int) -> None:
    world = World()
    upload = world.media.put(head=WAV[:length])
    assert world.submit(upload)[0] is Outcome.SUBMITTED
    world.provider.end("t1", "error", error="Transcoding failed. File does not appear to contain audio.")
    assert world.deliver(Finished(upload.recording_id, 1, "t1"))[0] is Outcome.FAILED
    assert "does not appear to contain audio" in world.row(upload)["reason"]
    assert not world.provider.paid


@pytest.mark.parametrize("poll", [False, True])
def test_3_a_key_overwritten_while_in_work_keeps_both_recordings_apart(*, poll: bool) -> None:
    world = World(poll=poll)
    older = world.media.put()
    world.submit(older)
    newer = world.media.put()
    world.submit(newer)
    for upload, transcript_id in ((newer, "t2"), (older, "t1")):
        world.provider.end(transcript_id, text=transcript_id)
        assert world.deliver(Finished(upload.recording_id, 1, transcript_id))[0] is Outcome.COMPLETED
        assert world.row(upload)["transcript_id"] == transcript_id
    assert len(world.results.files) == 4
