# One trail that records every call in every region of the account, where nobody can quietly
# change it: encrypted, signed, versioned, and copied to a log group that can be searched.

locals {
  trail_name = "${var.name}-trail"

  # Built and not asked for: the bucket must let the trail write before the trail exists.
  trail_arn  = "arn:${var.partition}:cloudtrail:${var.region}:${var.account_id}:trail/${local.trail_name}"
  bucket_arn = "arn:${var.partition}:s3:::${var.bucket_name}"

  delivery_statements = [
    {
      Sid       = "AllowTrailToLook"
      Effect    = "Allow"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Action    = "s3:GetBucketAcl"
      Resource  = local.bucket_arn
      Condition = { ArnEquals = { "aws:SourceArn" = local.trail_arn } }
    },
    {
      Sid       = "AllowTrailToWrite"
      Effect    = "Allow"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Action    = "s3:PutObject"
      Resource  = "${local.bucket_arn}/AWSLogs/${var.account_id}/*"
      Condition = {
        ArnEquals    = { "aws:SourceArn" = local.trail_arn }
        StringEquals = { "s3:x-amz-acl" = "bucket-owner-full-control" }
      }
    },
    {
      # A trail that people can write into proves nothing.
      Sid       = "DenyForgedFiles"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = "${local.bucket_arn}/*"
      Condition = { Bool = { "aws:PrincipalIsAWSService" = "false" } }
    },
  ]
}

module "bucket" {
  source = "../private_bucket"

  name                  = var.bucket_name
  kms_key_arn           = var.kms_key_arn
  access_log_bucket     = var.access_log_bucket
  object_lock_days      = var.object_lock_days
  guardian_arns         = var.guardian_arns
  extra_statements_json = jsonencode(local.delivery_statements)
  force_destroy         = var.force_destroy

  # CloudTrail encrypts its digests with S3's own key, also where the trail has a key. They
  # hold hashes and no events.
  encrypted_by_service = {
    prefix  = "AWSLogs/${var.account_id}/CloudTrail-Digest/"
    service = "cloudtrail.amazonaws.com"
  }

  lifecycle_rules = {
    transition_ia_days = 90
    expire_days        = var.trail_retention_days
    noncurrent_days    = 30
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/edgewise/${var.name}/trail"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

locals {
  logs_trust = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TrailOfTheStack"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          ArnEquals    = { "aws:SourceArn" = local.trail_arn }
          StringEquals = { "aws:SourceAccount" = var.account_id }
        }
      },
    ]
  }

  logs_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "WriteStreamsOfTheTrail"
        Effect = "Allow"
        Action = ["logs:CreateLogStream", "logs:PutLogEvents"]
        # CloudTrail names its streams itself, by account and region.
        Resource = "${aws_cloudwatch_log_group.this.arn}:log-stream:${var.account_id}_CloudTrail_${var.region}*"
      },
    ]
  }
}

resource "aws_iam_role" "logs" {
  name                 = "${var.name}-trail-logs"
  description          = "Lets the trail of ${var.name} copy its events to CloudWatch."
  assume_role_policy   = jsonencode(local.logs_trust)
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "logs" {
  name   = "write-trail"
  role   = aws_iam_role.logs.id
  policy = jsonencode(local.logs_policy)
}

resource "aws_cloudtrail" "this" {
  #checkov:skip=CKV_AWS_252:Nobody reads a message for every file; alarms look at the log group.
  name           = local.trail_name
  s3_bucket_name = module.bucket.name
  kms_key_id     = var.kms_key_arn

  is_multi_region_trail         = true
  include_global_service_events = true
  enable_log_file_validation    = true
  enable_logging                = true

  cloud_watch_logs_group_arn = "${aws_cloudwatch_log_group.this.arn}:*"
  cloud_watch_logs_role_arn  = aws_iam_role.logs.arn

  advanced_event_selector {
    name = "Every call that manages something"

    field_selector {
      field  = "eventCategory"
      equals = ["Management"]
    }
  }

  dynamic "advanced_event_selector" {
    for_each = length(var.data_event_bucket_arns) > 0 ? [var.data_event_bucket_arns] : []

    content {
      name = "Writes of objects in the watched buckets"

      field_selector {
        field  = "eventCategory"
        equals = ["Data"]
      }

      field_selector {
        field  = "resources.type"
        equals = ["AWS::S3::Object"]
      }

      # Every download of every device would be an event. Who read what is in the access logs.
      field_selector {
        field  = "readOnly"
        equals = ["false"]
      }

      field_selector {
        field       = "resources.ARN"
        starts_with = [for arn in advanced_event_selector.value : "${arn}/"]
      }
    }
  }

  # CloudTrail tries the role when the trail is made.
  depends_on = [aws_iam_role_policy.logs]
}
