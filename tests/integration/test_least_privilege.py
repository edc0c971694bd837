"""Each role may do what its part of the work takes, and nothing else: tried out with the role's own credentials.

The stack is template.yaml in poll mode, which has all roles, deployed to the local AWS, which enforces what policies
say. Nothing consumes its queues, so a message that a role may send changes nothing. Every call is made as every role.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from local.stack import Local
from tests.deployed_template import in_mode
from tests.integration.resources import created
from tests.unit.test_template import as_list, statements

NAME = "rights"
RECORDING = "calls/a.wav"
NEVER = {"ConditionExpression": "attribute_exists(never_there)"}  # a write that is allowed changes nothing
ROW = {"recording_id": {"S": "r"}}
FLOW = {"name": {"S": "in-flight"}}
PHRASE = {**ROW, "position": {"N": "1"}}

type Names = Mapping[str, str]
type Request = Callable[[Names], dict[str, Any]]


@dataclass(frozen=True)
class Call:
    """One call, as boto3 makes it, and the right that it takes."""

    right: str
    method: str
    request: Request
    service: str = ""


def call(right: str, method: str, request: Request, service: str = "") -> Call:
    return Call(right, method, request, service or right.partition(":")[0])


def s3(right: str, method: str, bucket: str, **more: Any) -> Call:
    return call(right, method, lambda of: {"Bucket": of[bucket], **more})


def table(right: str, method: str, name: str, **more: Any) -> Call:
    return call(right, method, lambda of: {"TableName": of[name], **more})


def index(name: str, key: str, value: dict[str, str]) -> dict[str, Any]:
    values = {":value": value}
    return {"IndexName": name, "KeyConditionExpression": f"{key} = :value", "ExpressionAttributeValues": values}


def queue(right: str, method: str, name: str, **more: Any) -> Call:
    return call(right, method, lambda of: {"QueueUrl": of[name], **more})


def secret(right: str, method: str, name: str, **more: Any) -> Call:
    return call(right, method, lambda of: {"SecretId": of[name], **more})


def invoke(name: str) -> Call:
    return call("lambda:InvokeFunction", "invoke", lambda of: {"FunctionName": of[name]})


def become(name: str) -> Call:
    return call("sts:AssumeRole", "assume_role", lambda of: {"RoleArn": of[f"{name}.Arn"], "RoleSessionName": "tried"})


CALLS = {
    "read a recording": s3("s3:GetObject", "get_object", "MediaBucket", Key=RECORDING),
    "read a version of a recording": call(
        "s3:GetObjectVersion",
        "get_object",
        lambda of: {"Bucket": of["MediaBucket"], "Key": RECORDING, "VersionId": of["version"]},
    ),
    "list recordings": s3("s3:ListBucket", "list_objects_v2", "MediaBucket"),
    "list versions of recordings": s3("s3:ListBucketVersions", "list_object_versions", "MediaBucket"),
    "write a recording": s3("s3:PutObject", "put_object", "MediaBucket", Key="calls/new.wav", Body=b"x"),
    "read the tags of a recording": s3("s3:GetObjectTagging", "get_object_tagging", "MediaBucket", Key=RECORDING),
    "read the tags of a version of a recording": call(
        "s3:GetObjectVersionTagging",
        "get_object_tagging",
        lambda of: {"Bucket": of["MediaBucket"], "Key": RECORDING, "VersionId": of["version"]},
    ),
    "write an upload of the page": s3("s3:PutObject", "put_object", "MediaBucket", Key="uploads/new.wav", Body=b"x"),
    "delete a recording": s3("s3:DeleteObject", "delete_object", "MediaBucket", Key="calls/none.wav"),
    "delete a version of a recording": s3(
        "s3:DeleteObjectVersion", "delete_object", "MediaBucket", Key="calls/none.wav", VersionId="never-there"
    ),
    "tag a recording": s3(
        "s3:PutObjectTagging", "put_object_tagging", "MediaBucket", Key=RECORDING, Tagging={"TagSet": []}
    ),
    "open the media bucket": s3("s3:PutBucketPublicAccessBlock", "delete_public_access_block", "MediaBucket"),
    "read a result": s3("s3:GetObject", "get_object", "ResultsBucket", Key="highlights/a.json"),
    "read a transcript": s3("s3:GetObject", "get_object", "ResultsBucket", Key="transcripts/a.json.gz"),
    "read redacted audio": s3("s3:GetObject", "get_object", "ResultsBucket", Key="redacted/a"),
    "read elsewhere beside the results": s3("s3:GetObject", "get_object", "ResultsBucket", Key="other/a"),
    "list results": s3("s3:ListBucket", "list_objects_v2", "ResultsBucket"),
    "write highlights": s3("s3:PutObject", "put_object", "ResultsBucket", Key="highlights/b.json", Body=b"x"),
    "write a transcript": s3("s3:PutObject", "put_object", "ResultsBucket", Key="transcripts/b.json.gz", Body=b"x"),
    "write redacted audio": s3("s3:PutObject", "put_object", "ResultsBucket", Key="redacted/b", Body=b"x"),
    "break off a redacted audio": call(
        "s3:AbortMultipartUpload",
        "abort_multipart_upload",
        lambda of: {"Bucket": of["ResultsBucket"], "Key": "redacted/b", "UploadId": "none"},
    ),
    "write elsewhere beside the results": s3("s3:PutObject", "put_object", "ResultsBucket", Key="other/b", Body=b"x"),
    "delete a result": s3("s3:DeleteObject", "delete_object", "ResultsBucket", Key="highlights/none.json"),
    "list versions of results": s3("s3:ListBucketVersions", "list_object_versions", "ResultsBucket"),
    **{
        f"delete a version of {what}": s3(
            "s3:DeleteObjectVersion", "delete_object", "ResultsBucket", Key=f"{folder}/none", VersionId="never-there"
        )
        for what, folder in (
            ("highlights", "highlights"),
            ("a transcript", "transcripts"),
            ("redacted audio", "redacted"),
            ("other results", "other"),
        )
    },
    "list all buckets": call("s3:ListAllMyBuckets", "list_buckets", lambda _: {}),
    "read a row": table("dynamodb:GetItem", "get_item", "RecordingsTable", Key=ROW),
    "find open rows": table("dynamodb:Query", "query", "RecordingsTable", **index("open", "open_shard", {"S": "0"})),
    "find rows of a day": table(
        "dynamodb:Query", "query", "RecordingsTable", **index("day", "day", {"S": "2026-01-01"})
    ),
    "find the rows of a call": table(
        "dynamodb:Query", "query", "RecordingsTable", **index("call", "call_id", {"S": "x"})
    ),
    "find rows that ended badly": table(
        "dynamodb:Query", "query", "RecordingsTable", **index("ended_badly", "ended_badly", {"S": "failed"})
    ),
    "read rows by the batch": call(
        "dynamodb:BatchGetItem",
        "batch_get_item",
        lambda of: {"RequestItems": {of["RecordingsTable"]: {"Keys": [ROW]}}},
    ),
    "describe the rows": table("dynamodb:DescribeTable", "describe_table", "RecordingsTable"),
    "look who is in flight": table("dynamodb:GetItem", "get_item", "FlowTable", Key=FLOW),
    "read tallies": call(
        "dynamodb:BatchGetItem", "batch_get_item", lambda of: {"RequestItems": {of["FlowTable"]: {"Keys": [FLOW]}}}
    ),
    "take a place": table(
        "dynamodb:UpdateItem", "update_item", "FlowTable", Key=FLOW, UpdateExpression="REMOVE x", **NEVER
    ),
    "move the bookmark": table("dynamodb:PutItem", "put_item", "FlowTable", Item=FLOW, **NEVER),
    "forget who is in flight": table("dynamodb:DeleteItem", "delete_item", "FlowTable", Key=FLOW, **NEVER),
    "read all rows": table("dynamodb:Scan", "scan", "RecordingsTable"),
    "write a row": table("dynamodb:PutItem", "put_item", "RecordingsTable", Item=ROW, **NEVER),
    "change a row": table(
        "dynamodb:UpdateItem", "update_item", "RecordingsTable", Key=ROW, UpdateExpression="REMOVE x", **NEVER
    ),
    "delete a row": table("dynamodb:DeleteItem", "delete_item", "RecordingsTable", Key=ROW, **NEVER),
    "read a phrase": table("dynamodb:GetItem", "get_item", "HighlightsTable", Key=PHRASE),
    "find a phrase": table("dynamodb:Query", "query", "HighlightsTable", **index("phrase", "phrase", {"S": "x"})),
    "find the phrases of a recording": table(
        "dynamodb:Query",
        "query",
        "HighlightsTable",
        KeyConditionExpression="recording_id = :value",
        ExpressionAttributeValues={":value": {"S": "r"}},
    ),
    "write a phrase": table("dynamodb:PutItem", "put_item", "HighlightsTable", Item=PHRASE, **NEVER),
    "write phrases by the batch": call(
        "dynamodb:BatchWriteItem",
        "batch_write_item",
        lambda of: {"RequestItems": {of["HighlightsTable"]: [{"PutRequest": {"Item": PHRASE}}]}},
    ),
    "write rows by the batch": call(
        "dynamodb:BatchWriteItem",
        "batch_write_item",
        lambda of: {"RequestItems": {of["RecordingsTable"]: [{"PutRequest": {"Item": ROW}}]}},
    ),
    "change a phrase": table(
        "dynamodb:UpdateItem", "update_item", "HighlightsTable", Key=PHRASE, UpdateExpression="REMOVE x", **NEVER
    ),
    "delete a phrase": table("dynamodb:DeleteItem", "delete_item", "HighlightsTable", Key=PHRASE, **NEVER),
    "find phrases of a day": table(
        "dynamodb:Query", "query", "HighlightsTable", **index("day", "day", {"S": "2026-01-01"})
    ),
    "read phrases by the batch": call(
        "dynamodb:BatchGetItem",
        "batch_get_item",
        lambda of: {"RequestItems": {of["HighlightsTable"]: {"Keys": [PHRASE]}}},
    ),
    "read all phrases": table("dynamodb:Scan", "scan", "HighlightsTable"),
    "delete a table": call("dynamodb:DeleteTable", "delete_table", lambda _: {"TableName": "never-there"}),
    "read the API key": secret("secretsmanager:GetSecretValue", "get_secret_value", "ApiKeySecret"),
    "change the API key": secret("secretsmanager:PutSecretValue", "put_secret_value", "ApiKeySecret", SecretString="x"),
    "read the webhook secret": secret("secretsmanager:GetSecretValue", "get_secret_value", "WebhookSecret"),
    "read the webhook secret before its rotation": secret(
        "secretsmanager:GetSecretValue", "get_secret_value", "WebhookSecret", VersionStage="AWSPREVIOUS"
    ),
    "change the webhook secret": secret(
        "secretsmanager:PutSecretValue", "put_secret_value", "WebhookSecret", SecretString="x"
    ),
    "list the secrets": call("secretsmanager:ListSecrets", "list_secrets", lambda _: {}),
    **{
        f"{what} {name}": queue(right, method, name, **more)
        for name in ("SubmitQueue", "ResultsQueue", "SubmitDeadLetterQueue", "ResultsDeadLetterQueue")
        for what, right, method, more in (
            ("send to", "sqs:SendMessage", "send_message", {"MessageBody": "x"}),
            ("receive from", "sqs:ReceiveMessage", "receive_message", {"VisibilityTimeout": 0}),
            ("delete from", "sqs:DeleteMessage", "delete_message", {"ReceiptHandle": "none"}),
            (
                "hide in",
                "sqs:ChangeMessageVisibility",
                "change_message_visibility",
                {"ReceiptHandle": "none", "VisibilityTimeout": 0},
            ),
            ("look at", "sqs:GetQueueAttributes", "get_queue_attributes", {}),
        )
    },
    "empty a queue": queue("sqs:PurgeQueue", "purge_queue", "ResultsQueue"),
    "tell the event bus": call(
        "events:PutEvents",
        "put_events",
        lambda _: {"Entries": [{"Source": "audio-highlights", "DetailType": "x", "Detail": "{}"}]},
    ),
    "turn the uploads off": call("events:DisableRule", "disable_rule", lambda of: {"Name": of["UploadRule"]}),
    "start the poll loop": call(
        "states:StartExecution",
        "start_execution",
        lambda of: {"stateMachineArn": of["PollStateMachine"], "name": uuid4().hex, "input": "{}"},
        "stepfunctions",
    ),
    "stop the poll loop": call(
        "states:StopExecution",
        "stop_execution",
        lambda of: {"executionArn": of["PollStateMachine"].replace(":stateMachine:", ":execution:") + ":none"},
        "stepfunctions",
    ),
    **{
        f"invoke {name}": invoke(name)
        for name in (
            "SubmitFunction",
            "WebhookFunction",
            "CheckFunction",
            "ResultsFunction",
            "ApiFunction",
            "SweepFunction",
        )
    },
    "change a function": call(
        "lambda:UpdateFunctionConfiguration",
        "update_function_configuration",
        lambda of: {"FunctionName": of["WebhookFunction"], "Timeout": 9},
    ),
    "make a user": call(
        "cognito-idp:AdminCreateUser",
        "admin_create_user",
        lambda of: {
            "UserPoolId": of["UserPool"],
            "Username": f"{uuid4().hex}@example.com",
            "MessageAction": "SUPPRESS",
        },
    ),
    "let the page be another client": call(
        "cognito-idp:CreateUserPoolClient",
        "create_user_pool_client",
        lambda of: {"UserPoolId": of["UserPool"], "ClientName": "another"},
    ),
    **{f"become {name}": become(name) for name in ("SignerRole", "SubmitRole", "ResultsRole", "ApiRole")},
    "widen its own rights": call(
        "iam:PutRolePolicy",
        "put_role_policy",
        lambda of: {"RoleName": of["WebhookRole"], "PolicyName": "more", "PolicyDocument": "{}"},
    ),
    # With the key itself, and not through a service that holds the stack's data.
    "make a data key": call(
        "kms:GenerateDataKey", "generate_data_key", lambda of: {"KeyId": of["key"], "KeySpec": "AES_256"}
    ),
    "decrypt": call("kms:Decrypt", "decrypt", lambda of: {"CiphertextBlob": b64decode(of["sealed"])}),
    "read logs": call("logs:FilterLogEvents", "filter_log_events", lambda of: {"logGroupName": of["SubmitLogs"]}),
    "read the stack": call("cloudformation:DescribeStacks", "describe_stacks", lambda _: {}),
}

OF_SUBMIT_QUEUE = {f"{what} SubmitQueue" for what in ("receive from", "delete from", "hide in", "look at")}
OF_RESULTS_QUEUE = {f"{what} ResultsQueue" for what in ("receive from", "delete from", "hide in", "look at")}
WEBHOOK_SECRET = {"read the webhook secret", "read the webhook secret before its rotation"}
THE_LINE = {"find open rows", "look who is in flight", "take a place", "send to SubmitQueue"}
ALLOWED = {
    "SubmitRole": OF_SUBMIT_QUEUE
    | WEBHOOK_SECRET
    | THE_LINE
    | {
        "read a row",
        "read a recording",
        "read a version of a recording",
        "read the tags of a recording",
        "read the tags of a version of a recording",
        "list recordings",
        "list versions of recordings",
        "write a row",
        "change a row",
        "read the API key",
        "send to SubmitDeadLetterQueue",
        "tell the event bus",
        "start the poll loop",
        "become SignerRole",
    },
    "SignerRole": {"read a recording", "read a version of a recording"},
    "WebhookRole": WEBHOOK_SECRET | {"send to ResultsQueue"},
    "PollRole": {"invoke CheckFunction", "send to ResultsQueue"},
    "CheckRole": {"read the API key"},
    "ResultsRole": OF_RESULTS_QUEUE
    | THE_LINE
    | {
        "read the API key",
        "read a row",
        "change a row",
        "write a phrase",
        "write phrases by the batch",
        "write highlights",
        "write a transcript",
        "write redacted audio",
        "break off a redacted audio",
        "send to ResultsQueue",
        "send to ResultsDeadLetterQueue",
        "tell the event bus",
    },
    "ApiRole": {
        "read a row",
        "find rows of a day",
        "find the rows of a call",
        "find rows that ended badly",
        "read tallies",
        "change a row",
        "find a phrase",
        "find phrases of a day",
        "find the phrases of a recording",
        "read phrases by the batch",
        "read a recording",
        "read a version of a recording",
        "write an upload of the page",
        "read a result",
        "read a transcript",
        "read redacted audio",
        "send to SubmitQueue",
        "invoke SweepFunction",
    },
    "SweepRole": THE_LINE
    | {
        "read the API key",
        "read rows by the batch",
        "describe the rows",
        "change a row",
        "delete a row",
        "find the phrases of a recording",
        "find phrases of a day",
        "write phrases by the batch",
        "move the bookmark",
        "list versions of recordings",
        "delete a version of a recording",
        "list versions of results",
        "delete a version of highlights",
        "delete a version of a transcript",
        "delete a version of redacted audio",
        "send to ResultsQueue",
        "tell the event bus",
    },
}


@pytest.fixture(scope="module")
def names(local_system: Local) -> Iterator[dict[str, str]]:
    """What the stack's resources are called, by their names in the template."""
    iam, s3, kms = boto3.client("iam"), boto3.client("s3"), boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    given = {"AssemblyAIApiKey": "a key", "EnforceTls": "false", "KmsKeyArn": key}
    with created(NAME, without_code(in_mode("poll")), **given) as of:
        of |= {"key": key, "sealed": b64encode(kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]).decode()}
        for name in ALLOWED:
            of[f"{name}.Arn"] = iam.get_role(RoleName=of[name])["Role"]["Arn"]
        of["version"] = s3.put_object(Bucket=of["MediaBucket"], Key=RECORDING, Body=b"a recording")["VersionId"]
        for result in ("highlights/a.json", "transcripts/a.json.gz", "other/a"):
            s3.put_object(Bucket=of["ResultsBucket"], Key=result, Body=b"{}")
        yield of


