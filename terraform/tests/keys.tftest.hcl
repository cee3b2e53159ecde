# What the keys promise, above all who may sign. The provider is mocked: no account, no network.

mock_provider "aws" {}

variables {
  name             = "edgewise-dev"
  account_id       = "123456789012"
  region           = "eu-central-1"
  signer_role_arns = ["arn:aws:iam::123456789012:role/edgewise-dev-signer"]
}

run "the_example_makes_two_keys_with_aliases" {
  module {
    source = "./examples/keys"
  }

  assert {
    condition     = output.data_alias == "alias/edgewise-dev-data" && output.signing_alias == "alias/edgewise-dev-signing"
    error_message = "Both aliases must be named after the stack."
  }
}

run "the_data_key_rotates_and_can_be_taken_back" {
  module {
    source = "./modules/keys"
  }

  assert {
    condition     = aws_kms_key.data.enable_key_rotation
    error_message = "The data key must rotate."
  }

  assert {
    condition     = aws_kms_key.data.deletion_window_in_days == 30 && aws_kms_key.signing.deletion_window_in_days == 30
    error_message = "A deleted key must be there for thirty days, unless the user asks otherwise."
  }
}

run "the_signing_key_is_an_elliptic_curve_that_signs" {
  module {
    source = "./modules/keys"
  }

  assert {
    condition     = aws_kms_key.signing.customer_master_key_spec == "ECC_NIST_P256" && aws_kms_key.signing.key_usage == "SIGN_VERIFY"
    error_message = "Devices verify ECDSA signatures on P-256."
  }
}

run "the_outputs_are_those_of_the_two_keys" {
  module {
    source = "./modules/keys"
  }

  assert {
    condition     = output.data_key_arn == aws_kms_key.data.arn && output.data_key_id == aws_kms_key.data.key_id && output.data_policy_json == aws_kms_key.data.policy
    error_message = "The data key must be handed out as itself."
  }

  assert {
    condition     = output.signing_key_arn == aws_kms_key.signing.arn && output.signing_key_id == aws_kms_key.signing.key_id && output.signing_policy_json == aws_kms_key.signing.policy
    error_message = "The signing key must be handed out as itself."
  }
}

run "only_the_signer_signs" {
  module {
    source = "./modules/keys"
  }

  assert {
    condition = [
      for statement in jsondecode(output.signing_policy_json).Statement : statement.Sid
      if statement.Effect == "Allow" && anytrue([for action in flatten([statement.Action]) : contains(["kms:*", "*", "kms:Sign", "kms:S*", "kms:CreateGrant"], action)])
    ] == ["SignersSign"]
    error_message = "One statement allows to sign, and none allows to hand signing on."
  }

  assert {
    condition = one([for statement in jsondecode(output.signing_policy_json).Statement : statement if statement.Sid == "SignersSign"]) == {
      Sid       = "SignersSign"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::123456789012:root" }
      Action    = "kms:Sign"
      Resource  = "*"
      Condition = { ArnEquals = { "aws:PrincipalArn" = ["arn:aws:iam::123456789012:role/edgewise-dev-signer"] } }
    }
    error_message = "The role that signs may sign, and nothing else."
  }

  assert {
    condition = one([for statement in jsondecode(output.signing_policy_json).Statement : statement if statement.Effect == "Deny"]) == {
      Sid       = "NobodyElseSigns"
      Effect    = "Deny"
      Principal = "*"
      Action    = "kms:Sign"
      Resource  = "*"
      Condition = { ArnNotEquals = { "aws:PrincipalArn" = ["arn:aws:iam::123456789012:role/edgewise-dev-signer"] } }
    }
    error_message = "Everybody else must be denied to sign, whatever other statements say."
  }
}

run "everybody_who_may_by_iam_verifies" {
  module {
    source = "./modules/keys"
  }

  assert {
    condition = one([
      for statement in jsondecode(output.signing_policy_json).Statement : statement.Action if statement.Sid == "VerificationByIam"
    ]) == ["kms:DescribeKey", "kms:GetPublicKey", "kms:Verify"]
    error_message = "The public half and verification must be open to the account."
  }
}

