# What a bucket promises. The provider is mocked: no account, no network.

mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::slm-edge-deployments-test"
    }
  }
}

variables {
  name              = "slm-edge-deployments-test"
  kms_key_arn       = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  access_log_bucket = "slm-access-logs-test"
  guardian_arns     = ["arn:aws:iam::123456789012:role/edgewise-dev-guardian"]
}

run "the_example_makes_a_bucket" {
  module {
    source = "./examples/private_bucket"
  }

  assert {
    condition     = output.name == "slm-edge-deployments-123456789012"
    error_message = "The name must be handed out."
  }
}

run "the_policy_comes_after_every_setting_that_it_guards" {
  command = plan

  module {
    source = "./modules/private_bucket"
  }

  assert {
    # An order leaves no trace in the values, so the configuration itself is read.
    condition = toset([for found in regexall("aws_s3_bucket_[a-z_]+", regex("(?s)depends_on = \\[(.*)\\]", file("${path.module}/policy.tf"))[0]) : found]) == toset([
      for found in regexall("resource \"(aws_s3_bucket_[a-z_]+)\"", file("${path.module}/main.tf")) : found[0]
    ])
    error_message = "An apply that is broken off must not leave a policy that forbids the rest."
  }
}

run "the_bucket_is_private_and_has_one_owner" {
  module {
    source = "./modules/private_bucket"
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "Every kind of public access must be blocked."
  }

  assert {
    condition     = aws_s3_bucket_ownership_controls.this.rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "Access control lists must be off."
  }

  assert {
    condition     = aws_s3_bucket.this.bucket == var.name && aws_s3_bucket.this.force_destroy == false
    error_message = "Objects must survive a destroy unless the user asks otherwise."
  }
}

run "every_version_is_kept" {
  module {
    source = "./modules/private_bucket"
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "The bucket must be versioned."
  }

  assert {
    condition     = length(aws_s3_bucket_object_lock_configuration.this) == 0
    error_message = "Nothing is locked unless the user asks for it."
  }
}

run "objects_are_encrypted_with_the_key_and_a_bucket_key" {
  module {
    source = "./modules/private_bucket"
  }

  assert {
    condition = alltrue([
      one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms",
      one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn,
      one(aws_s3_bucket_server_side_encryption_configuration.this.rule).bucket_key_enabled,
    ])
    error_message = "The key must be the one that was given, with the bucket key on."
  }
}

run "access_is_logged_under_the_name_of_the_bucket" {
  module {
    source = "./modules/private_bucket"
  }

  assert {
    condition     = aws_s3_bucket_logging.this.target_bucket == "slm-access-logs-test" && aws_s3_bucket_logging.this.target_prefix == "slm-edge-deployments-test/"
    error_message = "The access log must go below the name of the bucket."
  }
}

run "by_default_age_does_nothing_but_clean_up" {
  module {
    source = "./modules/private_bucket"
  }

  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.this.rule).abort_incomplete_multipart_upload[0].days_after_initiation == 7
    error_message = "Uploads that never ended must go after a week."
  }

  assert {
    condition = alltrue([
      length(one(aws_s3_bucket_lifecycle_configuration.this.rule).transition) == 0,
      length(one(aws_s3_bucket_lifecycle_configuration.this.rule).noncurrent_version_expiration) == 0,
      one(aws_s3_bucket_lifecycle_configuration.this.rule).expiration[0].expired_object_delete_marker,
    ])
    error_message = "Nothing may move or expire unless the user asks for it."
  }
}

run "age_does_what_was_asked" {
  variables {
    lifecycle_rules = {
      transition_ia_days      = 30
      transition_archive_days = 90
      expire_days             = 365
      noncurrent_days         = 14
    }
  }

  module {
    source = "./modules/private_bucket"
  }

  assert {
    condition = {
      for transition in one(aws_s3_bucket_lifecycle_configuration.this.rule).transition : transition.storage_class => transition.days
    } == { STANDARD_IA = 30, GLACIER_IR = 90 }
    error_message = "Objects must move when it was asked for, into classes that answer at once."
  }

  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.this.rule).expiration[0].days == 365
    error_message = "Objects must expire when it was asked for."
  }

  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.this.rule).noncurrent_version_expiration[0].noncurrent_days == 14
    error_message = "Replaced versions must expire when it was asked for."
  }
}

run "releases_are_locked_when_asked" {
  variables {
    object_lock_days = 90
  }

  module {
    source = "./modules/private_bucket"
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_object_lock_configuration.this[0].rule[0].default_retention[0].mode == "GOVERNANCE",
      aws_s3_bucket_object_lock_configuration.this[0].rule[0].default_retention[0].days == 90,
    ])
    error_message = "The lock must hold as long as was asked, and let guardians through."
  }
}

