"""S3: bucket policies with their conditions, and deletions as S3 does them.

A call counts as made over TLS 1.3 although it is plain HTTP: it never leaves this machine.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from greengrass_components.errors import PolicyError
from greengrass_components.policies.evaluator import Request, apply_policy
from greengrass_components.policies.statements import parse_policy

__all__ = ["extend_storage"]

logger = logging.getLogger(__name__)

_ACCESS_KEY = re.compile(r"Credential=([^/]+)/")
# Headers that policies ask about have the name of their condition key.
_HEADERS = (
    "x-amz-acl",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
)


def extend_storage() -> None:
    """Evaluate bucket policies, and let versions behind a delete marker be deleted."""
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket, FakeDeleteMarker

    def get_permission(bucket: Any, action: str, resource: str) -> PermissionResult:
        if bucket.policy is None:
            return PermissionResult.NEUTRAL
        try:
            policy = parse_policy(_text(bucket.policy), name=bucket.name, kind="resource")
            verdict = apply_policy(policy, _request(bucket, _versioned(action), resource))
        except PolicyError as error:
            # What cannot be understood does not let anybody in.
            logger.warning("policy of bucket %s: %s", bucket.name, error.message)
            return PermissionResult.DENIED
        return {
            "allow": PermissionResult.PERMITTED,
            "deny": PermissionResult.DENIED,
            "none": PermissionResult.NEUTRAL,
        }[verdict.effect]

    FakeBucket.get_permission = get_permission  # type: ignore[method-assign,assignment]
    # A deletion disposes of what it removes, and a marker has nothing to dispose of.
    FakeDeleteMarker.dispose = lambda _: None  # type: ignore[attr-defined]


def _text(policy: Any) -> str:
    return policy.decode() if isinstance(policy, bytes) else str(policy)


def _request(bucket: Any, action: str, resource: str) -> Request:
    from flask import request

    context: dict[str, str | tuple[str, ...]] = {
        "aws:SecureTransport": "true",
        "s3:TlsVersion": "1.3",
    }
    for header in _HEADERS:
        if (value := request.headers.get(header)) is not None:
            context[f"s3:{header}"] = value
    principal = _principal(request.headers.get("Authorization", ""), bucket)
    if principal.startswith("arn:aws:sts::"):
        # moto answers this to whoever asks who calls, so policies name it.
        context["aws:PrincipalArn"] = principal
        principal = principal.replace(":sts::", ":iam::")
    return Request(principal=principal, action=action, resource=resource, context=context)


def _principal(authorization: str, bucket: Any) -> str:
    from moto.sts.models import sts_backends

    found = _ACCESS_KEY.search(authorization)
    if found is None:
        return "*"
    role = sts_backends[bucket.account_id]["aws"].get_assumed_role_from_access_key(found[1])
    if role is not None:
        return str(role.role_arn)
    return f"arn:aws:sts::{bucket.account_id}:user/moto"


def _versioned(action: str) -> str:
    from flask import request

    # moto names the action after the HTTP method.
    if action in {"s3:DeleteObject", "s3:GetObject", "s3:HeadObject"}:
        action = action.replace("Head", "Get")
        return f"{action}Version" if "versionId" in request.args else action
    return action
