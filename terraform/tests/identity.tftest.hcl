# What each machine may do, and who may act as it. The provider is mocked: no account, no network.

mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::123456789012:role/edgewise-dev-role"
    }
  }

  mock_resource "aws_iam_policy" {
    defaults = {
      arn = "arn:aws:iam::123456789012:policy/edgewise-dev-guardrails"
    }
  }
}

variables {
  name              = "edgewise-dev"
  environment       = "dev"
  account_id        = "123456789012"
  region            = "eu-central-1"
  data_key_arn      = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  signing_key_arn   = "arn:aws:kms:eu-central-1:123456789012:key/66666666-7777-8888-9999-000000000000"
  state_bucket_arn  = "arn:aws:s3:::slm-terraform-state-test"
  github_repository = "example/edgewise"
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

run "the_example_has_a_role_for_each_machine" {
  module {
    source = "./examples/identity"
  }

  assert {
    condition     = jsonencode(keys(output.role_arns)) == jsonencode(["ci-deploy", "ci-plan", "iot-rules", "lambda", "provisioning", "sagemaker", "signer", "token-exchange"])
    error_message = "Every machine of the stack must have a role of its own."
  }
}

run "every_role_is_named_after_the_stack_and_bounded" {
  module {
    source = "./modules/identity"
  }

  assert {
    condition     = alltrue([for short, role in aws_iam_role.this : role.name == "edgewise-dev-${short}" && role.permissions_boundary == output.boundary_arn && role.max_session_duration == 3600])
    error_message = "Every role must carry the boundary, and no session may last longer than an hour."
  }

  assert {
    condition     = keys(output.policies) == keys(output.role_arns) && alltrue([for short, policy in output.policies : policy.trust == aws_iam_role.this[short].assume_role_policy && policy.permissions == aws_iam_role_policy.this[short].policy])
    error_message = "The policies must be handed out as they are attached."
  }
}

run "policies_fit_into_what_iam_takes" {
  variables {
    name            = "edgewiser1-staging"
    region          = "ap-southeast-2"
    data_key_arn    = "arn:aws:kms:ap-southeast-2:123456789012:key/11111111-2222-3333-4444-555555555555"
    signing_key_arn = "arn:aws:kms:ap-southeast-2:123456789012:key/66666666-7777-8888-9999-000000000000"
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
    source = "./modules/identity"
  }

  assert {
    condition     = alltrue([for policy in output.policies : length(policy.permissions) <= 10240 && length(policy.trust) <= 2048])
    error_message = "IAM takes 10,240 characters in a role, and 2,048 of trust."
  }

  assert {
    condition     = length(output.boundary_json) <= 6144
    error_message = "IAM takes 6,144 characters in a boundary."
  }
}

run "no_statement_allows_everything" {
  module {
    source = "./modules/identity"
  }

  assert {
    condition = alltrue(flatten([
      for policy in output.policies : [
        for statement in jsondecode(policy.permissions).Statement : [
          for action in flatten([statement.Action]) : can(regex("^[a-z0-9]+:[A-Z][A-Za-z]+$", action)) || action == "s3:GetBucket*"
        ]
      ]
    ]))
    error_message = "Every action of a role must be written out; only the settings of buckets are read as a whole."
  }

  assert {
    condition     = alltrue(flatten([for policy in output.policies : [for statement in jsondecode(policy.permissions).Statement : statement.Effect == "Allow" && can(regex("^[A-Za-z]+$", statement.Sid))]]))
    error_message = "A role's policy only allows, and every statement has a name."
  }

  assert {
    # What a star stands alone for takes no narrower resource.
    condition = toset(flatten([
      for short, policy in output.policies : [
        for statement in jsondecode(policy.permissions).Statement : "${short} ${statement.Sid}" if contains(flatten([statement.Resource]), "*")
      ]
      ])) == toset([
      "ci-deploy Deploy",
      "ci-plan ListWhatThereIs",
      "iot-rules CountTelemetry",
      "provisioning JoinThingsAndCertificates",
      "sagemaker SignInToRegistry",
      "sagemaker WriteMetrics",
    ])
    error_message = "No other statement may be about every resource."
  }
}

run "the_data_key_is_used_through_s3_for_one_bucket" {
  module {
    source = "./modules/identity"
  }

  assert {
    condition = alltrue(flatten([
      for policy in output.policies : [
        for statement in jsondecode(policy.permissions).Statement :
        statement.Condition.StringEquals["kms:ViaService"] == "s3.eu-central-1.amazonaws.com" && length(statement.Condition.StringLike["kms:EncryptionContext:aws:s3:arn"]) >= 2
        if length(setintersection(flatten([statement.Action]), ["kms:Decrypt", "kms:GenerateDataKey"])) > 0 && statement.Sid != "DecryptSettingsOfTheHook"
      ]
    ]))
    error_message = "Whoever may decrypt may do so through S3 only, and for named buckets."
  }

  assert {
    condition = one([for statement in jsondecode(output.policies["token-exchange"].permissions).Statement : statement if statement.Sid == "DecryptReleases"]).Condition == {
      StringEquals = { "kms:ViaService" = "s3.eu-central-1.amazonaws.com" }
      StringLike   = { "kms:EncryptionContext:aws:s3:arn" = ["arn:aws:s3:::slm-edge-deployments-test", "arn:aws:s3:::slm-edge-deployments-test/*"] }
    }
    error_message = "A device must decrypt releases, behind a bucket key or not, and nothing else."
  }
}

run "pull_requests_only_plan" {
  module {
    source = "./modules/identity"
  }

  assert {
    condition = jsondecode(output.policies["ci-plan"].trust).Statement == [{
      Sid       = "JobsOfTheRepository"
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = ["repo:example/edgewise:ref:refs/heads/main", "repo:example/edgewise:pull_request"]
        }
      }
    }]
    error_message = "Main and pull requests of the repository may plan."
  }

  assert {
    condition = { for short, policy in output.policies : short => one(jsondecode(policy.trust).Statement).Condition.StringEquals["token.actions.githubusercontent.com:sub"] if contains(["ci-deploy", "signer"], short) } == {
      ci-deploy = ["repo:example/edgewise:environment:dev"]
      signer    = ["repo:example/edgewise:environment:dev-signing"]
    }
    error_message = "Deploying and signing must each have an environment of their own."
  }
}

