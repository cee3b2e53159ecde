"""IAM Identity Center: tags of permission sets, and how far their provisioning is."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["extend_people"]


def extend_people() -> None:
    """Add the calls about tags and DescribePermissionSetProvisioningStatus.

    Provisioning is done at once here, so its status is always that it succeeded.
    """
    from moto.core.utils import unix_time
    from moto.moto_api._internal import mock_random
    from moto.ssoadmin.exceptions import ResourceNotFoundException
    from moto.ssoadmin.responses import SSOAdminResponse

    def permission_set(response: Any) -> Any:
        arn = response._get_param("ResourceArn")
        for found in response.ssoadmin_backend.permission_sets:
            if found.permission_set_arn == arn:
                return found
        raise ResourceNotFoundException(f"Could not find PermissionSet with id {arn}")

    def list_tags_for_resource(response: Any) -> str:
        return json.dumps({"Tags": permission_set(response).tags or []})

    def tag_resource(response: Any) -> str:
        found = permission_set(response)
        new = {tag["Key"]: tag["Value"] for tag in response._get_param("Tags")}
        kept = {tag["Key"]: tag["Value"] for tag in found.tags or []}
        found.tags = [{"Key": key, "Value": value} for key, value in (kept | new).items()]
        return "{}"

    def untag_resource(response: Any) -> str:
        found, keys = permission_set(response), response._get_param("TagKeys")
        found.tags = [tag for tag in found.tags or [] if tag["Key"] not in keys]
        return "{}"

    def status(request: str, permission_set_arn: str | None) -> str:
        told = {
            "Status": "SUCCEEDED",
            "RequestId": request,
            "PermissionSetArn": permission_set_arn,
            "CreatedDate": unix_time(),
        }
        return json.dumps({"PermissionSetProvisioningStatus": told})

    def provision_permission_set(response: Any) -> str:
        arn = response._get_param("PermissionSetArn")
        response.ssoadmin_backend.provision_permission_set(
            instance_arn=response._get_param("InstanceArn"),
            permission_set_arn=arn,
        )
        return status(str(mock_random.uuid4()), arn)

    def describe_permission_set_provisioning_status(response: Any) -> str:
        return status(response._get_param("ProvisionPermissionSetRequestId"), None)

    for method in (
        list_tags_for_resource,
        tag_resource,
        untag_resource,
        provision_permission_set,
        describe_permission_set_provisioning_status,
    ):
        setattr(SSOAdminResponse, method.__name__, method)
