"""Plans, applies and destroys, with a real Terraform, a real provider and an emulator."""

from __future__ import annotations

import shutil
from typing import Any

import boto3
import pytest

from greengrass_components.errors import (
    BucketNameError,
    ConfirmationError,
    TerraformError,
    TerraformFailedError,
)
from greengrass_components.infrastructure.changes import apply_stack, destroy_stack, plan_stack
from greengrass_components.infrastructure.plan_review import Loss

pytestmark = [
    pytest.mark.slow,
    pytest.mark.terraform,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no Terraform here"),
]


def typed(text: str) -> Any:
    return lambda _stack, _losses: text


def refuse(_: str, losses: tuple[Loss, ...]) -> str:
    raise AssertionError(f"nobody should be asked about {losses}")


class TestLife:
    def test_it_is_made_stays_and_goes(self, small: Any) -> None:
        stack = small.open()

        made = apply_stack(stack, confirm=refuse)
        assert (made.changes.add, made.adopted) == (2, ())
        assert made.outputs == {"bucket": ["slm-raw-x"]}
        assert plan_stack(stack).changes.empty

        gone = destroy_stack(stack, confirm=typed("edgewise-dev"))
        assert gone.destroy == 2
        assert small.buckets() == set()
        assert destroy_stack(stack, confirm=refuse).empty

    def test_the_state_is_in_its_bucket_and_not_in_the_folder(self, small: Any) -> None:
        apply_stack(small.open(with_data=False), confirm=refuse)

        listed = boto3.client("s3").list_objects_v2(Bucket=small.state_bucket)
        assert [entry["Key"] for entry in listed["Contents"]] == ["stack.tfstate"]
        assert not (small.options["work"] / "dev/terraform.tfstate").exists()

    def test_nothing_is_left_of_a_reviewed_plan(self, small: Any) -> None:
        stack = small.open(with_data=False)
        apply_stack(stack, confirm=refuse)

        assert not (stack.work / "reviewed.tfplan").exists()
        assert not (stack.work / "adopted.tf.json").exists()


class TestData:
    @pytest.mark.parametrize("answer", ["", "edgewise-prod"])
    def test_nothing_is_lost_without_the_typed_name(self, small: Any, answer: str) -> None:
        apply_stack(small.open(), confirm=refuse)
        stack = small.open(with_data=False)

        with pytest.raises(ConfirmationError, match="--confirm edgewise-dev") as raised:
            apply_stack(stack, confirm=typed(answer))

        assert [loss.action for loss in raised.value.data["losses"]] == ["delete"]
        assert small.buckets() == {"slm-raw-x"}

    def test_a_confirmed_loss_is_done(self, small: Any) -> None:
        apply_stack(small.open(), confirm=refuse)

        done = apply_stack(small.open(with_data=False), confirm=typed("edgewise-dev"))

        assert done.changes.destroy == 1
        assert small.buckets() == set()

    def test_a_renamed_bucket_is_a_loss(self, small: Any) -> None:
        apply_stack(small.open(), confirm=refuse)
        small.edit('toset(["raw"])', 'toset(["cooked"])')
        stack = small.open()

        losses = plan_stack(stack).losses

        assert {loss.address for loss in losses} == {
            'module.storage["raw"].aws_s3_bucket.this',
        }

    def test_a_destroy_wants_the_name_too(self, small: Any) -> None:
        stack = small.open()
        apply_stack(stack, confirm=refuse)

        with pytest.raises(ConfirmationError, match="so it was not done"):
            destroy_stack(stack, confirm=typed(""))

        assert small.buckets() == {"slm-raw-x"}


class TestNames:
    def test_a_name_that_another_account_has_is_told_before_the_apply(self, small: Any) -> None:
        small.make_bucket("slm-raw-x", account="210987654321")
        stack = small.open()

        with pytest.raises(BucketNameError, match="slm-raw-x is taken by another account"):
            apply_stack(stack, confirm=refuse)

        assert boto3.client("iam").list_roles()["Roles"] == []

    def test_a_name_that_something_else_has_is_told_before_the_apply(self, small: Any) -> None:
        small.make_bucket("slm-raw-x")
        stack = small.open()

        with pytest.raises(
            BucketNameError,
            match=r"taken by something else in this account.*delete it if a killed apply left it",
        ):
            plan_stack(stack)

    def test_a_name_that_no_bucket_can_have_is_told_before_the_apply(self, small: Any) -> None:
        small.edit('"x")}"', '"x_y")}"')
        stack = small.open()

        with pytest.raises(BucketNameError, match="no bucket can be named"):
            apply_stack(stack, confirm=refuse)

        assert boto3.client("iam").list_roles()["Roles"] == []


