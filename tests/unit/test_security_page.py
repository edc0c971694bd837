"""docs/security.md says what the template and the tests say."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from tests.deployed_template import ROOT, as_written
from tests.unit.test_template import alternatives, as_list, policies

PAGE = ROOT / "docs" / "security.md"
TESTS = ROOT / "tests"


def named(resource: Any) -> str:
    """A resource of a statement as the table names it: by its name in the template."""
    match next(alternatives(resource)):
        case {"Fn::GetAtt": [str(name), *_]} | {"Ref": str(name)}:
            return name
        case {"Fn::Sub": [str(text), {"Bucket": _}]}:
            return "MediaBucket" + text.partition("${Bucket}")[2]
        case {"Fn::Sub": str(text)} if text.startswith("arn:"):
            return text.rpartition(":")[2]
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{(\w+)\.Arn\}", r"\1", text)
        case "*":
            return "any"
    message = f"The table has no name for {resource}."
    raise AssertionError(message)


def table() -> list[str]:
    """The rows as the template has them."""
    template = as_written()
    found: list[tuple[str, str]] = []
    for name, statement in policies(template):
        resource = template["Resources"][name]
        if statement["Effect"] == "Allow" and resource["Type"] in ("AWS::IAM::Role", "AWS::IAM::Policy"):
            role = name if resource["Type"] == "AWS::IAM::Role" else resource["Properties"]["Roles"][0]["Ref"]
            on = [named(one) for one in as_list(statement["Resource"])]
            if on in (["any"], ["KmsKeyArn"], [role.replace("Role", "Logs")]):
                continue  # every role's own logs, and what test_template reads the reasons and limits of
            resources = ", ".join(f"`{one}`" for one in on)
            actions = ", ".join(as_list(statement["Action"]))
            found.append((role, f"| {role} | {resources} | {actions} |"))
    order = list(template["Resources"])
    return [row for _, row in sorted(found, key=lambda one: order.index(one[0]))]


def test_the_table_of_roles_is_the_template_s() -> None:
    written = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| \w+Role \|", line)]
    assert written == table(), "docs/security.md should say:\n" + "\n".join(table())


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)]


def test_the_faults_of_the_webhook_are_numbered_from_43_to_61() -> None:
    assert numbers(PAGE.read_text(encoding="utf-8")) == list(range(43, 62))


@pytest.mark.parametrize("number", range(43, 62))
def test_every_fault_has_a_test_with_its_number(number: int) -> None:
    tests = [path.read_text(encoding="utf-8") for path in Path(TESTS).rglob("test_*.py")]
    assert any(re.search(rf"def test_(\d+_and_)?{number}_", text) for text in tests)


def test_the_key_policy_lets_every_service_in_that_uses_the_key_by_itself() -> None:
    [policy] = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    let_in = {one["Principal"]["Service"].partition(".")[0] for one in json.loads(policy)}
    template = as_written()
    publishing = {
        statement["Principal"]["Service"].partition(".")[0]
        for _, statement in policies(template)
        if statement["Effect"] == "Allow" and "Service" in statement.get("Principal", {})
    }
    assert publishing == {"events", "cloudwatch"}
    assert let_in == publishing | {"logs"}
    groups = [
        one["Properties"]["LogGroupName"]["Fn::Sub"].replace("${AWS::StackName}", "audio-highlights")
        for one in template["Resources"].values()
        if one["Type"] == "AWS::Logs::LogGroup"
    ]
    [logs] = [one for one in json.loads(policy) if "Condition" in one]
    patterns = [
        one.partition(":log-group:")[2] for one in logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    ]
    for group in groups:
        assert any(fnmatchcase(group, pattern) for pattern in patterns), group
