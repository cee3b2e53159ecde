variable "name" {
  description = "Name of the stack, such as edgewise-dev. The trail, its role and its log group are named after it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 32 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen."
  }
}

variable "account_id" {
  description = "Number of the AWS account that is watched."
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
  description = "AWS region where the trail is at home; it records all regions, such as eu-central-1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must look like eu-central-1."
  }
}

variable "bucket_name" {
  description = "Name of the bucket that keeps the trail, unique in all of AWS."
  type        = string
  nullable    = false

  validation {
    # Dots are legal in a name, but break TLS host names. Some beginnings and ends belong to S3.
    condition = (
      can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name)) &&
      !can(regex("^(xn--|sthree-|amzn-s3-demo-)", var.bucket_name)) &&
      !can(regex("(-s3alias|--ol-s3|--x-s3|--table-s3)$", var.bucket_name))
    )
    error_message = "bucket_name must be 3 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends, and not begin or end like names that S3 keeps for itself (xn--, sthree-, amzn-s3-demo-, -s3alias, --ol-s3, --x-s3, --table-s3)."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the trail and its log group. Its policy must let both use it, as that of the module keys does."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (an alias does not do: a policy cannot name it)."
  }
}

variable "access_log_bucket" {
  description = "Name of the bucket that receives the access log, below a folder of the name of the trail's bucket."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.access_log_bucket)) && var.access_log_bucket != var.bucket_name
    error_message = "access_log_bucket must be the name of another bucket: a bucket that logs into itself never comes to rest."
  }
}

variable "guardian_arns" {
  description = "ARNs (with * and ? as wildcards) of the principals that alone may change how the bucket of the trail is protected, delete it, or delete versions. Whoever applies the stack must be one of them, and for a role it is the ARN of the role, not of its session."
  type        = list(string)
  nullable    = false

  validation {
    condition = length(var.guardian_arns) > 0 && alltrue([
      for arn in var.guardian_arns : can(regex("^arn:[^:*?]+:(iam|sts)::[0-9]{12}:(root|(role|user|federated-user)/.*[A-Za-z0-9].*)$", arn))
    ])
    error_message = "guardian_arns must hold at least one ARN of a role, user or account root with its account, and name more than a wildcard. Without one nobody could change the bucket again; the ARN of a session (assumed-role) never matches."
  }
}

variable "object_lock_days" {
  description = "Days (1 to 36500) during which a new file of the trail can be deleted by guardians only (mode GOVERNANCE). Null sets no lock. Once on, S3 keeps the feature for ever; null then only ends the locking of new versions."
  type        = number
  default     = null
  nullable    = true

  validation {
    condition     = var.object_lock_days == null || try(var.object_lock_days >= 1 && var.object_lock_days <= 36500 && floor(var.object_lock_days) == var.object_lock_days, false)
    error_message = "object_lock_days must be a whole number from 1 to 36500, or null."
  }
}

variable "trail_retention_days" {
  description = "Days (91 to 3650) that the files of the trail are kept in the bucket."
  type        = number
  default     = 400
  nullable    = false

  validation {
    condition     = var.trail_retention_days >= 91 && var.trail_retention_days <= 3650 && floor(var.trail_retention_days) == var.trail_retention_days
    error_message = "trail_retention_days must be a whole number from 91 to 3650: files move to infrequent access after 90 days."
  }

  validation {
    condition     = var.object_lock_days == null || try(var.trail_retention_days >= var.object_lock_days, true)
    error_message = "trail_retention_days must not be shorter than object_lock_days."
  }
}

variable "log_retention_days" {
  description = "Days that the trail can be searched in CloudWatch; one of the periods that CloudWatch knows."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be 90 or more, and one of the periods of CloudWatch: 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653."
  }
}

variable "data_event_bucket_arns" {
  description = "ARNs of the buckets whose objects are watched too: who wrote or deleted which. Reads are left to the access logs. Every such event costs."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.data_event_bucket_arns : can(regex("^arn:[^:]+:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", arn))])
    error_message = "data_event_bucket_arns must be ARNs of buckets, such as arn:aws:s3:::slm-intents-raw-1, without a path."
  }

  validation {
    condition     = !contains(var.data_event_bucket_arns, "arn:${var.partition}:s3:::${var.bucket_name}")
    error_message = "data_event_bucket_arns must not hold the bucket of the trail: every file of it would cause the next."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the policy that bounds the role of the trail. Null bounds it by nothing."
  type        = string
  default     = null
  nullable    = true

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[^:]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy, or null."
  }
}

variable "force_destroy" {
  description = "Whether destroying the trail also deletes its files."
  type        = bool
  default     = false
  nullable    = false
}
