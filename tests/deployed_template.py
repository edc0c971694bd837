"""template.yaml as CloudFormation gets it: SAM's transform writes rights, permissions and mappings that it hides.

`python -m tests.deployed_template FOLDER` writes it for the checkers of `make check`: once for each completion mode,
and the state machine by itself.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template.yaml"
POLL = ROOT / "statemachine" / "poll.asl.json"


class _ManagedPolicies:
    """SAM asks which managed policies there are; we use none."""

    def load(self) -> dict[str, str]:
        return {}


def as_written() -> dict[str, Any]:
    """template.yaml, parsed."""
    template: dict[str, Any] = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
    return template


def as_deployed() -> dict[str, Any]:
    """template.yaml after `sam package` and SAM's transform."""
    template = as_written()
    for resource in template["Resources"].values():  # sam package puts S3 places here
        properties = resource.get("Properties", {})
        for name in ("CodeUri", "ContentUri", "DefinitionUri"):
            if name in properties:
                properties[name] = f"s3://bucket/{name}"
    with patch.dict(os.environ, AWS_DEFAULT_REGION="eu-west-1"):
        transformed: dict[str, Any] = transform(template, {}, _ManagedPolicies())
    return transformed


def in_mode(completion_mode: str) -> dict[str, Any]:
    """As deployed with this CompletionMode by default, and with the state machine's definition in its place.

    Checkers look at what the defaults create, and at a definition only where it stands in the template.
    """
    template = as_deployed()
    template["Parameters"]["CompletionMode"]["Default"] = completion_mode
    machine = template["Resources"]["PollStateMachine"]["Properties"]
    del machine["DefinitionS3Location"], machine["DefinitionSubstitutions"]["Partition"]
    machine["Definition"] = poll_loop()
    return template


def poll_loop() -> dict[str, Any]:
    """The state machine; checkers know the ARNs of service integrations, but not with a substitution in them."""
    machine: dict[str, Any] = json.loads(POLL.read_text(encoding="utf-8").replace("${Partition}", "aws"))
    return machine


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    written = {"webhook": in_mode("webhook"), "poll": in_mode("poll"), "poll.asl": poll_loop()}
    for name, document in written.items():
        (folder / f"{name}.json").write_text(json.dumps(document, indent=2), encoding="utf-8")
