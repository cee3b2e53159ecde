variable "name" {
  description = "Name of the bucket, unique in all of AWS."
  type        = string
  nullable    = false

  validation {
    # Dots are legal in a name, but break TLS host names. Some beginnings and ends belong to S3.
    condition = (
      can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name)) &&
      !can(regex("^(xn--|sthree-|amzn-s3-demo-)", var.name)) &&
      !can(regex("(-s3alias|--ol-s3|--x-s3|--table-s3)$", var.name))
    )
    error_message = "name must be 3 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends, and not begin or end like names that S3 keeps for itself (xn--, sthree-, amzn-s3-demo-, -s3alias, --ol-s3, --x-s3, --table-s3)."
  }
}

variable "account_id" {
  description = "Number of the AWS account whose buckets log here."
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

variable "source_bucket_prefix" {
  description = "Beginning of the names of the buckets that log here, such as slm-. Logs of other buckets are refused."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}$", var.source_bucket_prefix))
    error_message = "source_bucket_prefix must be the beginning of a bucket name: 2 to 62 lower-case letters, digits and hyphens."
  }
}

variable "expire_days" {
  description = "Days (1 to 3650) that access logs are kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = var.expire_days >= 1 && var.expire_days <= 3650 && floor(var.expire_days) == var.expire_days
    error_message = "expire_days must be a whole number from 1 to 3650."
  }
}

variable "guardian_arns" {
  description = "ARNs (with * and ? as wildcards) of the principals that alone may change how the bucket is protected, delete it, or delete versions. Whoever applies the stack must be one of them, and for a role it is the ARN of the role, not of its session."
  type        = list(string)
  nullable    = false

  validation {
    condition = length(var.guardian_arns) > 0 && alltrue([
      for arn in var.guardian_arns : can(regex("^arn:[^:*?]+:(iam|sts)::[0-9]{12}:(root|(role|user|federated-user)/.*[A-Za-z0-9].*)$", arn))
    ])
    error_message = "guardian_arns must hold at least one ARN of a role, user or account root with its account, and name more than a wildcard. Without one nobody could change the bucket again; the ARN of a session (assumed-role) never matches."
  }
}

variable "force_destroy" {
  description = "Whether destroying the bucket also deletes the logs in it."
  type        = bool
  default     = false
  nullable    = false
}
