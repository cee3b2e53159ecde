# Publishes components and deploys them. It cannot delete a release, sign one, or read what
# people said.

locals {
  ci_deploy_trust = local.github_trusts.ci_deploy

  artifacts_arn = "${local.bucket["edge-deployments"]}/${var.artifact_prefix}*"

  # All versions of a component too: "*" also stands for colons.
  components_arn  = "arn:${var.partition}:greengrass:${local.account_prefix}:components:${var.component_prefix}.*"
  deployments_arn = "arn:${var.partition}:greengrass:${local.account_prefix}:deployments:*"

  ci_deploy_permissions = {
    Version = "2012-10-17"
    Statement = concat(local.read_state, [
      {
        # Greengrass reads the artifacts as the caller when it makes a version, and publishing
        # compares what lies there already. The bucket's own lock applies to what is written.
        Sid      = "PublishArtifacts"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        Resource = local.artifacts_arn
      },
      {
        # Without it S3 calls a missing object forbidden. No condition on the prefix: asking
        # for one object has none. It gives names, no content.
        Sid      = "ListArtifacts"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = local.bucket["edge-deployments"]
      },
      {
        # An upload in parts decrypts too: S3 puts the parts together.
        Sid       = "UseKeyForArtifacts"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = var.data_key_arn
        Condition = local.key_conditions["edge-deployments"]
      },
      {
        Sid    = "PublishComponents"
        Effect = "Allow"
        Action = [
          "greengrass:CreateComponentVersion",
          "greengrass:DescribeComponent",
          "greengrass:GetComponent",
          "greengrass:ListComponentVersions",
          "greengrass:TagResource",
        ]
        Resource = local.components_arn
      },
      {
        Sid      = "ReadDeployments"
        Effect   = "Allow"
        Action   = ["greengrass:GetDeployment", "greengrass:TagResource"]
        Resource = local.deployments_arn
      },
      {
        # Neither takes a narrower resource. Which groups can be deployed to is decided by the
        # job that a deployment makes: the statements below.
        Sid      = "Deploy"
        Effect   = "Allow"
        Action   = ["greengrass:CreateDeployment", "greengrass:ListDeployments"]
        Resource = "*"
      },
      {
        # Groups only: a single device is no target for CI.
        Sid      = "DeployToGroupsOfTheStack"
        Effect   = "Allow"
        Action   = ["iot:CreateJob", "iot:DescribeThingGroup"]
        Resource = "${local.iot_arn}:thinggroup/${var.name}-*"
      },
      {
        # The names of jobs are made by Greengrass. A new revision ends the job before it.
        Sid      = "JobsOfDeployments"
        Effect   = "Allow"
        Action   = ["iot:CancelJob", "iot:CreateJob", "iot:DescribeJob", "iot:UpdateJob"]
        Resource = "${local.iot_arn}:job/*"
      },
    ])
  }
}
