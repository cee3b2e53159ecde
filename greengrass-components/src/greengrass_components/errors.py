"""The errors of edgewise's cloud side, below ``edge_runtime.errors.EdgeError``.

::

    EdgeError
    ├── CloudError                     a call to AWS failed
    │   ├── CloudUnreachableError      nothing answers at the endpoint
    │   ├── CloudCredentialsError      no credentials, or they are not accepted
    │   ├── AccessDeniedError          a right is missing
    │   ├── CloudBusyError             AWS asks for fewer calls
    │   ├── BucketMissingError         no such bucket
    │   └── ObjectExistsError          an object stands where only a new one is wanted
    ├── PublishError                   a component version cannot be published
    │   ├── UploadError                an artifact was not stored as it was sent
    │   ├── VersionTakenError          the version is published with other content
    │   └── NotDeployableError         AWS did not make the version deployable
    ├── DeployError                    a deployment cannot be made or changed
    │   ├── StageError                 no such stage of the roll-out
    │   ├── NotPublishedError          a component version that is not there or not deployable
    │   └── DeploymentConflictError    somebody else deployed, or it is no longer under way
    ├── OutputsError                   the stack's outputs are not there, or lack something
    ├── EmulatorError                  the AWS emulator did not start or stop
    ├── PolicyError                    a policy, or the table of who may do what, is not understood
    ├── ComponentError                 a component cannot be built or used
    │   ├── RecipeError                a recipe that a core device would refuse or misread
    │   ├── ArchiveError               an archive cannot be packed or unpacked
    │   ├── WheelError                 a wheel for the device cannot be had
    │   └── NucleusError               a component does not run as its recipe says
    └── TerraformError                 Terraform could not do its work
        ├── VariableError              no such variable or environment, or an unreadable value
        ├── WrongAccountError          the credentials are of another account
        ├── BucketNameError            a bucket cannot have the name that it should get
        ├── StateMissingError          there is no bucket for the state yet
        ├── StateLockedError           another Terraform holds the state
        ├── ConfirmationError          data would be lost, and nobody confirmed it
        ├── ChecksError                the configuration cannot be checked
        ├── TerraformMissingError      no such program
        ├── TerraformTooOldError       the program is older than the configuration needs
        ├── TerraformTimeoutError      a command took too long and was stopped
        ├── TerraformFailedError       a command ended with an error of its own
        └── ProviderUnreachableError   neither a mirror nor the registry has the provider
"""

from __future__ import annotations

from edge_runtime.errors import EdgeError

__all__ = [
    "AccessDeniedError",
    "ArchiveError",
    "BucketMissingError",
    "BucketNameError",
    "ChecksError",
    "CloudBusyError",
    "CloudCredentialsError",
    "CloudError",
    "CloudUnreachableError",
    "ComponentError",
    "ConfirmationError",
    "DeployError",
    "DeploymentConflictError",
    "EmulatorError",
    "NotDeployableError",
    "NotPublishedError",
    "NucleusError",
    "ObjectExistsError",
    "OutputsError",
    "PolicyError",
    "ProviderUnreachableError",
    "PublishError",
    "RecipeError",
    "StageError",
    "StateLockedError",
    "StateMissingError",
    "TerraformError",
    "TerraformFailedError",
    "TerraformMissingError",
    "TerraformTimeoutError",
    "TerraformTooOldError",
    "UploadError",
    "VariableError",
    "VersionTakenError",
    "WheelError",
    "WrongAccountError",
]


class CloudError(EdgeError):
    """A call to AWS failed."""


class CloudUnreachableError(CloudError):
    """Nothing answers at the endpoint."""


class CloudCredentialsError(CloudError):
    """There are no AWS credentials, or they are not accepted."""


class BucketMissingError(CloudError):
    """There is no such bucket, or it is another account's."""


class AccessDeniedError(CloudError):
    """The credentials lack a right; ``right`` and ``resource`` are in the data."""


class CloudBusyError(CloudError):
    """AWS asks for fewer calls, also after the retries."""


class ObjectExistsError(CloudError):
    """An object stands where only a new one is wanted."""


class PublishError(EdgeError):
    """A component version cannot be published."""


class UploadError(PublishError):
    """An artifact was not stored as it was sent."""


class VersionTakenError(PublishError):
    """The version is published with other content."""


class NotDeployableError(PublishError):
    """AWS did not make a component version deployable, or not in time."""


class DeployError(EdgeError):
    """A deployment cannot be made or changed."""


class StageError(DeployError):
    """There is no such stage of the roll-out."""


class NotPublishedError(DeployError):
    """A component version that is to be deployed is not there, or not deployable."""


class DeploymentConflictError(DeployError):
    """Somebody else deployed in between, or the deployment is no longer under way."""


class OutputsError(EdgeError):
    """The stack's outputs are not there, or lack something."""


class EmulatorError(EdgeError):
    """The AWS emulator did not start or stop."""


class PolicyError(EdgeError):
    """A policy, or the table of who may do what, holds something that is not understood."""


class ComponentError(EdgeError):
    """A component cannot be built or used."""


class RecipeError(ComponentError):
    """A recipe that a core device would refuse or misread."""


class ArchiveError(ComponentError):
    """An archive cannot be packed or unpacked."""


class WheelError(ComponentError):
    """A wheel for the device cannot be had."""


class NucleusError(ComponentError):
    """A component does not run as its recipe says."""


class TerraformError(EdgeError):
    """Terraform could not do its work."""


class VariableError(TerraformError):
    """There is no such variable or environment, or its value cannot be read."""


class WrongAccountError(TerraformError):
    """The credentials are of another account than the environment belongs to."""


class BucketNameError(TerraformError):
    """A bucket cannot have the name that it should get: it is taken or not allowed."""


class StateMissingError(TerraformError):
    """There is no bucket for Terraform's state yet."""


class StateLockedError(TerraformError):
    """Another Terraform holds the lock of the state."""


class ConfirmationError(TerraformError):
    """Data would be lost, and nobody confirmed that by typing the stack's name."""


class ChecksError(TerraformError):
    """The configuration of the cloud side cannot be checked."""


class TerraformMissingError(TerraformError):
    """There is no Terraform program that can be run."""


class TerraformTooOldError(TerraformError):
    """Terraform is older than the configuration needs."""


class TerraformTimeoutError(TerraformError):
    """A Terraform command took too long and was stopped."""


class TerraformFailedError(TerraformError):
    """A Terraform command ended with an error of its own."""


class ProviderUnreachableError(TerraformError):
    """Neither a local mirror nor the registry has the provider."""