run "no_pull_request_reaches_prod" {
  variables {
    name               = "edgewise-prod"
    environment        = "prod"
    github_environment = "production"
  }

  module {
    source = "./modules/identity"
  }

  assert {
    condition = { for short, policy in output.policies : short => one(jsondecode(policy.trust).Statement).Condition.StringEquals["token.actions.githubusercontent.com:sub"] if contains(["ci-deploy", "ci-plan", "signer"], short) } == {
      ci-deploy = ["repo:example/edgewise:environment:production"]
      ci-plan   = ["repo:example/edgewise:ref:refs/heads/main"]
      signer    = ["repo:example/edgewise:environment:production-signing"]
    }
    error_message = "In prod only main plans, and only the environment that was given deploys."
  }
}

run "without_a_repository_nobody_comes_in_from_outside" {
  variables {
    github_repository = null
  }

  module {
    source = "./modules/identity"
  }

  assert {
    condition     = jsonencode(keys(output.role_arns)) == jsonencode(["iot-rules", "lambda", "provisioning", "sagemaker", "token-exchange"]) && length(aws_iam_openid_connect_provider.github) == 0 && output.github_provider_arn == null
    error_message = "Without a repository there must be neither a role for CI nor a provider."
  }
}

run "another_stack_may_have_made_the_provider" {
  variables {
    create_github_provider = false
  }

  module {
    source = "./modules/identity"
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && output.github_provider_arn == "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" && contains(keys(output.role_arns), "ci-deploy")
    error_message = "The roles must trust the provider that there is."
  }
}

