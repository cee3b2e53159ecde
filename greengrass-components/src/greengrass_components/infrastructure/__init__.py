"""The cloud side as code: Terraform, its environments and state, and what is checked first."""
