"""Estimates what a month of the stack costs: usage from settings, prices from ``prices.toml``.

What does not grow with the fleet is counted in the stack itself, from a plan or a state as
``terraform show -json`` prints them
(https://developer.hashicorp.com/terraform/internals/json-format).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from edge_runtime.errors import SettingsError
from edge_runtime.settings import load_settings
from greengrass_components.config import DEFAULTS
from greengrass_components.infrastructure.prices import PRICES, PriceTable

__all__ = [
    "COMMITTED",
    "CostSettings",
    "Estimate",
    "Inventory",
    "Lever",
    "Line",
    "RuleUse",
    "estimate_month",
    "load_cost_settings",
    "take_inventory",
]

_DAYS = 365.25 / 12
_MINUTES = _DAYS * 24 * 60
_GB = 2**30
_MB = 10**6
_MESSAGE_BYTES = 5 * 1024
# What is kept of log lines after compression. AWS's own examples reckon with it.
_COMPRESSED = 0.15
# The bucket of Terraform's state has a key of its own, which the stack does not show.
_STATE_KEYS = 1
# A key costs as much again after each of its first two rotations.
_PAID_ROTATIONS = 2

_Count = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
_Number = Annotated[float, msgspec.Meta(ge=0, le=10_000_000)]
_Bytes = Annotated[int, msgspec.Meta(ge=1, le=131_072)]


class CostSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a month of a fleet is like."""

    region: str
    """AWS region whose prices count, such as ``eu-central-1``."""
    devices: _Count
    """Devices in the fleet."""
    releases_per_month: _Number
    """Releases of a model a month; each device downloads each of them."""
    model_mb: _Number
    """Megabytes of the model component's archive."""
    runtime_releases_per_month: _Number
    """Releases of the runtime component a month."""
    runtime_mb: _Number
    """Megabytes of the runtime component's archive for one kind of device."""
    kept_releases: _Count
    """Releases whose archives lie in the bucket."""
    telemetry_per_day: _Number
    """Telemetry messages that a device sends a day."""
    telemetry_bytes: _Bytes
    """Bytes of a telemetry message."""
    heartbeat_interval_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)]
    """Seconds between two heartbeats of a device."""
    utterances_per_day: _Number
    """Utterances that a device answers a day."""
    review_share: Annotated[float, msgspec.Meta(ge=0, le=1)]
    """Share of the utterances that a device sends back for review, 0 to 1."""
    review_bytes: _Bytes
    """Bytes of an utterance that is sent back."""
    raw_days: _Count
    """Days that telemetry and utterances are kept."""
    log_lines_per_day: _Number
    """Lines that a device writes to its log in the cloud a day."""
    log_line_bytes: _Bytes
    """Bytes of such a line."""
    log_days: _Count
    """Days that log lines are kept."""
    audit_events_per_month: _Number
    """Calls that manage something in the account a month, as the trail records them."""
    audit_event_bytes: _Bytes
    """Bytes of an event of the trail."""
    training_gb: _Number
    """Gigabytes of datasets and checkpoints that lie in the buckets."""
    emails_per_month: _Number
    """E-mails about alarms and the budget a month."""
    key_rotations: _Count
    """Times that the data key was rotated; from 2 on the price stays."""
    free_tiers: bool
    """Whether to take off what every account gets free each month, for ever."""


class RuleUse(msgspec.Struct, frozen=True):
    """What one message of a kind sets off."""

    rules: int = 0
    """Topic rules that it triggers."""
    actions: int = 0
    """Actions of those rules."""
    objects: int = 0
    """Actions that write an object to S3."""
    metrics: int = 0
    """Actions that write a value to CloudWatch."""


