# What a plan compares and an audit looks at: the settings of every kind of resource that the
# stack has. No object of a bucket, and no log line.

locals {
  read_settings = [
    {
      # ListBucket is how S3 tells whether a bucket is there. It gives names, no content.
      Sid      = "ReadBuckets"
      Effect   = "Allow"
      Action   = ["s3:Get*Configuration", "s3:GetBucket*", "s3:ListBucket"]
      Resource = concat(values(local.bucket), [var.state_bucket_arn])
    },
    {
      Sid      = "ReadKeys"
      Effect   = "Allow"
      Action   = ["kms:Describe*", "kms:Get*", "kms:List*"]
      Resource = [var.data_key_arn, var.signing_key_arn]
    },
    {
      # The second role is the caller's own, which Terraform looks up.
      Sid    = "ReadRoles"
      Effect = "Allow"
      Action = ["iam:Get*", "iam:List*"]
      Resource = [
        "${local.iam_arn}:role/${var.name}-*",
        "${local.iam_arn}:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_${var.name}-*",
        "${local.iam_arn}:policy/${var.name}-*",
        "${local.iam_arn}:oidc-provider/token.actions.githubusercontent.com",
      ]
    },
    {
      Sid      = "ReadFleet"
      Effect   = "Allow"
      Action   = ["iot:Describe*", "iot:Get*", "iot:List*"]
      Resource = local.fleet_arns
    },
    {
      Sid      = "ReadHook"
      Effect   = "Allow"
      Action   = ["lambda:Get*", "lambda:List*"]
      Resource = local.functions_arn
    },
    {
      Sid      = "ReadWatch"
      Effect   = "Allow"
      Action   = ["budgets:List*", "budgets:ViewBudget", "cloudtrail:Get*", "cloudtrail:List*", "cloudwatch:GetDashboard", "cloudwatch:List*", "logs:ListTagsForResource", "sns:Get*", "sns:List*"]
      Resource = concat(local.watch_arns, [local.trail_arn, "${local.log_group_arn}/*"])
    },
    {
      Sid    = "ReadPermissionSets"
      Effect = "Allow"
      Action = ["sso:Describe*", "sso:Get*", "sso:List*"]
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
        "logs:DescribeLogGroups",
        "s3:ListAllMyBuckets",
        "sns:GetSubscriptionAttributes",
        "sso:ListInstances",
      ]
      Resource = "*"
    },
  ]

  fleet_arns = concat(
    [for kind in ["policy", "provisioningtemplate", "rolealias", "thinggroup", "thingtype"] : "${local.iot_arn}:${kind}/${var.name}-*"],
    ["${local.iot_arn}:rule/${local.rule_prefix}_*"],
  )
  functions_arn = "arn:${var.partition}:lambda:${local.account_prefix}:function:${var.name}-*"
  watch_arns = [
    "arn:${var.partition}:budgets::${var.account_id}:budget/${var.name}*",
    "arn:${var.partition}:cloudwatch::${var.account_id}:dashboard/${var.name}*",
    "arn:${var.partition}:cloudwatch:${local.account_prefix}:alarm:${var.name}-*",
    "arn:${var.partition}:sns:${local.account_prefix}:${var.name}-*",
  ]
}
