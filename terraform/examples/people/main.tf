# The permission sets of a stack that two groups of an organization work with.

terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "people" {
  source = "../../modules/people"

  name             = "edgewise-dev"
  account_id       = "123456789012"
  region           = "eu-central-1"
  data_key_arn     = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  signing_key_arn  = "arn:aws:kms:eu-central-1:123456789012:key/66666666-7777-8888-9999-000000000000"
  state_bucket_arn = "arn:aws:s3:::slm-terraform-state-123456789012"

  bucket_arns = {
    for purpose in ["intents-raw", "intents-processed", "model-artifacts", "edge-deployments", "pipeline-artifacts", "access-logs", "audit-trail"] :
    purpose => "arn:aws:s3:::slm-${purpose}-123456789012"
  }

  group_ids = {
    administrator = "906ab1cd2a-3b4c5d6e-7f80-4a1b-9c2d-3e4f50617283"
    operator      = "906ab1cd2a-3b4c5d6e-7f80-4a1b-9c2d-3e4f50617284"
  }
}

output "permission_set_names" {
  description = "Name of each permission set, as people see it when they sign in."
  value       = module.people.permission_set_names
}
