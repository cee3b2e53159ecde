# Every role of a machine. What each may do stands in the file of its service, as values and not
# as data sources, so that tests without an account can read it.

locals {
  account_prefix = "${var.region}:${var.account_id}"
  bucket         = var.bucket_arns

  # What the other modules call their things, written out: roles come before what they touch.
  iot_arn       = "arn:${var.partition}:iot:${local.account_prefix}"
  log_group_arn = "arn:${var.partition}:logs:${local.account_prefix}:log-group:/edgewise/${var.name}"
  rule_prefix   = replace(var.name, "-", "_")

  # The data key only through S3, and only for objects of one bucket. Behind a bucket key the
  # context of a call to KMS is the bucket, without one it is the object.
  s3_service = "s3.${var.region}.${local.dns_suffix}"
  dns_suffix = var.partition == "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com"
  key_conditions = {
    for purpose, arn in merge(local.bucket, { terraform-state = var.state_bucket_arn }) : purpose => {
      StringEquals = { "kms:ViaService" = local.s3_service }
      StringLike   = { "kms:EncryptionContext:aws:s3:arn" = [arn, "${arn}/*"] }
    }
  }

  roles = merge(
    {
      sagemaker = {
        description = "What a training job of ${var.name} may do: read processed data, write models."
        trust       = jsonencode(local.sagemaker_trust)
        permissions = jsonencode(local.sagemaker_permissions)
      }
      lambda = {
        description = "What the hook of ${var.name} may do that decides whether a device may join."
        trust       = jsonencode(local.lambda_trust)
        permissions = jsonencode(local.lambda_permissions)
      }
      token-exchange = {
        description = "What a core device of ${var.name} may do: read releases and its own folder, write its own data."
        trust       = jsonencode(local.token_exchange_trust)
        permissions = jsonencode(local.token_exchange_permissions)
      }
      iot-rules = {
        description = "What the topic rules of ${var.name} may do: keep messages, count them, log their errors."
        trust       = jsonencode(local.iot_rules_trust)
        permissions = jsonencode(local.iot_rules_permissions)
      }
      provisioning = {
        description = "What fleet provisioning of ${var.name} may do: register a device and give it its policy."
        trust       = jsonencode(local.provisioning_trust)
        permissions = jsonencode(local.provisioning_permissions)
      }
    },
    var.github_repository == null ? {} : {
      ci-plan = {
        description = "What a workflow that plans ${var.name} may do: read settings, and no data."
        trust       = jsonencode(local.ci_plan_trust)
        permissions = jsonencode(local.ci_plan_permissions)
      }
      ci-deploy = {
        description = "What a workflow that releases to ${var.name} may do: publish components and deploy them."
        trust       = jsonencode(local.ci_deploy_trust)
        permissions = jsonencode(local.ci_deploy_permissions)
      }
      signer = {
        description = "What a workflow that signs bundles of ${var.name} may do: sign, and nothing else."
        trust       = jsonencode(local.signer_trust)
        permissions = jsonencode(local.signer_permissions)
      }
    },
  )
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name                 = "${var.name}-${each.key}"
  description          = each.value.description
  assume_role_policy   = each.value.trust
  permissions_boundary = aws_iam_policy.guardrails.arn
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "this" {
  for_each = local.roles

  name   = each.key
  role   = aws_iam_role.this[each.key].id
  policy = each.value.permissions
}
