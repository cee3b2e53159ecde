# What AWS IoT does by itself: topic rules and fleet provisioning.

locals {
  iot_rules_trust = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "RulesOfTheStack"
        Effect    = "Allow"
        Principal = { Service = "iot.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          ArnLike      = { "aws:SourceArn" = "${local.iot_arn}:rule/${local.rule_prefix}_*" }
          StringEquals = { "aws:SourceAccount" = var.account_id }
        }
      },
    ]
  }

  iot_rules_permissions = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "KeepTelemetry"
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = [for kind in ["review", "telemetry"] : "${local.bucket["intents-raw"]}/${kind}/*"]
      },
      {
        Sid       = "EncryptTelemetry"
        Effect    = "Allow"
        Action    = "kms:GenerateDataKey"
        Resource  = var.data_key_arn
        Condition = local.key_conditions["intents-raw"]
      },
      {
        Sid       = "CountTelemetry"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = "edgewise/${var.name}" } }
      },
      {
        Sid      = "LogErrors"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = ["${local.log_group_arn}/rules", "${local.log_group_arn}/rules:*"]
      },
    ]
  }

  provisioning_trust = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "ProvisioningOfTheAccount"
        Effect    = "Allow"
        Principal = { Service = "iot.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          ArnLike      = { "aws:SourceArn" = "${local.iot_arn}:*" }
          StringEquals = { "aws:SourceAccount" = var.account_id }
        }
      },
    ]
  }

  # What AWS's own policy for this (AWSIoTThingsRegistration) allows on everything, less what
  # this stack's template does not use: making policies and certificates, billing groups,
  # moving a device that comes again to another stage.
  provisioning_permissions = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "RegisterThingsOfTheStack"
        Effect = "Allow"
        Action = [
          "iot:AddThingToThingGroup",
          "iot:CreateThing",
          "iot:DescribeThing",
          "iot:DescribeThingGroup",
          "iot:DescribeThingType",
          "iot:ListThingGroupsForThing",
          "iot:UpdateThing",
        ]
        Resource = [for kind in ["thing", "thinggroup", "thingtype"] : "${local.iot_arn}:${kind}/${var.name}-*"]
      },
      {
        Sid      = "ReadPolicyOfDevices"
        Effect   = "Allow"
        Action   = ["iot:GetPolicy", "iot:ListTargetsForPolicy"]
        Resource = "${local.iot_arn}:policy/${var.name}-device"
      },
      {
        # The certificate is the device's own, its name a hash that nobody knows before.
        Sid      = "ActivateCertificates"
        Effect   = "Allow"
        Action   = ["iot:AttachPolicy", "iot:AttachPrincipalPolicy", "iot:DescribeCertificate", "iot:UpdateCertificate"]
        Resource = "${local.iot_arn}:cert/*"
      },
      {
        # None of these takes a narrower resource.
        Sid    = "JoinThingsAndCertificates"
        Effect = "Allow"
        Action = [
          "iot:AttachThingPrincipal",
          "iot:ListAttachedPolicies",
          "iot:ListPolicyPrincipals",
          "iot:ListPrincipalPolicies",
          "iot:ListPrincipalThings",
          "iot:ListThingPrincipals",
          "iot:RegisterThing",
        ]
        Resource = "*"
      },
    ]
  }
}
