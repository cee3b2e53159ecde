# One page: is the fleet well, and if not, since when.

locals {
  graphs = [
    { title = "Requests and errors", stat = "Sum", metrics = ["Requests", "Errors"], threshold = null },
    { title = "Slowest 5 % of requests, in milliseconds", stat = "Maximum", metrics = ["LatencyP95Ms"], threshold = var.thresholds.latency_p95_ms },
    { title = "Drift, from 0 to 1", stat = "Average", metrics = ["DriftScore"], threshold = var.thresholds.drift_score },
    { title = "Heartbeats", stat = "Sum", metrics = ["Heartbeats"], threshold = local.heartbeats_expected },
  ]

  alarm_arns = {
    for name in concat(local.children, [aws_cloudwatch_composite_alarm.unhealthy.alarm_name]) :
    name => "arn:${var.partition}:cloudwatch:${var.region}:${var.account_id}:alarm:${name}"
  }

  dashboard = {
    widgets = concat(
      [
        {
          type       = "alarm"
          x          = 0
          y          = 0
          width      = 24
          height     = 3
          properties = { title = "Alarms", alarms = values(local.alarm_arns) }
        },
      ],
      [
        for place, graph in local.graphs : {
          type   = "metric"
          x      = 12 * (place % 2)
          y      = 3 + 6 * floor(place / 2)
          width  = 12
          height = 6
          properties = {
            title   = graph.title
            view    = "timeSeries"
            region  = var.region
            stat    = graph.stat
            period  = local.period_seconds
            metrics = [for metric in graph.metrics : [local.namespace, metric]]
            annotations = {
              horizontal = [for value in graph.threshold == null ? [] : [graph.threshold] : { label = "alarm", value = value }]
            }
          }
        }
      ],
    )
  }
}

resource "aws_cloudwatch_dashboard" "fleet" {
  dashboard_name = "${var.name}-fleet"
  dashboard_body = jsonencode(local.dashboard)
}
