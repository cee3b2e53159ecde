# A Greengrass core shows its certificate to the IoT credential provider, which acts as this
# role through the alias and hands short-lived credentials back to the device.

locals {
  # Filled in by AWS from the certificate, so a device cannot claim to be another. A thing's
  # name holds no slash and no wildcard.
  thing = "$${credentials-iot:ThingName}"

  # No condition: the credential provider tells no source. A role alias can only pass on a role
  # of its own account, to devices whose policy names the alias.
  token_exchange_trust = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "DevicesThroughTheAlias"
        Effect    = "Allow"
        Principal = { Service = "credentials.iot.amazonaws.com" }
        Action    = "sts:AssumeRole"
      },
    ]
  }

  token_exchange_permissions = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadReleases"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = local.artifacts_arn
      },
      {
        Sid      = "ReadOwnFolder"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${local.bucket["edge-deployments"]}/devices/${local.thing}/*"
      },
      {
        # The nucleus asks for the region of a bucket before it downloads.
        Sid      = "FindReleases"
        Effect   = "Allow"
        Action   = "s3:GetBucketLocation"
        Resource = local.bucket["edge-deployments"]
      },
      {
        Sid       = "DecryptReleases"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = var.data_key_arn
        Condition = local.key_conditions["edge-deployments"]
      },
      {
        Sid      = "WriteOwnData"
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = "${local.bucket["intents-raw"]}/devices/${local.thing}/*"
      },
      {
        # Without kms:Decrypt an upload has one part, and a device reads nothing back.
        Sid       = "EncryptOwnData"
        Effect    = "Allow"
        Action    = "kms:GenerateDataKey"
        Resource  = var.data_key_arn
        Condition = local.key_conditions["intents-raw"]
      },
      {
        # With the slash, or gateway-1 would write into the stream of gateway-10.
        Sid    = "WriteOwnLog"
        Effect = "Allow"
        Action = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = [
          "${local.log_group_arn}/devices:log-stream:${local.thing}",
          "${local.log_group_arn}/devices:log-stream:${local.thing}/*",
        ]
      },
    ]
  }
}

resource "aws_iot_role_alias" "this" {
  alias               = "${var.name}-token-exchange-alias"
  role_arn            = aws_iam_role.this["token-exchange"].arn
  credential_duration = var.credential_duration_seconds

  # Credentials that a device gets now must be able to do something.
  depends_on = [aws_iam_role_policy.this]
}
