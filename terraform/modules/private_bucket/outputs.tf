output "name" {
  description = "Name of the bucket, handed out only after its policy guards it."
  value       = aws_s3_bucket.this.bucket

  depends_on = [aws_s3_bucket_policy.this]
}

output "arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}

output "policy_json" {
  description = "Policy of the bucket, as JSON."
  value       = aws_s3_bucket_policy.this.policy
}
