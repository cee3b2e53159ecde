"""Draws the stack from a plan or a state, as ``terraform show -json`` prints them.

The format is https://developer.hashicorp.com/terraform/internals/json-format. A box is what a
person would name: a bucket with its policy and lifecycle is one, the alarms are one. An arrow
is there where Terraform's values name another box, by its ARN or its name; inside a policy only
where something is allowed. What is not known before the first apply is taken from the
references in the configuration, as far as they lead to one box. They end at a ``local``, which
a plan does not show: the picture of an applied stack has more arrows.

Same stack, same bytes: no identifier that AWS makes up is shown.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

import msgspec

from greengrass_components.errors import TerraformError

__all__ = ["Architecture", "Arrow", "Box", "draw_architecture", "read_architecture"]


class Box(msgspec.Struct, frozen=True):
    """One thing in the picture."""

    key: str
    """Where it stands in the configuration; unique."""
    area: str
    """Name of the area that it stands in."""
    kind: str
    """What it is, such as ``bucket``."""
    names: tuple[str, ...]
    """Its name, or those of all that it stands for."""
    addresses: tuple[str, ...] = ()
    """Resources that it stands for; none for somebody outside."""


class Arrow(msgspec.Struct, frozen=True, order=True):
    """One box that uses another."""

    source: str
    """Key of the box that uses."""
    target: str
    """Key of the box that is used."""


class Architecture(msgspec.Struct, frozen=True):
    """What is drawn."""

    boxes: tuple[Box, ...]
    """By key."""
    arrows: tuple[Arrow, ...]
    """By source and target."""
    unknown: int
    """Values that are not known before the next apply; with some, arrows may be missing."""


# What a person would name. With a plural, all of a module are one box.
_KINDS: Mapping[str, tuple[str, str | None]] = {
    "aws_budgets_budget": ("budget", None),
    "aws_cloudtrail": ("trail", None),
    "aws_cloudwatch_composite_alarm": ("alarm over alarms", None),
    "aws_cloudwatch_dashboard": ("dashboard", None),
    "aws_cloudwatch_log_group": ("log group", "log groups"),
    "aws_cloudwatch_metric_alarm": ("alarm", "alarms"),
    "aws_iam_openid_connect_provider": ("identity provider", None),
    "aws_iam_policy": ("policy", "policies"),
    "aws_iam_role": ("role", None),
    "aws_iot_policy": ("policy of devices", "policies of devices"),
    "aws_iot_provisioning_template": ("provisioning template", None),
    "aws_iot_role_alias": ("role alias", None),
    "aws_iot_thing_group": ("thing group", "thing groups"),
    "aws_iot_topic_rule": ("topic rule", "topic rules"),
    "aws_kms_key": ("key", None),
    "aws_lambda_function": ("function", None),
    "aws_s3_bucket": ("bucket", None),
    "aws_sns_topic": ("topic", None),
    "aws_ssoadmin_permission_set": ("permission set", "permission sets"),
}
# Attributes by which a resource says whose part it is, such as a bucket's policy.
_OWNERS = (
    "bucket",
    "role",
    "permission_set_arn",
    "topic_arn",
    "function_name",
    "target_key_id",
    "arn",
)
_IDENTIFIERS = ("arn", "id", "bucket", "name", "alarm_name", "function_name", "alias", "key_id")
# Modules that are no area of their own.
_AREAS = {"access_logs": "storage", "bucket": "storage", "people": "identity"}
_OUTSIDE = "outside"
# Who comes from outside, by what a trust policy names.
_PRINCIPALS = {
    "credentials.iot.amazonaws.com": "devices",
    "oidc-provider/token.actions.githubusercontent.com": "GitHub Actions",
    "sagemaker.amazonaws.com": "SageMaker training",
}
# Who comes from outside to a kind of box, and to whom a kind of box goes.
_VISITORS = {
    "aws_iot_policy": "devices",
    "aws_iot_provisioning_template": "devices",
    "aws_ssoadmin_permission_set": "people",
    "aws_cloudwatch_dashboard": "people",
}
_RECIPIENTS = {"aws_sns_topic_subscription": "people"}


class _Resource(msgspec.Struct, frozen=True):
    address: str
    module: str
    type: str
    name: str
    index: str | None
    values: dict[str, Any]
    expressions: dict[str, Any]
    unknown: dict[str, Any]


def read_architecture(shown: Mapping[str, Any]) -> Architecture:
    """Find the boxes and arrows of a stack.

    Args:
        shown: a plan or a state, as ``terraform show -json`` prints it.

    Raises:
        TerraformError: it is neither, or there is nothing in it.
    """
    resources = list(_resources(shown))
    if not resources:
        raise TerraformError(
            "there is no resource to draw; give a plan or a state as `terraform show -json` "
            "prints it"
        )
    reader = _Reader(shown, resources)
    boxes = {box.key: box for box in reader.boxes()}
    arrows = {arrow for arrow in reader.arrows() if arrow.source != arrow.target}
    for outside in sorted({end for arrow in arrows for end in (arrow.source, arrow.target)}):
        if outside not in boxes:
            boxes[outside] = Box(outside, _OUTSIDE, "", (outside,))
    return Architecture(
        boxes=tuple(box for _, box in sorted(boxes.items())),
        arrows=tuple(sorted(arrows)),
        unknown=sum(_count_unknown(resource.unknown) for resource in resources),
    )


def _resources(shown: Mapping[str, Any]) -> Iterator[_Resource]:
    values = shown.get("planned_values") or shown.get("values") or {}
    configured = shown.get("configuration", {}).get("root_module", {})
    changes = {
        change["address"]: change["change"].get("after_unknown") or {}
        for change in shown.get("resource_changes", [])
    }

    def below(
        module: Mapping[str, Any], configuration: Mapping[str, Any]
    ) -> Iterator[_Resource]:
        expressions = {
            one["address"]: one.get("expressions", {}) for one in configuration.get("resources", [])
        }
        for one in module.get("resources", []):
            if one["mode"] == "managed":
                yield _Resource(
                    address=one["address"],
                    module=module.get("address", ""),
                    type=one["type"],
                    name=one["name"],
                    index=None if one.get("index") is None else str(one["index"]),
                    values=one.get("values", {}),
                    expressions=expressions.get(f"{one['type']}.{one['name']}", {}),
                    unknown=changes.get(one["address"], {}),
                )
        for child in module.get("child_modules", []):
            name, _ = _module_steps(child["address"])[-1]
            call = configuration.get("module_calls", {}).get(name, {})
            yield from below(child, call.get("module", {}))

    yield from below(values.get("root_module", {}), configured)


class _Reader:
    """Turns resources into boxes, and what they name into arrows."""

    def __init__(self, shown: Mapping[str, Any], resources: list[_Resource]) -> None:
        self._root = shown.get("configuration", {}).get("root_module", {})
        self._resources = resources
        self._box_of: dict[str, str] = {}
        self._by_name: dict[str, set[str]] = defaultdict(set)
        for resource in resources:
            if resource.type in _KINDS:
                self._make_box(resource)
        rest = [resource for resource in resources if resource.type not in _KINDS]
        owners = {resource.address: self._owner(resource) for resource in rest}
        for resource in rest:
            owner = owners[resource.address]
            if owner is None:
                # Nobody's part, and nothing that this module knows: better an odd box than none.
                self._make_box(resource)
            else:
                self._box_of[resource.address] = owner

    def boxes(self) -> Iterator[Box]:
        """Give the boxes that stand for resources."""
        members: dict[str, list[_Resource]] = defaultdict(list)
        for resource in self._resources:
            if resource.address in self._main:
                members[self._box_of[resource.address]].append(resource)
        for key, found in members.items():
            kind, plural = _kind(found[0].type)
            names = tuple(dict.fromkeys(_name(resource) for resource in found))
            yield Box(
                key=key,
                area=_area(found[0].module),
                kind=plural if plural and len(names) > 1 else kind,
                names=names,
                addresses=tuple(sorted(resource.address for resource in found)),
            )

    def arrows(self) -> Iterator[Arrow]:
        """Give the arrows, some more than once, some from a box to itself."""
        for resource in self._resources:
            box = self._box_of[resource.address]
            for other, uses_us in self._named_by(resource):
                yield Arrow(other, box) if uses_us else Arrow(box, other)
            if resource.type in _VISITORS:
                yield Arrow(_VISITORS[resource.type], box)
            if resource.type in _RECIPIENTS:
                yield Arrow(box, _RECIPIENTS[resource.type])

    @property
    def _main(self) -> set[str]:
        return self.__dict__.setdefault("_main_addresses", set())

    def _make_box(self, resource: _Resource) -> None:
        _, plural = _kind(resource.type)
        key = (
            f"{resource.module}.{resource.type}"
            if plural
            else resource.address.removesuffix(_suffix(resource))
        )
        self._box_of[resource.address] = key
        self._main.add(resource.address)
        for attribute in _IDENTIFIERS:
            value = resource.values.get(attribute)
            if isinstance(value, str) and value:
                self._by_name[value].add(key)
        if resource.type == "aws_s3_bucket" and (bucket := resource.values.get("bucket")):
            self._by_name[f"arn:aws:s3:::{bucket}"].add(key)

    def _owner(self, resource: _Resource) -> str | None:
        for attribute in _OWNERS:
            found = {
                box
                for box in self._lookup(resource.values.get(attribute))
                if _same_module(box, resource.module)
            } or set(self._referred(resource, attribute))
            if len(found) == 1:
                return found.pop()
        return None

    def _named_by(self, resource: _Resource) -> Iterator[tuple[str, bool]]:
        """Give the boxes that a resource names, and whether they use it rather than it them."""
        for attribute, value in resource.values.items():
            if attribute == "assume_role_policy":
                for text in _strings(_document(value)):
                    for principal, outside in _PRINCIPALS.items():
                        if text.endswith(principal):
                            yield outside, True
            for text, uses_us in _mentions(value):
                for box in self._lookup(text):
                    yield box, uses_us
        for attribute in resource.expressions:
            if _count_unknown(resource.unknown.get(attribute)):
                for box in self._referred(resource, attribute):
                    yield box, False

    def _lookup(self, text: Any) -> set[str]:
        """Return the box that a text names: an identifier, or the ARN of something in it."""
        if not isinstance(text, str):
            return set()
        found = self._by_name.get(text, set())
        if not found and text.startswith("arn:"):
            for end in (place.start() for place in reversed(list(re.finditer(r"[/:*]", text)))):
                found = self._by_name.get(text[:end], set())
                if found:
                    break
        return set(found) if len(found) == 1 else set()

    def _referred(self, resource: _Resource, attribute: str) -> list[str]:
        """Follow an expression's references to a box; empty when they lead to several."""
        found = set(
            self._follow(_references(resource.expressions.get(attribute)), resource.module)
        )
        return sorted(found) if len(found) == 1 else []

    def _follow(self, references: Iterable[str], module: str) -> Iterator[str]:
        steps = _module_steps(module)
        prefix = f"{module}." if module else ""
        for reference in references:
            first, *rest = reference.split(".")
            if first == "var" and steps:
                call = _call(self._root, steps)
                above = module[: -len(_step_text(steps[-1]))].rstrip(".")
                name = rest[0].partition("[")[0]
                yield from self._follow(
                    _references(call.get("expressions", {}).get(name)), above
                )
            elif first == "module" and len(rest) > 1:
                child = f"{prefix}module.{rest[0]}"
                called = _call(self._root, _module_steps(child)).get("module", {})
                output = called.get("outputs", {}).get(rest[1].partition("[")[0], {})
                yield from self._follow(_references(output.get("expression")), child)
            elif rest:
                address = f"{prefix}{first}.{rest[0]}"
                yield from {
                    box
                    for known, box in self._box_of.items()
                    if known == address or known.startswith(f"{address}[")
                }


def _kind(type_name: str) -> tuple[str, str | None]:
    return _KINDS.get(type_name, (type_name.removeprefix("aws_").replace("_", " "), None))


def _name(resource: _Resource) -> str:
    if resource.index is not None:
        return resource.index
    if resource.name != "this":
        return resource.name.replace("_", " ")
    steps = _module_steps(resource.module)
    if not steps:
        return _kind(resource.type)[0]
    return steps[-1][1] or steps[0][0].replace("_", " ")


def _area(module: str) -> str:
    steps = _module_steps(module)
    return _AREAS.get(steps[0][0], steps[0][0].replace("_", " ")) if steps else "stack"


_STEP = re.compile(r'module\.(\w+)(?:\[("?)(.*?)\2\])?(?:\.|$)')


def _module_steps(address: str) -> list[tuple[str, str | None]]:
    """Split ``module.a["b"].module.c`` into names and instances."""
    return [(step[1], step[3] if step[2] else None) for step in _STEP.finditer(address)]
