# What each person may do. The provider is mocked: no account, no network.

mock_provider "aws" {
  mock_data "aws_ssoadmin_instances" {
    defaults = {
      arns               = ["arn:aws:sso:::instance/ssoins-0123456789abcdef"]
      identity_store_ids = ["d-0123456789"]
    }
  }

  mock_resource "aws_ssoadmin_permission_set" {
    defaults = {
      arn = "arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-0123456789abcdef"
    }
  }
}

variables {
  name             = "edgewise-dev"
  account_id       = "123456789012"
  region           = "eu-central-1"
  data_key_arn     = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  signing_key_arn  = "arn:aws:kms:eu-central-1:123456789012:key/66666666-7777-8888-9999-000000000000"
  state_bucket_arn = "arn:aws:s3:::slm-terraform-state-test"
  bucket_arns = {
    access-logs        = "arn:aws:s3:::slm-access-logs-test"
    audit-trail        = "arn:aws:s3:::slm-audit-trail-test"
    edge-deployments   = "arn:aws:s3:::slm-edge-deployments-test"
    intents-processed  = "arn:aws:s3:::slm-intents-processed-test"
    intents-raw        = "arn:aws:s3:::slm-intents-raw-test"
    model-artifacts    = "arn:aws:s3:::slm-model-artifacts-test"
    pipeline-artifacts = "arn:aws:s3:::slm-pipeline-artifacts-test"
  }
}

run "the_example_has_four_permission_sets" {
  module {
    source = "./examples/people"
  }

  assert {
    condition = jsonencode(output.permission_set_names) == jsonencode({
      administrator = "edgewise-dev-administrator"
      auditor       = "edgewise-dev-auditor"
      developer     = "edgewise-dev-developer"
      operator      = "edgewise-dev-operator"
    })
    error_message = "There must be a permission set for each way of working."
  }
}

run "names_and_policies_fit_into_what_identity_center_takes" {
  variables {
    name             = "edgewiser1-staging"
    region           = "ap-southeast-2"
    data_key_arn     = "arn:aws:kms:ap-southeast-2:123456789012:key/11111111-2222-3333-4444-555555555555"
    signing_key_arn  = "arn:aws:kms:ap-southeast-2:123456789012:key/66666666-7777-8888-9999-000000000000"
    state_bucket_arn = "arn:aws:s3:::prefix-terraform-state-staging-123456789012-ap-southeast-2"
    bucket_arns = {
      access-logs        = "arn:aws:s3:::prefix-access-logs-staging-123456789012-ap-southeast-2"
      audit-trail        = "arn:aws:s3:::prefix-audit-trail-staging-123456789012-ap-southeast-2"
      edge-deployments   = "arn:aws:s3:::prefix-edge-deployments-staging-123456789012-ap-southeast-2"
      intents-processed  = "arn:aws:s3:::prefix-intents-processed-staging-123456789012-ap-southeast-2"
      intents-raw        = "arn:aws:s3:::prefix-intents-raw-staging-123456789012-ap-southeast-2"
      model-artifacts    = "arn:aws:s3:::prefix-model-artifacts-staging-123456789012-ap-southeast-2"
      pipeline-artifacts = "arn:aws:s3:::prefix-pipeline-artifacts-staging-123456789012-ap-southeast-2"
    }
  }

  module {
    source = "./modules/people"
  }

  assert {
    condition     = alltrue([for name in values(output.permission_set_names) : length(name) <= 32])
    error_message = "The name of a permission set has 32 characters at most."
  }

  assert {
    condition     = alltrue([for policy in output.policies : length(policy) <= 10240])
    error_message = "IAM takes 10,240 characters in the role that a permission set becomes."
  }
}

