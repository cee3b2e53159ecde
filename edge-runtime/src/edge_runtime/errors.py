"""The errors of edgewise, from one root.

::

    EdgeError                      anything a user can cause and mend; exit code 1
    ├── SettingsError              a setting is unknown, mistyped or out of range
    ├── StorageError               a file or folder cannot be read or written
    ├── ArtifactError              a stage's folder is missing, incomplete or damaged
    ├── BundleError                a bundle cannot be used
    │   ├── BundleNotFoundError    no bundle at that path
    │   ├── BundleDamagedError     bytes differ from what the manifest promises
    │   ├── ManifestInvalidError   the manifest does not follow its schema
    │   └── ManifestVersionError   the manifest is of a schema that this version cannot read
    ├── VariantError               no usable variant: unknown name, CPU or engine missing
    ├── SessionError               the inference engine failed
    ├── SelfTestError              a golden sample got another answer on this device
    ├── UtteranceError             a text that cannot be classified
    ├── NotReadyError              no model is loaded yet
    ├── TransportError             a transport cannot start: the port is taken or refused
    └── QualityGateError           a quality gate refused a result; exit code 3

Other packages of the project add their branches below the same root.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "ArtifactError",
    "BundleDamagedError",
    "BundleError",
    "BundleNotFoundError",
    "EdgeError",
    "ManifestInvalidError",
    "ManifestVersionError",
    "NotReadyError",
    "QualityGateError",
    "SelfTestError",
    "SessionError",
    "SettingsError",
    "StorageError",
    "TransportError",
    "UtteranceError",
    "VariantError",
]


class EdgeError(Exception):
    """An error that the user can mend.

    The message is one line: what is wrong, where, and what to do next. Keyword
    arguments become entries of ``data``, so that programs need not parse the text.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, **data: Any) -> None:
        super().__init__(message)
        self.message = message
        self.data: dict[str, Any] = data


class SettingsError(EdgeError):
    """A setting is unknown, has a wrong type or is out of range."""


class StorageError(EdgeError):
    """A file or folder cannot be read or written: full disk, permissions, missing."""


class ArtifactError(EdgeError):
    """A stage's folder is missing, incomplete or damaged."""


class BundleError(EdgeError):
    """A bundle cannot be used."""


class BundleNotFoundError(BundleError):
    """There is no bundle at the given path."""


class BundleDamagedError(BundleError):
    """Bytes of a bundle differ from what its manifest promises."""


class ManifestInvalidError(BundleError):
    """A manifest does not follow its schema."""


class ManifestVersionError(BundleError):
    """A manifest is of a schema version that this runtime cannot read."""


class VariantError(EdgeError):
    """No variant of a bundle can be used here."""


class SessionError(EdgeError):
    """The inference engine could not load or run a model."""


class SelfTestError(EdgeError):
    """A golden sample got another answer on this device."""


class UtteranceError(EdgeError):
    """A text that cannot be classified: empty, too long, or not text."""


class NotReadyError(EdgeError):
    """No model is loaded yet, so nothing can be answered."""


class TransportError(EdgeError):
    """A transport cannot start: its address is taken or refused."""


class QualityGateError(EdgeError):
    """A result is worse than its quality gate allows."""

    exit_code = 3
