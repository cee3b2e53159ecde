"""Every policy of a stack, as Terraform's state holds it after an apply.

The state is that of ``terraform show -json``
(https://developer.hashicorp.com/terraform/internals/json-format). A policy in it that nobody
here knows how to read is an error, so none is left out of the checks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from greengrass_components.errors import PolicyError
from greengrass_components.policies.statements import Kind, Policy, parse_policy

__all__ = [
    "Documents",
    "Identity",
    "Rendered",
    "Resource",
    "collect_documents",
    "managed_resources",
]

_NAMED = (
    # placeholder, type of the resource, attribute with its name
    ("alarm", "aws_cloudwatch_metric_alarm", "alarm_name"),
    ("function", "aws_lambda_function", "function_name"),
    ("iot_policy", "aws_iot_policy", "name"),
    ("log_group", "aws_cloudwatch_log_group", "name"),
    ("managed_policy", "aws_iam_policy", "name"),
    ("role", "aws_iam_role", "name"),
    ("rule", "aws_iot_topic_rule", "name"),
    ("role_alias", "aws_iot_role_alias", "alias"),
    ("thing_group", "aws_iot_thing_group", "name"),
    ("topic", "aws_sns_topic", "name"),
    ("trail", "aws_cloudtrail", "name"),
)
_BUCKET = re.compile(r"^(.+)-intents-raw-(.+)$")
"""One bucket gives the ends that the names of all have."""
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


class Resource(msgspec.Struct, frozen=True):
    """One resource of a state."""

    address: str
    """Such as ``module.keys.aws_kms_key.data``."""
    type: str
    """Such as ``aws_kms_key``."""
    values: dict[str, Any]
    """Its attributes."""


def managed_resources(state: Mapping[str, Any]) -> Iterator[Resource]:
    """Give every resource of a state that Terraform made, of all modules."""

    def below(module: Mapping[str, Any]) -> Iterator[Resource]:
        for resource in module.get("resources", []):
            if resource["mode"] == "managed":
                yield Resource(resource["address"], resource["type"], resource["values"])
        for child in module.get("child_modules", []):
            yield from below(child)

    yield from below(state.get("values", {}).get("root_module", {}))


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
        names=collector.names,
        identities={identity.arn: identity for identity in collector.identities},
        guards=collector.guards,
        trusts=collector.trusts,
        rendered=tuple(sorted(collector.rendered, key=lambda one: one.name)),
    )


class _Collector:
    def __init__(self, resources: list[Resource]) -> None:
        self.resources = resources
        self.names: dict[str, str] = {}
        self.identities: list[Identity] = []
        self.guards: dict[str, Policy] = {}
        self.trusts: dict[str, Policy] = {}
        self.rendered: list[Rendered] = []
        self.read: set[tuple[str, str]] = set()

    def collect(self) -> None:
        self._name_stack()
        self._name_buckets()
        self._name_keys()
        self._name_role_elsewhere()
        for place, kind, attribute in _NAMED:
            for one in self._all(kind):
                self._name(f"{place}.{self._short(one.values[attribute])}", one.values["arn"])
        boundaries = self._read_managed()
        self._read_roles(boundaries)
        self._read_permission_sets()
        self._read_devices()
        self._read_guards()
        self._refuse_unread()

    def _all(self, kind: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.type == kind]

    def _name(self, name: str, value: str) -> None:
        if not value:
            raise PolicyError(f"{name} has no ARN: the apply did not end", name=name)
        if self.names.setdefault(name, value) != value:
            raise PolicyError(f"two things of the state are called {name}", name=name)

    def _short(self, name: str) -> str:
        """Take the name of the stack out of a name."""
        stack = self.names["stack"]
        # The names of topic rules have no hyphens.
        for start in (
            "https://",
            f"/edgewise/{stack}/",
            f"{stack}-",
            f"{stack}_".replace("-", "_"),
        ):
            name = name.removeprefix(start)
        return name

    def _render(self, name: str, kind: Kind, resource: Resource, attribute: str) -> Policy:
        rendered = Rendered(name, kind, resource.address, resource.values[attribute])
        self.rendered.append(rendered)
        self.read.add((resource.address, attribute))
        return rendered.read()

    def _name_stack(self) -> None:
        keys = self._all("aws_kms_key")
        tags: dict[str, str] = next(
            (key.values["tags_all"] for key in keys if key.values.get("tags_all")), {}
        )
        if not {"Stack", "Environment"} <= set(tags):
            raise PolicyError("the state holds no key with the tags Stack and Environment")
        _, partition, _, region, account, _ = keys[0].values["arn"].split(":", 5)
        self.names |= {
            "stack": tags["Stack"],
            "environment": tags["Environment"],
            "partition": partition,
            "region": region,
            "account": account,
        }

    def _name_buckets(self) -> None:
        buckets = {one.values["bucket"]: one.values["arn"] for one in self._all("aws_s3_bucket")}
        ends = next((found for name in buckets if (found := _BUCKET.match(name))), None)
        if ends is None:
            raise PolicyError("the state holds no bucket for raw intents")
        for name, arn in buckets.items():
            purpose = name.removeprefix(f"{ends[1]}-").removesuffix(f"-{ends[2]}")
            self._name(f"bucket.{purpose}", arn)
        self._name_state(f"{ends[1]}-terraform-state-{ends[2]}")

    def _name_state(self, bucket: str) -> None:
        """Name what keeps the state: it is made apart, and called like the others."""
        partition, account = self.names["partition"], self.names["account"]
        self._name("bucket.terraform-state", f"arn:{partition}:s3:::{bucket}")
        number = "00000000-0000-4000-8000-000000000000"
        key = f"arn:{partition}:kms:{self.names['region']}:{account}:key/{number}"
        self._name("key.terraform-state", key)
        # Its policy is not in this state. The least strict that it may be: IAM decides.
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": account},
            "Action": "kms:*",
            "Resource": "*",
        }
        self.guards[key] = parse_policy(
            {"Version": "2012-10-17", "Statement": statement},
            name="key.terraform-state",
            kind="resource",
        )

    def _name_role_elsewhere(self) -> None:
        """Name a role of the account, but not of the stack, that trusts everybody in it."""
        account = self.names["account"]
        arn = f"arn:{self.names['partition']}:iam::{account}:role/elsewhere"
        self._name("role.elsewhere", arn)
        trust = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
        content = {"Version": "2012-10-17", "Statement": trust}
        self.trusts[arn] = parse_policy(content, name="role.elsewhere/trust", kind="trust")

    def _name_keys(self) -> None:
        arns = {key.values["key_id"]: key.values["arn"] for key in self._all("aws_kms_key")}
        for alias in self._all("aws_kms_alias"):
            name = self._short(alias.values["name"].removeprefix("alias/"))
            self._name(f"key.{name}", arns[alias.values["target_key_id"]])

    def _called(self, arn: str) -> str:
        return next(name for name, value in self.names.items() if value == arn)

    def _read_managed(self) -> dict[str, Policy]:
        return {
            one.values["arn"]: self._render(
                self._called(one.values["arn"]), "identity", one, "policy"
            )
            for one in self._all("aws_iam_policy")
        }

    def _read_roles(self, managed: Mapping[str, Policy]) -> None:
        for role in self._all("aws_iam_role"):
            name, arn = self._called(role.values["arn"]), role.values["arn"]
            self.trusts[arn] = self._render(f"{name}/trust", "trust", role, "assume_role_policy")
            for statement in self.trusts[arn].statements:
                for provider in statement.principals.providers if statement.principals else ():
                    self._name(f"provider.{provider.rpartition('/')[2]}", provider)
            repository = _REPOSITORY.search(role.values["assume_role_policy"])
            if repository:
                self._name("repository", repository[1])
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
            name = f"permission_set.{self._short(one.values['name'])}"
            # IAM Identity Center makes a role of it, and ends its name with a random number.
            role = f"AWSReservedSSO_{one.values['name']}_0123456789abcdef"
            arn = (
                f"arn:{self.names['partition']}:iam::{self.names['account']}:role/aws-reserved/"
                f"sso.amazonaws.com/{self.names['region']}/{role}"
            )
            self._name(name, arn)
            policies = tuple(
                self._render(name, "identity", policy, "inline_policy")
                for policy in inline
                if policy.values["permission_set_arn"] == one.values["arn"]
            )
            self.identities.append(Identity(name, arn, policies))

    def _read_devices(self) -> None:
        for one in self._all("aws_iot_policy"):
            policy = self._render(self._called(one.values["arn"]), "iot", one, "policy")
            name = f"certificate.{self._short(one.values['name'])}"
            where = f"{self.names['region']}:{self.names['account']}"
            arn = (
                f"arn:{self.names['partition']}:iot:{where}:cert/{self._short(one.values['name'])}"
            )
            self._name(name, arn)
            self.identities.append(Identity(name, arn, (policy,)))

    def _read_guards(self) -> None:
        buckets = {one.values["bucket"]: one.values["arn"] for one in self._all("aws_s3_bucket")}
        guarded = [
            *((buckets[one.values["bucket"]], one) for one in self._all("aws_s3_bucket_policy")),
            *((one.values["arn"], one) for one in self._all("aws_kms_key")),
            *((one.values["arn"], one) for one in self._all("aws_sns_topic_policy")),
        ]
        for arn, one in guarded:
            self.guards[arn] = self._render(self._called(arn), "resource", one, "policy")
        for function in self._all("aws_lambda_function"):
            arn, name = function.values["arn"], function.values["function_name"]
            statements = [
                _function_statement(one.values, arn)
                for one in self._all("aws_lambda_permission")
                if one.values["function_name"] in {arn, name}
            ]
            if statements:
                document = json.dumps({"Version": "2012-10-17", "Statement": statements})
                rendered = Rendered(self._called(arn), "resource", function.address, document)
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
            name = self._called(resource.values["arn"])
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