class TestInterruptedApplies:
    def test_what_is_not_in_the_state_is_taken_over(self, small: Any) -> None:
        apply_stack(small.open(with_key=True), confirm=refuse)
        keys = len(boto3.client("kms").list_keys()["Keys"])
        small.forget_the_state()
        stack = small.open(with_key=True)

        again = apply_stack(stack, confirm=refuse)

        assert again.adopted == (
            "aws_iam_role.this",
            'module.storage["raw"].aws_kms_key.this[0]',
            'module.storage["raw"].aws_s3_bucket.this',
            'module.storage["raw"].aws_s3_bucket_policy.this[0]',
            'module.storage["raw"].aws_s3_bucket_versioning.this[0]',
        )
        assert len(boto3.client("kms").list_keys()["Keys"]) == keys
        assert plan_stack(stack).changes.empty

    def test_what_is_somebody_elses_is_not_taken_over(self, small: Any) -> None:
        boto3.client("iam").create_role(
            RoleName="edgewise-device", AssumeRolePolicyDocument="{}", Path="/"
        )
        stack = small.open()

        with pytest.raises(TerraformFailedError, match="edgewise-device is there already and does"):
            apply_stack(stack, confirm=refuse)

        assert boto3.client("iam").list_role_tags(RoleName="edgewise-device")["Tags"] == []

    def test_a_destroy_deletes_what_is_not_in_the_state(self, small: Any) -> None:
        apply_stack(small.open(with_key=True), confirm=refuse)
        # Only emptied when the configuration says so, which nobody but the state remembers.
        boto3.client("s3").put_object(Bucket="slm-raw-x", Key="a", Body=b"a")
        small.forget_the_state()
        stack = small.open(with_key=True)
        asked: list[tuple[str, ...]] = []

        def confirm(name: str, losses: tuple[Loss, ...]) -> str:
            asked.append(tuple(loss.address for loss in losses))
            return name

        planned = plan_stack(stack, destroy=True)
        with pytest.raises(ConfirmationError):
            destroy_stack(stack, confirm=typed(""))
        assert small.buckets() == {"slm-raw-x"}
        gone = destroy_stack(stack, confirm=confirm)

        for changes in (planned.changes, gone):
            assert (changes.adopt, changes.destroy, changes.empty) == (5, 5, False)
        assert asked == [
            (
                'module.storage["raw"].aws_kms_key.this[0]',
                'module.storage["raw"].aws_s3_bucket.this',
                'module.storage["raw"].aws_s3_bucket_versioning.this[0]',
            )
        ]
        assert (small.buckets(), small.usable_keys()) == (set(), [])
        assert boto3.client("iam").list_roles()["Roles"] == []
        assert destroy_stack(stack, confirm=refuse).empty

    def test_a_destroy_leaves_what_is_somebody_elses(self, small: Any) -> None:
        boto3.client("iam").create_role(
            RoleName="edgewise-device", AssumeRolePolicyDocument="{}", Path="/"
        )
        small.make_bucket("slm-raw-x", stack="edgewise-prod")
        stack = small.open()

        assert destroy_stack(stack, confirm=refuse).empty

        assert small.buckets() == {"slm-raw-x"}
        assert [role["RoleName"] for role in boto3.client("iam").list_roles()["Roles"]] == [
            "edgewise-device"
        ]


class TestConfirming:
    def test_a_loss_is_asked_about_once_also_when_the_plan_is_made_again(self, small: Any) -> None:
        apply_stack(small.open(with_key=True), confirm=refuse)
        stack = small.open(with_key=True, with_late_role=True, window_days=7)
        asked = []

        def confirm(name: str, losses: tuple[Loss, ...]) -> str:
            asked.append([loss.action for loss in losses])
            # Between plan and apply something comes up that the apply stumbles over.
            boto3.client("iam").create_role(
                RoleName="edgewise-late",
                AssumeRolePolicyDocument="{}",
                Tags=[{"Key": "Stack", "Value": name}],
            )
            return name

        done = apply_stack(stack, confirm=confirm)

        assert done.adopted == ("aws_iam_role.late[0]",)
        assert asked == [["shorten"]]
        assert plan_stack(stack).changes.empty


class TestReplacing:
    def test_a_key_is_replaced_when_the_name_is_typed(self, small: Any) -> None:
        stack = small.open(with_key=True)
        apply_stack(stack, confirm=refuse)
        old = small.usable_keys()
        address = 'module.storage["raw"].aws_kms_key.this[0]'

        assert [
            (loss.action, loss.address) for loss in plan_stack(stack, replace=[address]).losses
        ] == [("replace", address)]
        with pytest.raises(ConfirmationError, match=r"replace module\.storage"):
            apply_stack(stack, confirm=typed(""), replace=[address])
        assert small.usable_keys() == old
        apply_stack(stack, confirm=typed("edgewise-dev"), replace=[address])

        new = small.usable_keys()
        assert (len(new), set(new) & set(old)) == (1, set())
        assert plan_stack(stack).changes.empty

    def test_what_is_not_there_cannot_be_replaced(self, small: Any) -> None:
        stack = small.open()
        apply_stack(stack, confirm=refuse)

        with pytest.raises(
            TerraformError, match=r"aws_iam_role\.thid to replace; did you mean aws_iam"
        ):
            apply_stack(stack, confirm=refuse, replace=["aws_iam_role.thid"])
