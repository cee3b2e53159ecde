"""S3: bucket policies with their conditions, deletions and object locks as S3 does them.

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
    """Evaluate bucket policies, delete what stands behind a marker, lock buckets in use."""
    _extend_policies()
    _extend_deletions()
    _extend_locks()


def _extend_policies() -> None:
    from flask import g
    from moto.iam.access_control import PermissionResult
    from moto.s3.exceptions import S3AccessDeniedError
    from moto.s3.models import FakeBucket

    def get_permission(bucket: Any, action: str, resource: str) -> PermissionResult:
        permission = permission_of(bucket, action, resource)
        # In a list of deletions one refusal leaves the others; elsewhere moto says 403 and no why.
        if permission is PermissionResult.DENIED and "edgewise_deletions" not in g:
            raise S3AccessDeniedError
        return permission

    def permission_of(bucket: Any, action: str, resource: str) -> PermissionResult:
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


def _extend_deletions() -> None:
    from moto.s3.models import FakeDeleteMarker
    from moto.s3.responses import S3Response

    # A deletion disposes of what it removes, and a marker has nothing to dispose of.
    FakeDeleteMarker.dispose = lambda _: None  # type: ignore[attr-defined]
    delete = S3Response._bucket_response_delete_keys

    def delete_keys(response: Any, bucket_name: str, authenticated: bool = True) -> Any:
        import xmltodict  # type: ignore[import-untyped]
        from flask import g

        # As moto itself reads it.
        listed: Any = xmltodict.parse(response.body, force_list=("Object",), strip_whitespace=False)
        # moto asks for one object after the other, and does not say of which version.
        g.edgewise_deletions = iter((listed["Delete"] or {}).get("Object", []))
        return delete(response, bucket_name, authenticated)

    setattr(S3Response, "_bucket_response_delete_keys", delete_keys)  # noqa: B010


def _extend_locks() -> None:
    from moto.s3.models import S3Backend

    put = S3Backend.put_object_lock_configuration

    def put_object_lock_configuration(
        backend: Any, bucket_name: str, lock_enabled: bool, *rule: Any, **named: Any
    ) -> None:
        bucket = backend.get_bucket(bucket_name)
        kept, bucket.keys = bucket.keys, type(bucket.keys)()
        try:
            # Only an empty bucket is let in, and AWS takes any that has versions.
            put(backend, bucket_name, lock_enabled, *rule, **named)
        finally:
            bucket.keys = kept

    setattr(S3Backend, "put_object_lock_configuration", put_object_lock_configuration)  # noqa: B010


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
    principal = _principal(request, bucket)
    if principal.startswith("arn:aws:sts::"):
        # moto answers this to whoever asks who calls, so policies name it.
        context["aws:PrincipalArn"] = principal
        principal = principal.replace(":sts::", ":iam::")
    return Request(principal=principal, action=action, resource=resource, context=context)


def _principal(request: Any, bucket: Any) -> str:
    from moto.sts.models import sts_backends

    # A presigned address has in its query what else is in a header.
    scope = request.args.get("X-Amz-Credential")
    signed = f"Credential={scope}" if scope else request.headers.get("Authorization", "")
    found = _ACCESS_KEY.search(signed)
    access_key = found[1] if found else request.args.get("AWSAccessKeyId")
    if access_key is None:
        return "*"
    role = sts_backends[bucket.account_id]["aws"].get_assumed_role_from_access_key(access_key)
    if role is not None:
        return str(role.role_arn)
    return f"arn:aws:sts::{bucket.account_id}:user/moto"


def _versioned(action: str) -> str:
    from flask import g, request

    if "edgewise_deletions" in g:
        return "s3:DeleteObjectVersion" if next(g.edgewise_deletions).get("VersionId") else action
    # moto names the action after the HTTP method.
    if action in {"s3:DeleteObject", "s3:GetObject", "s3:HeadObject"}:
        action = action.replace("Head", "Get")
        return f"{action}Version" if "versionId" in request.args else action
    return action
