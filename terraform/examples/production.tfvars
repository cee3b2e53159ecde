# A production stack: terraform apply -var-file=examples/production.tfvars
name            = "voice-gateway"
aws_region      = "eu-central-1"
artifact_prefix = "components/artifacts/"

# Devices that are a release behind still find their artifacts for a quarter of a year.
noncurrent_version_days = 90

tags = {
  Team = "devices"
}