run "a_role_is_handed_out_only_with_what_it_may_do" {
  command = plan

  module {
    source = "./modules/identity"
  }

  assert {
    # An order leaves no trace in the values, so the configuration itself is read.
    condition = alltrue([
      can(regex("(?s)output \"role_arns\" \\{[^}]*\\}[^}]*depends_on = \\[aws_iam_role_policy.this\\]", file("${path.module}/outputs.tf"))),
      can(regex("(?s)resource \"aws_iot_role_alias\" \"this\" \\{[^}]*\\}?[^}]*depends_on = \\[aws_iam_role_policy.this\\]", file("${path.module}/token_exchange.tf"))),
    ])
    error_message = "A role without its policy fails in whatever hands it to a service."
  }
}

run "the_provider_is_githubs_and_for_aws" {
  module {
    source = "./modules/identity"
  }

  assert {
    condition     = aws_iam_openid_connect_provider.github[0].url == "https://token.actions.githubusercontent.com" && aws_iam_openid_connect_provider.github[0].client_id_list == toset(["sts.amazonaws.com"])
    error_message = "Only tokens that GitHub made for AWS may count."
  }
}

run "the_plan_reads_no_data" {
  module {
    source = "./modules/identity"
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(output.policies["ci-plan"].permissions).Statement : statement.Resource
      if length(setintersection(flatten([statement.Action]), ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"])) > 0
    ])) == toset(["arn:aws:s3:::slm-terraform-state-test/stack.tfstate", "arn:aws:s3:::slm-terraform-state-test/stack.tfstate.tflock"])
    error_message = "The objects that a plan touches are the state and its lock."
  }

  assert {
    condition = flatten([
      for statement in jsondecode(output.policies["ci-plan"].permissions).Statement : statement.Resource
      if length(setintersection(flatten([statement.Action]), ["s3:PutObject", "s3:DeleteObject"])) > 0
    ]) == ["arn:aws:s3:::slm-terraform-state-test/stack.tfstate.tflock"]
    error_message = "A plan writes nothing but its lock."
  }

  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(output.policies["ci-plan"].permissions).Statement : [
        for action in flatten([statement.Action]) :
        can(regex(":(Describe|Get|List|View)", action)) || contains(["LockState", "DecryptState", "EncryptLock"], statement.Sid)
      ]
    ]))
    error_message = "Besides the lock a plan only reads."
  }

  assert {
    condition     = length(setintersection(flatten([for statement in jsondecode(output.policies["ci-plan"].permissions).Statement : statement.Action]), ["logs:GetLogEvents", "logs:FilterLogEvents", "iot:GetThingShadow", "kms:Sign"])) == 0
    error_message = "A plan reads no log line and no shadow."
  }
}

run "the_plan_finds_what_an_interrupted_apply_left" {
  module {
    source = "./modules/identity"
  }

  assert {
    # A key or a permission set that nobody wrote down has an ARN that nobody knows.
    condition = [
      for statement in jsondecode(output.policies["ci-plan"].permissions).Statement : [statement.Action, statement.Resource] if statement.Sid == "FindKeys"
    ] == [[["kms:DescribeKey", "kms:ListResourceTags"], "arn:aws:kms:eu-central-1:123456789012:key/*"]]
    error_message = "A plan must see description and tags of every key of the account, and no more of a foreign one."
  }

  assert {
    condition     = contains(one([for statement in jsondecode(output.policies["ci-plan"].permissions).Statement : statement.Action if statement.Sid == "ListWhatThereIs"]), "kms:ListKeys") && contains(one([for statement in jsondecode(output.policies["ci-plan"].permissions).Statement : statement.Action if statement.Sid == "ReadPermissionSets"]), "sso:ListPermissionSets")
    error_message = "A plan must list keys and permission sets."
  }

  assert {
    condition     = length(setintersection(flatten([for statement in jsondecode(output.policies["ci-plan"].permissions).Statement : statement.Action]), ["lambda:ListFunctions", "iam:ListRoles", "iam:ListUsers"])) == 0
    error_message = "Functions and roles have names of ours, so nothing of anybody else's is listed; a list of functions shows their settings."
  }
}

