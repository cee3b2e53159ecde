variable "name" {
  description = "Name of the stack, such as edgewise-dev; starts every resource's name and every topic."
  type        = string
  nullable    = false

  validation {
    # AWS IoT takes 36 characters for a provisioning template, which adds -devices.
    condition     = can(regex("^[a-z][a-z0-9-]{1,26}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 28 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen."
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

variable "rollout_stages" {
  description = "Stages of a roll-out in their order, each a thing group: 1 to 10 names of 2 to 20 lower-case letters, digits and hyphens."
  type        = list(string)
  default     = ["canary", "early", "general"]
  nullable    = false

  validation {
    condition     = length(var.rollout_stages) >= 1 && length(var.rollout_stages) <= 10 && length(distinct(var.rollout_stages)) == length(var.rollout_stages) && alltrue([for stage in var.rollout_stages : can(regex("^[a-z][a-z0-9-]{1,19}$", stage)) && stage != "fleet"])
    error_message = "rollout_stages must be 1 to 10 different names of 2 to 20 lower-case letters, digits and hyphens; 'fleet' is the group above them."
  }
}

variable "role_alias" {
  description = "Name of the IoT role alias through which devices get their credentials."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_=,@-]{1,128}$", var.role_alias))
    error_message = "role_alias must be the name of a role alias, not its ARN."
  }
}

variable "role_arns" {
  description = "ARNs of the roles that services act as: iot_rules stores messages, provisioning registers devices, lambda runs the hook."
  type = object({
    iot_rules    = string
    lambda       = string
    provisioning = string
  })
  nullable = false

  validation {
    condition     = alltrue([for arn in values(var.role_arns) : can(regex("^arn:[^:]+:iam::[0-9]{12}:role/.+$", arn))])
    error_message = "role_arns must be ARNs of roles."
  }
}

variable "raw_bucket" {
  description = "Name of the bucket that telemetry is stored in, below telemetry/."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.raw_bucket))
    error_message = "raw_bucket must be the name of a bucket."
  }
}

variable "deployment_bucket" {
  description = "Name of the bucket whose folder allowlist/ says which serial numbers may join the fleet."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.deployment_bucket))
    error_message = "deployment_bucket must be the name of a bucket."
  }
}

variable "data_key_arn" {
  description = "ARN of the KMS key that encrypts the hook's settings."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.data_key_arn))
    error_message = "data_key_arn must be the ARN of a KMS key (an alias does not do)."
  }
}

variable "metric_namespace" {
  description = "Namespace of the fleet's metrics, such as edgewise/edgewise-dev."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9./_#-]{1,255}$", var.metric_namespace)) && !startswith(var.metric_namespace, "AWS/")
    error_message = "metric_namespace must be 1 to 255 letters, digits and . / _ # -, and not begin with AWS/."
  }
}

variable "error_log_group" {
  description = "Name of the log group for messages that a rule could not store."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9/_.#-]{1,512}$", var.error_log_group))
    error_message = "error_log_group must be the name of a log group."
  }
}

variable "hook_log_group" {
  description = "Name of the log group of the provisioning hook."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9/_.#-]{1,512}$", var.hook_log_group))
    error_message = "hook_log_group must be the name of a log group."
  }
}
