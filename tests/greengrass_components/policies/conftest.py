"""A small stack, as Terraform tells of it: two buckets, a key, roles, a device's policy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ACCOUNT = "111122223333"
REGION = "eu-central-1"
TAGS = {"Stack": "edgewise-dev", "Environment": "dev"}
RAW = "slm-intents-raw-dev"
MODELS = "slm-model-artifacts-dev"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0b8c"
HOST = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"

State = dict[str, Any]


def document(*statements: dict[str, Any]) -> str:
    """A policy as JSON."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def resource(kind: str, label: str = "this", /, **values: Any) -> dict[str, Any]:
    """A resource of a state."""
    return {
        "address": f"{kind}.{label}",
        "mode": "managed",
        "type": kind,
        "name": label,
        "values": values,
    }


def role(name: str, trust: dict[str, Any], **values: Any) -> dict[str, Any]:
    full = f"edgewise-dev-{name}"
    return resource(
        "aws_iam_role",
        name,
        name=full,
        arn=f"arn:aws:iam::{ACCOUNT}:role/{full}",
        assume_role_policy=document({"Effect": "Allow", **trust}),
        **values,
    )


def bucket(name: str) -> list[dict[str, Any]]:
    arn = f"arn:aws:s3:::{name}"
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    tls = {
        "Sid": "DenyWithoutTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": plain,
    }
    return [
        resource("aws_s3_bucket", name, bucket=name, arn=arn, policy=document(tls)),
        resource("aws_s3_bucket_policy", name, bucket=name, policy=document(tls)),
    ]


@pytest.fixture
def resources() -> list[dict[str, Any]]:
    """The resources of the stack, to be changed at will."""
    delegate = {**allow("kms:*", "*", Sid="ByIam"), "Principal": {"AWS": ACCOUNT}}
    device = f"arn:aws:iot:{REGION}:{ACCOUNT}:topic/edge" + "/${iot:Connection.Thing.ThingName}"
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/edgewise-dev-guardrails"
    return [
        *bucket(RAW),
        *bucket(MODELS),
        resource("aws_kms_key", arn=KEY, key_id="0b8c", policy=document(delegate), tags_all=TAGS),
        resource("aws_kms_alias", name="alias/edgewise-dev-data", target_key_id="0b8c"),
        resource(
            "aws_iam_policy",
            name="edgewise-dev-guardrails",
            arn=boundary,
            policy=document(
                allow("*", "*", Sid="All"),
                {"Sid": "NoUsers", "Effect": "Deny", "Action": "iam:Create*", "Resource": "*"},
            ),
        ),
        role(
            "reader",
            {"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
            permissions_boundary=boundary,
        ),
        resource(
            "aws_iam_role_policy",
            "reader",
            name="read",
            role="edgewise-dev-reader",
            policy=document(allow("s3:GetObject", f"arn:aws:s3:::{RAW}/*", Sid="Read")),
        ),
        role(
            "signer",
            {
                "Sid": "Jobs",
                "Principal": {"Federated": PROVIDER},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {f"{HOST}:sub": "repo:me/house:environment:dev"}},
            },
            permissions_boundary=None,
        ),
        resource(
            "aws_iot_policy",
            "device",
            name="edgewise-dev-device",
            arn=f"arn:aws:iot:{REGION}:{ACCOUNT}:policy/edgewise-dev-device",
            policy=document(allow("iot:Publish", device, Sid="Say")),
        ),
    ]


@pytest.fixture
def state(resources: list[dict[str, Any]]) -> Callable[[], State]:
    """A function that makes the state of the resources, half of them in a module."""

    def make() -> State:
        half = len(resources) // 2
        modules = [{"address": "module.rest", "resources": resources[half:]}]
        return {
            "format_version": "1.0",
            "values": {"root_module": {"resources": resources[:half], "child_modules": modules}},
        }

    return make


@pytest.fixture
def table(tmp_path: Path) -> Callable[[str], Path]:
    """A function that writes a table."""

    def write(text: str) -> Path:
        path = tmp_path / "access.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
