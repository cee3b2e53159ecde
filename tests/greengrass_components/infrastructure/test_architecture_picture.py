"""How a stack is drawn."""

from __future__ import annotations

import json
import random
import re
import xml.etree.ElementTree as ET
from typing import Any

from greengrass_components.infrastructure.architecture_picture import draw_architecture

ACCOUNT = "123456789012"
SVG = "{http://www.w3.org/2000/svg}"


def resource(address: str, index: str | None = None, **values: Any) -> dict[str, Any]:
    kind, name = address.split(".")[-2:]
    found = {"mode": "managed", "type": kind, "name": name, "values": values}
    found["address"] = address if index is None else f'{address}["{index}"]'
    return found if index is None else {**found, "index": index}


def shown(**modules: list[dict[str, Any]]) -> dict[str, Any]:
    """A plan in which every value is known: module -> its resources, addressed from there."""
    children = [
        {
            "address": f"module.{name}",
            "resources": [
                {**one, "address": f"module.{name}.{one['address']}"} for one in resources
            ],
        }
        for name, resources in modules.items()
    ]
    return {"planned_values": {"root_module": {"child_modules": children}}}


def bucket(name: str, resource_name: str = "this") -> dict[str, Any]:
    return resource(f"aws_s3_bucket.{resource_name}", bucket=name, arn=f"arn:aws:s3:::{name}")


def role(name: str, **trusted: str) -> dict[str, Any]:
    return resource(
        f"aws_iam_role.{name}",
        name=f"dev-{name}",
        arn=f"arn:aws:iam::{ACCOUNT}:role/dev-{name}",
        assume_role_policy=policy(Action="sts:AssumeRole", Principal=trusted),
    )


def policy(effect: str = "Allow", **parts: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": effect, **parts}]})


def busy_plan() -> dict[str, Any]:
    """A plan with all areas: a hub that everybody uses, arrows over and within columns."""
    key = "arn:aws:kms:eu-central-1:1:key/abc"
    names = ("raw", "processed", "models", "releases", "pipeline", "logs")
    stores = {
        name: [
            bucket(name, name),
            resource(
                f"aws_s3_bucket_server_side_encryption_configuration.{name}",
                bucket=name,
                rule=[{"apply_server_side_encryption_by_default": [{"kms_master_key_id": key}]}],
            ),
        ]
        for name in names
    }
    every = policy(Resource=[f"arn:aws:s3:::{name}" for name in names])
    return shown(
        keys=[resource("aws_kms_key.data", arn=key)],
        bucket=[one for parts in stores.values() for one in parts],
        identity=[
            role("reader", Service="credentials.iot.amazonaws.com"),
            resource("aws_iam_role_policy.reader", role="dev-reader", policy=every),
            role("writer"),
            resource(
                "aws_iam_role_policy.writer",
                role="dev-writer",
                policy=policy(Resource="arn:aws:s3:::raw/<&>*"),
            ),
        ],
        fleet=[resource("aws_iot_topic_rule.a<b", name="rule", role_arn="dev-writer")],
        watch=[resource("aws_sns_topic.alarms", name="alarms", bucket_name="raw")],
    )


def texts(picture: str) -> list[str]:
    return ["".join(text.itertext()) for text in ET.fromstring(picture).iter(f"{SVG}text")]


def test_the_picture_is_well_formed_and_names_every_area() -> None:
    told = texts(draw_architecture(busy_plan()))

    assert {"outside", "identity", "fleet", "keys", "storage", "watch"} <= set(told)
    assert "a<b" in told


def test_what_everybody_uses_is_told_in_the_boxes_instead_of_drawn() -> None:
    picture = draw_architecture(busy_plan())

    assert texts(picture).count("\N{BLACK CIRCLE} data key") == 6
    # The devices come in, the writer, the rule and the topic have an arrow each.
    assert picture.count('class="arrow"') == 4


def test_who_uses_a_whole_area_says_so() -> None:
    assert "\N{BLACK CIRCLE} storage" in texts(draw_architecture(busy_plan()))


def test_no_two_boxes_overlap_and_all_lie_in_the_picture() -> None:
    root = ET.fromstring(draw_architecture(busy_plan()))
    boxes = [
        tuple(float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        for rect in root.iter(f"{SVG}rect")
        if rect.attrib["class"] == "box"
    ]

    assert len(boxes) == 12
    for number, (x, y, width, height) in enumerate(boxes):
        assert 0 < x < x + width < float(root.attrib["width"])
        assert 0 < y < y + height < float(root.attrib["height"])
        for other_x, other_y, _, other_height in boxes[number + 1 :]:
            beside = abs(x - other_x) >= width
            assert beside or y + height < other_y or other_y + other_height < y


def test_the_picture_has_colours_for_the_dark() -> None:
    picture = draw_architecture(busy_plan())
    light, _, dark = picture.partition("@media (prefers-color-scheme:dark)")

    colours = re.compile(r"\.a-storage\{color:(#\w+)\}")
    assert colours.search(light) is not None
    assert colours.findall(light) != colours.findall(dark)


def test_neither_order_nor_what_aws_makes_up_changes_the_picture() -> None:
    plan = busy_plan()
    before = draw_architecture(plan)
    modules = plan["planned_values"]["root_module"]["child_modules"]
    order = random.Random(7)
    order.shuffle(modules)
    for module in modules:
        order.shuffle(module["resources"])

    assert draw_architecture(plan) == before
    assert draw_architecture(json.loads(json.dumps(plan).replace("key/abc", "key/xyz"))) == before
