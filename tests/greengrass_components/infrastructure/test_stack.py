"""A stack from opening it to its end, with a real Terraform, a real provider and an emulator.

The configuration is a small one with the parts that matter here: a bucket, a role, a key,
the state in S3.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from greengrass_components.emulator import Emulator, start_emulator
from greengrass_components.errors import (
    BucketNameError,
    ConfirmationError,
    ProviderUnreachableError,
    StateLockedError,
    StateMissingError,
    TerraformFailedError,
    VariableError,
    WrongAccountError,
)
from greengrass_components.infrastructure.plan_review import Loss
from greengrass_components.infrastructure.stack import (
    Stack,
    apply_stack,
    bootstrap_state,
    destroy_stack,
    open_stack,
    plan_stack,
    unlock_stack,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.terraform,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no Terraform here"),
]

STATE_BUCKET = "slm-terraform-state-dev-123456789012-eu-central-1"

PROVIDER = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.100" }
  }
}

provider "aws" {
  region                      = "eu-central-1"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
  max_retries                 = 2
  endpoints {
    iam = var.aws_endpoint
    kms = var.aws_endpoint
    s3  = var.aws_endpoint
    sts = var.aws_endpoint
  }
  default_tags {
    tags = { Stack = "${var.name}-${var.environment}" }
  }
}

variable "name" {
  default = "edgewise"
}
variable "environment" {
  default = "dev"
}
variable "account_id" {
  default = null
}
variable "aws_region" {
  default = "eu-central-1"
}
variable "aws_endpoint" {}
"""

BOOTSTRAP = """
variable "bucket_name" {}

resource "aws_s3_bucket" "state" {
  bucket = var.bucket_name
}
"""

STACK = """
terraform {
  backend "s3" {}
}

variable "bucket_prefix" {
  default = "slm"
}
variable "bucket_suffix" {
  default = null
}
variable "with_data" {
  default = true
}
variable "with_key" {
  default = false
}

module "storage" {
  source   = "./modules/storage"
  for_each = var.with_data ? toset(["raw"]) : []

  name = "${var.bucket_prefix}-${each.key}-${coalesce(var.bucket_suffix, "x")}"
  with_key = var.with_key
}

resource "aws_iam_role" "this" {
  name = "edgewise-device"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { AWS = "*" } }]
  })
}

output "bucket" {
  value = [for one in module.storage : one.bucket]
}
"""

