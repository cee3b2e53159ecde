variable "name" {
  description = "Name of the role; its alias has the same name with -alias added."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,58}$", var.name))
    error_message = "name must be 1 to 58 letters, digits, '_' and '-'."
  }
}

variable "bucket_arn" {
  description = "ARN of the bucket that holds the artifacts."
  type        = string
  nullable    = false
}

variable "artifact_prefix" {
  description = "Folder of the bucket that devices may read, with a slash at its end."
  type        = string
  nullable    = false

  validation {
    condition     = endswith(var.artifact_prefix, "/") && !strcontains(var.artifact_prefix, "*")
    error_message = "artifact_prefix must end with a slash and hold no '*': it bounds what a device may read."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the artifacts, which devices must then decrypt with. Null for none."
  type        = string
  default     = null
}

variable "credential_duration_seconds" {
  description = "Seconds for which the credentials of a device are valid."
  type        = number
  default     = 3600
  nullable    = false
}
