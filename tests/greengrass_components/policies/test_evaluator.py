"""Decisions, as AWS documents them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greengrass_components.errors import PolicyError
from greengrass_components.policies.evaluator import Decision, Request, apply_policy, decide
from greengrass_components.policies.statements import Kind, Policy, parse_policy

HERE, THERE = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{HERE}:role/signer"
USER = f"arn:aws:iam::{HERE}:user/old"
ROOT = f"arn:aws:iam::{HERE}:root"
STRANGER = f"arn:aws:iam::{THERE}:role/signer"
DEVICE = f"arn:aws:iot:eu-central-1:{HERE}:cert/0f"
PROVIDER = f"arn:aws:iam::{HERE}:oidc-provider/token.actions.githubusercontent.com"
BUCKET = "arn:aws:s3:::bucket"
KEY = f"arn:aws:kms:eu-central-1:{HERE}:key/0b8c"


def policy(*statements: dict[str, Any], kind: Kind = "identity", name: str = "p") -> Policy:
    content = {"Version": "2012-10-17", "Statement": list(statements)}
    return parse_policy(content, name=name, kind=kind)


def allow(action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def read(principal: str = ROLE, key: str = "key", **context: str) -> Request:
    return Request(
        principal=principal,
        action="s3:GetObject",
        resource=f"{BUCKET}/{key}",
        context={name.replace("_", ":", 1): value for name, value in context.items()},
    )


def asked(request: Request, **policies: Any) -> Decision:
    return decide(request, owner=HERE, **policies)


READ = policy(allow("s3:GetObject", f"{BUCKET}/*"), name="role.signer")


class TestOwnPolicies:
    def test_nothing_is_allowed_by_default(self) -> None:
        assert not asked(read()).allowed

    def test_an_allow_is_enough(self) -> None:
        decision = asked(read(), identity=[READ])
        assert decision.allowed
        assert (decision.policy, decision.statement) == ("role.signer", "statement 1")

    def test_an_allow_of_something_else_is_not(self) -> None:
        assert not asked(read(), identity=[policy(allow("s3:PutObject", f"{BUCKET}/*"))]).allowed
        assert not asked(read(), identity=[policy(allow("s3:GetObject", BUCKET))]).allowed

    def test_a_deny_wins_over_every_allow(self) -> None:
        locked = policy(deny("s3:Get*", f"{BUCKET}/*", Sid="Locked"), name="lock")
        decision = asked(read(), identity=[READ, locked])
        assert not decision.allowed
        assert (decision.policy, decision.statement) == ("lock", "Locked")
        assert decision.reason == "denied by Locked of lock"

    def test_actions_know_no_case_and_resources_do(self) -> None:
        assert asked(read(), identity=[policy(allow("S3:getobject"))]).allowed
        assert not asked(read(), identity=[policy(allow("s3:*", f"{BUCKET}/KEY"))]).allowed

    @pytest.mark.parametrize(
        ("action", "allowed"),
        [
            ("*", True),
            ("s3:*", True),
            ("s3:Get*", True),
            ("s3:Get?bject", True),
            ("s3:Put*", False),
        ],
    )
    def test_actions_have_wildcards(self, action: str, allowed: bool) -> None:
        assert asked(read(), identity=[policy(allow(action))]).allowed is allowed

    def test_not_action_is_every_other_action(self) -> None:
        all_but_iam = {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}
        all_but_s3 = {"Effect": "Allow", "NotAction": ["s3:*", "iam:*"], "Resource": "*"}
        assert asked(read(), identity=[policy(all_but_iam)]).allowed
        assert not asked(read(), identity=[policy(all_but_s3)]).allowed

    def test_not_resource_is_every_other_resource(self) -> None:
        all_but = {"Effect": "Allow", "Action": "s3:*", "NotResource": f"{BUCKET}/secret/*"}
        assert asked(read(), identity=[policy(all_but)]).allowed
        assert not asked(read(key="secret/x"), identity=[policy(all_but)]).allowed

    def test_a_variable_binds_a_resource_to_the_caller(self) -> None:
        own = policy(allow("s3:GetObject", BUCKET + "/devices/${credentials-iot:ThingName}/*"))
        name = {"credentials-iot:ThingName": "hub-1"}
        mine = Request(ROLE, "s3:GetObject", f"{BUCKET}/devices/hub-1/log", name)
        other = Request(ROLE, "s3:GetObject", f"{BUCKET}/devices/hub-2/log", name)
        longer = Request(ROLE, "s3:GetObject", f"{BUCKET}/devices/hub-10/log", name)
        nameless = Request(ROLE, "s3:GetObject", f"{BUCKET}/devices//log")
        assert [asked(one, identity=[own]).allowed for one in (mine, other, longer, nameless)] == [
            True,
            False,
            False,
            False,
        ]

    def test_what_follows_from_the_caller_can_be_asked_for(self) -> None:
        mine = policy(allow(Condition={"ArnEquals": {"aws:PrincipalArn": ROLE}}))
        assert asked(read(), identity=[mine]).allowed
        assert not asked(read(USER), identity=[mine]).allowed

    def test_an_action_without_a_resource_needs_the_star(self) -> None:
        listing = Request(ROLE, "s3:ListAllMyBuckets", "*")
        assert asked(listing, identity=[policy(allow("s3:*"))]).allowed
        assert not asked(listing, identity=[policy(allow("s3:*", "arn:aws:s3:::*"))]).allowed


class TestCeilings:
    def test_a_boundary_must_allow_too(self) -> None:
        boundary = policy(allow("sqs:*"), name="guardrails")
        decision = asked(read(), identity=[READ], ceilings=[boundary])
        assert not decision.allowed
        assert decision.reason == "the ceiling guardrails does not allow it"
        assert asked(read(), identity=[READ], ceilings=[policy(allow())]).allowed

    def test_a_boundary_alone_allows_nothing(self) -> None:
        assert not asked(read(), ceilings=[policy(allow())]).allowed

    def test_a_deny_of_a_boundary_wins(self) -> None:
        boundary = policy(allow(), deny("s3:GetObject", Sid="Never"), name="guardrails")
        decision = asked(read(), identity=[READ], ceilings=[boundary])
        assert (decision.policy, decision.statement) == ("guardrails", "Never")

    def test_every_ceiling_must_allow(self) -> None:
        session = policy(allow("s3:PutObject"), name="session")
        assert not asked(read(), identity=[READ], ceilings=[policy(allow()), session]).allowed

    def test_what_a_resource_gives_a_role_stays_below_the_boundary(self) -> None:
        opened = policy(allow(Principal={"AWS": ROLE}), kind="resource")
        assert asked(read(), resource=opened).allowed
        assert not asked(read(), resource=opened, ceilings=[policy(allow("sqs:*"))]).allowed

    def test_what_a_resource_gives_a_user_by_name_stands_beside_the_boundary(self) -> None:
        ceiling = [policy(allow("sqs:*"))]
        by_name = policy(allow(Principal={"AWS": USER}), kind="resource")
        to_all = policy(allow(Principal="*"), kind="resource")
        assert asked(read(USER), resource=by_name, ceilings=ceiling).allowed
        assert not asked(read(USER), resource=to_all, ceilings=ceiling).allowed


class TestPoliciesOfResources:
    @pytest.mark.parametrize("principal", [{"AWS": ROLE}, "*", {"AWS": "*"}])
    def test_naming_the_caller_is_enough_in_one_account(self, principal: Any) -> None:
        opened = policy(allow("s3:GetObject", f"{BUCKET}/*", Principal=principal), kind="resource")
        assert asked(read(), resource=opened).allowed

    @pytest.mark.parametrize("principal", [{"AWS": HERE}, {"AWS": ROOT}])
    def test_naming_the_account_leaves_it_to_the_callers_own_policies(self, principal: Any) -> None:
        opened = policy(allow(Principal=principal), kind="resource")
        assert not asked(read(), resource=opened).allowed
        assert asked(read(), resource=opened, identity=[READ]).allowed

    def test_a_deny_wins_over_the_callers_own_policies(self) -> None:
        plain = {"Bool": {"aws:SecureTransport": "false"}}
        locked = policy(deny(Principal="*", Condition=plain, Sid="Tls"), kind="resource", name="b")
        secure = Request(ROLE, "s3:GetObject", f"{BUCKET}/key", {"aws:SecureTransport": "true"})
        insecure = Request(ROLE, "s3:GetObject", f"{BUCKET}/key", {"aws:SecureTransport": "false"})
        assert asked(secure, identity=[READ], resource=locked).allowed
        assert asked(insecure, identity=[READ], resource=locked).statement == "Tls"

    def test_a_deny_of_an_account_is_about_everybody_in_it(self) -> None:
        locked = policy(deny(Principal={"AWS": HERE}), kind="resource")
        assert not asked(read(), identity=[READ], resource=locked).allowed

    def test_somebody_without_credentials_needs_an_open_resource(self) -> None:
        opened = policy(allow(Principal="*"), kind="resource")
        assert asked(read("*"), resource=opened).allowed
        assert not asked(
            read("*"), resource=policy(allow(Principal={"AWS": HERE}), kind="resource")
        ).allowed

    def test_a_service_needs_to_be_named(self) -> None:
        trail = {"Service": "cloudtrail.amazonaws.com"}
        mine = {"StringEquals": {"aws:SourceAccount": HERE}}
        opened = policy(allow(Principal=trail, Condition=mine), kind="resource")
        ours = read("cloudtrail.amazonaws.com", aws_SourceAccount=HERE)
        theirs = read("cloudtrail.amazonaws.com", aws_SourceAccount=THERE)
        other = read("config.amazonaws.com", aws_SourceAccount=HERE)
        assert [asked(one, resource=opened).allowed for one in (ours, theirs, other)] == [
            True,
            False,
            False,
        ]

    def test_a_service_has_no_policies_of_its_own(self) -> None:
        assert not asked(read("cloudtrail.amazonaws.com"), identity=[policy(allow())]).allowed

    def test_the_root_user_may_do_everything_that_is_not_denied(self) -> None:
        locked = policy(deny("s3:Put*", Principal="*"), kind="resource")
        assert asked(read(ROOT), resource=locked).allowed
        put = Request(ROOT, "s3:PutObject", f"{BUCKET}/key")
        assert not asked(put, resource=locked).allowed


class TestOtherAccounts:
    def test_both_sides_must_allow(self) -> None:
        opened = policy(allow(Principal={"AWS": THERE}), kind="resource")
        assert asked(read(STRANGER), identity=[policy(allow())], resource=opened).allowed
        assert not asked(read(STRANGER), resource=opened).allowed
        assert not asked(read(STRANGER), identity=[policy(allow())]).allowed

    def test_naming_the_caller_does_not_replace_his_own_policies(self) -> None:
        opened = policy(allow(Principal={"AWS": STRANGER}), kind="resource")
        assert not asked(read(STRANGER), resource=opened).allowed
        assert asked(read(STRANGER), identity=[policy(allow())], resource=opened).allowed

    def test_the_other_side_may_deny(self) -> None:
        opened = policy(
            allow(Principal={"AWS": THERE}), deny("s3:Get*", Principal="*"), kind="resource"
        )
        assert not asked(read(STRANGER), identity=[policy(allow())], resource=opened).allowed

    def test_the_root_user_of_another_account_is_a_stranger(self) -> None:
        there = f"arn:aws:iam::{THERE}:root"
        assert not asked(read(there)).allowed

    def test_the_account_is_that_of_the_arn(self) -> None:
        topic = f"arn:aws:sns:eu-central-1:{THERE}:alarms"
        publish = Request(ROLE, "sns:Publish", topic)
        assert not decide(publish, identity=[policy(allow())]).allowed

    def test_a_bucket_does_not_say_whose_it_is(self) -> None:
        with pytest.raises(PolicyError, match="whose account"):
            decide(read(), identity=[READ])


class TestKeys:
    sign = Request(ROLE, "kms:Sign", KEY)
    mine = policy(allow("kms:Sign", KEY))

    def test_the_key_must_leave_it_to_the_accounts_own_policies(self) -> None:
        delegates = policy(allow("kms:*", Principal={"AWS": ROOT}), kind="resource")
        silent = policy(allow("kms:Verify", Principal={"AWS": ROOT}), kind="resource")
        assert decide(self.sign, identity=[self.mine], resource=delegates).allowed
        refused = decide(self.sign, identity=[self.mine], resource=silent)
        assert not refused.allowed
        assert "leaves it to none" in refused.reason

    def test_the_account_alone_gives_nothing(self) -> None:
        delegates = policy(allow("kms:*", Principal={"AWS": ROOT}), kind="resource")
        assert not decide(self.sign, resource=delegates).allowed

    def test_naming_the_caller_is_enough(self) -> None:
        names = policy(allow("kms:Sign", Principal={"AWS": ROLE}), kind="resource")
        assert decide(self.sign, resource=names).allowed

    def test_a_condition_binds_what_the_key_leaves_to_the_account(self) -> None:
        only = {"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{HERE}:role/other"}}
        delegates = policy(
            allow("kms:Sign", Principal={"AWS": ROOT}, Condition=only), kind="resource"
        )
        assert not decide(self.sign, identity=[self.mine], resource=delegates).allowed

    def test_even_the_root_user_needs_the_key(self) -> None:
        names = policy(allow("kms:Sign", Principal={"AWS": ROLE}), kind="resource")
        assert not decide(Request(ROOT, "kms:Sign", KEY), resource=names).allowed

    def test_a_key_whose_policy_is_not_known_is_not_judged(self) -> None:
        with pytest.raises(PolicyError, match="needs the policy"):
            decide(self.sign, identity=[self.mine])


class TestTrust:
    deploy = f"arn:aws:iam::{HERE}:role/deploy"

    def trust(self, principal: Any, action: str, **more: Any) -> Policy:
        statement = {"Effect": "Allow", "Action": action, "Principal": principal, **more}
        return policy(statement, kind="trust")

    @pytest.mark.parametrize(
        ("subject", "allowed"),
        [
            ("repo:me/house:environment:prod", True),
            ("repo:me/house:pull_request", False),
            ("repo:me/house-evil:environment:prod", False),
        ],
    )
    def test_a_workflow_comes_in_by_what_its_token_says(self, subject: str, allowed: bool) -> None:
        key = "token.actions.githubusercontent.com:sub"
        trust = self.trust(
            {"Federated": PROVIDER},
            "sts:AssumeRoleWithWebIdentity",
            Condition={"StringEquals": {key: "repo:me/house:environment:prod"}},
        )
        request = Request(PROVIDER, "sts:AssumeRoleWithWebIdentity", self.deploy, {key: subject})
        assert decide(request, resource=trust).allowed is allowed

    def test_a_role_must_trust_who_takes_it_on(self) -> None:
        take = Request(ROLE, "sts:AssumeRole", self.deploy)
        service = self.trust({"Service": "iot.amazonaws.com"}, "sts:AssumeRole")
        account = self.trust({"AWS": HERE}, "sts:AssumeRole")
        by_name = self.trust({"AWS": ROLE}, "sts:AssumeRole")
        may = [policy(allow("sts:AssumeRole", self.deploy))]
        assert not decide(take, identity=may, resource=service).allowed
        assert decide(take, identity=may, resource=account).allowed
        assert not decide(take, resource=account).allowed
        assert decide(take, resource=by_name).allowed

    def test_a_role_whose_trust_is_not_known_is_not_judged(self) -> None:
        with pytest.raises(PolicyError, match="needs the policy"):
            decide(Request(ROLE, "sts:AssumeRole", self.deploy), identity=[policy(allow())])


class TestDevices:
    topics = f"arn:aws:iot:eu-central-1:{HERE}:topic/edge"
    policy = policy(
        allow("iot:Publish", topics + "/${iot:Connection.Thing.ThingName}/telemetry"), kind="iot"
    )

    @pytest.mark.parametrize(
        ("topic", "context", "allowed"),
        [
            ("hub-1/telemetry", {"iot:Connection.Thing.ThingName": "hub-1"}, True),
            ("hub-2/telemetry", {"iot:Connection.Thing.ThingName": "hub-1"}, False),
            ("hub-1/telemetry/more", {"iot:Connection.Thing.ThingName": "hub-1"}, False),
            ("/telemetry", {}, False),
        ],
    )
    def test_a_device_publishes_under_its_own_name(
        self, topic: str, context: dict[str, str], allowed: bool
    ) -> None:
        request = Request(DEVICE, "iot:Publish", f"{self.topics}/{topic}", context)
        assert decide(request, identity=[self.policy]).allowed is allowed


class TestOnePolicy:
    locked = policy(
        allow("s3:*", Principal={"AWS": ROLE}, Sid="Open"),
        deny("s3:Put*", Principal="*", Sid="Closed"),
        kind="resource",
    )

    @pytest.mark.parametrize(
        ("action", "effect", "statement"),
        [
            ("s3:GetObject", "allow", "Open"),
            ("s3:PutObject", "deny", "Closed"),
            ("sqs:SendMessage", "none", None),
        ],
    )
    def test_a_deny_comes_before_an_allow(
        self, action: str, effect: str, statement: str | None
    ) -> None:
        verdict = apply_policy(self.locked, Request(ROLE, action, f"{BUCKET}/key"))
        assert (verdict.effect, verdict.statement) == (effect, statement)


def test_every_statement_that_applies_is_told() -> None:
    wide = policy(allow(Sid="Wide"), allow("iam:*", Sid="Other"), name="wide")
    applied = asked(read(), identity=[READ, wide]).applied
    assert applied == {("role.signer", "statement 1"), ("wide", "Wide")}


def test_a_caller_that_is_not_understood_is_refused() -> None:
    with pytest.raises(PolicyError, match="'somebody' is not understood"):
        decide(Request("somebody", "s3:GetObject", "*"))


ACTIONS = st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:Get*", "s3:*", "*"])
RESOURCES = st.sampled_from([f"{BUCKET}/a", f"{BUCKET}/b", f"{BUCKET}/*", "*", BUCKET])
PRINCIPALS = st.sampled_from(["*", {"AWS": ROLE}, {"AWS": HERE}, {"AWS": THERE}, {"AWS": USER}])
CONDITIONS = st.sampled_from(
    [
        {},
        {"Bool": {"aws:SecureTransport": "true"}},
        {"StringNotEquals": {"aws:PrincipalAccount": HERE}},
        {"Null": {"aws:SecureTransport": "true"}},
    ]
)


@st.composite
def statements(
    draw: st.DrawFn, *, effect: str | None = None, named: bool = False
) -> dict[str, Any]:
    content = {
        "Effect": effect or draw(st.sampled_from(["Allow", "Deny"])),
        draw(st.sampled_from(["Action", "NotAction"])): draw(ACTIONS),
        draw(st.sampled_from(["Resource", "NotResource"])): draw(RESOURCES),
        "Condition": draw(CONDITIONS),
    }
    return {**content, "Principal": draw(PRINCIPALS)} if named else content


def own(**options: Any) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(statements(**options), min_size=1, max_size=3)


REQUESTS = st.builds(
    Request,
    principal=st.sampled_from([ROLE, USER, ROOT, STRANGER, "*", "iot.amazonaws.com"]),
    action=st.sampled_from(["s3:GetObject", "s3:PutObject"]),
    resource=st.sampled_from([f"{BUCKET}/a", f"{BUCKET}/b", BUCKET]),
    context=st.sampled_from([{}, {"aws:SecureTransport": "true"}]),
)


@given(request=REQUESTS, identity=own(), bound=own(), resource=own(named=True), data=st.data())
def test_one_more_deny_anywhere_never_allows_more(
    request: Request,
    identity: list[dict[str, Any]],
    bound: list[dict[str, Any]],
    resource: list[dict[str, Any]],
    data: st.DataObject,
) -> None:
    def allowed() -> bool:
        return asked(
            request,
            identity=[policy(*identity)],
            ceilings=[policy(*bound)],
            resource=policy(*resource, kind="resource"),
        ).allowed

    before = allowed()
    where = data.draw(st.sampled_from([identity, bound, resource]))
    where.append(data.draw(statements(effect="Deny", named=where is resource)))
    assert before or not allowed()


@given(request=REQUESTS, identity=own(), resource=own(named=True), bound=own())
def test_a_ceiling_never_allows_more(
    request: Request,
    identity: list[dict[str, Any]],
    resource: list[dict[str, Any]],
    bound: list[dict[str, Any]],
) -> None:
    policies = {
        "identity": [policy(*identity)],
        "resource": policy(*resource, kind="resource"),
    }
    without = asked(request, **policies).allowed
    assert without or not asked(request, **policies, ceilings=[policy(*bound)]).allowed


@given(request=REQUESTS, identity=own(), more=own(effect="Allow"))
def test_one_more_allow_never_takes_away(
    request: Request, identity: list[dict[str, Any]], more: list[dict[str, Any]]
) -> None:
    before = asked(request, identity=[policy(*identity)]).allowed
    assert not before or asked(request, identity=[policy(*identity), policy(*more)]).allowed


@given(request=REQUESTS, identity=own(), resource=own(named=True))
def test_a_decision_tells_the_statement_that_made_it(
    request: Request, identity: list[dict[str, Any]], resource: list[dict[str, Any]]
) -> None:
    decision = asked(
        request,
        identity=[policy(*identity, name="own")],
        resource=policy(*resource, name="guard", kind="resource"),
    )
    if decision.statement is not None:
        assert (decision.policy, decision.statement) in decision.applied
    elif decision.allowed:
        assert request.principal == ROOT
