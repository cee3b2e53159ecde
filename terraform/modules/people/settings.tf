# What a plan compares and an audit looks at: the settings of every kind of resource that the
# stack has. No object of a bucket, and no log line.

locals {
  # Whole families of actions, because the resources are the stack's own and hold no data.
  # ListBucket is how S3 tells whether a bucket is there. It gives names, no content.
  reading = {
    buckets         = ["s3:Get*Configuration", "s3:GetBucket*", "s3:ListBucket"]
    keys            = ["kms:Describe*", "kms:Get*", "kms:List*"]
    iam             = ["iam:Get*", "iam:List*"]
    fleet           = ["iot:Describe*", "iot:Get*", "iot:List*"]
    hook            = ["lambda:Get*", "lambda:List*"]
    watch           = ["budgets:List*", "budgets:ViewBudget", "cloudwatch:GetDashboard", "cloudwatch:List*", "sns:Get*", "sns:List*"]
    log_groups      = ["logs:ListTagsForResource"]
    trail           = ["cloudtrail:Get*", "cloudtrail:List*"]
    permission_sets = ["sso:Describe*", "sso:Get*", "sso:List*"]
  }

  settings = {
    buckets = values(local.bucket)
    keys    = [var.data_key_arn, var.signing_key_arn]
    # The second role is the caller's own, which Terraform looks up.
    iam = [
      "${local.iam_arn}:role/${var.name}-*",
      "${local.iam_arn}:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_${var.name}-*",
      "${local.iam_arn}:policy/${var.name}-*",
      "${local.iam_arn}:oidc-provider/token.actions.githubusercontent.com",
    ]
    fleet = concat(
      [for kind in ["policy", "provisioningtemplate", "rolealias", "thinggroup", "thingtype"] : "${local.iot_arn}:${kind}/${var.name}-*"],
      ["${local.iot_arn}:rule/${local.rule_prefix}_*"],
    )
    hook = ["arn:${var.partition}:lambda:${local.account_prefix}:function:${var.name}-*"]
    watch = [
      "arn:${var.partition}:budgets::${var.account_id}:budget/${var.name}*",
      "arn:${var.partition}:cloudwatch::${var.account_id}:dashboard/${var.name}*",
      "arn:${var.partition}:cloudwatch:${local.account_prefix}:alarm:${var.name}-*",
      "arn:${var.partition}:sns:${local.account_prefix}:${var.name}-*",
    ]
    log_groups = ["${local.log_group_arn}/*"]
    trail      = [local.trail_arn]
    permission_sets = [
      "arn:${var.partition}:sso:::account/${var.account_id}",
      "arn:${var.partition}:sso:::instance/*",
      "arn:${var.partition}:sso:::permissionSet/*/*",
    ]
  }

  # None of these takes a narrower resource; each lists names or settings.
  list_settings = [
    {
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
  ]
}
