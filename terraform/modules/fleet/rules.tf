# Where messages of devices go. topic(2) is the thing's name, which the device policy vouches for.

locals {
  rule_prefix = replace(var.name, "-", "_")

  # Metric -> the value in a message, and its unit.
  metrics = {
    DriftScore   = { value = "$${drift_score}", unit = "None" }
    Errors       = { value = "$${errors}", unit = "Count" }
    LatencyP95Ms = { value = "$${latency_ms_p95}", unit = "Milliseconds" }
    Requests     = { value = "$${requests}", unit = "Count" }
  }
}

resource "aws_iot_topic_rule" "telemetry_to_s3" {
  name        = "${local.rule_prefix}_telemetry_to_s3"
  description = "Stores every telemetry message as an object."
  enabled     = true
  sql         = "SELECT *, topic(2) AS thing, timestamp() AS received_ms FROM '${var.name}/+/telemetry'"
  sql_version = "2016-03-23"

  s3 {
    bucket_name = var.raw_bucket
    key         = "telemetry/$${topic(2)}/$${parse_time(\"yyyy-MM-dd\", timestamp(), \"UTC\")}/$${newuuid()}.json"
    role_arn    = var.role_arns.iot_rules
  }

  error_action {
    cloudwatch_logs {
      log_group_name = var.error_log_group
      role_arn       = var.role_arns.iot_rules
    }
  }
}

resource "aws_iot_topic_rule" "review_to_s3" {
  name        = "${local.rule_prefix}_review_to_s3"
  description = "Stores utterances that devices were told to send back for review."
  enabled     = true
  sql         = "SELECT *, topic(2) AS thing, timestamp() AS received_ms FROM '${var.name}/+/review'"
  sql_version = "2016-03-23"

  s3 {
    bucket_name = var.raw_bucket
    key         = "review/$${topic(2)}/$${parse_time(\"yyyy-MM-dd\", timestamp(), \"UTC\")}/$${newuuid()}.json"
    role_arn    = var.role_arns.iot_rules
  }

  error_action {
    cloudwatch_logs {
      log_group_name = var.error_log_group
      role_arn       = var.role_arns.iot_rules
    }
  }
}

resource "aws_iot_topic_rule" "telemetry_to_metrics" {
  name        = "${local.rule_prefix}_telemetry_to_metrics"
  description = "Counts requests and errors of the fleet, and follows its latency and drift."
  enabled     = true
  # A message that lacks a number would be refused by CloudWatch as a whole.
  sql         = "SELECT * FROM '${var.name}/+/telemetry' WHERE isUndefined(requests) = false AND isUndefined(errors) = false AND isUndefined(latency_ms_p95) = false AND isUndefined(drift_score) = false"
  sql_version = "2016-03-23"

  dynamic "cloudwatch_metric" {
    for_each = local.metrics

    content {
      metric_name      = cloudwatch_metric.key
      metric_namespace = var.metric_namespace
      metric_unit      = cloudwatch_metric.value.unit
      metric_value     = cloudwatch_metric.value.value
      role_arn         = var.role_arns.iot_rules
    }
  }

  error_action {
    cloudwatch_logs {
      log_group_name = var.error_log_group
      role_arn       = var.role_arns.iot_rules
    }
  }
}

resource "aws_iot_topic_rule" "heartbeat_to_metrics" {
  name        = "${local.rule_prefix}_heartbeat_to_metrics"
  description = "Counts heartbeats of the fleet."
  enabled     = true
  sql         = "SELECT * FROM '${var.name}/+/heartbeat'"
  sql_version = "2016-03-23"

  cloudwatch_metric {
    metric_name      = "Heartbeats"
    metric_namespace = var.metric_namespace
    metric_unit      = "Count"
    metric_value     = "1"
    role_arn         = var.role_arns.iot_rules
  }

  error_action {
    cloudwatch_logs {
      log_group_name = var.error_log_group
      role_arn       = var.role_arns.iot_rules
    }
  }
}
