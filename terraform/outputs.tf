output "artifact_bucket" {
  description = "Name of the bucket that holds component artifacts."
  value       = module.bucket["edge-deployments"].name
}

output "artifact_prefix" {
  description = "Folder in the bucket that devices may read."
  value       = var.artifact_prefix
}

output "region" {
  description = "AWS region of the stack."
  value       = local.region
}
