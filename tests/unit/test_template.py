"""The deployment: rights as narrow as can be, times that fit together, nothing in what ships that is not for AWS.

The template is read as it stands, and as SAM transforms it into what CloudFormation deploys.
"""

import ast
import copy
import json
import re
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from audio_highlights.webhook import networks
from tests.deployed_template import POLL, ROOT, TEMPLATE, as_deployed, as_written

PACKAGE = ROOT / "layers" / "shared" / "audio_highlights"
TRANSFERS = ["presigned-url", "upload"]


@pytest.fixture(scope="module")
def raw() -> dict[str, Any]:
    return as_written()


@pytest.fixture(scope="module")
def transformed() -> dict[str, Any]:
    return as_deployed()


@pytest.fixture(params=["raw", "transformed"])
def template(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.getfixturevalue(request.param)
    return found


def of_type(template: dict[str, Any], *types: str) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in template["Resources"].items() if one["Type"] in types}


def functions(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return of_type(template, "AWS::Serverless::Function", "AWS::Lambda::Function")


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def alternatives(value: Any) -> Iterator[Any]:
    """The value, or, of an Fn::If, what it may be."""
    if isinstance(value, dict) and "Fn::If" in value:
        _, one, other = value["Fn::If"]
        yield from alternatives(one)
        yield from alternatives(other)
    elif not (isinstance(value, dict) and value.get("Ref") == "AWS::NoValue"):
        yield value


def statements(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for statement in as_list(document["Statement"]):
        yield from alternatives(statement)


def policies(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement that gives or takes rights, with the resource it stands in; trust policies aside."""
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Cognito::UserPool":
            continue  # its Policies are about passwords
        for policy in properties.get("Policies", []):
            assert isinstance(policy, dict), f"{name}: a policy by name"
            yield from ((name, statement) for statement in statements(policy["PolicyDocument"]))
        if "PolicyDocument" in properties:
            yield from ((name, statement) for statement in statements(properties["PolicyDocument"]))


# ---- rights


def test_there_is_something_to_look_at(template: dict[str, Any]) -> None:
    assert len(functions(template)) == 6
    assert len(list(policies(template))) > 20


def test_no_right_is_for_all_actions_or_for_a_whole_service(template: dict[str, Any]) -> None:
    for name, statement in policies(template):
        if statement["Effect"] == "Allow":
            assert "NotAction" not in statement, name
            for action in as_list(statement["Action"]):
                assert re.fullmatch(r"[a-z0-9-]+:[A-Za-z]+", action), f"{name}: {action}"


def justified(resource: dict[str, Any]) -> set[str]:
    """The actions for which the resource's Metadata says why they are allowed on any resource."""
    found: list[str] = []
    for entry in resource.get("Metadata", {}).get("AnyResource", []):
        assert set(entry) == {"Actions", "Because"}
        assert len(entry["Because"].split()) > 3
        found += entry["Actions"]
    assert len(found) == len(set(found))
    return set(found)


def test_no_right_is_for_all_resources_unless_the_metadata_of_its_role_says_why(template: dict[str, Any]) -> None:
    unlimited: dict[str, set[str]] = {name: set() for name in template["Resources"]}
    for name, statement in policies(template):
        if statement["Effect"] == "Allow":
            assert "NotResource" not in statement, name
            if "*" in as_list(statement["Resource"]):
                unlimited[name] |= set(as_list(statement["Action"]))
    for name, resource in template["Resources"].items():
        assert unlimited[name] == justified(resource), name


def test_what_is_allowed_on_any_resource_has_none_that_could_be_named(raw: dict[str, Any]) -> None:
    # cfn-lint carries AWS's list of which action knows which kinds of resource.
    known = json.loads((resources.files("cfnlint.data.AdditionalSpecs") / "Policies.json").read_text("utf-8"))
    assert known["sqs"]["Actions"]["sendmessage"] == {"Resources": ["queue"]}
    for role in of_type(raw, "AWS::IAM::Role").values():
        for action in justified(role):
            service, _, call = action.partition(":")
            assert known[service]["Actions"][call.lower()].get("Resources", []) == [], action


def test_every_named_resource_ends_where_it_should(template: dict[str, Any]) -> None:
    # "arn:...:*" or ":table/*" would be "*" in other words; only the objects of a bucket are many.
    for name, statement in policies(template):
        if statement["Effect"] == "Allow" and statement["Resource"] != "*":
            for resource in as_list(statement["Resource"]):
                if "*" in json.dumps(resource):
                    assert {action.partition(":")[0] for action in as_list(statement["Action"])} == {"s3"}, name


def test_no_managed_policy_is_attached(template: dict[str, Any]) -> None:
    for name, resource in template["Resources"].items():
        assert not resource.get("Properties", {}).get("ManagedPolicyArns"), name
    assert not re.search(r"FullAccess|service-role/|arn:aws:iam::aws:policy", json.dumps(template))


def test_every_function_has_a_role_of_its_own_written_by_hand(raw: dict[str, Any], transformed: dict[str, Any]) -> None:
    roles = {name: one["Properties"]["Role"]["Fn::GetAtt"] for name, one in functions(raw).items()}
    assert len({tuple(as_list(role)) for role in roles.values()}) == len(roles)
    assert not any("Policies" in one["Properties"] for one in functions(raw).values())
    assert set(of_type(transformed, "AWS::IAM::Role")) == set(of_type(raw, "AWS::IAM::Role"))


def test_roles_are_assumed_by_one_service_or_one_role(template: dict[str, Any]) -> None:
    for name, role in of_type(template, "AWS::IAM::Role").items():
        [statement] = statements(role["Properties"]["AssumeRolePolicyDocument"])
        assert statement["Action"] == "sts:AssumeRole", name
        [(kind, who)] = statement["Principal"].items()
        assert kind == "Service" or "Fn::GetAtt" in who, name
        assert who != "*", name


def test_only_the_signer_is_allowed_to_be_a_signer(raw: dict[str, Any]) -> None:
    assuming = [name for name, statement in policies(raw) if "sts:AssumeRole" in as_list(statement["Action"])]
    assert assuming == ["SubmitMaySign"]


def test_whoever_allows_the_public_in_does_so_for_one_service_and_source(template: dict[str, Any]) -> None:
    for name, statement in policies(template):
        if "Principal" in statement and statement["Effect"] == "Allow":
            assert "Service" in statement["Principal"], name
            assert "Condition" in statement, name
    for name, permission in of_type(template, "AWS::Lambda::Permission").items():
        assert "SourceArn" in permission["Properties"], name


# ---- times


def submit_times(template: dict[str, Any], transfer: str) -> dict[str, int]:
    return {name: int(value) for name, value in template["Mappings"]["Submit"][transfer].items()}


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_21_36_the_lease_outlives_the_function_and_ends_before_the_message_returns(
    template: dict[str, Any], transfer: str
) -> None:
    times = submit_times(template, transfer)
    assert times["TimeoutSeconds"] < times["LeaseSeconds"] < times["VisibilitySeconds"]


def seconds(template: dict[str, Any], value: Any, transfer: str) -> int:
    if isinstance(value, dict):
        [mapping, _, name] = value["Fn::FindInMap"]
        assert mapping == "Submit"
        return submit_times(template, transfer)[name]
    return int(value)


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_21_a_message_stays_hidden_six_times_as_long_as_its_function_runs(
    transformed: dict[str, Any], transfer: str
) -> None:
    mappings = of_type(transformed, "AWS::Lambda::EventSourceMapping")
    assert len(mappings) == 2
    for mapping in mappings.values():
        queue_name = mapping["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]
        queue = transformed["Resources"][queue_name]["Properties"]
        function = transformed["Resources"][mapping["Properties"]["FunctionName"]["Ref"]]["Properties"]
        timeout = seconds(transformed, function["Timeout"], transfer)
        assert seconds(transformed, queue["VisibilityTimeout"], transfer) >= 6 * timeout, queue_name


def test_the_submit_function_knows_the_lease_that_the_mapping_gives(raw: dict[str, Any]) -> None:
    variables = raw["Resources"]["SubmitFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["LEASE_SECONDS"]["Fn::FindInMap"][2] == "LeaseSeconds"


def test_the_webhook_answers_before_the_provider_gives_up(template: dict[str, Any]) -> None:
    assert template["Resources"]["WebhookFunction"]["Properties"]["Timeout"] < 10


def test_a_batch_reports_its_failures_one_by_one(transformed: dict[str, Any]) -> None:
    for name, mapping in of_type(transformed, "AWS::Lambda::EventSourceMapping").items():
        assert mapping["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"], name
        assert mapping["Properties"]["ScalingConfig"]["MaximumConcurrency"], name


# ---- nothing gets lost


def test_every_queue_has_a_dead_letter_queue_that_keeps_for_14_days(template: dict[str, Any]) -> None:
    queues = of_type(template, "AWS::SQS::Queue")
    dead = {
        queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for queue in queues.values()
        if "RedrivePolicy" in queue["Properties"]
    }
    for name, queue in queues.items():
        assert name in dead or "RedrivePolicy" in queue["Properties"], name
        assert queue["Properties"]["MessageRetentionPeriod"] == 14 * 86400, name
    assert dead <= set(queues)


def test_an_event_that_cannot_be_queued_is_kept(template: dict[str, Any]) -> None:
    for target in template["Resources"]["UploadRule"]["Properties"]["Targets"]:
        assert target["DeadLetterConfig"]["Arn"]


def test_what_holds_data_outlives_the_stack(template: dict[str, Any]) -> None:
    for name, resource in of_type(template, "AWS::S3::Bucket", "AWS::DynamoDB::Table").items():
        if name == "FlowTable":  # who is in work right now: nothing to keep
            continue
        # A creation that fails leaves nothing behind; what was ever in use is kept.
        assert resource["DeletionPolicy"] == "RetainExceptOnCreate", name
        assert resource["UpdateReplacePolicy"] == "Retain", name


def test_tables_are_encrypted_and_can_be_restored(template: dict[str, Any]) -> None:
    for name, table in of_type(template, "AWS::DynamoDB::Table").items():
        assert table["Properties"]["SSESpecification"]["SSEEnabled"] is True, name
        if name == "FlowTable":
            continue
        assert table["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True, name


# ---- what may come in, and what is watched


def test_18_only_objects_created_in_the_media_bucket_are_submitted(raw: dict[str, Any]) -> None:
    [pattern] = [
        rule["Properties"]["EventPattern"]
        for rule in of_type(raw, "AWS::Events::Rule").values()
        if {"Id": "SubmitQueue"}.items() <= rule["Properties"]["Targets"][0].items()
    ]
    assert (pattern["source"], pattern["detail-type"]) == (["aws.s3"], ["Object Created"])
    [bucket] = pattern["detail"]["bucket"]["name"]
    assert bucket == {"Fn::If": ["CreateMediaBucket", {"Ref": "MediaBucket"}, {"Ref": "ExistingMediaBucketName"}]}
    assert raw["Resources"]["ResultsBucket"]["Properties"].get("NotificationConfiguration") is None


def test_18_submit_can_read_objects_of_the_media_bucket_and_no_other(raw: dict[str, Any]) -> None:
    reads = [
        statement["Resource"]
        for name, statement in policies(raw)
        if name in ("SubmitRole", "SignerRole") and "s3:GetObject" in as_list(statement["Action"])
    ]
    assert reads
    for resource in reads:
        _, names = resource["Fn::Sub"]
        assert set(map(str, alternatives(names["Bucket"]))) == {
            str({"Ref": "MediaBucket"}),
            str({"Ref": "ExistingMediaBucketName"}),
        }


def test_56_the_api_has_one_way_in_for_the_webhook(template: dict[str, Any]) -> None:
    routes = [one["Properties"]["RouteKey"] for one in of_type(template, "AWS::ApiGatewayV2::Route").values()]
    assert [route for route in routes if "webhook" in route] == ["POST /webhook"]
    assert "$default" not in routes
    assert not [route for route in routes if "{proxy+}" in route]


def test_58_nothing_throttles_the_webhook_with_a_429(template: dict[str, Any]) -> None:
    # AssemblyAI gives up after any 4xx; the account's own limit is thousands of requests a second.
    for stage in of_type(template, "AWS::ApiGatewayV2::Stage").values():
        settings = [stage["Properties"].get("DefaultRouteSettings", {})]
        settings += stage["Properties"].get("RouteSettings", {}).values()
        assert not [one for one in settings if {"ThrottlingBurstLimit", "ThrottlingRateLimit"} & one.keys()]
    webhook = template["Resources"]["WebhookFunction"]["Properties"]
    assert "ReservedConcurrentExecutions" not in webhook


def test_72_a_sweep_that_stopped_raises_an_alarm(template: dict[str, Any]) -> None:
    [alarm] = [
        one["Properties"]
        for one in of_type(template, "AWS::CloudWatch::Alarm").values()
        if one["Properties"].get("MetricName") == "heartbeat"
    ]
    assert (alarm["TreatMissingData"], alarm["ComparisonOperator"]) == ("breaching", "LessThanThreshold")
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", 1)
    assert alarm["Dimensions"] == [{"Name": "service", "Value": "sweep"}]
    assert alarm["Period"] >= 2 * 300  # the sweep runs every five minutes


def test_32_33_a_refused_account_raises_an_alarm(template: dict[str, Any]) -> None:
    [alarm] = [
        one["Properties"]
        for one in of_type(template, "AWS::CloudWatch::Alarm").values()
        if one["Properties"].get("MetricName") == "stopped"
    ]
    assert (alarm["Statistic"], alarm["Threshold"], alarm["ComparisonOperator"]) == (
        "Maximum",
        1,
        "GreaterThanOrEqualToThreshold",
    )


# ---- logs and settings


def test_every_log_group_has_a_retention(template: dict[str, Any]) -> None:
    for name, group in of_type(template, "AWS::Logs::LogGroup").items():
        assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}, name


def test_every_function_writes_json_to_a_log_group_of_its_own(template: dict[str, Any]) -> None:
    groups = [one["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] for one in functions(template).values()]
    assert len(set(groups)) == len(functions(template))
    assert set(groups) <= set(of_type(template, "AWS::Logs::LogGroup"))
    assert {one["Properties"]["LoggingConfig"]["LogFormat"] for one in functions(template).values()} == {"JSON"}


def test_the_access_log_holds_no_query(template: dict[str, Any]) -> None:
    stage = template["Resources"]["ApiStage"]["Properties"]
    assert not re.search(r"query|path|header", stage["AccessLogSettings"]["Format"], re.IGNORECASE)


def test_environment_values_are_text(template: dict[str, Any]) -> None:
    # YAML's numbers would reach CloudFormation as numbers, and not every deployer turns them into text.
    for name, function in functions(template).items():
        for variable, value in function["Properties"]["Environment"]["Variables"].items():
            for one in alternatives(value):
                assert isinstance(one, str | dict), f"{name}: {variable}"
                if isinstance(one, dict) and "Ref" in one and one["Ref"] in template["Parameters"]:
                    assert template["Parameters"][one["Ref"]]["Type"] == "String", f"{name}: {variable}"
                if isinstance(one, dict) and "Fn::FindInMap" in one:
                    mapping, _, key = one["Fn::FindInMap"]
                    assert all(isinstance(values[key], str) for values in template["Mappings"][mapping].values())


# What the routes that write will ask for.
ASKED_LATER = {"ApiFunction": {"AUDIO_TRANSFER", "SUBMIT_QUEUE_URL", "SWEEP_FUNCTION"}}


def test_every_variable_that_a_function_asks_for_is_set(raw: dict[str, Any]) -> None:
    common = set(raw["Globals"]["Function"]["Environment"]["Variables"])
    for name, function in functions(raw).items():
        code = (ROOT / function["Properties"]["CodeUri"] / "app.py").read_text(encoding="utf-8")
        asked = set(re.findall(r'(?:variable|environ\.get)\("([A-Z_]+)"\)', code)) | ASKED_LATER.get(name, set())
        if "SubmitSettings" in code:
            settings = (PACKAGE / "config.py").read_text(encoding="utf-8")
            asked |= set(re.findall(r'(?:variable|environ\.get)\("([A-Z_]+)"\)', settings))
        variables = set(function["Properties"]["Environment"]["Variables"])
        assert asked == {one for one in variables - common if not one.startswith("POWERTOOLS")}, name


def test_a_secret_is_no_environment_variable(template: dict[str, Any]) -> None:
    for name, function in functions(template).items():
        assert "AssemblyAIApiKey" not in re.findall(
            r'"Ref": "(\w+)"', json.dumps(function["Properties"]["Environment"])
        ), name
    assert template["Parameters"]["AssemblyAIApiKey"]["NoEcho"] is True


# ---- privacy


def test_buckets_are_private_versioned_and_encrypted(template: dict[str, Any]) -> None:
    buckets = of_type(template, "AWS::S3::Bucket")
    assert set(buckets) == {"MediaBucket", "ResultsBucket"}
    for name, bucket in buckets.items():
        properties = bucket["Properties"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}, name
        assert len(properties["PublicAccessBlockConfiguration"]) == 4, name
        assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}], name
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}, name
        assert properties["BucketEncryption"], name


def test_buckets_queues_and_topics_refuse_requests_without_tls(template: dict[str, Any]) -> None:
    refusing: set[str] = set()
    for name, statement in policies(template):
        if statement["Effect"] == "Deny":
            assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}, name
            assert statement["Principal"] == "*", name
            assert statement["Action"] in ("s3:*", "sqs:*", "sns:Publish"), name  # SNS knows no sns:* on a topic
            for one in as_list(statement["Resource"]):
                refusing |= {one["Ref"]} if "Ref" in one else {one["Fn::GetAtt"][0]} if "Fn::GetAtt" in one else set()
    assert refusing == set(of_type(template, "AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::SNS::Topic"))


def test_tls_is_demanded_unless_someone_turns_it_off(raw: dict[str, Any]) -> None:
    assert raw["Parameters"]["EnforceTls"]["Default"] == "true"
    assert raw["Conditions"]["Tls"] == {"Fn::Equals": [{"Ref": "EnforceTls"}, "true"]}
    for name, policy in of_type(raw, "AWS::S3::BucketPolicy").items():
        assert policy["Condition"] in ("Tls", "TlsForMedia"), name


NONE = {"Ref": "AWS::NoValue"}
CUSTOMER_KEY = {"Fn::If": ["CustomerKey", {"Ref": "KmsKeyArn"}, NONE]}


def test_queues_are_encrypted_with_a_key_of_aws_or_the_customer_s(template: dict[str, Any]) -> None:
    for name, queue in of_type(template, "AWS::SQS::Queue").items():
        assert queue["Properties"]["SqsManagedSseEnabled"] == {"Fn::If": ["CustomerKey", NONE, True]}, name
        assert queue["Properties"]["KmsMasterKeyId"] == CUSTOMER_KEY, name


def test_a_customer_s_key_encrypts_all_that_holds_anything(template: dict[str, Any]) -> None:
    assert template["Parameters"]["KmsKeyArn"]["Default"] == ""
    keyed: dict[str, Callable[[dict[str, Any]], Any]] = {
        "AWS::S3::Bucket": lambda of: of["BucketEncryption"]["ServerSideEncryptionConfiguration"][0][
            "ServerSideEncryptionByDefault"
        ]["Fn::If"][1]["KMSMasterKeyID"],
        "AWS::SQS::Queue": lambda of: of["KmsMasterKeyId"]["Fn::If"][1],
        "AWS::SNS::Topic": lambda of: of["KmsMasterKeyId"]["Fn::If"][1],
        "AWS::DynamoDB::Table": lambda of: of["SSESpecification"]["KMSMasterKeyId"]["Fn::If"][1],
        "AWS::SecretsManager::Secret": lambda of: of["KmsKeyId"]["Fn::If"][1],
        "AWS::Logs::LogGroup": lambda of: of["KmsKeyId"]["Fn::If"][1],
    }
    for kind, key in keyed.items():
        found = of_type(template, kind)
        assert found, kind
        for name, resource in found.items():
            assert key(resource["Properties"]) == {"Ref": "KmsKeyArn"}, name


def test_a_role_uses_the_customer_s_key_through_the_services_alone_that_hold_its_data(template: dict[str, Any]) -> None:
    allowed: dict[str, set[str]] = {}
    for name, statement in policies(template):
        if "kms" in json.dumps(statement["Action"]):
            assert statement["Resource"] == {"Ref": "KmsKeyArn"}, name
            via = statement["Condition"]["StringEquals"]["kms:ViaService"]
            services = {one["Fn::Sub"].partition(".")[0] for one in via}
            assert services == {"s3", "sqs", "dynamodb", "secretsmanager"}, name
            assert all(one["Fn::Sub"].endswith(".${AWS::Region}.${AWS::URLSuffix}") for one in via), name
            allowed[name] = set(as_list(statement["Action"]))
    assert set(allowed) == set(of_type(template, "AWS::IAM::Role"))
    assert {name for name, actions in allowed.items() if actions == {"kms:Decrypt"}} == {"SignerRole", "CheckRole"}


def test_18_a_topic_hears_of_the_recordings_of_its_own_stack_alone(raw: dict[str, Any]) -> None:
    pattern = raw["Resources"]["HighlightsRule"]["Properties"]["EventPattern"]
    media = raw["Resources"]["UploadRule"]["Properties"]["EventPattern"]["detail"]["bucket"]["name"]
    assert pattern == {"source": ["audio-highlights"], "detail": {"bucket": media}}


def names_given(template: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is named by us and not by CloudFormation, with the names."""
    naming = re.compile(
        r"(Bucket|Table|Queue|Function|Role|Topic|Alarm|Dashboard|LogGroup|Layer|StateMachine|Policy)Name$"
    )
    for name, resource in template["Resources"].items():
        for key, value in resource.get("Properties", {}).items():
            if key in ("Name", "Domain", "UserPoolName", "ClientName") or naming.search(key):
                yield f"{name}.{key}", value


def test_two_stacks_in_one_region_do_not_meet(template: dict[str, Any]) -> None:
    within = {"SignedIn.Name"}  # unique in its API only
    found = [
        (name, value) for name, value in names_given(template) if name not in within and ".FunctionName" not in name
    ]
    assert len(found) > 8
    for name, value in found:
        if not name.endswith(".PolicyName"):
            assert re.search(r"AWS::StackName|\$\{Api\}", json.dumps(value)), f"{name}: {value}"


def test_nothing_that_lasts_has_a_name_of_its_own(template: dict[str, Any]) -> None:
    # What sam delete leaves would keep the next stack of that name from being made.
    for name, resource in template["Resources"].items():
        if resource.get("DeletionPolicy") == "RetainExceptOnCreate" and resource["Type"] != "AWS::Cognito::UserPool":
            assert not {"BucketName", "TableName"} & set(resource["Properties"]), name


# ---- ways in


def test_the_routes_are_the_webhook_the_page_and_the_signed_in_api(template: dict[str, Any]) -> None:
    routes = [one["Properties"] for one in of_type(template, "AWS::ApiGatewayV2::Route").values()]
    assert {route["RouteKey"]: route["AuthorizationType"] for route in routes} == {
        "POST /webhook": "NONE",
        "GET /": "NONE",
        "GET /viewer/{path+}": "NONE",
        "GET /openapi.json": "NONE",
        "ANY /api/{path+}": "JWT",
    }
    assert len(of_type(template, "AWS::ApiGatewayV2::Api")) == 1
    kinds = {resource["Type"] for resource in template["Resources"].values()}
    others = "AWS::Lambda::Url AWS::ApiGateway::RestApi AWS::Serverless::Api AWS::Serverless::HttpApi"
    assert not kinds & set(others.split())
    assert not [name for name, one in functions(template).items() if "FunctionUrlConfig" in one["Properties"]]


def test_nobody_is_given_a_password_or_a_key(template: dict[str, Any]) -> None:
    kinds = {resource["Type"] for resource in template["Resources"].values()}
    assert {kind for kind in kinds if kind.startswith("AWS::IAM::")} == {"AWS::IAM::Role", "AWS::IAM::Policy"}
    assert not {"AWS::SecretsManager::ResourcePolicy", "AWS::Lambda::LayerVersionPermission"} & kinds


def test_functions_are_called_by_the_api_and_the_schedule_alone(transformed: dict[str, Any]) -> None:
    callers = {
        permission["Properties"]["FunctionName"]["Ref"]: permission["Properties"]["Principal"]
        for permission in of_type(transformed, "AWS::Lambda::Permission").values()
    }
    assert callers == {
        "WebhookFunction": "apigateway.amazonaws.com",
        "ApiFunction": "apigateway.amazonaws.com",
        "SweepFunction": "events.amazonaws.com",
    }


def test_the_api_takes_access_tokens_of_the_page_for_the_user_pool_alone(template: dict[str, Any]) -> None:
    [authorizer] = of_type(template, "AWS::ApiGatewayV2::Authorizer").values()
    asked = authorizer["Properties"]
    assert (asked["AuthorizerType"], asked["IdentitySource"]) == ("JWT", ["$request.header.Authorization"])
    assert asked["JwtConfiguration"]["Audience"] == [{"Ref": "PageClient"}]
    pool = {"Fn::If": ["CreateUserPool", {"Ref": "UserPool"}, {"Ref": "ExistingUserPoolId"}]}
    address = "https://cognito-idp.${AWS::Region}.${AWS::URLSuffix}/${Pool}"
    assert asked["JwtConfiguration"]["Issuer"] == {"Fn::Sub": [address, {"Pool": pool}]}
    route = template["Resources"]["ApiRoute"]["Properties"]
    assert (route["AuthorizerId"], route["AuthorizationScopes"]) == ({"Ref": "SignedIn"}, ["openid"])
    client = template["Resources"]["PageClient"]["Properties"]
    assert client["UserPoolId"] == pool
    assert (client["AllowedOAuthFlows"], client["GenerateSecret"]) == (["code"], False)
    assert client["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]


def test_nobody_makes_himself_a_user(template: dict[str, Any]) -> None:
    pool = template["Resources"]["UserPool"]["Properties"]
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}


def test_the_page_s_origin_and_no_other_may_read_results_and_upload(template: dict[str, Any]) -> None:
    for name, methods in (("MediaBucket", ["POST"]), ("ResultsBucket", ["GET"])):
        [rule] = template["Resources"][name]["Properties"]["CorsConfiguration"]["CorsRules"]
        assert (rule["AllowedOrigins"], rule["AllowedMethods"]) == ([{"Fn::GetAtt": ["Api", "ApiEndpoint"]}], methods)


def test_the_exposed_function_can_delete_nothing_and_start_no_transcript(template: dict[str, Any]) -> None:
    rights = {
        action
        for name, statement in policies(template)
        if name == "ApiRole" and statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
    }
    assert "dynamodb:Query" in rights
    assert not [right for right in rights if re.search(r"Delete|Secret|Scan|dynamodb:Put|AssumeRole|List", right)]


def test_58_a_busy_webhook_is_never_a_429(template: dict[str, Any]) -> None:
    # The provider gives up after a 4xx. A throttled stage answers 429; a throttled function would be a 5xx.
    stage = template["Resources"]["ApiStage"]["Properties"]
    assert not {"DefaultRouteSettings", "RouteSettings"} & set(stage)
    assert "ReservedConcurrentExecutions" not in template["Resources"]["WebhookFunction"]["Properties"]


@pytest.mark.parametrize("text", ["", "44.238.19.20", "44.238.19.20,54.220.25.36", "10.0.0.0/8,2001:db8::/32"])
def test_webhook_source_ips_are_addresses_that_the_function_can_read(raw: dict[str, Any], text: str) -> None:
    parameter = raw["Parameters"]["WebhookSourceIps"]
    assert parameter["Default"] == ""
    assert re.fullmatch(parameter["AllowedPattern"], text)
    assert len(networks(text)) == len([part for part in text.split(",") if part])
    variables = raw["Resources"]["WebhookFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["WEBHOOK_SOURCE_IPS"] == {"Ref": "WebhookSourceIps"}


@pytest.mark.parametrize("text", ["example.com", "44.238.19.20,", "44.238.19.20 54.220.25.36", "*", "10.0.0.0/8/8"])
def test_what_is_no_address_is_refused_before_it_is_deployed(raw: dict[str, Any], text: str) -> None:
    assert not re.fullmatch(raw["Parameters"]["WebhookSourceIps"]["AllowedPattern"], text)


# ---- what ships

SHIPPED = sorted(
    path
    for folder in (ROOT / "functions", ROOT / "layers" / "shared")
    for path in folder.rglob("*")
    if path.is_file() and path.suffix in (".py", ".txt", ".yaml", ".json", "") and "__pycache__" not in path.parts
)
SHIPPED += [TEMPLATE, *sorted((ROOT / "statemachine").iterdir())]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_ships_knows_of_no_other_place_than_aws(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = re.search(
        r"\b(local|emulators?|emulated|localhost|ministack|localstack|127\.0\.0\.1)\b", text, re.IGNORECASE
    )
    assert not found, found


def test_there_is_something_that_ships() -> None:
    names = {path.name for path in SHIPPED}
    assert {"app.py", "workflow.py", "Makefile", "requirements.txt", "template.yaml", POLL.name} <= names


def imports(path: Path) -> set[str]:
    """Dotted names of the modules that a file imports: of ours in full, of others the top."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, path
            module = str(node.module)
            found |= {f"{module}.{alias.name}" for alias in node.names} if module == "audio_highlights" else {module}
    return {name if name.startswith("audio_highlights") else name.partition(".")[0] for name in found}


def ours(path: Path) -> set[str]:
    return {name.partition(".")[2] for name in imports(path) if name.startswith("audio_highlights")}


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("errors", set()),
        ("config", set()),
        ("media_type", set()),
        ("models", {"errors"}),
        ("observability", {"models"}),
        ("batch", {"errors"}),
        ("line", {"models"}),
        ("options", {"errors"}),
        ("json_items", set()),
        ("insights", {"models", "json_items"}),
        ("uploads", {"models", "errors", "config"}),
        ("tally", {"errors", "parameters"}),
        ("deletion", {"models", "errors"}),
        ("orders", {"models", "errors"}),
        (
            "workflow",
            {"models", "errors", "config", "line", "media_type", "deletion", "uploads", "options", "insights"},
        ),
        ("webhook", {"models", "errors", "workflow"}),
        ("parameters", {"models", "errors"}),
        ("captions", {"json_items"}),
        ("export", {"models", "errors", "captions"}),
        ("reading", {"models", "errors", "parameters", "export", "json_items", "tally"}),
        ("assemblyai", {"models", "errors", "json_items"}),
        ("storage", {"models", "errors", "media_type", "json_items"}),
        ("tallies", {"storage", "tally"}),
        ("catalogue", {"errors", "storage", "tallies", "tally"}),
    ],
)
def test_imports_run_one_way(module: str, allowed: set[str]) -> None:
    assert ours(PACKAGE / f"{module}.py") <= allowed


def test_every_module_has_its_place_in_the_order() -> None:
    known = "errors config media_type models observability batch line workflow webhook assemblyai storage __init__"
    known += " parameters captions export reading catalogue deletion orders uploads options insights json_items"
    known += " tally tallies"
    assert {path.stem for path in PACKAGE.glob("*.py")} == set(known.split(" "))


@pytest.mark.parametrize(
    ("libraries", "adapters"),
    [
        ({"requests", "urllib3", "http", "aiohttp", "httpx"}, {"assemblyai"}),
        ({"boto3", "botocore"}, {"storage", "catalogue"}),
    ],
)
def test_only_the_adapters_speak_to_the_outside(libraries: set[str], adapters: set[str]) -> None:
    speaking = {path.stem for path in SHIPPED if path.suffix == ".py" and imports(path) & libraries}
    assert speaking == adapters


def test_functions_share_nothing_but_the_layer() -> None:
    standard = {"collections", "datetime", "decimal", "functools", "hashlib", "json", "os", "pathlib", "time", "typing"}
    for module in (ROOT / "functions").glob("*/*.py"):
        beside = {path.stem for path in module.parent.glob("*.py")} - {"app"}
        allowed = {*standard, *beside, "aws_lambda_powertools"}
        assert {name for name in imports(module) if not name.startswith("audio_highlights")} <= allowed, module


def test_only_the_function_with_the_page_has_more_than_one_module() -> None:
    found = {f"{path.parent.name}/{path.name}" for path in (ROOT / "functions").glob("*/*.py") if path.name != "app.py"}
    assert found == {"api/page.py"}


# ---- the poll loop


@pytest.fixture(scope="module")
def states() -> dict[str, dict[str, Any]]:
    machine = json.loads(POLL.read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = machine["States"]
    assert machine["StartAt"] in found
    return found


def following(state: dict[str, Any]) -> set[str]:
    after = [state, *state.get("Choices", []), *state.get("Catch", [])]
    return {one["Next"] for one in after if "Next" in one} | ({state["Default"]} if "Default" in state else set())


def test_every_next_state_exists_and_every_state_is_reached(states: dict[str, dict[str, Any]]) -> None:
    reached, open_ = set(), {"Begin"}
    while open_:
        name = open_.pop()
        assert name in states
        reached.add(name)
        open_ |= following(states[name]) - reached
    assert reached == set(states)


def test_every_state_goes_on_or_ends(states: dict[str, dict[str, Any]]) -> None:
    for name, state in states.items():
        ends = state.get("End") is True or state["Type"] in ("Succeed", "Fail")
        goes_on = "Default" in state if state["Type"] == "Choice" else "Next" in state
        assert ends != goes_on, name


def test_every_task_is_tried_again_and_then_left_to_the_sweep(states: dict[str, dict[str, Any]]) -> None:
    tasks = {name: state for name, state in states.items() if state["Type"] == "Task"}
    assert set(tasks) == {"Check", "Report"}
    for name, task in tasks.items():
        assert all(one["MaxAttempts"] > 1 and one["BackoffRate"] > 1 for one in task["Retry"]), name
        assert task["Catch"] == [{"ErrorEquals": ["States.ALL"], "Next": "LeftToTheSweep"}], name


def test_the_loop_ends_some_time(states: dict[str, dict[str, Any]]) -> None:
    conditions = [choice["Condition"] for choice in states["HasEnded"]["Choices"]]
    assert any("PollMaxCount" in condition for condition in conditions)
    assert "polls + 1" in states["Check"]["Assign"]["polls"]


def test_the_loop_is_given_all_it_names(raw: dict[str, Any]) -> None:
    text = POLL.read_text(encoding="utf-8")
    properties = raw["Resources"]["PollStateMachine"]["Properties"]
    assert ROOT / properties["DefinitionUri"] == POLL
    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(properties["DefinitionSubstitutions"])


# ---- the tests above can fail


@pytest.mark.parametrize(
    ("action", "resource", "check"),
    [
        ("*", "x", test_no_right_is_for_all_actions_or_for_a_whole_service),
        ("s3:*", "x", test_no_right_is_for_all_actions_or_for_a_whole_service),
        ("s3:Get*", "x", test_no_right_is_for_all_actions_or_for_a_whole_service),
        ("s3:GetObject", "*", test_no_right_is_for_all_resources_unless_the_metadata_of_its_role_says_why),
        ("sqs:SendMessage", "arn:aws:sqs:*:*:*", test_every_named_resource_ends_where_it_should),
    ],
)
def test_a_right_too_wide_is_seen(
    raw: dict[str, Any], action: str, resource: str, check: Callable[[dict[str, Any]], None]
) -> None:
    worse = copy.deepcopy(raw)
    document = worse["Resources"]["SubmitRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    document["Statement"].append({"Effect": "Allow", "Action": action, "Resource": resource})
    with pytest.raises(AssertionError):
        check(worse)
