"""What may be wrong with a stack: each look is one finding, says what it means and what to do, and changes nothing."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import boto3
import requests
from botocore.exceptions import BotoCoreError, ClientError

from audio_highlights.config import utc_now
from audio_highlights.models import CLOCK_DIFFERENCE, Status
from cli.dead_letters import Queues, depth, samples, so_many
from cli.stack import Stack

_OPEN_TOO_LONG = timedelta(hours=1)
_OLDEST_MESSAGE = timedelta(minutes=30)
_EVER = timedelta(days=36500)
_SECONDS = 15
_NAMED = 5
_REASON_CHARACTERS = 160


class Verdict(StrEnum):
    """How a finding is meant."""

    FINE = "fine"
    WRONG = "wrong"
    UNKNOWN = "unknown"  # it could not be looked at


@dataclass(frozen=True, slots=True)
class Finding:
    """One of the things looked at."""

    check: str
    verdict: Verdict
    what: str
    so_what: str = ""
    do: str = ""

    def shown(self) -> dict[str, str]:
        """For JSON."""
        return {
            "check": self.check,
            "verdict": str(self.verdict),
            "what": self.what,
            "so_what": self.so_what,
            "do": self.do,
        }


def examined(stack: Stack) -> list[Finding]:
    """Look at everything, at the same time; what cannot be looked at is a finding as well."""
    with ThreadPoolExecutor() as pool:
        looks = [pool.submit(_looked, name, look, stack) for name, look in _LOOKS.items()]
        return [finding for one in looks for finding in one.result()]


def _looked(name: str, look: Callable[[Stack], Iterator[Finding]], stack: Stack) -> list[Finding]:
    try:
        return list(look(stack))
    except ClientError as error:
        what = f"AWS refuses {error.operation_name} ({error.response.get('Error', {}).get('Code')})."
        return [Finding(name, Verdict.UNKNOWN, what, do="Your credentials need the right to do this.")]
    except (BotoCoreError, requests.RequestException) as error:
        return [Finding(name, Verdict.UNKNOWN, f"It could not be asked ({type(error).__name__}).")]


def _stack_status(stack: Stack) -> Iterator[Finding]:
    status = boto3.client("cloudformation").describe_stacks(StackName=stack.name)["Stacks"][0]["StackStatus"]
    if status.endswith("_COMPLETE") and "ROLLBACK" not in status and "DELETE" not in status:
        yield Finding("stack", Verdict.FINE, f"{stack.name} is {status}.")
    else:
        yield Finding(
            "stack", Verdict.WRONG, f"{stack.name} is {status}.", "The last deployment did not come to its end.",
            "Look at the stack's events in CloudFormation, mend the cause, deploy again.",
        )  # fmt: skip


def _dead_letters(stack: Stack) -> Iterator[Finding]:
    sqs = boto3.client("sqs")
    for queue in Queues:
        url = queue.dead_letters(stack)
        number, check = depth(sqs, url), f"dead letters of {queue}"
        if not number:
            yield Finding(check, Verdict.FINE, "None.")
            continue
        about = Counter(samples(sqs, url))
        named = ", ".join(f"{what} ({times}x)" if times > 1 else what for what, times in about.most_common(_NAMED))
        yield Finding(
            check, Verdict.WRONG, f"{so_many(number, 'message')}, such as {named or 'none that can be seen now'}.",
            "Nothing could be done with them; they are kept for 14 days.",
            f"The log /{stack.name}/{queue} says why. When that is mended: highlights redrive {queue}",
        )  # fmt: skip


def _oldest_messages(stack: Stack) -> Iterator[Finding]:
    cloudwatch, now = boto3.client("cloudwatch"), utc_now()
    for queue in Queues:
        url = queue.queue(stack)
        waiting, check = depth(boto3.client("sqs"), url), f"queue {queue}"
        answer = cloudwatch.get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName="ApproximateAgeOfOldestMessage",
            Dimensions=[{"Name": "QueueName", "Value": url.rpartition("/")[2]}],
            StartTime=now - timedelta(minutes=15),
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )
        points = sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])
        age = timedelta(seconds=points[-1]["Maximum"]) if points else None
        aged = "" if age is None or not waiting else f", the oldest for {_minutes(age)}"
        if waiting and age is not None and age > _OLDEST_MESSAGE:
            yield Finding(
                check, Verdict.WRONG, f"{so_many(waiting, 'message')} in it{aged}.",
                "The function does not keep up, or fails each time.",
                f"The log /{stack.name}/{queue} says which. Where it only does not keep up, raise MaxConcurrency.",
            )  # fmt: skip
        else:
            yield Finding(check, Verdict.FINE, f"{so_many(waiting, 'message')}{aged}.")


def _line(stack: Stack) -> Iterator[Finding]:
    table = boto3.resource("dynamodb").Table(stack.resources()["FlowTable"])
    row: dict[str, Any] = dict(table.get_item(Key={"name": "in-flight"}, ConsistentRead=True).get("Item", {}))
    most = stack.parameters.get("MaxInFlight", "?")
    if "stopped" in row:
        yield Finding(
            "line", Verdict.WRONG, f"It is stopped: {row['stopped']}",
            "No recording is submitted; they wait, and go on by themselves when it is mended.",
            "Mend what it says. A key: put the right one into the API key secret (docs/security.md).",
        )  # fmt: skip
    else:
        yield Finding("line", Verdict.FINE, f"{len(row.get('places', ()))} of {most} places are taken.")


def _open_rows(stack: Stack) -> Iterator[Finding]:
    now = utc_now()
    opened = list(stack.ledger().due(now + _EVER))
    late = [one for one in opened if now - datetime.fromisoformat(one.created_at) > _OPEN_TOO_LONG]
    if not late:
        yield Finding(
            "recordings", Verdict.FINE, f"{len(opened)} in work, none for longer than {_minutes(_OPEN_TOO_LONG)}."
        )
        return
    rows = stack.rows([one.recording_id for one in late], "status", "reason")
    reasons = Counter(_why(rows.get(one.recording_id, {}), one.status) for one in late)
    named = "; ".join(f"{number}: {why}" for why, number in reasons.most_common(_NAMED))
    first = min(late, key=lambda one: one.created_at)
    yield Finding(
        "recordings", Verdict.WRONG,
        f"{len(late)} of {len(opened)} in work came more than {_minutes(_OPEN_TOO_LONG)} ago. {named}",
        f"The oldest is {first.name} ({first.recording_id}), since {first.created_at}.",
        "Those with a reason wait for what it says. The sweep gives the others up after 24 hours; to sweep now: "
        f"aws lambda invoke --function-name {stack.outputs['SweepFunctionName']} /dev/stdout",
    )  # fmt: skip


def _why(row: dict[str, Any], status: Status) -> str:
    return str(row.get("reason") or f"{row.get('status', status)}, without a reason")[:_REASON_CHARACTERS]


def _clock(_: Stack) -> Iterator[Finding]:
    before = datetime.now(UTC)
    answer = boto3.client("sts").get_caller_identity()
    said = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
    if not said:
        yield Finding("clock", Verdict.UNKNOWN, "AWS's answer has no Date.")
        return
    difference = abs(parsedate_to_datetime(said) - before)
    if difference > CLOCK_DIFFERENCE:
        yield Finding(
            "clock", Verdict.WRONG, f"This machine's clock and AWS's differ by {_minutes(difference)}.",
            "Signatures made here are refused, and times shown here are wrong. The pipeline has AWS's clock.",
            "Set this machine's clock.",
        )  # fmt: skip
    else:
        yield Finding("clock", Verdict.FINE, f"It differs from AWS's by {difference.total_seconds():.0f} s.")


def _api_key(stack: Stack) -> Iterator[Finding]:
    where = stack.parameters.get("AssemblyAIApiKeySecretArn") or stack.resources()["ApiKeySecret"]
    key = boto3.client("secretsmanager").get_secret_value(SecretId=where)["SecretString"].strip()
    base = stack.parameters["AssemblyAIBaseUrl"]
    answer = requests.get(f"{base}/v2/transcript?limit=1", headers={"Authorization": key}, timeout=_SECONDS)
    if answer.ok:
        yield Finding("API key", Verdict.FINE, f"{base} takes it.")
    elif answer.status_code in (401, 403):
        yield Finding(
            "API key", Verdict.WRONG, f"{base} refuses it ({answer.status_code}).",
            "No recording is submitted, and no transcript is fetched.",
            "Put the right key into the secret (docs/security.md). A key of the EU belongs to api.eu.assemblyai.com.",
        )  # fmt: skip
    else:
        yield Finding("API key", Verdict.UNKNOWN, f"{base} answers {answer.status_code}.", do="Ask again later.")


def _webhook(stack: Stack) -> Iterator[Finding]:
    if stack.parameters.get("CompletionMode") == "poll":
        yield Finding("webhook", Verdict.FINE, "Not used: the stack asks (CompletionMode=poll).")
        return
    url = stack.outputs["WebhookUrl"]
    code = _http("POST", url, {}).status_code
    if code in (401, 403):  # 403: this machine is not among WebhookSourceIps
        yield Finding("webhook", Verdict.FINE, f"{url} is reachable, and refuses who is not bound ({code}).")
    else:
        yield Finding(
            "webhook", Verdict.WRONG, f"{url} answers {code} where it should refuse with 401.",
            "AssemblyAI's news do not arrive; the sweep asks for transcripts only when they are overdue.",
            f"The log /{stack.name}/webhook may say why.",
        )  # fmt: skip


def _page(stack: Stack) -> Iterator[Finding]:
    answer = _http("GET", stack.page_url)
    if answer.ok:
        yield Finding("page", Verdict.FINE, f"{stack.page_url} answers.")
    else:
        yield Finding(
            "page", Verdict.WRONG, f"{stack.page_url} answers {answer.status_code}.", "Nobody can use it.",
            f"The log /{stack.name}/api may say why.",
        )  # fmt: skip


def _http(method: str, url: str, body: Any = None) -> requests.Response:
    """Ask; a local stack's host name resolves in browsers, not here."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    local = name.endswith(".localhost")
    return requests.request(
        method,
        url.replace(name, "127.0.0.1") if local else url,
        headers={"Host": parts.netloc} if local else {},
        json=body,
        timeout=_SECONDS,
    )


