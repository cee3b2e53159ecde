# What devices report every five minutes, through the topic rules of module fleet.

locals {
  namespace      = "edgewise/${var.name}"
  period_seconds = 300

  # One number of the whole fleet each.
  gauges = {
    drift = {
      metric      = "DriftScore"
      statistic   = "Average"
      threshold   = var.thresholds.drift_score
      description = "What people say has moved away from what the model was trained on."
    }
    latency = {
      metric      = "LatencyP95Ms"
      statistic   = "Maximum"
      threshold   = var.thresholds.latency_p95_ms
      description = "A device answers slowly: the slowest 5 % of its requests, in milliseconds."
    }
  }

  # A device sends one heartbeat in a period, give or take a second: now and then one falls into
  # the next. Null where no device is expected yet.
  heartbeats_expected = var.expected_devices > 0 ? var.expected_devices * var.thresholds.heartbeat_share : null

  children = concat(
    [aws_cloudwatch_metric_alarm.error_rate.alarm_name],
    aws_cloudwatch_metric_alarm.heartbeat[*].alarm_name,
    [for alarm in aws_cloudwatch_metric_alarm.gauge : alarm.alarm_name],
  )
}

resource "aws_cloudwatch_metric_alarm" "error_rate" {
  alarm_name          = "${var.name}-error-rate"
  alarm_description   = "The share of requests that devices could not answer is too high."
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.thresholds.error_rate
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "error_rate"
    label       = "errors / requests"
    expression  = "IF(requests > 0, errors / requests, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { errors = "Errors", requests = "Requests" }

    content {
      id          = metric_query.key
      return_data = false

      metric {
        namespace   = local.namespace
        metric_name = metric_query.value
        stat        = "Sum"
        period      = local.period_seconds
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "gauge" {
  for_each = local.gauges

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = local.namespace
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  period              = local.period_seconds
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# A fleet without devices is silent and well, so there is no alarm before some are expected.
resource "aws_cloudwatch_metric_alarm" "heartbeat" {
  count = local.heartbeats_expected != null ? 1 : 0

  alarm_name          = "${var.name}-heartbeat-missing"
  alarm_description   = "Of ${var.expected_devices} expected devices a share below ${var.thresholds.heartbeat_share} has sent heartbeats, for ${var.thresholds.heartbeat_minutes} minutes."
  namespace           = local.namespace
  metric_name         = "Heartbeats"
  statistic           = "Sum"
  period              = local.period_seconds
  comparison_operator = "LessThanThreshold"
  threshold           = local.heartbeats_expected
  evaluation_periods  = floor(var.thresholds.heartbeat_minutes * 60 / local.period_seconds)
  # Silence is what this alarm is about.
  treat_missing_data = "breaching"
  alarm_actions      = [aws_sns_topic.alarms.arn]
  ok_actions         = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_composite_alarm" "unhealthy" {
  alarm_name        = "${var.name}-fleet-unhealthy"
  alarm_description = "Something is wrong with the fleet. A roll-out should stop while this is on."
  alarm_rule        = join(" OR ", [for name in sort(local.children) : "ALARM(\"${name}\")"])
  alarm_actions     = [aws_sns_topic.alarms.arn]
  ok_actions        = [aws_sns_topic.alarms.arn]
}
