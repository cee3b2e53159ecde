provider "aws" {
  region              = var.aws_region
  allowed_account_ids = var.account_id != null ? [var.account_id] : null

  # An endpoint of one's own has no metadata service and no host name per bucket.
  # It is near and does not throttle, so a call that fails twice will go on failing.
  skip_credentials_validation = var.aws_endpoint != null
  skip_metadata_api_check     = var.aws_endpoint != null
  s3_use_path_style           = var.aws_endpoint != null
  max_retries                 = var.aws_endpoint != null ? 2 : null

  dynamic "endpoints" {
    for_each = var.aws_endpoint != null ? [var.aws_endpoint] : []

    content {
      budgets        = endpoints.value
      cloudtrail     = endpoints.value
      cloudwatch     = endpoints.value
      cloudwatchlogs = endpoints.value
      iam            = endpoints.value
      identitystore  = endpoints.value
      iot            = endpoints.value
      kms            = endpoints.value
      lambda         = endpoints.value
      s3             = endpoints.value
      sns            = endpoints.value
      ssoadmin       = endpoints.value
      sts            = endpoints.value
    }
  }

  default_tags {
    tags = merge(var.tags, { Environment = var.environment, ManagedBy = "terraform", Stack = local.stack })
  }
}

data "aws_caller_identity" "current" {}

# The role behind a session, which is what a policy compares.
data "aws_iam_session_context" "current" {
  arn = data.aws_caller_identity.current.arn

  lifecycle {
    # Once a bucket has its policy, nobody else changes its settings. Better told by the plan.
    postcondition {
      condition = local.caller_guards || self.issuer_arn == local.planner_arn || anytrue([
        for pattern in local.guardian_patterns : can(regex("^${pattern}$", self.issuer_arn))
      ])
      error_message = "${self.issuer_arn}, which applies this, is no guardian of the buckets of ${local.stack}: their policies would lock it out of them, now or with the next change. Add that ARN to administrator_arns, or sign in as one of: ${join(", ", local.named_guardian_arns)}."
    }
  }
}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  stack      = "${var.name}-${var.environment}"
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.name

  # Bucket names are shared by all of AWS: environment, account and region make these their own.
  bucket_suffix = coalesce(var.bucket_suffix, "${var.environment}-${local.account_id}-${local.region}")
  bucket_names = {
    for purpose in concat(keys(local.buckets), ["access-logs", "audit-trail", "terraform-state"]) :
    purpose => "${var.bucket_prefix}-${purpose}-${local.bucket_suffix}"
  }

  # Built and not asked for: roles come before the trail's bucket, which names their boundary.
  bucket_arns = { for purpose, name in local.bucket_names : purpose => "arn:${local.partition}:s3:::${name}" }

  # What lies where, and for how long. A device that is a release behind still finds its
  # artifacts; what people said is kept no longer than it takes to learn from it.
  buckets = {
    intents-raw = {
      lock_days = null
      lifecycle = { expire_days = 90, noncurrent_days = 7 }
    }
    intents-processed = {
      lock_days = null
      lifecycle = { transition_ia_days = 60, expire_days = 730, noncurrent_days = 30 }
    }
    model-artifacts = {
      lock_days = null
      lifecycle = { transition_ia_days = 90, noncurrent_days = 90 }
    }
    edge-deployments = {
      lock_days = var.release_lock_days
      lifecycle = { noncurrent_days = 365 }
    }
    pipeline-artifacts = {
      lock_days = null
      lifecycle = { expire_days = 30, noncurrent_days = 7 }
    }
  }

  # Who may change what guards a bucket: the account itself (its root user), whom
  # administrator_arns names, outside of dev the permission set administrator, and whoever
  # applies in dev or at an endpoint of one's own, where nobody has a role.
  caller_guards = var.environment == "dev" || var.aws_endpoint != null
  named_guardian_arns = concat(
    ["arn:${local.partition}:iam::${local.account_id}:root"],
    var.administrator_arns,
    var.environment == "dev" ? [] : [
      "arn:${local.partition}:iam::${local.account_id}:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_${local.stack}-administrator_*",
    ],
  )
  guardian_arns = concat(local.named_guardian_arns, local.caller_guards ? [data.aws_iam_session_context.current.issuer_arn] : [])

  # The wildcards of a policy, read as a regular expression. Of its special characters the
  # name of a role can hold only "." and "+".
  guardian_patterns = [
    for arn in local.named_guardian_arns : replace(replace(replace(arn, "/[.+]/", "\\$0"), "?", "."), "*", ".*")
  ]

  # The one other caller that plans: it applies nothing, so nothing locks it out.
  planner_arn = "arn:${local.partition}:iam::${local.account_id}:role/${local.stack}-ci-plan"
}

