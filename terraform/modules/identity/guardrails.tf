# The boundary of every role: what no machine can do, whatever is attached to it later. It
# gives nothing by itself, so it allows all that it does not deny.

locals {
  guardrails = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "AllowWhatTheRoleAllows"
        Effect   = "Allow"
        Action   = "*"
        Resource = "*"
      },
      {
        # No user, no access key, no role of one's own making, and this boundary stays.
        Sid    = "NoMachineChangesIam"
        Effect = "Deny"
        Action = [
          "iam:Add*",
          "iam:Attach*",
          "iam:ChangePassword",
          "iam:Create*",
          "iam:Deactivate*",
          "iam:Delete*",
          "iam:Detach*",
          "iam:Disable*",
          "iam:Enable*",
          "iam:Put*",
          "iam:Remove*",
          "iam:Reset*",
          "iam:Resync*",
          "iam:Set*",
          "iam:Tag*",
          "iam:Untag*",
          "iam:Update*",
          "iam:Upload*",
        ]
        Resource = "*"
      },
      {
        Sid      = "NoMachineBecomesAnother"
        Effect   = "Deny"
        Action   = ["sts:AssumeRole", "sts:GetFederationToken"]
        Resource = "*"
      },
      {
        Sid    = "TrailStaysOn"
        Effect = "Deny"
        Action = [
          "cloudtrail:Delete*",
          "cloudtrail:PutEventSelectors",
          "cloudtrail:PutInsightSelectors",
          "cloudtrail:Stop*",
          "cloudtrail:Update*",
        ]
        Resource = "*"
      },
      {
        Sid    = "TrailStaysReadable"
        Effect = "Deny"
        Action = [
          "logs:AssociateKmsKey",
          "logs:DeleteLogGroup",
          "logs:DeleteLogStream",
          "logs:DeleteRetentionPolicy",
          "logs:DisassociateKmsKey",
          "logs:PutRetentionPolicy",
        ]
        Resource = "${local.log_group_arn}/*"
      },
      {
        Sid    = "BucketsStayGuarded"
        Effect = "Deny"
        Action = [
          "s3:BypassGovernanceRetention",
          "s3:DeleteBucket",
          "s3:DeleteBucketPolicy",
          "s3:DeleteObjectVersion",
          "s3:PutAccountPublicAccessBlock",
          "s3:PutBucketAcl",
          "s3:PutBucketLogging",
          "s3:PutBucketObjectLockConfiguration",
          "s3:PutBucketOwnershipControls",
          "s3:PutBucketPolicy",
          "s3:PutBucketPublicAccessBlock",
          "s3:PutBucketVersioning",
          "s3:PutEncryptionConfiguration",
          "s3:PutLifecycleConfiguration",
          "s3:PutObjectAcl",
          "s3:PutObjectLegalHold",
          "s3:PutObjectRetention",
          "s3:PutReplicationConfiguration",
        ]
        Resource = "*"
      },
      {
        Sid    = "KeysStay"
        Effect = "Deny"
        Action = [
          "kms:CreateGrant",
          "kms:DeleteAlias",
          "kms:DisableKey",
          "kms:DisableKeyRotation",
          "kms:PutKeyPolicy",
          "kms:ScheduleKeyDeletion",
          "kms:UpdateAlias",
        ]
        Resource = "*"
      },
      {
        Sid       = "OnlyTheSignerSigns"
        Effect    = "Deny"
        Action    = "kms:Sign"
        Resource  = "*"
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = "arn:${var.partition}:iam::${var.account_id}:role/${var.name}-signer" } }
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
        ]
        Resource = "*"
      },
    ]
  }
}

resource "aws_iam_policy" "guardrails" {
  #checkov:skip=CKV_AWS_62:A boundary gives nothing: it cuts down what a role's own policy allows.
  #checkov:skip=CKV_AWS_63:A boundary gives nothing; which actions a role has is in the role's own policy.
  #checkov:skip=CKV_AWS_286:A boundary gives nothing; this one denies every change in IAM.
  #checkov:skip=CKV_AWS_287:A boundary gives nothing; no role's own policy hands out credentials.
  #checkov:skip=CKV_AWS_288:A boundary gives nothing; what a role reads is named in its own policy.
  #checkov:skip=CKV_AWS_289:A boundary gives nothing; this one denies to open buckets, keys and roles.
  #checkov:skip=CKV_AWS_290:A boundary gives nothing; what a role writes is named in its own policy.
  #checkov:skip=CKV_AWS_355:A boundary gives nothing; resources are named in each role's own policy.
  #checkov:skip=CKV2_AWS_40:A boundary gives nothing; this one denies every change in IAM.
  name        = "${var.name}-guardrails"
  description = "Boundary of the roles of ${var.name}: what no machine can do, whatever is attached to it."
  policy      = jsonencode(local.guardrails)
}
