"""Draws the stack from a plan or a state, as ``terraform show -json`` prints them.

The format is https://developer.hashicorp.com/terraform/internals/json-format. A box is what a
person would name: a bucket with its policy and lifecycle is one, all alarms are one. An arrow
stands where a value names another box, by its ARN or its name; in a policy only where something
is allowed. A value that is not known before the apply is replaced by the references of its
expression, where they lead to one box. They end at a ``local``, which a plan does not show: an
applied stack has more arrows.

Same stack, same bytes: nothing is shown that AWS makes up.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from html import escape
from itertools import chain, combinations, pairwise
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
_OUTSIDE = "outside"
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
            boxes[end] = Box(end, _OUTSIDE, "", (end,))
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


# The picture --------------------------------------------------------------------------------

# Areas from left to right: who comes, by which right, over what, to which data, watched by whom.
# An area that is not named here comes last.
_COLUMNS = ((_OUTSIDE,), ("identity",), ("fleet", "keys"), ("storage",), ("audit", "watch"))
_MARGIN, _COLUMN_GAP, _AREA_GAP = 24, 92, 24
_AREA_TOP, _AREA_PAD = 32, 14
_BOX_WIDTH, _BOX_GAP, _LINE = 180, 18, 15
_LINE_LETTERS = 27
_LANE = 5
# What is used by so many, and by most of an area, is told in their boxes: as arrows it would
# hide all else. So is an area of which a box uses so many.
_HUB, _WHOLE_AREA = 6, 4
_COLOURS = {
    # area: (line in light mode, line in dark mode)
    _OUTSIDE: ("#57606a", "#9ea7b3"),
    "identity": ("#8250df", "#b58bff"),
    "fleet": ("#1a7f64", "#4fd1a8"),
    "keys": ("#9a6700", "#e3b341"),
    "storage": ("#0969da", "#6cb6ff"),
    "audit": ("#a0522d", "#e0a57a"),
    "watch": ("#cf222e", "#ff8f8f"),
}
_OTHER_COLOUR = _COLOURS[_OUTSIDE]


class _Place(msgspec.Struct):
    box: Box
    column: int
    lines: list[str]
    tags: list[list[tuple[str, str]]]
    x: float = 0.0
    y: float = 0.0

    @property
    def height(self) -> float:
        return _LINE * (len(self.lines) + bool(self.box.kind) + len(self.tags)) + 12

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def draw_architecture(shown: Mapping[str, Any]) -> str:
    """Draw a stack as SVG, in colours for light and for dark.

    Args:
        shown: a plan or a state, as ``terraform show -json`` prints it.

    Returns:
        The document; the same for the same stack.

    Raises:
        TerraformError: it is neither, or there is nothing in it.
    """
    found = read_architecture(shown)
    hubs = _hubs(found)
    drawn, tags = _told_apart(found, hubs)
    columns = _columns(found)
    places = {
        box.key: _Place(box, column, _wrapped(box.names), _tag_lines(sorted(tags[box.key])))
        for column, areas in enumerate(columns)
        for _, boxes in areas
        for box in boxes
    }
    height = _arrange(columns, places, drawn)
    width = max(place.x for place in places.values()) + _BOX_WIDTH + _AREA_PAD + _MARGIN
    parts = [_style(area for areas in columns for area, _ in areas)]
    parts.append(f'<rect class="paper" width="{width:g}" height="{height:g}" rx="8"/>')
    for areas in columns:
        for area, boxes in areas:
            parts.append(_draw_area(area, [places[box.key] for box in boxes]))
    parts += _draw_arrows(drawn, places)
    parts += [_draw_box(place, hubs) for _, place in sorted(places.items())]
    parts.append(f'<text class="kind" x="{_MARGIN}" y="{height - 10:g}">{escape(_LEGEND)}</text>')
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img" aria-label="The cloud side">'
    )
    return "\n".join((opening, *parts, "</svg>\n"))


_LEGEND = (
    "a \u2192 b: a uses b, or comes in by it.  \u25cf is used by so many that it is told in "
    "their boxes instead."
)


def _hubs(found: Architecture) -> set[str]:
    area = {box.key: box.area for box in found.boxes}
    sizes = Counter(area.values())
    users: dict[str, Counter[str]] = {}
    for arrow in found.arrows:
        users.setdefault(arrow.target, Counter())[area[arrow.source]] += 1
    return {
        key
        for key, by_area in users.items()
        if by_area.total() >= _HUB and any(n > sizes[one] / 2 for one, n in by_area.items())
    }


def _told_apart(
    found: Architecture, hubs: set[str]
) -> tuple[list[Arrow], dict[str, list[tuple[str, str]]]]:
    """Return the arrows to draw, and what is told in each box instead: (area, text)."""
    boxes = {box.key: box for box in found.boxes}
    tags: dict[str, list[tuple[str, str]]] = {key: [] for key in boxes}
    arrows = [arrow for arrow in found.arrows if arrow.target not in hubs]
    for arrow in found.arrows:
        if arrow.target in hubs:
            hub = boxes[arrow.target]
            # "data" says too little, "data key" is as short.
            text = f"{hub.names[0]} {hub.kind}" if len(hub.kind) <= 3 else hub.names[0]
            tags[arrow.source].append((hub.area, text))
    into = Counter((arrow.source, boxes[arrow.target].area) for arrow in arrows)
    for (source, area), number in into.items():
        if number >= _WHOLE_AREA and area != boxes[source].area:
            tags[source] = [tag for tag in tags[source] if tag[0] != area] + [(area, area)]
            arrows = [
                arrow
                for arrow in arrows
                if (arrow.source, boxes[arrow.target].area) != (source, area)
            ]
    return arrows, tags


def _columns(found: Architecture) -> list[list[tuple[str, list[Box]]]]:
    """Sort the boxes into areas, and the areas into columns."""
    areas: dict[str, list[Box]] = {}
    for box in found.boxes:
        areas.setdefault(box.area, []).append(box)
    named = {area for column in _COLUMNS for area in column}
    others = tuple(sorted(area for area in areas if area not in named))
    columns = (*_COLUMNS[:-1], _COLUMNS[-1] + others)
    filled = [[(area, areas[area]) for area in column if area in areas] for column in columns]
    return [column for column in filled if column]


def _wrapped(names: tuple[str, ...]) -> list[str]:
    lines = [""]
    for place, name in enumerate(names):
        word = name if place == len(names) - 1 else f"{name},"
        if lines[-1] and len(lines[-1]) + len(word) >= _LINE_LETTERS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".lstrip()
    return lines


def _tag_lines(tags: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    lines: list[list[tuple[str, str]]] = []
    for tag in tags:
        # A dot and its spaces are as wide as three letters.
        if lines and sum(len(text) + 3 for _, text in [*lines[-1], tag]) <= _LINE_LETTERS:
            lines[-1].append(tag)
        else:
            lines.append([tag])
    return lines


def _arrange(
    columns: list[list[tuple[str, list[Box]]]], places: dict[str, _Place], arrows: list[Arrow]
) -> float:
    """Give each box its place, so that the arrows are short; the height of all."""
    for column, areas in enumerate(columns):
        for box in chain.from_iterable(boxes for _, boxes in areas):
            places[box.key].x = (
                _MARGIN + _AREA_PAD + column * (_BOX_WIDTH + 2 * _AREA_PAD + _COLUMN_GAP)
            )
    orders = [boxes for areas in columns for _, boxes in areas]

    def length() -> float:
        _stack(columns, places)
        return sum(abs(places[one.source].middle - places[one.target].middle) for one in arrows)

    # Boxes of an area change places as long as that makes the arrows shorter, by a whole unit:
    # so the order does not hang on the last bit of a sum, and there is an end.
    shortest, before = length(), float("inf")
    while shortest < before:
        before = shortest
        for boxes in orders:
            for one, other in combinations(range(len(boxes)), 2):
                boxes[one], boxes[other] = boxes[other], boxes[one]
                if (now := length()) <= shortest - 1:
                    shortest = now
                else:
                    boxes[one], boxes[other] = boxes[other], boxes[one]
    return _stack(columns, places)


def _stack(columns: list[list[tuple[str, list[Box]]]], places: dict[str, _Place]) -> float:
    """Put the boxes below each other in their order, each column in the middle; the height."""
    ends = []
    for areas in columns:
        y = float(_MARGIN)
        for _, boxes in areas:
            y += _AREA_TOP
            for box in boxes:
                places[box.key].y = y
                y += places[box.key].height + _BOX_GAP
            y += _AREA_PAD - _BOX_GAP + _AREA_GAP
        ends.append(y - _AREA_GAP)
    for areas, end in zip(columns, ends, strict=True):
        for _, boxes in areas:
            for box in boxes:
                places[box.key].y += (max(ends) - end) / 2
    return max(ends) + _MARGIN + _LINE


def _draw_area(area: str, places: list[_Place]) -> str:
    x, y = places[0].x - _AREA_PAD, min(place.y for place in places) - _AREA_TOP
    bottom = max(place.y + place.height for place in places) + _AREA_PAD
    return (
        f'<g class="{_css(area)}"><rect class="area" x="{x:g}" y="{y:g}" rx="8" '
        f'width="{_BOX_WIDTH + 2 * _AREA_PAD}" height="{bottom - y:g}"/>'
        f'<text class="title" x="{x + _AREA_PAD:g}" y="{y + 21:g}">{escape(area)}</text></g>'
    )


def _draw_box(place: _Place, hubs: set[str]) -> str:
    rows = [("kind", escape(place.box.kind))] if place.box.kind else []
    rows += [("name", escape(line)) for line in place.lines]
    for tags in place.tags:
        dots = (
            f'<tspan class="{_css(area)} tag">\u25cf</tspan> {escape(text)}' for area, text in tags
        )
        rows.append(("kind", " ".join(dots)))
    texts = "".join(
        f'<text class="{css}" x="{place.x + 10:g}" y="{place.y + 2 + number * _LINE:g}">'
        f"{text}</text>"
        for number, (css, text) in enumerate(rows, start=1)
    )
    if place.box.key in hubs:
        at = f'cx="{place.x + _BOX_WIDTH - 12:g}" cy="{place.y + 12:g}"'
        texts += f'<circle class="dot" {at} r="4"/>'
    told = "\n".join(place.box.addresses or place.box.names)
    return (
        f'<g class="{_css(place.box.area)}"><title>{escape(told)}</title>'
        f'<rect class="box" x="{place.x:g}" y="{place.y:g}" rx="5" width="{_BOX_WIDTH}" '
        f'height="{place.height:g}"/>{texts}</g>'
    )


def _draw_arrows(arrows: list[Arrow], places: dict[str, _Place]) -> Iterator[str]:
    ends = _ends(arrows, places)
    lanes: Counter[tuple[int, float]] = Counter()
    for arrow in sorted(arrows, key=lambda one: (places[one.source].middle, one)):
        source, target = places[arrow.source], places[arrow.target]
        start, end = ends[arrow, True], ends[arrow, False]
        points = [start]
        step = 1 if target.column > source.column else -1
        for column in range(source.column + step, target.column, step):
            points += _through(column, places, start, end, lanes)
        points.append(end)
        path = f"M{start[0]:g} {start[1]:.1f}"
        if source.column == target.column:
            bulge = start[0] + 30 + abs(end[1] - start[1]) / 12
            path += f"C{bulge:.1f} {start[1]:.1f} {bulge:.1f} {end[1]:.1f} {end[0]:g} {end[1]:.1f}"
            step = -1
        else:
            for number, ((x1, y1), (x2, y2)) in enumerate(pairwise(points)):
                middle = (x1 + x2) / 2
                # Every second stretch is the straight way past a column.
                path += (
                    f"H{x2:g}"
                    if number % 2
                    else f"C{middle:g} {y1:.1f} {middle:g} {y2:.1f} {x2:g} {y2:.1f}"
                )
        head = f"M{end[0]:g} {end[1]:.1f}l{-8 * step} -4v8z"
        yield (
            f'<g class="{_css(source.box.area)}"><path class="arrow" d="{path}"/>'
            f'<path class="head" d="{head}"/></g>'
        )


_Point = tuple[float, float]


def _ends(arrows: list[Arrow], places: dict[str, _Place]) -> dict[tuple[Arrow, bool], _Point]:
    """Spread the ends of the arrows over the sides of their boxes, so that they cross little."""
    sides: dict[tuple[str, bool], list[tuple[float, Arrow, bool]]] = {}
    for arrow in arrows:
        source, target = places[arrow.source], places[arrow.target]
        right = source.column <= target.column
        sides.setdefault((arrow.source, right), []).append((target.middle, arrow, True))
        right = target.column <= source.column
        sides.setdefault((arrow.target, right), []).append((source.middle, arrow, False))
    found = {}
    for (key, right), own in sides.items():
        place = places[key]
        for number, (_, arrow, is_start) in enumerate(sorted(own), start=1):
            y = place.y + place.height * number / (len(own) + 1)
            found[arrow, is_start] = (place.x + (_BOX_WIDTH if right else 0), y)
    return found


def _through(
    column: int,
    places: dict[str, _Place],
    start: _Point,
    end: _Point,
    lanes: Counter[tuple[int, float]],
) -> list[_Point]:
    """Find the gap between the boxes of a column that lies nearest to an arrow's way."""
    own = sorted((place.y, place) for place in places.values() if place.column == column)
    left = own[0][1].x - _AREA_PAD
    share = (left - start[0]) / (end[0] - start[0])
    wanted = start[1] + (end[1] - start[1]) * share
    gaps = [own[0][0] - _AREA_TOP - 2 * _LANE]
    gaps += [(a.y + a.height + b.y) / 2 for (_, a), (_, b) in pairwise(own)]
    gaps.append(own[-1][0] + own[-1][1].height + _AREA_PAD + 2 * _LANE)
    gap = min(gaps, key=lambda y: (round(abs(y - wanted) + 14 * lanes[column, y], 3), y))
    lane = lanes[column, gap]
    lanes[column, gap] += 1
    # The first in the middle, the next above, the next below ...
    y = gap + _LANE * ((lane + 1) // 2) * (-1 if lane % 2 else 1)
    points = [(left, y), (left + _BOX_WIDTH + 2 * _AREA_PAD, y)]
    return points if start[0] < end[0] else points[::-1]


_PAPER, _INK, _FAINT = ("#ffffff", "#161b22"), ("#1f2328", "#e6edf3"), ("#57606a", "#9ea7b3")


def _style(areas: Iterator[str]) -> str:
    names = list(areas)

    def colours(mode: int) -> str:
        rules = [f".paper,.box{{fill:{_PAPER[mode]}}}", f".name{{fill:{_INK[mode]}}}"]
        rules.append(f".kind{{fill:{_FAINT[mode]}}}")
        rules += [
            f".{_css(area)}{{color:{_COLOURS.get(area, _OTHER_COLOUR)[mode]}}}" for area in names
        ]
        return "\n".join(rules)

    return f"""<style>
text{{font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}}
.title{{font-size:15px;font-weight:600;fill:currentColor}}
.name{{font-size:12px;font-weight:600}}
.kind{{font-size:11px}}
.tag,.dot,.head{{fill:currentColor}}
.area{{fill:currentColor;fill-opacity:.08;stroke:currentColor;stroke-opacity:.35}}
.box{{stroke:currentColor;stroke-width:1.2}}
.arrow{{fill:none;stroke:currentColor;stroke-width:1.3;stroke-opacity:.75}}
{colours(0)}
@media (prefers-color-scheme:dark){{
{colours(1)}
}}
</style>"""


def _css(area: str) -> str:
    return "a-" + re.sub(r"\W", "-", area)
