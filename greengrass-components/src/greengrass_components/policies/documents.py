"""Every policy of a stack, as Terraform's state holds it after an apply.

A policy in the state that nobody here knows how to read is an error, so none is left out of the
checks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from greengrass_components.errors import PolicyError
from greengrass_components.policies.names import Resource, managed_resources, name_things
from greengrass_components.policies.statements import Kind, Policy, parse_policy

__all__ = [
    "Documents",
    "Identity",
    "Rendered",
    "collect_documents",
]

_REPOSITORY = re.compile(r'"repo:([^:*"]+/[^:*"]+):')


class Rendered(msgspec.Struct, frozen=True):
    """One policy document."""

    name: str
    """Such as ``bucket.intents-raw``, ``role.signer/trust`` or ``role.signer/sign``."""
    kind: Kind
    """Where it is attached."""
    address: str
    """Address of the Terraform resource."""
    document: str
    """JSON."""

    def read(self) -> Policy:
        """Parse it.

        Raises:
            PolicyError: it holds something that is not understood.
        """
        return parse_policy(self.document, name=self.name, kind=self.kind)


class Identity(msgspec.Struct, frozen=True):
    """Somebody with policies of his own: a role, a permission set, a device's certificate."""

    name: str
    """Such as ``role.signer``, ``permission_set.auditor`` or ``certificate.device``."""
    arn: str
    """Whom AWS sees calling."""
    policies: tuple[Policy, ...]
    """What is attached."""
    boundary: Policy | None = None
    """The permissions boundary."""


class Documents(msgspec.Struct, frozen=True):
    """The policies of one stack, and what they are attached to."""

    names: Mapping[str, str]
    """What the table may name, such as ``bucket.intents-raw`` -> its ARN, or ``stack``."""
    identities: Mapping[str, Identity]
    """ARN -> who it is."""
    guards: Mapping[str, Policy]
    """ARN of a bucket, key, topic or function -> its own policy."""
    trusts: Mapping[str, Policy]
    """ARN of a role -> who may take it on."""
    rendered: tuple[Rendered, ...]
    """Every document, sorted by name."""


def collect_documents(state: Mapping[str, Any]) -> Documents:
    """Collect the policies of a stack.

    Args:
        state: what ``terraform show -json`` says of the state after an apply.

    Raises:
        PolicyError: a policy is not understood, nobody knows how to read it, or the state is not
            that of a whole stack.
    """
    collector = _Collector(list(managed_resources(state)))
    collector.collect()
    return Documents(
        names=collector.names.values,
        identities={identity.arn: identity for identity in collector.identities},
        guards=collector.guards,
        trusts=collector.trusts,
        rendered=tuple(sorted(collector.rendered, key=lambda one: one.name)),
    )


