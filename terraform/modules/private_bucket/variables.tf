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

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts every object. Objects under another key are refused."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (an alias does not do: a policy cannot name it)."
  }
}

variable "access_log_bucket" {
  description = "Name of the bucket that receives the access log, below a folder of this bucket's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.access_log_bucket)) && var.access_log_bucket != var.name
    error_message = "access_log_bucket must be the name of another bucket: a bucket that logs into itself never comes to rest."
  }
}

variable "object_lock_days" {
  description = "Days (1 to 36500) during which a new object version can be deleted by guardians only (mode GOVERNANCE). Null sets no lock. Once on, S3 keeps the feature for ever; null then only ends the locking of new versions."
  type        = number
  default     = null
  nullable    = true

  validation {
    condition     = var.object_lock_days == null || try(var.object_lock_days >= 1 && var.object_lock_days <= 36500 && floor(var.object_lock_days) == var.object_lock_days, false)
    error_message = "object_lock_days must be a whole number from 1 to 36500, or null."
  }
}

variable "lifecycle_rules" {
  description = "What age in days does to objects: transition_ia_days moves them to infrequent access, transition_archive_days to the archive that still answers at once, expire_days deletes them, noncurrent_days deletes versions that were replaced. Null leaves a step out."
  type = object({
    transition_ia_days      = optional(number)
    transition_archive_days = optional(number)
    expire_days             = optional(number)
    noncurrent_days         = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for days in values(var.lifecycle_rules) : days == null || try(days >= 1 && days <= 3650 && floor(days) == days, false)
    ])
    error_message = "Every number of days in lifecycle_rules must be a whole number from 1 to 3650, or null."
  }

  validation {
    condition     = var.lifecycle_rules.transition_ia_days == null || try(var.lifecycle_rules.transition_ia_days >= 30, false)
    error_message = "transition_ia_days must be 30 or more: S3 moves nothing younger to infrequent access."
  }

  validation {
    condition = (
      var.lifecycle_rules.transition_ia_days == null || var.lifecycle_rules.transition_archive_days == null ||
      try(var.lifecycle_rules.transition_archive_days >= var.lifecycle_rules.transition_ia_days + 30, false)
    )
    error_message = "transition_archive_days must be at least 30 days after transition_ia_days."
  }

  validation {
    condition = var.lifecycle_rules.expire_days == null || try(
      var.lifecycle_rules.expire_days > max(0, [
        for days in [var.lifecycle_rules.transition_ia_days, var.lifecycle_rules.transition_archive_days] : days if days != null
      ]...),
      false,
    )
    error_message = "expire_days must be later than every transition."
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

variable "encrypted_by_service" {
  description = "The one folder where a service of AWS may encrypt with S3's own key, because it cannot use another: prefix (a folder, with its last slash) and service, such as cloudtrail.amazonaws.com. Null lets nobody."
  type = object({
    prefix  = string
    service = string
  })
  default  = null
  nullable = true

  validation {
    condition     = var.encrypted_by_service == null || can(regex("^([A-Za-z0-9_-][A-Za-z0-9._-]*/)+$", var.encrypted_by_service.prefix))
    error_message = "encrypted_by_service.prefix must be folder names of letters, digits, '.', '_' and '-', each ended by a slash: without one the whole bucket would be meant."
  }

  validation {
    condition     = var.encrypted_by_service == null || can(regex("^[a-z0-9-]+([.][a-z0-9-]+)*[.]amazonaws[.]com([.]cn)?$", var.encrypted_by_service.service))
    error_message = "encrypted_by_service.service must be the name of a service as policies have it, such as cloudtrail.amazonaws.com."
  }
}

variable "extra_statements_json" {
  description = "More statements of the bucket policy, as a JSON list. Each has a Sid that the bucket does not use itself."
  type        = string
  default     = "[]"
  nullable    = false

  validation {
    condition = try(alltrue([
      for statement in jsondecode(var.extra_statements_json) :
      can(regex("^[A-Za-z0-9]+$", statement.Sid)) && contains(["Allow", "Deny"], statement.Effect) &&
      can(statement.Principal) && can(statement.Action) && can(statement.Resource)
    ]) && can(concat(jsondecode(var.extra_statements_json), [])), false)
    error_message = "extra_statements_json must be a JSON list of statements, each with Sid, Effect (Allow or Deny), Principal, Action and Resource."
  }

  validation {
    condition = try(length(setintersection(
      [for statement in jsondecode(var.extra_statements_json) : statement.Sid],
      ["DenyWithoutTls", "DenyOldTls", "DenyForeignKey", "DenyKeyOfS3", "DenyOtherEncryption", "DenyOtherEncryptionElsewhere", "DenyKeyOfCaller", "DenyVersioningChange", "DenyToAllButGuardians"],
    )) == 0, true)
    error_message = "extra_statements_json must not repeat a Sid of the bucket's own statements."
  }
}

variable "force_destroy" {
  description = "Whether destroying the bucket also deletes what is in it."
  type        = bool
  default     = false
  nullable    = false
}
