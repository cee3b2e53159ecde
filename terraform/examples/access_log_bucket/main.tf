# Where the buckets of one account log who called them, for half a year.

terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "access_log_bucket" {
  source = "../../modules/access_log_bucket"

  name                 = "slm-access-logs-123456789012"
  account_id           = "123456789012"
  source_bucket_prefix = "slm-"
  expire_days          = 180
  guardian_arns        = ["arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_AdministratorAccess_*"]
}

output "name" {
  description = "Name of the bucket."
  value       = module.access_log_bucket.name
}
