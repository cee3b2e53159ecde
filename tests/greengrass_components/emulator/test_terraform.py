"""Terraform finds on the emulator what it made there, also after a kill."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from greengrass_components.emulator import Emulator, start_emulator
from greengrass_components.errors import ProviderUnreachableError
from greengrass_components.infrastructure.configuration import prepare_stack
from greengrass_components.infrastructure.terraform import Terraform

pytestmark = [
    pytest.mark.slow,
    pytest.mark.terraform,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no Terraform here"),
]

# One of each kind that moto alone cannot keep, and of those whose ids it draws.
CONFIGURATION = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.100" }
  }
}

variable "endpoint" {}

provider "aws" {
  region                      = "eu-central-1"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
  max_retries                 = 2
  default_tags {
    tags = { Stack = "lamps" }
  }
  endpoints {
    budgets    = var.endpoint
    cloudtrail = var.endpoint
    cloudwatch = var.endpoint
    iam        = var.endpoint
    iot        = var.endpoint
    kms        = var.endpoint
    logs       = var.endpoint
    s3         = var.endpoint
    sns        = var.endpoint
    ssoadmin   = var.endpoint
    sts        = var.endpoint
  }
}

locals {
  trust = jsonencode({
    Version   = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "iot.amazonaws.com" }
    }]
  })
}

data "aws_ssoadmin_instances" "this" {}

resource "aws_ssoadmin_permission_set" "this" {
  name         = "operator"
  instance_arn = one(data.aws_ssoadmin_instances.this.arns)
}

resource "aws_ssoadmin_permission_set_inline_policy" "this" {
  instance_arn       = aws_ssoadmin_permission_set.this.instance_arn
  permission_set_arn = aws_ssoadmin_permission_set.this.arn
  inline_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "iot:Describe*", Resource = "*" }]
  })
}

resource "aws_iam_role" "this" {
  name               = "lamps"
  assume_role_policy = local.trust
}

resource "aws_kms_key" "data" {
  enable_key_rotation     = true
  rotation_period_in_days = 180
}

resource "aws_kms_key" "signing" {
  customer_master_key_spec = "ECC_NIST_P256"
  key_usage                = "SIGN_VERIFY"
}

resource "aws_s3_bucket" "this" {
  bucket        = "lamps-data"
  force_destroy = true
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id
  versioning_configuration { status = "Enabled" }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket_public_access_block.this.bucket
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{
      Effect    = "Deny"
      Action    = "s3:*"
      Principal = "*"
      Resource  = ["${aws_s3_bucket.this.arn}/*", aws_s3_bucket.this.arn]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_s3_object" "this" {
  bucket     = aws_s3_bucket_versioning.this.bucket
  key        = "lamp"
  content    = "on"
  depends_on = [aws_s3_bucket_policy.this]
}

resource "aws_cloudtrail" "this" {
  for_each       = toset(["lamps", "windows"])
  name           = each.key
  s3_bucket_name = aws_s3_bucket.this.id
}

resource "aws_iot_thing_type" "this" { name = "lamp" }

resource "aws_iot_thing_group" "this" { name = "lamps" }

resource "aws_iot_policy" "this" {
  name = "lamp"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "iot:Connect", Resource = "*" }]
  })
}

resource "aws_iot_certificate" "this" { active = true }

resource "aws_iot_policy_attachment" "this" {
  policy = aws_iot_policy.this.name
  target = aws_iot_certificate.this.arn
}

resource "aws_iot_role_alias" "this" {
  alias    = "lamps"
  role_arn = aws_iam_role.this.arn
}

resource "aws_iot_provisioning_template" "this" {
  name                  = "lamps"
  provisioning_role_arn = aws_iam_role.this.arn
  enabled               = true
  template_body         = jsonencode({ Parameters = {}, Resources = {} })
}

resource "aws_iot_topic_rule" "this" {
  name        = "lamps"
  enabled     = true
  sql         = "SELECT * FROM 'lamps'"
  sql_version = "2016-03-23"
  sns {
    role_arn   = aws_iam_role.this.arn
    target_arn = aws_sns_topic.this.arn
  }
  error_action {
    cloudwatch_logs {
      log_group_name = aws_cloudwatch_log_group.this.name
      role_arn       = aws_iam_role.this.arn
    }
  }
}

resource "aws_sns_topic" "this" { name = "lamps" }

resource "aws_cloudwatch_log_group" "this" {
  name              = "lamps"
  retention_in_days = 30
}

resource "aws_cloudwatch_metric_alarm" "share" {
  alarm_name          = "share"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  threshold           = 0.1
  metric_query {
    id          = "share"
    expression  = "broken / all"
    label       = "broken lamps"
    return_data = true
  }
  dynamic "metric_query" {
    for_each = { broken = "Broken", all = "All" }
    content {
      id = metric_query.key
      metric {
        namespace   = "lamps"
        metric_name = metric_query.value
        period      = 300
        stat        = "Sum"
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "slowest" {
  alarm_name          = "slowest"
  namespace           = "lamps"
  metric_name         = "Delay"
  extended_statistic  = "p99"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  period              = 300
  threshold           = 100
}

resource "aws_cloudwatch_composite_alarm" "this" {
  alarm_name = "any"
  alarm_rule = join(" OR ", [
    "ALARM(${aws_cloudwatch_metric_alarm.share.alarm_name})",
    "ALARM(${aws_cloudwatch_metric_alarm.slowest.alarm_name})",
  ])
}

resource "aws_budgets_budget" "this" {
  name         = "lamps"
  budget_type  = "COST"
  limit_amount = "10"
  limit_unit   = "USD"
  time_unit    = "MONTHLY"
  notification {
    comparison_operator       = "GREATER_THAN"
    notification_type         = "ACTUAL"
    threshold                 = 80
    threshold_type            = "PERCENTAGE"
    subscriber_sns_topic_arns = [aws_sns_topic.this.arn]
  }
}
"""
RESOURCES = 26


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "emulator"


@pytest.fixture
def emulator(folder: Path) -> Iterator[Emulator]:
    with start_emulator(folder, keep_state=True) as running:
        yield running


@pytest.fixture
def terraform(tmp_path: Path, emulator: Emulator) -> Terraform:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/main.tf").write_text(CONFIGURATION)
    work = tmp_path / "work"
    prepare_stack(tmp_path / "source", work=work, variables={"endpoint": emulator.endpoint})
    terraform = Terraform(work, environment={**os.environ, **emulator.environment})
    try:
        terraform.init()
    except ProviderUnreachableError as error:
        pytest.skip(error.message)
    return terraform


def test_what_terraform_made_is_found_again_after_a_kill_and_leaves_nothing_at_its_end(
    folder: Path, emulator: Emulator, terraform: Terraform
) -> None:
    made = terraform.apply()
    assert (made.add, made.change, made.destroy) == (RESOURCES, 0, 0)
    assert terraform.plan().empty
    terraform.cmd("apply", "-refresh-only", "-auto-approve")

    os.kill(emulator.pid, signal.SIGKILL)
    emulator.stop()
    port = int(emulator.endpoint.rpartition(":")[2])
    with start_emulator(folder, port=port, keep_state=True):
        plan = terraform.plan(keep="after.tfplan")
        assert plan.empty
        # Not a date is another one.
        assert terraform.show("after.tfplan").get("resource_drift", []) == []

        terraform.cmd("destroy", "-auto-approve")
        assert terraform.show().get("values") is None
