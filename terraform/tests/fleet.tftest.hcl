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
    condition     = { for stage, group in aws_iot_thing_group.stage : stage => one(one(group.properties).attribute_payload).attributes } == { canary = tomap({ rollout_order = "1" }), early = tomap({ rollout_order = "2" }), general = tomap({ rollout_order = "3" }) }
    error_message = "The order of the stages must be found at the groups."
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
    condition = [for statement in jsondecode(output.device_policy_json).Statement : statement if statement.Sid == "OwnTopics"] == [{
      Sid    = "OwnTopics"
      Effect = "Allow"
      Action = ["iot:Publish", "iot:Receive", "iot:Subscribe"]
      Resource = [
        "arn:aws:iot:eu-central-1:123456789012:topic/$aws/things/$${iot:Connection.Thing.ThingName}/*",
        "arn:aws:iot:eu-central-1:123456789012:topicfilter/$aws/things/$${iot:Connection.Thing.ThingName}/*",
        "arn:aws:iot:eu-central-1:123456789012:topic/edgewise-dev/$${iot:Connection.Thing.ThingName}/*",
        "arn:aws:iot:eu-central-1:123456789012:topicfilter/edgewise-dev/$${iot:Connection.Thing.ThingName}/*",
      ]
    }]
    error_message = "Every topic must have the thing's name as a part of its own."
  }
}

run "a_device_fetches_its_credentials_and_deployments_and_manages_nothing" {
  module {
    source = "./modules/fleet"
  }

  assert {
    condition = { for statement in jsondecode(output.device_policy_json).Statement : statement.Sid => [statement.Effect, statement.Action, statement.Resource] if !contains(["ConnectAsItself", "OwnTopics"], statement.Sid) } == {
      FetchItsCredentials = ["Allow", "iot:AssumeRoleWithCertificate", "arn:aws:iot:eu-central-1:123456789012:rolealias/edgewise-dev-token-exchange-alias"]
      FetchItsDeployments = [
        "Allow",
        [
          "greengrass:GetComponentVersionArtifact",
          "greengrass:GetDeploymentConfiguration",
          "greengrass:ListThingGroupsForCoreDevice",
          "greengrass:ResolveComponentCandidates",
        ],
        "*",
      ]
    }
    error_message = "A device gets the role of its stack and what the nucleus asks of Greengrass, and nothing else."
  }
}

run "the_policies_are_as_short_as_aws_iot_wants_them" {
  module {
    source = "./modules/fleet"
  }

  variables {
    # The longest names that there are.
    name       = "abcdefghijklmnopqrst-staging"
    partition  = "aws-us-gov"
    region     = "us-gov-west-1"
    role_alias = "abcdefghijklmnopqrst-staging-token-exchange-alias"
  }

  assert {
    condition     = length(output.device_policy_json) <= 2048 && length(output.claim_policy_json) <= 2048
    error_message = "AWS IoT takes policies of at most 2,048 characters."
  }

  assert {
    condition     = length(aws_iot_provisioning_template.devices.name) <= 36
    error_message = "AWS IoT takes names of templates of at most 36 characters."
  }
}

