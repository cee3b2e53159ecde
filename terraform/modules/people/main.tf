# How people come in: four permission sets of IAM Identity Center, by what people do. There is
# no IAM user and no access key. Each policy stands in a file of its own, as values and not as
# data sources, so that tests without an account can read it.

# Only the account that the organization runs Identity Center from can make permission sets:
# its management account, or the one that it delegated this to. And only in its region.
data "aws_ssoadmin_instances" "this" {
  lifecycle {
    postcondition {
      condition     = length(self.arns) == 1
      error_message = "IAM Identity Center was not found in this account and region: enable it for the organization first and apply from the account and region that it is run from, or set identity_center to false."
    }
  }
}

locals {
  account_prefix = "${var.region}:${var.account_id}"
  bucket         = var.bucket_arns
  iam_arn        = "arn:${var.partition}:iam::${var.account_id}"
  iot_arn        = "arn:${var.partition}:iot:${local.account_prefix}"
  greengrass_arn = "arn:${var.partition}:greengrass:${local.account_prefix}"
  log_group_arn  = "arn:${var.partition}:logs:${local.account_prefix}:log-group:/edgewise/${var.name}"
  trail_arn      = "arn:${var.partition}:cloudtrail:${local.account_prefix}:trail/${var.name}-trail"
  rule_prefix    = replace(var.name, "-", "_")
  signer_arn     = "${local.iam_arn}:role/${var.name}-signer"
  boundary_arn   = "${local.iam_arn}:policy/${var.name}-guardrails"
  keys_arn       = "arn:${var.partition}:kms:${local.account_prefix}:key/*"
  state_arn      = "${var.state_bucket_arn}/${var.state_object}"

  # A key only through S3, and only for objects of one bucket. Behind a bucket key the context
  # of a call to KMS is the bucket, without one it is the object.
  service_suffix = "${var.region}.${var.partition == "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com"}"
  s3_service     = "s3.${local.service_suffix}"
  key_conditions = {
    for purpose, arn in merge(local.bucket, { terraform-state = var.state_bucket_arn }) : purpose => {
      StringEquals = { "kms:ViaService" = local.s3_service }
      StringLike   = { "kms:EncryptionContext:aws:s3:arn" = [arn, "${arn}/*"] }
    }
  }

  permission_sets = {
    administrator = {
      description = "Applies ${var.name}: changes its settings, and not what bounds everybody."
      policy      = jsonencode(local.administrator)
    }
    operator = {
      description = "Runs ${var.name}: deploys, cancels, looks at alarms; no data."
      policy      = jsonencode(local.operator)
    }
    developer = {
      description = "Trains for ${var.name}: processed data and models; no raw data, no deployment."
      policy      = jsonencode(local.developer)
    }
    auditor = {
      description = "Reads the settings of ${var.name} and its trail; no data, no change."
      policy      = jsonencode(local.auditor)
    }
  }
}

resource "aws_ssoadmin_permission_set" "this" {
  for_each = local.permission_sets

  instance_arn     = data.aws_ssoadmin_instances.this.arns[0]
  name             = "${var.name}-${each.key}"
  description      = each.value.description
  session_duration = var.session_duration
}

resource "aws_ssoadmin_permission_set_inline_policy" "this" {
  for_each = local.permission_sets

  instance_arn       = data.aws_ssoadmin_instances.this.arns[0]
  permission_set_arn = aws_ssoadmin_permission_set.this[each.key].arn
  inline_policy      = each.value.policy
}

# Groups and not persons: who is in one is a matter of the identity provider.
resource "aws_ssoadmin_account_assignment" "this" {
  for_each = var.group_ids

  instance_arn       = data.aws_ssoadmin_instances.this.arns[0]
  permission_set_arn = aws_ssoadmin_permission_set.this[each.key].arn
  principal_type     = "GROUP"
  principal_id       = each.value
  target_type        = "AWS_ACCOUNT"
  target_id          = var.account_id

  # Nobody is let in before the policy says to what. On the way down people go first.
  depends_on = [aws_ssoadmin_permission_set_inline_policy.this]
}
