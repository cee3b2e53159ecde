provider "aws" {
  region = var.aws_region

  # An endpoint of one's own has no metadata service and no host name per bucket.
  # It is near and does not throttle, so a call that fails twice will go on failing.
  skip_credentials_validation = var.aws_endpoint != null
  skip_metadata_api_check     = var.aws_endpoint != null
  s3_use_path_style           = var.aws_endpoint != null
  max_retries                 = var.aws_endpoint != null ? 2 : null

  dynamic "endpoints" {
    for_each = var.aws_endpoint != null ? [var.aws_endpoint] : []

    content {
      iam = endpoints.value
      iot = endpoints.value
      s3  = endpoints.value
      sts = endpoints.value
    }
  }

  default_tags {
    tags = merge(var.tags, { Stack = var.name, ManagedBy = "terraform" })
  }
}

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  # Bucket names are shared by all of AWS: account and region make this one its own.
  bucket_name = "${var.name}-artifacts-${data.aws_caller_identity.current.account_id}-${data.aws_region.current.name}"
}

module "artifact_bucket" {
  source = "./modules/artifact_bucket"

  name                    = local.bucket_name
  kms_key_arn             = var.kms_key_arn
  noncurrent_version_days = var.noncurrent_version_days
  force_destroy           = var.force_destroy
}

module "token_exchange_role" {
  source = "./modules/token_exchange_role"

  name                        = "${var.name}-token-exchange"
  bucket_arn                  = module.artifact_bucket.arn
  artifact_prefix             = var.artifact_prefix
  kms_key_arn                 = var.kms_key_arn
  credential_duration_seconds = var.credential_duration_seconds
}
