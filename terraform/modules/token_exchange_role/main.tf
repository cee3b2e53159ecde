# A Greengrass core shows its certificate to the IoT credential provider, which acts as
# this role through the alias and hands short-lived credentials back to the device.

locals {
  # Written here and not by data sources, so that tests without an account can read them.
  trust = {
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "credentials.iot.amazonaws.com" }
        Action    = "sts:AssumeRole"
      },
    ]
  }

  read_artifacts = {
    Sid      = "ReadArtifacts"
    Effect   = "Allow"
    Action   = "s3:GetObject"
    Resource = "${var.bucket_arn}/${var.artifact_prefix}*"
  }

  decrypt_artifacts = {
    Sid      = "DecryptArtifacts"
    Effect   = "Allow"
    Action   = "kms:Decrypt"
    Resource = var.kms_key_arn
  }

  policy = {
    Version   = "2012-10-17"
    Statement = concat([local.read_artifacts], var.kms_key_arn != null ? [local.decrypt_artifacts] : [])
  }
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "What a Greengrass core device may do in the cloud: read its component artifacts."
  assume_role_policy   = jsonencode(local.trust)
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "read_artifacts" {
  name   = "read-artifacts"
  role   = aws_iam_role.this.id
  policy = jsonencode(local.policy)
}

resource "aws_iot_role_alias" "this" {
  alias               = "${var.name}-alias"
  role_arn            = aws_iam_role.this.arn
  credential_duration = var.credential_duration_seconds
}
