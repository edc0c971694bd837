"""A deployed stack, found by its name."""

from dataclasses import dataclass
from typing import Self

import boto3
from botocore.exceptions import BotoCoreError, ClientError


class StackNotFound(Exception):
    """No such stack in this account and region."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What the stack's outputs say."""

    name: str
    outputs: dict[str, str]

    @classmethod
    def named(cls, name: str) -> Self:
        """Read the outputs from CloudFormation. Raises StackNotFound."""
        try:
            described = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            message = f"There is no stack {name!r} in this account and region: {error.response['Error']['Message']}"
            raise StackNotFound(message) from error
        except BotoCoreError as error:  # no region, no credentials, nobody there
            message = (
                f"AWS cannot be asked for the stack {name!r}: {error} Is the stack up (make local), its env sourced?"
            )
            raise StackNotFound(message) from error
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
        return cls(name, outputs)

    @property
    def media_bucket(self) -> str:
        return self.outputs["MediaBucketName"]

    @property
    def recordings_table(self) -> str:
        return self.outputs["RecordingsTableName"]

    @property
    def highlights_table(self) -> str:
        return self.outputs["HighlightsTableName"]

    @property
    def page_url(self) -> str:
        return self.outputs["PageUrl"]
