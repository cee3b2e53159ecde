# Applies the stack: every setting that Terraform changes in the ordinary course. Sees no data.

locals {
  administrator = {
    Version = "2012-10-17"
    Statement = concat(local.guardrails, local.read_settings, local.read_state, [
      {
        # No object but the state and its lock. The policies of a bucket and of its key are this
        # person's to change, so the denial must stand here.
        Sid         = "NoData"
        Effect      = "Deny"
        Action      = ["s3:DeleteObject", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
        NotResource = [local.state_arn, "${local.state_arn}.tflock"]
      },
      {
        Sid      = "WriteState"
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = local.state_arn
      },
      {
        Sid      = "LockState"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = "${local.state_arn}.tflock"
      },
      {
        Sid       = "EncryptState"
        Effect    = "Allow"
        Action    = "kms:GenerateDataKey"
        Resource  = local.keys_arn
        Condition = local.key_conditions["terraform-state"]
      },
      {
        Sid    = "ChangeBuckets"
        Effect = "Allow"
        Action = [
          "s3:PutBucketLogging",
          "s3:PutBucketObjectLockConfiguration",
          "s3:PutBucketOwnershipControls",
          "s3:PutBucketPolicy",
          "s3:PutBucketPublicAccessBlock",
          "s3:PutBucketTagging",
          "s3:PutEncryptionConfiguration",
          "s3:PutLifecycleConfiguration",
        ]
        Resource = [for purpose, arn in local.bucket : arn if purpose != "audit-trail"]
      },
      {
        Sid    = "ChangeKeys"
        Effect = "Allow"
        Action = [
          "kms:CancelKeyDeletion",
          "kms:EnableKey",
          "kms:EnableKeyRotation",
          "kms:PutKeyPolicy",
          "kms:TagResource",
          "kms:UntagResource",
          "kms:UpdateKeyDescription",
        ]
        Resource = [var.data_key_arn, var.signing_key_arn]
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
        Sid    = "ChangeRoles"
        Effect = "Allow"
        Action = [
          "iam:DeleteRole",
          "iam:TagRole",
          "iam:UntagRole",
          "iam:UpdateAssumeRolePolicy",
          "iam:UpdateRole*",
        ]
        Resource = "${local.iam_arn}:role/${var.name}-*"
      },
      {
        Sid    = "TagWhatIsIam"
        Effect = "Allow"
        Action = ["iam:TagOpenIDConnectProvider", "iam:TagPolicy", "iam:UntagOpenIDConnectProvider", "iam:UntagPolicy"]
        Resource = [
          "${local.iam_arn}:oidc-provider/token.actions.githubusercontent.com",
          local.boundary_arn,
        ]
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
        Sid    = "ChangeFleet"
        Effect = "Allow"
        Action = [
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
        Resource = local.fleet_arns
      },
      {
        # A claim is a certificate that may only ask to become a device.
        Sid      = "MakeClaims"
        Effect   = "Allow"
        Action   = ["iot:CreateCertificateFromCsr", "iot:CreateKeysAndCertificate"]
        Resource = "*"
      },
      {
        Sid      = "GiveClaimsTheirPolicy"
        Effect   = "Allow"
        Action   = ["iot:AttachPolicy", "iot:DescribeCertificate", "iot:DetachPolicy", "iot:UpdateCertificate"]
        Resource = "${local.iot_arn}:cert/*"
      },
      {
        Sid    = "ChangeHook"
        Effect = "Allow"
        Action = [
          "lambda:AddPermission",
          "lambda:Create*",
          "lambda:Delete*",
          "lambda:Put*",
          "lambda:RemovePermission",
          "lambda:Tag*",
          "lambda:Untag*",
          "lambda:Update*",
        ]
        Resource = local.functions_arn
      },
      {
        Sid    = "ChangeWatch"
        Effect = "Allow"
        Action = [
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
        Resource = local.watch_arns
      },
      {
        Sid      = "ChangeLogGroups"
        Effect   = "Allow"
        Action   = ["logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource"]
        Resource = "${local.log_group_arn}/*"
      },
      {
        Sid      = "TurnTrailOn"
        Effect   = "Allow"
        Action   = ["cloudtrail:AddTags", "cloudtrail:RemoveTags", "cloudtrail:StartLogging"]
        Resource = local.trail_arn
      },
      {
        Sid      = "TagPermissionSets"
        Effect   = "Allow"
        Action   = ["sso:TagResource", "sso:UntagResource"]
        Resource = ["arn:${var.partition}:sso:::instance/*", "arn:${var.partition}:sso:::permissionSet/*/*"]
      },
      {
        # Takes no narrower resource: a subscription that waits for its answer has no name yet.
        Sid      = "EndSubscriptions"
        Effect   = "Allow"
        Action   = "sns:Unsubscribe"
        Resource = "*"
      },
    ])
  }
}
