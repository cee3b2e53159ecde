# Everything that can be switched on, in one file: what infra.test applies to an emulator. The
# repository, the groups and the address are nobody's.

github_repository = "owner/repository"
alert_emails      = ["on-call@example.com"]
expected_devices  = 20
people = {
  administrator = "906ab1cd-2a3b-4c5d-8e9f-001122334455"
  auditor       = "906ab1cd-2a3b-4c5d-8e9f-001122334466"
  developer     = "906ab1cd-2a3b-4c5d-8e9f-001122334477"
  operator      = "906ab1cd-2a3b-4c5d-8e9f-001122334488"
}
tags = { Purpose = "intent-classification" }
