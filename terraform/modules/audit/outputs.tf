output "trail_arn" {
  description = "ARN of the trail."
  value       = aws_cloudtrail.this.arn
}

output "trail_name" {
  description = "Name of the trail."
  value       = aws_cloudtrail.this.name
}

output "bucket_name" {
  description = "Name of the bucket that keeps the trail."
  value       = module.bucket.name
}

output "bucket_arn" {
  description = "ARN of the bucket that keeps the trail."
  value       = module.bucket.arn
}

output "bucket_policy_json" {
  description = "Policy of the bucket that keeps the trail, as JSON."
  value       = module.bucket.policy_json
}

output "log_group_name" {
  description = "Name of the log group where the trail can be searched."
  value       = aws_cloudwatch_log_group.this.name
}

output "log_group_arn" {
  description = "ARN of the log group where the trail can be searched."
  value       = aws_cloudwatch_log_group.this.arn
}

output "logs_role_arn" {
  description = "ARN of the role that copies the trail to the log group."
  value       = aws_iam_role.logs.arn
}

output "logs_trust_json" {
  description = "Who may act as the role that copies the trail, as JSON."
  value       = aws_iam_role.logs.assume_role_policy
}

output "logs_policy_json" {
  description = "What the role that copies the trail may do, as JSON."
  value       = aws_iam_role_policy.logs.policy
}
