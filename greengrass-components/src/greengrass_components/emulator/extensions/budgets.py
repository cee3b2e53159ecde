"""Budgets: who is told of a notification, changes of a budget, and tags."""

from __future__ import annotations

import json
from typing import Any

from greengrass_components.emulator.extensions.tags import tag_new, tags_of

__all__ = ["extend_budgets"]


def extend_budgets() -> None:
    """Add DescribeSubscribersForNotification, UpdateBudget and the calls about tags."""
    from moto.budgets.exceptions import NotFoundException
    from moto.budgets.responses import BudgetsResponse

    create = BudgetsResponse.create_budget

    def budget_of(response: Any) -> Any:
        name = response._get_param("BudgetName")
        account = response._get_param("AccountId")
        found = response.backend.budgets[account].get(name)
        if found is None:
            raise NotFoundException(f"Unable to find budget: {name} - the budget doesn't exist.")
        return found

    def create_budget(response: Any) -> str:
        result = create(response)
        account = response._get_param("AccountId")
        name = response._get_param("Budget")["BudgetName"]
        arn = f"arn:{response.partition}:budgets::{account}:budget/{name}"
        tag_new(response.backend, arn, _listed(response, "ResourceTags"))
        return result

    def update_budget(response: Any) -> str:
        new = response._get_param("NewBudget")
        account = response._get_param("AccountId")
        old = response.backend.budgets[account].get(new["BudgetName"])
        if old is None:
            raise NotFoundException(
                f"Unable to update budget: {new['BudgetName']} - the budget doesn't exist."
            )
        old.budget = {**old.budget, **new}
        return "{}"

    def describe_subscribers_for_notification(response: Any) -> str:
        wanted = _identity(response._get_param("Notification"))
        for notification in budget_of(response).notifications:
            if _identity(notification.details) == wanted:
                return json.dumps({"Subscribers": notification.subscribers})
        raise NotFoundException("Unable to find notification.")

    def list_tags_for_resource(response: Any) -> str:
        arn = response._get_param("ResourceARN")
        kept = tags_of(response.backend).list_tags_for_resource(arn)["Tags"]
        return json.dumps({"ResourceTags": kept})

    def tag_resource(response: Any) -> str:
        arn = response._get_param("ResourceARN")
        tags_of(response.backend).tag_resource(arn, _listed(response, "ResourceTags"))
        return "{}"

    def untag_resource(response: Any) -> str:
        arn = response._get_param("ResourceARN")
        keys = _listed(response, "ResourceTagKeys")
        tags_of(response.backend).untag_resource_using_names(arn, keys)
        return "{}"

    for method in (
        create_budget,
        update_budget,
        describe_subscribers_for_notification,
        list_tags_for_resource,
        tag_resource,
        untag_resource,
    ):
        setattr(BudgetsResponse, method.__name__, method)


def _listed(response: Any, name: str) -> list[Any]:
    return list(response._get_param(name) or [])


def _identity(notification: dict[str, Any]) -> tuple[Any, ...]:
    """Return what tells one notification of a budget from another."""
    return (
        notification["NotificationType"],
        notification["ComparisonOperator"],
        float(notification["Threshold"]),
        notification.get("ThresholdType", "PERCENTAGE"),
    )
