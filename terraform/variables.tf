variable "name" {
  description = "First part of every resource name. Two stacks of one environment in one account need two names."
  type        = string
  default     = "edgewise"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.name))
    error_message = "name must be 2 to 10 lower-case letters and digits, starting with a letter: the names of permission sets have 32 characters in all."
  }
}

variable "environment" {
  description = "Environment of the stack: dev, staging or prod. The second part of every resource name."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod."
  }
}

variable "account_id" {
  description = "AWS account that the environment belongs to: twelve digits. Null accepts any account, in dev only."
  type        = string
  default     = null

  validation {
    condition     = var.account_id == null || can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be twelve digits in quotation marks."
  }

  validation {
    condition     = var.account_id != null || var.environment == "dev"
    error_message = "account_id must be set in staging and prod, so that no other account is changed by mistake."
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

variable "bucket_prefix" {
  description = "First part of every bucket name."
  type        = string
  default     = "slm"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,4}[a-z0-9]$", var.bucket_prefix)) && !startswith(var.bucket_prefix, "xn--") && !startswith(var.bucket_prefix, "sthree-")
    error_message = "bucket_prefix must be 2 to 6 lower-case letters, digits and hyphens, with a letter or digit at both ends."
  }
}

variable "bucket_suffix" {
  description = "Last part of every bucket name. Null makes it of environment, account and region: bucket names are shared by all of AWS."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_suffix == null || can(regex("^[a-z0-9][a-z0-9-]{0,28}[a-z0-9]$", var.bucket_suffix))
    error_message = "bucket_suffix must be 2 to 30 lower-case letters, digits and hyphens, with a letter or digit at both ends."
  }
}

variable "artifact_prefix" {
  description = "Folder of the deployment bucket that holds component artifacts. Devices may read below it and at their own, and nowhere else."
  type        = string
  default     = "artifacts/"
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9_-][A-Za-z0-9._-]*/)+$", var.artifact_prefix)) && !startswith(var.artifact_prefix, "devices/") && !startswith(var.artifact_prefix, "allowlist/")
    error_message = "artifact_prefix must be folder names of letters, digits, '.', '_' and '-', each ended by a slash, such as artifacts/; devices/ and allowlist/ have other uses."
  }
}

variable "component_prefix" {
  description = "First part of component names, as in the settings of component.build. CI may publish and deploy such components only."
  type        = string
  default     = "com.edgewise"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9][a-zA-Z0-9._-]{0,47}$", var.component_prefix)) && !startswith(var.component_prefix, "aws.greengrass")
    error_message = "component_prefix must be 1 to 48 letters, digits, '.', '_' and '-', and not begin with aws.greengrass."
  }
}

variable "release_lock_days" {
  description = "Days (1 to 3650) that nobody can delete or overwrite a release or a line of the audit trail. Null locks nothing, in dev only."
  type        = number
  default     = null

  validation {
    condition     = var.release_lock_days == null || try(var.release_lock_days >= 1 && var.release_lock_days <= 3650 && floor(var.release_lock_days) == var.release_lock_days, false)
    error_message = "release_lock_days must be a whole number from 1 to 3650, or null."
  }

  validation {
    condition     = var.release_lock_days != null || var.environment == "dev"
    error_message = "release_lock_days must be set in staging and prod: a release that devices run must not vanish."
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

variable "github_repository" {
  description = "Repository whose workflows may publish and deploy: owner/repository. Null lets no CI in."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null || can(regex("^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$", var.github_repository))
    error_message = "github_repository must look like owner/repository, without wildcards."
  }
}

variable "create_github_provider" {
  description = "Whether to make GitHub's identity provider. An account has only one: false where another stack has made it."
  type        = bool
  default     = true
  nullable    = false
}

variable "identity_center" {
  description = "Whether people come in through IAM Identity Center. It must be enabled in the account's organization first."
  type        = bool
  default     = true
  nullable    = false
}

variable "people" {
  description = "Group of IAM Identity Center that gets a permission set: administrator, developer, operator or auditor -> id of the group."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.people), ["administrator", "auditor", "developer", "operator"])) == 0
    error_message = "people must have keys among administrator, auditor, developer and operator."
  }

  validation {
    condition     = alltrue([for id in values(var.people) : can(regex("^([0-9a-f]{10}-)?[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$", id))])
    error_message = "people must have ids of groups as values, as IAM Identity Center shows them; a name does not do."
  }
}

variable "administrator_arns" {
  description = "Patterns of ARNs of principals that may also change the guarded settings of the buckets, besides the permission set administrator and the account itself. Whoever applies in staging or prod must be one of these; in dev whoever applies is added."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.administrator_arns : can(regex("^arn:[^:*?]+:(iam|sts)::[0-9]{12}:(role|user|federated-user)/.*[A-Za-z0-9].*$", arn))])
    error_message = "administrator_arns must be ARNs of roles or users with their account, and name more than a wildcard. The ARN of a session (assumed-role) never matches."
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

variable "expected_devices" {
  description = "Devices (0 to 1000000) of the fleet that send heartbeats. An alarm is on while fewer than nine in ten do; with 0 there is no such alarm."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.expected_devices >= 0 && var.expected_devices <= 1000000 && floor(var.expected_devices) == var.expected_devices
    error_message = "expected_devices must be a whole number from 0 to 1000000."
  }
}

variable "log_retention_days" {
  description = "Days that log lines are kept; CloudWatch knows 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 and more years."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number of days that CloudWatch knows, such as 30, 90 or 365."
  }
}

variable "force_destroy" {
  description = "Whether destroying the stack also deletes the objects in its buckets. Never in prod."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !(var.force_destroy && var.environment == "prod")
    error_message = "force_destroy must be false in prod: empty the buckets by hand if that is meant."
  }
}

variable "tags" {
  description = "Tags of every resource, besides those that the stack sets itself."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setintersection(keys(var.tags), ["Environment", "ManagedBy", "Stack"])) == 0 && length(var.tags) <= 40
    error_message = "tags must be at most 40, and Environment, ManagedBy and Stack are the stack's own."
  }
}
