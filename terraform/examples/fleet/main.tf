# A fleet that is rolled out in two stages.

terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "fleet" {
  source = "../../modules/fleet"

  name           = "edgewise-dev"
  account_id     = "123456789012"
  region         = "eu-central-1"
  rollout_stages = ["canary", "general"]
  role_alias     = "edgewise-dev-token-exchange-alias"
  role_arns = {
    iot_rules    = "arn:aws:iam::123456789012:role/edgewise-dev-iot-rules"
    lambda       = "arn:aws:iam::123456789012:role/edgewise-dev-lambda"
    provisioning = "arn:aws:iam::123456789012:role/edgewise-dev-provisioning"
  }
  raw_bucket        = "slm-intents-raw-dev-123456789012"
  deployment_bucket = "slm-edge-deployments-dev-123456789012"
  data_key_arn      = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  metric_namespace  = "edgewise/edgewise-dev"
  error_log_group   = "/edgewise/edgewise-dev/rules"
  hook_log_group    = "/edgewise/edgewise-dev/hook"
}

output "thing_groups" {
  description = "Thing group of each stage."
  value       = module.fleet.thing_groups
}
