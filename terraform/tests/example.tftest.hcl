# A stack with values from a file: terraform test -var-file=examples/production.tfvars
# The provider is mocked.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = {
      account_id = "123456789012"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::123456789012:role/example"
    }
  }
}

run "the_values_make_a_plan" {
  command = plan

  assert {
    condition     = startswith(local.bucket_name, "${var.name}-artifacts-123456789012-")
    error_message = "The name of the stack must reach the bucket."
  }
}
