# The trail of one account. It also records who touches the objects of the raw bucket.

terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "audit" {
  source = "../../modules/audit"

  name                   = "edgewise-dev"
  account_id             = "123456789012"
  region                 = "eu-central-1"
  bucket_name            = "slm-audit-trail-123456789012"
  kms_key_arn            = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  access_log_bucket      = "slm-access-logs-123456789012"
  guardian_arns          = ["arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_AdministratorAccess_*"]
  data_event_bucket_arns = ["arn:aws:s3:::slm-intents-raw-123456789012"]
}

output "trail_arn" {
  description = "ARN of the trail."
  value       = module.audit.trail_arn
}
