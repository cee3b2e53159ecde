# A bucket that only says yes to encrypted calls with the right key, keeps every version, and
# whose protection only its guardians can change.

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_144:One region on purpose: versions and guards protect against deletion, and a copy elsewhere doubles the bill.
  #checkov:skip=CKV2_AWS_62:Nothing listens to events of this bucket.

  # Object lock is not asked for here but below: here a change of mind would replace the bucket.
  bucket        = var.name
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "this" {
  count = var.object_lock_days != null ? 1 : 0

  bucket = aws_s3_bucket.this.id

  rule {
    default_retention {
      # With COMPLIANCE nobody at all could delete before the time, not even after a leak.
      mode = "GOVERNANCE"
      days = var.object_lock_days
    }
  }

  # Only versions can be locked.
  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    # A bucket key saves a call to KMS for every object.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_logging" "this" {
  bucket = aws_s3_bucket.this.id

  target_bucket = var.access_log_bucket
  target_prefix = "${var.name}/"
}

# The provider asks S3 many times over whether these rules have settled, which takes a minute.
# So nothing waits for them but the policy.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "age"
    status = "Enabled"

    filter {}

    # Parts of an upload that never ended cost money and show in no listing.
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    dynamic "transition" {
      for_each = {
        for class, days in {
          STANDARD_IA = var.lifecycle_rules.transition_ia_days
          GLACIER_IR  = var.lifecycle_rules.transition_archive_days
        } : class => days if days != null
      }

      content {
        storage_class = transition.key
        days          = transition.value
      }
    }

    # S3 takes one of the two: with days it clears the markers of deleted objects by itself.
    expiration {
      days                         = var.lifecycle_rules.expire_days
      expired_object_delete_marker = var.lifecycle_rules.expire_days == null ? true : null
    }

    dynamic "noncurrent_version_expiration" {
      for_each = var.lifecycle_rules.noncurrent_days[*]

      content {
        noncurrent_days = noncurrent_version_expiration.value
      }
    }
  }

  # Rules about versions mean nothing before the bucket has versions.
  depends_on = [aws_s3_bucket_versioning.this]
}
