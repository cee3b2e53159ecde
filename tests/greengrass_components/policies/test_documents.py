"""Every policy of a stack is found in its state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from greengrass_components.errors import PolicyError
from greengrass_components.policies.documents import collect_documents

State = dict[str, Any]
Resources = list[dict[str, Any]]
Make = Callable[[], State]

ACCOUNT = "111122223333"
READER = f"arn:aws:iam::{ACCOUNT}:role/edgewise-dev-reader"
SIGNER = f"arn:aws:iam::{ACCOUNT}:role/edgewise-dev-signer"


def find(resources: Resources, kind: str, name: str = "this") -> dict[str, Any]:
    values: dict[str, Any] = next(
        one["values"] for one in resources if one["address"] == f"{kind}.{name}"
    )
    return values


def test_a_role_has_its_policies_its_boundary_and_its_trust(state: Make) -> None:
    documents = collect_documents(state())
    reader = documents.identities[READER]
    assert reader.name == "role.reader"
    assert [policy.name for policy in reader.policies] == ["role.reader/read"]
    assert reader.boundary is not None
    assert reader.boundary.name == "managed_policy.guardrails"
    assert documents.trusts[READER].name == "role.reader/trust"
    assert documents.identities[SIGNER].boundary is None


def test_an_attached_policy_of_the_stack_is_read(state: Make, resources: Resources) -> None:
    arn = find(resources, "aws_iam_policy")["arn"]
    values = {"role": "edgewise-dev-signer", "policy_arn": arn}
    resources.append(
        {
            "address": "aws_iam_role_policy_attachment.this",
            "mode": "managed",
            "type": "aws_iam_role_policy_attachment",
            "values": values,
        }
    )
    attached = collect_documents(state()).identities[SIGNER].policies
    assert [policy.name for policy in attached] == ["managed_policy.guardrails"]


def test_a_policy_that_the_state_does_not_hold_is_refused(
    state: Make, resources: Resources
) -> None:
    of_aws = "arn:aws:iam::aws:policy/AdministratorAccess"
    find(resources, "aws_iam_role", "signer")["permissions_boundary"] = of_aws
    with pytest.raises(PolicyError, match=f"what {of_aws} says is not in the state"):
        collect_documents(state())


def test_buckets_and_keys_are_guarded(state: Make) -> None:
    guards = collect_documents(state()).guards
    assert guards["arn:aws:s3:::slm-intents-raw-dev"].name == "bucket.intents-raw"
    assert guards[f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/0b8c"].name == "key.data"


def test_a_device_is_a_certificate_with_its_policy(state: Make) -> None:
    documents = collect_documents(state())
    device = documents.identities[documents.names["certificate.device"]]
    assert device.arn == f"arn:aws:iot:eu-central-1:{ACCOUNT}:cert/device"
    assert [policy.kind for policy in device.policies] == ["iot"]


def test_a_permission_set_is_the_role_that_identity_center_makes_of_it(
    state: Make, resources: Resources
) -> None:
    arn = "arn:aws:sso:::permissionSet/ssoins-1/ps-1"
    inline = '{"Version": "2012-10-17", "Statement": '
    inline += '{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}}'
    for kind, values in (
        ("aws_ssoadmin_permission_set", {"name": "edgewise-dev-auditor", "arn": arn}),
        (
            "aws_ssoadmin_permission_set_inline_policy",
            {"permission_set_arn": arn, "inline_policy": inline},
        ),
    ):
        resources.append({"address": kind, "mode": "managed", "type": kind, "values": values})
    documents = collect_documents(state())
    auditor = documents.identities[documents.names["permission_set.auditor"]]
    assert auditor.arn == (
        f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-central-1/"
        "AWSReservedSSO_edgewise-dev-auditor_0123456789abcdef"
    )
    assert [policy.name for policy in auditor.policies] == ["permission_set.auditor"]


def test_the_permissions_of_a_function_are_its_policy(state: Make, resources: Resources) -> None:
    arn = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:edgewise-dev-hook"
    function = {"function_name": "edgewise-dev-hook", "arn": arn}
    permission = {
        "function_name": "edgewise-dev-hook",
        "statement_id": "Template",
        "action": "lambda:InvokeFunction",
        "principal": "iot.amazonaws.com",
        "source_account": ACCOUNT,
        "source_arn": f"arn:aws:iot:eu-central-1:{ACCOUNT}:provisioningtemplate/x",
    }
    for kind, values in (("aws_lambda_function", function), ("aws_lambda_permission", permission)):
        resources.append({"address": kind, "mode": "managed", "type": kind, "values": values})
    guard = collect_documents(state()).guards[arn]
    assert guard.name == "function.hook"
    assert [statement.name for statement in guard.statements] == ["Template"]
    assert {clause.key for clause in guard.statements[0].clauses} == {
        "aws:sourceaccount",
        "aws:sourcearn",
    }


def test_every_document_is_listed_once_by_name(state: Make) -> None:
    assert [rendered.name for rendered in collect_documents(state()).rendered] == [
        "bucket.intents-raw",
        "bucket.model-artifacts",
        "iot_policy.device",
        "key.data",
        "managed_policy.guardrails",
        "role.reader/read",
        "role.reader/trust",
        "role.signer/trust",
    ]


def test_a_policy_that_nobody_reads_is_refused(state: Make, resources: Resources) -> None:
    values = {"name": "queue", "policy": '{"Version": "2012-10-17", "Statement": []}'}
    resources.append(
        {"address": "aws_sqs_queue.x", "mode": "managed", "type": "aws_sqs_queue", "values": values}
    )
    with pytest.raises(PolicyError, match=r"nobody looks at the policy in aws_sqs_queue.x.policy"):
        collect_documents(state())


def test_a_bucket_with_a_policy_of_its_own_making_is_refused(
    state: Make, resources: Resources
) -> None:
    # Without the resource that sets it, what the bucket itself holds is the policy.
    resources[:] = [
        one for one in resources if one["address"] != "aws_s3_bucket_policy.slm-intents-raw-dev"
    ]
    with pytest.raises(
        PolicyError, match="nobody looks at the policy in aws_s3_bucket.slm-intents"
    ):
        collect_documents(state())


@pytest.mark.parametrize(("name", "known"), [("read", True), ("other", False)])
def test_what_a_role_repeats_of_its_policies_is_known(
    state: Make, resources: Resources, name: str, known: bool
) -> None:
    policy = find(resources, "aws_iam_role_policy", "reader")["policy"]
    copy = [{"name": name, "policy": policy}]
    find(resources, "aws_iam_role", "reader")["inline_policy"] = copy
    if known:
        assert READER in collect_documents(state()).identities
    else:
        with pytest.raises(PolicyError, match="nobody looks at the policy in aws_iam_role.reader"):
            collect_documents(state())


def test_a_policy_that_is_not_understood_is_refused_with_its_name(
    state: Make, resources: Resources
) -> None:
    find(resources, "aws_iot_policy", "device")["policy"] = '{"Statement": []}'
    with pytest.raises(
        PolicyError, match=r"the policy iot_policy\.device: it must have statements"
    ):
        collect_documents(state())


def test_who_may_take_on_a_role_names_the_repository_and_its_provider(state: Make) -> None:
    names = collect_documents(state()).names
    assert names["repository"] == "me/house"
    assert names["provider.token.actions.githubusercontent.com"].startswith("arn:aws:iam::")
