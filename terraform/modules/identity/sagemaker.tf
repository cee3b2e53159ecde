# Trains. It never sees raw utterances, and releases nothing to devices.

locals {
  sagemaker_trust = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "JobsOfTheAccount"
        Effect    = "Allow"
        Principal = { Service = "sagemaker.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          ArnLike      = { "aws:SourceArn" = "arn:${var.partition}:sagemaker:${local.account_prefix}:*" }
          StringEquals = { "aws:SourceAccount" = var.account_id }
        }
      },
    ]
  }

  sagemaker_permissions = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "FindData"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket"]
        Resource = [for purpose in ["intents-processed", "model-artifacts", "pipeline-artifacts"] : local.bucket[purpose]]
      },
      {
        Sid      = "ReadData"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = [for purpose in ["intents-processed", "model-artifacts", "pipeline-artifacts"] : "${local.bucket[purpose]}/*"]
      },
      {
        Sid      = "WriteModels"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
        Resource = [for purpose in ["model-artifacts", "pipeline-artifacts"] : "${local.bucket[purpose]}/*"]
      },
      {
        Sid       = "DecryptData"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = var.data_key_arn
        Condition = local.key_conditions["intents-processed"]
      },
      {
        Sid      = "UseKeyForModels"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = var.data_key_arn
        Condition = {
          StringEquals = { "kms:ViaService" = local.s3_service }
          StringLike = {
            "kms:EncryptionContext:aws:s3:arn" = flatten([
              for purpose in ["model-artifacts", "pipeline-artifacts"] : [local.bucket[purpose], "${local.bucket[purpose]}/*"]
            ])
          }
        }
      },
      {
        # SageMaker names these groups itself.
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = "arn:${var.partition}:logs:${local.account_prefix}:log-group:/aws/sagemaker/*"
      },
      {
        Sid       = "WriteMetrics"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*"
        Condition = { StringLike = { "cloudwatch:namespace" = "/aws/sagemaker/*" } }
      },
      {
        Sid      = "PullImages"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = [for repository in var.training_image_repositories : "arn:${var.partition}:ecr:${var.region}:*:repository/${repository}"]
      },
      {
        # A token opens nothing by itself, and takes no narrower resource.
        Sid      = "SignInToRegistry"
        Effect   = "Allow"
        Action   = "ecr:GetAuthorizationToken"
        Resource = "*"
      },
    ]
  }
}
