# What the bucket of the states promises. The provider is mocked: no account, no network.

mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::slm-terraform-state-test"
    }
  }

  mock_resource "aws_kms_key" {
    defaults = {
      arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    }
  }

  mock_data "aws_caller_identity" {
    defaults = {
      account_id = "123456789012"
      arn        = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_AdministratorAccess_0123456789abcdef/session"
    }
  }

  mock_data "aws_partition" {
    defaults = {
      partition = "aws"
    }
  }

  mock_data "aws_iam_session_context" {
    defaults = {
      issuer_arn = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_AdministratorAccess_0123456789abcdef"
    }
  }
}

variables {
  environment = "dev"
  aws_region  = "eu-central-1"
  bucket_name = "slm-terraform-state-test"
}

run "the_bucket_is_named_as_asked_and_survives_a_destroy" {
  variables {
    account_id = "123456789012"
  }

  module {
    source = "./bootstrap"
  }

  assert {
    condition     = output.bucket_name == "slm-terraform-state-test" && output.bucket_arn == "arn:aws:s3:::slm-terraform-state-test"
    error_message = "The bucket must be handed out as itself."
  }

  assert {
    condition     = var.force_destroy == false
    error_message = "States must survive a destroy unless the user asks otherwise."
  }
}

run "the_state_has_a_key_of_its_own" {
  module {
    source = "./bootstrap"
  }

  assert {
    condition     = aws_kms_key.state.enable_key_rotation && aws_kms_key.state.deletion_window_in_days == 30
    error_message = "The key must rotate, and be there for thirty days after it was deleted."
  }

  assert {
    condition     = aws_kms_alias.state.name == "alias/edgewise-dev-state"
    error_message = "The alias must be named after the stack."
  }

  assert {
    condition = jsondecode(output.kms_key_policy_json).Statement == [{
      Sid       = "AccountDecidesByIam"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::123456789012:root" }
      Action    = "kms:*"
      Resource  = "*"
    }]
    error_message = "The account decides who uses the key, and no service does."
  }

  assert {
    condition = one([
      for statement in jsondecode(output.bucket_policy_json).Statement : statement.Condition.StringNotEquals if statement.Sid == "DenyForeignKey"
    ]) == { "s3:x-amz-server-side-encryption-aws-kms-key-id" = output.kms_key_arn }
    error_message = "A state under another key must be refused."
  }
}

run "the_two_buckets_are_guarded_by_whoever_applies" {
  module {
    source = "./bootstrap"
  }

  assert {
    condition = alltrue([
      for policy in [output.bucket_policy_json, output.access_log_bucket_policy_json] :
      one([for statement in jsondecode(policy).Statement : statement.Condition if statement.Sid == "DenyToAllButGuardians"]) == {
        ArnNotLike = {
          "aws:PrincipalArn" = ["arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_AdministratorAccess_0123456789abcdef"]
        }
      }
    ])
    error_message = "The role behind the session must be the guardian of both buckets."
  }
}

run "the_access_log_has_a_bucket_of_its_own" {
  module {
    source = "./bootstrap"
  }

  assert {
    condition     = output.access_log_bucket_name == "slm-terraform-state-test-logs"
    error_message = "The bucket of the access log must be named after that of the state."
  }

  assert {
    condition = one([
      for statement in jsondecode(output.access_log_bucket_policy_json).Statement : statement.Condition.ArnLike if statement.Sid == "AllowLogDelivery"
    ]) == { "aws:SourceArn" = "arn:aws:s3:::slm-terraform-state-test*" }
    error_message = "Logs of other buckets must be refused."
  }
}

run "guardians_that_are_named_guard" {
  variables {
    guardian_arns = ["arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_AdministratorAccess_*"]
  }

  module {
    source = "./bootstrap"
  }

  assert {
    condition = tolist(one([
      for statement in jsondecode(output.bucket_policy_json).Statement : statement.Condition.ArnNotLike["aws:PrincipalArn"] if statement.Sid == "DenyToAllButGuardians"
    ])) == var.guardian_arns
    error_message = "The guardians that were named must guard."
  }
}

run "guardians_without_whoever_applies_are_refused" {
  command = plan

  variables {
    guardian_arns = ["arn:aws:iam::123456789012:role/somebody-else"]
  }

  module {
    source = "./bootstrap"
  }

  expect_failures = [aws_kms_key.state]
}

run "a_dot_in_a_guardian_is_no_wildcard" {
  command = plan

  variables {
    guardian_arns = ["arn:aws:iam::123456789012:role/aws.reserved/*"]
  }

  module {
    source = "./bootstrap"
  }

  expect_failures = [aws_kms_key.state]
}

run "wrong_values_are_refused" {
  command = plan

  variables {
    name          = "Edgewise"
    environment   = "production"
    account_id    = "1234"
    aws_region    = "Frankfurt"
    aws_endpoint  = "127.0.0.1:5000"
    bucket_name   = "Not_A_Bucket"
    guardian_arns = ["arn:aws:iam::123456789012:role/*"]
  }

  module {
    source = "./bootstrap"
  }

  expect_failures = [
    var.name,
    var.environment,
    var.account_id,
    var.aws_region,
    var.aws_endpoint,
    var.bucket_name,
    var.guardian_arns,
  ]
}
