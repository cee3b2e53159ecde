"""Policy documents are read strictly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from greengrass_components.errors import PolicyError
from greengrass_components.policies.statements import Kind, parse_policy

READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"}
OPEN = {**READ, "Principal": {"AWS": "111122223333"}}
TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "x.amazonaws.com"}}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def test_a_document_is_read_from_json_and_from_what_it_says() -> None:
    content = document({**READ, "Sid": "ReadAll"})
    policy = parse_policy(json.dumps(content), name="role.x", kind="identity")
    assert policy == parse_policy(content, name="role.x", kind="identity")
    assert policy.statements[0].name == "ReadAll"
    assert policy.statements[0].actions == ("s3:getobject",)


def test_a_statement_alone_needs_no_list_and_no_sid() -> None:
    content = {"Version": "2012-10-17", "Statement": READ}
    policy = parse_policy(content, name="role.x", kind="identity")
    assert [statement.name for statement in policy.statements] == ["statement 1"]


def test_principals_are_told_apart() -> None:
    principal = {
        "AWS": [
            "111122223333",
            "arn:aws:iam::444455556666:root",
            "arn:aws:iam::111122223333:role/path/name",
        ],
        "Service": "logs.eu-central-1.amazonaws.com",
        "Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com",
    }
    policy = parse_policy(document({**READ, "Principal": principal}), name="b", kind="resource")
    principals = policy.statements[0].principals
    assert principals is not None
    assert principals.accounts == {"111122223333", "444455556666"}
    assert principals.identities == {"arn:aws:iam::111122223333:role/path/name"}
    assert principals.services == {"logs.eu-central-1.amazonaws.com"}
    assert len(principals.providers) == 1
    assert not principals.everyone


@pytest.mark.parametrize("everyone", ["*", {"AWS": "*"}, {"AWS": ["*"]}])
def test_a_star_is_everyone(everyone: Any) -> None:
    policy = parse_policy(document({**READ, "Principal": everyone}), name="b", kind="resource")
    assert policy.statements[0].principals is not None
    assert policy.statements[0].principals.everyone


def without(statement: dict[str, Any], element: str) -> dict[str, Any]:
    return {key: value for key, value in statement.items() if key != element}


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("identity", "{", "not JSON"),
        ("identity", "[]", "must be an object"),
        ("identity", {**document(READ), "Comment": "x"}, "element Comment is not known"),
        ("identity", {**document(READ), "Version": "2020-01-01"}, "version '2020-01-01'"),
        ("identity", document(), "must have statements"),
        ("identity", {"Version": "2012-10-17", "Statement": "x"}, "must have statements"),
        ("identity", {"Version": "2012-10-17", "Statement": ["x"]}, "must be an object"),
        ("identity", document({**READ, "Comment": "x"}), "element Comment is not known"),
        ("identity", document({**READ, "Effect": "allow"}), "not Allow or Deny"),
        ("identity", document(without(READ, "Effect")), "not Allow or Deny"),
        ("identity", document(without(READ, "Action")), "either Action or NotAction"),
        ("identity", document({**READ, "NotAction": "s3:*"}), "either Action or NotAction"),
        ("identity", document({**READ, "Action": "GetObject"}), "not an action"),
        ("identity", document({**READ, "Action": "s*:Get"}), "not an action"),
        ("identity", document({**READ, "Action": []}), "must be a text or a list"),
        ("identity", document({**READ, "Action": 1}), "must be a text or a list"),
        ("identity", document(without(READ, "Resource")), "either Resource or NotResource"),
        ("identity", document({**READ, "Resource": "bucket"}), "not an ARN"),
        ("identity", document({**READ, "Resource": "arn:aws:s3"}), "not an ARN"),
        ("identity", document({**READ, "Resource": "arn:aws:s3:::${x"}), "not closed"),
        ("identity", document(OPEN), "attached to one"),
        ("iot", document(OPEN), "attached to one"),
        ("resource", document(READ), "must name a principal"),
        ("resource", document({**READ, "Principal": "x"}), "must name a principal"),
        ("resource", document({**READ, "NotPrincipal": "*"}), "element NotPrincipal"),
        ("resource", document({**READ, "Principal": {"CanonicalUser": "x"}}), "CanonicalUser"),
        ("resource", document({**READ, "Principal": {"AWS": "AROAEXAMPLE"}}), "AROAEXAMPLE"),
        (
            "resource",
            document({**READ, "Principal": {"AWS": "arn:aws:iam::111122223333:role/*"}}),
            "is not a role, user or account",
        ),
        ("resource", document({**READ, "Principal": {"Service": "iot"}}), "is not a service"),
        ("resource", document({**READ, "Principal": {"Service": "*"}}), "is not a service"),
        ("trust", document({**TRUST, "Resource": "*"}), "names no resource"),
        ("identity", document({**READ, "Condition": {"Is": {"aws:a": "b"}}}), "Is is not known"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(
    kind: Kind, content: Any, message: str
) -> None:
    with pytest.raises(PolicyError, match=message) as caught:
        parse_policy(content, name="role.x", kind=kind)
    assert caught.value.message.startswith("the policy role.x")
