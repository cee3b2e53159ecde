# What devices may say and hear, and how they join. The provider is mocked: no account, no network.

mock_provider "aws" {
  mock_resource "aws_lambda_function" {
    defaults = {
      arn = "arn:aws:lambda:eu-central-1:123456789012:function:edgewise-dev-provisioning-hook"
    }
  }
}

variables {
  name       = "edgewise-dev"
  account_id = "123456789012"
  region     = "eu-central-1"
  role_alias = "edgewise-dev-token-exchange-alias"
  role_arns = {
    iot_rules    = "arn:aws:iam::123456789012:role/edgewise-dev-iot-rules"
    lambda       = "arn:aws:iam::123456789012:role/edgewise-dev-lambda"
    provisioning = "arn:aws:iam::123456789012:role/edgewise-dev-provisioning"
  }
  raw_bucket        = "slm-intents-raw-dev-123456789012"
  deployment_bucket = "slm-edge-deployments-dev-123456789012"
  data_key_arn      = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  metric_namespace  = "edgewise/edgewise-dev"
  error_log_group   = "/edgewise/edgewise-dev/rules"
  hook_log_group    = "/edgewise/edgewise-dev/hook"
}

run "the_example_has_a_group_for_each_stage" {
  module {
    source = "./examples/fleet"
  }

  assert {
    condition     = join(",", [for stage, group in output.thing_groups : "${group.order} ${group.name}"]) == "1 edgewise-dev-canary,2 edgewise-dev-general"
    error_message = "Each stage must have its thing group, with its place in the order."
  }
}

run "every_stage_is_below_the_fleet" {
  module {
    source = "./modules/fleet"
  }

  assert {
    condition     = length(aws_iot_thing_group.stage) == 3 && alltrue([for group in aws_iot_thing_group.stage : group.parent_group_name == "edgewise-dev-fleet"])
    error_message = "What is deployed to the fleet must reach every stage."
  }
}

run "a_device_connects_only_as_the_thing_of_its_certificate" {
  module {
    source = "./modules/fleet"
  }

  assert {
    condition = [for statement in jsondecode(output.device_policy_json).Statement : statement if statement.Sid == "ConnectAsItself"] == [{
      Sid       = "ConnectAsItself"
      Effect    = "Allow"
      Action    = "iot:Connect"
      Resource  = ["arn:aws:iot:eu-central-1:123456789012:client/$${iot:Connection.Thing.ThingName}", "arn:aws:iot:eu-central-1:123456789012:client/$${iot:Connection.Thing.ThingName}#*"]
      Condition = { Bool = { "iot:Connection.Thing.IsAttached" = "true" } }
    }]
    error_message = "The client id must be the thing's own name."
  }
}

run "a_device_says_and_hears_only_what_has_its_name_in_it" {
  module {
    source = "./modules/fleet"
  }

  assert {
    condition = alltrue([
      for resource in flatten([for statement in jsondecode(output.device_policy_json).Statement : statement.Resource if statement.Sid == "OwnTopics"]) :
      strcontains(resource, "/$${iot:Connection.Thing.ThingName}/")
    ])
    error_message = "Every topic must have the thing's name as a part of its own."
  }
}

run "the_policies_are_as_short_as_aws_iot_wants_them" {
  module {
    source = "./modules/fleet"
  }

  variables {
    # The longest names that there are.
    name   = "abcdefghij-staging"
    region = "ap-southeast-1"
  }

  assert {
    condition     = length(output.device_policy_json) <= 2048 && length(output.claim_policy_json) <= 2048
    error_message = "AWS IoT takes policies of at most 2,048 characters."
  }
}

run "a_claim_can_only_ask_to_be_provisioned" {
  module {
    source = "./modules/fleet"
  }

  assert {
    condition = toset(flatten([for statement in jsondecode(output.claim_policy_json).Statement : statement.Resource])) == toset([
      "arn:aws:iot:eu-central-1:123456789012:client/edgewise-dev-claim-*",
      "arn:aws:iot:eu-central-1:123456789012:topic/$aws/certificates/create/json",
      "arn:aws:iot:eu-central-1:123456789012:topic/$aws/certificates/create/json/*",
      "arn:aws:iot:eu-central-1:123456789012:topic/$aws/provisioning-templates/edgewise-dev-devices/provision/json",
      "arn:aws:iot:eu-central-1:123456789012:topic/$aws/provisioning-templates/edgewise-dev-devices/provision/json/*",
      "arn:aws:iot:eu-central-1:123456789012:topicfilter/$aws/certificates/create/json/*",
      "arn:aws:iot:eu-central-1:123456789012:topicfilter/$aws/provisioning-templates/edgewise-dev-devices/provision/json/*",
    ])
    error_message = "A claim must reach the topics of its template and nothing else."
  }
}

