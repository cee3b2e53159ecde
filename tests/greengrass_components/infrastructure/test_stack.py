"""Opening a stack and freeing its state, with a real Terraform, a real provider, an emulator."""

from __future__ import annotations

import json
import os
import shutil
import signal
from typing import Any

import boto3
import psutil
import pytest

from greengrass_components.errors import (
    StateLockedError,
    StateMissingError,
    TerraformFailedError,
    VariableError,
    WrongAccountError,
)
from greengrass_components.infrastructure.changes import apply_stack
from greengrass_components.infrastructure.plan_review import Loss
from greengrass_components.infrastructure.stack import open_stack, unlock_stack

pytestmark = [
    pytest.mark.slow,
    pytest.mark.terraform,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no Terraform here"),
]


def refuse(_: str, losses: tuple[Loss, ...]) -> str:
    raise AssertionError(f"nobody should be asked about {losses}")


class TestOpening:
    def test_another_account_is_refused_before_anything_runs(self, small: Any) -> None:
        with pytest.raises(WrongAccountError, match="belongs to account 210987654321, but the "):
            open_stack("prod", **small.options)

        assert not small.options["work"].exists()

    def test_an_unknown_variable_is_refused_before_anything_runs(self, small: Any) -> None:
        with pytest.raises(VariableError, match="no Terraform variable with_dat"):
            open_stack("dev", **small.options, variables={"with_dat": True})

    def test_a_state_without_a_place_says_how_to_make_one(self, small: Any) -> None:
        with pytest.raises(StateMissingError, match=r"infra\.bootstrap --env dev"):
            open_stack("dev", **small.options)


LOCK = {
    "ID": "6d2b0e07-57c5-1b1c-ff0a-5d4a3a3b6b1e",
    "Operation": "OperationTypeApply",
    "Info": "",
    "Who": "operator@gateway",
    "Version": "1.11.4",
    "Created": "2026-11-20T07:00:00Z",
    "Path": "state/stack.tfstate",
}


def lock_the_state(small: Any) -> None:
    boto3.client("s3").put_object(
        Bucket=small.state_bucket,
        Key="stack.tfstate.tflock",
        Body=json.dumps(LOCK).encode(),
    )


class TestLocks:
    def test_a_lock_is_explained_and_left_alone(self, small: Any) -> None:
        stack = small.open()
        lock_the_state(small)

        with pytest.raises(StateLockedError) as raised:
            apply_stack(stack, confirm=refuse)

        assert raised.value.message.startswith(
            "the state is locked by operator@gateway since 2026-11-20 07:00:00 UTC (apply);"
        )
        assert f"infra.unlock --lock-id {LOCK['ID']}" in raised.value.message
        assert small.buckets() == set()
        with pytest.raises(StateLockedError):
            apply_stack(stack, confirm=refuse)

    def test_a_freed_lock_lets_the_next_one_in(self, small: Any) -> None:
        stack = small.open()
        lock_the_state(small)

        unlock_stack(stack, LOCK["ID"])

        assert apply_stack(stack, confirm=refuse).changes.add == 2

    def test_another_locks_id_frees_nothing(self, small: Any) -> None:
        stack = small.open()
        lock_the_state(small)

        with pytest.raises(TerraformFailedError, match="there is no lock 1234"):
            unlock_stack(stack, "1234")

        with pytest.raises(StateLockedError):
            apply_stack(stack, confirm=refuse)

    def test_a_running_terraform_keeps_its_lock(self, small: Any) -> None:
        stack = small.open()
        # A process of that name in that folder is what counts.
        program = small.options["work"] / "terraform"
        shutil.copy("/bin/sleep", program)
        process = psutil.Popen([str(program), "600"], cwd=stack.work)
        try:
            with pytest.raises(StateLockedError, match=f"process {process.pid}"):
                unlock_stack(stack, LOCK["ID"])
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