run "permission_sets_end_after_some_hours_and_hold_their_policy" {
  variables {
    session_duration = "PT1H"
  }

  module {
    source = "./modules/people"
  }

  assert {
    condition     = alltrue([for set in aws_ssoadmin_permission_set.this : set.session_duration == "PT1H" && set.instance_arn == "arn:aws:sso:::instance/ssoins-0123456789abcdef"])
    error_message = "A session must end when it was asked to, and the sets belong to the one instance."
  }

  assert {
    condition     = alltrue([for name, policy in aws_ssoadmin_permission_set_inline_policy.this : policy.inline_policy == output.policies[name] && policy.permission_set_arn == output.permission_set_arns[name]])
    error_message = "Each policy must sit on its permission set."
  }

  assert {
    condition     = length(aws_ssoadmin_account_assignment.this) == 0
    error_message = "Without groups nobody may come in."
  }
}

run "groups_get_what_is_theirs_in_this_account" {
  variables {
    group_ids = {
      auditor  = "3b4c5d6e-7f80-4a1b-9c2d-3e4f50617283"
      operator = "906ab1cd2a-3b4c5d6e-7f80-4a1b-9c2d-3e4f50617284"
    }
  }

  module {
    source = "./modules/people"
  }

  assert {
    condition = {
      for name, one in aws_ssoadmin_account_assignment.this : name => join(" ", [one.principal_type, one.principal_id, one.target_type, one.target_id])
      } == {
      auditor  = "GROUP 3b4c5d6e-7f80-4a1b-9c2d-3e4f50617283 AWS_ACCOUNT 123456789012"
      operator = "GROUP 906ab1cd2a-3b4c5d6e-7f80-4a1b-9c2d-3e4f50617284 AWS_ACCOUNT 123456789012"
    }
    error_message = "Each group must get its permission set in this account, and no other."
  }
}

run "everybody_carries_the_same_denials" {
  module {
    source = "./modules/people"
  }

  assert {
    condition = alltrue([
      for policy in output.policies : [
        for statement in slice(jsondecode(policy).Statement, 0, 10) : [statement.Sid, statement.Effect]
        ] == [
        for sid in ["NoUserAndNoAccessKey", "TrailStaysOn", "TrailStaysReadable", "TrailStaysWhole", "VersionsStay", "KeysStay", "NoPersonSigns", "WhatBoundsEverybodyStays", "BoundariesStay", "NothingAboveTheStack"] : [sid, "Deny"]
      ]
    ])
    error_message = "What bounds everybody must stand in every permission set."
  }

  assert {
    condition = length(setsubtract(
      ["iam:CreateUser", "iam:*AccessKey", "iam:*LoginProfile", "cloudtrail:Stop*", "cloudtrail:Delete*", "cloudtrail:Put*", "cloudtrail:Update*", "s3:PutBucketVersioning", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "kms:ScheduleKeyDeletion", "iam:DeleteRolePermissionsBoundary", "sts:AssumeRole", "sso:Put*"],
      flatten([for statement in jsondecode(output.policies["administrator"]).Statement : statement.Action if statement.Effect == "Deny" && try(statement.Resource == "*", false)]),
    )) == 0
    error_message = "Users, keys, the trail and versions must be out of reach everywhere."
  }

  assert {
    condition = one([for statement in jsondecode(output.policies["administrator"]).Statement : statement if statement.Sid == "NoPersonSigns"]) == {
      Sid      = "NoPersonSigns"
      Effect   = "Deny"
      Action   = ["kms:CreateGrant", "kms:PutKeyPolicy", "kms:Sign"]
      Resource = "arn:aws:kms:eu-central-1:123456789012:key/66666666-7777-8888-9999-000000000000"
    }
    error_message = "No person may sign, or hand out signing."
  }
}

