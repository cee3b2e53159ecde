"""A small configuration with the parts that matter, and the emulated account that it goes to.

It has a bucket, a role, a key, and the state in S3; its bootstrap can be made to wait half way.
"""

from __future__ import annotations

import contextlib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from greengrass_components.emulator import Emulator, start_emulator
from greengrass_components.errors import ProviderUnreachableError
from greengrass_components.infrastructure.stack import Stack, open_stack

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
    tags = merge(var.tags, { Stack = "${var.name}-${var.environment}" })
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
variable "administrator_arns" {
  default = []
}
variable "tags" {
  default = {}
}
variable "aws_region" {
  default = "eu-central-1"
}
variable "aws_endpoint" {}
"""

BOOTSTRAP = """
variable "bucket_name" {}
variable "guardian_arns" {}
variable "caller_guards" {}

resource "aws_s3_bucket" "state" {
  bucket = var.bucket_name
}

# Does nothing, but for a test that has it wait here.
resource "terraform_data" "pause" {
  depends_on = [aws_s3_bucket.state]

  provisioner "local-exec" {
    command = "test ! -e pause || { rm pause; exec sleep 600; }"
  }
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id
  versioning_configuration {
    status = "Enabled"
  }
  depends_on = [terraform_data.pause]
}

resource "aws_kms_key" "state" {
  description = "Key of ${var.bucket_name}."
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.state.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket                  = aws_s3_bucket.state.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "state" {
  bucket = aws_s3_bucket.state.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = var.caller_guards ? "WithTheCaller" : "WithoutTheCaller"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:DeleteBucket"
      Resource  = aws_s3_bucket.state.arn
      Condition = { ArnNotLike = { "aws:PrincipalArn" = var.guardian_arns } }
    }]
  })
  depends_on = [aws_s3_bucket_versioning.state]
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
variable "with_late_role" {
  default = false
}
variable "window_days" {
  default = 30
}

module "storage" {
  source   = "./modules/storage"
  for_each = var.with_data ? toset(["raw"]) : []

  name = "${var.bucket_prefix}-${each.key}-${coalesce(var.bucket_suffix, "x")}"
  with_key = var.with_key
  window_days = var.window_days

  depends_on = [aws_iam_role.late]
}

resource "aws_iam_role" "late" {
  count = var.with_late_role ? 1 : 0

  name               = "edgewise-late"
  assume_role_policy = aws_iam_role.this.assume_role_policy
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

resource "aws_s3_bucket_policy" "this" {
  count = var.with_key ? 1 : 0

  bucket = aws_s3_bucket.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutBucketVersioning"
      Resource  = aws_s3_bucket.this.arn
    }]
  })
  depends_on = [aws_s3_bucket_versioning.this]
}

variable "with_key" {
  default = false
}
variable "window_days" {}

resource "aws_kms_key" "this" {
  count = var.with_key ? 1 : 0

  description             = "Key of ${var.name}."
  deletion_window_in_days = var.window_days
}

output "bucket" {
  value = aws_s3_bucket.this.id
}
"""


FILES = {
    "main.tf": PROVIDER + STACK,
    "bootstrap/main.tf": PROVIDER + BOOTSTRAP,
    "modules/storage/main.tf": STORAGE,
    "environments/dev.tfvars": "",
    "environments/staging.tfvars": """
administrator_arns = ["arn:aws:iam::123456789012:role/first-administrator"]
tags               = { Owner = "edge-team" }
""",
    "environments/prod.tfvars": 'account_id = "210987654321"\n',
}


class SmallStack:
    """The small configuration in an account where nothing is yet."""

    state_bucket = "slm-terraform-state-dev-123456789012-eu-central-1"

    def __init__(self, folder: Path, *, endpoint: str) -> None:
        self.source = folder / "source"
        for name, text in FILES.items():
            (self.source / name).parent.mkdir(parents=True, exist_ok=True)
            (self.source / name).write_text(text)
        self.options: dict[str, Any] = {
            "source": self.source,
            "work": folder / "work",
            "endpoint": endpoint,
            "timeout_s": 300,
        }

    def edit(self, old: str, new: str, *, file: str = "main.tf") -> None:
        """Change the configuration."""
        text = (self.source / file).read_text()
        assert old in text
        (self.source / file).write_text(text.replace(old, new))

    def open(self, **variables: Any) -> Stack:
        """Open it; its state has a place already."""
        self.make_bucket(self.state_bucket)
        try:
            return open_stack("dev", **{**self.options, "variables": variables})
        except ProviderUnreachableError as error:
            pytest.skip(error.message)

    def make_bucket(self, name: str, *, account: str | None = None, stack: str = "") -> None:
        """Make a bucket by hand, with the tag of a stack if one is given."""
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
        if stack:
            s3.put_bucket_tagging(
                Bucket=name, Tagging={"TagSet": [{"Key": "Stack", "Value": stack}]}
            )

    def buckets(self) -> set[str]:
        """Names of the buckets that hold no state."""
        found = boto3.client("s3").list_buckets()["Buckets"]
        return {bucket["Name"] for bucket in found if "terraform-state" not in bucket["Name"]}

    def usable_keys(self) -> list[str]:
        """Ids of the keys that nobody deleted."""
        kms = boto3.client("kms")
        keys = [kms.describe_key(KeyId=key["KeyId"]) for key in kms.list_keys()["Keys"]]
        return [
            key["KeyMetadata"]["KeyId"]
            for key in keys
            if key["KeyMetadata"]["KeyState"] == "Enabled"
        ]

    def forget_the_state(self) -> None:
        """Leave the account as a Terraform does that was killed before it saved its state."""
        boto3.client("s3").delete_object(Bucket=self.state_bucket, Key="stack.tfstate")


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with start_emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture
def emulated(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """An account where nothing is yet, and the settings of this process to use it."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    request = urllib.request.Request(f"{emulator.endpoint}/moto-api/reset", method="POST")
    with urllib.request.urlopen(request) as response:
        assert response.status == 200
    return emulator


@pytest.fixture
def small(tmp_path: Path, emulated: Emulator) -> SmallStack:
    """The small configuration, in an account where nothing is yet."""
    return SmallStack(tmp_path, endpoint=emulated.endpoint)
