"""What the poll loop costs: Step Functions charges each state that it enters."""

import json
from typing import Any
from uuid import uuid4

import boto3
import pytest

from bench.side_by_side import transitions
from cli.stack import Stack
from tests.e2e.conftest import put_and_end, wait_for
from tests.e2e.test_recordings import SPEECH


def finished(execution_arn: str) -> Any:
    """The history of an execution, once it has succeeded."""
    machine = boto3.client("stepfunctions")

    def look() -> str | None:
        status = machine.describe_execution(executionArn=execution_arn)["status"]
        assert status in ("RUNNING", "SUCCEEDED")
        return status if status == "SUCCEEDED" else None

    wait_for(look, f"the end of {execution_arn}")
    return machine.get_execution_history(executionArn=execution_arn, maxResults=1000)["events"]


@pytest.fixture(scope="module")
def row(poll_stack: Stack) -> dict[str, Any]:
    return put_and_end(poll_stack, SPEECH, f"{uuid4().hex}/refund.mp3")


def test_a_transcript_that_is_finished_at_the_first_question_takes_four_transitions(
    poll_stack: Stack, row: dict[str, Any]
) -> None:
    asked = {name: row[name] for name in ("recording_id", "transcript_id")} | {"attempt": int(row["attempt"])}
    started = boto3.client("stepfunctions").start_execution(
        stateMachineArn=poll_stack.outputs["StateMachineArn"], name=uuid4().hex, input=json.dumps(asked)
    )["executionArn"]
    entered = [
        one["stateEnteredEventDetails"]["name"] for one in finished(started) if "stateEnteredEventDetails" in one
    ]
    assert entered == ["Begin", "Check", "HasEnded", "Report"]
    assert transitions(started) == 4


def test_each_further_question_takes_three(poll_stack: Stack, row: dict[str, Any]) -> None:
    machine = poll_stack.outputs["StateMachineArn"].replace(":stateMachine:", ":execution:")
    execution = f"{machine}:{row['recording_id']}-{row['attempt']}"
    entered = [
        one["stateEnteredEventDetails"]["name"] for one in finished(execution) if "stateEnteredEventDetails" in one
    ]
    assert transitions(execution) == 4 + 3 * (entered.count("Check") - 1)
