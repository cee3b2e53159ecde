# Makes models: reads processed utterances, trains, writes models. Neither raw utterances nor
# devices.

locals {
  training_kinds   = ["processing-job", "training-job"]
  training_objects = [for purpose in ["intents-processed", "model-artifacts", "pipeline-artifacts"] : "${local.bucket[purpose]}/*"]

  developer = {
    Version = "2012-10-17"
    Statement = concat(local.guardrails, local.read_state, [
      {
        # No object but those below, whatever the policy of a bucket says.
        Sid         = "NoRawData"
        Effect      = "Deny"
        Action      = ["s3:DeleteObject", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
        NotResource = concat([local.state_arn], local.training_objects)
      },
      {
        Sid      = "FindData"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketVersions"]
        Resource = [for purpose in ["intents-processed", "model-artifacts", "pipeline-artifacts"] : local.bucket[purpose]]
      },
      {
        Sid      = "ReadData"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = local.training_objects
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
        Sid    = "Train"
        Effect = "Allow"
        Action = [
          "sagemaker:AddTags",
          "sagemaker:CreateProcessingJob",
          "sagemaker:CreateTrainingJob",
          "sagemaker:DescribeProcessingJob",
          "sagemaker:DescribeTrainingJob",
          "sagemaker:ListTags",
          "sagemaker:StopProcessingJob",
          "sagemaker:StopTrainingJob",
        ]
        Resource = [for kind in local.training_kinds : "arn:${var.partition}:sagemaker:${local.account_prefix}:${kind}/${var.name}-*"]
      },
      {
        Sid       = "TrainAsRoleForTraining"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = "${local.iam_arn}:role/${var.name}-sagemaker"
        Condition = { StringEquals = { "iam:PassedToService" = "sagemaker.amazonaws.com" } }
      },
      {
        # None of these takes a narrower resource.
        Sid    = "LookAtTraining"
        Effect = "Allow"
        Action = [
          "cloudwatch:GetMetricData",
          "cloudwatch:ListMetrics",
          "logs:DescribeLogGroups",
          "logs:StopQuery",
          "sagemaker:ListProcessingJobs",
          "sagemaker:ListTrainingJobs",
        ]
        Resource = "*"
      },
      {
        Sid    = "ReadLogsOfTraining"
        Effect = "Allow"
        Action = ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents", "logs:GetQueryResults", "logs:StartQuery"]
        Resource = flatten([
          for group in ["ProcessingJobs", "TrainingJobs"] : [
            "arn:${var.partition}:logs:${local.account_prefix}:log-group:/aws/sagemaker/${group}",
            "arn:${var.partition}:logs:${local.account_prefix}:log-group:/aws/sagemaker/${group}:*",
          ]
        ])
      },
      {
        # Who can check a signature can tell whether a bundle is a release.
        Sid      = "CheckSignatures"
        Effect   = "Allow"
        Action   = ["kms:DescribeKey", "kms:GetPublicKey", "kms:Verify"]
        Resource = var.signing_key_arn
      },
    ])
  }
}
