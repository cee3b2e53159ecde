output "role_arn" {
  description = "ARN of the role that devices act as."
  value       = aws_iam_role.this.arn
}

output "role_alias" {
  description = "Name of the IoT role alias."
  value       = aws_iot_role_alias.this.alias
}

output "policy_json" {
  description = "What the role may do, as JSON."
  value       = aws_iam_role_policy.read_artifacts.policy
}

output "trust_json" {
  description = "Who may act as the role, as JSON."
  value       = aws_iam_role.this.assume_role_policy
}
