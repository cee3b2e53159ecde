# What devices in the field depend on. Nothing here is deleted by accident.

# The account of AWS's own documentation, which emulators answer for. Put yours here.
account_id = "123456789012"
aws_region = "eu-central-1"

release_lock_days  = 365
log_retention_days = 365
