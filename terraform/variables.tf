variable "name" {
  description = "Prefix of every resource name. Two stacks in one account need two names."
  type        = string
  default     = "edgewise"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 20 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen."
  }
}

variable "aws_region" {
  description = "AWS region, such as eu-central-1. Null takes it from the environment or the AWS profile."
  type        = string
  default     = null

  validation {
    condition     = var.aws_region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "aws_region must look like eu-central-1."
  }
}

variable "aws_endpoint" {
  description = "URL that answers for every AWS service, such as an emulator on this machine. Null is AWS itself."
  type        = string
  default     = null

  validation {
    condition     = var.aws_endpoint == null || can(regex("^https?://[^/]+$", var.aws_endpoint))
    error_message = "aws_endpoint must be a URL without a path, such as http://127.0.0.1:5000."
  }
}

variable "artifact_prefix" {
  description = "Folder in the bucket that holds component artifacts. Devices may read below it and nowhere else."
  type        = string
  default     = "artifacts/"
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9_-][A-Za-z0-9._-]*/)+$", var.artifact_prefix))
    error_message = "artifact_prefix must be folder names of letters, digits, '.', '_' and '-', each ended by a slash, such as artifacts/."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts artifacts. Null encrypts them with keys that S3 manages (AES-256)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (an alias does not do: a policy cannot name it)."
  }
}

variable "noncurrent_version_days" {
  description = "Days (1 to 3650) that a replaced artifact is kept. Null keeps every version for ever."
  type        = number
  default     = null

  validation {
    condition     = var.noncurrent_version_days == null || try(var.noncurrent_version_days >= 1 && var.noncurrent_version_days <= 3650 && floor(var.noncurrent_version_days) == var.noncurrent_version_days, false)
    error_message = "noncurrent_version_days must be a whole number from 1 to 3650, or null."
  }
}

variable "credential_duration_seconds" {
  description = "Seconds (900 to 3600) for which the credentials of a device are valid."
  type        = number
  default     = 3600
  nullable    = false

  validation {
    # AWS takes up to 43,200 s here, but only for a role whose maximum session is raised.
    condition     = var.credential_duration_seconds >= 900 && var.credential_duration_seconds <= 3600
    error_message = "credential_duration_seconds must be from 900 to 3600."
  }
}

variable "force_destroy" {
  description = "Whether destroying the stack also deletes the artifacts in the bucket."
  type        = bool
  default     = false
  nullable    = false
}

variable "tags" {
  description = "Tags of every resource, besides those that the stack sets itself."
  type        = map(string)
  default     = {}
  nullable    = false
}
