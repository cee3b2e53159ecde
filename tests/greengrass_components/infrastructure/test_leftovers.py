"""What an interrupted apply left, found in an emulator by its kind."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import boto3
import msgspec
import pytest
from botocore.exceptions import ClientError

from greengrass_components.infrastructure.account import find_caller
from greengrass_components.infrastructure.leftovers import find_leftovers
from greengrass_components.infrastructure.plan_review import PlannedResource

DENIED = (
    '{"Version": "2012-10-17", "Statement":'
    ' [{"Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::bbb/*"}]}'
)
NOBODY = '{"Version": "2012-10-17", "Statement": []}'


pytestmark = pytest.mark.usefixtures("emulated")


def found(kind: str, **values: Any) -> str | None:
    planned = [PlannedResource("module.a.x.this", kind, values)]
    return find_leftovers(planned, stack="edgewise-dev", caller=find_caller()).get(
        "module.a.x.this"
    )


def make_key(description: str, *, stack: str) -> str:
    tags = [{"TagKey": "Stack", "TagValue": stack}]
    made = boto3.client("kms").create_key(Description=description, Tags=tags)
    return str(made["KeyMetadata"]["KeyId"])


def make_function(name: str) -> None:
    role = boto3.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=NOBODY)["Role"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("handler.py", "")
    boto3.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role["Arn"],
        Handler="handler.handler",
        Code={"ZipFile": archive.getvalue()},
    )


def test_a_key_is_known_by_its_description_and_its_stack() -> None:
    make_key("Signs.", stack="edgewise-prod")
    assert found("aws_kms_key", description="Signs.") is None

    own = make_key("Signs.", stack="edgewise-dev")
    assert found("aws_kms_key", description="Signs.") == own
    assert found("aws_kms_key", description="Encrypts.") is None


def test_a_key_on_its_way_out_is_not_taken_back() -> None:
    key = make_key("Goes.", stack="edgewise-dev")
    boto3.client("kms").schedule_key_deletion(KeyId=key)

    assert found("aws_kms_key", description="Goes.") is None


def test_versioning_that_is_on_is_found() -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(
        Bucket="slm-raw", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    assert found("aws_s3_bucket_versioning", bucket="slm-raw") is None

    s3.put_bucket_versioning(Bucket="slm-raw", VersioningConfiguration={"Status": "Enabled"})
    assert found("aws_s3_bucket_versioning", bucket="slm-raw") == "slm-raw"


def test_versioning_of_a_bucket_that_is_only_planned_is_not_looked_for() -> None:
    assert found("aws_s3_bucket_versioning") is None


def test_a_function_and_its_permission_are_found_by_their_names() -> None:
    assert found("aws_lambda_function", function_name="hook") is None
    assert found("aws_lambda_permission", function_name="hook", statement_id="Calls") is None

    make_function("hook")
    assert found("aws_lambda_function", function_name="hook") == "hook"
    assert found("aws_lambda_permission", function_name="hook", statement_id="Calls") is None

    boto3.client("lambda").add_permission(
        FunctionName="hook",
        StatementId="Calls",
        Action="lambda:InvokeFunction",
        Principal="iot.amazonaws.com",
    )
    assert found("aws_lambda_permission", function_name="hook", statement_id="Calls") == (
        "hook/Calls"
    )


def test_a_permission_set_is_found_by_its_name() -> None:
    sso = boto3.client("sso-admin")
    instance = sso.list_instances()["Instances"][0]["InstanceArn"]
    wanted = {"name": "edgewise-dev-operator", "instance_arn": instance}
    assert found("aws_ssoadmin_permission_set", **wanted) is None

    made = sso.create_permission_set(Name=wanted["name"], InstanceArn=instance)
    arn = made["PermissionSet"]["PermissionSetArn"]
    assert found("aws_ssoadmin_permission_set", **wanted) == f"{arn},{instance}"


def test_an_assignment_is_found_when_its_permission_set_is_known() -> None:
    sso = boto3.client("sso-admin")
    instance = sso.list_instances()["Instances"][0]["InstanceArn"]
    made = sso.create_permission_set(Name="edgewise-dev-auditor", InstanceArn=instance)
    wanted = {
        "instance_arn": instance,
        "principal_id": "906ab1cd-2a3b-4c5d-8e9f-001122334466",
        "principal_type": "GROUP",
        "target_id": "123456789012",
        "target_type": "AWS_ACCOUNT",
    }
    kind, arn = "aws_ssoadmin_account_assignment", made["PermissionSet"]["PermissionSetArn"]
    assert found(kind, **wanted) is None
    assert found(kind, **wanted, permission_set_arn=arn) is None

    sso.create_account_assignment(
        InstanceArn=instance,
        TargetId=wanted["target_id"],
        TargetType=wanted["target_type"],
        PermissionSetArn=arn,
        PrincipalType=wanted["principal_type"],
        PrincipalId=wanted["principal_id"],
    )

    assert found(kind, **wanted, permission_set_arn=arn) == (
        f"906ab1cd-2a3b-4c5d-8e9f-001122334466,GROUP,123456789012,AWS_ACCOUNT,{arn},{instance}"
    )
    somebody_else = wanted | {"principal_id": "906ab1cd-2a3b-4c5d-8e9f-001122334477"}
    assert found(kind, **somebody_else, permission_set_arn=arn) is None


def test_a_key_that_nobody_may_look_at_hides_no_other() -> None:
    closed = boto3.client("kms").create_key(
        Policy=msgspec.json.encode(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": ["kms:DescribeKey"],
                        "Resource": "*",
                    }
                ],
            }
        ).decode()
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        boto3.client("kms").describe_key(KeyId=closed["KeyMetadata"]["KeyId"])
    own = make_key("Signs.", stack="edgewise-dev")

    assert found("aws_kms_key", description="Signs.") == own
    assert found("aws_kms_key", description="Encrypts.") is None


def make_bucket_policy() -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="bbb", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_bucket_policy(
        Bucket="bbb", Policy=DENIED.replace('"Effect"', '"Principal": "*", "Effect"')
    )


def make_role_policy() -> None:
    iam = boto3.client("iam")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=NOBODY)
    iam.put_role_policy(RoleName="r", PolicyName="n", PolicyDocument=DENIED)


def make_alias() -> None:
    boto3.client("kms").create_alias(
        AliasName="alias/n", TargetKeyId=make_key("Any.", stack="edgewise-dev")
    )


def make_rule() -> None:
    boto3.client("iot").create_topic_rule(
        ruleName="n", topicRulePayload={"sql": "SELECT * FROM 'a'", "actions": []}
    )


def make_composite_alarm() -> None:
    boto3.client("cloudwatch").put_composite_alarm(AlarmName="n", AlarmRule="FALSE")


def make_metric_alarm() -> None:
    boto3.client("cloudwatch").put_metric_alarm(
        AlarmName="n",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="m",
        Namespace="edgewise",
        Period=60,
        Statistic="Sum",
        Threshold=1.0,
    )


def make_trail() -> None:
    boto3.client("s3").create_bucket(
        Bucket="ttt", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    boto3.client("cloudtrail").create_trail(Name="nnn", S3BucketName="ttt")


def make_template() -> None:
    role = boto3.client("iam").create_role(RoleName="p", AssumeRolePolicyDocument=NOBODY)["Role"]
    boto3.client("iot").create_provisioning_template(
        templateName="n", templateBody="{}", provisioningRoleArn=role["Arn"]
    )


def make_budget() -> None:
    boto3.client("budgets").create_budget(
        AccountId="123456789012",
        Budget={
            "BudgetName": "n",
            "BudgetLimit": {"Amount": "10", "Unit": "USD"},
            "TimeUnit": "MONTHLY",
            "BudgetType": "COST",
        },
    )


ARN = "arn:aws:{}:eu-central-1:123456789012:{}".format
IAM = "arn:aws:iam::123456789012:{}".format


@pytest.mark.parametrize(
    ("kind", "values", "make", "expected"),
    [
        ("aws_budgets_budget", {"name": "n"}, make_budget, "123456789012:n"),
        ("aws_cloudtrail", {"name": "nnn"}, make_trail, ARN("cloudtrail", "trail/nnn")),
        ("aws_cloudwatch_composite_alarm", {"alarm_name": "n"}, make_composite_alarm, "n"),
        (
            "aws_cloudwatch_dashboard",
            {"dashboard_name": "n"},
            lambda: boto3.client("cloudwatch").put_dashboard(
                DashboardName="n", DashboardBody='{"widgets": []}'
            ),
            "n",
        ),
        (
            "aws_cloudwatch_log_group",
            {"name": "/n"},
            lambda: boto3.client("logs").create_log_group(logGroupName="/n"),
            "/n",
        ),
        ("aws_cloudwatch_metric_alarm", {"alarm_name": "n"}, make_metric_alarm, "n"),
        (
            "aws_iam_openid_connect_provider",
            {"url": "https://token.actions.githubusercontent.com"},
            lambda: boto3.client("iam").create_open_id_connect_provider(
                Url="https://token.actions.githubusercontent.com", ThumbprintList=["0" * 40]
            ),
            IAM("oidc-provider/token.actions.githubusercontent.com"),
        ),
        (
            "aws_iam_policy",
            {"name": "n", "path": "/"},
            lambda: boto3.client("iam").create_policy(PolicyName="n", PolicyDocument=DENIED),
            IAM("policy/n"),
        ),
        (
            "aws_iam_role",
            {"name": "n"},
            lambda: boto3.client("iam").create_role(RoleName="n", AssumeRolePolicyDocument=NOBODY),
            "n",
        ),
        ("aws_iam_role_policy", {"role": "r", "name": "n"}, make_role_policy, "r:n"),
        (
            "aws_iot_policy",
            {"name": "n"},
            lambda: boto3.client("iot").create_policy(policyName="n", policyDocument=DENIED),
            "n",
        ),
        ("aws_iot_provisioning_template", {"name": "n"}, make_template, "n"),
        (
            "aws_iot_role_alias",
            {"alias": "n"},
            lambda: boto3.client("iot").create_role_alias(roleAlias="n", roleArn=IAM("role/r")),
            "n",
        ),
        (
            "aws_iot_thing_group",
            {"name": "n"},
            lambda: boto3.client("iot").create_thing_group(thingGroupName="n"),
            "n",
        ),
        (
            "aws_iot_thing_type",
            {"name": "n"},
            lambda: boto3.client("iot").create_thing_type(thingTypeName="n"),
            "n",
        ),
        ("aws_iot_topic_rule", {"name": "n"}, make_rule, "n"),
        ("aws_kms_alias", {"name": "alias/n"}, make_alias, "alias/n"),
        ("aws_s3_bucket_policy", {"bucket": "bbb"}, make_bucket_policy, "bbb"),
        (
            "aws_sns_topic",
            {"name": "n"},
            lambda: boto3.client("sns").create_topic(Name="n"),
            ARN("sns", "n"),
        ),
    ],
)
def test_what_has_a_name_of_our_choice_is_found_by_it(
    kind: str, values: dict[str, str], make: Callable[[], Any], expected: str
) -> None:
    assert found(kind, **values) is None

    make()

    assert found(kind, **values) == expected
    assert found(kind) is None


def test_a_log_group_with_a_longer_name_is_another_one() -> None:
    boto3.client("logs").create_log_group(logGroupName="/edgewise/rules-old")

    assert found("aws_cloudwatch_log_group", name="/edgewise/rules") is None


def test_what_goes_with_something_else_is_not_looked_for() -> None:
    assert found("aws_s3_bucket_logging", bucket="anything") is None
