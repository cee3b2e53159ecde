output "stack" {
  description = "Name of the stack: name and environment."
  value       = local.stack
}

output "account_id" {
  description = "AWS account of the stack."
  value       = local.account_id
}

output "region" {
  description = "AWS region of the stack."
  value       = local.region
}

output "artifact_bucket" {
  description = "Name of the bucket that holds component artifacts."
  value       = module.bucket["edge-deployments"].name
}

output "artifact_prefix" {
  description = "Folder in the bucket that devices may read."
  value       = var.artifact_prefix
}

output "buckets" {
  description = "Name of each bucket by its purpose."
  value = merge(
    { for purpose, bucket in module.bucket : purpose => bucket.name },
    { access-logs = module.access_logs.name, audit-trail = module.audit.bucket_name },
  )
}

output "data_key_arn" {
  description = "ARN of the key that encrypts what the stack stores."
  value       = module.keys.data_key_arn
}

output "signing_key" {
  description = "Key that signs bundles: its arn and its alias."
  value       = { arn = module.keys.signing_key_arn, alias = module.keys.signing_alias }
}

output "role_arns" {
  description = "ARN of each role by its short name."
  value       = module.identity.role_arns
}

output "permission_sets" {
  description = "Name of each permission set; none without IAM Identity Center."
  value       = try(module.people[0].permission_set_names, {})
}

output "role_alias" {
  description = "Name of the IoT role alias, which goes into the configuration of the Greengrass nucleus."
  value       = module.identity.role_alias
}

output "thing_groups" {
  description = "Thing group of each stage of a roll-out: stage -> name, arn and order (1 is the first)."
  value       = module.fleet.thing_groups
}

output "provisioning" {
  description = "How devices join: the template, the policy of claim certificates, and the folder of the list of serial numbers."
  value = {
    template     = module.fleet.provisioning_template
    claim_policy = module.fleet.claim_policy_name
    allowlist    = "s3://${module.bucket["edge-deployments"].name}/allowlist/"
  }
}

output "alarms" {
  description = "Whom to listen to: the topic, the alarm above all others, and the name of the dashboard."
  value = {
    topic_arn = module.watch.topic_arn
    composite = module.watch.composite_alarm_arn
    dashboard = module.watch.dashboard_name
  }
}

output "log_groups" {
  description = "Name of each log group by its purpose."
  value       = merge(module.watch.log_group_names, { trail = module.audit.log_group_name })
}

output "trail_arn" {
  description = "ARN of the trail."
  value       = module.audit.trail_arn
}
