# The keys of a stack whose bundles are signed by one role.

terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "keys" {
  source = "../../modules/keys"

  name             = "edgewise-dev"
  account_id       = "123456789012"
  region           = "eu-central-1"
  signer_role_arns = ["arn:aws:iam::123456789012:role/edgewise-dev-signer"]
}

output "data_alias" {
  description = "Alias of the key that encrypts what the stack stores."
  value       = module.keys.data_alias
}

output "signing_alias" {
  description = "Alias of the key that signs bundles."
  value       = module.keys.signing_alias
}
