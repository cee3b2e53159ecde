# What no person can do through this stack, whatever a policy of a bucket, a key or a role says.
# It takes the account's own administrator: making a bucket or a trail, giving the stack up,
# and changing who signs, the boundary, or these permission sets.

locals {
  guardrails = [
    {
      Sid    = "NoUserAndNoAccessKey"
      Effect = "Deny"
      Action = [
        "iam:*AccessKey",
        "iam:*GroupPolicy",
        "iam:*LoginProfile",
        "iam:*SAMLProvider",
        "iam:*SSHPublicKey",
        "iam:*ServiceSpecificCredential",
        "iam:*SigningCertificate",
        "iam:*UserPolicy",
        "iam:AddUserToGroup",
        "iam:CreateGroup",
        "iam:CreateUser",
      ]
      Resource = "*"
    },
    {
      Sid      = "TrailStaysOn"
      Effect   = "Deny"
      Action   = ["cloudtrail:Delete*", "cloudtrail:Put*", "cloudtrail:Stop*", "cloudtrail:Update*"]
      Resource = "*"
    },
    {
      Sid      = "TrailStaysReadable"
      Effect   = "Deny"
      Action   = ["logs:AssociateKmsKey", "logs:Delete*", "logs:DisassociateKmsKey", "logs:PutRetentionPolicy"]
      Resource = ["${local.log_group_arn}/trail", "${local.log_group_arn}/trail:*"]
    },
    {
      Sid      = "TrailStaysWhole"
      Effect   = "Deny"
      Action   = ["s3:Delete*", "s3:Put*"]
      Resource = [local.bucket["audit-trail"], "${local.bucket["audit-trail"]}/*"]
    },
    {
      Sid    = "VersionsStay"
      Effect = "Deny"
      Action = [
        "s3:BypassGovernanceRetention",
        "s3:DeleteBucket",
        "s3:DeleteObjectVersion",
        "s3:PutBucketVersioning",
        "s3:PutObjectLegalHold",
        "s3:PutObjectRetention",
      ]
      Resource = "*"
    },
    {
      Sid      = "KeysStay"
      Effect   = "Deny"
      Action   = ["kms:DisableKey", "kms:DisableKeyRotation", "kms:ScheduleKeyDeletion"]
      Resource = "*"
    },
    {
      Sid      = "NoPersonSigns"
      Effect   = "Deny"
      Action   = ["kms:CreateGrant", "kms:PutKeyPolicy", "kms:Sign"]
      Resource = var.signing_key_arn
    },
    {
      Sid      = "WhatBoundsEverybodyStays"
      Effect   = "Deny"
      Action   = ["iam:Attach*", "iam:Create*", "iam:Delete*", "iam:Detach*", "iam:Put*", "iam:Set*", "iam:Update*"]
      Resource = [local.boundary_arn, local.signer_arn, "${local.iam_arn}:role/aws-reserved/*"]
    },
    {
      Sid      = "BoundariesStay"
      Effect   = "Deny"
      Action   = "iam:DeleteRolePermissionsBoundary"
      Resource = "*"
    },
    {
      Sid    = "NothingAboveTheStack"
      Effect = "Deny"
      Action = [
        "account:*",
        "organizations:*",
        "sso:Attach*",
        "sso:Create*",
        "sso:Delete*",
        "sso:Detach*",
        "sso:Provision*",
        "sso:Put*",
        "sso:Update*",
        "sts:AssumeRole",
      ]
      Resource = "*"
    },
  ]

  # Names of roles, buckets and groups are outputs of the stack, so the tasks read its state.
  # Without the listing S3 calls a missing object forbidden.
  read_state = [
    {
      Sid      = "ListState"
      Effect   = "Allow"
      Action   = "s3:ListBucket"
      Resource = var.state_bucket_arn
    },
    {
      Sid      = "ReadState"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = local.state_arn
    },
    {
      # The state has a key of its own, known by its bucket and not by its ARN.
      Sid       = "DecryptState"
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = local.keys_arn
      Condition = local.key_conditions["terraform-state"]
    },
  ]
}