run "deploying_is_bound_to_artifacts_components_and_groups" {
  variables {
    artifact_prefix  = "releases/arm/"
    component_prefix = "com.example"
    state_object     = "stacks/dev.tfstate"
  }

  module {
    source = "./modules/identity"
  }

  assert {
    condition = {
      for statement in jsondecode(output.policies["ci-deploy"].permissions).Statement : statement.Sid => statement.Resource
      } == {
      ListState                = "arn:aws:s3:::slm-terraform-state-test"
      ReadState                = "arn:aws:s3:::slm-terraform-state-test/stacks/dev.tfstate"
      DecryptState             = "arn:aws:kms:eu-central-1:123456789012:key/*"
      PublishArtifacts         = "arn:aws:s3:::slm-edge-deployments-test/releases/arm/*"
      ListArtifacts            = "arn:aws:s3:::slm-edge-deployments-test"
      UseKeyForArtifacts       = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
      PublishComponents        = "arn:aws:greengrass:eu-central-1:123456789012:components:com.example.*"
      ReadDeployments          = "arn:aws:greengrass:eu-central-1:123456789012:deployments:*"
      Deploy                   = "*"
      DeployToGroupsOfTheStack = "arn:aws:iot:eu-central-1:123456789012:thinggroup/edgewise-dev-*"
      JobsOfDeployments        = "arn:aws:iot:eu-central-1:123456789012:job/*"
    }
    error_message = "CI must reach what it releases, and nothing else."
  }

  assert {
    condition     = length(setintersection(flatten([for statement in jsondecode(output.policies["ci-deploy"].permissions).Statement : statement.Action]), ["s3:DeleteObject", "s3:DeleteObjectVersion", "greengrass:DeleteComponent", "kms:Sign", "iam:PassRole"])) == 0
    error_message = "CI must not delete a release, sign one, or hand out a role."
  }
}

run "the_signer_signs_and_nothing_else" {
  module {
    source = "./modules/identity"
  }

  assert {
    condition = jsondecode(output.policies["signer"].permissions).Statement == [
      {
        Sid       = "Sign"
        Effect    = "Allow"
        Action    = "kms:Sign"
        Resource  = "arn:aws:kms:eu-central-1:123456789012:key/66666666-7777-8888-9999-000000000000"
        Condition = { StringEquals = { "kms:SigningAlgorithm" = "ECDSA_SHA_256" } }
      },
      {
        Sid      = "CheckWhatWasSigned"
        Effect   = "Allow"
        Action   = "kms:GetPublicKey"
        Resource = "arn:aws:kms:eu-central-1:123456789012:key/66666666-7777-8888-9999-000000000000"
      },
    ]
    error_message = "The signer may sign with the one key and read its public half."
  }

  assert {
    condition = alltrue(flatten([
      for short, policy in output.policies : [
        for statement in jsondecode(policy.permissions).Statement : !contains(flatten([statement.Action]), "kms:Sign")
      ] if short != "signer"
    ]))
    error_message = "No other role may sign."
  }
}

run "a_device_reads_releases_and_its_own_folder" {
  module {
    source = "./modules/identity"
  }

  assert {
    condition = {
      for statement in jsondecode(output.policies["token-exchange"].permissions).Statement : statement.Sid => [statement.Action, statement.Resource]
      if !can(statement.Condition)
      } == {
      ReadReleases  = ["s3:GetObject", "arn:aws:s3:::slm-edge-deployments-test/artifacts/*"]
      ReadOwnFolder = ["s3:GetObject", "arn:aws:s3:::slm-edge-deployments-test/devices/$${credentials-iot:ThingName}/*"]
      FindReleases  = ["s3:GetBucketLocation", "arn:aws:s3:::slm-edge-deployments-test"]
      WriteOwnData  = ["s3:PutObject", "arn:aws:s3:::slm-intents-raw-test/devices/$${credentials-iot:ThingName}/*"]
      WriteOwnLog = [
        ["logs:CreateLogStream", "logs:PutLogEvents"],
        [
          "arn:aws:logs:eu-central-1:123456789012:log-group:/edgewise/edgewise-dev/devices:log-stream:$${credentials-iot:ThingName}",
          "arn:aws:logs:eu-central-1:123456789012:log-group:/edgewise/edgewise-dev/devices:log-stream:$${credentials-iot:ThingName}/*",
        ],
      ]
    }
    error_message = "A device must be kept to its own name."
  }

  assert {
    condition     = one(jsondecode(output.policies["token-exchange"].trust).Statement).Principal == { Service = "credentials.iot.amazonaws.com" }
    error_message = "Only the credential provider may act as a device's role."
  }
}

