"""The errors of edgewise's cloud side, below ``edge_runtime.errors.EdgeError``.

::

    EdgeError
    ├── CloudError                     a call to AWS failed
    │   ├── CloudUnreachableError      nothing answers at the endpoint
    │   ├── CloudCredentialsError      no credentials, or they are not accepted
    │   └── BucketMissingError         no such bucket
    ├── UploadError                    an artifact was not stored as it was sent
    ├── EmulatorError                  the AWS emulator did not start or stop
    ├── ComponentError                 a component cannot be built or used
    │   ├── RecipeError                a recipe that a core device would refuse or misread
    │   ├── ArchiveError               an archive cannot be packed or unpacked
    │   ├── WheelError                 a wheel for the device cannot be had
    │   └── NucleusError               a component does not run as its recipe says
    └── TerraformError                 Terraform could not do its work
        ├── TerraformMissingError      no such program
        ├── TerraformTooOldError       the program is older than the configuration needs
        ├── TerraformTimeoutError      a command took too long and was stopped
        ├── TerraformFailedError       a command ended with an error of its own
        └── ProviderUnreachableError   neither a mirror nor the registry has the provider
"""

from __future__ import annotations

from edge_runtime.errors import EdgeError

__all__ = [
    "ArchiveError",
    "BucketMissingError",
    "CloudCredentialsError",
    "CloudError",
    "CloudUnreachableError",
    "ComponentError",
    "EmulatorError",
    "NucleusError",
    "ProviderUnreachableError",
    "RecipeError",
    "TerraformError",
    "TerraformFailedError",
    "TerraformMissingError",
    "TerraformTimeoutError",
    "TerraformTooOldError",
    "UploadError",
    "WheelError",
]


class CloudError(EdgeError):
    """A call to AWS failed."""


class CloudUnreachableError(CloudError):
    """Nothing answers at the endpoint."""


class CloudCredentialsError(CloudError):
    """There are no AWS credentials, or they are not accepted."""


class BucketMissingError(CloudError):
    """There is no such bucket, or it is another account's."""


class UploadError(EdgeError):
    """An artifact was not stored as it was sent."""


class EmulatorError(EdgeError):
    """The AWS emulator did not start or stop."""


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
