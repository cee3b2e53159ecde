output "topic_arn" {
  description = "ARN of the topic that alarms and budget alerts go to."
  value       = aws_sns_topic.alarms.arn
}

output "topic_policy_json" {
  description = "Who may publish to the topic, as JSON."
  value       = aws_sns_topic_policy.alarms.policy
}

output "log_group_names" {
  description = "Log groups by purpose: devices, rules and hook -> name."
  value       = { for purpose, group in aws_cloudwatch_log_group.this : purpose => group.name }
}

output "log_group_arns" {
  description = "Log groups by purpose: devices, rules and hook -> ARN."
  value       = { for purpose, group in aws_cloudwatch_log_group.this : purpose => group.arn }
}

output "metric_namespace" {
  description = "Namespace of the fleet's metrics."
  value       = local.namespace
}

output "alarm_arns" {
  description = "Alarms by name, the composite one among them -> ARN."
  value       = local.alarm_arns
}

output "composite_alarm_arn" {
  description = "ARN of the alarm that is on while any other is."
  value       = aws_cloudwatch_composite_alarm.unhealthy.arn
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.fleet.dashboard_name
}