run "the_role_alias_leads_to_the_role_of_devices" {
  variables {
    credential_duration_seconds = 900
  }

  module {
    source = "./modules/identity"
  }

  assert {
    condition     = aws_iot_role_alias.this.role_arn == output.role_arns["token-exchange"] && aws_iot_role_alias.this.credential_duration == 900 && output.role_alias == "edgewise-dev-token-exchange-alias" && output.role_alias_arn == aws_iot_role_alias.this.arn
    error_message = "The alias must pass on the role of devices for as long as was asked."
  }
}

run "training_sees_no_raw_data" {
  module {
    source = "./modules/identity"
  }

  assert {
    condition     = length(regexall("intents-raw|edge-deployments|audit-trail|terraform-state", output.policies["sagemaker"].permissions)) == 0
    error_message = "Training reaches neither raw data nor releases nor the trail."
  }

  assert {
    condition     = one([for statement in jsondecode(output.policies["sagemaker"].permissions).Statement : statement.Resource if statement.Sid == "WriteModels"]) == ["arn:aws:s3:::slm-model-artifacts-test/*", "arn:aws:s3:::slm-pipeline-artifacts-test/*"]
    error_message = "Training must not change its data."
  }

  assert {
    condition = one(jsondecode(output.policies["sagemaker"].trust).Statement).Condition == {
      ArnLike      = { "aws:SourceArn" = "arn:aws:sagemaker:eu-central-1:123456789012:*" }
      StringEquals = { "aws:SourceAccount" = "123456789012" }
    }
    error_message = "Only jobs of the account may act as the role."
  }
}

run "training_pulls_the_images_that_are_named" {
  variables {
    training_image_repositories = ["pytorch-training"]
  }

  module {
    source = "./modules/identity"
  }

  assert {
    condition     = one([for statement in jsondecode(output.policies["sagemaker"].permissions).Statement : statement.Resource if statement.Sid == "PullImages"]) == ["arn:aws:ecr:eu-central-1:*:repository/pytorch-training"]
    error_message = "Training must pull from the repositories that were given."
  }
}

run "the_hook_reads_serial_numbers" {
  module {
    source = "./modules/identity"
  }

  assert {
    condition = {
      for statement in jsondecode(output.policies["lambda"].permissions).Statement : statement.Sid => [statement.Action, statement.Resource]
      if statement.Sid != "DecryptSettingsOfTheHook" && statement.Sid != "DecryptSerialNumbers"
      } == {
      ListSerialNumbers = ["s3:ListBucket", "arn:aws:s3:::slm-edge-deployments-test"]
      ReadSerialNumbers = ["s3:GetObject", "arn:aws:s3:::slm-edge-deployments-test/allowlist/*"]
      WriteLogOfTheHook = [["logs:CreateLogStream", "logs:PutLogEvents"], "arn:aws:logs:eu-central-1:123456789012:log-group:/edgewise/edgewise-dev/hook:*"]
    }
    error_message = "The hook must read the list and write its log."
  }

  assert {
    condition     = one([for statement in jsondecode(output.policies["lambda"].permissions).Statement : statement.Condition if statement.Sid == "ListSerialNumbers"]) == { StringLike = { "s3:prefix" = "allowlist/*" } }
    error_message = "The hook must list the folder of serial numbers only."
  }

  assert {
    condition     = one([for statement in jsondecode(output.policies["lambda"].permissions).Statement : statement.Condition if statement.Sid == "DecryptSettingsOfTheHook"]) == { StringLike = { "kms:EncryptionContext:aws:lambda:FunctionArn" = "arn:aws:lambda:eu-central-1:123456789012:function:edgewise-dev-*" } }
    error_message = "The hook must open the settings of functions of the stack only."
  }
}

