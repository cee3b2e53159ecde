"""The emulated Greengrass v2 tells of core devices and of what reaches them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def iot(session: boto3.session.Session) -> Iterator[Any]:
    client = session.client("iot")
    yield client
    client.close()


class TestCoreDevices:
    @pytest.fixture
    def thing(self, iot: Any) -> str:
        """Name of a thing without groups."""
        name = f"thing-{next(numbers)}"
        iot.create_thing(thingName=name)
        return name

    def test_every_thing_counts_as_a_core_device(self, greengrass: Any, thing: str) -> None:
        found = greengrass.get_core_device(coreDeviceThingName=thing)
        listed = greengrass.list_core_devices()["coreDevices"]

        assert (found["coreDeviceThingName"], found["status"]) == (thing, "HEALTHY")
        assert thing in {one["coreDeviceThingName"] for one in listed}

    def test_core_devices_are_listed_by_group_and_status(
        self, greengrass: Any, iot: Any, group: str, thing: str
    ) -> None:
        iot.add_thing_to_thing_group(thingGroupArn=group, thingName=thing)

        healthy = greengrass.list_core_devices(thingGroupArn=group, status="HEALTHY")
        unhealthy = greengrass.list_core_devices(thingGroupArn=group, status="UNHEALTHY")

        assert [one["coreDeviceThingName"] for one in healthy["coreDevices"]] == [thing]
        assert unhealthy["coreDevices"] == []

    def test_a_device_gets_the_latest_deployment_of_itself_and_of_each_of_its_groups(
        self,
        greengrass: Any,
        iot: Any,
        group: str,
        thing: str,
        lamp: str,
        deploy: Callable[..., str],
    ) -> None:
        child = f"child-{next(numbers)}"
        parent = group.rpartition("/")[2]
        child_arn = iot.create_thing_group(thingGroupName=child, parentGroupName=parent)[
            "thingGroupArn"
        ]
        iot.add_thing_to_thing_group(thingGroupName=child, thingName=thing)
        thing_arn = iot.describe_thing(thingName=thing)["thingArn"]
        deploy(greengrass, group, lamp)
        wanted = {deploy(greengrass, target, lamp) for target in (group, child_arn, thing_arn)}

        found = greengrass.list_effective_deployments(coreDeviceThingName=thing)

        effective = found["effectiveDeployments"]
        assert {one["deploymentId"] for one in effective} == wanted
        assert {one["coreDeviceExecutionStatus"] for one in effective} == {"QUEUED"}

    def test_a_device_outside_the_group_gets_nothing(
        self, greengrass: Any, group: str, thing: str, lamp: str, deploy: Callable[..., str]
    ) -> None:
        deploy(greengrass, group, lamp)

        found = greengrass.list_effective_deployments(coreDeviceThingName=thing)

        assert found["effectiveDeployments"] == []

    def test_a_device_that_is_not_there(self, greengrass: Any) -> None:
        for ask in (greengrass.get_core_device, greengrass.list_effective_deployments):
            with pytest.raises(greengrass.exceptions.ResourceNotFoundException):
                ask(coreDeviceThingName="nobody")