def _bucket(stack: Stack) -> Iterator[Finding]:
    s3, bucket = boto3.client("s3"), stack.media_bucket
    if "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=bucket):
        yield Finding("bucket's events", Verdict.FINE, f"{bucket} sends them to EventBridge.")
    else:
        yield Finding(
            "bucket's events", Verdict.WRONG, f"{bucket} does not send its events to EventBridge.",
            "Uploads are not noticed, but for the daily scan.",
            "In the S3 console: Properties, Amazon EventBridge, On. Then: highlights backfill --prefix ''",
        )  # fmt: skip
    if s3.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled":
        yield Finding("versioning", Verdict.FINE, f"{bucket} keeps versions.")
    else:
        yield Finding(
            "versioning", Verdict.WRONG, f"{bucket} does not keep versions.",
            "An upload that replaces another before that was read is only seen once.",
            f"aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled",
        )  # fmt: skip


def _rules(stack: Stack) -> Iterator[Finding]:
    events = boto3.client("events")
    for logical, name in sorted(stack.resources().items()):
        if logical != "UploadRule" and not (logical.startswith("SweepFunction") and logical != "SweepFunction"):
            continue
        if "Permission" in logical:
            continue
        state = events.describe_rule(Name=name.rpartition("|")[2])["State"]
        if state == "DISABLED":
            yield Finding(
                f"rule {logical}", Verdict.WRONG, f"{name} is disabled.",
                "Uploads are not noticed." if logical == "UploadRule" else "Nothing heals what was lost.",
                f"aws events enable-rule --name {name}",
            )  # fmt: skip
        else:
            yield Finding(f"rule {logical}", Verdict.FINE, "It is enabled.")


