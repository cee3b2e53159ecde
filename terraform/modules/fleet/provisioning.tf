# Fleet provisioning by claim: an image carries one certificate that can do nothing but ask for
# a certificate of the device's own. Who may have one is decided by the hook.

locals {
  template_name = "${var.name}-devices"
  hook_name     = "${var.name}-provisioning-hook"

  # The folder of that name, packed. The tasks (infra.plan and the others) pack it into the copy
  # that they work in. With Terraform alone, pack it first, and again after every change:
  # (cd modules/fleet/provisioning_hook && zip -X ../provisioning_hook.zip handler.py)
  # Such an archive has other bytes for the same code, so a change from one way to the other
  # uploads the function once more.
  hook_archive = "${path.module}/provisioning_hook.zip"

  template = {
    Parameters = {
      SerialNumber                = { Type = "String" }
      "AWS::IoT::Certificate::Id" = { Type = "String" }
    }
    Resources = {
      thing = {
        Type = "AWS::IoT::Thing"
        Properties = {
          ThingName        = { "Fn::Join" = ["", ["${var.name}-", { Ref = "SerialNumber" }]] }
          ThingTypeName    = aws_iot_thing_type.gateway.name
          ThingGroups      = [aws_iot_thing_group.stage[var.rollout_stages[length(var.rollout_stages) - 1]].name]
          AttributePayload = { serial_number = { Ref = "SerialNumber" } }
        }
        # A device that comes again stays in the stage that it was moved to.
        OverrideSettings = {
          AttributePayload = "MERGE"
          ThingGroups      = "DO_NOTHING"
          ThingTypeName    = "DO_NOTHING"
        }
      }
      certificate = {
        Type       = "AWS::IoT::Certificate"
        Properties = { CertificateId = { Ref = "AWS::IoT::Certificate::Id" }, Status = "ACTIVE" }
      }
      policy = {
        Type       = "AWS::IoT::Policy"
        Properties = { PolicyName = aws_iot_policy.device.name }
      }
    }
  }
}

resource "aws_lambda_function" "hook" {
  function_name    = local.hook_name
  description      = "Lets a device join the fleet when its serial number is on the list."
  role             = var.role_arns.lambda
  runtime          = "python3.13"
  architectures    = ["arm64"]
  handler          = "handler.handler"
  filename         = local.hook_archive
  source_code_hash = filebase64sha256(local.hook_archive)
  # AWS IoT waits five seconds for the answer.
  timeout     = 5
  memory_size = 256
  kms_key_arn = var.data_key_arn

  environment {
    variables = {
      ALLOWLIST_BUCKET = var.deployment_bucket
      ALLOWLIST_PREFIX = "allowlist/"
    }
  }

  logging_config {
    log_format = "Text"
    log_group  = var.hook_log_group
  }

  tracing_config {
    mode = "PassThrough"
  }

  #checkov:skip=CKV_AWS_50: traces of a lookup that runs once in a device's life are worth less than they cost
  #checkov:skip=CKV_AWS_115: a reserve for this function would be taken from the account's others; a flood of claims is bounded by AWS IoT
  #checkov:skip=CKV_AWS_116: AWS IoT calls it and waits for the answer; a queue of failed calls would have no reader
  #checkov:skip=CKV_AWS_117: it calls S3 only, which needs no network of ours
  #checkov:skip=CKV_AWS_272: its code is part of this configuration and packed when it is applied
}

resource "aws_lambda_permission" "hook" {
  statement_id   = "ProvisioningTemplateCallsHook"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.hook.function_name
  principal      = "iot.amazonaws.com"
  source_account = var.account_id
  source_arn     = "${local.iot}:provisioningtemplate/${local.template_name}"
}

resource "aws_iot_provisioning_template" "devices" {
  name                  = local.template_name
  description           = "Makes a thing, in the last stage, for each serial number that the hook lets in."
  provisioning_role_arn = var.role_arns.provisioning
  enabled               = true
  template_body         = jsonencode(local.template)

  pre_provisioning_hook {
    target_arn = aws_lambda_function.hook.arn
  }

  # AWS IoT tries the hook when the template is made.
  depends_on = [aws_lambda_permission.hook]
}