run "a_claim_can_only_ask_to_be_provisioned" {
  module {
    source = "./modules/fleet"
  }

  assert {
    condition = { for statement in jsondecode(output.claim_policy_json).Statement : statement.Action => flatten([statement.Effect, statement.Resource]) } == {
      "iot:Connect" = ["Allow", "arn:aws:iot:eu-central-1:123456789012:client/edgewise-dev-claim-*"]
      "iot:Publish" = [
        "Allow",
        "arn:aws:iot:eu-central-1:123456789012:topic/$aws/certificates/create/json",
        "arn:aws:iot:eu-central-1:123456789012:topic/$aws/certificates/create-from-csr/json",
        "arn:aws:iot:eu-central-1:123456789012:topic/$aws/provisioning-templates/edgewise-dev-devices/provision/json",
      ]
      "iot:Receive" = [
        "Allow",
        "arn:aws:iot:eu-central-1:123456789012:topic/$aws/certificates/create/json/*",
        "arn:aws:iot:eu-central-1:123456789012:topic/$aws/certificates/create-from-csr/json/*",
        "arn:aws:iot:eu-central-1:123456789012:topic/$aws/provisioning-templates/edgewise-dev-devices/provision/json/*",
      ]
      "iot:Subscribe" = [
        "Allow",
        "arn:aws:iot:eu-central-1:123456789012:topicfilter/$aws/certificates/create/json/*",
        "arn:aws:iot:eu-central-1:123456789012:topicfilter/$aws/certificates/create-from-csr/json/*",
        "arn:aws:iot:eu-central-1:123456789012:topicfilter/$aws/provisioning-templates/edgewise-dev-devices/provision/json/*",
      ]
    }
    error_message = "A claim must reach the topics of its template and nothing else."
  }

  assert {
    condition     = aws_iot_provisioning_template.devices.name == "edgewise-dev-devices" && output.provisioning_template == "edgewise-dev-devices"
    error_message = "The template must be the one that the claim may use."
  }
}

