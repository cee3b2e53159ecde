# Two keys: one that encrypts what the stack stores, one that signs what it releases.
# A policy that sits on a key says "*" for the key itself.

locals {
  account_arn = "arn:${var.partition}:iam::${var.account_id}:root"
  trail_arn   = "arn:${var.partition}:cloudtrail:${var.region}:${var.account_id}:trail/${var.name}-trail"
}

# What is at rest --------------------------------------------------------------

locals {
  data_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        # Without this statement nobody could change the policy again. It gives nothing by
        # itself: each role still needs a policy of its own that names this key.
        Sid       = "AccountDecidesByIam"
        Effect    = "Allow"
        Principal = { AWS = local.account_arn }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        # Bound by the trail and not by the encryption context: behind a bucket key the
        # context is that of the bucket.
        Sid       = "TrailEncryptsItsFiles"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { ArnEquals = { "aws:SourceArn" = local.trail_arn } }
      },
      {
        Sid       = "LogGroupsOfTheStack"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Action = [
          "kms:Decrypt",
          "kms:Encrypt",
          "kms:GenerateDataKey*",
          "kms:ReEncrypt*",
        ]
        Resource = "*"
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = "arn:${var.partition}:logs:${var.region}:${var.account_id}:log-group:/edgewise/${var.name}/*"
          }
        }
      },
      {
        # Logs looks at the key before it takes it for a group, and this call has no encryption
        # context. It shows settings and no data, so a call that tells no account may pass.
        Sid       = "LogGroupsLookAtTheKey"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Action    = "kms:DescribeKey"
        Resource  = "*"
        Condition = { StringEqualsIfExists = { "aws:SourceAccount" = var.account_id } }
      },
      {
        # Whoever publishes to an encrypted topic uses its key; budgets and alarms do.
        Sid       = "AlertsOfTheAccount"
        Effect    = "Allow"
        Principal = { Service = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"] }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
      },
    ]
  }
}

resource "aws_kms_key" "data" {
  description             = "Encrypts what ${var.name} stores: buckets, log groups, topics and the trail."
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_window_days
  policy                  = jsonencode(local.data_policy)
}

resource "aws_kms_alias" "data" {
  name          = "alias/${var.name}-data"
  target_key_id = aws_kms_key.data.key_id
}

# What is released -------------------------------------------------------------

locals {
  signing_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        # Administration, and no kms:Sign. No kms:CreateGrant either: a grant would be a
        # second way to hand out signing, past this policy.
        Sid       = "AdministrationByIam"
        Effect    = "Allow"
        Principal = { AWS = local.account_arn }
        Action = [
          "kms:CancelKeyDeletion",
          "kms:CreateAlias",
          "kms:DeleteAlias",
          "kms:DisableKey",
          "kms:EnableKey",
          "kms:GetKeyPolicy",
          "kms:GetKeyRotationStatus",
          "kms:ListKeyPolicies",
          "kms:ListResourceTags",
          "kms:PutKeyPolicy",
          "kms:ScheduleKeyDeletion",
          "kms:TagResource",
          "kms:UntagResource",
          "kms:UpdateAlias",
          "kms:UpdateKeyDescription",
        ]
        Resource = "*"
      },
      {
        Sid       = "SignersSign"
        Effect    = "Allow"
        Principal = { AWS = local.account_arn }
        Action    = "kms:Sign"
        Resource  = "*"
        # A condition and not a principal: KMS refuses principals that do not exist yet.
        Condition = { ArnEquals = { "aws:PrincipalArn" = var.signer_role_arns } }
      },
      {
        Sid       = "VerificationByIam"
        Effect    = "Allow"
        Principal = { AWS = local.account_arn }
        Action    = ["kms:DescribeKey", "kms:GetPublicKey", "kms:Verify"]
        Resource  = "*"
      },
      {
        # Holds against a statement or a grant that somebody adds later.
        Sid       = "NobodyElseSigns"
        Effect    = "Deny"
        Principal = "*"
        Action    = "kms:Sign"
        Resource  = "*"
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = var.signer_role_arns } }
      },
    ]
  }
}

# KMS cannot rotate an asymmetric key: devices hold its public half.
resource "aws_kms_key" "signing" {
  description              = "Signs the bundles that ${var.name} releases."
  customer_master_key_spec = "ECC_NIST_P256"
  key_usage                = "SIGN_VERIFY"
  deletion_window_in_days  = var.deletion_window_days
  policy                   = jsonencode(local.signing_policy)
}

resource "aws_kms_alias" "signing" {
  name          = "alias/${var.name}-signing"
  target_key_id = aws_kms_key.signing.key_id
}
