# How the modules are put together, and what the stack refuses. The provider is mocked.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = {
      account_id = "123456789012"
      arn        = "arn:aws:iam::123456789012:role/platform"
    }
  }

  mock_data "aws_iam_session_context" {
    defaults = {
      issuer_arn = "arn:aws:iam::123456789012:role/platform"
    }
  }

  mock_data "aws_partition" {
    defaults = {
      partition = "aws"
    }
  }

  mock_data "aws_region" {
    defaults = {
      name = "eu-central-1"
    }
  }

  mock_data "aws_ssoadmin_instances" {
    defaults = {
      arns               = ["arn:aws:sso:::instance/ssoins-0123456789abcdef"]
      identity_store_ids = ["d-0123456789"]
    }
  }

  mock_resource "aws_kms_key" {
    defaults = {
      arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::123456789012:role/edgewise-dev-role"
    }
  }

  mock_resource "aws_iam_policy" {
    defaults = {
      arn = "arn:aws:iam::123456789012:policy/edgewise-dev-policy"
    }
  }

  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::slm-intents-raw-dev-123456789012-eu-central-1"
    }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = {
      arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/edgewise/edgewise-dev/trail"
    }
  }
}

variables {
  environment = "dev"
}

run "buckets_are_named_by_purpose_environment_account_and_region" {
  command = plan

  assert {
    condition = alltrue([
      for purpose in ["intents-raw", "intents-processed", "model-artifacts", "edge-deployments", "pipeline-artifacts"] :
      module.bucket[purpose].name == "slm-${purpose}-dev-123456789012-eu-central-1"
    ])
    error_message = "Each bucket must be named slm-<purpose>-<environment>-<account>-<region>."
  }

  assert {
    condition     = output.artifact_bucket == "slm-edge-deployments-dev-123456789012-eu-central-1"
    error_message = "Components are published to the deployment bucket."
  }
}

run "prefix_and_suffix_are_free" {
  command = plan

  variables {
    bucket_prefix = "voice"
    bucket_suffix = "frankfurt"
  }

  assert {
    condition     = module.bucket["intents-raw"].name == "voice-intents-raw-frankfurt"
    error_message = "Prefix and suffix must be those of the variables."
  }
}

run "the_longest_names_still_fit_a_bucket" {
  command = plan

  variables {
    bucket_prefix      = "abcdef"
    environment        = "staging"
    account_id         = "123456789012"
    administrator_arns = ["arn:aws:iam::123456789012:role/platform"]
    release_lock_days  = 7
  }

  assert {
    # The longest region is ap-southeast-1, two letters longer than this one.
    condition     = alltrue([for name in values(local.bucket_names) : length(name) + length("ap-southeast-1") - length("eu-central-1") <= 63])
    error_message = "S3 takes at most 63 characters."
  }
}

run "releases_are_locked_where_they_live" {
  command = plan

  variables {
    environment        = "prod"
    account_id         = "123456789012"
    administrator_arns = ["arn:aws:iam::123456789012:role/platform"]
    release_lock_days  = 365
  }

  assert {
    condition     = local.buckets["edge-deployments"].lock_days == 365 && local.buckets["pipeline-artifacts"].lock_days == null
    error_message = "Releases must be locked, and what a pipeline leaves must not."
  }
}

run "in_dev_whoever_applies_is_a_guardian" {
  command = plan

  assert {
    condition     = toset(local.guardian_arns) == toset(["arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:role/platform"])
    error_message = "The account and whoever applies must guard, and nobody else."
  }
}

run "in_prod_whoever_applies_and_is_no_guardian_is_told_by_the_plan" {
  command = plan

  variables {
    environment       = "prod"
    account_id        = "123456789012"
    release_lock_days = 365
  }

  expect_failures = [data.aws_iam_session_context.current]
}

run "in_staging_too" {
  command = plan

  variables {
    environment        = "staging"
    account_id         = "123456789012"
    administrator_arns = ["arn:aws:iam::123456789012:role/somebody-else"]
    release_lock_days  = 7
  }

  expect_failures = [data.aws_iam_session_context.current]
}

run "a_guardian_that_is_named_by_a_pattern_applies" {
  command = plan

  variables {
    environment        = "prod"
    account_id         = "123456789012"
    administrator_arns = ["arn:aws:iam::123456789012:role/plat*"]
    release_lock_days  = 365
  }

  assert {
    condition     = !contains(local.guardian_arns, "arn:aws:iam::123456789012:role/platform")
    error_message = "In prod whoever applies must not be a guardian by that alone."
  }
}

