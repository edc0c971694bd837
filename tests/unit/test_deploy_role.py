"""deploy-role.yaml: the role that deploys may do what the template's resources take, and read nothing that they hold.

cfn-lint carries CloudFormation's own list of which calls each type of resource takes.
"""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from importlib import resources
from typing import Any

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

from tests.deployed_template import ROOT, as_deployed

TEMPLATE = yaml_parse((ROOT / "deploy-role.yaml").read_text(encoding="utf-8"))
WORKFLOW = ROOT / ".github" / "workflows" / "deploy.yml"

# What CloudFormation lists for features that template.yaml does not use.
UNUSED = {
    "AWS::ApiGatewayV2::Api": "s3:getObject",  # an OpenAPI document in S3
    "AWS::ApiGatewayV2::Authorizer": "iam:PassRole",  # a Lambda authorizer
    "AWS::ApiGatewayV2::Integration": "iam:PassRole",  # a call of an AWS service
    "AWS::ApiGatewayV2::Stage": r"apigateway:(Tag|Untag)Resource",  # no such actions: they are POST and DELETE on /tags
    "AWS::Cognito::UserPool": "iam:.*|kms:.*",  # SMS, SES, senders of one's own
    "AWS::Cognito::UserPoolClient": "iam:.*",  # analytics
    "AWS::Cognito::UserPoolDomain": "cloudfront:.*|kms:.*",  # a domain of one's own
    "AWS::DynamoDB::Table": (
        r"dynamodb:(\w+Item|Query|Scan|\w*Replica|\w+Import|ImportTable|(En|Dis)able\w+|UpdateKinesis\w+|(Put|Delete)ResourcePolicy)"
        r"|iam:.*|kinesis:.*|kms:.*|logs:.*|s3:.*"
    ),
    "AWS::Events::Rule": "iam:PassRole",  # targets that are called as a role
    "AWS::IAM::Policy": r"iam:\w+(Group|User)Policy",
    "AWS::IAM::Role": r"iam:(AttachRolePolicy|(Put|Delete)RolePermissionsBoundary)",
    "AWS::Lambda::EventSourceMapping": "kms:.*",  # encrypted filters
    "AWS::Lambda::Function": (
        r"ec2:.*|elasticfilesystem:.*|s3files:.*|kms:.*|lambda:(GetLayerVersion|PassCapacityProvider)"
    ),
    "AWS::Logs::LogGroup": (
        r"firehose:.*|s3:.*|logs:(Put|Delete)(DataProtection|Index)Policy"
        r"|logs:PutBearerTokenAuthentication|logs:PutLogGroupDeletionProtection"
    ),
    "AWS::S3::Bucket": (
        r"s3tables:.*|iam:.*|s3:(DeleteObject|PutObjectAcl|PutObjectLockConfiguration|ListTagsForResource)"
        r"|s3:\w*MetadataTableConfiguration|s3:Update\w+"
    ),
    "AWS::SNS::Subscription": "iam:.*",
    "AWS::SNS::Topic": "iam:.*|sns:PutDataProtectionPolicy",
    "AWS::SecretsManager::Secret": r"secretsmanager:(GetSecretValue|\w*Regions\w*)",  # {{resolve}} of one, replicas
    "AWS::StepFunctions::StateMachine": "kms:.*",
}
READS_WHAT_IS_HELD = [
    "dynamodb:GetItem",
    "dynamodb:Scan",
    "dynamodb:Query",
    "dynamodb:PartiQLSelect",
    "s3:GetObjectAcl",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
    "sqs:PurgeQueue",
    "secretsmanager:GetSecretValue",
    "sns:Publish",
    "logs:GetLogEvents",
    "logs:FilterLogEvents",
    "logs:StartQuery",
    "lambda:InvokeFunction",
    "states:StartExecution",
    "kms:Decrypt",
    "cognito-idp:AdminGetUser",
    "cognito-idp:AdminCreateUser",
    "iam:CreateUser",
    "iam:CreateAccessKey",
    "iam:AttachRolePolicy",
    "sts:AssumeRole",
]


def statements(role: str, effect: str) -> Iterator[dict[str, Any]]:
    for policy in TEMPLATE["Resources"][role]["Properties"]["Policies"]:
        yield from (one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == effect)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def listed(action: str, role: str, effect: str) -> bool:
    return any(
        fnmatchcase(action.lower(), pattern.lower())
        for statement in statements(role, effect)
        for pattern in as_list(statement["Action"])
        if "StringNotEqualsIfExists" not in statement.get("Condition", {}) or action != "iam:PassRole"
    )


