# A place to try things: small, short-lived, and the only environment that may be emptied.

force_destroy      = true
log_retention_days = 30
