# Written as values and not by a data source, so that tests without an account can read it.

locals {
  everything = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
  objects    = "${aws_s3_bucket.this.arn}/*"

  # What weakens the bucket, or takes back what it keeps.
  guarded_actions = [
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
  ]

  policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AllowLogDelivery"
        Effect    = "Allow"
        Principal = { Service = "logging.s3.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = local.objects
        Condition = {
          ArnLike      = { "aws:SourceArn" = "arn:${var.partition}:s3:::${var.source_bucket_prefix}*" }
          StringEquals = { "aws:SourceAccount" = var.account_id }
        }
      },
      {
        Sid       = "DenyWithoutTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = local.everything
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "DenyOldTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = local.everything
        Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      },
      {
        # A log that people can write into proves nothing.
        Sid       = "DenyForgedLogs"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = local.objects
        Condition = { Bool = { "aws:PrincipalIsAWSService" = "false" } }
      },
      {
        # Everybody: a guardian must first change this policy, and the trail records that.
        Sid       = "DenyVersioningChange"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutBucketVersioning"
        Resource  = aws_s3_bucket.this.arn
      },
      {
        Sid       = "DenyToAllButGuardians"
        Effect    = "Deny"
        Principal = "*"
        Action    = local.guarded_actions
        Resource  = local.everything
        Condition = { ArnNotLike = { "aws:PrincipalArn" = var.guardian_arns } }
      },
    ]
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode(local.policy)

  # After every other setting, and on the way down before: it forbids to change them, versioning
  # to everybody. An apply that is broken off before it has locked nobody out.
  depends_on = [
    aws_s3_bucket_lifecycle_configuration.this,
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}