run "topic_rules_keep_and_count_messages" {
  module {
    source = "./modules/identity"
  }

  assert {
    condition     = one([for statement in jsondecode(output.policies["iot-rules"].permissions).Statement : [statement.Action, statement.Resource] if statement.Sid == "KeepTelemetry"]) == ["s3:PutObject", ["arn:aws:s3:::slm-intents-raw-test/review/*", "arn:aws:s3:::slm-intents-raw-test/telemetry/*"]]
    error_message = "A rule must write messages below their own folders."
  }

  assert {
    condition     = one([for statement in jsondecode(output.policies["iot-rules"].permissions).Statement : statement.Condition if statement.Sid == "CountTelemetry"]) == { StringEquals = { "cloudwatch:namespace" = "edgewise/edgewise-dev" } }
    error_message = "A rule must count into the namespace of the stack."
  }

  assert {
    condition = one(jsondecode(output.policies["iot-rules"].trust).Statement).Condition == {
      ArnLike      = { "aws:SourceArn" = "arn:aws:iot:eu-central-1:123456789012:rule/edgewise_dev_*" }
      StringEquals = { "aws:SourceAccount" = "123456789012" }
    }
    error_message = "Only rules of the stack may act as the role."
  }
}

run "provisioning_registers_things_of_the_stack" {
  module {
    source = "./modules/identity"
  }

  assert {
    condition = { for statement in jsondecode(output.policies["provisioning"].permissions).Statement : statement.Sid => statement.Resource } == {
      RegisterThingsOfTheStack = [
        "arn:aws:iot:eu-central-1:123456789012:thing/edgewise-dev-*",
        "arn:aws:iot:eu-central-1:123456789012:thinggroup/edgewise-dev-*",
        "arn:aws:iot:eu-central-1:123456789012:thingtype/edgewise-dev-*",
      ]
      ReadPolicyOfDevices       = "arn:aws:iot:eu-central-1:123456789012:policy/edgewise-dev-device"
      ActivateCertificates      = "arn:aws:iot:eu-central-1:123456789012:cert/*"
      JoinThingsAndCertificates = "*"
    }
    error_message = "Provisioning must be kept to the names of the stack."
  }

  assert {
    condition     = one(jsondecode(output.policies["provisioning"].trust).Statement).Condition.StringEquals == { "aws:SourceAccount" = "123456789012" }
    error_message = "Only provisioning of the account may act as the role."
  }
}

