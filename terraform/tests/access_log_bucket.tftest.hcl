# What the bucket of the access logs promises. The provider is mocked: no account, no network.

mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::slm-access-logs-test"
    }
  }
}

variables {
  name                 = "slm-access-logs-test"
  account_id           = "123456789012"
  source_bucket_prefix = "slm-"
  guardian_arns        = ["arn:aws:iam::123456789012:role/edgewise-dev-guardian"]
}

run "the_example_makes_a_bucket" {
  module {
    source = "./examples/access_log_bucket"
  }

  assert {
    condition     = output.name == "slm-access-logs-123456789012"
    error_message = "The name must be handed out."
  }
}

run "the_policy_comes_after_every_setting_that_it_guards" {
  command = plan

  module {
    source = "./modules/access_log_bucket"
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
    source = "./modules/access_log_bucket"
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
    error_message = "Logs must survive a destroy unless the user asks otherwise."
  }
}

run "logs_are_versioned_and_encrypted_with_keys_of_s3" {
  module {
    source = "./modules/access_log_bucket"
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "The bucket must be versioned."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "S3 delivers no log into a bucket with a KMS key."
  }
}

run "logs_expire" {
  variables {
    expire_days = 180
  }

  module {
    source = "./modules/access_log_bucket"
  }

  assert {
    condition = alltrue([
      one(aws_s3_bucket_lifecycle_configuration.this.rule).expiration[0].days == 180,
      one(aws_s3_bucket_lifecycle_configuration.this.rule).noncurrent_version_expiration[0].noncurrent_days == 30,
      one(aws_s3_bucket_lifecycle_configuration.this.rule).abort_incomplete_multipart_upload[0].days_after_initiation == 7,
    ])
    error_message = "Logs must go when it was asked for, and what somebody deleted a month later."
  }
}

run "only_s3_writes_for_buckets_of_this_account" {
  module {
    source = "./modules/access_log_bucket"
  }

  assert {
    condition = [for statement in jsondecode(output.policy_json).Statement : statement if statement.Effect == "Allow"] == [{
      Sid       = "AllowLogDelivery"
      Effect    = "Allow"
      Principal = { Service = "logging.s3.amazonaws.com" }
      Action    = "s3:PutObject"
      Resource  = "arn:aws:s3:::slm-access-logs-test/*"
      Condition = {
        ArnLike      = { "aws:SourceArn" = "arn:aws:s3:::slm-*" }
        StringEquals = { "aws:SourceAccount" = "123456789012" }
      }
    }]
    error_message = "The log delivery of S3 may write, for the buckets of this account, and nobody else."
  }

  assert {
    condition = one([for statement in jsondecode(output.policy_json).Statement : statement if statement.Sid == "DenyForgedLogs"]) == {
      Sid       = "DenyForgedLogs"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = "arn:aws:s3:::slm-access-logs-test/*"
      Condition = { Bool = { "aws:PrincipalIsAWSService" = "false" } }
    }
    error_message = "People and roles must be denied to write logs."
  }
}

run "calls_without_modern_tls_are_refused_everywhere" {
  module {
    source = "./modules/access_log_bucket"
  }

  assert {
    condition = {
      for statement in jsondecode(output.policy_json).Statement : statement.Sid => [statement.Effect, statement.Action, statement.Resource, statement.Condition]
      if contains(["DenyWithoutTls", "DenyOldTls"], statement.Sid)
      } == {
      DenyWithoutTls = ["Deny", "s3:*", ["arn:aws:s3:::slm-access-logs-test", "arn:aws:s3:::slm-access-logs-test/*"], { Bool = { "aws:SecureTransport" = "false" } }]
      DenyOldTls     = ["Deny", "s3:*", ["arn:aws:s3:::slm-access-logs-test", "arn:aws:s3:::slm-access-logs-test/*"], { NumericLessThan = { "s3:TlsVersion" = "1.2" } }]
    }
    error_message = "The rules must cover every call to the bucket and its objects."
  }
}

run "nobody_turns_versioning_off" {
  module {
    source = "./modules/access_log_bucket"
  }

  assert {
    condition = one([for statement in jsondecode(output.policy_json).Statement : statement if statement.Sid == "DenyVersioningChange"]) == {
      Sid       = "DenyVersioningChange"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutBucketVersioning"
      Resource  = "arn:aws:s3:::slm-access-logs-test"
    }
    error_message = "Versioning must be out of reach for everybody, guardians too."
  }
}

run "only_guardians_delete_logs_or_weaken_the_bucket" {
  module {
    source = "./modules/access_log_bucket"
  }

  assert {
    condition = length(setsubtract(
      [
        "s3:DeleteBucket",
        "s3:DeleteBucketPolicy",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:PutBucketAcl",
        "s3:PutBucketLogging",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration",
        "s3:PutReplicationConfiguration",
      ],
      one([for statement in jsondecode(output.policy_json).Statement : statement.Action if statement.Sid == "DenyToAllButGuardians"]),
    )) == 0
    error_message = "Everything that takes logs away or weakens the bucket must be kept for guardians."
  }

  assert {
    condition = one([
      for statement in jsondecode(output.policy_json).Statement : [statement.Effect, statement.Resource, statement.Condition] if statement.Sid == "DenyToAllButGuardians"
      ]) == [
      "Deny",
      ["arn:aws:s3:::slm-access-logs-test", "arn:aws:s3:::slm-access-logs-test/*"],
      { ArnNotLike = { "aws:PrincipalArn" = ["arn:aws:iam::123456789012:role/edgewise-dev-guardian"] } },
    ]
    error_message = "The bucket and the logs must be covered, for everybody but the guardians."
  }
}

run "wrong_values_are_refused" {
  command = plan

  variables {
    name                 = "Not_A_Bucket"
    account_id           = "1234"
    partition            = "azure"
    source_bucket_prefix = "*"
    expire_days          = 0
    guardian_arns        = []
  }

  module {
    source = "./modules/access_log_bucket"
  }

  expect_failures = [
    var.name,
    var.account_id,
    var.partition,
    var.source_bucket_prefix,
    var.expire_days,
    var.guardian_arns,
  ]
}

run "a_guardian_that_is_anybody_is_refused" {
  command = plan

  variables {
    guardian_arns = ["arn:aws:iam::123456789012:role/*"]
  }

  module {
    source = "./modules/access_log_bucket"
  }

  expect_failures = [var.guardian_arns]
}
