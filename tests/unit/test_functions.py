"""The functions as Lambda calls them, with the sample invocations of the events folder."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from audio_highlights.errors import MalformedMessage, ProviderUnavailable, RequestRefused
from audio_highlights.models import Finished, Status, Upload
from audio_highlights.workflow import HIGHLIGHTS_READY, RECORDING_FAILED, binding
from tests.fakes import SECRET, FakeQueue, FakeSecrets, World
from tests.unit.functions import ROOT, Context, event, load, shared

TRANSCRIPT = "9ea68fd3-f953-42c1-9742-976c447fb463"


def upload_of(name: str, record: int = 0) -> Upload:
    return Upload.from_event(json.loads(event(name)["Records"][record]["body"]))


@pytest.fixture
def world() -> World:
    """The recording of the sample events is in the bucket, and its transcript will have the id they tell of."""
    world = World()
    world.media.hold(upload_of("submit/object-created"))
    world.provider.next_ids.append(TRANSCRIPT)
    return world


def run(world: World, name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the function of this sample answers, in this world."""
    function = name.partition("/")[0]
    module = shared(function, monkeypatch)
    replaced: dict[str, dict[str, Any]] = {
        "submit": {"submitter": world.submitter, "queue": world.queue},
        "webhook": {"results_queue": world.queue, "secrets": FakeSecrets()},
        "check": {"provider": world.provider},
        "results": {"deliverer": world.deliverer, "queue": world.queue},
        "sweep": {
            "sweeper": world.sweeper,
            "scanner": world.scanner,
            "deleter": world.deleter,
            "tallier": world.tallier,
        },
    }
    for attribute, stand_in in replaced[function].items():
        assert hasattr(module, attribute)
        monkeypatch.setattr(module, attribute, stand_in)
    return module.handler(event(name), Context())


def test_every_sample_is_json_and_belongs_to_a_function() -> None:
    samples = sorted((ROOT / "events").glob("*/*.json"))
    assert len(samples) >= 9
    for sample in samples:
        assert (ROOT / "functions" / sample.parent.name / "app.py").is_file()
        assert isinstance(json.loads(sample.read_text(encoding="utf-8")), dict)


def test_every_function_has_a_sample() -> None:
    functions = {Path(app).parent.name for app in (ROOT / "functions").glob("*/app.py")}
    assert functions <= {sample.parent.name for sample in (ROOT / "events").glob("*/*.json")}


def test_an_uploaded_object_is_submitted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(world, "submit/object-created", monkeypatch) == {"batchItemFailures": []}
    row = world.row(upload_of("submit/object-created"))
    assert (row["key"], row["status"], row["transcript_id"]) == ("calls/refund.mp3", Status.PROCESSING, TRANSCRIPT)


def test_7_an_odd_key_is_submitted_as_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = upload_of("submit/odd-key")
    assert {" ", "+", "%25", "#", "?", "\u0308", "\U0001f600"} == {
        part for part in (" ", "+", "%25", "#", "?", "\u0308", "\U0001f600") if part in upload.key
    }
    world.media.hold(upload)
    assert run(world, "submit/odd-key", monkeypatch) == {"batchItemFailures": []}
    assert world.row(upload)["key"] == upload.key


def test_6_19_good_among_malformed_is_submitted_and_the_malformed_go_to_the_dead_letters_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = event("submit/malformed-and-good")["Records"]
    answer = run(world, "submit/malformed-and-good", monkeypatch)
    assert answer == {"batchItemFailures": []}
    assert world.queue.buried == [records[0]["body"], records[2]["body"]]
    assert world.provider.paid == [TRANSCRIPT]


