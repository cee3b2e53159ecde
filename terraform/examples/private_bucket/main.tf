# A bucket for releases: locked for a quarter, replaced versions kept for a year.

terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "bucket" {
  source = "../../modules/private_bucket"

  name              = "slm-edge-deployments-123456789012"
  kms_key_arn       = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  access_log_bucket = "slm-access-logs-123456789012"
  object_lock_days  = 90
  guardian_arns     = ["arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_AdministratorAccess_*"]

  lifecycle_rules = {
    transition_ia_days = 60
    noncurrent_days    = 365
  }
}

output "name" {
  description = "Name of the bucket."
  value       = module.bucket.name
}
