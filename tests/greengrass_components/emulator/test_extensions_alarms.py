"""Composite alarms of the emulated CloudWatch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from greengrass_components.emulator import start_emulator

ARN = "arn:aws:cloudwatch:eu-central-1:123456789012:alarm"


@pytest.fixture(scope="module")
def cloudwatch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("emulator")
    with pytest.MonkeyPatch.context() as patch, start_emulator(folder) as running:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        client = boto3.session.Session().client("cloudwatch")
        for name in ("latency", "errors"):
            client.put_metric_alarm(
                AlarmName=name,
                MetricName=name,
                Namespace="Edge",
                Statistic="Average",
                Period=60,
                EvaluationPeriods=1,
                Threshold=1,
                ComparisonOperator="GreaterThanThreshold",
            )
        yield client
        client.close()


@pytest.fixture
def composite(cloudwatch: Any) -> Iterator[Any]:
    cloudwatch.put_composite_alarm(
        AlarmName="both",
        AlarmDescription="Slow and wrong.",
        AlarmRule=f'ALARM("latency") AND ALARM({ARN}:errors)',
        AlarmActions=["arn:aws:sns:eu-central-1:123456789012:alarms"],
    )
    yield cloudwatch
    cloudwatch.delete_alarms(AlarmNames=["both"])


def names(told: dict[str, Any]) -> tuple[list[str], list[str]]:
    metric = sorted(alarm["AlarmName"] for alarm in told["MetricAlarms"])
    return metric, sorted(alarm["AlarmName"] for alarm in told["CompositeAlarms"])


class TestMaking:
    def test_what_was_given_is_told(self, composite: Any) -> None:
        told = composite.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]

        assert [alarm["AlarmName"] for alarm in told] == ["both"]
        assert told[0]["AlarmArn"] == f"{ARN}:both"
        assert told[0]["AlarmDescription"] == "Slow and wrong."
        assert told[0]["AlarmRule"] == f'ALARM("latency") AND ALARM({ARN}:errors)'
        assert told[0]["AlarmActions"] == ["arn:aws:sns:eu-central-1:123456789012:alarms"]
        assert told[0]["ActionsEnabled"] is True

    @pytest.mark.parametrize(
        "rule",
        [
            "ALARM(gone)",
            "ALARM('gone')",
            'ALARM("latency") OR NOT OK("gone")',
            f"INSUFFICIENT_DATA({ARN}:gone)",
        ],
    )
    def test_an_alarm_that_it_is_made_of_must_be_there(self, cloudwatch: Any, rule: str) -> None:
        with pytest.raises(ClientError, match="gone does not exist") as raised:
            cloudwatch.put_composite_alarm(AlarmName="refused", AlarmRule=rule)

        assert raised.value.response["Error"]["Code"] == "ValidationError"
        assert names(cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])) == ([], [])

    def test_a_rule_may_be_constant(self, cloudwatch: Any) -> None:
        cloudwatch.put_composite_alarm(AlarmName="never", AlarmRule="FALSE")

        assert names(cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])) == ([], ["never"])
        cloudwatch.delete_alarms(AlarmNames=["never"])

    def test_a_composite_alarm_can_be_made_of_another(self, composite: Any) -> None:
        composite.put_composite_alarm(AlarmName="outer", AlarmRule="ALARM(both)")

        told = composite.describe_alarms(AlarmTypes=["CompositeAlarm"])

        assert names(told) == ([], ["both", "outer"])
        composite.delete_alarms(AlarmNames=["outer"])

    def test_a_second_put_replaces_the_rule(self, composite: Any) -> None:
        composite.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(errors)")

        told = composite.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]

        assert [alarm["AlarmRule"] for alarm in told] == ["ALARM(errors)"]


class TestDescribing:
    @pytest.mark.parametrize(
        ("kinds", "expected"),
        [
            ({}, (["errors", "latency"], [])),
            ({"AlarmTypes": ["MetricAlarm"]}, (["errors", "latency"], [])),
            ({"AlarmTypes": ["CompositeAlarm"]}, ([], ["both"])),
            (
                {"AlarmTypes": ["MetricAlarm", "CompositeAlarm"]},
                (["errors", "latency"], ["both"]),
            ),
            ({"AlarmNames": ["both"]}, ([], [])),
            ({"AlarmNames": ["both"], "AlarmTypes": ["CompositeAlarm"]}, ([], ["both"])),
        ],
    )
    def test_metric_alarms_alone_are_told_unless_others_are_asked_for(
        self, composite: Any, kinds: dict[str, Any], expected: tuple[list[str], list[str]]
    ) -> None:
        assert names(composite.describe_alarms(**kinds)) == expected

    def test_a_state_that_was_set_is_told(self, composite: Any) -> None:
        composite.set_alarm_state(AlarmName="both", StateValue="ALARM", StateReason="a trial")

        told = composite.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"][0]

        assert (told["StateValue"], told["StateReason"]) == ("ALARM", "a trial")

    def test_a_composite_alarm_that_was_deleted_is_gone(self, composite: Any) -> None:
        composite.delete_alarms(AlarmNames=["both"])

        assert names(composite.describe_alarms(AlarmTypes=["CompositeAlarm"])) == ([], [])
