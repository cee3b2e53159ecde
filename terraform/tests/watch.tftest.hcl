# What is watched and who is told. The provider is mocked: no account, no network.

mock_provider "aws" {
  mock_resource "aws_sns_topic" {
    defaults = {
      arn = "arn:aws:sns:eu-central-1:123456789012:edgewise-dev-alarms"
    }
  }
}

variables {
  name         = "edgewise-dev"
  account_id   = "123456789012"
  region       = "eu-central-1"
  data_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "the_example_has_a_dashboard" {
  module {
    source = "./examples/watch"
  }

  assert {
    condition     = output.dashboard_name == "edgewise-dev-fleet"
    error_message = "The dashboard must be named after the stack."
  }
}

run "the_budget_is_ten_dollars_and_tells_three_times" {
  module {
    source = "./modules/watch"
  }

  assert {
    condition     = aws_budgets_budget.monthly.limit_amount == "10.00" && aws_budgets_budget.monthly.limit_unit == "USD" && aws_budgets_budget.monthly.time_unit == "MONTHLY"
    error_message = "The default is 10 dollars a month."
  }

  assert {
    condition = toset([for one in aws_budgets_budget.monthly.notification : [one.threshold, one.threshold_type, one.comparison_operator, one.notification_type, join(",", one.subscriber_sns_topic_arns)]]) == toset([
      for threshold in [50, 80, 100] : [threshold, "PERCENTAGE", "GREATER_THAN", "ACTUAL", aws_sns_topic.alarms.arn]
    ])
    error_message = "50, 80 and 100 % of what was really spent must be told to the topic."
  }
}

run "the_budget_counts_cents" {
  module {
    source = "./modules/watch"
  }

  variables {
    monthly_budget_usd = 12.25
  }

  assert {
    condition     = aws_budgets_budget.monthly.limit_amount == "12.25"
    error_message = "The limit must be what the user set."
  }
}

run "log_lines_are_encrypted_and_forgotten_in_time" {
  module {
    source = "./modules/watch"
  }

  variables {
    log_retention_days = 30
  }

  assert {
    condition     = jsonencode(output.log_group_names) == jsonencode({ devices = "/edgewise/edgewise-dev/devices", hook = "/edgewise/edgewise-dev/hook", rules = "/edgewise/edgewise-dev/rules" })
    error_message = "There must be a log group for devices, rules and the hook."
  }

  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.this : group.retention_in_days == 30 && group.kms_key_id == var.data_key_arn])
    error_message = "Every log group must have the retention and the key."
  }
}

