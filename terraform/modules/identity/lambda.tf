# The hook of fleet provisioning: it lets in a serial number that has an object in allowlist/.

locals {
  # No condition: Lambda tells neither account nor function when it takes a role. Whom it may
  # be passed to is decided by iam:PassRole.
  lambda_trust = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Functions"
        Effect    = "Allow"
        Principal = { Service = "lambda.amazonaws.com" }
        Action    = "sts:AssumeRole"
      },
    ]
  }

  lambda_permissions = {
    Version = "2012-10-17"
    Statement = [
      {
        # A listing finds a serial number, and only below this folder. Asking for one object
        # works too, but S3 then calls a missing one forbidden.
        Sid       = "ListSerialNumbers"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = local.bucket["edge-deployments"]
        Condition = { StringLike = { "s3:prefix" = "allowlist/*" } }
      },
      {
        Sid      = "ReadSerialNumbers"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${local.bucket["edge-deployments"]}/allowlist/*"
      },
      {
        Sid       = "DecryptSerialNumbers"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = var.data_key_arn
        Condition = local.key_conditions["edge-deployments"]
      },
      {
        # Lambda opens the function's own settings with this role.
        Sid       = "DecryptSettingsOfTheHook"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = var.data_key_arn
        Condition = { StringLike = { "kms:EncryptionContext:aws:lambda:FunctionArn" = "arn:${var.partition}:lambda:${local.account_prefix}:function:${var.name}-*" } }
      },
      {
        Sid      = "WriteLogOfTheHook"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${local.log_group_arn}/hook:*"
      },
    ]
  }
}
