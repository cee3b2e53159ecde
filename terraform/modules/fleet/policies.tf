# What certificates allow. A device is told by its certificate: AWS IoT fills in the thing that
# is attached to it, so one policy serves every device and each reaches only its own.

locals {
  iot   = "arn:${var.partition}:iot:${var.region}:${var.account_id}"
  thing = "$${iot:Connection.Thing.ThingName}"

  # What a Greengrass core says and hears (shadow, jobs, deployments), and what this stack's
  # components do (telemetry, heartbeat, review). Written short: AWS IoT takes 2,048 characters.
  own_topics = ["$aws/things/${local.thing}/*", "${var.name}/${local.thing}/*"]

  device_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        # Attached means: only a certificate of this very thing. AWS IoT fills in the name on a
        # connection that is named like the thing. The nucleus opens further ones (name#2) only
        # beyond fifty subscriptions; those need the certificate attached as EXCLUSIVE_THING.
        Sid      = "ConnectAsItself"
        Effect   = "Allow"
        Action   = "iot:Connect"
        Resource = ["${local.iot}:client/${local.thing}", "${local.iot}:client/${local.thing}#*"]
        Condition = {
          Bool = { "iot:Connection.Thing.IsAttached" = "true" }
        }
      },
      {
        Sid    = "OwnTopics"
        Effect = "Allow"
        Action = ["iot:Publish", "iot:Receive", "iot:Subscribe"]
        Resource = flatten([
          for topic in local.own_topics : ["${local.iot}:topic/${topic}", "${local.iot}:topicfilter/${topic}"]
        ])
      },
      {
        Sid      = "FetchItsCredentials"
        Effect   = "Allow"
        Action   = "iot:AssumeRoleWithCertificate"
        Resource = "${local.iot}:rolealias/${var.role_alias}"
      },
      {
        # The nucleus asks these of the service; they name the device by its certificate.
        Sid    = "FetchItsDeployments"
        Effect = "Allow"
        Action = [
          "greengrass:GetComponentVersionArtifact",
          "greengrass:GetDeploymentConfiguration",
          "greengrass:ListThingGroupsForCoreDevice",
          "greengrass:ResolveComponentCandidates",
        ]
        Resource = "*"
      },
    ]
  }

  template_topics = "$aws/provisioning-templates/${local.template_name}/provision/json"
  claim_topics = [
    "$aws/certificates/create/json",
    # The device makes its key itself and shows a signing request only. Nucleus Lite always does.
    "$aws/certificates/create-from-csr/json",
    local.template_topics,
  ]

  claim_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        # A claim has no thing yet. These names are no device's, so a claim cannot throw one off
        # the line: the hook refuses serial numbers that begin with claim-.
        Sid      = "ConnectToBeProvisioned"
        Effect   = "Allow"
        Action   = "iot:Connect"
        Resource = "${local.iot}:client/${var.name}-claim-*"
      },
      {
        Sid      = "AskForACertificateAndAPlace"
        Effect   = "Allow"
        Action   = "iot:Publish"
        Resource = [for topic in local.claim_topics : "${local.iot}:topic/${topic}"]
      },
      {
        Sid      = "HearTheAnswer"
        Effect   = "Allow"
        Action   = "iot:Receive"
        Resource = [for topic in local.claim_topics : "${local.iot}:topic/${topic}/*"]
      },
      {
        Sid      = "ListenToTheAnswer"
        Effect   = "Allow"
        Action   = "iot:Subscribe"
        Resource = [for topic in local.claim_topics : "${local.iot}:topicfilter/${topic}/*"]
      },
    ]
  }
}

resource "aws_iot_policy" "device" {
  name   = "${var.name}-device"
  policy = jsonencode(local.device_policy)
}

resource "aws_iot_policy" "claim" {
  name   = "${var.name}-claim"
  policy = jsonencode(local.claim_policy)
}
