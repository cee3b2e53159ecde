output "permission_set_arns" {
  description = "ARN of each permission set by its short name: administrator, operator, developer and auditor."
  value       = { for name, set in aws_ssoadmin_permission_set.this : name => set.arn }
}

output "permission_set_names" {
  description = "Name of each permission set by its short name, as people see it when they sign in."
  value       = { for name, set in aws_ssoadmin_permission_set.this : name => set.name }
}

output "policies" {
  description = "Policy of each permission set by its short name, as JSON."
  value       = { for name, policy in aws_ssoadmin_permission_set_inline_policy.this : name => policy.inline_policy }
}
