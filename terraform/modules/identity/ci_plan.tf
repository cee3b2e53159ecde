# Reads what a plan compares: the settings of every kind of resource that the stack has, and
# the state. No object of a bucket but the state, and no log line. The code of a pull request
# runs with this role, so it must be harmless in anybody's hands.

locals {
  ci_plan_trust = local.github_trusts.ci_plan

  state_arn = "${var.state_bucket_arn}/${var.state_object}"

  # Reading the state needs a listing too: without it S3 calls a missing object forbidden.
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
      Resource  = "arn:${var.partition}:kms:${local.account_prefix}:key/*"
      Condition = local.key_conditions["terraform-state"]
    },
  ]

  ci_plan_permissions = {
    Version = "2012-10-17"
    Statement = concat(local.read_state, [
      {
        # A plan holds the lock, as an object beside the state.
        Sid      = "LockState"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = "${local.state_arn}.tflock"
      },
      {
        Sid       = "EncryptLock"
        Effect    = "Allow"
        Action    = "kms:GenerateDataKey"
        Resource  = "arn:${var.partition}:kms:${local.account_prefix}:key/*"
        Condition = local.key_conditions["terraform-state"]
      },
      {
        # ListBucket is how S3 tells whether a bucket is there. It gives names, no content.
        Sid    = "ReadBuckets"
        Effect = "Allow"
        Action = [
          "s3:GetAccelerateConfiguration",
          "s3:GetBucket*",
          "s3:GetEncryptionConfiguration",
          "s3:GetLifecycleConfiguration",
          "s3:GetReplicationConfiguration",
          "s3:ListBucket",
        ]
        Resource = concat(values(local.bucket), [var.state_bucket_arn])
      },
      {
        Sid      = "ReadKeys"
        Effect   = "Allow"
        Action   = ["kms:GetKeyPolicy", "kms:GetKeyRotationStatus"]
        Resource = [var.data_key_arn, var.signing_key_arn]
      },
      {
        # A key that an interrupted apply left is known by its description and tags alone.
        Sid      = "FindKeys"
        Effect   = "Allow"
        Action   = ["kms:DescribeKey", "kms:ListResourceTags"]
        Resource = "arn:${var.partition}:kms:${local.account_prefix}:key/*"
      },
      {
        Sid    = "ReadRoles"
        Effect = "Allow"
        Action = [
          "iam:GetOpenIDConnectProvider",
          "iam:GetPolicy",
          "iam:GetPolicyVersion",
          "iam:GetRole",
          "iam:GetRolePolicy",
          "iam:ListAttachedRolePolicies",
          "iam:ListPolicyVersions",
          "iam:ListRolePolicies",
        ]
        Resource = [
          "arn:${var.partition}:iam::${var.account_id}:policy/${var.name}-*",
          "arn:${var.partition}:iam::${var.account_id}:role/${var.name}-*",
          local.github_provider_arn,
        ]
      },
      {
        Sid    = "ReadFleet"
        Effect = "Allow"
        Action = [
          "iot:DescribeProvisioningTemplate",
          "iot:DescribeRoleAlias",
          "iot:DescribeThingGroup",
          "iot:DescribeThingType",
          "iot:GetPolicy",
          "iot:GetTopicRule",
          "iot:ListTagsForResource",
        ]
        Resource = concat(
          [for kind in ["policy", "provisioningtemplate", "rolealias", "thinggroup", "thingtype"] : "${local.iot_arn}:${kind}/${var.name}-*"],
          ["${local.iot_arn}:rule/${local.rule_prefix}_*"],
        )
      },
      {
        Sid    = "ReadHook"
        Effect = "Allow"
        Action = [
          "lambda:GetFunction",
          "lambda:GetFunctionCodeSigningConfig",
          "lambda:GetFunctionConcurrency",
          "lambda:GetFunctionConfiguration",
          "lambda:GetPolicy",
          "lambda:GetRuntimeManagementConfig",
          "lambda:ListTags",
          "lambda:ListVersionsByFunction",
        ]
        Resource = "arn:${var.partition}:lambda:${local.account_prefix}:function:${var.name}-*"
      },
      {
        Sid    = "ReadWatch"
        Effect = "Allow"
        Action = [
          "budgets:ListTagsForResource",
          "budgets:ViewBudget",
          "cloudtrail:GetEventSelectors",
          "cloudtrail:GetInsightSelectors",
          "cloudtrail:GetTrail",
          "cloudtrail:GetTrailStatus",
          "cloudtrail:ListTags",
          "cloudwatch:GetDashboard",
          "cloudwatch:ListTagsForResource",
          "logs:ListTagsForResource",
          "sns:GetTopicAttributes",
          "sns:ListSubscriptionsByTopic",
          "sns:ListTagsForResource",
        ]
        Resource = [
          "arn:${var.partition}:budgets::${var.account_id}:budget/${var.name}*",
          "arn:${var.partition}:cloudtrail:${local.account_prefix}:trail/${var.name}-*",
          "arn:${var.partition}:cloudwatch::${var.account_id}:dashboard/${var.name}*",
          "arn:${var.partition}:cloudwatch:${local.account_prefix}:alarm:${var.name}-*",
          "${local.log_group_arn}/*",
          "arn:${var.partition}:sns:${local.account_prefix}:${var.name}-*",
        ]
      },
      {
        Sid    = "ReadPermissionSets"
        Effect = "Allow"
        Action = [
          "sso:DescribePermissionSet",
          "sso:GetInlinePolicyForPermissionSet",
          "sso:ListAccountAssignments",
          # Which were left by an interrupted apply is told by their names.
          "sso:ListPermissionSets",
          "sso:ListTagsForResource",
        ]
        Resource = [
          "arn:${var.partition}:sso:::account/${var.account_id}",
          "arn:${var.partition}:sso:::instance/*",
          "arn:${var.partition}:sso:::permissionSet/*/*",
        ]
      },
      {
        # None of these takes a narrower resource; each lists names or settings.
        Sid    = "ListWhatThereIs"
        Effect = "Allow"
        Action = [
          "cloudtrail:DescribeTrails",
          "cloudwatch:DescribeAlarms",
          "iam:ListOpenIDConnectProviders",
          "iot:DescribeEndpoint",
          "kms:ListAliases",
          "kms:ListKeys",
          "logs:DescribeLogGroups",
          "s3:ListAllMyBuckets",
          "sns:GetSubscriptionAttributes",
          "sso:ListInstances",
        ]
        Resource = "*"
      },
    ])
  }
}
