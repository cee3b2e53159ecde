output "data_key_arn" {
  description = "ARN of the key that encrypts what the stack stores."
  value       = aws_kms_key.data.arn
}

output "data_key_id" {
  description = "Id of the key that encrypts what the stack stores."
  value       = aws_kms_key.data.key_id
}

output "data_alias" {
  description = "Alias of the key that encrypts what the stack stores."
  value       = aws_kms_alias.data.name
}

output "data_policy_json" {
  description = "Policy of the key that encrypts what the stack stores, as JSON."
  value       = aws_kms_key.data.policy
}

output "signing_key_arn" {
  description = "ARN of the key that signs bundles."
  value       = aws_kms_key.signing.arn
}

output "signing_key_id" {
  description = "Id of the key that signs bundles."
  value       = aws_kms_key.signing.key_id
}

output "signing_alias" {
  description = "Alias of the key that signs bundles."
  value       = aws_kms_alias.signing.name
}

output "signing_policy_json" {
  description = "Policy of the key that signs bundles, as JSON."
  value       = aws_kms_key.signing.policy
}
