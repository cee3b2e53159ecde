output "thing_groups" {
  description = "Thing group of each stage of a roll-out, in no order: stage -> name, arn and order (1 is the first)."
  value = {
    for stage, group in aws_iot_thing_group.stage :
    stage => { name = group.name, arn = group.arn, order = index(var.rollout_stages, stage) + 1 }
  }
}

output "fleet_group_arn" {
  description = "ARN of the thing group above the stages."
  value       = aws_iot_thing_group.fleet.arn
}

output "device_policy_name" {
  description = "Name of the IoT policy of every device."
  value       = aws_iot_policy.device.name
}

output "device_policy_json" {
  description = "What a device's certificate allows, as JSON."
  value       = aws_iot_policy.device.policy
}

output "claim_policy_name" {
  description = "Name of the IoT policy for claim certificates."
  value       = aws_iot_policy.claim.name
}

output "claim_policy_json" {
  description = "What a claim certificate allows, as JSON."
  value       = aws_iot_policy.claim.policy
}

output "provisioning_template" {
  description = "Name of the template that devices are provisioned with."
  value       = aws_iot_provisioning_template.devices.name
}

output "topic_rule_names" {
  description = "Names of the topic rules."
  value = [
    aws_iot_topic_rule.heartbeat_to_metrics.name,
    aws_iot_topic_rule.review_to_s3.name,
    aws_iot_topic_rule.telemetry_to_metrics.name,
    aws_iot_topic_rule.telemetry_to_s3.name,
  ]
}
