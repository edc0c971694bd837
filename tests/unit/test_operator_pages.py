"""The commands on the pages for operators are ones that AWS has, with options that they take."""

import re
from collections.abc import Iterator

import boto3
import pytest
from botocore import xform_name

from tests.deployed_template import ROOT

PAGES = ["README.md", *(f"docs/{name}.md" for name in ("runbook", "outgoing", "security", "analytics"))]
GLOBAL = {"query", "output", "cli-binary-format", "region"}
RENAMED = {("sns", "endpoint"): "notification-endpoint"}  # the CLI has an --endpoint-url already
NOT_OF_THE_API = {("s3", "cp"), ("s3", "sync")}  # what the aws CLI makes of several calls


def commands(page: str) -> Iterator[tuple[str, str, set[str]]]:
    """Every call of the aws CLI: its service, its command, its options."""
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    for found in re.finditer(r"\baws ([a-z0-9-]+) ([a-z0-9-]+)((?:[^`\n;|&]|\n(?!\n))*)", text):
        service, command, rest = found.groups()
        rest = re.sub(r"\"\$\([^)]*\)\"|'[^']*'", "", rest.partition("aws ")[0])
        yield service, command, set(re.findall(r"(?<=\s)--([a-z][a-z-]+)", rest))


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_one_of_aws_and_takes_its_options(page: str) -> None:
    session = boto3.Session(region_name="eu-west-1", aws_access_key_id="none", aws_secret_access_key="none")
    for service, command, options in commands(page):
        if (service, command) in NOT_OF_THE_API:
            continue
        model = session.client("s3" if service == "s3api" else service).meta.service_model  # type: ignore[call-overload]
        calls = {xform_name(name, "-"): name for name in model.operation_names}
        assert command in calls, f"aws {service} {command}"
        members = model.operation_model(calls[command]).input_shape.members
        known = {RENAMED.get((service, name := xform_name(member, "-")), name) for member in members} | GLOBAL
        # A flag takes the place of a true or a false.
        known |= {f"no-{name}" for name in known}
        assert options <= known, f"aws {service} {command}: {options - known}"


def test_there_are_commands_to_look_at() -> None:
    assert sum(len(list(commands(page))) for page in PAGES) > 25
