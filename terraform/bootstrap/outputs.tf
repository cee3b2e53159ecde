output "bucket_name" {
  description = "Name of the bucket that keeps the state, for the backend of the stack."
  value       = module.state_bucket.name
}

output "bucket_arn" {
  description = "ARN of the bucket that keeps the state."
  value       = module.state_bucket.arn
}

output "bucket_policy_json" {
  description = "Policy of the bucket that keeps the state, as JSON."
  value       = module.state_bucket.policy_json
}

output "access_log_bucket_name" {
  description = "Name of the bucket that keeps the access log of the state."
  value       = module.access_log_bucket.name
}

output "access_log_bucket_policy_json" {
  description = "Policy of the bucket that keeps the access log of the state, as JSON."
  value       = module.access_log_bucket.policy_json
}

output "kms_key_arn" {
  description = "ARN of the key that encrypts the state, for the backend of the stack."
  value       = aws_kms_key.state.arn
}

output "kms_key_policy_json" {
  description = "Policy of the key that encrypts the state, as JSON."
  value       = aws_kms_key.state.policy
}