run "a_provisioned_device_gets_the_device_policy_and_begins_in_the_last_stage" {
  module {
    source = "./modules/fleet"
  }

  assert {
    condition = jsondecode(aws_iot_provisioning_template.devices.template_body).Resources.policy == {
      Type       = "AWS::IoT::Policy"
      Properties = { PolicyName = "edgewise-dev-device" }
    }
    error_message = "The certificate must get the policy of devices."
  }

  assert {
    condition = jsondecode(aws_iot_provisioning_template.devices.template_body).Resources.certificate == {
      Type       = "AWS::IoT::Certificate"
      Properties = { CertificateId = { Ref = "AWS::IoT::Certificate::Id" }, Status = "ACTIVE" }
    }
    error_message = "The certificate must be the one that the device just got."
  }

  assert {
    condition = jsondecode(aws_iot_provisioning_template.devices.template_body).Resources.thing.Properties == {
      ThingName        = { "Fn::Join" = ["", ["edgewise-dev-", { Ref = "SerialNumber" }]] }
      ThingTypeName    = "edgewise-dev-gateway"
      ThingGroups      = ["edgewise-dev-general"]
      AttributePayload = { serial_number = { Ref = "SerialNumber" } }
    }
    error_message = "A new device must be named after its serial number, and not be a canary by accident."
  }

  assert {
    condition = jsondecode(aws_iot_provisioning_template.devices.template_body).Resources.thing.OverrideSettings == {
      AttributePayload = "MERGE"
      ThingGroups      = "DO_NOTHING"
      ThingTypeName    = "DO_NOTHING"
    }
    error_message = "A device that comes again must be let in, and stay in its stage."
  }

  assert {
    condition = jsondecode(aws_iot_provisioning_template.devices.template_body).Parameters == {
      SerialNumber                = { Type = "String" }
      "AWS::IoT::Certificate::Id" = { Type = "String" }
    }
    error_message = "Without a default, a device without a serial number cannot join."
  }

  assert {
    condition     = aws_iot_provisioning_template.devices.provisioning_role_arn == var.role_arns.provisioning
    error_message = "Devices must be registered by the role of provisioning."
  }

  assert {
    condition     = aws_iot_provisioning_template.devices.enabled && one(aws_iot_provisioning_template.devices.pre_provisioning_hook).target_arn == aws_lambda_function.hook.arn
    error_message = "The hook must be asked."
  }

  assert {
    condition     = [aws_lambda_permission.hook.principal, aws_lambda_permission.hook.action, aws_lambda_permission.hook.function_name, aws_lambda_permission.hook.source_arn, aws_lambda_permission.hook.source_account] == ["iot.amazonaws.com", "lambda:InvokeFunction", "edgewise-dev-provisioning-hook", "arn:aws:iot:eu-central-1:123456789012:provisioningtemplate/edgewise-dev-devices", "123456789012"]
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

  assert {
    condition     = aws_lambda_function.hook.role == var.role_arns.lambda && aws_lambda_function.hook.kms_key_arn == var.data_key_arn
    error_message = "The hook must have its own role, and its settings be encrypted."
  }

  assert {
    condition     = aws_lambda_function.hook.handler == "handler.handler" && aws_lambda_function.hook.runtime == "python3.13" && aws_lambda_function.hook.architectures == tolist(["arm64"])
    error_message = "Lambda must find the function in the module handler of the archive."
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
    condition     = one(aws_iot_topic_rule.review_to_s3.s3).bucket_name == var.raw_bucket && startswith(one(aws_iot_topic_rule.review_to_s3.s3).key, "review/$${topic(2)}/")
    error_message = "Each utterance for review must become an object below review/ and the thing's name."
  }

  assert {
    condition = {
      heartbeat_to_metrics = aws_iot_topic_rule.heartbeat_to_metrics.sql
      review_to_s3         = aws_iot_topic_rule.review_to_s3.sql
      telemetry_to_metrics = aws_iot_topic_rule.telemetry_to_metrics.sql
      telemetry_to_s3      = aws_iot_topic_rule.telemetry_to_s3.sql
      } == {
      heartbeat_to_metrics = "SELECT * FROM 'edgewise-dev/+/heartbeat'"
      review_to_s3         = "SELECT *, topic(2) AS thing, timestamp() AS received_ms FROM 'edgewise-dev/+/review'"
      telemetry_to_metrics = "SELECT * FROM 'edgewise-dev/+/telemetry' WHERE isUndefined(requests) = false AND isUndefined(errors) = false AND isUndefined(latency_ms_p95) = false AND isUndefined(drift_score) = false"
      telemetry_to_s3      = "SELECT *, topic(2) AS thing, timestamp() AS received_ms FROM 'edgewise-dev/+/telemetry'"
    }
    error_message = "A rule must listen to the stack's own topics, and count only messages that have every number."
  }

  assert {
    condition = toset(output.topic_rule_names) == toset([
      "edgewise_dev_heartbeat_to_metrics", "edgewise_dev_review_to_s3", "edgewise_dev_telemetry_to_metrics", "edgewise_dev_telemetry_to_s3",
    ])
    error_message = "Rules must be named as the role of rules expects it."
  }

  assert {
    condition = alltrue([
      for rule in [aws_iot_topic_rule.telemetry_to_s3, aws_iot_topic_rule.review_to_s3, aws_iot_topic_rule.telemetry_to_metrics, aws_iot_topic_rule.heartbeat_to_metrics] :
      rule.enabled && rule.sql_version == "2016-03-23" && alltrue([for action in concat(tolist(rule.s3), tolist(rule.cloudwatch_metric)) : action.role_arn == var.role_arns.iot_rules])
    ])
    error_message = "Every rule must be on, and act as the role of rules."
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
      one(one(rule.error_action).cloudwatch_logs).log_group_name == var.error_log_group && one(one(rule.error_action).cloudwatch_logs).role_arn == var.role_arns.iot_rules
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

run "the_fleet_keeps_its_name" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    rollout_stages = ["canary", "fleet"]
  }

  expect_failures = [var.rollout_stages]
}

run "stages_must_differ" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    rollout_stages = ["canary", "canary"]
  }

  expect_failures = [var.rollout_stages]
}

run "stages_must_have_names_of_things" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    rollout_stages = ["Canary"]
  }

  expect_failures = [var.rollout_stages]
}

run "stages_must_be_ten_at_most" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    rollout_stages = [for number in range(11) : "stage-${number}"]
  }

  expect_failures = [var.rollout_stages]
}

run "a_name_too_long_for_a_template_is_refused" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    name = "abcdefghijklmnopqrstu-staging"
  }

  expect_failures = [var.name]
}

run "a_single_role_that_is_none_is_refused" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    role_arns = { iot_rules = "arn:aws:iam::123456789012:role/a", lambda = "arn:aws:iam::123456789012:role/b", provisioning = "arn:aws:iam::123456789012:user/c" }
  }

  expect_failures = [var.role_arns]
}

run "a_namespace_of_strange_characters_is_refused" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    metric_namespace = "edge wise"
  }

  expect_failures = [var.metric_namespace]
}