class Inventory(msgspec.Struct, frozen=True):
    """What of the stack costs money by being there."""

    keys: int
    """KMS keys."""
    rotating_keys: int
    """KMS keys that AWS rotates."""
    alarm_metrics: int
    """Metrics that alarms look at."""
    composite_alarms: int
    """Alarms over alarms."""
    dashboards: int
    """CloudWatch dashboards."""
    fleet_metrics: int
    """CloudWatch metrics that topic rules write."""
    messages: dict[str, RuleUse]
    """Last part of a topic, such as ``telemetry`` -> what a message there sets off."""


COMMITTED = Inventory(
    keys=2,
    rotating_keys=1,
    alarm_metrics=5,
    composite_alarms=1,
    dashboards=1,
    fleet_metrics=5,
    messages={
        "heartbeat": RuleUse(rules=1, actions=1, metrics=1),
        "review": RuleUse(rules=1, actions=1, objects=1),
        "telemetry": RuleUse(rules=2, actions=5, objects=1, metrics=4),
    },
)
"""What the committed configuration has; a test holds it against its plan."""


class Line(msgspec.Struct, frozen=True):
    """One line of the estimate."""

    price: str
    """Name of the price in the table."""
    service: str
    """The service on the bill."""
    what: str
    """What is counted."""
    quantity: float
    """Units in the month."""
    unit: str
    """What one unit is."""
    free: float
    """Units of them that are free."""
    usd_per_unit: float
    """US dollars for one unit, before the steps of large quantities."""
    usd: float
    """US dollars in the month."""
    checked: bool
    """Whether the price was found in a copy of AWS's page or price list."""


class Lever(msgspec.Struct, frozen=True):
    """What changing one setting would save."""

    setting: str
    """Name of the setting."""
    value: float
    """What it is."""
    instead: float
    """Half of it; twice as much for an interval."""
    saves_usd: float
    """US dollars less in the month."""


class Estimate(msgspec.Struct, frozen=True):
    """What a month costs."""

    region: str
    """AWS region."""
    devices: int
    """Devices in the fleet."""
    prices_of: str
    """Day of the price table."""
    currency: str
    """Currency of all amounts."""
    lines: tuple[Line, ...]
    """One for each price, by service; also those that come to nothing."""
    total_usd: float
    """Sum of the lines."""
    without_devices_usd: float
    """What the stack costs with no device at all."""
    per_device_usd: float | None
    """The total by the number of devices; None when there are none."""
    levers: tuple[Lever, ...]
    """Settings whose change saves something, the largest first."""


_LEVERS: Mapping[str, float] = {
    "releases_per_month": 0.5,
    "model_mb": 0.5,
    "runtime_releases_per_month": 0.5,
    "runtime_mb": 0.5,
    "kept_releases": 0.5,
    "telemetry_per_day": 0.5,
    "heartbeat_interval_s": 2.0,
    "review_share": 0.5,
    "raw_days": 0.5,
    "log_lines_per_day": 0.5,
    "log_days": 0.5,
    "audit_events_per_month": 0.5,
    "training_gb": 0.5,
}


def load_cost_settings(
    *, project_folder: Path | None = None, flags: Mapping[str, Any] | None = None
) -> CostSettings:
    """Resolve the section ``cost`` of the settings.

    Raises:
        SettingsError: an unknown name, a wrong type or a value out of range.
    """
    return load_settings(
        CostSettings, "cost", defaults=DEFAULTS, project_folder=project_folder, flags=flags
    )


