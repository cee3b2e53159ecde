# The roles of a stack that one repository releases to.

terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "identity" {
  source = "../../modules/identity"

  name              = "edgewise-dev"
  environment       = "dev"
  account_id        = "123456789012"
  region            = "eu-central-1"
  data_key_arn      = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  signing_key_arn   = "arn:aws:kms:eu-central-1:123456789012:key/66666666-7777-8888-9999-000000000000"
  state_bucket_arn  = "arn:aws:s3:::slm-terraform-state-123456789012"
  github_repository = "example/edgewise"

  bucket_arns = {
    for purpose in ["intents-raw", "intents-processed", "model-artifacts", "edge-deployments", "pipeline-artifacts", "access-logs", "audit-trail"] :
    purpose => "arn:aws:s3:::slm-${purpose}-123456789012"
  }
}

output "role_arns" {
  description = "ARN of each role by its short name."
  value       = module.identity.role_arns
}
