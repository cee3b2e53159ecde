"""Policies that are longer than AWS takes, and IoT policies that it cannot read, are refused.

moto takes documents of any length, so a stack would pass here and fail there. Limits:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html,
https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html,
https://docs.aws.amazon.com/general/latest/gr/iot-core.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/add-bucket-policy.html and
https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html. All but the last two
count without white space.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from greengrass_components.errors import PolicyError
from greengrass_components.policies.statements import parse_policy

__all__ = ["extend_document_sizes"]

_TRUST = 2_048
_MANAGED = 6_144
_INLINE_OF_A_ROLE = 10_240
_INLINE_OF_PEOPLE = 32_768
_IOT = 2_048
_BUCKET_BYTES = 20_480
_KEY_BYTES = 32_768


def extend_document_sizes() -> None:
    """Look at a document before it is taken."""
    _extend_iam()
    _extend_iot()
    _extend_others()


def _extend_iam() -> None:
    from moto.iam.exceptions import LimitExceededException
    from moto.iam.models import IAMBackend

    def check(quota: str, limit: int) -> Callable[[Any, dict[str, Any]], None]:
        def check_document(_: Any, given: dict[str, Any]) -> None:
            document = given.get("policy_document") or given.get("assume_role_policy_document")
            if _length(document) > limit:
                raise LimitExceededException(f"Cannot exceed quota for {quota}: {limit}")

        return check_document

    def check_inline(backend: Any, given: dict[str, Any]) -> None:
        name = given["role_name"]
        documents = {
            **backend.get_role(name).policies,
            given["policy_name"]: given["policy_json"],
        }
        if sum(_length(document) for document in documents.values()) > _INLINE_OF_A_ROLE:
            raise LimitExceededException(
                f"Maximum policy size of {_INLINE_OF_A_ROLE} bytes exceeded for role {name}"
            )

    for name in ("create_policy", "create_policy_version"):
        _before(IAMBackend, name, check("PolicySize", _MANAGED))
    for name in ("create_role", "update_assume_role_policy"):
        _before(IAMBackend, name, check("ACLSizePerRole", _TRUST))
    _before(IAMBackend, "put_role_policy", check_inline)


def _extend_iot() -> None:
    from moto.iot.exceptions import IoTClientError
    from moto.iot.models import IoTBackend

    def check(_: Any, given: dict[str, Any]) -> None:
        document, reason = given["policy_document"], None
        try:
            parse_policy(document, name=given["policy_name"], kind="iot")
        except PolicyError as error:
            reason = error.message
        if _length(document) > _IOT:
            reason = f"Policy document length {_length(document)} exceeds limit {_IOT}"
        if reason is not None:
            raise IoTClientError("MalformedPolicyException", f"Malformed document: {reason}")

    for name in ("create_policy", "create_policy_version"):
        _before(IoTBackend, name, check)


def _extend_others() -> None:
    from moto.core.exceptions import JsonRESTError
    from moto.kms.models import KmsBackend
    from moto.s3.exceptions import S3ClientError
    from moto.s3.models import S3Backend
    from moto.ssoadmin.exceptions import ServiceQuotaExceededException
    from moto.ssoadmin.models import SSOAdminBackend

    def check_key(_: Any, given: dict[str, Any]) -> None:
        if len((given["policy"] or "").encode()) > _KEY_BYTES:
            raise JsonRESTError("LimitExceededException", "The key policy is too long.")

    def check_bucket(_: Any, given: dict[str, Any]) -> None:
        if len(given["policy"]) > _BUCKET_BYTES:
            raise S3ClientError(
                "PolicyTooLarge", "Policy exceeds the maximum allowed document size."
            )

    def check_people(_: Any, given: dict[str, Any]) -> None:
        if _length(given["inline_policy"]) > _INLINE_OF_PEOPLE:
            raise ServiceQuotaExceededException("The inline policy is too long.")

    for name in ("create_key", "put_key_policy"):
        _before(KmsBackend, name, check_key)
    _before(S3Backend, "put_bucket_policy", check_bucket)
    _before(SSOAdminBackend, "put_inline_policy_to_permission_set", check_people)


def _before(kind: type, name: str, check: Callable[[Any, dict[str, Any]], None]) -> None:
    """Let a method be called only when a check of its arguments, by name, raises nothing."""
    method = getattr(kind, name)
    signature = inspect.signature(method)

    def checked(backend: Any, *arguments: Any, **named: Any) -> Any:
        check(backend, signature.bind(backend, *arguments, **named).arguments)
        return method(backend, *arguments, **named)

    setattr(kind, name, checked)


def _length(document: Any) -> int:
    return len("".join(str(document).split()))