STORAGE = """
variable "name" {}

resource "aws_s3_bucket" "this" {
  bucket        = var.name
  force_destroy = true
}

resource "aws_s3_bucket_versioning" "this" {
  count = var.with_key ? 1 : 0

  bucket = aws_s3_bucket.this.id
  versioning_configuration {
    status = "Enabled"
  }
}

variable "with_key" {
  default = false
}

resource "aws_kms_key" "this" {
  count = var.with_key ? 1 : 0

  description = "Key of ${var.name}."
}

output "bucket" {
  value = aws_s3_bucket.this.id
}
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with start_emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture
def options(tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What opens the small stack, in an account where nothing is yet."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    source = tmp_path / "source"
    files = {
        "main.tf": PROVIDER + STACK,
        "bootstrap/main.tf": PROVIDER + BOOTSTRAP,
        "modules/storage/main.tf": STORAGE,
        "environments/dev.tfvars": "",
        "environments/prod.tfvars": 'account_id = "210987654321"\n',
    }
    for name, text in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    reset(emulator)
    return {
        "source": source,
        "work": tmp_path / "work",
        "endpoint": emulator.endpoint,
        "timeout_s": 300,
    }


def reset(emulator: Emulator) -> None:
    import urllib.request

    request = urllib.request.Request(f"{emulator.endpoint}/moto-api/reset", method="POST")
    with urllib.request.urlopen(request) as response:
        assert response.status == 200


def opened(options: dict[str, Any], **variables: Any) -> Stack:
    """Open the small stack; its state has a place already."""
    make_bucket(STATE_BUCKET)
    try:
        return open_stack("dev", **{**options, "variables": variables})
    except ProviderUnreachableError as error:
        pytest.skip(error.message)


def make_bucket(name: str, *, account: str | None = None) -> None:
    s3 = boto3.client("s3")
    if account is not None:
        # How the emulator is told to answer as another account.
        s3.meta.events.register(
            "before-send.s3",
            lambda request, **_: request.headers.update({"x-moto-account-id": account}),
        )
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )


def typed(text: str) -> Any:
    return lambda _stack, _losses: text


def refuse(_: str, losses: tuple[Loss, ...]) -> str:
    raise AssertionError(f"nobody should be asked about {losses}")


def buckets() -> set[str]:
    found = boto3.client("s3").list_buckets()["Buckets"]
    return {bucket["Name"] for bucket in found if "terraform-state" not in bucket["Name"]}


class TestOpening:
    def test_another_account_is_refused_before_anything_runs(self, options: dict[str, Any]) -> None:
        with pytest.raises(WrongAccountError, match="belongs to account 210987654321, but the "):
            open_stack("prod", **options)

        assert not options["work"].exists()

    def test_an_unknown_variable_is_refused_before_anything_runs(
        self, options: dict[str, Any]
    ) -> None:
        with pytest.raises(VariableError, match="no Terraform variable with_dat"):
            open_stack("dev", **options, variables={"with_dat": True})

    def test_a_state_without_a_place_says_how_to_make_one(self, options: dict[str, Any]) -> None:
        with pytest.raises(StateMissingError, match=r"infra\.bootstrap --env dev"):
            open_stack("dev", **options)

    def test_a_second_bootstrap_makes_nothing(self, options: dict[str, Any]) -> None:
        first_name, first = bootstrap_state("dev", **options)
        second_name, second = bootstrap_state("dev", **options)

        assert first_name == second_name == STATE_BUCKET
        assert first is not None
        assert (first.add, second and second.empty) == (1, True)

    def test_a_bucket_that_another_machine_made_is_used(
        self, options: dict[str, Any], tmp_path: Path
    ) -> None:
        bootstrap_state("dev", **options)

        _, changes = bootstrap_state("dev", **{**options, "work": tmp_path / "other"})

        assert changes is None
        assert open_stack("dev", **{**options, "work": tmp_path / "other"}).name == "edgewise-dev"


class TestLife:
    def test_it_is_made_stays_and_goes(self, options: dict[str, Any]) -> None:
        stack = opened(options)

        made = apply_stack(stack, confirm=refuse)
        assert (made.changes.add, made.adopted) == (2, ())
        assert made.outputs == {"bucket": ["slm-raw-x"]}
        assert plan_stack(stack).changes.empty

        gone = destroy_stack(stack, confirm=typed("edgewise-dev"))
        assert gone.destroy == 2
        assert buckets() == set()
        assert destroy_stack(stack, confirm=refuse).empty

    def test_the_state_is_in_its_bucket_and_not_in_the_folder(
        self, options: dict[str, Any]
    ) -> None:
        apply_stack(opened(options, with_data=False), confirm=refuse)

        listed = boto3.client("s3").list_objects_v2(Bucket=STATE_BUCKET)
        assert [entry["Key"] for entry in listed["Contents"]] == ["stack.tfstate"]
        assert not (options["work"] / "dev/terraform.tfstate").exists()

    def test_nothing_is_left_of_a_reviewed_plan(self, options: dict[str, Any]) -> None:
        stack = opened(options, with_data=False)
        apply_stack(stack, confirm=refuse)

        assert not (stack.work / "reviewed.tfplan").exists()
        assert not (stack.work / "adopted.tf.json").exists()


class TestData:
    @pytest.mark.parametrize("answer", ["", "edgewise-prod"])
    def test_nothing_is_lost_without_the_typed_name(
        self, options: dict[str, Any], answer: str
    ) -> None:
        apply_stack(opened(options), confirm=refuse)
        stack = opened(options, with_data=False)

        with pytest.raises(ConfirmationError, match="--confirm edgewise-dev") as raised:
            apply_stack(stack, confirm=typed(answer))

        assert [loss.action for loss in raised.value.data["losses"]] == ["delete"]
        assert buckets() == {"slm-raw-x"}

    def test_a_confirmed_loss_is_done(self, options: dict[str, Any]) -> None:
        apply_stack(opened(options), confirm=refuse)

        done = apply_stack(opened(options, with_data=False), confirm=typed("edgewise-dev"))

        assert done.changes.destroy == 1
        assert buckets() == set()

    def test_a_renamed_bucket_is_a_loss(self, options: dict[str, Any]) -> None:
        apply_stack(opened(options), confirm=refuse)
        main = options["source"] / "main.tf"
        main.write_text(main.read_text().replace('toset(["raw"])', 'toset(["cooked"])'))
        stack = opened(options)

        losses = plan_stack(stack).losses

        assert {loss.address for loss in losses} == {
            'module.storage["raw"].aws_s3_bucket.this',
        }

    def test_a_destroy_wants_the_name_too(self, options: dict[str, Any]) -> None:
        stack = opened(options)
        apply_stack(stack, confirm=refuse)

        with pytest.raises(ConfirmationError, match="nothing was changed"):
            destroy_stack(stack, confirm=typed(""))

        assert buckets() == {"slm-raw-x"}


class TestNames:
    def test_a_name_that_another_account_has_is_told_before_the_apply(
        self, options: dict[str, Any]
    ) -> None:
        make_bucket("slm-raw-x", account="210987654321")
        stack = opened(options)

        with pytest.raises(BucketNameError, match="slm-raw-x is taken by another account"):
            apply_stack(stack, confirm=refuse)

        assert boto3.client("iam").list_roles()["Roles"] == []

    def test_a_name_that_something_else_has_is_told_before_the_apply(
        self, options: dict[str, Any]
    ) -> None:
        make_bucket("slm-raw-x")
        stack = opened(options)

        with pytest.raises(BucketNameError, match="taken by something else in this account"):
            plan_stack(stack)

    def test_a_name_that_no_bucket_can_have_is_told_before_the_apply(
        self, options: dict[str, Any]
    ) -> None:
        main = options["source"] / "main.tf"
        main.write_text(main.read_text().replace('"x")}"', '"x_y")}"'))
        stack = opened(options)

        with pytest.raises(BucketNameError, match="no bucket can be named"):
            apply_stack(stack, confirm=refuse)

        assert boto3.client("iam").list_roles()["Roles"] == []


def forget_the_state() -> None:
    """Leave the account as a Terraform does that was killed before it saved its state."""
    s3 = boto3.client("s3")
    s3.delete_object(Bucket=STATE_BUCKET, Key="stack.tfstate")


class TestInterruptedApplies:
    def test_what_is_not_in_the_state_is_taken_over(self, options: dict[str, Any]) -> None:
        apply_stack(opened(options, with_key=True), confirm=refuse)
        keys = len(boto3.client("kms").list_keys()["Keys"])
        forget_the_state()
        stack = opened(options, with_key=True)

        again = apply_stack(stack, confirm=refuse)

        assert again.adopted == (
            "aws_iam_role.this",
            'module.storage["raw"].aws_kms_key.this[0]',
            'module.storage["raw"].aws_s3_bucket.this',
            'module.storage["raw"].aws_s3_bucket_versioning.this[0]',
        )
        assert len(boto3.client("kms").list_keys()["Keys"]) == keys
        assert plan_stack(stack).changes.empty

    def test_what_is_somebody_elses_is_not_taken_over(self, options: dict[str, Any]) -> None:
        boto3.client("iam").create_role(
            RoleName="edgewise-device", AssumeRolePolicyDocument="{}", Path="/"
        )
        stack = opened(options)

        with pytest.raises(TerraformFailedError, match="edgewise-device is there already and does"):
            apply_stack(stack, confirm=refuse)

        assert boto3.client("iam").list_role_tags(RoleName="edgewise-device")["Tags"] == []


LOCK = {
    "ID": "6d2b0e07-57c5-1b1c-ff0a-5d4a3a3b6b1e",
    "Operation": "OperationTypeApply",
    "Info": "",
    "Who": "operator@gateway",
    "Version": "1.11.4",
    "Created": "2026-11-20T07:00:00Z",
    "Path": f"{STATE_BUCKET}/stack.tfstate",
}


def lock_the_state() -> None:
    boto3.client("s3").put_object(
        Bucket=STATE_BUCKET,
        Key="stack.tfstate.tflock",
        Body=json.dumps(LOCK).encode(),
    )


class TestLocks:
    def test_a_lock_is_explained_and_left_alone(self, options: dict[str, Any]) -> None:
        stack = opened(options)
        lock_the_state()

        with pytest.raises(StateLockedError) as raised:
            apply_stack(stack, confirm=refuse)

        assert raised.value.message.startswith(
            "the state is locked by operator@gateway since 2026-11-20 07:00:00 UTC (apply);"
        )
        assert f"infra.unlock --lock-id {LOCK['ID']}" in raised.value.message
        assert buckets() == set()
        with pytest.raises(StateLockedError):
            apply_stack(stack, confirm=refuse)

    def test_a_freed_lock_lets_the_next_one_in(self, options: dict[str, Any]) -> None:
        stack = opened(options)
        lock_the_state()

        unlock_stack(stack, LOCK["ID"])

        assert apply_stack(stack, confirm=refuse).changes.add == 2

    def test_another_locks_id_frees_nothing(self, options: dict[str, Any]) -> None:
        stack = opened(options)
        lock_the_state()

        with pytest.raises(TerraformFailedError, match="there is no lock 1234"):
            unlock_stack(stack, "1234")

        with pytest.raises(StateLockedError):
            apply_stack(stack, confirm=refuse)

    def test_a_running_terraform_keeps_its_lock(self, options: dict[str, Any]) -> None:
        stack = opened(options)
        # A process of that name in that folder is what counts.
        program = options["work"] / "terraform"
        shutil.copy("/bin/sleep", program)
        process = psutil.Popen([str(program), "600"], cwd=stack.work)
        try:
            with pytest.raises(StateLockedError, match=f"process {process.pid}"):
                unlock_stack(stack, LOCK["ID"])
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