run "a_dot_in_a_guardian_is_no_wildcard" {
  command = plan

  variables {
    environment        = "prod"
    account_id         = "123456789012"
    administrator_arns = ["arn:aws:iam::123456789012:role/plat.orm"]
    release_lock_days  = 365
  }

  expect_failures = [data.aws_iam_session_context.current]
}

run "the_permission_set_administrator_applies" {
  command = plan

  override_data {
    target = data.aws_iam_session_context.current
    values = {
      issuer_arn = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_edgewise-prod-administrator_0123456789abcdef"
    }
  }

  variables {
    environment       = "prod"
    account_id        = "123456789012"
    release_lock_days = 365
  }

  assert {
    condition     = contains(local.guardian_arns, "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_edgewise-prod-administrator_*")
    error_message = "The permission set must be among the guardians."
  }
}

run "the_permission_set_of_another_environment_does_not" {
  command = plan

  override_data {
    target = data.aws_iam_session_context.current
    values = {
      issuer_arn = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_edgewise-dev-administrator_0123456789abcdef"
    }
  }

  variables {
    environment       = "prod"
    account_id        = "123456789012"
    release_lock_days = 365
  }

  expect_failures = [data.aws_iam_session_context.current]
}

run "ci_plans_prod_and_guards_nothing" {
  command = plan

  override_data {
    target = data.aws_iam_session_context.current
    values = {
      issuer_arn = "arn:aws:iam::123456789012:role/edgewise-prod-ci-plan"
    }
  }

  variables {
    environment       = "prod"
    account_id        = "123456789012"
    release_lock_days = 365
  }

  assert {
    condition     = !strcontains(jsonencode(local.guardian_arns), "ci-plan")
    error_message = "A role that only plans must not be a guardian."
  }
}

run "at_an_endpoint_of_ones_own_whoever_applies_is_a_guardian" {
  command = plan

  variables {
    environment       = "prod"
    account_id        = "123456789012"
    aws_endpoint      = "http://127.0.0.1:5000"
    release_lock_days = 365
  }

  assert {
    condition     = contains(local.guardian_arns, "arn:aws:iam::123456789012:role/platform")
    error_message = "An emulator has no roles that could be named beforehand."
  }
}

run "names_and_numbers_out_of_range_are_refused" {
  command = plan

  variables {
    name                        = "Voice Gateway"
    account_id                  = "1234"
    aws_region                  = "Frankfurt"
    aws_endpoint                = "127.0.0.1:5000"
    bucket_prefix               = "SLM"
    bucket_suffix               = "_"
    artifact_prefix             = "/artifacts"
    component_prefix            = "aws.greengrass.mine"
    release_lock_days           = 0.5
    rollout_stages              = ["Canary"]
    credential_duration_seconds = 60
    github_repository           = "owner/*"
    people                      = { owner = "906ab1cd-2a3b-4c5d-8e9f-001122334455" }
    administrator_arns          = ["*"]
    alert_emails                = ["nobody"]
    monthly_budget_usd          = 0
    expected_devices            = -1
    log_retention_days          = 8
    tags                        = { Stack = "mine" }
  }

  expect_failures = [
    var.name,
    var.account_id,
    var.aws_region,
    var.aws_endpoint,
    var.bucket_prefix,
    var.bucket_suffix,
    var.artifact_prefix,
    var.component_prefix,
    var.release_lock_days,
    var.rollout_stages,
    var.credential_duration_seconds,
    var.github_repository,
    var.people,
    var.administrator_arns,
    var.alert_emails,
    var.monthly_budget_usd,
    var.expected_devices,
    var.log_retention_days,
    var.tags,
  ]
}

run "another_environment_is_refused" {
  command = plan

  variables {
    environment       = "test"
    account_id        = "123456789012"
    release_lock_days = 7
  }

  expect_failures = [var.environment]
}

run "prod_must_say_its_account_lock_its_releases_and_keep_its_data" {
  command = plan

  variables {
    environment        = "prod"
    administrator_arns = ["arn:aws:iam::123456789012:role/platform"]
    force_destroy      = true
  }

  expect_failures = [
    var.account_id,
    var.release_lock_days,
    var.force_destroy,
  ]
}

run "stages_must_differ_and_leave_the_fleet_its_name" {
  command = plan

  variables {
    rollout_stages = ["canary", "canary"]
  }

  expect_failures = [var.rollout_stages]
}

run "groups_are_given_by_id" {
  command = plan

  variables {
    people = { administrator = "administrators" }
  }

  expect_failures = [var.people]
}

run "folders_with_other_uses_are_no_artifact_prefix" {
  command = plan

  variables {
    artifact_prefix = "devices/"
  }

  expect_failures = [var.artifact_prefix]
}