run "the_account_can_always_change_both_policies" {
  module {
    source = "./modules/keys"
  }

  assert {
    condition = alltrue([
      contains(flatten([for statement in jsondecode(output.data_policy_json).Statement : statement.Action if statement.Sid == "AccountDecidesByIam"]), "kms:*"),
      contains(flatten([for statement in jsondecode(output.signing_policy_json).Statement : statement.Action if statement.Sid == "AdministrationByIam"]), "kms:PutKeyPolicy"),
    ])
    error_message = "A key whose policy nobody can change is lost."
  }
}

run "services_use_the_data_key_for_this_stack_only" {
  module {
    source = "./modules/keys"
  }

  assert {
    condition = {
      for statement in jsondecode(output.data_policy_json).Statement : statement.Sid => [statement.Principal.Service, statement.Condition]
      if can(statement.Principal.Service)
      } == {
      TrailEncryptsItsFiles = [
        "cloudtrail.amazonaws.com",
        { ArnEquals = { "aws:SourceArn" = "arn:aws:cloudtrail:eu-central-1:123456789012:trail/edgewise-dev-trail" } },
      ]
      LogGroupsOfTheStack = [
        "logs.eu-central-1.amazonaws.com",
        { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:eu-central-1:123456789012:log-group:/edgewise/edgewise-dev/*" } },
      ]
      LogGroupsLookAtTheKey = [
        "logs.eu-central-1.amazonaws.com",
        { StringEqualsIfExists = { "aws:SourceAccount" = "123456789012" } },
      ]
      AlertsOfTheAccount = [
        ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"],
        { StringEquals = { "aws:SourceAccount" = "123456789012" } },
      ]
    }
    error_message = "Each service must be bound to the trail, the log groups or the account of this stack."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(output.data_policy_json).Statement :
      !anytrue([for action in flatten([statement.Action]) : contains(["kms:*", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"], action)])
      if can(statement.Principal.Service)
    ])
    error_message = "No service may administer the key."
  }
}

run "logs_looks_at_the_key_without_an_encryption_context_and_does_no_more" {
  module {
    source = "./modules/keys"
  }

  assert {
    condition = {
      for statement in jsondecode(output.data_policy_json).Statement : statement.Sid => contains(flatten([statement.Action]), "kms:DescribeKey")
      if try(statement.Principal.Service == "logs.eu-central-1.amazonaws.com", false)
    } == { LogGroupsOfTheStack = false, LogGroupsLookAtTheKey = true }
    error_message = "DescribeKey has no encryption context, so the statement that asks for one cannot allow it."
  }

  assert {
    condition     = one([for statement in jsondecode(output.data_policy_json).Statement : statement.Action if statement.Sid == "LogGroupsLookAtTheKey"]) == "kms:DescribeKey"
    error_message = "Without the context of a log group nothing may be encrypted or decrypted."
  }
}

run "another_partition_reaches_every_arn" {
  variables {
    partition        = "aws-cn"
    region           = "cn-north-1"
    signer_role_arns = ["arn:aws-cn:iam::123456789012:role/edgewise-dev-signer"]
  }

  module {
    source = "./modules/keys"
  }

  assert {
    condition     = length(regexall("arn:aws:", "${output.data_policy_json}${output.signing_policy_json}")) == 0
    error_message = "Every ARN must be of the partition that was given."
  }
}

run "wrong_values_are_refused" {
  command = plan

  variables {
    name                 = "Edgewise"
    account_id           = "1234"
    partition            = "azure"
    region               = "Frankfurt"
    signer_role_arns     = ["arn:aws:iam::123456789012:role/*"]
    deletion_window_days = 3
  }

  module {
    source = "./modules/keys"
  }

  expect_failures = [
    var.name,
    var.account_id,
    var.partition,
    var.region,
    var.signer_role_arns,
    var.deletion_window_days,
  ]
}

run "a_signing_key_without_a_signer_is_refused" {
  command = plan

  variables {
    signer_role_arns = []
  }

  module {
    source = "./modules/keys"
  }

  expect_failures = [var.signer_role_arns]
}
