output "role_arns" {
  description = "ARN of each role by its short name: sagemaker, lambda, token-exchange, iot-rules, provisioning, and with a repository ci-plan, ci-deploy and signer. Handed out only after each can do its work."
  value       = { for name, role in aws_iam_role.this : name => role.arn }

  depends_on = [aws_iam_role_policy.this]
}

output "role_alias" {
  description = "Name of the role alias through which a core device gets its credentials."
  value       = aws_iot_role_alias.this.alias
}

output "role_alias_arn" {
  description = "ARN of the role alias, for the policy of the devices."
  value       = aws_iot_role_alias.this.arn
}

output "policies" {
  description = "Policies of each role by its short name, as JSON: trust says who may act as it, permissions what it may do."
  value = {
    for name, role in aws_iam_role.this : name => {
      trust       = role.assume_role_policy
      permissions = aws_iam_role_policy.this[name].policy
    }
  }
}

output "boundary_arn" {
  description = "ARN of the boundary that every role of the stack carries."
  value       = aws_iam_policy.guardrails.arn
}

output "boundary_json" {
  description = "Boundary that every role of the stack carries, as JSON."
  value       = aws_iam_policy.guardrails.policy
}

output "github_provider_arn" {
  description = "ARN of GitHub's identity provider; null when no repository is let in."
  value       = var.github_repository == null ? null : local.github_provider_arn
}
