# The rehearsal of prod: the same rules, for a fleet of a few devices.

# The account of AWS's own documentation, which emulators answer for. Put yours here.
account_id = "123456789012"
aws_region = "eu-central-1"

release_lock_days  = 7
log_retention_days = 90
