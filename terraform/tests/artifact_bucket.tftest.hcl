# What the bucket promises. The provider is mocked: no account, no network.

mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::edgewise-artifacts-test"
    }
  }
}

variables {
  name                    = "edgewise-artifacts-test"
  noncurrent_version_days = null
}

run "the_bucket_is_private" {
  module {
    source = "./modules/artifact_bucket"
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
    condition     = aws_s3_bucket.this.force_destroy == false
    error_message = "Artifacts must survive a destroy unless the user asks otherwise."
  }
}

run "the_bucket_keeps_versions_for_ever_by_default" {
  module {
    source = "./modules/artifact_bucket"
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "The bucket must be versioned."
  }

  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this) == 0
    error_message = "Nothing may expire unless the user asks for it."
  }
}

run "replaced_artifacts_expire_when_asked" {
  variables {
    noncurrent_version_days = 90
  }

  module {
    source = "./modules/artifact_bucket"
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this[0].rule[0].noncurrent_version_expiration[0].noncurrent_days == 90
    error_message = "The rule must carry the days that were asked for."
  }

  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this[0].rule[0].expiration) == 0
    error_message = "A current artifact must never expire."
  }
}

run "calls_without_tls_are_refused" {
  module {
    source = "./modules/artifact_bucket"
  }

  assert {
    condition = jsondecode(output.policy_json).Statement == [{
      Sid       = "DenyWithoutTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource = [
        "arn:aws:s3:::edgewise-artifacts-test",
        "arn:aws:s3:::edgewise-artifacts-test/*",
      ]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = "The policy must deny every call to the bucket and its objects without TLS, and say nothing else."
  }
}

run "objects_are_encrypted_with_keys_of_s3_by_default" {
  module {
    source = "./modules/artifact_bucket"
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "Without a key of one's own the algorithm is AES256."
  }
}

run "objects_are_encrypted_with_the_key_that_is_given" {
  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  module {
    source = "./modules/artifact_bucket"
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
    error_message = "With a key the algorithm is aws:kms."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn
    error_message = "The key must be the one that was given."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).bucket_key_enabled
    error_message = "With KMS the bucket key must be on."
  }
}

run "a_name_that_s3_refuses_is_refused_before" {
  command = plan

  variables {
    name = "Not_A_Bucket"
  }

  module {
    source = "./modules/artifact_bucket"
  }

  expect_failures = [var.name]
}