def may(action: str, role: str = "ExecutionRole") -> bool:
    return listed(action, role, "Allow") and not listed(action, role, "Deny")


def handlers(kind: str) -> set[str]:
    """The calls that CloudFormation makes to create, read, change and delete one."""
    schemas = resources.files("cfnlint.data.schemas")
    places = json.loads((schemas / "providers" / "us-east-1.json").read_text("utf-8"))
    schema = json.loads((schemas / "resources" / f"{places[kind]}.json").read_text("utf-8"))
    return {
        permission
        for name in ("create", "read", "update", "delete")
        for permission in schema["handlers"].get(name, {}).get("permissions", [])
    }


KINDS = sorted({resource["Type"] for resource in as_deployed()["Resources"].values()})


@pytest.mark.parametrize("kind", KINDS)
def test_cloudformation_may_do_what_this_kind_of_resource_takes(kind: str) -> None:
    unused = re.compile(UNUSED.get(kind, "none"), re.IGNORECASE)
    needed = {action for action in handlers(kind) if not unused.fullmatch(action)}
    assert needed
    assert {action for action in needed if not may(action)} == set()


@pytest.mark.parametrize("kind", UNUSED)
def test_what_is_said_to_be_unused_is_on_cloudformation_s_list(kind: str) -> None:
    assert kind in KINDS
    assert any(re.fullmatch(UNUSED[kind], action, re.IGNORECASE) for action in handlers(kind))


@pytest.mark.parametrize("action", READS_WHAT_IS_HELD)
@pytest.mark.parametrize("role", ["DeployRole", "ExecutionRole"])
def test_who_deploys_may_not_touch_what_is_in_it(role: str, action: str) -> None:
    assert not may(action, role)


def test_objects_may_be_read_and_written_in_the_bucket_for_code_alone() -> None:
    for role in ("DeployRole", "ExecutionRole"):
        for statement in statements(role, "Allow"):
            if any(action.startswith(("s3:GetObject", "s3:PutObject")) for action in as_list(statement["Action"])):
                assert statement["Resource"] == {"Fn::Sub": "${Artifacts.Arn}/*"}


def test_roles_are_made_and_given_away_by_the_names_of_the_one_stack_alone() -> None:
    for role in ("DeployRole", "ExecutionRole"):
        for statement in statements(role, "Allow"):
            if any(action.startswith("iam:") for action in as_list(statement["Action"])):
                text = json.dumps(statement["Resource"])
                assert "role/${StackName}-*" in text or "ExecutionRole" in text


def test_a_role_is_taken_by_one_branch_of_one_repository_and_by_cloudformation_for_one_stack() -> None:
    [github] = TEMPLATE["Resources"]["DeployRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    claims = github["Condition"]["StringEquals"]
    assert claims["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    assert claims["token.actions.githubusercontent.com:sub"] == {
        "Fn::Sub": "repo:${GitHubRepository}:ref:refs/heads/${Branch}"
    }
    [execution] = TEMPLATE["Resources"]["ExecutionRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert execution["Principal"] == {"Service": "cloudformation.amazonaws.com"}
    assert "stack/${StackName}/*" in json.dumps(execution["Condition"])


def test_the_names_that_cloudformation_gives_without_the_stack_s_are_those_of_the_template() -> None:
    named = as_deployed()["Resources"]
    kinds = {"secret:": "AWS::SecretsManager::Secret", "stateMachine:": "AWS::StepFunctions::StateMachine"}
    text = json.dumps(TEMPLATE["Resources"]["ExecutionRole"])
    for prefix, kind in kinds.items():
        given = set(re.findall(prefix + r"(\w+)-\*", text))
        assert given == {name for name, one in named.items() if one["Type"] == kind}


# ---- the workflow


def test_the_workflow_deploys_what_the_tests_have_passed_with_the_role_and_no_key() -> None:
    text = WORKFLOW.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    deploy = workflow["jobs"]["deploy"]
    assert deploy["needs"] == "test"
    assert deploy["permissions"] == {"id-token": "write", "contents": "read"}
    assert workflow["permissions"] == {"contents": "read"}
    for output in TEMPLATE["Outputs"].values():
        [variable] = re.findall(r"variable (\w+)", output["Description"])
        assert f"vars.{variable}" in text
    assert "secrets." not in text


def test_every_action_of_the_workflow_is_pinned_to_a_version() -> None:
    uses = re.findall(r"uses: (\S+)", WORKFLOW.read_text(encoding="utf-8"))
    assert len(uses) >= 3
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+(\.\d+)*", one) for one in uses)
