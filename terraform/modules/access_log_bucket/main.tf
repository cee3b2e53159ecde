# The one place where other buckets write down who called them. Only S3 itself writes here.

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:This is where access logs go; logging into itself would never come to rest.
  #checkov:skip=CKV_AWS_144:One region on purpose: logs are evidence for a year, not data to restore.
  #checkov:skip=CKV_AWS_145:S3 delivers access logs only to buckets that it encrypts with its own keys.
  #checkov:skip=CKV2_AWS_62:Nothing listens to events of this bucket.
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

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

# The provider asks S3 many times over whether these rules have settled, which takes a minute.
# So nothing waits for them but the policy.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "age"
    status = "Enabled"

    filter {}

    expiration {
      days = var.expire_days
    }

    # Logs are never replaced: a version that is not current was deleted by somebody, and
    # stays long enough to be missed.
    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  # Rules about versions mean nothing before the bucket has versions.
  depends_on = [aws_s3_bucket_versioning.this]
}
