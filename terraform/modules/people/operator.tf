# Runs the fleet: rolls out, cancels, shuts out a lost device, looks at alarms. Changes no
# setting of the stack and reads no data.

locals {
  operator = {
    Version = "2012-10-17"
    Statement = concat(local.guardrails, local.read_state, [
      {
        # No object but the state and serial numbers, whatever the policy of a bucket says.
        Sid         = "NoData"
        Effect      = "Deny"
        Action      = ["s3:DeleteObject", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
        NotResource = [local.state_arn, "${local.bucket["edge-deployments"]}/allowlist/*"]
      },
      {
        Sid      = "ReadComponents"
        Effect   = "Allow"
        Action   = ["greengrass:DescribeComponent", "greengrass:GetComponent", "greengrass:ListComponentVersions"]
        Resource = "${local.greengrass_arn}:components:${var.component_prefix}.*"
      },
      {
        Sid    = "RunDeployments"
        Effect = "Allow"
        Action = [
          "greengrass:CancelDeployment",
          "greengrass:GetCoreDevice",
          "greengrass:GetDeployment",
          "greengrass:ListEffectiveDeployments",
          "greengrass:ListInstalledComponents",
          "greengrass:TagResource",
        ]
        Resource = [
          "${local.greengrass_arn}:deployments:*",
          "${local.greengrass_arn}:coreDevices:${var.name}-*",
        ]
      },
      {
        # None of these takes a narrower resource. Which groups can be deployed to is decided by
        # the job that a deployment makes.
        Sid    = "Deploy"
        Effect = "Allow"
        Action = [
          "greengrass:CreateDeployment",
          "greengrass:ListComponents",
          "greengrass:ListCoreDevices",
          "greengrass:ListDeployments",
        ]
        Resource = "*"
      },
      {
        # Also moves a device from one stage of the roll-out to another.
        Sid    = "DeployToGroupsOfTheStack"
        Effect = "Allow"
        Action = [
          "iot:AddThingToThingGroup",
          "iot:CreateJob",
          "iot:DescribeThing",
          "iot:DescribeThingGroup",
          "iot:ListJobExecutionsForThing",
          "iot:ListThingGroupsForThing",
          "iot:ListThingsInThingGroup",
          "iot:RemoveThingFromThingGroup",
          "iot:UpdateThingGroupsForThing",
        ]
        Resource = [for kind in ["thing", "thinggroup"] : "${local.iot_arn}:${kind}/${var.name}-*"]
      },
      {
        # The names of jobs are made by Greengrass.
        Sid    = "JobsOfDeployments"
        Effect = "Allow"
        Action = [
          "iot:CancelJob",
          "iot:CreateJob",
          "iot:DescribeJob",
          "iot:DescribeJobExecution",
          "iot:ListJobExecutionsForJob",
          "iot:UpdateJob",
        ]
        Resource = "${local.iot_arn}:job/*"
      },
      {
        Sid      = "ReadJobOfDevice"
        Effect   = "Allow"
        Action   = "iot:DescribeJobExecution"
        Resource = "${local.iot_arn}:thing/${var.name}-*"
      },
      {
        Sid      = "ShutOutDevices"
        Effect   = "Allow"
        Action   = ["iot:DescribeCertificate", "iot:UpdateCertificate"]
        Resource = "${local.iot_arn}:cert/*"
      },
      {
        Sid      = "FindDevices"
        Effect   = "Allow"
        Action   = ["iot:ListPrincipalThings", "iot:ListThingGroups", "iot:ListThingPrincipals", "iot:ListThings"]
        Resource = "*"
      },
      {
        # Which serial numbers may join. An entry has no content.
        Sid      = "KeepSerialNumbers"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = "${local.bucket["edge-deployments"]}/allowlist/*"
      },
      {
        Sid       = "ListSerialNumbers"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = local.bucket["edge-deployments"]
        Condition = { StringLike = { "s3:prefix" = "allowlist/*" } }
      },
      {
        Sid       = "UseKeyForSerialNumbers"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = var.data_key_arn
        Condition = local.key_conditions["edge-deployments"]
      },
      {
        Sid      = "QuietAlarms"
        Effect   = "Allow"
        Action   = ["cloudwatch:DisableAlarmActions", "cloudwatch:EnableAlarmActions", "cloudwatch:SetAlarmState"]
        Resource = "arn:${var.partition}:cloudwatch:${local.account_prefix}:alarm:${var.name}-*"
      },
      {
        Sid      = "LookAtWatch"
        Effect   = "Allow"
        Action   = ["budgets:ViewBudget", "cloudwatch:GetDashboard", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"]
        Resource = local.settings.watch
      },
      {
        Sid    = "LookAtMetrics"
        Effect = "Allow"
        Action = [
          "cloudwatch:DescribeAlarmHistory",
          "cloudwatch:DescribeAlarms",
          "cloudwatch:GetMetricData",
          "cloudwatch:GetMetricStatistics",
          "cloudwatch:ListDashboards",
          "cloudwatch:ListMetrics",
          "logs:DescribeLogGroups",
          "logs:StopQuery",
        ]
        Resource = "*"
      },
      {
        # Not the errors of the rules: each holds the message that a rule could not keep.
        Sid    = "ReadLogsOfDevices"
        Effect = "Allow"
        Action = ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents", "logs:GetQueryResults", "logs:StartQuery"]
        Resource = flatten([
          for group in ["devices", "hook"] : ["${local.log_group_arn}/${group}", "${local.log_group_arn}/${group}:*"]
        ])
      },
    ])
  }
}