def _alarms(stack: Stack) -> Iterator[Finding]:
    ours = {name for name in stack.resources().values() if name}
    pages = boto3.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"])
    alarms = [one for page in pages for one in page["MetricAlarms"] if one["AlarmName"] in ours]
    going = [one for one in alarms if one["StateValue"] == "ALARM"]
    for one in going:
        what = f"{one['AlarmName']} goes off since {one['StateUpdatedTimestamp']:%Y-%m-%d %H:%M}."
        yield Finding(
            "alarm",
            Verdict.WRONG,
            what,
            one.get("AlarmDescription", ""),
            "docs/runbook.md says what to do.",
        )
    if not going:
        yield Finding("alarms", Verdict.FINE, f"None of {len(alarms)} goes off.")


def _minutes(time: timedelta) -> str:
    minutes = round(time.total_seconds() / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"  # noqa: PLR2004  two hours


_LOOKS: dict[str, Callable[[Stack], Iterator[Finding]]] = {
    "stack": _stack_status,
    "API key": _api_key,
    "line": _line,
    "dead letters": _dead_letters,
    "queues": _oldest_messages,
    "recordings": _open_rows,
    "rules": _rules,
    "bucket": _bucket,
    "webhook": _webhook,
    "page": _page,
    "alarms": _alarms,
    "clock": _clock,
}
