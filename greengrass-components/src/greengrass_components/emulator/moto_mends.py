"""What moto gets wrong or lacks, mended in place before its server starts.

* moto obeys a bucket policy without its conditions, so one that refuses calls without TLS
  refuses every call. Here ``Bool aws:SecureTransport`` is evaluated, and a call counts as
  secure although it is plain HTTP: it never leaves this machine.
* moto keeps no tags of IoT role aliases and cannot list them, which Terraform asks for.

The mends fit the one version of moto that ``constraints.txt`` pins.
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["mend_moto"]


def mend_moto() -> None:
    """Apply every mend; once, before the first call is served."""
    _mend_bucket_policies()
    _mend_role_alias_tags()


def _mend_bucket_policies() -> None:
    from moto.iam.access_control import IAMPolicy, PermissionResult
    from moto.s3.models import FakeBucket

    def get_permission(bucket: FakeBucket, action: str, resource: str) -> Any:
        if bucket.policy is None:
            return PermissionResult.NEUTRAL
        policy = json.loads(bucket.policy)
        statements = policy["Statement"]
        if isinstance(statements, dict):
            statements = [statements]
        policy["Statement"] = [entry for entry in statements if _applies_to_secure_call(entry)]
        return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)

    FakeBucket.get_permission = get_permission  # type: ignore[method-assign,assignment]


def _applies_to_secure_call(statement: dict[str, Any]) -> bool:
    """Evaluate ``Bool aws:SecureTransport``; other conditions are left to moto."""
    for key, wanted in statement.get("Condition", {}).get("Bool", {}).items():
        values = wanted if isinstance(wanted, list) else [wanted]
        if key.lower() == "aws:securetransport" and not any(
            str(value).lower() == "true" for value in values
        ):
            return False
    return True


def _mend_role_alias_tags() -> None:
    from moto.core.responses import ActionResult
    from moto.iot.responses import IoTResponse
    from moto.utilities.tagging_service import TaggingService

    create_role_alias = IoTResponse.create_role_alias

    def tagger(response: IoTResponse) -> TaggingService:
        # In the backend's own dictionary, so that a reset of moto forgets the tags too.
        kept: TaggingService = vars(response.iot_backend).setdefault(
            "role_alias_tags", TaggingService()
        )
        return kept

    def create_with_tags(response: IoTResponse) -> ActionResult:
        result = create_role_alias(response)
        alias = response.iot_backend.role_aliases[response._get_param("roleAlias")]  # noqa: SLF001
        tagger(response).tag_resource(alias.arn, response._get_param("tags") or [])  # noqa: SLF001
        return result

    def list_tags(response: IoTResponse) -> ActionResult:
        arn = response._get_param("resourceArn")  # noqa: SLF001
        return ActionResult({"tags": tagger(response).list_tags_for_resource(arn)["Tags"]})

    def tag(response: IoTResponse) -> ActionResult:
        arn = response._get_param("resourceArn")  # noqa: SLF001
        tagger(response).tag_resource(arn, response._get_param("tags"))  # noqa: SLF001
        return ActionResult({})

    def untag(response: IoTResponse) -> ActionResult:
        arn = response._get_param("resourceArn")  # noqa: SLF001
        tagger(response).untag_resource_using_names(arn, response._get_param("tagKeys"))  # noqa: SLF001
        return ActionResult({})

    for name, method in {
        "create_role_alias": create_with_tags,
        "list_tags_for_resource": list_tags,
        "tag_resource": tag,
        "untag_resource": untag,
    }.items():
        setattr(IoTResponse, name, method)
