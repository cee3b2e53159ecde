# Where the state of an environment is kept. It is applied once, before anything else, and
# keeps its own state in a file: the bucket cannot hold the state of itself before it exists.
# A lost file is no harm: infra.bootstrap takes the bucket and the key back in.

provider "aws" {
  region = var.aws_region

  # Another account's credentials stop here, before anything is made.
  allowed_account_ids = var.account_id[*]

  # An endpoint of one's own has no metadata service and no host name per bucket.
  # It is near and does not throttle, so a call that fails twice will go on failing.
  skip_credentials_validation = var.aws_endpoint != null
  skip_metadata_api_check     = var.aws_endpoint != null
  s3_use_path_style           = var.aws_endpoint != null
  max_retries                 = var.aws_endpoint != null ? 2 : null

  dynamic "endpoints" {
    for_each = var.aws_endpoint[*]

    content {
      iam = endpoints.value
      kms = endpoints.value
      s3  = endpoints.value
      sts = endpoints.value
    }
  }

  default_tags {
    tags = merge(var.tags, {
      Stack       = "${var.name}-${var.environment}"
      Environment = var.environment
      ManagedBy   = "terraform"
    })
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

# The role behind a session, which is what a policy compares.
data "aws_iam_session_context" "current" {
  arn = data.aws_caller_identity.current.arn
}

locals {
  stack      = "${var.name}-${var.environment}"
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  caller_arn = data.aws_iam_session_context.current.issuer_arn

  # Without anybody named, whoever applies this: a bucket without a guardian could never change.
  caller_guards = var.caller_guards || length(var.guardian_arns) == 0
  guardian_arns = concat(var.guardian_arns, local.caller_guards ? [local.caller_arn] : [])

  # The wildcards of a policy, read as a regular expression. Of its special characters the
  # name of a role can hold only "." and "+".
  guardian_patterns = [
    for arn in local.guardian_arns : replace(replace(replace(arn, "/[.+]/", "\\$0"), "?", "."), "*", ".*")
  ]
  caller_is_guardian = anytrue([
    for pattern in local.guardian_patterns : can(regex("^${pattern}$", local.caller_arn))
  ])

  key_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        # Each role still needs a policy of its own that names this key.
        Sid       = "AccountDecidesByIam"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
    ]
  }
}

# A key of its own: whoever reads the data of a stack does not read its state.
resource "aws_kms_key" "state" {
  description             = "Encrypts the Terraform state of ${local.stack}."
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = jsonencode(local.key_policy)

  lifecycle {
    precondition {
      condition     = local.caller_is_guardian
      error_message = "guardian_arns does not hold ${local.caller_arn}, which applies this. The first apply would lock its own author out: add that ARN (to administrator_arns in the variable file of the environment, for infra.bootstrap), or sign in as one of the guardians."
    }
  }
}

resource "aws_kms_alias" "state" {
  name          = "alias/${local.stack}-state"
  target_key_id = aws_kms_key.state.key_id
}

module "access_log_bucket" {
  source = "../modules/access_log_bucket"

  name                 = "${var.bucket_name}-logs"
  account_id           = local.account_id
  partition            = local.partition
  source_bucket_prefix = var.bucket_name
  guardian_arns        = local.guardian_arns
  force_destroy        = var.force_destroy
}

# There is no prevent_destroy: Terraform wants it written down as true or false, so it could
# not be lifted for an environment that is given up. What stands in for it is that S3 deletes
# no bucket that holds an object or an old version of one. To give an environment up, apply
# with force_destroy = true first, and then destroy.
module "state_bucket" {
  source = "../modules/private_bucket"

  name              = var.bucket_name
  kms_key_arn       = aws_kms_key.state.arn
  access_log_bucket = module.access_log_bucket.name
  guardian_arns     = local.guardian_arns
  force_destroy     = var.force_destroy

  # The newest state never ages. No object lock: a lock file must be deletable.
  lifecycle_rules = {
    noncurrent_days = 90
  }
}