run "families_of_actions_are_for_settings_of_the_stack" {
  module {
    source = "./modules/people"
  }

  assert {
    condition = alltrue(flatten([
      for policy in output.policies : [
        for statement in jsondecode(policy).Statement : can(regex("^(Change|Read)", statement.Sid)) && !contains(flatten([statement.Resource]), "*")
        if statement.Effect == "Allow" && anytrue([for action in flatten([statement.Action]) : strcontains(action, "*")])
      ]
    ]))
    error_message = "A family of actions may be allowed on settings of the stack only."
  }

  assert {
    condition = toset(flatten([
      for policy in output.policies : [
        for statement in jsondecode(policy).Statement : [for action in flatten([statement.Action]) : action if strcontains(action, "*")]
        if statement.Effect == "Allow"
      ]
      ])) == toset([
      "budgets:List*", "budgets:Tag*", "budgets:Untag*",
      "cloudtrail:Get*", "cloudtrail:List*",
      "cloudwatch:Delete*", "cloudwatch:List*", "cloudwatch:Put*", "cloudwatch:Tag*", "cloudwatch:Untag*",
      "iam:Get*", "iam:List*", "iam:Tag*", "iam:Untag*",
      "iot:Create*", "iot:Delete*", "iot:Describe*", "iot:Get*", "iot:List*", "iot:Tag*", "iot:Untag*", "iot:Update*",
      "kms:Describe*", "kms:Get*", "kms:List*",
      "lambda:Create*", "lambda:Delete*", "lambda:Get*", "lambda:List*", "lambda:Put*", "lambda:Tag*", "lambda:Untag*", "lambda:Update*",
      "logs:Tag*", "logs:Untag*",
      "s3:Get*Configuration", "s3:GetBucket*",
      "sns:Get*", "sns:List*", "sns:Tag*", "sns:Untag*",
      "sso:Describe*", "sso:Get*", "sso:List*",
    ])
    error_message = "No family of actions may reach objects, log lines or the use of a key."
  }

  assert {
    condition     = alltrue(flatten([for policy in output.policies : [for statement in jsondecode(policy).Statement : can(regex("^[A-Za-z0-9]+$", statement.Sid))]])) && alltrue([for policy in output.policies : length(distinct([for statement in jsondecode(policy).Statement : statement.Sid])) == length(jsondecode(policy).Statement)])
    error_message = "Every statement must have a name of its own."
  }
}

