# The state lies in a bucket of its own, which bootstrap/ makes. Which one depends on the
# environment and the account: infra.init gives it, and so can -backend-config.
terraform {
  backend "s3" {
    key          = "stack.tfstate"
    use_lockfile = true
    # No "encrypt": it would ask for a key of S3, and the bucket takes its own key only.
  }
}