def test_a_submit_that_must_be_tried_again_names_its_message(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.provider.refusals.append(ProviderUnavailable("429", may_have_accepted=False))
    answer = run(world, "submit/object-created", monkeypatch)
    [record] = event("submit/object-created")["Records"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}


def test_a_failure_to_submit_is_told_again_at_a_second_receive(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.provider.refusals.append(RequestRefused("400"))
    submit = shared("submit", monkeypatch)
    monkeypatch.setattr(submit, "submitter", world.submitter)
    message = event("submit/object-created")
    submit.handler(message, Context())
    submit.handler(message, Context())
    assert len(world.told(RECORDING_FAILED)) == 1
    message["Records"][0]["attributes"]["ApproximateReceiveCount"] = "2"
    submit.handler(message, Context())
    assert len(world.told(RECORDING_FAILED)) == 2


def test_the_webhook_sample_is_bound_to_the_recording_of_the_upload_sample(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(world, "webhook/completed", monkeypatch) == {"statusCode": 200}
    recording_id = upload_of("submit/object-created").recording_id
    assert world.queue.sent == [{"recording_id": recording_id, "attempt": 1, "transcript_id": TRANSCRIPT}]
    assert binding(SECRET, recording_id, 1) in event("webhook/completed")["headers"].values()


def test_43_a_wrongly_bound_webhook_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(world, "webhook/wrong-binding", monkeypatch) == {"statusCode": 401}
    assert not world.queue.sent


@pytest.mark.parametrize("part", ["results_queue", "secrets"])
def test_57_58_a_throttled_webhook_is_no_4xx(world: World, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    throttled = ClientError({"Error": {"Code": "ThrottlingException"}}, "Call")

    class NoSecrets(FakeSecrets):
        def __getattribute__(self, name: str) -> Any:
            raise throttled.with_traceback(None)

    webhook = shared("webhook", monkeypatch)
    monkeypatch.setattr(webhook, "secrets", FakeSecrets())
    monkeypatch.setattr(webhook, "results_queue", FakeQueue(trouble=throttled))
    if part == "secrets":
        monkeypatch.setattr(webhook, "secrets", NoSecrets())
    with pytest.raises(ClientError, match="Throttling"):  # API Gateway answers 500, and the provider tries again
        webhook.handler(event("webhook/completed"), Context())
    assert not world.queue.sent


@pytest.mark.parametrize(("status", "finished"), [("processing", False), ("completed", True)])
def test_check_answers_whether_it_has_ended(
    world: World, monkeypatch: pytest.MonkeyPatch, status: str, *, finished: bool
) -> None:
    run(world, "submit/object-created", monkeypatch)
    world.provider.end(TRANSCRIPT, status)
    assert run(world, "check/open", monkeypatch) == {"finished": finished}


def test_check_refuses_what_is_not_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MalformedMessage):
        shared("check", monkeypatch).handler({"transcript_id": "t"}, Context())


def test_a_finished_transcript_is_delivered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run(world, "submit/object-created", monkeypatch)
    world.provider.end(TRANSCRIPT)
    assert run(world, "results/finished", monkeypatch) == {"batchItemFailures": []}
    assert world.row(upload_of("submit/object-created"))["status"] is Status.COMPLETED
    assert len(world.told(HIGHLIGHTS_READY)) == 1


def test_a_second_receive_tells_again_and_a_first_does_not(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run(world, "submit/object-created", monkeypatch)
    world.provider.end(TRANSCRIPT)
    results = shared("results", monkeypatch)
    monkeypatch.setattr(results, "deliverer", world.deliverer)
    news = event("results/finished")
    results.handler(news, Context())
    results.handler(news, Context())
    assert len(world.events.told) == 1
    news["Records"][0]["attributes"]["ApproximateReceiveCount"] = "2"
    results.handler(news, Context())
    assert len(world.events.told) == 2


def test_a_message_without_a_recording_goes_to_the_dead_letters_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(world, "results/poison", monkeypatch) == {"batchItemFailures": []}
    assert world.queue.buried == [one["body"] for one in event("results/poison")["Records"]]
    assert not world.journal.effects


def test_the_sweep_answers_what_it_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run(world, "submit/object-created", monkeypatch)
    world.provider.end(TRANSCRIPT)
    world.clock.advance(3600)
    answer = run(world, "sweep/scheduled", monkeypatch)
    assert (answer["due"], answer["ended"]) == (1, 1)
    assert "seen" not in answer
    assert Finished.from_body(world.queue.sent[0]) == Finished.from_body(event("check/open"))


def test_the_sweep_that_is_told_to_delete_does_only_that(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    due = world.submitted()
    world.clock.advance(3600)
    upload = world.media.put("empty.wav", head=b"")
    world.submit(upload)
    deletion = {**event("sweep/delete"), "delete": upload.recording_id}
    sweep = shared("sweep", monkeypatch)
    for attribute in ("sweeper", "scanner", "deleter"):
        monkeypatch.setattr(sweep, attribute, getattr(world, attribute))
    assert run(world, "sweep/delete", monkeypatch) == {"taken": 1}  # nothing of that name is to be deleted
    assert sweep.handler(deletion, Context()) == {"taken": 1}
    assert world.row(upload)["status"] is Status.IGNORED
    world.orders.delete(upload.recording_id)
    assert sweep.handler(deletion, Context()) == {"deleted": 1}
    assert upload.recording_id not in world.ledger.rows
    assert not world.queue.sent
    assert world.row(due)["status"] is Status.PROCESSING


def test_the_sweep_leaves_what_it_has_no_time_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run(world, "submit/object-created", monkeypatch)
    world.clock.advance(3600)
    sweep = shared("sweep", monkeypatch)
    monkeypatch.setattr(sweep, "sweeper", world.sweeper)
    monkeypatch.setattr(sweep, "scanner", world.scanner)
    monkeypatch.setattr(sweep, "tallier", world.tallier)
    assert sweep.handler(event("sweep/scheduled"), Context(remaining_ms=sweep.MARGIN_MS))["due"] == 0


def test_once_a_day_the_bucket_is_scanned_and_the_next_sweep_goes_on_where_the_time_was_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        world.media.put(f"{number}.wav")
    sweep = shared("sweep", monkeypatch)
    monkeypatch.setattr(sweep, "sweeper", world.sweeper)
    monkeypatch.setattr(sweep, "scanner", world.scanner)
    monkeypatch.setattr(sweep, "tallier", world.tallier)
    first = sweep.handler(event("sweep/scan"), Context(remaining_ms=sweep.MARGIN_MS))
    second = sweep.handler(event("sweep/scheduled"), Context())
    assert (first["seen"], second["seen"]) == (2, 2)
    assert first["missing"] + second["missing"] == len(world.called()) == 4
    assert "seen" not in sweep.handler(event("sweep/scheduled"), Context())


def test_72_a_sweep_counts_as_metrics_and_one_that_fails_has_no_heartbeat(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(world, "sweep/scheduled", monkeypatch)
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [one["heartbeat"] for one in metrics] == [[1.0]]
    assert metrics[0]["stopped"] == [0.0]
    monkeypatch.setattr(world.ledger, "due", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(world, "sweep/scheduled", monkeypatch)
    assert "_aws" not in capsys.readouterr().out


@pytest.mark.parametrize("poll", [False, True])
def test_submit_is_wired_for_its_mode(monkeypatch: pytest.MonkeyPatch, *, poll: bool) -> None:
    arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:poll"
    environment = {"STATE_MACHINE_ARN": arn, "WEBHOOK_URL": ""} if poll else {}
    submit = load("submit", monkeypatch, **environment)
    parameters_of = vars(submit.submitter)
    assert (parameters_of["_watch"] is not None) is poll
    assert (parameters_of["_settings"].webhook_url is None) is poll
    assert parameters_of["_settings"].overdue_seconds == 900
    assert parameters_of["_settings"].speech_models == ("universal-3-5-pro", "universal-2")
