# Budget, alarms and dashboard of one stack of forty devices, with one person who is told.

terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "watch" {
  source = "../../modules/watch"

  name         = "edgewise-dev"
  account_id   = "123456789012"
  region       = "eu-central-1"
  data_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  alert_emails = ["on-call@example.com"]
  thresholds   = { latency_p95_ms = 100 }

  expected_devices = 40
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = module.watch.dashboard_name
}