def estimate_month(
    settings: CostSettings, prices: PriceTable, *, inventory: Inventory = COMMITTED
) -> Estimate:
    """Estimate what a month costs.

    Args:
        settings: what the month is like.
        prices: what AWS asks.
        inventory: what of the stack costs money by being there.

    Raises:
        SettingsError: the table has no prices of the region.
    """
    known = set.intersection(*(set(price.region) for price in prices.price.values()))
    if settings.region not in known:
        raise SettingsError(
            f"cost.region: there are no prices of {settings.region!r}, only of "
            f"{', '.join(sorted(known))}; take the nearest, or add yours to {PRICES.name}",
            section="cost",
            name="region",
        )
    lines = _lines(settings, prices, inventory)
    total = _total(lines)
    nobody = _total(_lines(msgspec.structs.replace(settings, devices=0), prices, inventory))
    levers = []
    for name, factor in _LEVERS.items():
        value = getattr(settings, name)
        instead = int(value * factor) if isinstance(value, int) else value * factor
        changed = msgspec.structs.replace(settings, **{name: instead})
        saves = total - _total(_lines(changed, prices, inventory))
        if saves > 0:
            levers.append(Lever(name, value, instead, saves))
    return Estimate(
        region=settings.region,
        devices=settings.devices,
        prices_of=prices.date,
        currency=prices.currency,
        lines=lines,
        total_usd=total,
        without_devices_usd=nobody,
        per_device_usd=total / settings.devices if settings.devices else None,
        levers=tuple(sorted(levers, key=lambda lever: -lever.saves_usd)),
    )


def take_inventory(shown: Mapping[str, Any]) -> Inventory:
    """Count in a plan or a state what costs money by being there.

    Args:
        shown: what ``terraform show -json`` printed.

    Raises:
        SettingsError: it is neither a plan nor a state.
    """
    values = shown.get("planned_values") or shown.get("values")
    if not isinstance(values, dict) or "root_module" not in values:
        raise SettingsError(
            "this is neither a plan nor a state with anything in it; "
            "give what `terraform show -json` prints"
        )
    found: dict[str, list[dict[str, Any]]] = {}
    for resource in _managed(values["root_module"]):
        found.setdefault(resource["type"], []).append(resource.get("values", {}))
    keys = found.get("aws_kms_key", [])
    rules = found.get("aws_iot_topic_rule", [])
    return Inventory(
        keys=len(keys),
        rotating_keys=sum(bool(key.get("enable_key_rotation")) for key in keys),
        alarm_metrics=sum(map(_alarm_metrics, found.get("aws_cloudwatch_metric_alarm", []))),
        composite_alarms=len(found.get("aws_cloudwatch_composite_alarm", [])),
        dashboards=len(found.get("aws_cloudwatch_dashboard", [])),
        fleet_metrics=len(
            {
                (metric["metric_namespace"], metric["metric_name"])
                for rule in rules
                for metric in rule.get("cloudwatch_metric") or []
            }
        ),
        messages=_messages(rules),
    )


