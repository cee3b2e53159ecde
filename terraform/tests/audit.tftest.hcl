# What the trail promises. The provider is mocked: no account, no network.

mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::slm-audit-trail-test"
    }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = {
      arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/edgewise/edgewise-dev/trail"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::123456789012:role/edgewise-dev-trail-logs"
    }
  }

  mock_resource "aws_cloudtrail" {
    defaults = {
      arn = "arn:aws:cloudtrail:eu-central-1:123456789012:trail/edgewise-dev-trail"
    }
  }
}

variables {
  name              = "edgewise-dev"
  account_id        = "123456789012"
  region            = "eu-central-1"
  bucket_name       = "slm-audit-trail-test"
  kms_key_arn       = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  access_log_bucket = "slm-access-logs-test"
  guardian_arns     = ["arn:aws:iam::123456789012:role/edgewise-dev-guardian"]
}

run "the_example_makes_a_trail" {
  module {
    source = "./examples/audit"
  }

  assert {
    condition     = output.trail_arn == "arn:aws:cloudtrail:eu-central-1:123456789012:trail/edgewise-dev-trail"
    error_message = "The trail must be handed out."
  }
}

run "the_trail_records_every_region_and_can_be_proved" {
  module {
    source = "./modules/audit"
  }

  assert {
    condition = alltrue([
      aws_cloudtrail.this.name == "edgewise-dev-trail",
      aws_cloudtrail.this.is_multi_region_trail,
      aws_cloudtrail.this.include_global_service_events,
      aws_cloudtrail.this.enable_logging,
      aws_cloudtrail.this.enable_log_file_validation,
    ])
    error_message = "The trail must be on, record every region, and sign its files."
  }

  assert {
    condition     = aws_cloudtrail.this.kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "The trail and its log group must be encrypted with the key that was given."
  }
}

run "the_trail_goes_to_its_bucket_and_its_log_group" {
  module {
    source = "./modules/audit"
  }

  assert {
    condition     = aws_cloudtrail.this.s3_bucket_name == "slm-audit-trail-test" && output.bucket_name == "slm-audit-trail-test"
    error_message = "The files must go to the bucket of the trail."
  }

  assert {
    condition = alltrue([
      aws_cloudtrail.this.cloud_watch_logs_group_arn == "${output.log_group_arn}:*",
      aws_cloudtrail.this.cloud_watch_logs_role_arn == output.logs_role_arn,
      output.log_group_name == "/edgewise/edgewise-dev/trail",
      aws_cloudwatch_log_group.this.retention_in_days == 365,
    ])
    error_message = "The events must be searchable for a year in the log group of the stack."
  }
}

run "by_default_only_management_is_recorded" {
  module {
    source = "./modules/audit"
  }

  assert {
    condition     = [for selector in aws_cloudtrail.this.advanced_event_selector : [for field in selector.field_selector : field.equals]] == [[tolist(["Management"])]]
    error_message = "Events of objects cost, so they are recorded only when asked for."
  }
}

run "objects_of_watched_buckets_are_recorded_when_asked" {
  variables {
    data_event_bucket_arns = ["arn:aws:s3:::slm-intents-raw-test", "arn:aws:s3:::slm-edge-deployments-test"]
  }

  module {
    source = "./modules/audit"
  }

  assert {
    condition = one(flatten([
      for selector in aws_cloudtrail.this.advanced_event_selector : [
        for field in selector.field_selector : [field] if field.field == "resources.ARN"
      ]
    ])).starts_with == tolist(["arn:aws:s3:::slm-intents-raw-test/", "arn:aws:s3:::slm-edge-deployments-test/"])
    error_message = "Every object of the watched buckets must be recorded, and no other bucket whose name begins alike."
  }

  assert {
    condition = one(flatten([
      for selector in aws_cloudtrail.this.advanced_event_selector : [
        for field in selector.field_selector : [field] if field.field == "readOnly"
      ]
    ])).equals == tolist(["false"])
    error_message = "Writes of objects must be recorded, and downloads must not: every device downloads every release."
  }

  assert {
    condition     = length(aws_cloudtrail.this.advanced_event_selector) == 2
    error_message = "Management must still be recorded."
  }
}

run "only_this_trail_writes_into_the_bucket" {
  module {
    source = "./modules/audit"
  }

  assert {
    condition = {
      for statement in jsondecode(output.bucket_policy_json).Statement : statement.Sid => [statement.Principal, statement.Action, statement.Resource, statement.Condition]
      if statement.Effect == "Allow"
      } == {
      AllowTrailToLook = [
        { Service = "cloudtrail.amazonaws.com" },
        "s3:GetBucketAcl",
        "arn:aws:s3:::slm-audit-trail-test",
        { ArnEquals = { "aws:SourceArn" = "arn:aws:cloudtrail:eu-central-1:123456789012:trail/edgewise-dev-trail" } },
      ]
      AllowTrailToWrite = [
        { Service = "cloudtrail.amazonaws.com" },
        "s3:PutObject",
        "arn:aws:s3:::slm-audit-trail-test/AWSLogs/123456789012/*",
        {
          ArnEquals    = { "aws:SourceArn" = "arn:aws:cloudtrail:eu-central-1:123456789012:trail/edgewise-dev-trail" }
          StringEquals = { "s3:x-amz-acl" = "bucket-owner-full-control" }
        },
      ]
    }
    error_message = "The trail of the stack may look and write below its own folder, and nobody else may anything."
  }

  assert {
    condition = one([for statement in jsondecode(output.bucket_policy_json).Statement : statement if statement.Sid == "DenyForgedFiles"]) == {
      Sid       = "DenyForgedFiles"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = "arn:aws:s3:::slm-audit-trail-test/*"
      Condition = { Bool = { "aws:PrincipalIsAWSService" = "false" } }
    }
    error_message = "People and roles must be denied to write into the trail."
  }
}

