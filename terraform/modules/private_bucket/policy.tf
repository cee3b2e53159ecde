# Written as values and not by a data source, so that tests without an account can read it.

locals {
  everything = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
  objects    = "${aws_s3_bucket.this.arn}/*"

  # What weakens the bucket, or takes back what it keeps.
  guarded_actions = [
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
  ]

  policy = {
    Version = "2012-10-17"
    Statement = concat(
      [
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
          # Null says "the header is there": without it the bucket's own key is used.
          Sid       = "DenyForeignKey"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:PutObject"
          Resource  = local.objects
          Condition = {
            Null            = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "false" }
            StringNotEquals = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = var.kms_key_arn }
          }
        },
        {
          # KMS without a key in the call means the key that S3 manages, not that of the bucket.
          Sid       = "DenyKeyOfS3"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:PutObject"
          Resource  = local.objects
          Condition = {
            Null         = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "true" }
            StringEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" }
          }
        },
        {
          Sid       = "DenyOtherEncryption"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:PutObject"
          Resource  = local.objects
          Condition = {
            Null = { "s3:x-amz-server-side-encryption" = "false" }
            StringNotEquals = merge(
              { "s3:x-amz-server-side-encryption" = "aws:kms" },
              # Whoever is no service has no such name, and is denied as before.
              { for exception in var.encrypted_by_service[*] : "aws:PrincipalServiceName" => exception.service },
            )
          }
        },
        {
          # Data under a key that only the caller knows is lost, or held to ransom.
          Sid       = "DenyKeyOfCaller"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:PutObject"
          Resource  = local.objects
          Condition = { Null = { "s3:x-amz-server-side-encryption-customer-algorithm" = "false" } }
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
      ],
      [
        # The exception holds below its folder only.
        for exception in var.encrypted_by_service[*] : {
          Sid         = "DenyOtherEncryptionElsewhere"
          Effect      = "Deny"
          Principal   = { Service = exception.service }
          Action      = "s3:PutObject"
          NotResource = "${aws_s3_bucket.this.arn}/${exception.prefix}*"
          Condition = {
            Null            = { "s3:x-amz-server-side-encryption" = "false" }
            StringNotEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" }
          }
        }
      ],
      jsondecode(var.extra_statements_json),
    )
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode(local.policy)

  # After every other setting, and on the way down before: it forbids to change them, versioning
  # to everybody. An apply that is broken off before it has locked nobody out.
  depends_on = [
    aws_s3_bucket_lifecycle_configuration.this,
    aws_s3_bucket_logging.this,
    aws_s3_bucket_object_lock_configuration.this,
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}
