# What a device may do. The provider is mocked: no account, no network.

mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::123456789012:role/edgewise-token-exchange"
    }
  }
}

variables {
  name            = "edgewise-token-exchange"
  bucket_arn      = "arn:aws:s3:::edgewise-artifacts-test"
  artifact_prefix = "artifacts/"
}

run "only_the_credential_provider_may_act_as_the_role" {
  module {
    source = "./modules/token_exchange_role"
  }

  assert {
    condition = jsondecode(output.trust_json).Statement == [{
      Effect    = "Allow"
      Principal = { Service = "credentials.iot.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
    error_message = "Nobody but the IoT credential provider may be trusted."
  }
}

run "a_device_may_read_artifacts_and_nothing_else" {
  module {
    source = "./modules/token_exchange_role"
  }

  assert {
    condition = jsondecode(output.policy_json).Statement == [{
      Sid      = "ReadArtifacts"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = "arn:aws:s3:::edgewise-artifacts-test/artifacts/*"
    }]
    error_message = "The role may get objects below the prefix, and nothing else."
  }
}

run "a_device_may_decrypt_with_the_key_of_the_bucket" {
  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  module {
    source = "./modules/token_exchange_role"
  }

  assert {
    condition     = length(jsondecode(output.policy_json).Statement) == 2
    error_message = "A key adds one statement."
  }

  assert {
    condition = jsondecode(output.policy_json).Statement[1] == {
      Sid      = "DecryptArtifacts"
      Effect   = "Allow"
      Action   = "kms:Decrypt"
      Resource = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    }
    error_message = "The added statement may decrypt with that key, and nothing else."
  }
}

run "the_alias_points_at_the_role" {
  module {
    source = "./modules/token_exchange_role"
  }

  assert {
    condition     = aws_iot_role_alias.this.role_arn == output.role_arn
    error_message = "The alias must point at the role."
  }

  assert {
    condition     = output.role_alias == "edgewise-token-exchange-alias"
    error_message = "The alias is named after the role."
  }
}

run "a_prefix_that_would_open_the_bucket_is_refused" {
  command = plan

  variables {
    artifact_prefix = "*/"
  }

  module {
    source = "./modules/token_exchange_role"
  }

  expect_failures = [var.artifact_prefix]
}
