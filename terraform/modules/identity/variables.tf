variable "name" {
  description = "Name of the stack, such as edgewise-dev. Every role, the role alias and the boundary are named after it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 32 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen."
  }
}

variable "environment" {
  description = "Environment of the stack: dev, staging or prod. Prod is never planned from a pull request."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod."
  }
}

variable "account_id" {
  description = "Number of the AWS account that the roles belong to."
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
  description = "ARNs of the stack's buckets by purpose: intents-raw, intents-processed, model-artifacts, edge-deployments, pipeline-artifacts, access-logs and audit-trail. The role that plans reads the settings of all of them."
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

variable "artifact_prefix" {
  description = "Folder of the deployment bucket that holds component artifacts. CI writes there, every device reads there."
  type        = string
  default     = "artifacts/"
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9_-][A-Za-z0-9._-]*/)+$", var.artifact_prefix)) && !startswith(var.artifact_prefix, "devices/") && !startswith(var.artifact_prefix, "allowlist/")
    error_message = "artifact_prefix must be folder names of letters, digits, '.', '_' and '-', each ended by a slash, such as artifacts/; devices/ and allowlist/ have other uses."
  }
}

variable "component_prefix" {
  description = "First part of the names of the components that CI publishes, without the last dot."
  type        = string
  default     = "com.edgewise"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_-]*([.][A-Za-z0-9_-]+)*$", var.component_prefix)) && !startswith(var.component_prefix, "aws.greengrass")
    error_message = "component_prefix must be names of letters, digits, '_' and '-' with dots between them, such as com.edgewise, and not begin with aws.greengrass, which would replace AWS's own components."
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

variable "github_repository" {
  description = "Repository whose workflows may plan, deploy and sign: owner/repository. Null makes no role for CI, and nobody can sign."
  type        = string
  default     = null
  nullable    = true

  validation {
    condition     = var.github_repository == null || can(regex("^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$", var.github_repository))
    error_message = "github_repository must look like owner/repository, without wildcards."
  }
}

variable "github_environment" {
  description = "Environment of GitHub whose jobs may deploy; with -signing added, whose jobs may sign. Null takes the name of the stack's environment."
  type        = string
  default     = null
  nullable    = true

  validation {
    # GitHub encodes other characters in the subject, and a policy would never match.
    condition     = var.github_environment == null || can(regex("^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", var.github_environment))
    error_message = "github_environment must be 1 to 100 letters, digits, '.', '_' and '-'."
  }
}

variable "create_github_provider" {
  description = "Whether to make GitHub's identity provider. An account has only one: false where another stack has made it."
  type        = bool
  default     = true
  nullable    = false
}

variable "credential_duration_seconds" {
  description = "Seconds (900 to 3600) for which the credentials of a device are valid."
  type        = number
  default     = 3600
  nullable    = false

  validation {
    # AWS takes up to 43,200 s here, but only for a role whose maximum session is raised.
    condition     = var.credential_duration_seconds >= 900 && var.credential_duration_seconds <= 3600 && floor(var.credential_duration_seconds) == var.credential_duration_seconds
    error_message = "credential_duration_seconds must be a whole number from 900 to 3600."
  }
}

variable "training_image_repositories" {
  description = "Names of the image repositories that training may pull from, in any account of the region: AWS keeps its own images in accounts that differ from region to region."
  type        = list(string)
  default     = ["huggingface-pytorch-training", "pytorch-training"]
  nullable    = false

  validation {
    condition = length(var.training_image_repositories) > 0 && alltrue([
      for repository in var.training_image_repositories : can(regex("^[a-z0-9][a-z0-9._/-]{1,255}$", repository))
    ])
    error_message = "training_image_repositories must be at least one name of lower-case letters, digits, '.', '_', '-' and '/', without wildcards."
  }
}
