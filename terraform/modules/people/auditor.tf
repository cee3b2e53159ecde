# Reads what happened and how things are set, and changes nothing.

locals {
  read_settings = [
    for kind, resources in merge(local.settings, { buckets = concat(local.settings.buckets, [var.state_bucket_arn]) }) : {
      Sid      = "Read${replace(title(replace(kind, "_", " ")), " ", "")}"
      Effect   = "Allow"
      Action   = local.reading[kind]
      Resource = resources
    }
  ]

  auditor = {
    Version = "2012-10-17"
    Statement = concat(local.guardrails, local.read_settings, local.list_settings, [
      {
        # No object but the trail and the access logs, whatever the policy of a bucket says.
        Sid         = "NoData"
        Effect      = "Deny"
        Action      = ["s3:DeleteObject", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
        NotResource = [for purpose in ["access-logs", "audit-trail"] : "${local.bucket[purpose]}/*"]
      },
      {
        # The files of the trail prove themselves: their digests lie beside them.
        Sid      = "ReadFilesOfTheTrail"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = [for purpose in ["access-logs", "audit-trail"] : "${local.bucket[purpose]}/*"]
      },
      {
        Sid       = "DecryptTrail"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = var.data_key_arn
        Condition = local.key_conditions["audit-trail"]
      },
      {
        Sid      = "SearchTrail"
        Effect   = "Allow"
        Action   = ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents", "logs:GetQueryResults", "logs:StartQuery"]
        Resource = ["${local.log_group_arn}/trail", "${local.log_group_arn}/trail:*"]
      },
      {
        # Also shows that there is no user and no access key. None takes a narrower resource,
        # or the answer would leave out what should not be there.
        Sid    = "LookEverywhere"
        Effect = "Allow"
        Action = [
          "cloudtrail:ListPublicKeys",
          "cloudtrail:ListTrails",
          "cloudtrail:LookupEvents",
          "cloudwatch:DescribeAlarmHistory",
          "iam:GenerateCredentialReport",
          "iam:GetAccountAuthorizationDetails",
          "iam:GetAccountSummary",
          "iam:GetCredentialReport",
          "iam:ListAccessKeys",
          "iam:ListPolicies",
          "iam:ListRoles",
          "iam:ListUsers",
          "iot:ListPolicies",
          "iot:ListThingGroups",
          "iot:ListTopicRules",
          "logs:StopQuery",
          "sso:ListPermissionSets",
          "tag:GetResources",
        ]
        Resource = "*"
      },
    ])
  }
}