run "only_alarms_and_budgets_of_the_account_may_publish_and_only_with_tls" {
  module {
    source = "./modules/watch"
  }

  assert {
    condition = [for statement in jsondecode(output.topic_policy_json).Statement : statement if statement.Effect == "Allow"] == [
      {
        Sid       = "AlarmsOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = "arn:aws:sns:eu-central-1:123456789012:edgewise-dev-alarms"
        Condition = {
          ArnLike      = { "aws:SourceArn" = "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:edgewise-dev-*" }
          StringEquals = { "aws:SourceAccount" = "123456789012" }
        }
      },
      {
        Sid       = "BudgetsOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = "budgets.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = "arn:aws:sns:eu-central-1:123456789012:edgewise-dev-alarms"
        Condition = {
          ArnLike      = { "aws:SourceArn" = "arn:aws:budgets::123456789012:*" }
          StringEquals = { "aws:SourceAccount" = "123456789012" }
        }
      },
    ]
    error_message = "Alarms of the stack and budgets of the account may publish, and nobody else."
  }

  assert {
    condition = [for statement in jsondecode(output.topic_policy_json).Statement : statement if statement.Effect == "Deny"] == [{
      Sid       = "DenyWithoutTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sns:Publish"
      Resource  = "arn:aws:sns:eu-central-1:123456789012:edgewise-dev-alarms"
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = "Without TLS nobody may publish."
  }

  assert {
    condition     = aws_sns_topic.alarms.kms_master_key_id == var.data_key_arn
    error_message = "The topic must be encrypted."
  }
}

run "addresses_are_subscribed" {
  module {
    source = "./modules/watch"
  }

  variables {
    alert_emails = ["on-call@example.com", "platform@example.com"]
  }

  assert {
    condition     = toset([for one in aws_sns_topic_subscription.email : one.endpoint]) == toset(var.alert_emails) && alltrue([for one in aws_sns_topic_subscription.email : one.protocol == "email"])
    error_message = "Every address must be subscribed by e-mail."
  }
}

run "errors_are_judged_by_their_share" {
  module {
    source = "./modules/watch"
  }

  assert {
    condition     = [for query in aws_cloudwatch_metric_alarm.error_rate.metric_query : query.expression if query.return_data] == ["IF(requests > 0, errors / requests, 0)"]
    error_message = "The alarm must be on errors divided by requests, and hold when nobody asks."
  }

  assert {
    condition = { for query in aws_cloudwatch_metric_alarm.error_rate.metric_query : query.id => [one(query.metric).namespace, one(query.metric).metric_name, one(query.metric).stat, one(query.metric).period] if !query.return_data } == {
      errors   = ["edgewise/edgewise-dev", "Errors", "Sum", 300]
      requests = ["edgewise/edgewise-dev", "Requests", "Sum", 300]
    }
    error_message = "Both must be counted over the same five minutes."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.error_rate.threshold == 0.05 && aws_cloudwatch_metric_alarm.error_rate.comparison_operator == "GreaterThanThreshold"
    error_message = "More than one request in twenty is too many by default."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.error_rate.treat_missing_data == "notBreaching"
    error_message = "Silence is no error: another alarm is about it."
  }
}

run "drift_and_latency_are_judged_two_times_of_three" {
  module {
    source = "./modules/watch"
  }

  variables {
    thresholds = { drift_score = 0.4, latency_p95_ms = 120 }
  }

  assert {
    condition = { for name, alarm in aws_cloudwatch_metric_alarm.gauge : name => [alarm.namespace, alarm.metric_name, alarm.statistic, alarm.threshold, alarm.comparison_operator] } == {
      drift   = ["edgewise/edgewise-dev", "DriftScore", "Average", 0.4, "GreaterThanThreshold"]
      latency = ["edgewise/edgewise-dev", "LatencyP95Ms", "Maximum", 120, "GreaterThanThreshold"]
    }
    error_message = "Drift is that of the fleet, latency that of its slowest device."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.gauge : alarm.period == 300 && alarm.evaluation_periods == 3 && alarm.datapoints_to_alarm == 2 && alarm.treat_missing_data == "notBreaching"])
    error_message = "One bad moment must not wake anybody."
  }
}

run "a_fleet_without_devices_is_silent_and_well" {
  module {
    source = "./modules/watch"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.heartbeat) == 0
    error_message = "Nobody may be called because no device is there yet."
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.unhealthy.alarm_rule == "ALARM(\"edgewise-dev-drift\") OR ALARM(\"edgewise-dev-error-rate\") OR ALARM(\"edgewise-dev-latency\")"
    error_message = "The composite alarm must not name an alarm that is not there."
  }

  assert {
    condition     = !contains(keys(output.alarm_arns), "edgewise-dev-heartbeat-missing")
    error_message = "An alarm that is not there must not be handed out."
  }
}

run "heartbeats_are_held_against_the_devices_that_are_expected" {
  module {
    source = "./modules/watch"
  }

  variables {
    expected_devices = 40
    thresholds       = { heartbeat_minutes = 60 }
  }

  assert {
    condition     = [one(aws_cloudwatch_metric_alarm.heartbeat).namespace, one(aws_cloudwatch_metric_alarm.heartbeat).metric_name, one(aws_cloudwatch_metric_alarm.heartbeat).statistic, one(aws_cloudwatch_metric_alarm.heartbeat).comparison_operator] == ["edgewise/edgewise-dev", "Heartbeats", "Sum", "LessThanThreshold"] && one(aws_cloudwatch_metric_alarm.heartbeat).threshold == 36
    error_message = "Fewer than nine in ten of the expected devices must be an alarm."
  }

  assert {
    condition     = one(aws_cloudwatch_metric_alarm.heartbeat).treat_missing_data == "breaching" && one(aws_cloudwatch_metric_alarm.heartbeat).period == 300 && one(aws_cloudwatch_metric_alarm.heartbeat).evaluation_periods == 12
    error_message = "An hour with too few heartbeats, or none at all, must be an alarm."
  }
}

