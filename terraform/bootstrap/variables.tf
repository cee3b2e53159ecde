variable "name" {
  description = "Name of the project. The key of the state is named after it and the environment."
  type        = string
  default     = "edgewise"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 20 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen."
  }
}

variable "environment" {
  description = "Environment whose state is kept: dev, staging or prod."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod."
  }
}

variable "account_id" {
  description = "Number of the AWS account that this environment lives in. Credentials of another account are refused. Null takes whichever they are of."
  type        = string
  default     = null
  nullable    = true

  validation {
    condition     = var.account_id == null || can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the twelve digits of an AWS account, or null."
  }
}

variable "aws_region" {
  description = "AWS region, such as eu-central-1. Null takes it from the environment or the AWS profile."
  type        = string
  default     = null
  nullable    = true

  validation {
    condition     = var.aws_region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "aws_region must look like eu-central-1."
  }
}

variable "aws_endpoint" {
  description = "URL that answers for every AWS service, such as an emulator on this machine. Null is AWS itself."
  type        = string
  default     = null
  nullable    = true

  validation {
    condition     = var.aws_endpoint == null || can(regex("^https?://[^/]+$", var.aws_endpoint))
    error_message = "aws_endpoint must be a URL without a path, such as http://127.0.0.1:5000."
  }
}

variable "bucket_name" {
  description = "Name of the bucket that keeps the state, such as slm-terraform-state-123456789012; unique in all of AWS. The bucket for its access log has the same name with -logs."
  type        = string
  nullable    = false

  validation {
    # Dots are legal in a name, but break TLS host names. Some beginnings and ends belong to S3.
    condition = (
      can(regex("^[a-z0-9][a-z0-9-]{1,56}[a-z0-9]$", var.bucket_name)) &&
      !can(regex("^(xn--|sthree-|amzn-s3-demo-)", var.bucket_name)) &&
      !can(regex("(-s3alias|--ol-s3|--x-s3|--table-s3)$", var.bucket_name))
    )
    error_message = "bucket_name must be 3 to 58 lower-case letters, digits and hyphens, with a letter or digit at both ends, and not begin or end like names that S3 keeps for itself (xn--, sthree-, amzn-s3-demo-, -s3alias, --ol-s3, --x-s3, --table-s3)."
  }
}

variable "guardian_arns" {
  description = "ARNs (with * and ? as wildcards) of the principals that alone may change how the bucket is protected, delete it, or delete old states. Empty means whoever applies this."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for arn in var.guardian_arns : can(regex("^arn:[^:*?]+:(iam|sts)::[0-9]{12}:(root|(role|user|federated-user)/.*[A-Za-z0-9].*)$", arn))
    ])
    error_message = "guardian_arns must be ARNs of roles, users or account roots with their account, and name more than a wildcard. The ARN of a session (assumed-role) never matches."
  }
}

variable "caller_guards" {
  description = "Whether whoever applies this is a guardian besides guardian_arns, as in the stack of dev and at an endpoint of one's own."
  type        = bool
  default     = false
  nullable    = false
}

variable "force_destroy" {
  description = "Whether destroying the bucket also deletes the states in it. They are the only record of what belongs to the stacks."
  type        = bool
  default     = false
  nullable    = false
}

variable "tags" {
  description = "Tags of every resource, besides those that this configuration sets itself."
  type        = map(string)
  default     = {}
  nullable    = false
}
