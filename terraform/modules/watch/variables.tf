variable "name" {
  description = "Name of the stack, such as edgewise-dev; starts every resource's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 32 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen."
  }
}

variable "account_id" {
  description = "AWS account of the stack: twelve digits."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be twelve digits."
  }
}

variable "partition" {
  description = "Partition of AWS: aws, aws-cn or aws-us-gov."
  type        = string
  default     = "aws"
  nullable    = false

  validation {
    condition     = contains(["aws", "aws-cn", "aws-us-gov"], var.partition)
    error_message = "partition must be aws, aws-cn or aws-us-gov."
  }
}

variable "region" {
  description = "AWS region of the stack, such as eu-central-1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must look like eu-central-1."
  }
}

variable "data_key_arn" {
  description = "ARN of the KMS key that encrypts topic and log groups; its policy must let budgets, CloudWatch and CloudWatch Logs use it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.data_key_arn))
    error_message = "data_key_arn must be the ARN of a KMS key (an alias does not do)."
  }
}

variable "monthly_budget_usd" {
  description = "US dollars a month (1 to 100000) whose 50, 80 and 100 % are told of."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.monthly_budget_usd >= 1 && var.monthly_budget_usd <= 100000
    error_message = "monthly_budget_usd must be from 1 to 100000."
  }
}

variable "alert_emails" {
  description = "Addresses that alarms and budget alerts are sent to; each must confirm once. At most 10."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.alert_emails) <= 10 && alltrue([for address in var.alert_emails : can(regex("^[^@[:space:]]+@[^@[:space:]]+[.][^@[:space:]]+$", address))])
    error_message = "alert_emails must be at most 10 e-mail addresses."
  }
}

variable "log_retention_days" {
  description = "Days that log lines are kept; one of the periods that CloudWatch knows."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number of days that CloudWatch knows, such as 30, 90 or 365."
  }
}

variable "expected_devices" {
  description = "Devices (0 to 1000000) that send a heartbeat every five minutes while all is well. With 0 nobody is told of heartbeats that stay away."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.expected_devices >= 0 && var.expected_devices <= 1000000 && floor(var.expected_devices) == var.expected_devices
    error_message = "expected_devices must be a whole number from 0 to 1000000."
  }
}

variable "thresholds" {
  description = "When the fleet is not well: error_rate (share of requests that failed), drift_score (0 to 1), latency_p95_ms (milliseconds), heartbeat_share (share of the expected devices that must be heard) and heartbeat_minutes (how long fewer may be heard: 5 to 1440, in steps of 5)."
  type = object({
    error_rate        = optional(number, 0.05)
    drift_score       = optional(number, 0.3)
    latency_p95_ms    = optional(number, 250)
    heartbeat_share   = optional(number, 0.9)
    heartbeat_minutes = optional(number, 15)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.thresholds.error_rate > 0 && var.thresholds.error_rate < 1
    error_message = "thresholds.error_rate must be above 0 and below 1."
  }

  validation {
    condition     = var.thresholds.drift_score > 0 && var.thresholds.drift_score < 1
    error_message = "thresholds.drift_score must be above 0 and below 1."
  }

  validation {
    condition     = var.thresholds.latency_p95_ms > 0
    error_message = "thresholds.latency_p95_ms must be above 0."
  }

  validation {
    condition     = var.thresholds.heartbeat_share > 0 && var.thresholds.heartbeat_share <= 1
    error_message = "thresholds.heartbeat_share must be above 0 and at most 1."
  }

  validation {
    condition     = var.thresholds.heartbeat_minutes >= 5 && var.thresholds.heartbeat_minutes <= 1440 && var.thresholds.heartbeat_minutes % 5 == 0
    error_message = "thresholds.heartbeat_minutes must be from 5 to 1440, in steps of 5."
  }
}
