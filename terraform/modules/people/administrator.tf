# Applies the stack: every setting that Terraform changes in the ordinary course. Sees no data.

locals {
  # What may be changed of each kind of setting, besides being read.
  changing = {
    buckets = [
      "s3:PutBucketLogging",
      "s3:PutBucketObjectLockConfiguration",
      "s3:PutBucketOwnershipControls",
      "s3:PutBucketPolicy",
      "s3:PutBucketPublicAccessBlock",
      "s3:PutBucketTagging",
      "s3:PutEncryptionConfiguration",
      "s3:PutLifecycleConfiguration",
    ]
    keys = [
      "kms:CancelKeyDeletion",
      "kms:EnableKey",
      "kms:EnableKeyRotation",
      "kms:PutKeyPolicy",
      "kms:TagResource",
      "kms:UntagResource",
      "kms:UpdateKeyDescription",
    ]
    iam = ["iam:Tag*", "iam:Untag*"]
    fleet = [
      "iot:Create*",
      "iot:Delete*",
      "iot:DeprecateThingType",
      "iot:DisableTopicRule",
      "iot:EnableTopicRule",
      "iot:ReplaceTopicRule",
      "iot:SetDefaultPolicyVersion",
      "iot:Tag*",
      "iot:Untag*",
      "iot:Update*",
    ]
    hook = [
      "lambda:AddPermission",
      "lambda:Create*",
      "lambda:Delete*",
      "lambda:Put*",
      "lambda:RemovePermission",
      "lambda:Tag*",
      "lambda:Untag*",
      "lambda:Update*",
    ]
    watch = [
      "budgets:ModifyBudget",
      "budgets:Tag*",
      "budgets:Untag*",
      "cloudwatch:Delete*",
      "cloudwatch:Put*",
      "cloudwatch:Tag*",
      "cloudwatch:Untag*",
      "sns:CreateTopic",
      "sns:DeleteTopic",
      "sns:SetTopicAttributes",
      "sns:Subscribe",
      "sns:Tag*",
      "sns:Untag*",
    ]
    log_groups      = ["logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:Tag*", "logs:Untag*"]
    trail           = ["cloudtrail:AddTags", "cloudtrail:RemoveTags", "cloudtrail:StartLogging"]
    permission_sets = ["sso:TagResource", "sso:UntagResource"]
  }

  administrator = {
    Version = "2012-10-17"
    Statement = concat(
      local.guardrails,
      [
        {
          # No object but the state and its lock. The policies of a bucket and of its key are
          # this person's to change, so the denial must stand here.
          Sid         = "NoData"
          Effect      = "Deny"
          Action      = ["s3:DeleteObject", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
          NotResource = [local.state_arn, "${local.state_arn}.tflock"]
        },
      ],
      [
        for kind, resources in local.settings : {
          Sid      = "Change${replace(title(replace(kind, "_", " ")), " ", "")}"
          Effect   = "Allow"
          Action   = concat(local.reading[kind], local.changing[kind])
          Resource = resources
        }
      ],
      local.list_settings,
      [
        {
          # A key that an interrupted apply left is known by its description and tags alone.
          Sid      = "FindKeys"
          Effect   = "Allow"
          Action   = ["kms:DescribeKey", "kms:ListResourceTags"]
          Resource = local.keys_arn
        },
        {
          Sid      = "ListState"
          Effect   = "Allow"
          Action   = "s3:ListBucket"
          Resource = var.state_bucket_arn
        },
        {
          Sid      = "WriteState"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:PutObject"]
          Resource = [local.state_arn, "${local.state_arn}.tflock"]
        },
        {
          Sid      = "UnlockState"
          Effect   = "Allow"
          Action   = "s3:DeleteObject"
          Resource = "${local.state_arn}.tflock"
        },
        {
          Sid       = "UseKeyForState"
          Effect    = "Allow"
          Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource  = local.keys_arn
          Condition = local.key_conditions["terraform-state"]
        },
        {
          # The settings of the hook are encrypted, and Lambda is granted to open them.
          Sid       = "EncryptSettingsOfHook"
          Effect    = "Allow"
          Action    = ["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt"]
          Resource  = var.data_key_arn
          Condition = { StringEquals = { "kms:ViaService" = "lambda.${local.service_suffix}" } }
        },
        {
          # A role is made and widened only inside the boundary.
          Sid       = "ChangeBoundedRoles"
          Effect    = "Allow"
          Action    = ["iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
          Resource  = "${local.iam_arn}:role/${var.name}-*"
          Condition = { ArnEquals = { "iam:PermissionsBoundary" = local.boundary_arn } }
        },
        {
          Sid      = "ChangeRoles"
          Effect   = "Allow"
          Action   = ["iam:DeleteRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"]
          Resource = "${local.iam_arn}:role/${var.name}-*"
        },
        {
          Sid      = "HandRolesToServices"
          Effect   = "Allow"
          Action   = "iam:PassRole"
          Resource = [for role in ["iot-rules", "lambda", "provisioning", "token-exchange"] : "${local.iam_arn}:role/${var.name}-${role}"]
          Condition = {
            StringEquals = { "iam:PassedToService" = ["credentials.iot.amazonaws.com", "iot.amazonaws.com", "lambda.amazonaws.com"] }
          }
        },
        {
          # A claim is a certificate that may only ask to become a device. Neither this nor the
          # end of a subscription takes a narrower resource.
          Sid      = "MakeClaimsAndEndSubscriptions"
          Effect   = "Allow"
          Action   = ["iot:CreateCertificateFromCsr", "iot:CreateKeysAndCertificate", "sns:Unsubscribe"]
          Resource = "*"
        },
        {
          Sid      = "GiveClaimsTheirPolicy"
          Effect   = "Allow"
          Action   = ["iot:AttachPolicy", "iot:DescribeCertificate", "iot:DetachPolicy", "iot:UpdateCertificate"]
          Resource = "${local.iot_arn}:cert/*"
        },
      ],
    )
  }
}
