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
    condition     = aws_budgets_budget.monthly.limit_amount == "10.0" && aws_budgets_budget.monthly.limit_unit == "USD" && aws_budgets_budget.monthly.time_unit == "MONTHLY"
    error_message = "The default is 10 dollars a month."
  }

  assert {
    condition     = toset([for one in aws_budgets_budget.monthly.notification : one.threshold]) == toset([50, 80, 100]) && alltrue([for one in aws_budgets_budget.monthly.notification : one.threshold_type == "PERCENTAGE" && one.notification_type == "ACTUAL" && length(one.subscriber_sns_topic_arns) == 1])
    error_message = "50, 80 and 100 % of what was really spent must be told to the topic."
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
    condition     = [for statement in jsondecode(output.topic_policy_json).Statement : statement.Sid] == ["AlarmsOfThisAccount", "BudgetsOfThisAccount", "DenyWithoutTls"]
    error_message = "Nobody else may publish."
  }

  assert {
    condition     = alltrue([for statement in slice(jsondecode(output.topic_policy_json).Statement, 0, 2) : statement.Action == "sns:Publish" && statement.Condition.StringEquals["aws:SourceAccount"] == "123456789012"])
    error_message = "Services may publish for this account only."
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
    condition     = aws_cloudwatch_metric_alarm.error_rate.threshold == 0.05
    error_message = "The default is one request in twenty."
  }
}

run "silence_of_the_whole_fleet_is_an_alarm" {
  module {
    source = "./modules/watch"
  }

  variables {
    thresholds = { heartbeat_minutes = 60 }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.heartbeat.treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.heartbeat.evaluation_periods == 12
    error_message = "No data for an hour must be an alarm."
  }
}

run "every_alarm_tells_the_topic_and_is_in_the_composite_one" {
  module {
    source = "./modules/watch"
  }

  assert {
    condition     = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.gauge), [aws_cloudwatch_metric_alarm.error_rate, aws_cloudwatch_metric_alarm.heartbeat]) : alarm.alarm_actions == toset([aws_sns_topic.alarms.arn]) && strcontains(aws_cloudwatch_composite_alarm.unhealthy.alarm_rule, "ALARM(\"${alarm.alarm_name}\")")])
    error_message = "Each alarm must tell the topic and be part of the composite alarm."
  }

  assert {
    condition     = length(output.alarm_arns) == 5
    error_message = "Error rate, drift, latency, heartbeat and the one above them."
  }
}

run "the_dashboard_shows_every_metric_and_alarm" {
  module {
    source = "./modules/watch"
  }

  assert {
    condition = toset(flatten([
      for widget in jsondecode(aws_cloudwatch_dashboard.fleet.dashboard_body).widgets :
      [for metric in widget.properties.metrics : metric[1]] if widget.type == "metric"
    ])) == toset(["Requests", "Errors", "LatencyP95Ms", "DriftScore", "Heartbeats"])
    error_message = "Each metric of the fleet must have its graph."
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