run "an_administrator_sees_no_data_and_widens_no_role_past_the_boundary" {
  module {
    source = "./modules/people"
  }

  assert {
    condition = one([for statement in jsondecode(output.policies["administrator"]).Statement : statement if statement.Sid == "NoData"]) == {
      Sid         = "NoData"
      Effect      = "Deny"
      Action      = ["s3:DeleteObject", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
      NotResource = ["arn:aws:s3:::slm-terraform-state-test/stack.tfstate", "arn:aws:s3:::slm-terraform-state-test/stack.tfstate.tflock"]
    }
    error_message = "Whoever may change the policy of a bucket must still not read it."
  }

  assert {
    condition = one([for statement in jsondecode(output.policies["administrator"]).Statement : statement if statement.Sid == "ChangeBoundedRoles"]) == {
      Sid       = "ChangeBoundedRoles"
      Effect    = "Allow"
      Action    = ["iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
      Resource  = "arn:aws:iam::123456789012:role/edgewise-dev-*"
      Condition = { ArnEquals = { "iam:PermissionsBoundary" = "arn:aws:iam::123456789012:policy/edgewise-dev-guardrails" } }
    }
    error_message = "A role may be made and widened inside the boundary only."
  }

  assert {
    condition     = one([for statement in jsondecode(output.policies["administrator"]).Statement : statement.Resource if statement.Sid == "WhatBoundsEverybodyStays"]) == ["arn:aws:iam::123456789012:policy/edgewise-dev-guardrails", "arn:aws:iam::123456789012:role/edgewise-dev-signer", "arn:aws:iam::123456789012:role/aws-reserved/*"]
    error_message = "The boundary, the signer and the roles of people must be out of reach."
  }

  assert {
    condition = one([for statement in jsondecode(output.policies["administrator"]).Statement : [statement.Resource, statement.Condition] if statement.Sid == "HandRolesToServices"]) == [
      [for role in ["iot-rules", "lambda", "provisioning", "token-exchange"] : "arn:aws:iam::123456789012:role/edgewise-dev-${role}"],
      { StringEquals = { "iam:PassedToService" = ["credentials.iot.amazonaws.com", "iot.amazonaws.com", "lambda.amazonaws.com"] } },
    ]
    error_message = "Roles are handed to the services that they are for."
  }

  assert {
    condition     = one([for statement in jsondecode(output.policies["administrator"]).Statement : statement.Condition if statement.Sid == "EncryptSettingsOfHook"]) == { StringEquals = { "kms:ViaService" = "lambda.eu-central-1.amazonaws.com" } }
    error_message = "Grants on the data key are Lambda's only."
  }
}

run "an_administrator_finds_what_an_interrupted_apply_left" {
  module {
    source = "./modules/people"
  }

  assert {
    condition = {
      for name, policy in output.policies : name => one([
        for statement in jsondecode(policy).Statement : [statement.Action, statement.Resource] if statement.Sid == "FindKeys"
      ]) if strcontains(policy, "FindKeys")
    } == { administrator = [["kms:DescribeKey", "kms:ListResourceTags"], "arn:aws:kms:eu-central-1:123456789012:key/*"] }
    error_message = "Who applies must see description and tags of every key of the account; nobody else needs to."
  }

  assert {
    condition = toset(flatten([
      for name, policy in output.policies : [
        for statement in jsondecode(policy).Statement : name if statement.Effect == "Allow" && contains(flatten([statement.Action]), "kms:ListKeys")
      ]
    ])) == toset(["administrator", "auditor"])
    error_message = "Who applies and who audits must list keys."
  }
}

run "an_operator_deploys_and_reads_no_data" {
  module {
    source = "./modules/people"
  }

  assert {
    condition     = one([for statement in jsondecode(output.policies["operator"]).Statement : statement.NotResource if statement.Sid == "NoData"]) == ["arn:aws:s3:::slm-terraform-state-test/stack.tfstate", "arn:aws:s3:::slm-edge-deployments-test/allowlist/*"]
    error_message = "An operator must be denied data of every kind."
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(output.policies["operator"]).Statement : statement.Resource
      if statement.Effect == "Allow" && length(setintersection(flatten([statement.Action]), ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"])) > 0
    ])) == toset(["arn:aws:s3:::slm-edge-deployments-test/allowlist/*", "arn:aws:s3:::slm-terraform-state-test/stack.tfstate"])
    error_message = "The objects of an operator are serial numbers and the state's outputs."
  }

  assert {
    condition     = length(setsubtract(["greengrass:CreateDeployment", "greengrass:CancelDeployment", "iot:CreateJob", "iot:CancelJob", "iot:UpdateCertificate", "cloudwatch:DescribeAlarms"], flatten([for statement in jsondecode(output.policies["operator"]).Statement : statement.Action if statement.Effect == "Allow"]))) == 0
    error_message = "An operator must deploy, cancel, shut out a device and see alarms."
  }

  assert {
    condition     = length(regexall("/rules", output.policies["operator"])) == 0
    error_message = "The errors of the rules hold messages of devices, which are data."
  }
}

run "a_developer_reads_processed_data_and_no_raw_data" {
  module {
    source = "./modules/people"
  }

  assert {
    condition = {
      for statement in jsondecode(output.policies["developer"]).Statement : statement.Sid => try(statement.Resource, statement.NotResource)
      if contains(["NoRawData", "ReadData", "WriteModels"], statement.Sid)
      } == {
      NoRawData   = concat(["arn:aws:s3:::slm-terraform-state-test/stack.tfstate"], [for purpose in ["intents-processed", "model-artifacts", "pipeline-artifacts"] : "arn:aws:s3:::slm-${purpose}-test/*"])
      ReadData    = [for purpose in ["intents-processed", "model-artifacts", "pipeline-artifacts"] : "arn:aws:s3:::slm-${purpose}-test/*"]
      WriteModels = [for purpose in ["model-artifacts", "pipeline-artifacts"] : "arn:aws:s3:::slm-${purpose}-test/*"]
    }
    error_message = "A developer must read what was processed, write models, and see nothing raw."
  }

  assert {
    condition = one([for statement in jsondecode(output.policies["developer"]).Statement : [statement.Resource, statement.Condition] if statement.Sid == "TrainAsRoleForTraining"]) == [
      "arn:aws:iam::123456789012:role/edgewise-dev-sagemaker",
      { StringEquals = { "iam:PassedToService" = "sagemaker.amazonaws.com" } },
    ]
    error_message = "A developer must hand the role for training to SageMaker, and no other role to anybody."
  }

  assert {
    condition     = length(setintersection(["greengrass:CreateDeployment", "iot:CreateJob"], flatten([for statement in jsondecode(output.policies["developer"]).Statement : statement.Action if statement.Effect == "Allow"]))) == 0
    error_message = "A developer must not deploy."
  }
}

run "an_auditor_reads_the_trail_and_changes_nothing" {
  module {
    source = "./modules/people"
  }

  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(output.policies["auditor"]).Statement : [
        for action in flatten([statement.Action]) : can(regex(":(Describe|Filter|GenerateCredentialReport|Get|List|Lookup|StartQuery|StopQuery|View)", action)) || action == "kms:Decrypt"
      ] if statement.Effect == "Allow"
    ]))
    error_message = "An auditor only reads."
  }

  assert {
    condition = flatten([
      for statement in jsondecode(output.policies["auditor"]).Statement : statement.Resource
      if statement.Effect == "Allow" && contains(flatten([statement.Action]), "s3:GetObject")
    ]) == ["arn:aws:s3:::slm-access-logs-test/*", "arn:aws:s3:::slm-audit-trail-test/*"]
    error_message = "The objects of an auditor are the trail and the access logs."
  }

  assert {
    condition     = one([for statement in jsondecode(output.policies["auditor"]).Statement : statement.Condition.StringLike["kms:EncryptionContext:aws:s3:arn"] if statement.Sid == "DecryptTrail"]) == ["arn:aws:s3:::slm-audit-trail-test", "arn:aws:s3:::slm-audit-trail-test/*"]
    error_message = "An auditor must decrypt the trail only."
  }
}

