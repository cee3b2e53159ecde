# The state lies in a bucket of its own, which bootstrap/ makes. Which one depends on the
# environment and the account: infra.init gives it, and so can -backend-config.
terraform {
  backend "s3" {
    key          = "stack.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
