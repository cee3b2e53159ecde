"""What the things of a stack are called, as Terraform's state tells of them.

The state is that of ``terraform show -json``
(https://developer.hashicorp.com/terraform/internals/json-format). A thing gets the name of its
kind and its own, without that of the stack: ``role.signer``, ``bucket.intents-raw``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from greengrass_components.errors import PolicyError

__all__ = ["Names", "Resource", "managed_resources", "name_things"]

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


class Names:
    """Names of things -> their ARNs, or what else stands for them."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def add(self, name: str, value: str) -> None:
        """Add a name.

        Raises:
            PolicyError: there is no value, or the name is taken by something else.
        """
        if not value:
            raise PolicyError(f"{name} has no ARN: the apply did not end", name=name)
        if self.values.setdefault(name, value) != value:
            raise PolicyError(f"two things of the state are called {name}", name=name)

    def find(self, arn: str) -> str:
        """Return the name of a thing."""
        return next(name for name, value in self.values.items() if value == arn)

    def shorten(self, name: str) -> str:
        """Take the name of the stack out of the name of a thing."""
        stack = self["stack"]
        # The names of topic rules have no hyphens.
        for start in (f"/edgewise/{stack}/", f"{stack}-", f"{stack}_".replace("-", "_")):
            name = name.removeprefix(start)
        return name


def name_things(resources: Sequence[Resource]) -> Names:
    """Name what a stack has, and a few things outside of it that its policies speak of.

    Outside are ``bucket.terraform-state`` and ``key.terraform-state``, which the bootstrap makes,
    and ``role.elsewhere``, a role of the account that is not of the stack.

    Raises:
        PolicyError: the state is not that of a whole stack.
    """
    names = Names()
    _name_stack(names, _all(resources, "aws_kms_key"))
    _name_buckets(names, _all(resources, "aws_s3_bucket"))
    keys = {key.values["key_id"]: key.values["arn"] for key in _all(resources, "aws_kms_key")}
    for alias in _all(resources, "aws_kms_alias"):
        short = names.shorten(alias.values["name"].removeprefix("alias/"))
        names.add(f"key.{short}", keys[alias.values["target_key_id"]])
    for place, kind, attribute in _NAMED:
        for one in _all(resources, kind):
            names.add(f"{place}.{names.shorten(one.values[attribute])}", one.values["arn"])
    here = f"{names['region']}:{names['account']}"
    number = "00000000-0000-4000-8000-000000000000"
    names.add("key.terraform-state", f"arn:{names['partition']}:kms:{here}:key/{number}")
    role = f"arn:{names['partition']}:iam::{names['account']}:role/elsewhere"
    names.add("role.elsewhere", role)
    return names


def _all(resources: Sequence[Resource], kind: str) -> list[Resource]:
    return [resource for resource in resources if resource.type == kind]


def _name_stack(names: Names, keys: Sequence[Resource]) -> None:
    tags: dict[str, str] = next(
        (key.values["tags_all"] for key in keys if key.values.get("tags_all")), {}
    )
    if not {"Stack", "Environment"} <= set(tags):
        raise PolicyError("the state holds no key with the tags Stack and Environment")
    _, partition, _, region, account, _ = keys[0].values["arn"].split(":", 5)
    names.add("stack", tags["Stack"])
    names.add("environment", tags["Environment"])
    names.add("partition", partition)
    names.add("region", region)
    names.add("account", account)


def _name_buckets(names: Names, buckets: Sequence[Resource]) -> None:
    arns = {bucket.values["bucket"]: bucket.values["arn"] for bucket in buckets}
    ends = next((found for name in arns if (found := _BUCKET.match(name))), None)
    if ends is None:
        raise PolicyError("the state holds no bucket for raw intents")
    for name, arn in arns.items():
        purpose = name.removeprefix(f"{ends[1]}-").removesuffix(f"-{ends[2]}")
        names.add(f"bucket.{purpose}", arn)
    # That of the state is made apart, and called like the others.
    state = f"{ends[1]}-terraform-state-{ends[2]}"
    names.add("bucket.terraform-state", f"arn:{names['partition']}:s3:::{state}")
