"""A deployed stack, found by its name."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import boto3
from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from audio_highlights import reading
from audio_highlights.catalogue import Catalogue
from audio_highlights.config import AudioTransfer, utc_now
from audio_highlights.options import Options, stack_options
from audio_highlights.orders import Orders
from audio_highlights.parameters import Key
from audio_highlights.storage import Ledger, Queue, SweepFunction, batch_get

type Row = dict[str, Any]


class StackNotFound(Exception):
    """No such stack in this account and region."""


class OperatorsCatalogue(reading.Catalogue, Protocol):
    """What the operator reads; see catalogue.Catalogue."""

    def by_call(self, call_id: str, after: Key | None, most: int) -> tuple[Sequence[reading.Row], Key | None]: ...


@dataclass(frozen=True, slots=True)
class Stack:
    """What the stack's outputs and parameters say, and what works on its tables and queues."""

    name: str
    outputs: dict[str, str]
    parameters: dict[str, str] = field(default_factory=dict)

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
        parameters = {one["ParameterKey"]: one.get("ParameterValue", "") for one in described.get("Parameters", [])}
        return cls(name, outputs, parameters)

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

    @property
    def speech_models(self) -> tuple[str, ...]:
        return tuple(self.parameters["SpeechModels"].split(","))

    @property
    def options(self) -> Options:
        """What is asked for every recording. Raises OptionRefused."""
        return stack_options(self.parameters["TranscriptOptions"], self.speech_models)

    @property
    def audio_transfer(self) -> AudioTransfer:
        return AudioTransfer(self.parameters["AudioTransfer"])

    def catalogue(self) -> OperatorsCatalogue:
        """The tables and the files, to be read."""
        return Catalogue(self.recordings_table, self.highlights_table, self.outputs["FlowTableName"])

    def ledger(self) -> Ledger:
        """The rows, to be changed."""
        return Ledger(self.recordings_table, self.highlights_table, utc_now)

    def orders(self) -> Orders:
        """What may be done with a recording."""
        return Orders(
            ledger=self.ledger(),
            submit_queue=Queue(self.outputs["SubmitQueueUrl"]),
            sweep=SweepFunction(self.outputs["SweepFunctionName"]),
            logger=Logger(service="highlights"),
        )

    def rows(self, recording_ids: Collection[str], *attributes: str) -> dict[str, Row]:
        """The rows of these recordings, those that there are: some attributes of them, or all."""
        shape: dict[str, Any] = {"ConsistentRead": True}
        if attributes:
            names = {f"#{number}": name for number, name in enumerate(("recording_id", *attributes))}
            shape |= {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
        keys = [{"recording_id": one} for one in dict.fromkeys(recording_ids)]
        found = batch_get(boto3.client("dynamodb"), self.recordings_table, keys, **shape)
        return {row["recording_id"]: row for row in found}

    def resources(self) -> Mapping[str, str]:
        """What the resources of the template are called here."""
        pages = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        return {
            one["LogicalResourceId"]: one.get("PhysicalResourceId", "")
            for page in pages
            for one in page["StackResourceSummaries"]
        }

    def link(self, recording_id: str, start_ms: int | None = None) -> str:
        """The address of a recording on the page, and of a moment of it."""
        return f"{self.page_url}?recording={recording_id}" + ("" if start_ms is None else f"#t={start_ms}")
