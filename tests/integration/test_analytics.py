"""The saved queries of analytics.yaml, over files as the pipeline writes them.

The text is Athena's. sqlglot translates it for DuckDB, which reads the same layout on this machine: the folders by day,
the columns and types of the Glue table.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
import sqlglot
from samtranslator.yaml_helper import yaml_parse

from audio_highlights.storage import Results
from audio_highlights.workflow import Outcome
from local.stack import Local
from tests.deployed_template import ROOT
from tests.fakes import World

RESOURCES = yaml_parse((ROOT / "analytics.yaml").read_text(encoding="utf-8"))["Resources"]
TABLE = RESOURCES["Highlights"]["Properties"]["TableInput"]
QUERIES = {name: one["Properties"] for name, one in RESOURCES.items() if one["Type"] == "AWS::Athena::NamedQuery"}
TODAY = datetime.now(UTC).replace(hour=12)

type Ask = Callable[..., list[tuple[Any, ...]]]


def phrase(text: str, count: int, rank: float = 0.1) -> dict[str, Any]:
    return {"text": text, "count": count, "rank": rank, "timestamps": [{"start": 240, "end": 1200}] * count}


def found(*phrases: dict[str, Any]) -> dict[str, Any]:
    return {"auto_highlights_result": {"status": "success", "results": list(phrases)}, "audio_duration": 1800}


@pytest.fixture
def deliver(bucket: str) -> Callable[..., None]:
    """Takes a recording through the pipeline, whose results bucket is a real one."""
    world = World()
    world.deliverer._results = Results(bucket)  # noqa: SLF001  the only part that is not made up

    def one(key: str, days_ago: int, metadata: dict[str, str], **body: Any) -> None:
        world.clock.now = TODAY - timedelta(days=days_ago)
        finished = world.submitted(key)
        world.row(finished)["metadata"] = metadata
        world.provider.end(finished.transcript_id, **body)
        assert world.deliver(finished)[0] is Outcome.COMPLETED

    return one


@pytest.fixture
def ask(bucket: str, tmp_path: Path) -> Ask:
    """Asks one of the saved queries, or a text, over all that is in the bucket now."""
    location = TABLE["StorageDescriptor"]["Location"]["Fn::Sub"]
    template = TABLE["Parameters"]["storage.location.template"]["Fn::Sub"]
    assert (location, template) == ("s3://${ResultsBucketName}/highlights/", f"{location}dt=${{!dt}}/")

    def answer(name: str = "", *, changed: tuple[str, str] = ("", ""), text: str = "") -> list[tuple[Any, ...]]:
        s3 = boto3.client("s3")
        for stored in s3.list_objects_v2(Bucket=bucket, Prefix="highlights/")["Contents"]:
            here = tmp_path / stored["Key"]
            here.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, stored["Key"], str(here))
        columns = ", ".join(
            f"{one['Name']}: '{sqlglot.exp.DataType.build(one['Type'], dialect='hive').sql('duckdb')}'"
            for one in TABLE["StorageDescriptor"]["Columns"]
        )
        database = duckdb.connect()
        database.execute(
            f"CREATE VIEW highlights AS SELECT * FROM read_json('{tmp_path}/highlights/*/*.json', "  # noqa: S608  ours
            f"format = 'newline_delimited', columns = {{{columns}}}, "
            "hive_partitioning = true, hive_types = {'dt': VARCHAR})"
        )
        query = text or QUERIES[name]["QueryString"]
        [translated] = sqlglot.transpile(
            query.replace(*changed) if any(changed) else query, read="athena", write="duckdb"
        )
        return database.execute(translated).fetchall()

    return answer


@pytest.fixture
def recordings(local_system: Local, deliver: Callable[..., None]) -> None:
    deliver("a.mp3", 0, {"agent": "Ada"}, **found(phrase("Refund", 3), phrase("late parcel", 1)))
    deliver("b.mp3", 0, {"agent": "Ada"}, **found(phrase("refund", 2)))
    deliver("c.mp3", 1, {"agent": "Bo"}, **found(phrase("late parcel", 4)))
    deliver("d.mp3", 1, {}, **found(phrase("refund", 1)))
    deliver("silence.mp3", 1, {"agent": "Bo"}, **found())
    deliver("anruf.mp3", 1, {}, auto_highlights_result=None, language_code="de")
    deliver("old.mp3", 400, {"agent": "Ada"}, **found(phrase("refund", 9)))


@pytest.mark.usefixtures("recordings")
def test_the_top_phrases_of_a_week_count_every_recording_of_it_whatever_its_letters(ask: Ask) -> None:
    rows = ask("TopPhrasesByWeek")
    by_phrase: dict[str, list[int]] = {}
    for week, _, text, times, count in rows:
        assert week.weekday() == 0  # a Monday
        total = by_phrase.setdefault(text, [0, 0])
        total[0], total[1] = total[0] + times, total[1] + count
    assert by_phrase == {"refund": [6, 3], "late parcel": [5, 2]}
    assert [row[1] for row in rows if row[0] == rows[0][0]] == list(range(1, 1 + sum(r[0] == rows[0][0] for r in rows)))


@pytest.mark.usefixtures("recordings")
def test_the_trend_of_a_phrase_has_the_days_on_which_nobody_said_it(ask: Ask) -> None:
    today, yesterday = TODAY.date(), TODAY.date() - timedelta(days=1)
    assert ask("PhraseTrend") == [(yesterday, 4, 1, 1, 25.0), (today, 2, 2, 5, 100.0)]
    assert ask("PhraseTrend", changed=("'refund'", "'late parcel'")) == [
        (yesterday, 4, 1, 4, 25.0),
        (today, 2, 1, 1, 50.0),
    ]


@pytest.mark.usefixtures("recordings")
def test_the_phrases_of_an_agent_come_from_the_metadata_of_the_upload(ask: Ask) -> None:
    assert ask("PhrasesByAgent") == [
        ("Ada", 1, "refund", 5, 2),
        ("Ada", 2, "late parcel", 1, 1),
        ("Bo", 1, "late parcel", 4, 1),
    ]


@pytest.mark.usefixtures("recordings")
def test_the_recordings_of_a_day_are_told_by_how_their_highlights_turned_out(ask: Ask) -> None:
    today, yesterday = TODAY.date(), TODAY.date() - timedelta(days=1)
    assert sorted(ask("RecordingsByDay")) == [
        (yesterday, "empty", 1, 0.5),
        (yesterday, "language_not_supported", 1, 0.0),
        (yesterday, "success", 2, 1.0),
        (today, "success", 2, 1.0),
    ]


def test_every_saved_query_has_a_test() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert set(re.findall(r'ask\("(\w+)"', text)) == set(QUERIES)


def test_every_field_of_a_document_is_a_column_of_its_type(deliver: Callable[..., None], ask: Ask, bucket: str) -> None:
    everything: dict[str, Any] = {
        "audio_channels": 2,
        "utterances": [{"speaker": "A"}, {"speaker": "B"}],
        "sentiment_analysis_results": [{"sentiment": "POSITIVE"}],
        "entities": [{"entity_type": "person_name", "text": "Ada"}],
        "iab_categories_result": {"summary": {"Shopping>Refunds": 0.9}},
        "content_safety_labels": {"summary": {"profanity": 0.2}},
        "chapters": [{"gist": "A refund"}],
        "speech_understanding": {
            "request": {"summarization": {}, "action_items": {}},
            "response": {
                "summarization": {"status": "success", "summary": [{"text": "Ada asks for a refund."}]},
                "action_items": {"status": "success", "items": [{"text": "Refund it."}]},
            },
        },
    }
    deliver("a.mp3", 0, {"agent": "Ada"}, **found(phrase("refund", 1)), **everything)
    deliver("b.mp3", 0, {}, **found(phrase("refund", 1)), redact_pii=True)
    bodies = [
        boto3.client("s3").get_object(Bucket=bucket, Key=stored["Key"])["Body"].read()
        for stored in boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix="highlights/")["Contents"]
    ]
    assert not [body for body in bodies if b"\n" in body]  # Athena reads a row per line
    documents = [json.loads(body) for body in bodies]
    types = {one["Name"]: one["Type"] for one in TABLE["StorageDescriptor"]["Columns"]}
    assert set().union(*documents) == set(types)
    insights: set[str] = set().union(*(one["insights"] for one in documents))
    assert insights == set(re.findall(r"(\w+):", types["insights"]))
    columns = "insights.speakers, insights.sentiments, insights.redact_pii, options, summary_status, summary"
    tasks = ["speech_understanding.summarization", "speech_understanding.action_items"]
    assert sorted(ask(text=f"SELECT {columns} FROM highlights"), key=str) == [  # noqa: S608  ours
        (2, {"POSITIVE": 1}, None, tasks, "success", "Ada asks for a refund."),
        (None, None, True, ["redact_pii"], None, None),
    ]
