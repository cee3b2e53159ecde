"""What boto3 and the network raise, turned into edgewise's errors: one seam for every service."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from greengrass_components.errors import CloudCredentialsError, CloudError, CloudUnreachableError

__all__ = ["error_code", "translating_aws_errors"]

_CREDENTIAL_CODES = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


def error_code(error: Any) -> str:
    """Return the code of a ``ClientError``, such as ``NoSuchBucket``."""
    return str(error.response["Error"].get("Code", ""))


@contextlib.contextmanager
def translating_aws_errors(doing: str) -> Iterator[None]:
    """Turn what boto3 raises into errors that say what to do.

    Args:
        doing: what is tried, after "cannot", such as ``ask who calls``.

    Raises:
        CloudCredentialsError: there are no credentials, or they are not accepted.
        CloudUnreachableError: nothing answers.
        CloudError: AWS refuses.
    """
    from botocore import exceptions as foreign

    try:
        yield
    except (
        foreign.NoCredentialsError,
        foreign.PartialCredentialsError,
        foreign.CredentialRetrievalError,
        foreign.SSOError,
    ) as error:
        raise CloudCredentialsError(
            f"no usable AWS credentials ({error}); sign in to AWS, or start the emulator "
            "with cloud.start and use the variables that it prints"
        ) from error
    except (foreign.ConnectionError, foreign.HTTPClientError) as error:
        raise CloudUnreachableError(
            f"AWS does not answer ({error}); check the network and AWS_ENDPOINT_URL"
        ) from error
    except foreign.NoRegionError as error:
        raise CloudError(
            "no AWS region is chosen; set AWS_DEFAULT_REGION, or aws_region in the environment's "
            "variable file"
        ) from error
    except foreign.ClientError as error:
        code = error_code(error)
        reason = " ".join(str(error.response["Error"].get("Message") or code).split())
        if code in _CREDENTIAL_CODES:
            raise CloudCredentialsError(
                f"AWS does not accept the credentials ({code}: {reason}); sign in again", code=code
            ) from error
        raise CloudError(
            f"cannot {doing}: AWS refused {error.operation_name} ({code}: {reason}); "
            "check the rights of the account",
            code=code,
        ) from error
    except (foreign.BotoCoreError, ValueError) as error:
        raise CloudError(
            f"cannot {doing}: {error}; check AWS_PROFILE, AWS_ENDPOINT_URL and ~/.aws/config"
        ) from error