run "the_bucket_is_guarded_like_every_other" {
  module {
    source = "./modules/audit"
  }

  assert {
    condition = length(setsubtract(
      ["DenyWithoutTls", "DenyOldTls", "DenyForeignKey", "DenyKeyOfS3", "DenyOtherEncryption", "DenyKeyOfCaller", "DenyVersioningChange", "DenyToAllButGuardians"],
      [for statement in jsondecode(output.bucket_policy_json).Statement : statement.Sid if statement.Effect == "Deny"],
    )) == 0
    error_message = "The bucket of the trail must be a private bucket."
  }
}

run "digests_are_taken_as_the_trail_encrypts_them" {
  module {
    source = "./modules/audit"
  }

  assert {
    condition = [
      one([for statement in jsondecode(output.bucket_policy_json).Statement : statement.Condition.StringNotEquals["aws:PrincipalServiceName"] if statement.Sid == "DenyOtherEncryption"]),
      one([for statement in jsondecode(output.bucket_policy_json).Statement : statement.NotResource if statement.Sid == "DenyOtherEncryptionElsewhere"]),
    ] == ["cloudtrail.amazonaws.com", "arn:aws:s3:::slm-audit-trail-test/AWSLogs/123456789012/CloudTrail-Digest/*"]
    error_message = "CloudTrail may use the key of S3 for its digests, and for nothing else."
  }
}

run "the_role_serves_this_trail_and_writes_its_streams" {
  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/edgewise-dev-guardrails"
  }

  module {
    source = "./modules/audit"
  }

  assert {
    condition = jsondecode(output.logs_trust_json).Statement == [{
      Sid       = "TrailOfTheStack"
      Effect    = "Allow"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        ArnEquals    = { "aws:SourceArn" = "arn:aws:cloudtrail:eu-central-1:123456789012:trail/edgewise-dev-trail" }
        StringEquals = { "aws:SourceAccount" = "123456789012" }
      }
    }]
    error_message = "CloudTrail may act as the role for this trail, and nobody else."
  }

  assert {
    condition = jsondecode(output.logs_policy_json).Statement == [{
      Sid      = "WriteStreamsOfTheTrail"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "arn:aws:logs:eu-central-1:123456789012:log-group:/edgewise/edgewise-dev/trail:log-stream:123456789012_CloudTrail_eu-central-1*"
    }]
    error_message = "The role may write the streams of the trail, and nothing else."
  }

  assert {
    condition     = aws_iam_role.logs.permissions_boundary == var.permissions_boundary_arn && aws_iam_role.logs.name == "edgewise-dev-trail-logs"
    error_message = "The role must carry the boundary that was given."
  }
}

run "wrong_values_are_refused" {
  command = plan

  variables {
    name                     = "Edgewise"
    account_id               = "1234"
    region                   = "Frankfurt"
    kms_key_arn              = "alias/my-key"
    access_log_bucket        = "Not_A_Bucket_Either"
    guardian_arns            = []
    trail_retention_days     = 90
    log_retention_days       = 364
    data_event_bucket_arns   = ["arn:aws:s3:::slm-intents-raw-test/folder"]
    permissions_boundary_arn = "edgewise-dev-guardrails"
  }

  module {
    source = "./modules/audit"
  }

  expect_failures = [
    var.name,
    var.account_id,
    var.region,
    var.kms_key_arn,
    var.access_log_bucket,
    var.guardian_arns,
    var.trail_retention_days,
    var.log_retention_days,
    var.data_event_bucket_arns,
    var.permissions_boundary_arn,
  ]
}

run "values_that_others_depend_on_are_refused" {
  command = plan

  variables {
    partition        = "azure"
    bucket_name      = "Not_A_Bucket"
    object_lock_days = 0
  }

  module {
    source = "./modules/audit"
  }

  expect_failures = [
    var.partition,
    var.bucket_name,
    var.object_lock_days,
  ]
}

run "a_bucket_does_not_log_into_itself" {
  command = plan

  variables {
    access_log_bucket = "slm-audit-trail-test"
  }

  module {
    source = "./modules/audit"
  }

  expect_failures = [var.access_log_bucket]
}

run "a_lock_longer_than_the_files_are_kept_is_refused" {
  command = plan

  variables {
    object_lock_days     = 401
    trail_retention_days = 400
  }

  module {
    source = "./modules/audit"
  }

  expect_failures = [var.trail_retention_days]
}

run "a_trail_does_not_record_its_own_bucket" {
  command = plan

  variables {
    data_event_bucket_arns = ["arn:aws:s3:::slm-audit-trail-test"]
  }

  module {
    source = "./modules/audit"
  }

  expect_failures = [var.data_event_bucket_arns]
}

run "a_guardian_that_is_anybody_is_refused" {
  command = plan

  variables {
    guardian_arns = ["arn:aws:iam::123456789012:role/*"]
  }

  module {
    source = "./modules/audit"
  }

  expect_failures = [var.guardian_arns]
}