run "how_many_devices_may_be_silent_is_the_users_choice" {
  module {
    source = "./modules/watch"
  }

  variables {
    expected_devices = 40
    thresholds       = { heartbeat_share = 0.5 }
  }

  assert {
    condition     = one(aws_cloudwatch_metric_alarm.heartbeat).threshold == 20 && strcontains(one(aws_cloudwatch_metric_alarm.heartbeat).alarm_description, "Of 40 expected devices a share below 0.5")
    error_message = "The share must be that of the variable, and whoever is called must be told."
  }
}

run "one_device_alone_is_missed" {
  module {
    source = "./modules/watch"
  }

  variables {
    expected_devices = 1
  }

  assert {
    condition     = one(aws_cloudwatch_metric_alarm.heartbeat).threshold > 0 && one(aws_cloudwatch_metric_alarm.heartbeat).threshold <= 1
    error_message = "No heartbeat must be too few, and one must be enough."
  }
}

run "every_alarm_tells_the_topic_and_is_in_the_composite_one" {
  module {
    source = "./modules/watch"
  }

  variables {
    expected_devices = 40
  }

  assert {
    condition     = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.gauge), [aws_cloudwatch_metric_alarm.error_rate], aws_cloudwatch_metric_alarm.heartbeat) : alarm.alarm_actions == toset([aws_sns_topic.alarms.arn]) && alarm.ok_actions == toset([aws_sns_topic.alarms.arn])])
    error_message = "Each alarm must tell the topic, also when it is over."
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.unhealthy.alarm_rule == "ALARM(\"edgewise-dev-drift\") OR ALARM(\"edgewise-dev-error-rate\") OR ALARM(\"edgewise-dev-heartbeat-missing\") OR ALARM(\"edgewise-dev-latency\")"
    error_message = "Each alarm must be part of the composite alarm."
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.unhealthy.alarm_actions == toset([aws_sns_topic.alarms.arn]) && aws_cloudwatch_composite_alarm.unhealthy.ok_actions == toset([aws_sns_topic.alarms.arn])
    error_message = "The composite alarm must tell the topic, also when it is over."
  }

  assert {
    condition = output.alarm_arns == {
      for name in ["drift", "error-rate", "fleet-unhealthy", "heartbeat-missing", "latency"] :
      "edgewise-dev-${name}" => "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:edgewise-dev-${name}"
    }
    error_message = "Error rate, drift, latency, heartbeat and the one above them."
  }
}