module "keys" {
  source = "./modules/keys"

  name             = local.stack
  account_id       = local.account_id
  partition        = local.partition
  region           = local.region
  signer_role_arns = ["arn:${local.partition}:iam::${local.account_id}:role/${local.stack}-signer"]
}

module "access_logs" {
  source = "./modules/access_log_bucket"

  name                 = local.bucket_names["access-logs"]
  account_id           = local.account_id
  partition            = local.partition
  source_bucket_prefix = var.bucket_prefix
  guardian_arns        = local.guardian_arns
  force_destroy        = var.force_destroy
}

module "bucket" {
  source   = "./modules/private_bucket"
  for_each = local.buckets

  name              = local.bucket_names[each.key]
  kms_key_arn       = module.keys.data_key_arn
  access_log_bucket = module.access_logs.name
  object_lock_days  = each.value.lock_days
  lifecycle_rules   = each.value.lifecycle
  guardian_arns     = local.guardian_arns
  force_destroy     = var.force_destroy
}

module "identity" {
  source = "./modules/identity"

  name                        = local.stack
  environment                 = var.environment
  account_id                  = local.account_id
  partition                   = local.partition
  region                      = local.region
  bucket_arns                 = { for purpose, arn in local.bucket_arns : purpose => arn if purpose != "terraform-state" }
  artifact_prefix             = var.artifact_prefix
  component_prefix            = var.component_prefix
  data_key_arn                = module.keys.data_key_arn
  signing_key_arn             = module.keys.signing_key_arn
  state_bucket_arn            = local.bucket_arns["terraform-state"]
  github_repository           = var.github_repository
  github_environment          = var.environment
  create_github_provider      = var.create_github_provider
  credential_duration_seconds = var.credential_duration_seconds
}

module "people" {
  source = "./modules/people"
  count  = var.identity_center ? 1 : 0

  name             = local.stack
  account_id       = local.account_id
  partition        = local.partition
  region           = local.region
  bucket_arns      = { for purpose, arn in local.bucket_arns : purpose => arn if purpose != "terraform-state" }
  component_prefix = var.component_prefix
  data_key_arn     = module.keys.data_key_arn
  signing_key_arn  = module.keys.signing_key_arn
  state_bucket_arn = local.bucket_arns["terraform-state"]
  group_ids        = var.people
}

module "watch" {
  source = "./modules/watch"

  name               = local.stack
  account_id         = local.account_id
  partition          = local.partition
  region             = local.region
  data_key_arn       = module.keys.data_key_arn
  monthly_budget_usd = var.monthly_budget_usd
  alert_emails       = var.alert_emails
  expected_devices   = var.expected_devices
  log_retention_days = var.log_retention_days
}

module "fleet" {
  source = "./modules/fleet"

  name           = local.stack
  account_id     = local.account_id
  partition      = local.partition
  region         = local.region
  rollout_stages = var.rollout_stages
  role_alias     = module.identity.role_alias
  role_arns = {
    iot_rules    = module.identity.role_arns["iot-rules"]
    lambda       = module.identity.role_arns["lambda"]
    provisioning = module.identity.role_arns["provisioning"]
  }
  raw_bucket        = module.bucket["intents-raw"].name
  deployment_bucket = module.bucket["edge-deployments"].name
  data_key_arn      = module.keys.data_key_arn
  metric_namespace  = module.watch.metric_namespace
  error_log_group   = module.watch.log_group_names["rules"]
  hook_log_group    = module.watch.log_group_names["hook"]
}

module "audit" {
  source = "./modules/audit"

  name                   = local.stack
  account_id             = local.account_id
  partition              = local.partition
  region                 = local.region
  bucket_name            = local.bucket_names["audit-trail"]
  kms_key_arn            = module.keys.data_key_arn
  access_log_bucket      = module.access_logs.name
  guardian_arns          = local.guardian_arns
  object_lock_days       = var.release_lock_days
  log_retention_days     = max(var.log_retention_days, 90)
  data_event_bucket_arns = [module.bucket["edge-deployments"].arn, module.bucket["intents-raw"].arn]
  force_destroy          = var.force_destroy

  permissions_boundary_arn = module.identity.boundary_arn
}
