# Signs bundles. A job that signs gets what it signs from the job before it, so the role
# reaches no bucket. The policy of the key names this role too.

locals {
  signer_trust = local.github_trusts.signer

  signer_permissions = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Sign"
        Effect    = "Allow"
        Action    = "kms:Sign"
        Resource  = var.signing_key_arn
        Condition = { StringEquals = { "kms:SigningAlgorithm" = "ECDSA_SHA_256" } }
      },
      {
        Sid      = "CheckWhatWasSigned"
        Effect   = "Allow"
        Action   = "kms:GetPublicKey"
        Resource = var.signing_key_arn
      },
    ]
  }
}