def without_code(template: dict[str, Any]) -> dict[str, Any]:
    """The template with functions that do nothing, and with nothing that calls them."""
    resources = template["Resources"]
    for name, resource in list(resources.items()):
        resource.pop("Metadata", None)
        if resource["Type"] in ("AWS::Lambda::EventSourceMapping", "AWS::Lambda::LayerVersion"):
            del resources[name]
        elif resource["Type"] == "AWS::Lambda::Function":
            del resource["Properties"]["Layers"]
            resource["Properties"] |= {
                "Code": {"ZipFile": "def handler(event, context):\n    return {}\n"},
                "Handler": "index.handler",
            }
    return template


class Actor:
    """Makes calls with the credentials of a role."""

    def __init__(self, role_arn: str, by: boto3.Session | None = None) -> None:
        sts = (by or boto3.Session()).client("sts")
        session = sts.assume_role(RoleArn=role_arn, RoleSessionName="tried")["Credentials"]
        self.session = boto3.Session(
            aws_access_key_id=session["AccessKeyId"],
            aws_secret_access_key=session["SecretAccessKey"],
            aws_session_token=session["SessionToken"],
        )
        self._clients: dict[str, Any] = {}

    def may(self, one: Call, names: Names) -> bool:
        """Whether the call is let through, whatever comes of it then."""
        if one.service not in self._clients:
            self._clients[one.service] = self.session.client(one.service)  # type: ignore[call-overload]
        try:
            getattr(self._clients[one.service], one.method)(**one.request(names))
        except ClientError as error:
            return not error.response["Error"]["Code"].startswith("AccessDenied")
        return True


