"""What the functions measure, and that alarms and dashboard watch what is measured, by exactly its name."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from audio_highlights.workflow import Outcome
from tests.deployed_template import ROOT, as_written
from tests.fakes import OVERDUE_SECONDS, FakeQueue, FakeSecrets, World
from tests.unit.functions import Context, event, load, metrics
from tests.unit.test_functions import TRANSCRIPT, upload_of

STACK = "audio-highlights"
RUNBOOK = ROOT / "docs" / "runbook.md"
type Capture = pytest.CaptureFixture[str]
type Measured = dict[tuple[str, str, str], float]


def as_deployed(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that calls itself what the template calls it."""
    variables = as_written()["Resources"][f"{name.capitalize()}Function"]["Properties"]["Environment"]["Variables"]
    return load(name, monkeypatch, POWERTOOLS_SERVICE_NAME=variables["POWERTOOLS_SERVICE_NAME"])


def printed(
    name: str, sample: Any, stand_ins: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> Measured:
    """What one invocation of a function measures; its service is named as in the template."""
    function = as_deployed(name, monkeypatch)
    for attribute, stand_in in stand_ins.items():
        assert hasattr(function, attribute)
        monkeypatch.setattr(function, attribute, stand_in)
    capsys.readouterr()
    function.handler(sample, Context())
    return metrics(capsys.readouterr().out)


@pytest.fixture
def world() -> World:
    world = World()
    world.media.hold(upload_of("submit/object-created"))
    world.provider.next_ids.append(TRANSCRIPT)
    return world


def submitted(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Measured:
    stand_ins = {"submitter": world.submitter, "queue": world.queue}
    return printed("submit", event("submit/object-created"), stand_ins, monkeypatch, capsys)


def delivered(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Measured:
    results = as_deployed("results", monkeypatch)
    monkeypatch.setattr(world.deliverer, "_measure", vars(results.deliverer)["_measure"])
    monkeypatch.setattr(results, "deliverer", world.deliverer)
    monkeypatch.setattr(results, "queue", FakeQueue())
    capsys.readouterr()
    results.handler(event("results/finished"), Context())
    return metrics(capsys.readouterr().out)


def swept(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Measured:
    stand_ins = {"sweeper": world.sweeper, "scanner": world.scanner, "tallier": world.tallier}
    return printed("sweep", event("sweep/scheduled"), stand_ins, monkeypatch, capsys)


def refused(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Measured:
    stand_ins = {"secrets": FakeSecrets(), "results_queue": FakeQueue()}
    return printed("webhook", event("webhook/wrong-binding"), stand_ins, monkeypatch, capsys)


def test_every_outcome_of_submit_is_counted(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    assert submitted(world, monkeypatch, capsys) == {(STACK, "submit", "submitted"): 1}
    assert submitted(world, monkeypatch, capsys) == {(STACK, "submit", "duplicate"): 1}


def test_a_message_that_must_come_again_is_not_counted_and_measures_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    world.provider.refusals.append(OSError("lost"))
    assert submitted(world, monkeypatch, capsys) == {}


def test_a_completed_recording_says_how_long_it_took_and_how_much_audio_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    submitted(world, monkeypatch, capsys)
    world.provider.end(TRANSCRIPT, audio_duration=100)
    world.clock.advance(42)
    measured = delivered(world, monkeypatch, capsys)
    assert measured == {
        (STACK, "results", "completed"): 1,
        (STACK, "results", "seconds_to_highlights"): 42,
        (STACK, "results", "audio_seconds"): 100,
    }
    assert delivered(world, monkeypatch, capsys) == {(STACK, "results", "duplicate"): 1}


def test_a_refused_call_of_the_webhook_is_counted(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    assert refused(monkeypatch, capsys) == {(STACK, "webhook", "refused"): 1}


def test_a_sweep_says_that_nothing_is_completed_only_while_there_is_work(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    zero = (STACK, "results", "completed")
    assert zero not in swept(world, monkeypatch, capsys)
    finished = world.submitted()
    world.clock.advance(OVERDUE_SECONDS)
    at_work = swept(world, monkeypatch, capsys)
    assert at_work[zero] == 0
    assert at_work[STACK, "sweep", "oldest_at_work_seconds"] == OVERDUE_SECONDS
    world.provider.end(finished.transcript_id)
    assert world.deliver(finished)[0] is Outcome.COMPLETED
    assert zero not in swept(world, monkeypatch, capsys)


def test_a_sweep_with_nothing_to_do_measures_what_is_watched_and_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    alarmed = {alarm["MetricName"] for alarm in alarms().values() if alarm["Dimensions"][0]["Value"] == "sweep"}
    shown = {name for name, service in shown_on_the_dashboard() if service == "sweep"}
    assert {name for _, service, name in swept(world, monkeypatch, capsys) if service == "sweep"} == alarmed | shown


def test_a_sweep_measures_whatever_happened(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    world.submitted()
    world.clock.advance(OVERDUE_SECONDS)
    assert swept(world, monkeypatch, capsys)[STACK, "sweep", "open"] == 1


@pytest.fixture
def measured(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> set[tuple[str, str]]:
    """Every (service, name) that some function prints."""
    found: Measured = refused(monkeypatch, capsys)
    found |= submitted(world, monkeypatch, capsys)
    found |= swept(world, monkeypatch, capsys)
    world.provider.end(TRANSCRIPT)
    found |= delivered(world, monkeypatch, capsys)
    assert {namespace for namespace, *_ in found} == {STACK}
    outcomes = {(service, one.name.lower()) for service in ("submit", "results") for one in Outcome}
    return {(service, name) for _, service, name in found} | outcomes


# ---- what watches them


def alarms() -> dict[str, dict[str, Any]]:
    resources = as_written()["Resources"]
    return {name: one["Properties"] for name, one in resources.items() if one["Type"] == "AWS::CloudWatch::Alarm"}


def test_every_alarm_on_our_own_metrics_watches_one_that_is_printed(measured: set[tuple[str, str]]) -> None:
    watched = []
    for name, alarm in alarms().items():
        if alarm["Namespace"] == {"Ref": "AWS::StackName"}:
            [dimension] = alarm["Dimensions"]
            assert dimension["Name"] == "service", name
            assert (dimension["Value"], alarm["MetricName"]) in measured, name
            watched.append(name)
    assert len(watched) >= 5
    common = as_written()["Globals"]["Function"]["Environment"]["Variables"]
    assert common["POWERTOOLS_METRICS_NAMESPACE"] == {"Ref": "AWS::StackName"}


def test_every_other_alarm_watches_a_metric_of_aws_on_a_resource_of_ours() -> None:
    resources = as_written()["Resources"]
    known = {
        "AWS/SQS": ({"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"}, "AWS::SQS::Queue"),
        "AWS/Lambda": ({"Errors", "Throttles"}, "AWS::Serverless::Function"),
    }
    for name, alarm in alarms().items():
        if isinstance(alarm["Namespace"], str):
            names, kind = known[alarm["Namespace"]]
            assert alarm["MetricName"] in names, name
            [dimension] = alarm["Dimensions"]
            [on] = dimension["Value"].values()
            assert resources[on if isinstance(on, str) else on[0]]["Type"] == kind, name


def widgets() -> list[dict[str, Any]]:
    body = as_written()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    found: list[dict[str, Any]] = json.loads(body)["widgets"]
    return found


def shown_on_the_dashboard() -> list[tuple[str, str]]:
    """Names and services of our own metrics."""
    shown = [line for widget in widgets() for line in widget["properties"].get("metrics", [])]
    return [(line[1], line[3]) for line in shown if line[0] == "${AWS::StackName}"]


def test_the_dashboard_shows_metrics_that_are_printed_and_every_alarm(measured: set[tuple[str, str]]) -> None:
    shown = [line for widget in widgets() for line in widget["properties"].get("metrics", [])]
    own = [line for line in shown if line[0] == "${AWS::StackName}"]
    for _, name, dimension, service, *_ in own:
        assert dimension == "service"
        assert (service, name) in measured
    assert len(own) > 10
    by_id = {line[-1].get("id") for line in shown if isinstance(line[-1], dict)}
    for [expression] in [line for line in shown if isinstance(line[0], dict)]:
        assert set(re.findall(r"[a-z_]+", expression["expression"])) <= by_id
    always = {name for name in alarms() if "Condition" not in as_written()["Resources"][name]}
    assert set(re.findall(r"\$\{(\w+)\.Arn\}", json.dumps(widgets()))) == always


def test_every_queue_and_every_function_is_watched() -> None:
    text = str(list(alarms().values()))
    for name, resource in as_written()["Resources"].items():
        if resource["Type"] in ("AWS::SQS::Queue", "AWS::Serverless::Function"):
            assert f"'{name}'" in text or f"'{name}." in text, name


def test_an_alarm_tells_when_it_begins_and_when_it_ends() -> None:
    for name, alarm in alarms().items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}], name
        assert len(alarm["AlarmDescription"]) > 40, name
        assert alarm["TreatMissingData"] == ("breaching" if name == "SweepSilent" else "notBreaching"), name


def test_the_runbook_has_an_entry_for_every_alarm_and_for_no_other() -> None:
    text = RUNBOOK.read_text(encoding="utf-8")
    headings = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    assert sorted(headings) == sorted(alarms())
    for entry in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        name = entry.partition("\n")[0]
        for part in ("**Means.**", "**Look.**", "**Mend.**", "**Clears.**"):
            assert part in entry, f"{name}: {part}"


def test_what_the_runbook_names_is_there() -> None:
    template = as_written()
    text = RUNBOOK.read_text(encoding="utf-8")
    for name in re.findall(r"\$\(resource (\w+)\)", text):
        assert name in template["Resources"], name
    for name in re.findall(r"\$\(output (\w+)\)", text):
        assert name in template["Outputs"], name
    for group in re.findall(r'"/\$STACK/(\w+)"', text):
        assert (Path(ROOT / "functions" / group)).is_dir() or group == "access", group


def test_the_template_has_no_yaml_that_only_we_can_read() -> None:
    # Merged keys are resolved when the template is built; one that were given twice would be read in two ways.
    class Strict(yaml.SafeLoader):
        pass

    def mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> None:
        merged = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                merged += [inner.value for inner, _ in value.value]
        assert len(merged) == len(set(merged)), node.start_mark
        for _, value in node.value:
            loader.construct_object(value, deep=True)

    Strict.add_constructor("tag:yaml.org,2002:map", mapping)
    Strict.add_multi_constructor("!", lambda *_: None)
    yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), Loader=Strict)  # noqa: S506  builds nothing