class _Collector:
    def __init__(self, resources: list[Resource]) -> None:
        self.resources = resources
        self.names = name_things(resources)
        self.identities: list[Identity] = []
        self.guards: dict[str, Policy] = {}
        self.trusts: dict[str, Policy] = {}
        self.rendered: list[Rendered] = []
        self.read: set[tuple[str, str]] = set()

    def collect(self) -> None:
        self._assume_outside()
        boundaries = self._read_managed()
        self._read_roles(boundaries)
        self._read_permission_sets()
        self._read_devices()
        self._read_guards()
        self._refuse_unread()

    def _all(self, kind: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.type == kind]

    def _render(self, name: str, kind: Kind, resource: Resource, attribute: str) -> Policy:
        rendered = Rendered(name, kind, resource.address, resource.values[attribute])
        self.rendered.append(rendered)
        self.read.add((resource.address, attribute))
        return rendered.read()

    def _assume_outside(self) -> None:
        """Write the policies of what is outside: the least strict that they may be, IAM decides."""
        account = {"Effect": "Allow", "Principal": {"AWS": self.names["account"]}}
        key = {"Action": "kms:*", "Resource": "*", **account}
        self.guards[self.names["key.terraform-state"]] = parse_policy(
            {"Version": "2012-10-17", "Statement": key}, name="key.terraform-state", kind="resource"
        )
        role = {"Action": "sts:AssumeRole", **account}
        self.trusts[self.names["role.elsewhere"]] = parse_policy(
            {"Version": "2012-10-17", "Statement": role}, name="role.elsewhere/trust", kind="trust"
        )

    def _read_managed(self) -> dict[str, Policy]:
        return {
            one.values["arn"]: self._render(
                self.names.find(one.values["arn"]), "identity", one, "policy"
            )
            for one in self._all("aws_iam_policy")
        }

    def _read_roles(self, managed: Mapping[str, Policy]) -> None:
        for role in self._all("aws_iam_role"):
            name, arn = self.names.find(role.values["arn"]), role.values["arn"]
            self.trusts[arn] = self._render(f"{name}/trust", "trust", role, "assume_role_policy")
            for statement in self.trusts[arn].statements:
                for provider in statement.principals.providers if statement.principals else ():
                    self.names.add(f"provider.{provider.rpartition('/')[2]}", provider)
            repository = _REPOSITORY.search(role.values["assume_role_policy"])
            if repository:
                self.names.add("repository", repository[1])
            policies = [
                self._render(f"{name}/{one.values['name']}", "identity", one, "policy")
                for one in self._all("aws_iam_role_policy")
                if one.values["role"] == role.values["name"]
            ]
            policies += [
                self._managed(managed, one.values["policy_arn"])
                for one in self._all("aws_iam_role_policy_attachment")
                if one.values["role"] == role.values["name"]
            ]
            bound = role.values.get("permissions_boundary")
            boundary = self._managed(managed, bound) if bound else None
            self.identities.append(Identity(name, arn, tuple(policies), boundary))

    def _managed(self, managed: Mapping[str, Policy], arn: str) -> Policy:
        if arn not in managed:
            raise PolicyError(f"what {arn} says is not in the state", arn=arn)
        return managed[arn]

    def _read_permission_sets(self) -> None:
        inline = self._all("aws_ssoadmin_permission_set_inline_policy")
        for one in self._all("aws_ssoadmin_permission_set"):
            name = f"permission_set.{self.names.shorten(one.values['name'])}"
            # IAM Identity Center makes a role of it, and ends its name with a random number.
            role = f"AWSReservedSSO_{one.values['name']}_0123456789abcdef"
            arn = (
                f"arn:{self.names['partition']}:iam::{self.names['account']}:role/aws-reserved/"
                f"sso.amazonaws.com/{self.names['region']}/{role}"
            )
            self.names.add(name, arn)
            policies = tuple(
                self._render(name, "identity", policy, "inline_policy")
                for policy in inline
                if policy.values["permission_set_arn"] == one.values["arn"]
            )
            self.identities.append(Identity(name, arn, policies))

    def _read_devices(self) -> None:
        for one in self._all("aws_iot_policy"):
            policy = self._render(self.names.find(one.values["arn"]), "iot", one, "policy")
            short = self.names.shorten(one.values["name"])
            where = f"{self.names['region']}:{self.names['account']}"
            name = f"certificate.{short}"
            arn = f"arn:{self.names['partition']}:iot:{where}:cert/{short}"
            self.names.add(name, arn)
            self.identities.append(Identity(name, arn, (policy,)))

    def _read_guards(self) -> None:
        buckets = {one.values["bucket"]: one.values["arn"] for one in self._all("aws_s3_bucket")}
        guarded = [
            *((buckets[one.values["bucket"]], one) for one in self._all("aws_s3_bucket_policy")),
            *((one.values["arn"], one) for one in self._all("aws_kms_key")),
            *((one.values["arn"], one) for one in self._all("aws_sns_topic_policy")),
        ]
        for arn, one in guarded:
            self.guards[arn] = self._render(self.names.find(arn), "resource", one, "policy")
        for function in self._all("aws_lambda_function"):
            arn, name = function.values["arn"], function.values["function_name"]
            statements = [
                _function_statement(one.values, arn)
                for one in self._all("aws_lambda_permission")
                if one.values["function_name"] in {arn, name}
            ]
            if statements:
                document = json.dumps({"Version": "2012-10-17", "Statement": statements})
                rendered = Rendered(self.names.find(arn), "resource", function.address, document)
                self.rendered.append(rendered)
                self.guards[arn] = rendered.read()

    def _refuse_unread(self) -> None:
        """Refuse a policy that was passed over."""
        for resource in self.resources:
            for attribute, value in resource.values.items():
                known = (resource.address, attribute) in self.read or self._is_copy(
                    resource, attribute
                )
                if _holds_policy(value) and not known:
                    raise PolicyError(
                        f"nobody looks at the policy in {resource.address}.{attribute}",
                        address=resource.address,
                    )

    def _is_copy(self, resource: Resource, attribute: str) -> bool:
        """Say whether a thing only repeats, maybe too old, what a policy resource says."""
        if (resource.type, attribute) == ("aws_iam_role", "inline_policy"):
            name = self.names.find(resource.values["arn"])
            own = {one.name for one in self.rendered}
            return all(f"{name}/{one['name']}" in own for one in resource.values[attribute])
        guarded = {("aws_s3_bucket", "policy"), ("aws_sns_topic", "policy")}
        return (resource.type, attribute) in guarded and resource.values["arn"] in self.guards


def _holds_policy(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_policy(one) for one in value.values())
    if isinstance(value, list):
        return any(_holds_policy(one) for one in value)
    return isinstance(value, str) and '"Statement"' in value


def _function_statement(values: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """Write a permission of a function as the statement that Lambda makes of it."""
    conditions: dict[str, Any] = {}
    if values.get("source_arn"):
        conditions["ArnLike"] = {"AWS:SourceArn": values["source_arn"]}
    if values.get("source_account"):
        conditions["StringEquals"] = {"AWS:SourceAccount": values["source_account"]}
    principal = values["principal"]
    return {
        "Sid": values["statement_id"],
        "Effect": "Allow",
        "Principal": {"Service": principal} if principal.endswith(".amazonaws.com") else principal,
        "Action": values["action"],
        "Resource": arn,
        **({"Condition": conditions} if conditions else {}),
    }