run "the_policy_says_no_and_nothing_else" {
  module {
    source = "./modules/private_bucket"
  }

  assert {
    condition     = alltrue([for statement in jsondecode(output.policy_json).Statement : statement.Effect == "Deny" && statement.Principal == "*"])
    error_message = "By itself the bucket lets nobody in."
  }

  assert {
    condition = { for statement in jsondecode(output.policy_json).Statement : statement.Sid => try(statement.Condition, null) } == {
      DenyWithoutTls = { Bool = { "aws:SecureTransport" = "false" } }
      DenyOldTls     = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      DenyForeignKey = {
        Null            = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "false" }
        StringNotEquals = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = var.kms_key_arn }
      }
      DenyKeyOfS3 = {
        Null         = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "true" }
        StringEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" }
      }
      DenyOtherEncryption = {
        Null            = { "s3:x-amz-server-side-encryption" = "false" }
        StringNotEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" }
      }
      DenyKeyOfCaller       = { Null = { "s3:x-amz-server-side-encryption-customer-algorithm" = "false" } }
      DenyVersioningChange  = null
      DenyToAllButGuardians = { ArnNotLike = { "aws:PrincipalArn" = ["arn:aws:iam::123456789012:role/edgewise-dev-guardian"] } }
    }
    error_message = "Each statement must hold under its condition, and the one about versioning under none."
  }
}

run "calls_without_modern_tls_are_refused_everywhere" {
  module {
    source = "./modules/private_bucket"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(output.policy_json).Statement :
      statement.Action == "s3:*" && statement.Resource == ["arn:aws:s3:::slm-edge-deployments-test", "arn:aws:s3:::slm-edge-deployments-test/*"]
      if contains(["DenyWithoutTls", "DenyOldTls"], statement.Sid)
    ])
    error_message = "The rule must cover every call to the bucket and its objects."
  }
}

run "uploads_under_another_key_are_refused" {
  module {
    source = "./modules/private_bucket"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(output.policy_json).Statement :
      statement.Action == "s3:PutObject" && statement.Resource == "arn:aws:s3:::slm-edge-deployments-test/*"
      if contains(["DenyForeignKey", "DenyKeyOfS3", "DenyOtherEncryption", "DenyKeyOfCaller"], statement.Sid)
    ])
    error_message = "The rules must cover every object."
  }
}

run "a_service_may_use_the_key_of_s3_below_its_folder_only" {
  variables {
    encrypted_by_service = { prefix = "AWSLogs/digests/", service = "cloudtrail.amazonaws.com" }
  }

  module {
    source = "./modules/private_bucket"
  }

  assert {
    condition = one([for statement in jsondecode(output.policy_json).Statement : statement.Condition if statement.Sid == "DenyOtherEncryption"]) == {
      Null            = { "s3:x-amz-server-side-encryption" = "false" }
      StringNotEquals = { "s3:x-amz-server-side-encryption" = "aws:kms", "aws:PrincipalServiceName" = "cloudtrail.amazonaws.com" }
    }
    error_message = "Everybody else must be denied as before."
  }

  assert {
    condition = one([for statement in jsondecode(output.policy_json).Statement : statement if statement.Sid == "DenyOtherEncryptionElsewhere"]) == {
      Sid         = "DenyOtherEncryptionElsewhere"
      Effect      = "Deny"
      Principal   = { Service = "cloudtrail.amazonaws.com" }
      Action      = "s3:PutObject"
      NotResource = "arn:aws:s3:::slm-edge-deployments-test/AWSLogs/digests/*"
      Condition = {
        Null            = { "s3:x-amz-server-side-encryption" = "false" }
        StringNotEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" }
      }
    }
    error_message = "The service must be denied outside of its folder."
  }
}

run "an_exception_for_the_whole_bucket_is_refused" {
  command = plan

  variables {
    encrypted_by_service = { prefix = "", service = "cloudtrail.amazonaws.com" }
  }

  module {
    source = "./modules/private_bucket"
  }

  expect_failures = [var.encrypted_by_service]
}

run "an_exception_for_what_is_no_service_is_refused" {
  command = plan

  variables {
    encrypted_by_service = { prefix = "AWSLogs/digests/", service = "arn:aws:iam::123456789012:role/writer" }
  }

  module {
    source = "./modules/private_bucket"
  }

  expect_failures = [var.encrypted_by_service]
}

run "nobody_turns_versioning_off" {
  module {
    source = "./modules/private_bucket"
  }

  assert {
    condition = one([for statement in jsondecode(output.policy_json).Statement : statement if statement.Sid == "DenyVersioningChange"]) == {
      Sid       = "DenyVersioningChange"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutBucketVersioning"
      Resource  = "arn:aws:s3:::slm-edge-deployments-test"
    }
    error_message = "Versioning must be out of reach for everybody, guardians too."
  }
}

