# The state of a development environment, in an account of its own:
# terraform -chdir=terraform/bootstrap apply -var-file=../examples/bootstrap/dev.tfvars
environment = "dev"
account_id  = "123456789012"
aws_region  = "eu-central-1"
bucket_name = "slm-terraform-state-123456789012"

tags = {
  Owner = "edge-team"
}