run "a_provisioned_device_gets_the_device_policy_and_begins_in_the_last_stage" {
  module {
    source = "./modules/fleet"
  }

  assert {
    condition     = jsondecode(aws_iot_provisioning_template.devices.template_body).Resources.policy.Properties.PolicyName == "edgewise-dev-device"
    error_message = "The certificate must get the policy of devices."
  }

  assert {
    condition     = jsondecode(aws_iot_provisioning_template.devices.template_body).Resources.thing.Properties.ThingGroups == ["edgewise-dev-general"]
    error_message = "A new device must not be a canary by accident."
  }

  assert {
    condition     = aws_iot_provisioning_template.devices.enabled && one(aws_iot_provisioning_template.devices.pre_provisioning_hook).target_arn == aws_lambda_function.hook.arn
    error_message = "The hook must be asked."
  }

  assert {
    condition     = aws_lambda_permission.hook.source_arn == "arn:aws:iot:eu-central-1:123456789012:provisioningtemplate/edgewise-dev-devices" && aws_lambda_permission.hook.source_account == "123456789012"
    error_message = "Only this template may call the hook."
  }
}

run "the_hook_looks_at_the_list_in_the_deployment_bucket" {
  module {
    source = "./modules/fleet"
  }

  assert {
    condition     = one(aws_lambda_function.hook.environment).variables == tomap({ ALLOWLIST_BUCKET = var.deployment_bucket, ALLOWLIST_PREFIX = "allowlist/" })
    error_message = "The hook must know where the list is."
  }

  assert {
    condition     = aws_lambda_function.hook.timeout == 5 && one(aws_lambda_function.hook.logging_config).log_group == var.hook_log_group
    error_message = "The hook must answer in time, and log where the lines are encrypted."
  }
}

run "telemetry_is_stored_and_counted" {
  module {
    source = "./modules/fleet"
  }

  assert {
    condition     = one(aws_iot_topic_rule.telemetry_to_s3.s3).bucket_name == var.raw_bucket && startswith(one(aws_iot_topic_rule.telemetry_to_s3.s3).key, "telemetry/$${topic(2)}/")
    error_message = "Each message must become an object below telemetry/ and the thing's name."
  }

  assert {
    condition     = strcontains(aws_iot_topic_rule.telemetry_to_s3.sql, "FROM 'edgewise-dev/+/telemetry'")
    error_message = "The rule must listen to the stack's own topics."
  }

  assert {
    condition = toset(concat(
      [for metric in aws_iot_topic_rule.telemetry_to_metrics.cloudwatch_metric : "${metric.metric_namespace} ${metric.metric_name} ${metric.metric_value}"],
      [for metric in aws_iot_topic_rule.heartbeat_to_metrics.cloudwatch_metric : "${metric.metric_namespace} ${metric.metric_name} ${metric.metric_value}"],
      )) == toset([
      "edgewise/edgewise-dev DriftScore $${drift_score}",
      "edgewise/edgewise-dev Errors $${errors}",
      "edgewise/edgewise-dev Heartbeats 1",
      "edgewise/edgewise-dev LatencyP95Ms $${latency_ms_p95}",
      "edgewise/edgewise-dev Requests $${requests}",
    ])
    error_message = "Every metric that an alarm is on must be counted."
  }
}

run "what_a_rule_cannot_store_is_logged" {
  module {
    source = "./modules/fleet"
  }

  assert {
    condition = alltrue([
      for rule in [aws_iot_topic_rule.telemetry_to_s3, aws_iot_topic_rule.review_to_s3, aws_iot_topic_rule.telemetry_to_metrics, aws_iot_topic_rule.heartbeat_to_metrics] :
      one(one(rule.error_action).cloudwatch_logs).log_group_name == var.error_log_group
    ])
    error_message = "Every rule needs an error action."
  }
}

run "values_out_of_range_are_refused" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    name              = "Edgewise"
    account_id        = "1"
    partition         = "moon"
    region            = "Frankfurt"
    rollout_stages    = []
    role_alias        = "arn:aws:iot:eu-central-1:123456789012:rolealias/x"
    role_arns         = { iot_rules = "a", lambda = "b", provisioning = "c" }
    raw_bucket        = "Raw"
    deployment_bucket = "s3://x"
    data_key_arn      = "alias/data"
    metric_namespace  = "AWS/IoT"
    error_log_group   = "a b"
    hook_log_group    = ""
  }

  expect_failures = [
    var.name,
    var.account_id,
    var.partition,
    var.region,
    var.rollout_stages,
    var.role_alias,
    var.role_arns,
    var.raw_bucket,
    var.deployment_bucket,
    var.data_key_arn,
    var.metric_namespace,
    var.error_log_group,
    var.hook_log_group,
  ]
}

run "stages_must_differ_and_leave_the_fleet_its_name" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    rollout_stages = ["canary", "fleet"]
  }

  expect_failures = [var.rollout_stages]
}
