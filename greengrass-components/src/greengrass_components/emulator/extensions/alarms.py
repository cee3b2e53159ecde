"""CloudWatch: composite alarms can be made, and want the alarms that they are made of."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["extend_alarms"]

_CHILD = re.compile(r"""(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*["']?([^"')]+?)["']?\s*\)""")


def extend_alarms() -> None:
    """Add PutCompositeAlarm; DescribeAlarms gives metric alarms alone unless asked for others."""
    from moto.cloudwatch.exceptions import ValidationError
    from moto.cloudwatch.responses import CloudWatchResponse
    from moto.core.responses import ActionResult

    describe_all = CloudWatchResponse.describe_alarms

    def put_composite_alarm(response: Any) -> ActionResult:
        rule = response._get_param("AlarmRule")
        known = response.cloudwatch_backend.alarms
        for child in _CHILD.findall(rule):
            name = child.rpartition(":alarm:")[2]
            if name not in known:
                raise ValidationError(
                    f"Could not save the composite alarm as alarm {name} does not exist"
                )
        result: ActionResult = response.put_metric_alarm()
        return result

    def describe_alarms(response: Any) -> ActionResult:
        kinds = response._get_param("AlarmTypes") or ["MetricAlarm"]
        # Somebody who names an alarm gets it whatever its kind; AWS wants the kind there too.
        found: dict[str, Any] = describe_all(response).result  # type: ignore[assignment]
        return ActionResult(
            {
                "MetricAlarms": found["MetricAlarms"] if "MetricAlarm" in kinds else [],
                "CompositeAlarms": [_composite(alarm) for alarm in found["CompositeAlarms"]]
                if "CompositeAlarm" in kinds
                else [],
            }
        )

    for method in (put_composite_alarm, describe_alarms):
        setattr(CloudWatchResponse, method.__name__, method)


def _composite(alarm: Any) -> dict[str, Any]:
    return {
        "ActionsEnabled": alarm.actions_enabled,
        "AlarmActions": alarm.alarm_actions,
        "AlarmArn": alarm.alarm_arn,
        "AlarmConfigurationUpdatedTimestamp": alarm.configuration_updated_timestamp,
        "AlarmDescription": alarm.description,
        "AlarmName": alarm.name,
        "AlarmRule": alarm.rule,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "OKActions": alarm.ok_actions,
        "StateReason": alarm.state_reason,
        "StateUpdatedTimestamp": alarm.state_updated_timestamp,
        "StateValue": alarm.state_value,
    }
