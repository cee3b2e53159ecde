variable "name" {
  description = "Name of the stack, such as edgewise-dev. Key aliases begin with it, and the data key serves log groups and the trail of this name only."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 32 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen."
  }
}

variable "account_id" {
  description = "Number of the AWS account that owns the keys."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the twelve digits of an AWS account."
  }
}

variable "partition" {
  description = "Partition of AWS that the account is in."
  type        = string
  default     = "aws"
  nullable    = false

  validation {
    condition     = contains(["aws", "aws-cn", "aws-us-gov"], var.partition)
    error_message = "partition must be aws, aws-cn or aws-us-gov."
  }
}

variable "region" {
  description = "AWS region of the keys, such as eu-central-1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must look like eu-central-1."
  }
}

variable "signer_role_arns" {
  description = "ARNs of the roles that may sign with the signing key. Nobody else can, administrators included. The roles need not exist yet."
  type        = list(string)
  nullable    = false

  validation {
    condition = length(var.signer_role_arns) > 0 && alltrue([
      for arn in var.signer_role_arns : can(regex("^arn:[^:*?]+:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$", arn))
    ])
    error_message = "signer_role_arns must name at least one role by its full ARN, without wildcards."
  }
}

variable "deletion_window_days" {
  description = "Days (7 to 30) during which a deleted key can still be taken back. What it encrypted is lost afterwards."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.deletion_window_days >= 7 && var.deletion_window_days <= 30 && floor(var.deletion_window_days) == var.deletion_window_days
    error_message = "deletion_window_days must be a whole number from 7 to 30."
  }
}