@pytest.mark.parametrize("role", ALLOWED)
def test_a_role_may_do_its_work_and_nothing_else(names: dict[str, str], role: str) -> None:
    # The signer trusts submit alone.
    by = Actor(names["SubmitRole.Arn"]).session if role == "SignerRole" else None
    actor = Actor(names[f"{role}.Arn"], by)
    assert {what for what, one in CALLS.items() if actor.may(one, names)} == ALLOWED[role]


def test_whoever_has_no_role_may_not_read_a_recording_or_a_result(names: dict[str, str]) -> None:
    stranger = boto3.client("s3", config=Config(signature_version=UNSIGNED))
    for bucket, key in (("MediaBucket", RECORDING), ("ResultsBucket", "highlights/a.json")):
        with pytest.raises(ClientError, match=r"AccessDenied|403"):
            stranger.get_object(Bucket=names[bucket], Key=key)


def test_every_right_of_every_role_is_tried() -> None:
    template = in_mode("poll")["Resources"]
    roles = {name for name, resource in template.items() if resource["Type"] == "AWS::IAM::Role"}
    assert roles == set(ALLOWED)
    given = set()
    for resource in template.values():
        if resource["Type"] in ("AWS::IAM::Role", "AWS::IAM::Policy"):
            properties = resource["Properties"]
            for policy in properties.get("Policies", [properties]):
                for statement in statements(policy["PolicyDocument"]):
                    given |= set(as_list(statement["Action"]))
    # The local AWS has neither traces nor the deliveries of Step Functions' logs.
    assert {right for right in given if not right.startswith(("xray:", "logs:"))} <= {
        one.right for one in CALLS.values()
    }


def test_a_customer_s_key_is_the_one_that_things_are_encrypted_with(names: dict[str, str]) -> None:
    # Of buckets, tables and topics the local AWS takes no key from a template: the unit tests read it there.
    sqs = boto3.client("sqs")
    secrets, logs = boto3.client("secretsmanager"), boto3.client("logs")
    for name in ("SubmitQueue", "SubmitDeadLetterQueue", "ResultsQueue", "ResultsDeadLetterQueue"):
        attributes = sqs.get_queue_attributes(QueueUrl=names[name], AttributeNames=["All"])["Attributes"]
        assert attributes["KmsMasterKeyId"] == names["key"], name
    for name in ("ApiKeySecret", "WebhookSecret"):
        assert secrets.describe_secret(SecretId=names[name])["KmsKeyId"] == names["key"], name
    for group in logs.describe_log_groups(logGroupNamePrefix=f"/{NAME}/")["logGroups"]:
        assert group["kmsKeyId"] == names["key"], group["logGroupName"]
