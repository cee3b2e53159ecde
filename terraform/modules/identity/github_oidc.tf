# Workflows come in with a token that GitHub signs for one job. No secret is kept anywhere.

locals {
  github_host        = "token.actions.githubusercontent.com"
  github_environment = coalesce(var.github_environment, var.environment)

  # Built and not asked for: another stack of the account may have made it.
  github_provider_arn = "arn:${var.partition}:iam::${var.account_id}:oidc-provider/${local.github_host}"

  # Who a job is, whole and without wildcards. A pull request is a subject of its own, whatever
  # branch it comes from, and so is an environment: GitHub asks its reviewers first.
  github_subjects = {
    pull_request = "repo:${coalesce(var.github_repository, "none/none")}:pull_request"
    main         = "repo:${coalesce(var.github_repository, "none/none")}:ref:refs/heads/main"
    environment  = "repo:${coalesce(var.github_repository, "none/none")}:environment:${local.github_environment}"
    signing      = "repo:${coalesce(var.github_repository, "none/none")}:environment:${local.github_environment}-signing"
  }

  github_trusts = {
    for role, subjects in {
      ci_plan   = var.environment == "prod" ? ["main"] : ["main", "pull_request"]
      ci_deploy = ["environment"]
      signer    = ["signing"]
      } : role => {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "JobsOfTheRepository"
          Effect    = "Allow"
          Principal = { Federated = local.github_provider_arn }
          Action    = "sts:AssumeRoleWithWebIdentity"
          Condition = {
            StringEquals = {
              "${local.github_host}:aud" = "sts.amazonaws.com"
              "${local.github_host}:sub" = [for subject in subjects : local.github_subjects[subject]]
            }
          }
        },
      ]
    }
  }
}

# AWS knows the certificates of GitHub itself, so no thumbprint is written down here.
resource "aws_iam_openid_connect_provider" "github" {
  count = var.github_repository != null && var.create_github_provider ? 1 : 0

  url            = "https://${local.github_host}"
  client_id_list = ["sts.amazonaws.com"]
}
