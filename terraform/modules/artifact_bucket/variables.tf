variable "name" {
  description = "Name of the bucket, unique in all of AWS."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the objects. Null encrypts with keys that S3 manages (AES-256)."
  type        = string
  default     = null
}

variable "noncurrent_version_days" {
  description = "Days that a replaced object is kept. Null keeps every version for ever."
  type        = number
  default     = null
}

variable "force_destroy" {
  description = "Whether destroying the bucket also deletes what is in it."
  type        = bool
  default     = false
  nullable    = false
}