run "another_partition_reaches_every_arn" {
  variables {
    partition        = "aws-cn"
    region           = "cn-north-1"
    data_key_arn     = "arn:aws-cn:kms:cn-north-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    signing_key_arn  = "arn:aws-cn:kms:cn-north-1:123456789012:key/66666666-7777-8888-9999-000000000000"
    state_bucket_arn = "arn:aws-cn:s3:::slm-terraform-state-test"
    bucket_arns = {
      access-logs        = "arn:aws-cn:s3:::slm-access-logs-test"
      audit-trail        = "arn:aws-cn:s3:::slm-audit-trail-test"
      edge-deployments   = "arn:aws-cn:s3:::slm-edge-deployments-test"
      intents-processed  = "arn:aws-cn:s3:::slm-intents-processed-test"
      intents-raw        = "arn:aws-cn:s3:::slm-intents-raw-test"
      model-artifacts    = "arn:aws-cn:s3:::slm-model-artifacts-test"
      pipeline-artifacts = "arn:aws-cn:s3:::slm-pipeline-artifacts-test"
    }
  }

  module {
    source = "./modules/people"
  }

  assert {
    condition     = length(regexall("arn:aws:", jsonencode(output.policies))) == 0
    error_message = "Every ARN must be of the partition that was given."
  }
}

