"""parliament's findings, and what is accepted of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greengrass_components.errors import PolicyError
from greengrass_components.policies.lint import (
    REVIEW,
    Finding,
    NewAction,
    Review,
    Waiver,
    lint_policies,
    read_review,
)

State = dict[str, Any]
Resources = list[dict[str, Any]]
Make = Callable[[], State]

STAR_OF_KEY = Waiver(issue="RESOURCE_STAR", policy="key.*", why="the key itself")
GITHUB = Waiver(issue="*", policy="role.signer/trust", why="parliament does not know GitHub")
ACCEPTED = Review(waiver=(STAR_OF_KEY, GITHUB))


def set_policy(resources: Resources, statement: dict[str, Any]) -> None:
    """Give the reader this statement alone."""
    import json

    content = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    policy = next(one for one in resources if one["address"] == "aws_iam_role_policy.reader")
    policy["values"]["policy"] = content


def read(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Sid": "Read", "Effect": "Allow", "Action": action, "Resource": resource, **more}


def test_a_sound_stack_has_no_findings(state: Make) -> None:
    assert lint_policies(state(), review=ACCEPTED) == ()


def test_without_the_review_the_findings_stand(state: Make) -> None:
    findings = lint_policies(state(), review=Review())
    assert {(finding.policy, finding.statement) for finding in findings} >= {("key.data", "ByIam")}


@pytest.mark.parametrize(
    ("statement", "issue"),
    [
        (read("s3:GetObjekt", "arn:aws:s3:::b/*"), "UNKNOWN_ACTION"),
        (read("s4:GetObject", "arn:aws:s3:::b/*"), "UNKNOWN_PREFIX"),
        (read("s3:GetObject"), "RESOURCE_STAR"),
        (read("s3:GetObject", "arn:aws:s3:::b"), "RESOURCE_MISMATCH"),
        (
            read(
                "s3:GetObject", "arn:aws:s3:::b/*", Condition={"StringEquals": {"s3:prefix": "a"}}
            ),
            "UNKNOWN_CONDITION_FOR_ACTION",
        ),
        (
            read("iam:PassRole", "arn:aws:iam::111122223333:role/x"),
            "PERMISSIONS_MANAGEMENT_ACTIONS",
        ),
    ],
)
def test_what_is_wrong_is_found_with_its_place(
    state: Make, resources: Resources, statement: dict[str, Any], issue: str
) -> None:
    set_policy(resources, statement)
    findings = lint_policies(state(), review=ACCEPTED)
    assert [finding.issue for finding in findings] == [issue]
    assert findings[0].policy == "role.reader/read"
    assert str(findings[0]).startswith(("Read of role.reader/read: ", "role.reader/read: "))


def test_what_a_wildcard_also_stands_for_is_no_finding(state: Make, resources: Resources) -> None:
    set_policy(resources, read("s3:GetObject*", "arn:aws:s3:::b/*"))
    assert lint_policies(state(), review=ACCEPTED) == ()


def test_a_policy_variable_is_no_part_of_an_arn(state: Make, resources: Resources) -> None:
    set_policy(resources, read("s3:GetObject", "arn:aws:s3:::b/${credentials-iot:ThingName}/*"))
    assert lint_policies(state(), review=ACCEPTED) == ()


class TestWaivers:
    @pytest.mark.parametrize(
        ("change", "covers"),
        [
            ({}, True),
            ({"issue": "RESOURCE_MISMATCH"}, False),
            ({"policy": "role.*"}, True),
            ({"policy": "key.*"}, False),
            ({"statement": "Read"}, True),
            ({"statement": "Write"}, False),
            ({"detail": "s3:Get*"}, True),
            ({"detail": "s3:Put*"}, False),
        ],
    )
    def test_a_waiver_covers_what_it_names(self, change: dict[str, str], covers: bool) -> None:
        finding = Finding("role.reader/read", "Read", "RESOURCE_STAR", "s3:GetObject")
        waiver = {"issue": "RESOURCE_STAR", "policy": "role.reader/read", "why": "x"}
        assert Waiver(**(waiver | change)).covers(finding) is covers

    def test_a_waiver_that_covers_nothing_is_a_finding(self, state: Make) -> None:
        idle = Waiver(issue="RESOURCE_STAR", policy="role.reader/*", why="was once needed")
        review = Review(waiver=(*ACCEPTED.waiver, idle))
        findings = lint_policies(state(), review=review)
        assert [(finding.policy, finding.issue) for finding in findings] == [
            ("role.reader/*", "UNUSED_WAIVER")
        ]

    def test_a_waiver_for_what_this_stack_lacks_is_none(self, state: Make) -> None:
        absent = Waiver(issue="RESOURCE_STAR", policy="permission_set.*", why="elsewhere")
        review = Review(waiver=(*ACCEPTED.waiver, absent))
        assert lint_policies(state(), review=review) == ()


class TestNewActions:
    new = NewAction(
        action="greengrass:GetDeploymentConfiguration",
        why="asked by cores",
        documentation="https://docs.aws.amazon.com/greengrass/v2/developerguide/device-auth.html",
    )

    def test_a_reviewed_action_is_no_finding(self, state: Make, resources: Resources) -> None:
        set_policy(resources, read(self.new.action))
        review = Review(waiver=ACCEPTED.waiver, new_action=(self.new,))
        assert lint_policies(state(), review=review) == ()

    def test_what_stands_beside_a_reviewed_action_is_still_looked_at(
        self, state: Make, resources: Resources
    ) -> None:
        set_policy(resources, read([self.new.action, "s3:GetObjekt"]))
        review = Review(waiver=ACCEPTED.waiver, new_action=(self.new,))
        found = lint_policies(state(), review=review)
        assert [finding.detail for finding in found] == ["Unknown action s3:GetObjekt"]

    def test_an_action_that_parliament_knows_needs_no_review(self, state: Make) -> None:
        known = NewAction(action="s3:GetObject", why="x", operation="s3.GetObject")
        review = Review(waiver=ACCEPTED.waiver, new_action=(known,))
        assert [str(finding) for finding in lint_policies(state(), review=review)] == [
            "s3:GetObject: KNOWN_ACTION: parliament knows it: it needs no review"
        ]

    @pytest.mark.parametrize(
        ("sources", "message"),
        [
            ({}, "name its operation, or where it is documented"),
            (
                {"operation": "s3.GetObject", "documentation": "https://docs.aws.amazon.com"},
                "name its operation, or where it is documented",
            ),
            ({"operation": "s4.GetObject"}, "AWS has no service s4"),
            ({"operation": "s3.GetObjekt"}, "s3 has no operation GetObjekt"),
        ],
    )
    def test_a_review_must_say_where_the_action_is_from(
        self, state: Make, sources: dict[str, str], message: str
    ) -> None:
        new = NewAction(action="s3:GetObjekt", why="x", **sources)
        with pytest.raises(PolicyError, match=message):
            lint_policies(state(), review=Review(new_action=(new,)))


@pytest.mark.parametrize(
    "kind", ["aws_iam_user", "aws_iam_access_key", "aws_kms_grant", "aws_s3_bucket_acl"]
)
def test_some_things_must_not_be_there_at_all(state: Make, resources: Resources, kind: str) -> None:
    resources.append({"address": f"{kind}.x", "mode": "managed", "type": kind, "values": {}})
    findings = lint_policies(state(), review=ACCEPTED)
    assert [(finding.policy, finding.issue) for finding in findings] == [(f"{kind}.x", "FORBIDDEN")]


class TestReview:
    def test_the_review_of_the_stack_gives_a_reason_for_everything(self) -> None:
        review = read_review(REVIEW)
        reasons = [one.why for one in review.waiver] + [one.why for one in review.new_action]
        assert reasons
        assert [why for why in reasons if len(why.split()) < 5] == []

    @pytest.mark.parametrize("text", ["[[waiver]]\nissue = 'X'\n", "[[waver]]\n", "[["])
    def test_a_review_that_is_not_understood_is_refused(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "lint.toml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(PolicyError, match=r"the review lint\.toml"):
            read_review(path)

    def test_a_review_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(PolicyError, match="cannot read the review"):
            read_review(tmp_path / "none.toml")
