"""What an interrupted apply left, found in an emulator by its kind."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from greengrass_components.emulator import Emulator, start_emulator
from greengrass_components.infrastructure.account import find_caller
from greengrass_components.infrastructure.leftovers import find_leftovers
from greengrass_components.infrastructure.plan_review import PlannedResource

NOBODY = '{"Version": "2012-10-17", "Statement": []}'


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with start_emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture(autouse=True)
def account(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


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


def test_other_kinds_are_left_to_their_names() -> None:
    assert found("aws_iam_role", name="anything") is None
