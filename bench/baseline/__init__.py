"""The baseline: a stack that works as AssemblyAI's serverless sample does, to be deployed beside ours."""

from dataclasses import dataclass
from pathlib import Path

from cli.stack import Stack
from local.stack import Local, Say

STACK_NAME = "baseline"
_TEMPLATE = Path(__file__).with_name("template.yaml")


@dataclass(frozen=True, slots=True)
class Baseline:
    """A deployed one. A recording goes into the media bucket; <key>.txt is in the texts bucket when it is done."""

    media_bucket: str
    texts_bucket: str
    function: str


def deploy(local: Local, say: Say) -> Baseline:
    """Build it and deploy it to this local AWS, to whose environment boto3 must point."""
    built = local.folder / "build-baseline"
    say(f"sam build {STACK_NAME} ...")
    local.sam(
        f"sam-build-{STACK_NAME}.log",
        "build",
        "--template-file",
        str(_TEMPLATE),
        "--build-dir",
        str(built),
        "--cache-dir",
        str(local.folder / "cache"),
    )
    say(f"sam deploy {STACK_NAME} ...")
    local.sam(
        f"sam-deploy-{STACK_NAME}.log",
        "deploy",
        "--template-file",
        str(built / "template.yaml"),
        "--stack-name",
        STACK_NAME,
        "--parameter-overrides",
        f"AssemblyAIApiKey={local.engine_key}",
        f"AssemblyAIBaseUrl={local.engine_url}",
    )
    outputs = Stack.named(STACK_NAME).outputs
    return Baseline(outputs["MediaBucketName"], outputs["TextsBucketName"], outputs["TranscribeFunctionName"])
