"""Budgets of the emulated AWS: subscribers, changes and tags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from greengrass_components.emulator import start_emulator

ACCOUNT = "123456789012"
ARN = f"arn:aws:budgets::{ACCOUNT}:budget/monthly"
MAIL = {"SubscriptionType": "EMAIL", "Address": "costs@example.com"}
TOPIC = {"SubscriptionType": "SNS", "Address": f"arn:aws:sns:eu-central-1:{ACCOUNT}:costs"}


def notification(threshold: float, kind: str = "ACTUAL", **more: str) -> dict[str, Any]:
    return {
        "NotificationType": kind,
        "ComparisonOperator": "GREATER_THAN",
        "Threshold": threshold,
        **more,
    }


def budget(amount: str, name: str = "monthly") -> dict[str, Any]:
    return {
        "BudgetName": name,
        "BudgetLimit": {"Amount": amount, "Unit": "USD"},
        "TimeUnit": "MONTHLY",
        "BudgetType": "COST",
    }


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("emulator")
    with pytest.MonkeyPatch.context() as patch, start_emulator(folder) as running:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        client = boto3.session.Session().client("budgets")
        yield client
        client.close()


@pytest.fixture
def budgets(client: Any) -> Iterator[Any]:
    client.create_budget(
        AccountId=ACCOUNT,
        Budget=budget("100"),
        NotificationsWithSubscribers=[
            {"Notification": notification(80), "Subscribers": [MAIL]},
            {"Notification": notification(100, "FORECASTED"), "Subscribers": [MAIL, TOPIC]},
        ],
        ResourceTags=[{"Key": "Team", "Value": "devices"}],
    )
    yield client
    client.delete_budget(AccountId=ACCOUNT, BudgetName="monthly")


class TestSubscribers:
    def test_each_notification_has_its_own_subscribers(self, budgets: Any) -> None:
        call = {"AccountId": ACCOUNT, "BudgetName": "monthly"}

        assert budgets.describe_subscribers_for_notification(**call, Notification=notification(80))[
            "Subscribers"
        ] == [MAIL]
        assert budgets.describe_subscribers_for_notification(
            **call, Notification=notification(100, "FORECASTED")
        )["Subscribers"] == [MAIL, TOPIC]

    def test_percent_is_meant_where_no_type_of_threshold_is_given(self, budgets: Any) -> None:
        found = budgets.describe_subscribers_for_notification(
            AccountId=ACCOUNT,
            BudgetName="monthly",
            Notification=notification(80, ThresholdType="PERCENTAGE"),
        )

        assert found["Subscribers"] == [MAIL]

    @pytest.mark.parametrize(
        "unknown",
        [
            notification(81),
            notification(80, "FORECASTED"),
            notification(80, ThresholdType="ABSOLUTE_VALUE"),
        ],
    )
    def test_a_notification_that_is_not_there_is_said(
        self, budgets: Any, unknown: dict[str, Any]
    ) -> None:
        with pytest.raises(budgets.exceptions.NotFoundException):
            budgets.describe_subscribers_for_notification(
                AccountId=ACCOUNT, BudgetName="monthly", Notification=unknown
            )

    def test_a_budget_that_is_not_there_is_said(self, budgets: Any) -> None:
        with pytest.raises(budgets.exceptions.NotFoundException, match="weekly"):
            budgets.describe_subscribers_for_notification(
                AccountId=ACCOUNT, BudgetName="weekly", Notification=notification(80)
            )


class TestUpdate:
    def test_the_new_limit_is_told(self, budgets: Any) -> None:
        budgets.update_budget(AccountId=ACCOUNT, NewBudget=budget("250"))

        told = budgets.describe_budget(AccountId=ACCOUNT, BudgetName="monthly")["Budget"]

        assert float(told["BudgetLimit"]["Amount"]) == 250
        assert told["TimeUnit"] == "MONTHLY"

    def test_notifications_stay(self, budgets: Any) -> None:
        budgets.update_budget(AccountId=ACCOUNT, NewBudget=budget("250"))

        told = budgets.describe_notifications_for_budget(AccountId=ACCOUNT, BudgetName="monthly")[
            "Notifications"
        ]

        assert sorted(entry["Threshold"] for entry in told) == [80, 100]

    def test_a_budget_that_is_not_there_is_said(self, budgets: Any) -> None:
        with pytest.raises(budgets.exceptions.NotFoundException, match="weekly"):
            budgets.update_budget(AccountId=ACCOUNT, NewBudget=budget("250", "weekly"))


class TestTags:
    def test_tags_of_the_creation_are_kept(self, budgets: Any) -> None:
        tags = budgets.list_tags_for_resource(ResourceARN=ARN)["ResourceTags"]

        assert tags == [{"Key": "Team", "Value": "devices"}]

    def test_tags_can_be_added_changed_and_removed(self, budgets: Any) -> None:
        budgets.tag_resource(
            ResourceARN=ARN,
            ResourceTags=[
                {"Key": "Team", "Value": "cloud"},
                {"Key": "Stage", "Value": "test"},
                {"Key": "Old", "Value": "yes"},
            ],
        )
        budgets.untag_resource(ResourceARN=ARN, ResourceTagKeys=["Old"])

        tags = budgets.list_tags_for_resource(ResourceARN=ARN)["ResourceTags"]

        assert {tag["Key"]: tag["Value"] for tag in tags} == {"Team": "cloud", "Stage": "test"}

    def test_a_budget_of_the_same_name_that_is_made_later_has_tags_of_its_own(
        self, budgets: Any
    ) -> None:
        budgets.delete_budget(AccountId=ACCOUNT, BudgetName="monthly")
        budgets.create_budget(AccountId=ACCOUNT, Budget=budget("1"))

        assert budgets.list_tags_for_resource(ResourceARN=ARN)["ResourceTags"] == []