run "the_boundary_denies_what_no_machine_may" {
  module {
    source = "./modules/identity"
  }

  assert {
    condition     = [for statement in jsondecode(output.boundary_json).Statement : statement.Sid if statement.Effect == "Allow"] == ["AllowWhatTheRoleAllows"]
    error_message = "A boundary that allows less than a role needs would break the role."
  }

  assert {
    condition = length(setsubtract(
      [
        "iam:Add*", "iam:Attach*", "iam:Create*", "iam:Delete*", "iam:Put*", "iam:Update*", "iam:Upload*",
        "sts:AssumeRole", "cloudtrail:Stop*", "cloudtrail:Delete*", "cloudtrail:Update*", "cloudtrail:PutEventSelectors",
        "s3:BypassGovernanceRetention", "s3:DeleteBucket", "s3:DeleteObjectVersion", "s3:PutBucketPolicy", "s3:PutBucketVersioning",
        "kms:CreateGrant", "kms:DisableKey", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion",
        "account:*", "organizations:*", "sso:Put*",
      ],
      flatten([for statement in jsondecode(output.boundary_json).Statement : statement.Action if statement.Effect == "Deny" && statement.Resource == "*" && !can(statement.Condition)]),
    )) == 0
    error_message = "Users, keys, the trail, versions and what lies above the stack must be out of reach."
  }

  assert {
    condition = one([for statement in jsondecode(output.boundary_json).Statement : statement if statement.Sid == "OnlyTheSignerSigns"]) == {
      Sid       = "OnlyTheSignerSigns"
      Effect    = "Deny"
      Action    = "kms:Sign"
      Resource  = "*"
      Condition = { ArnNotEquals = { "aws:PrincipalArn" = "arn:aws:iam::123456789012:role/edgewise-dev-signer" } }
    }
    error_message = "No machine but the signer may sign."
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
    source = "./modules/identity"
  }

  assert {
    condition     = length(regexall("arn:aws:", jsonencode([output.policies, output.boundary_json]))) == 0
    error_message = "Every ARN must be of the partition that was given."
  }

  assert {
    condition     = length(regexall("s3.cn-north-1.amazonaws.com.cn", output.policies["token-exchange"].permissions)) > 0
    error_message = "In China S3 has another name."
  }
}

run "wrong_values_are_refused" {
  command = plan

  variables {
    name                        = "Edgewise"
    environment                 = "test"
    account_id                  = "1234"
    partition                   = "azure"
    region                      = "Frankfurt"
    bucket_arns                 = { intents-raw = "arn:aws:s3:::slm-intents-raw-test" }
    artifact_prefix             = "/artifacts"
    component_prefix            = "aws.greengrass.Nucleus"
    data_key_arn                = "alias/data"
    state_object                = "*"
    github_repository           = "example/*"
    github_environment          = "dev:prod"
    credential_duration_seconds = 60
    training_image_repositories = ["*"]
  }

  module {
    source = "./modules/identity"
  }

  expect_failures = [
    var.name,
    var.environment,
    var.account_id,
    var.partition,
    var.region,
    var.bucket_arns,
    var.artifact_prefix,
    var.component_prefix,
    var.data_key_arn,
    var.state_object,
    var.github_repository,
    var.github_environment,
    var.credential_duration_seconds,
    var.training_image_repositories,
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
    source = "./modules/identity"
  }

  expect_failures = [var.bucket_arns]
}

run "folders_with_another_use_are_refused" {
  command = plan

  variables {
    artifact_prefix = "devices/"
  }

  module {
    source = "./modules/identity"
  }

  expect_failures = [var.artifact_prefix]
}

run "one_key_for_both_uses_is_refused" {
  command = plan

  variables {
    signing_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  module {
    source = "./modules/identity"
  }

  expect_failures = [var.signing_key_arn]
}

run "the_state_among_the_data_is_refused" {
  command = plan

  variables {
    state_bucket_arn = "arn:aws:s3:::slm-intents-raw-test"
  }

  module {
    source = "./modules/identity"
  }

  expect_failures = [var.state_bucket_arn]
}

run "a_fraction_of_a_second_is_refused" {
  command = plan

  variables {
    credential_duration_seconds = 900.5
  }

  module {
    source = "./modules/identity"
  }

  expect_failures = [var.credential_duration_seconds]
}

run "no_image_at_all_is_refused" {
  command = plan

  variables {
    training_image_repositories = []
  }

  module {
    source = "./modules/identity"
  }

  expect_failures = [var.training_image_repositories]
}

run "a_signing_key_by_alias_is_refused" {
  command = plan

  variables {
    signing_key_arn = "alias/edgewise-dev-signing"
  }

  module {
    source = "./modules/identity"
  }

  expect_failures = [var.signing_key_arn]
}

run "a_state_bucket_by_name_is_refused" {
  command = plan

  variables {
    state_bucket_arn = "slm-terraform-state-test"
  }

  module {
    source = "./modules/identity"
  }

  expect_failures = [var.state_bucket_arn]
}
