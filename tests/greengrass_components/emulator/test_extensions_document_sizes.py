"""The emulator takes a policy up to the length that AWS takes, and no letter more."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.exceptions import ClientError

from greengrass_components.emulator import start_emulator

ACCOUNT = "123456789012"
numbers = itertools.count(1)


class Clients(NamedTuple):
    iam: Any
    iot: Any
    kms: Any
    s3: Any
    people: Any


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    folder = tmp_path_factory.mktemp("emulator")
    with pytest.MonkeyPatch.context() as patch, start_emulator(folder) as running:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        session = boto3.session.Session()
        clients = Clients(
            session.client("iam"),
            session.client("iot"),
            session.client("kms"),
            session.client("s3"),
            session.client("sso-admin"),
        )
        yield clients
        for client in clients:
            client.close()


def document(length: int, **element: Any) -> str:
    """Return a policy of that many letters, without the white space that it has besides."""
    statement = {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*", **element}
    content = {"Version": "2012-10-17", "Statement": [{**statement, "Sid": ""}]}
    bare = len(json.dumps(content, separators=(",", ":")))
    content["Statement"][0]["Sid"] = "a" * (length - bare)  # type: ignore[index]
    return json.dumps(content, indent=1)


def tight(length: int, **element: Any) -> str:
    """Return a policy of that many bytes, where white space counts as well."""
    return json.dumps(json.loads(document(length, **element)), separators=(",", ":"))


def role(aws: Clients) -> str:
    name = f"role-{next(numbers)}"
    aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    return name


def put_trust(aws: Clients, length: int) -> None:
    trust = {
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "iot.amazonaws.com"},
    }
    content = json.loads(document(length, **trust))
    # A trust policy names no resource; what it took goes to the name of the statement.
    del content["Statement"][0]["Resource"]
    content["Statement"][0]["Sid"] += "a" * len('"Resource":"*",')
    text = json.dumps(content, indent=1)
    aws.iam.create_role(RoleName=f"role-{next(numbers)}", AssumeRolePolicyDocument=text)


def put_managed(aws: Clients, length: int) -> None:
    aws.iam.create_policy(PolicyName=f"policy-{next(numbers)}", PolicyDocument=document(length))


def put_version(aws: Clients, length: int) -> None:
    arn = aws.iam.create_policy(PolicyName=f"policy-{next(numbers)}", PolicyDocument=document(200))[
        "Policy"
    ]["Arn"]
    aws.iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(length))


def put_inline(aws: Clients, length: int) -> None:
    # All of a role count together.
    name = role(aws)
    aws.iam.put_role_policy(RoleName=name, PolicyName="one", PolicyDocument=document(5000))
    aws.iam.put_role_policy(RoleName=name, PolicyName="two", PolicyDocument=document(length - 5000))


def put_iot(aws: Clients, length: int) -> None:
    aws.iot.create_policy(policyName=f"policy-{next(numbers)}", policyDocument=document(length))


def put_iot_version(aws: Clients, length: int) -> None:
    name = f"policy-{next(numbers)}"
    aws.iot.create_policy(policyName=name, policyDocument=document(200))
    aws.iot.create_policy_version(policyName=name, policyDocument=document(length))


def put_bucket(aws: Clients, length: int) -> None:
    name = f"bucket-{next(numbers)}"
    aws.s3.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    policy = tight(
        length,
        Action="s3:GetObject",
        Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        Resource=f"arn:aws:s3:::{name}/*",
    )
    aws.s3.put_bucket_policy(Bucket=name, Policy=policy)


def put_key(aws: Clients, length: int) -> None:
    principal = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    aws.kms.create_key(Policy=tight(length, Action="kms:*", Principal=principal))


def put_people(aws: Clients, length: int) -> None:
    instance = aws.people.list_instances()["Instances"][0]["InstanceArn"]
    made = aws.people.create_permission_set(Name=f"set-{next(numbers)}", InstanceArn=instance)
    aws.people.put_inline_policy_to_permission_set(
        InstanceArn=instance,
        PermissionSetArn=made["PermissionSet"]["PermissionSetArn"],
        InlinePolicy=document(length),
    )


LIMITS = [
    (put_trust, 2_048, "LimitExceeded.*Cannot exceed quota for ACLSizePerRole: 2048"),
    (put_managed, 6_144, "LimitExceeded.*Cannot exceed quota for PolicySize: 6144"),
    (put_version, 6_144, "LimitExceeded.*Cannot exceed quota for PolicySize: 6144"),
    (put_inline, 10_240, "LimitExceeded.*Maximum policy size of 10240 bytes exceeded for role"),
    (put_iot, 2_048, "MalformedPolicyException.*exceeds limit 2048"),
    (put_iot_version, 2_048, "MalformedPolicyException.*exceeds limit 2048"),
    (put_bucket, 20_480, "PolicyTooLarge"),
    (put_key, 32_768, "LimitExceededException"),
]


@pytest.mark.parametrize(("put", "limit", "refusal"), LIMITS, ids=lambda one: str(one)[:24])
def test_a_document_of_the_greatest_length_is_taken_and_a_longer_one_is_not(
    aws: Clients, put: Callable[[Clients, int], None], limit: int, refusal: str
) -> None:
    put(aws, limit)

    with pytest.raises(ClientError, match=refusal):
        put(aws, limit + 1)


def test_a_policy_of_people_may_be_longer_than_one_of_a_role(aws: Clients) -> None:
    put_people(aws, 10_241)


@pytest.mark.parametrize(
    "document",
    [
        "{}",
        '{"Version": "2012-10-17", "Statement": []}',
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Connect"}]}',
    ],
)
def test_an_iot_policy_that_cannot_be_read_is_refused(aws: Clients, document: str) -> None:
    with pytest.raises(ClientError, match="MalformedPolicyException"):
        aws.iot.create_policy(policyName="never", policyDocument=document)