run "only_guardians_weaken_the_bucket" {
  module {
    source = "./modules/private_bucket"
  }

  assert {
    condition = length(setsubtract(
      [
        "s3:BypassGovernanceRetention",
        "s3:DeleteBucket",
        "s3:DeleteBucketPolicy",
        "s3:DeleteObjectVersion",
        "s3:PutBucketAcl",
        "s3:PutBucketLogging",
        "s3:PutBucketObjectLockConfiguration",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration",
        "s3:PutReplicationConfiguration",
      ],
      one([for statement in jsondecode(output.policy_json).Statement : statement.Action if statement.Sid == "DenyToAllButGuardians"]),
    )) == 0
    error_message = "Everything that weakens the bucket must be kept for guardians."
  }

  assert {
    condition = one([
      for statement in jsondecode(output.policy_json).Statement : statement.Resource if statement.Sid == "DenyToAllButGuardians"
    ]) == ["arn:aws:s3:::slm-edge-deployments-test", "arn:aws:s3:::slm-edge-deployments-test/*"]
    error_message = "The bucket and its objects must be covered: versions are objects."
  }
}

run "more_statements_are_added_to_those_of_the_bucket" {
  variables {
    extra_statements_json = "[{\"Sid\":\"AllowReader\",\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"cloudtrail.amazonaws.com\"},\"Action\":\"s3:GetBucketAcl\",\"Resource\":\"arn:aws:s3:::slm-edge-deployments-test\"}]"
  }

  module {
    source = "./modules/private_bucket"
  }

  assert {
    condition     = length(jsondecode(output.policy_json).Statement) == 9 && jsondecode(output.policy_json).Statement[8].Sid == "AllowReader"
    error_message = "A statement must be added, and none replaced."
  }
}

run "wrong_values_are_refused" {
  command = plan

  variables {
    kms_key_arn           = "alias/my-key"
    access_log_bucket     = "Not_A_Bucket_Either"
    object_lock_days      = 0
    lifecycle_rules       = { noncurrent_days = 1.5 }
    guardian_arns         = []
    extra_statements_json = "{}"
  }

  module {
    source = "./modules/private_bucket"
  }

  expect_failures = [
    var.kms_key_arn,
    var.access_log_bucket,
    var.object_lock_days,
    var.lifecycle_rules,
    var.guardian_arns,
    var.extra_statements_json,
  ]
}

run "a_name_that_s3_refuses_is_refused_before" {
  command = plan

  variables {
    name = "Not_A_Bucket"
  }

  module {
    source = "./modules/private_bucket"
  }

  expect_failures = [var.name]
}

run "a_name_that_s3_keeps_for_itself_is_refused" {
  command = plan

  variables {
    name = "slm-intents-raw-s3alias"
  }

  module {
    source = "./modules/private_bucket"
  }

  expect_failures = [var.name]
}

run "a_bucket_does_not_log_into_itself" {
  command = plan

  variables {
    access_log_bucket = "slm-edge-deployments-test"
  }

  module {
    source = "./modules/private_bucket"
  }

  expect_failures = [var.access_log_bucket]
}

run "a_move_before_thirty_days_is_refused" {
  command = plan

  variables {
    lifecycle_rules = { transition_ia_days = 29 }
  }

  module {
    source = "./modules/private_bucket"
  }

  expect_failures = [var.lifecycle_rules]
}

run "a_second_move_too_soon_is_refused" {
  command = plan

  variables {
    lifecycle_rules = { transition_ia_days = 60, transition_archive_days = 89 }
  }

  module {
    source = "./modules/private_bucket"
  }

  expect_failures = [var.lifecycle_rules]
}

run "expiry_before_a_move_is_refused" {
  command = plan

  variables {
    lifecycle_rules = { transition_archive_days = 90, expire_days = 90 }
  }

  module {
    source = "./modules/private_bucket"
  }

  expect_failures = [var.lifecycle_rules]
}

run "a_guardian_that_is_anybody_is_refused" {
  command = plan

  variables {
    guardian_arns = ["arn:aws:iam::123456789012:role/*"]
  }

  module {
    source = "./modules/private_bucket"
  }

  expect_failures = [var.guardian_arns]
}

run "a_session_as_guardian_is_refused" {
  command = plan

  variables {
    guardian_arns = ["arn:aws:sts::123456789012:assumed-role/edgewise-dev-guardian/session"]
  }

  module {
    source = "./modules/private_bucket"
  }

  expect_failures = [var.guardian_arns]
}

run "a_statement_without_its_parts_is_refused" {
  command = plan

  variables {
    extra_statements_json = "[{\"Sid\":\"AllowReader\",\"Effect\":\"Allow\"}]"
  }

  module {
    source = "./modules/private_bucket"
  }

  expect_failures = [var.extra_statements_json]
}

run "a_statement_under_a_name_of_the_bucket_is_refused" {
  command = plan

  variables {
    extra_statements_json = "[{\"Sid\":\"DenyWithoutTls\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"*\"}]"
  }

  module {
    source = "./modules/private_bucket"
  }

  expect_failures = [var.extra_statements_json]
}
