"""A local AWS and an engine for the integration tests, with the template's tables but no deployment."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import boto3
import pytest

from audio_highlights.storage import Ledger
from bench.running import create_table
from local.stack import Local
from tests.running_system import running


@pytest.fixture(scope="session")
def local_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    with running(tmp_path_factory.mktemp("local")) as local:
        yield local


@dataclass(frozen=True)
class Tables:
    recordings: str
    highlights: str
    flow: str


@pytest.fixture
def tables(local_system: Local) -> Tables:
    """Empty tables, as the template describes them."""
    resources = ("RecordingsTable", "HighlightsTable", "FlowTable")
    return Tables(*(create_table(resource, f"{resource}-{uuid4().hex[:8]}") for resource in resources))


@pytest.fixture
def bucket(local_system: Local) -> str:
    """An empty bucket without versions."""
    name = f"integration-{uuid4().hex[:12]}"
    boto3.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def versioned_bucket(bucket: str) -> str:
    boto3.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


@pytest.fixture(scope="session")
def signer_role(local_system: Local) -> str:
    """A role that may read every object, and that anybody may take."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
    read = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": "*"}],
    }
    iam = boto3.client("iam")
    arn: str = iam.create_role(RoleName="signer", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="signer", PolicyName="read", PolicyDocument=json.dumps(read))
    return arn


class Clock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def pass_by(self, seconds: int) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tables: Tables, clock: Clock) -> Ledger:
    return Ledger(tables.recordings, tables.highlights, clock)
