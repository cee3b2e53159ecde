"""What is done to an opened stack: plan, apply, destroy.

What is applied is the very plan that was reviewed, and nothing that holds data is lost, nor
what protects it, unless somebody typed the stack's name. What an interrupted apply left is
looked for first and taken over, so that an apply does not stumble over it and a destroy does
not leave it; see ``leftovers`` and ``adoption``.
"""

from __future__ import annotations

import contextlib
import difflib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from edge_runtime.storage import canonical_json, write_atomically
from greengrass_components.errors import (
    ConfirmationError,
    TerraformError,
    TerraformFailedError,
)
from greengrass_components.infrastructure.adoption import (
    check_adoptions,
    find_conflicts,
    import_blocks,
    strangers,
)
from greengrass_components.infrastructure.leftovers import find_leftovers
from greengrass_components.infrastructure.plan_review import (
    Loss,
    adopted_losses,
    planned_creations,
    review_losses,
)
from greengrass_components.infrastructure.preflight import check_bucket_names, find_own_buckets
from greengrass_components.infrastructure.stack import Stack
from greengrass_components.infrastructure.terraform import StackChanges

__all__ = [
    "ApplyResult",
    "Confirm",
    "PlanResult",
    "apply_stack",
    "destroy_stack",
    "plan_stack",
]

logger = logging.getLogger(__name__)

Confirm = Callable[[str, tuple[Loss, ...]], str]
"""Called with the stack's name and what would be lost; returns what was typed."""

_PLAN = "reviewed.tfplan"
_IMPORTS = "adopted.tf.json"
# Each round can bring to light what stands behind the conflicts that it solved.
_ROUNDS = 6


class PlanResult(msgspec.Struct, frozen=True):
    """What an apply or a destroy would do."""

    changes: StackChanges
    """Counts and addresses."""
    losses: tuple[Loss, ...]
    """Data, or protection of data, that would be lost."""


class ApplyResult(msgspec.Struct, frozen=True):
    """What an apply did."""

    changes: StackChanges
    """Counts and addresses."""
    adopted: tuple[str, ...]
    """Addresses of what an interrupted apply had left and is now in the state."""
    outputs: dict[str, Any]
    """Value of every output by name."""


def plan_stack(stack: Stack, *, destroy: bool = False, replace: Sequence[str] = ()) -> PlanResult:
    """Compare the configuration with the cloud; change nothing.

    Args:
        stack: the opened stack.
        destroy: plan to delete everything.
        replace: addresses of resources to make anew.

    Raises:
        BucketNameError: a bucket cannot have its name.
        StateLockedError: another Terraform works with the state.
        TerraformFailedError: Terraform refused.
        TerraformError: there is nothing to replace at an address.
    """
    with _reviewing(stack) as review:
        if destroy:
            return review.plan_to_destroy()
        changes, shown = review.plan(replace=replace)
        return PlanResult(changes=changes, losses=review_losses(shown))


def apply_stack(stack: Stack, *, confirm: Confirm, replace: Sequence[str] = ()) -> ApplyResult:
    """Make the cloud as the configuration says.

    Args:
        stack: the opened stack.
        confirm: asked when data, or its protection, would be lost; must return the stack's
            name. It is asked once, and again only when more would be lost than it was told.
        replace: addresses of resources to make anew.

    Raises:
        BucketNameError: a bucket cannot have its name.
        ConfirmationError: something would be lost, and something else was typed.
        StateLockedError: another Terraform works with the state.
        TerraformFailedError: Terraform refused.
        TerraformError: there is nothing to replace at an address.
    """
    with _reviewing(stack) as review:
        for round_left in reversed(range(_ROUNDS)):
            planned, shown = review.plan(replace=replace)
            review.ask(review_losses(shown), confirm)
            try:
                changes = stack.terraform.apply(_PLAN)
                break
            except TerraformFailedError as error:
                found = find_conflicts(error.data["failures"], shown, stack.caller)
                # A second round would replace a second time.
                if replace or round_left == 0 or not review.adopt(found):
                    raise
        return ApplyResult(
            changes=msgspec.structs.replace(changes, actions=planned.actions),
            adopted=tuple(sorted(review.adopted)),
            outputs=stack.terraform.outputs(),
        )


def destroy_stack(stack: Stack, *, confirm: Confirm) -> StackChanges:
    """Delete everything that is the stack's, also what an interrupted apply left.

    The bucket of the state stays, and so does what has the name of something of the stack and
    the tag of somebody else.

    Args:
        stack: the opened stack.
        confirm: as in ``apply_stack``.

    Raises:
        ConfirmationError: something else was typed.
        StateLockedError: another Terraform works with the state.
        TerraformFailedError: Terraform refused.
    """
    with _reviewing(stack) as review:
        planned = review.plan_to_destroy()
        review.ask(planned.losses, confirm)
        taken_over = len(review.adopted)
        if taken_over:
            review.take_over()
            planned = review.plan_to_destroy_known()
            review.ask(planned.losses, confirm)
        if planned.changes.empty:
            return planned.changes
        done = stack.terraform.apply(_PLAN)
        return msgspec.structs.replace(done, adopt=taken_over, actions=planned.changes.actions)


