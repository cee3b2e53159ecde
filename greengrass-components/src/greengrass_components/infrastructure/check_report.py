"""What the checks of the cloud side found, and the limits that they hold it to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from edge_runtime.settings import load_settings
from greengrass_components.config import DEFAULTS
from greengrass_components.infrastructure.checkov import CheckovReport

__all__ = ["CheckReport", "CheckSettings", "StackReport", "TestsReport", "load_check_settings"]


class CheckSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``infra.test`` expects."""

    apply_limit_s: Annotated[float, msgspec.Meta(gt=0, le=86400)]
    """Seconds that the apply to the emulator may take."""


def load_check_settings(
    *, project_folder: Path | None = None, flags: Mapping[str, Any] | None = None
) -> CheckSettings:
    """Resolve the section ``infra_test`` of the settings.

    Raises:
        SettingsError: an unknown name, a wrong type or a value out of range.
    """
    return load_settings(
        CheckSettings, "infra_test", defaults=DEFAULTS, project_folder=project_folder, flags=flags
    )


class TestsReport(msgspec.Struct, frozen=True):
    """What ``terraform test`` found."""

    passed: int
    """Runs that passed."""
    failed: tuple[str, ...]
    """One line for each run that failed, or error."""


class StackReport(msgspec.Struct, frozen=True):
    """What the stack did on the emulator."""

    resources: int
    """Resources that the apply made."""
    apply_seconds: float
    """Wall time of the apply, in seconds."""
    apply_limit_seconds: float
    """Seconds that it may take."""
    second_plan: tuple[str, ...]
    """Actions that a second plan would take; should be none."""
    left: tuple[str, ...]
    """What the destroy left in the account; should be nothing."""
    policy_rows: int
    """Rows of the table that were evaluated."""
    policy_failures: tuple[str, ...]
    """One line for each row that is not so, or lint finding."""
    out_of_date: tuple[str, ...]
    """What is made from the stack and shows it as it was: the picture, the cost's inventory."""


class CheckReport(msgspec.Struct, frozen=True):
    """Everything that was found."""

    badly_formatted: tuple[str, ...]
    """Files that ``terraform fmt`` would change."""
    tests: TestsReport
    stack: StackReport
    checkov: CheckovReport

    @property
    def failures(self) -> tuple[str, ...]:
        """One line for each thing that is wrong; empty when all is well."""
        return (
            *(f"not formatted: {file}" for file in self.badly_formatted),
            *(f"test failed: {line}" for line in self.tests.failed),
            *self._slowness,
            *(f"not stable: a second plan would {action}" for action in self.stack.second_plan),
            *(f"left after destroy: {name}" for name in self.stack.left),
            *(f"policy: {line}" for line in self.stack.policy_failures),
            *(f"out of date: {line}" for line in self.stack.out_of_date),
            *(f"checkov: {line}" for line in self.checkov.failed),
            *(
                f"checkov: the waiver of {waiver.check} at {waiver.resource} gives no reason"
                for waiver in self.checkov.waived
                if len(waiver.reason.split()) < _WORDS_OF_A_REASON
            ),
        )

    @property
    def summary(self) -> dict[str, Any]:
        """The counts for machines, and every failure."""
        stack, checkov, tests = self.stack, self.checkov, self.tests
        return {
            "resources": stack.resources,
            "second_plan_changes": len(stack.second_plan),
            "left_after_destroy": len(stack.left),
            "policy_rows": stack.policy_rows,
            "policy_failures": len(stack.policy_failures),
            "checkov": {
                "passed": checkov.passed,
                "failed": len(checkov.failed),
                "waived": len(checkov.waived),
            },
            "terraform_tests": {"passed": tests.passed, "failed": len(tests.failed)},
            "apply_seconds": round(stack.apply_seconds, 1),
            "apply_limit_seconds": stack.apply_limit_seconds,
            "failures": self.failures,
        }

    @property
    def lines(self) -> tuple[str, ...]:
        """The same for people, a line for each part and for each failure."""
        stack, checkov, tests = self.stack, self.checkov, self.tests
        return (
            f"terraform test: {tests.passed} passed, {len(tests.failed)} failed",
            (
                f"stack: {stack.resources} resources applied in {stack.apply_seconds:.0f} s "
                f"({stack.apply_limit_seconds:.0f} s are allowed), "
                f"{len(stack.second_plan)} changes in a second plan, "
                f"{len(stack.left)} left after destroy"
            ),
            f"policies: {stack.policy_rows} rows, {len(stack.policy_failures)} failures",
            (
                f"checkov: {checkov.passed} passed, {len(checkov.failed)} failed, "
                f"{len(checkov.waived)} waived with a reason"
            ),
            *(f"  {failure}" for failure in self.failures),
        )

    @property
    def _slowness(self) -> tuple[str, ...]:
        took, limit = self.stack.apply_seconds, self.stack.apply_limit_seconds
        if took <= limit:
            return ()
        return (f"too slow: the apply took {took:.1f} s, {limit:.0f} s are allowed",)


_WORDS_OF_A_REASON = 4