run "components_are_those_of_the_prefix" {
  variables {
    component_prefix = "com.example"
    state_object     = "stacks/dev.tfstate"
  }

  module {
    source = "./modules/people"
  }

  assert {
    condition     = one([for statement in jsondecode(output.policies["operator"]).Statement : statement.Resource if statement.Sid == "ReadComponents"]) == "arn:aws:greengrass:eu-central-1:123456789012:components:com.example.*"
    error_message = "An operator must see components of the stack."
  }

  assert {
    condition     = one([for statement in jsondecode(output.policies["administrator"]).Statement : statement.Resource if statement.Sid == "UnlockState"]) == "arn:aws:s3:::slm-terraform-state-test/stacks/dev.tfstate.tflock"
    error_message = "The lock must lie beside the state."
  }
}

run "without_identity_center_it_is_said" {
  command = plan

  override_data {
    target = data.aws_ssoadmin_instances.this
    values = {
      arns = []
    }
  }

  module {
    source = "./modules/people"
  }

  expect_failures = [data.aws_ssoadmin_instances.this]
}

run "wrong_values_are_refused" {
  command = plan

  variables {
    name             = "edgewise-of-the-north"
    account_id       = "1234"
    partition        = "azure"
    region           = "Frankfurt"
    bucket_arns      = { intents-raw = "arn:aws:s3:::slm-intents-raw-test" }
    component_prefix = "aws.greengrass.Nucleus"
    data_key_arn     = "alias/data"
    state_object     = "*"
    group_ids        = { guest = "3b4c5d6e-7f80-4a1b-9c2d-3e4f50617283" }
    session_duration = "PT13H"
  }

  module {
    source = "./modules/people"
  }

  expect_failures = [
    var.name,
    var.account_id,
    var.partition,
    var.region,
    var.bucket_arns,
    var.component_prefix,
    var.data_key_arn,
    var.state_object,
    var.group_ids,
    var.session_duration,
  ]
}

run "a_bucket_by_name_is_refused" {
  command = plan

  variables {
    bucket_arns = {
      access-logs        = "arn:aws:s3:::slm-access-logs-test"
      audit-trail        = "arn:aws:s3:::slm-audit-trail-test"
      edge-deployments   = "slm-edge-deployments-test"
      intents-processed  = "arn:aws:s3:::slm-intents-processed-test"
      intents-raw        = "arn:aws:s3:::slm-intents-raw-test"
      model-artifacts    = "arn:aws:s3:::slm-model-artifacts-test"
      pipeline-artifacts = "arn:aws:s3:::slm-pipeline-artifacts-test"
    }
  }

  module {
    source = "./modules/people"
  }

  expect_failures = [var.bucket_arns]
}

run "one_key_for_both_uses_is_refused" {
  command = plan

  variables {
    signing_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  module {
    source = "./modules/people"
  }

  expect_failures = [var.signing_key_arn]
}

run "the_state_among_the_data_is_refused" {
  command = plan

  variables {
    state_bucket_arn = "arn:aws:s3:::slm-intents-raw-test"
  }

  module {
    source = "./modules/people"
  }

  expect_failures = [var.state_bucket_arn]
}

run "a_group_by_name_is_refused" {
  command = plan

  variables {
    group_ids = { operator = "operators" }
  }

  module {
    source = "./modules/people"
  }

  expect_failures = [var.group_ids]
}

run "a_signing_key_by_alias_is_refused" {
  command = plan

  variables {
    signing_key_arn = "alias/edgewise-dev-signing"
  }

  module {
    source = "./modules/people"
  }

  expect_failures = [var.signing_key_arn]
}

run "a_state_bucket_by_name_is_refused" {
  command = plan

  variables {
    state_bucket_arn = "slm-terraform-state-test"
  }

  module {
    source = "./modules/people"
  }

  expect_failures = [var.state_bucket_arn]
}