def _managed(module: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in module.get("resources", []):
        if resource["mode"] == "managed":
            yield resource
    for child in module.get("child_modules", []):
        yield from _managed(child)


def _alarm_metrics(alarm: Mapping[str, Any]) -> int:
    """Count the metrics of an alarm: an expression over two of them is charged as two."""
    queries = alarm.get("metric_query") or []
    return sum(bool(query.get("metric")) for query in queries) or 1


_TOPIC = re.compile(r"\bFROM\s+'([^']+)'", re.IGNORECASE)
_NO_ACTIONS = {"error_action"}


def _messages(rules: list[dict[str, Any]]) -> dict[str, RuleUse]:
    uses: dict[str, RuleUse] = {}
    for rule in rules:
        topic = _TOPIC.search(rule["sql"])
        kind = topic[1].rpartition("/")[2] if topic else ""
        # Every list of objects of a rule is a list of actions, but for what is done on errors.
        counts = {
            name: len(value)
            for name, value in rule.items()
            if isinstance(value, list) and name not in _NO_ACTIONS
        }
        before = uses.get(kind, RuleUse())
        uses[kind] = RuleUse(
            rules=before.rules + 1,
            actions=before.actions + sum(counts.values()),
            objects=before.objects + counts.get("s3", 0),
            metrics=before.metrics + counts.get("cloudwatch_metric", 0),
        )
    return dict(sorted(uses.items()))


def _lines(settings: CostSettings, prices: PriceTable, inventory: Inventory) -> tuple[Line, ...]:
    used = _usage(settings, inventory)
    lines = []
    for name, price in prices.price.items():
        quantity, rate = used[name], price.region[settings.region]
        free = min(quantity, price.free) if settings.free_tiers else 0.0
        lines.append(
            Line(
                price=name,
                service=price.service,
                what=price.what,
                quantity=quantity,
                unit=price.unit,
                free=free,
                usd_per_unit=rate.usd,
                usd=rate.amount(quantity - free),
                checked=rate.checked,
            )
        )
    return tuple(lines)


def _total(lines: tuple[Line, ...]) -> float:
    return math.fsum(line.usd for line in lines)


def _usage(settings: CostSettings, inventory: Inventory) -> dict[str, float]:
    """Return what is used in a month, by name of its price and in its units."""
    devices = settings.devices
    sent = {
        "telemetry": devices * settings.telemetry_per_day * _DAYS,
        "heartbeat": devices * _MINUTES * 60 / settings.heartbeat_interval_s,
        "review": devices * settings.utterances_per_day * settings.review_share * _DAYS,
    }
    size = {"telemetry": settings.telemetry_bytes, "review": settings.review_bytes}
    metered = {
        kind: count * math.ceil(size.get(kind, 1) / _MESSAGE_BYTES) for kind, count in sent.items()
    }
    uses = {kind: inventory.messages.get(kind, RuleUse()) for kind in sent}
    releases = settings.releases_per_month + settings.runtime_releases_per_month
    model = settings.releases_per_month * settings.model_mb
    runtime = settings.runtime_releases_per_month * settings.runtime_mb
    downloads = devices * releases

    objects = sum(sent[kind] * uses[kind].objects for kind in sent)
    # The trail records writes of objects; the few files of a release are left out.
    data_events = objects
    log_bytes = devices * settings.log_lines_per_day * settings.log_line_bytes * _DAYS
    audit_bytes = (settings.audit_events_per_month + data_events) * settings.audit_event_bytes
    month_raw = sum(sent[kind] * uses[kind].objects * size.get(kind, 0) for kind in sent)
    stored = (
        settings.kept_releases * (settings.model_mb + settings.runtime_mb) * _MB / _GB
        + month_raw * settings.raw_days / _DAYS / _GB
        + settings.training_gb
    )
    rotating = (inventory.rotating_keys + _STATE_KEYS) * min(
        settings.key_rotations, _PAID_ROTATIONS
    )
    return {
        "greengrass_devices": devices,
        "iot_connection": devices * _MINUTES / 1e6,
        "iot_messages": sum(metered.values()) / 1e6,
        "iot_rules": sum(metered[kind] * uses[kind].rules for kind in sent) / 1e6,
        "iot_actions": sum(metered[kind] * uses[kind].actions for kind in sent) / 1e6,
        "iot_jobs": downloads,
        "transfer_out": devices * (model + runtime) * _MB / _GB,
        "s3_storage": stored,
        "s3_puts": objects / 1e3,
        "s3_gets": downloads / 1e3,
        "kms_keys": inventory.keys + _STATE_KEYS + rotating,
        # With bucket keys S3 asks KMS once for each device that downloads, and little else.
        "kms_requests": downloads / 1e4,
        "kms_signatures": releases / 1e4,
        "cloudwatch_metrics": inventory.fleet_metrics,
        "cloudwatch_requests": sum(sent[kind] * uses[kind].metrics for kind in sent) / 1e3,
        "cloudwatch_alarms": inventory.alarm_metrics,
        "cloudwatch_composites": inventory.composite_alarms,
        "cloudwatch_dashboards": inventory.dashboards,
        "logs_taken_in": (log_bytes + audit_bytes) / _GB,
        "logs_kept": (log_bytes + audit_bytes) * _COMPRESSED * settings.log_days / _DAYS / _GB,
        "cloudtrail_data_events": data_events / 1e5,
        "sns_emails": settings.emails_per_month / 1e3,
    }
