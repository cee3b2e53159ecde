"""Finds what is to be drawn of a stack: boxes and arrows, from a plan or a state.

The format is https://developer.hashicorp.com/terraform/internals/json-format. A box is what a
person would name: a bucket with its policy and lifecycle is one, all alarms are one. An arrow
stands where a value names another box, by its ARN or its name; in a policy only where something
is allowed. A value that is not known before the apply is replaced by the references of its
expression, where they lead to one box. They end at a ``local``, which a plan does not show: an
applied stack has more arrows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from greengrass_components.errors import TerraformError

__all__ = ["OUTSIDE", "Architecture", "Arrow", "Box", "read_architecture"]


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
    """Resources of which the apply will tell more; while there are some, arrows may lack."""


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
    "aws_iot_thing_type": ("thing type", "thing types"),
    "aws_iot_topic_rule": ("topic rule", "topic rules"),
    "aws_kms_key": ("key", None),
    "aws_lambda_function": ("function", None),
    "aws_s3_bucket": ("bucket", None),
    "aws_sns_topic": ("topic", None),
    "aws_ssoadmin_permission_set": ("permission set", "permission sets"),
}
# By these a resource says whose part it is: the policy of a bucket names the bucket.
_OWNERS = (
    "bucket",
    "role",
    "permission_set_arn",
    "topic_arn",
    "function_name",
    "target_key_id",
    "arn",
)
_IDENTIFIERS = (
    "alarm_name",
    "alias",
    "arn",
    "bucket",
    "dashboard_name",
    "function_name",
    "id",
    "key_id",
    "name",
)
# What a resource is called says nothing of others, and everything has tags.
_NO_MENTIONS = (*_IDENTIFIERS, "tags", "tags_all")
# Attributes that name who uses, and not what is used.
_USERS = ("assume_role_policy", "source_arn")
# Modules that are no area of their own.
_AREAS = {"access_logs": "storage", "bucket": "storage", "people": "identity"}
OUTSIDE = "outside"
"""The area of those who are no part of the stack."""

# Who comes from outside: by the end of a principal in a trust policy, or to a type of box.
_PRINCIPALS = {
    "credentials.iot.amazonaws.com": "devices",
    "oidc-provider/token.actions.githubusercontent.com": "GitHub Actions",
    "sagemaker.amazonaws.com": "SageMaker",
}
_VISITORS = {
    "aws_cloudwatch_dashboard": "people",
    "aws_iam_openid_connect_provider": "GitHub Actions",
    "aws_iot_policy": "devices",
    "aws_iot_provisioning_template": "devices",
    "aws_ssoadmin_permission_set": "people",
}
_RECIPIENTS = {"aws_sns_topic_subscription": "people"}


class _Scope(msgspec.Struct):
    """A module, or one instance of it."""

    address: str
    name: str
    index: str | None
    parent: _Scope | None
    call: Mapping[str, Any]
    configuration: Mapping[str, Any]
    children: list[_Scope] = msgspec.field(default_factory=list)

    @property
    def top(self) -> _Scope:
        """The module that the root calls; the root itself at the root."""
        return self if self.parent is None or self.parent.parent is None else self.parent.top


class _Resource(msgspec.Struct):
    address: str
    scope: _Scope
    type: str
    name: str
    index: str | None
    values: Mapping[str, Any]
    expressions: Mapping[str, Any]
    unknown: Mapping[str, Any]
    box: str | None = None


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
            "there is no resource to draw; give a plan or a state, as `terraform show -json` "
            "prints it"
        )
    directory = _Directory(resources)
    boxes = {box.key: box for box in directory.boxes()}
    arrows = {arrow for arrow in directory.arrows() if arrow.source != arrow.target}
    for end in {end for arrow in arrows for end in (arrow.source, arrow.target)}:
        if end not in boxes:
            boxes[end] = Box(end, OUTSIDE, "", (end,))
    return Architecture(
        boxes=tuple(box for _, box in sorted(boxes.items())),
        arrows=tuple(sorted(arrows)),
        unknown=sum(_is_unknown(resource.unknown) for resource in resources),
    )


def _resources(shown: Mapping[str, Any]) -> Iterator[_Resource]:
    unknown = {
        change["address"]: change["change"].get("after_unknown") or {}
        for change in shown.get("resource_changes", [])
    }

    def below(module: Mapping[str, Any], scope: _Scope) -> Iterator[_Resource]:
        expressions = {
            one["address"]: one.get("expressions", {})
            for one in scope.configuration.get("resources", [])
        }
        for one in module.get("resources", []):
            if one["mode"] == "managed":
                yield _Resource(
                    address=one["address"],
                    scope=scope,
                    type=one["type"],
                    name=one["name"],
                    index=one["index"] if isinstance(one.get("index"), str) else None,
                    values=one.get("values", {}),
                    expressions=expressions.get(f"{one['type']}.{one['name']}", {}),
                    unknown=unknown.get(one["address"], {}),
                )
        for inner in module.get("child_modules", []):
            step = _LAST_STEP.search(inner["address"])
            name, index = (step[1], step[2]) if step else ("", None)
            call = scope.configuration.get("module_calls", {}).get(name, {})
            child = _Scope(inner["address"], name, index, scope, call, call.get("module", {}))
            scope.children.append(child)
            yield from below(inner, child)

    values = shown.get("planned_values") or shown.get("values") or {}
    configuration = shown.get("configuration", {}).get("root_module", {})
    yield from below(values.get("root_module", {}), _Scope("", "", None, None, {}, configuration))


_LAST_STEP = re.compile(r'module\.(\w+)(?:\[(?:"([^"]*)"|\d+)\])?$')
_ADDRESS = re.compile(r'(\w+)\.(\w+)(?:\["([^"]*)"\])?')
_MODULE = re.compile(r'module\.(\w+)(?:\[(?:"([^"]*)"|[^\]]*)\])?\.(\w+)')


class _Directory:
    """Knows which box a name, an ARN or a reference leads to."""

    def __init__(self, resources: list[_Resource]) -> None:
        self._resources = resources
        self._main = [resource for resource in resources if resource.type in _KINDS]
        self._by_name: dict[str, set[str]] = {}
        for resource in self._main:
            self._enter(resource)
        for resource in [one for one in resources if one.type not in _KINDS]:
            resource.box = self._owner(resource)
            if resource.box is None:
                # Nobody's part, and of a kind that is not known here: better odd than missing.
                self._main.append(resource)
                self._enter(resource)

    def boxes(self) -> Iterator[Box]:
        """Give the boxes that stand for resources."""
        members: dict[str, list[_Resource]] = {}
        for resource in self._main:
            members.setdefault(resource.box or "", []).append(resource)
        for key, found in members.items():
            kind, plural = _kind(found[0].type)
            names = tuple(sorted({_name(resource) for resource in found}))
            yield Box(
                key=key,
                area=_area(found[0].scope),
                kind=plural if plural and len(names) > 1 else kind,
                names=names,
                addresses=tuple(sorted(resource.address for resource in found)),
            )

    def arrows(self) -> Iterator[Arrow]:
        """Give the arrows; some more than once, some from a box to itself."""
        for resource in self._resources:
            box = resource.box or ""
            if resource.type in _VISITORS:
                yield Arrow(_VISITORS[resource.type], box)
            if resource.type in _RECIPIENTS:
                yield Arrow(box, _RECIPIENTS[resource.type])
            for attribute, value in resource.values.items():
                if attribute in _NO_MENTIONS:
                    continue
                for text, in_policy in _mentions(value):
                    is_user = in_policy or attribute in _USERS
                    others = self._named(text)
                    if not others and is_user:
                        others = [who for end, who in _PRINCIPALS.items() if text.endswith(end)]
                    for other in others:
                        yield Arrow(other, box) if is_user else Arrow(box, other)
            for attribute, expression in resource.expressions.items():
                if _is_unknown(resource.unknown.get(attribute)):
                    for other in self._referred(expression, resource):
                        is_user = attribute in _USERS
                        yield Arrow(other, box) if is_user else Arrow(box, other)

    def _enter(self, resource: _Resource) -> None:
        _, plural = _kind(resource.type)
        kind = f"{resource.scope.address}.{resource.type}".lstrip(".")
        resource.box = kind if plural else resource.address
        names = [resource.values.get(attribute) for attribute in _IDENTIFIERS]
        if resource.type == "aws_s3_bucket":
            # The ARN is not known before the bucket is there, and policies construct it.
            names.append(f"arn:aws:s3:::{resource.values.get('bucket')}")
        for one in names:
            if isinstance(one, str) and one:
                self._by_name.setdefault(one, set()).add(resource.box)

    def _owner(self, resource: _Resource) -> str | None:
        for attribute in _OWNERS:
            found = self._named(resource.values.get(attribute)) or self._referred(
                resource.expressions.get(attribute), resource
            )
            if found:
                return found[0]
        return None

    def _named(self, text: Any) -> list[str]:
        """Return the box whose identifier a text is, or the start of whose ARN; or nothing."""
        if not isinstance(text, str):
            return []
        found = self._by_name.get(text, set())
        if text.startswith("arn:"):
            ends = [place.start() for place in re.finditer(r"[/:]", text)]
            # The ARN of something inside a box begins like the box's own.
            shorter = [text[:end] for end in reversed(ends)]
            # One that was put together before the box is there ends with the box's name.
            for one in (*shorter, text[ends[-1] + 1 :]):
                found = found or self._by_name.get(one, set())
        return list(found) if len(found) == 1 else []

    def _referred(self, expression: Any, resource: _Resource) -> list[str]:
        """Return the box that the references of an expression lead to, if it is one only."""
        found = set(self._follow(expression, resource.scope))
        if len(found) > 1 and resource.index is not None:
            # Instance by instance, as each.key goes.
            found = {box for box in found if box.endswith(f'["{resource.index}"]')}
        return list(found) if len(found) == 1 else []

    def _follow(self, expression: Any, scope: _Scope) -> Iterator[str]:
        for reference in _references(expression):
            first, _, rest = reference.partition(".")
            name = re.split(r"[.\[]", rest)[0]
            if first == "var" and scope.parent is not None:
                yield from self._follow(scope.call.get("expressions", {}).get(name), scope.parent)
            elif first == "module" and (step := _MODULE.match(reference)):
                for child in scope.children:
                    if child.name == step[1] and step[2] in (None, child.index):
                        output = child.configuration.get("outputs", {}).get(step[3], {})
                        yield from self._follow(output.get("expression"), child)
            elif step := _ADDRESS.match(reference):
                for resource in self._resources:
                    if (
                        resource.scope is scope
                        and (resource.type, resource.name) == (step[1], step[2])
                        and step[3] in (None, resource.index)
                        and resource.box is not None
                    ):
                        yield resource.box


def _kind(type_name: str) -> tuple[str, str | None]:
    return _KINDS.get(type_name, (type_name.removeprefix("aws_").replace("_", " "), None))


def _name(resource: _Resource) -> str:
    if resource.index is not None:
        return resource.index
    scope = resource.scope
    name = resource.name if resource.name != "this" else scope.index or scope.top.name
    return name.replace("_", " ") or _kind(resource.type)[0]


def _area(scope: _Scope) -> str:
    return _AREAS.get(scope.top.name, scope.top.name.replace("_", " ")) or "stack"


def _is_unknown(marks: Any) -> bool:
    """Whether anything is marked in an ``after_unknown``."""
    if isinstance(marks, Mapping):
        return any(map(_is_unknown, marks.values()))
    return any(map(_is_unknown, marks)) if isinstance(marks, list) else bool(marks)


def _references(expression: Any) -> list[str]:
    """Return what an expression refers to, without the shorter forms that Terraform adds."""
    found: list[str] = []
    if isinstance(expression, Mapping):
        found += expression.get("references", [])
        for inner in expression.values():
            found += _references(inner) if isinstance(inner, Mapping | list) else []
    elif isinstance(expression, list):
        for inner in expression:
            found += _references(inner) if isinstance(inner, Mapping | list) else []
    return [
        one
        for one in found
        if not any(other != one and re.match(rf"{re.escape(one)}[.\[]", other) for other in found)
    ]


def _mentions(value: Any) -> Iterator[tuple[str, bool]]:
    """Give every text in a value, and whether it says who uses rather than what is used."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _mentions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _mentions(inner)
    elif isinstance(value, str):
        document = _document(value)
        if document is None:
            yield value, False
            # A rule over alarms has their names in quotation marks.
            yield from ((name, False) for name in re.findall(r'"([^"]+)"', value))
        elif "Statement" in document:
            yield from _policy_mentions(document)
        else:
            yield from _mentions(document)


def _policy_mentions(policy: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    statements = policy["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        if statement.get("Effect") != "Allow":
            continue
        yield from _mentions(statement.get("Resource"))
        users = [statement.get("Principal")]
        for condition in statement.get("Condition", {}).values():
            users += [condition.get("aws:PrincipalArn"), condition.get("aws:SourceArn")]
        yield from ((text, True) for text, _ in _mentions(users))


def _document(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        decoded = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return decoded if isinstance(decoded, dict) else None
