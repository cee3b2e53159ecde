"""What a month is estimated to cost."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from edge_runtime.errors import SettingsError
from greengrass_components.infrastructure.cost import (
    COMMITTED,
    CostSettings,
    Estimate,
    Inventory,
    Line,
    RuleUse,
    estimate_month,
    load_cost_settings,
    take_inventory,
)
from greengrass_components.infrastructure.prices import load_prices


def settings(**flags: Any) -> CostSettings:
    return load_cost_settings(flags=flags)


def estimate(inventory: Inventory = COMMITTED, **flags: Any) -> Estimate:
    return estimate_month(settings(**flags), load_prices(), inventory=inventory)


def line(name: str, **flags: Any) -> Line:
    return next(line for line in estimate(**flags).lines if line.price == name)


def test_the_total_is_the_sum_of_the_lines() -> None:
    found = estimate(devices=1000)

    assert found.total_usd == pytest.approx(sum(line.usd for line in found.lines))
    assert found.per_device_usd == pytest.approx(found.total_usd / 1000)


def test_without_devices_only_the_fixed_part_remains() -> None:
    found = estimate(devices=0)

    assert found.total_usd == found.without_devices_usd == estimate().without_devices_usd
    assert found.per_device_usd is None
    assert {line.price for line in found.lines if line.usd} == {
        "cloudwatch_composites",
        "kms_keys",
        "kms_signatures",
        "logs_kept",
        "s3_storage",
    }


def test_each_device_downloads_each_release() -> None:
    found = line(
        "transfer_out",
        devices=1000,
        releases_per_month=2,
        model_mb=2**20 / 1000,
        runtime_releases_per_month=0,
    )

    # 1000 x 2 x 1,048,576,000 bytes, less than 2 x 1000 GB of 2^30 bytes.
    assert found.quantity == pytest.approx(1953.125)
    assert found.free == 100
    assert found.usd == pytest.approx((1953.125 - 100) * 0.09)


def test_free_tiers_can_be_left_out() -> None:
    found = line("cloudwatch_dashboards", free_tiers=False)

    assert (found.free, found.usd) == (0, 3.0)


def test_every_message_that_becomes_a_metric_is_a_call_for_each_of_its_values() -> None:
    inventory = msgspec.structs.replace(
        COMMITTED, messages={"telemetry": RuleUse(rules=1, actions=4, metrics=4)}
    )

    found = {
        one.price: one.quantity
        for one in estimate(inventory, devices=10, telemetry_per_day=24).lines
    }

    messages = 10 * 24 * 365.25 / 12
    assert found["cloudwatch_requests"] == pytest.approx(messages * 4 / 1000)
    assert found["iot_rules"] == pytest.approx(messages / 1e6)
    assert found["iot_actions"] == pytest.approx(messages * 4 / 1e6)
    assert found["s3_puts"] == 0


def test_a_large_message_is_metered_in_steps_of_5_kb() -> None:
    small = line("iot_messages", devices=10, telemetry_bytes=5120)
    large = line("iot_messages", devices=10, telemetry_bytes=5121)

    assert large.quantity - small.quantity == pytest.approx(10 * 288 * 365.25 / 12 / 1e6)


def test_a_key_costs_more_after_its_first_two_rotations_only() -> None:
    # Data, signing and state; the first and the last are rotated.
    assert [line("kms_keys", key_rotations=times).quantity for times in range(4)] == [3, 5, 7, 7]


def test_the_levers_are_sorted_by_what_they_save() -> None:
    saved = [lever.saves_usd for lever in estimate(devices=1000).levers]

    assert saved == sorted(saved, reverse=True)
    assert min(saved) > 0


def test_pulling_the_largest_lever_saves_what_it_says() -> None:
    found = estimate(devices=1000)
    lever = found.levers[0]

    pulled = estimate(devices=1000, **{lever.setting: lever.instead})

    assert found.total_usd - pulled.total_usd == pytest.approx(lever.saves_usd)


def test_where_releases_are_large_and_frequent_downloads_are_the_lever() -> None:
    found = estimate(devices=1000, releases_per_month=20, model_mb=1000, telemetry_per_day=1)

    assert {found.levers[0].setting, found.levers[1].setting} == {"model_mb", "releases_per_month"}


def test_a_region_without_prices_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(SettingsError, match=r"'eu-west-9'.*eu-central-1, us-east-1"):
        estimate(region="eu-west-9")


@pytest.mark.parametrize(
    "wrong",
    [
        {"devices": -1},
        {"devices": "many"},
        {"review_share": 1.1},
        {"heartbeat_interval_s": 0},
        {"telemetry_bytes": 0},
        {"device": 3},
    ],
)
def test_a_wrong_assumption_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=rf"cost\.{next(iter(wrong))}"):
        settings(**wrong)


def resource(kind: str, **values: Any) -> dict[str, Any]:
    return {"mode": "managed", "type": kind, "name": "this", "address": kind, "values": values}


def shown(*resources: dict[str, Any], root: str = "planned_values") -> dict[str, Any]:
    deep = {"child_modules": [{"address": "module.a", "resources": list(resources)}]}
    return {root: {"root_module": {"resources": [], **deep}}}


def rule(sql: str, **blocks: list[Any]) -> dict[str, Any]:
    return resource("aws_iot_topic_rule", sql=sql, error_action=[{}], sns=[], **blocks)


@pytest.mark.parametrize("root", ["planned_values", "values"])
def test_keys_are_counted_in_plans_and_states(root: str) -> None:
    keys = [
        resource("aws_kms_key", enable_key_rotation=True),
        resource("aws_kms_key", enable_key_rotation=False),
    ]

    found = take_inventory(shown(*keys, root=root))

    assert (found.keys, found.rotating_keys) == (2, 1)


def test_an_alarm_over_an_expression_counts_each_metric() -> None:
    expression = [{"expression": "a / b"}, {"metric": [{}]}, {"metric": [{}]}]

    found = take_inventory(
        shown(
            resource("aws_cloudwatch_metric_alarm", metric_query=expression),
            resource("aws_cloudwatch_metric_alarm", metric_query=[]),
        )
    )

    assert found.alarm_metrics == 3


def test_rules_are_counted_by_the_kind_of_message_that_triggers_them() -> None:
    metrics = [{"metric_namespace": "fleet", "metric_name": name} for name in ("Errors", "Drift")]

    found = take_inventory(
        shown(
            rule("SELECT * FROM 'dev/+/telemetry'", s3=[{}]),
            rule("select a from 'dev/+/telemetry' where a > 1", cloudwatch_metric=metrics),
            rule("SELECT * FROM 'dev/+/heartbeat'", cloudwatch_metric=metrics[:1]),
        )
    )

    assert found.fleet_metrics == 2
    assert found.messages == {
        "heartbeat": RuleUse(rules=1, actions=1, metrics=1),
        "telemetry": RuleUse(rules=2, actions=3, objects=1, metrics=2),
    }


@pytest.mark.parametrize("wrong", [{}, {"format_version": "1.0"}, {"values": {}}])
def test_what_is_neither_plan_nor_state_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="neither a plan nor a state"):
        take_inventory(wrong)
