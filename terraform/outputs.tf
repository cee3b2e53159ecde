output "artifact_bucket" {
  description = "Name of the bucket that holds component artifacts."
  value       = module.artifact_bucket.name
}

output "artifact_prefix" {
  description = "Folder in the bucket that devices may read."
  value       = var.artifact_prefix
}

output "region" {
  description = "AWS region of the stack."
  value       = data.aws_region.current.name
}

output "token_exchange_role_arn" {
  description = "ARN of the role that devices act as."
  value       = module.token_exchange_role.role_arn
}

output "token_exchange_role_alias" {
  description = "Name of the IoT role alias, which goes into the configuration of the Greengrass nucleus."
  value       = module.token_exchange_role.role_alias
}