run "the_dashboard_shows_every_metric_and_alarm" {
  module {
    source = "./modules/watch"
  }

  variables {
    expected_devices = 40
  }

  assert {
    condition = toset(flatten([
      for widget in jsondecode(aws_cloudwatch_dashboard.fleet.dashboard_body).widgets :
      [for metric in widget.properties.metrics : join(" ", metric)] if widget.type == "metric"
    ])) == toset([for metric in ["Requests", "Errors", "LatencyP95Ms", "DriftScore", "Heartbeats"] : "edgewise/edgewise-dev ${metric}"])
    error_message = "Each metric of the fleet must have its graph."
  }

  assert {
    condition     = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.fleet.dashboard_body).widgets : widget.properties.region == "eu-central-1" && widget.properties.period == 300 if widget.type == "metric"])
    error_message = "Each graph must show the stack's region, as finely as the alarms look."
  }

  assert {
    condition = {
      for widget in jsondecode(aws_cloudwatch_dashboard.fleet.dashboard_body).widgets :
      widget.properties.metrics[0][1] => [widget.properties.stat, widget.properties.annotations.horizontal[*].value] if widget.type == "metric"
      } == {
      DriftScore   = ["Average", [0.3]]
      Heartbeats   = ["Sum", [36]]
      LatencyP95Ms = ["Maximum", [250]]
      Requests     = ["Sum", []]
    }
    error_message = "A graph must be drawn as its alarm is judged, with the line of the alarm."
  }

  assert {
    condition     = length(distinct([for widget in jsondecode(aws_cloudwatch_dashboard.fleet.dashboard_body).widgets : [widget.x, widget.y]])) == 5 && alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.fleet.dashboard_body).widgets : widget.x + widget.width <= 24])
    error_message = "Nothing may lie on something else, or beyond the page."
  }

  assert {
    condition     = toset(jsondecode(aws_cloudwatch_dashboard.fleet.dashboard_body).widgets[0].properties.alarms) == toset(values(output.alarm_arns))
    error_message = "Each alarm must be on the page."
  }
}

run "values_out_of_range_are_refused" {
  command = plan

  module {
    source = "./modules/watch"
  }

  variables {
    name               = "Edgewise"
    account_id         = "1"
    partition          = "moon"
    region             = "Frankfurt"
    data_key_arn       = "alias/data"
    monthly_budget_usd = 0
    alert_emails       = ["nobody"]
    log_retention_days = 8
    expected_devices   = -1
    thresholds         = { error_rate = 1, drift_score = 0, latency_p95_ms = 0, heartbeat_minutes = 7 }
  }

  expect_failures = [
    var.name,
    var.account_id,
    var.partition,
    var.region,
    var.data_key_arn,
    var.monthly_budget_usd,
    var.alert_emails,
    var.log_retention_days,
    var.expected_devices,
    var.thresholds,
  ]
}

run "error_rate_out_of_range_is_refused" {
  command = plan

  module {
    source = "./modules/watch"
  }

  variables {
    thresholds = { error_rate = 1 }
  }

  expect_failures = [var.thresholds]
}

run "drift_score_out_of_range_is_refused" {
  command = plan

  module {
    source = "./modules/watch"
  }

  variables {
    thresholds = { drift_score = 0 }
  }

  expect_failures = [var.thresholds]
}

run "latency_p95_ms_out_of_range_is_refused" {
  command = plan

  module {
    source = "./modules/watch"
  }

  variables {
    thresholds = { latency_p95_ms = 0 }
  }

  expect_failures = [var.thresholds]
}

run "half_a_device_is_refused" {
  command = plan

  module {
    source = "./modules/watch"
  }

  variables {
    expected_devices = 1.5
  }

  expect_failures = [var.expected_devices]
}

run "heartbeat_share_out_of_range_is_refused" {
  command = plan

  module {
    source = "./modules/watch"
  }

  variables {
    thresholds = { heartbeat_share = 1.1 }
  }

  expect_failures = [var.thresholds]
}

run "heartbeat_minutes_out_of_range_is_refused" {
  command = plan

  module {
    source = "./modules/watch"
  }

  variables {
    thresholds = { heartbeat_minutes = 7 }
  }

  expect_failures = [var.thresholds]
}

run "a_heartbeat_of_days_is_refused" {
  command = plan

  module {
    source = "./modules/watch"
  }

  variables {
    thresholds = { heartbeat_minutes = 1445 }
  }

  expect_failures = [var.thresholds]
}

run "too_many_addresses_are_refused" {
  command = plan

  module {
    source = "./modules/watch"
  }

  variables {
    alert_emails = [for number in range(11) : "person-${number}@example.com"]
  }

  expect_failures = [var.alert_emails]
}

run "a_budget_that_is_none_is_refused" {
  command = plan

  module {
    source = "./modules/watch"
  }

  variables {
    monthly_budget_usd = 100001
  }

  expect_failures = [var.monthly_budget_usd]
}
