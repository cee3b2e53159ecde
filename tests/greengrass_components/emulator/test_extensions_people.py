"""Permission sets of the emulated IAM Identity Center."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from greengrass_components.emulator import start_emulator

NOBODY = "arn:aws:sso:::permissionSet/ssoins-0000000000000000/ps-0000000000000000"


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("emulator")
    with pytest.MonkeyPatch.context() as patch, start_emulator(folder) as running:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        client = boto3.session.Session().client("sso-admin")
        yield client
        client.close()


@pytest.fixture(scope="module")
def instance(admin: Any) -> str:
    found: str = admin.list_instances()["Instances"][0]["InstanceArn"]
    return found


@pytest.fixture
def permission_set(admin: Any, instance: str) -> Iterator[str]:
    made = admin.create_permission_set(
        Name="ReadOnly", InstanceArn=instance, Tags=[{"Key": "Team", "Value": "devices"}]
    )["PermissionSet"]["PermissionSetArn"]
    yield made
    admin.delete_permission_set(InstanceArn=instance, PermissionSetArn=made)


def tags(admin: Any, instance: str, arn: str) -> dict[str, str]:
    told = admin.list_tags_for_resource(InstanceArn=instance, ResourceArn=arn)["Tags"]
    return {tag["Key"]: tag["Value"] for tag in told}


class TestTags:
    def test_tags_of_the_creation_are_kept(
        self, admin: Any, instance: str, permission_set: str
    ) -> None:
        assert tags(admin, instance, permission_set) == {"Team": "devices"}

    def test_tags_can_be_added_changed_and_removed(
        self, admin: Any, instance: str, permission_set: str
    ) -> None:
        call = {"InstanceArn": instance, "ResourceArn": permission_set}
        new = {"Team": "cloud", "Stage": "test", "Old": "yes"}
        admin.tag_resource(**call, Tags=[{"Key": key, "Value": new[key]} for key in new])
        admin.untag_resource(**call, TagKeys=["Old", "never there"])

        assert tags(admin, instance, permission_set) == {"Team": "cloud", "Stage": "test"}

    def test_a_permission_set_without_tags_has_none_and_can_get_some(
        self, admin: Any, instance: str
    ) -> None:
        made = admin.create_permission_set(Name="Plain", InstanceArn=instance)["PermissionSet"]
        arn = made["PermissionSetArn"]
        assert tags(admin, instance, arn) == {}

        admin.tag_resource(
            InstanceArn=instance, ResourceArn=arn, Tags=[{"Key": "Stage", "Value": "test"}]
        )

        assert tags(admin, instance, arn) == {"Stage": "test"}
        admin.delete_permission_set(InstanceArn=instance, PermissionSetArn=arn)

    def test_a_permission_set_that_is_not_there_is_said(self, admin: Any, instance: str) -> None:
        call = {"InstanceArn": instance, "ResourceArn": NOBODY}

        with pytest.raises(admin.exceptions.ResourceNotFoundException):
            admin.list_tags_for_resource(**call)
        with pytest.raises(admin.exceptions.ResourceNotFoundException):
            admin.tag_resource(**call, Tags=[{"Key": "Team", "Value": "devices"}])
        with pytest.raises(admin.exceptions.ResourceNotFoundException):
            admin.untag_resource(**call, TagKeys=["Team"])


class TestProvisioning:
    def test_it_has_succeeded_as_soon_as_it_is_asked_about(
        self, admin: Any, instance: str, permission_set: str
    ) -> None:
        request = admin.provision_permission_set(
            InstanceArn=instance,
            PermissionSetArn=permission_set,
            TargetType="ALL_PROVISIONED_ACCOUNTS",
        )["PermissionSetProvisioningStatus"]
        assert request["PermissionSetArn"] == permission_set

        told = admin.describe_permission_set_provisioning_status(
            InstanceArn=instance, ProvisionPermissionSetRequestId=request["RequestId"]
        )["PermissionSetProvisioningStatus"]

        assert told["Status"] == "SUCCEEDED"
        assert told["RequestId"] == request["RequestId"]

    def test_a_permission_set_that_is_not_there_cannot_be_provisioned(
        self, admin: Any, instance: str
    ) -> None:
        with pytest.raises(admin.exceptions.ResourceNotFoundException):
            admin.provision_permission_set(
                InstanceArn=instance,
                PermissionSetArn=NOBODY,
                TargetType="ALL_PROVISIONED_ACCOUNTS",
            )