@contextlib.contextmanager
def _reviewing(stack: Stack) -> Iterator[_Review]:
    """Review one change of a stack; what is generated for it is gone at its end."""
    review = _Review(stack)
    # A killed run may have left its own.
    review.remove_generated()
    try:
        yield review
    finally:
        review.remove_generated()


class _Review:
    """The plans of one change, what they take over, and what was confirmed."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._terraform = stack.terraform
        self._confirmed: set[Loss] = set()
        self._strangers: set[str] = set()
        self.adopted: dict[str, str] = {}
        """Import ids by address."""

    def plan(self, *, replace: Sequence[str] = ()) -> tuple[StackChanges, dict[str, Any]]:
        """Plan, with what an interrupted apply left already imported."""
        stack = self._stack
        while True:
            changes = self._terraform.plan(keep=_PLAN, replace=replace)
            shown = self._terraform.show(_PLAN)
            creations = planned_creations(shown)
            left = check_bucket_names(creations, stack=stack.name, caller=stack.caller)
            left |= find_leftovers(creations, stack=stack.name, caller=stack.caller)
            # What stands in an adopted bucket is known only when the bucket is.
            if not self.adopt(left):
                check_adoptions(shown, stack=stack.name)
                _check_replacements(shown, replace, stack=stack.name)
                return changes, shown

    def plan_to_destroy(self) -> PlanResult:
        """Plan to delete everything: what the state knows, and what it does not."""
        left = adopted_losses(self._look_around())
        known = self.plan_to_destroy_known()
        changes = msgspec.structs.replace(
            known.changes,
            adopt=len(self.adopted),
            destroy=known.changes.destroy + len(self.adopted),
            actions=(
                *known.changes.actions,
                *(f"delete {address}" for address in sorted(self.adopted)),
            ),
            empty=known.changes.empty and not self.adopted,
        )
        losses = sorted((*left, *known.losses), key=lambda loss: loss.address)
        return PlanResult(changes=changes, losses=tuple(losses))

    def plan_to_destroy_known(self) -> PlanResult:
        """Plan to delete everything that the state knows of."""
        changes = self._terraform.plan(destroy=True, keep=_PLAN)
        return PlanResult(changes=changes, losses=review_losses(self._terraform.show(_PLAN)))

    def adopt(self, found: dict[str, str]) -> bool:
        """Import these from now on; say whether any of them is new."""
        new = {key: value for key, value in found.items() if key not in self.adopted}
        if new:
            logger.info("left by an interrupted apply: %s", ", ".join(sorted(new)))
            self.adopted.update(new)
            self._write_imports()
        return bool(new)

    def take_over(self) -> None:
        """Bring what was found into the state, and change nothing else.

        A destroy plan knows only the state, and the way that a resource goes is written there,
        such as whether a bucket is emptied first.
        """
        self._terraform.plan(keep=_PLAN, only=sorted(self.adopted))
        self._terraform.apply(_PLAN)
        self.adopted.clear()
        self.remove_generated()

    def ask(self, losses: tuple[Loss, ...], confirm: Confirm) -> None:
        """Have the losses confirmed that were not confirmed before."""
        name = self._stack.name
        losses = tuple(loss for loss in losses if loss not in self._confirmed)
        if losses and confirm(name, losses) != name:
            told = ", ".join(f"{loss.action} {loss.address}" for loss in losses[:3])
            more = f" and {len(losses) - 3} more" if len(losses) > 3 else ""
            raise ConfirmationError(
                f"this would lose data or its protection ({told}{more}) and was not confirmed, so "
                f"it was not done. If it is meant, say so with --confirm {name}",
                losses=losses,
            )
        self._confirmed.update(losses)

    def remove_generated(self) -> None:
        for name in (_IMPORTS, _PLAN):
            (self._stack.work / name).unlink(missing_ok=True)

    def _look_around(self) -> dict[str, Any]:
        """Find what is there and not in the state; what is somebody else's is left alone."""
        stack = self._stack
        while True:
            self._terraform.plan(keep=_PLAN)
            shown = self._terraform.show(_PLAN)
            creations = planned_creations(shown)
            left = find_own_buckets(creations, stack=stack.name, caller=stack.caller)
            left |= find_leftovers(creations, stack=stack.name, caller=stack.caller)
            is_new = self.adopt({key: left[key] for key in left if key not in self._strangers})
            others = strangers(shown, stack=stack.name)
            for address in others:
                logger.warning("%s is not of %s and stays", others[address], stack.name)
                del self.adopted[address]
            self._strangers.update(others)
            if others:
                self._write_imports()
            elif not is_new:
                return shown

    def _write_imports(self) -> None:
        blocks = canonical_json(import_blocks(self.adopted))
        write_atomically(self._stack.work / _IMPORTS, blocks)


def _check_replacements(shown: dict[str, Any], replace: Sequence[str], *, stack: str) -> None:
    known = {change["address"]: change["change"] for change in shown.get("resource_changes", [])}
    for address in replace:
        if "delete" in known.get(address, {"actions": []})["actions"]:
            continue
        near = difflib.get_close_matches(address, known, n=1)
        hint = f"did you mean {near[0]}" if near and near[0] != address else "see infra.plan"
        raise TerraformError(
            f"{stack} has no resource {address} to replace; {hint}", address=address
        )
