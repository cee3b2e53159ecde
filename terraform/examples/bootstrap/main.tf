# The state of a development environment, in an account of its own.

module "bootstrap" {
  source = "../../bootstrap"

  environment = "dev"
  account_id  = "123456789012"
  aws_region  = "eu-central-1"
  bucket_name = "slm-terraform-state-123456789012"
}

output "bucket_name" {
  description = "Name of the bucket that keeps the state."
  value       = module.bootstrap.bucket_name
}
