# Log groups are made here and not by whoever writes first: only then are they encrypted and
# forgotten in time.

locals {
  log_groups = {
    devices = "What core devices and their components say."
    rules   = "Messages that a topic rule could not store."
    hook    = "Which serial numbers asked to be provisioned."
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = local.log_groups

  name              = "/edgewise/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.data_key_arn

  #checkov:skip=CKV_AWS_338: how long lines are kept is the user's choice; the default is a year
}
