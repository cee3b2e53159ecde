# How the modules are put together, and what the stack refuses. The provider is mocked.

mock_provider "aws" {
  override_data {
    target = data.aws_caller_identity.current
    values = {
      account_id = "123456789012"
    }
  }

  override_data {
    target = data.aws_region.current
    values = {
      name = "eu-central-1"
    }
  }

  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::voice-gateway-artifacts"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::123456789012:role/voice-gateway-token-exchange"
    }
  }
}

variables {
  name                    = "voice-gateway"
  aws_region              = null
  artifact_prefix         = "artifacts/"
  noncurrent_version_days = null
}

run "names_follow_the_name_of_the_stack" {
  command = plan

  assert {
    condition     = local.bucket_name == "voice-gateway-artifacts-123456789012-eu-central-1"
    error_message = "The bucket is named after the stack, the account and the region."
  }
}

run "outputs_are_what_publishing_needs" {
  assert {
    condition     = output.artifact_prefix == "artifacts/"
    error_message = "The prefix must be handed on."
  }

  assert {
    condition     = output.region == "eu-central-1"
    error_message = "The region must be handed on."
  }

  assert {
    condition     = output.token_exchange_role_alias == "voice-gateway-token-exchange-alias"
    error_message = "The role alias must be handed on."
  }

  assert {
    condition     = jsondecode(module.token_exchange_role.policy_json).Statement[0].Resource == "${module.artifact_bucket.arn}/artifacts/*"
    error_message = "Devices must read the bucket of this stack."
  }
}

run "wrong_values_are_refused" {
  command = plan

  variables {
    name                        = "Voice Gateway"
    aws_region                  = "Frankfurt"
    aws_endpoint                = "127.0.0.1:5000"
    artifact_prefix             = "/artifacts"
    kms_key_arn                 = "alias/my-key"
    noncurrent_version_days     = 0.5
    credential_duration_seconds = 60
  }

  expect_failures = [
    var.name,
    var.aws_region,
    var.aws_endpoint,
    var.artifact_prefix,
    var.kms_key_arn,
    var.noncurrent_version_days,
    var.credential_duration_seconds,
  ]
}
