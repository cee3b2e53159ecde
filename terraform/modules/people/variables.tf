variable "name" {
  description = "Name of the stack, such as edgewise-dev. The permission sets are named after it."
  type        = string
  nullable    = false

  validation {
    # IAM Identity Center gives a permission set 32 characters; the longest ending has 14.
    condition     = can(regex("^[a-z][a-z0-9-]{1,16}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 18 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen: the names of permission sets have 32 characters in all."
  }
}

variable "account_id" {
  description = "Number of the AWS account that the permission sets are for."
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
  description = "AWS region of the stack, such as eu-central-1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must look like eu-central-1."
  }
}

variable "bucket_arns" {
  description = "ARNs of the stack's buckets by purpose: intents-raw, intents-processed, model-artifacts, edge-deployments, pipeline-artifacts, access-logs and audit-trail."
  type        = map(string)
  nullable    = false

  validation {
    condition = length(setsubtract(
      ["intents-raw", "intents-processed", "model-artifacts", "edge-deployments", "pipeline-artifacts", "access-logs", "audit-trail"],
      keys(var.bucket_arns),
    )) == 0
    error_message = "bucket_arns must have the keys intents-raw, intents-processed, model-artifacts, edge-deployments, pipeline-artifacts, access-logs and audit-trail."
  }

  validation {
    condition     = alltrue([for arn in values(var.bucket_arns) : can(regex("^arn:[^:]+:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", arn))])
    error_message = "bucket_arns must be ARNs of buckets, such as arn:aws:s3:::slm-intents-raw-1, without a path."
  }
}

variable "component_prefix" {
  description = "First part of the names of the stack's components, without the last dot."
  type        = string
  default     = "com.edgewise"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_-]*([.][A-Za-z0-9_-]+)*$", var.component_prefix)) && !startswith(var.component_prefix, "aws.greengrass")
    error_message = "component_prefix must be names of letters, digits, '_' and '-' with dots between them, such as com.edgewise, and not begin with aws.greengrass."
  }
}

variable "data_key_arn" {
  description = "ARN of the KMS key that encrypts the buckets."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.data_key_arn))
    error_message = "data_key_arn must be the ARN of a KMS key (an alias does not do: a policy cannot name it)."
  }
}

variable "signing_key_arn" {
  description = "ARN of the KMS key that signs bundles."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.signing_key_arn))
    error_message = "signing_key_arn must be the ARN of a KMS key (an alias does not do: a policy cannot name it)."
  }

  validation {
    condition     = var.signing_key_arn != var.data_key_arn
    error_message = "signing_key_arn must not be the key that encrypts the buckets."
  }
}

variable "state_bucket_arn" {
  description = "ARN of the bucket that keeps Terraform's state."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[^:]+:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.state_bucket_arn))
    error_message = "state_bucket_arn must be the ARN of a bucket, such as arn:aws:s3:::slm-terraform-state-1, without a path."
  }

  validation {
    condition     = !contains(values(var.bucket_arns), var.state_bucket_arn)
    error_message = "state_bucket_arn must not be one of bucket_arns: whoever reads data does not read the state."
  }
}

variable "state_object" {
  description = "Key of the state in its bucket. The lock lies beside it under the same key with .tflock."
  type        = string
  default     = "stack.tfstate"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-][A-Za-z0-9._/-]*$", var.state_object)) && !endswith(var.state_object, "/")
    error_message = "state_object must be the key of one object, of letters, digits, '.', '_', '-' and '/', without wildcards."
  }
}

variable "group_ids" {
  description = "Group of IAM Identity Center that gets a permission set: administrator, operator, developer or auditor -> id of the group. A permission set without a group is made and nobody has it."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.group_ids), ["administrator", "auditor", "developer", "operator"])) == 0
    error_message = "group_ids must have keys among administrator, auditor, developer and operator."
  }

  validation {
    condition     = alltrue([for id in values(var.group_ids) : can(regex("^([0-9a-f]{10}-)?[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$", id))])
    error_message = "group_ids must have ids of groups as values, as IAM Identity Center shows them; a name does not do."
  }
}

variable "session_duration" {
  description = "How long a person is signed in at most, as an ISO 8601 duration of 1 to 12 hours, such as PT4H."
  type        = string
  default     = "PT4H"
  nullable    = false

  validation {
    condition     = can(regex("^PT([1-9]|1[0-2])H$", var.session_duration))
    error_message = "session_duration must be PT1H to PT12H."
  }
}
