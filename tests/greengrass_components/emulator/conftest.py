"""What several tests of the emulator use."""

from __future__ import annotations

import http.client
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
import pytest

from greengrass_components.emulator import start_emulator

REGION: Final = "eu-central-1"
MODEL = b"a model"
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def iot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of the IoT of an emulator of this module's own."""
    folder = tmp_path_factory.mktemp("emulator")
    with pytest.MonkeyPatch.context() as patch, start_emulator(folder) as running:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        client = boto3.session.Session().client("iot")
        yield client
        client.close()


@pytest.fixture(scope="session")
def status_of() -> Callable[[str], int]:
    """Asks for an address without credentials, and tells the status of the reply."""

    def ask(address: str) -> int:
        place = urlsplit(address)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
        connection.request("GET", f"{place.path}?{place.query}")
        try:
            return connection.getresponse().status
        finally:
            connection.close()

    return ask


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[boto3.session.Session]:
    """A session on an emulator with the bucket ``shelf`` that has ``model.zip`` in it."""
    folder = tmp_path_factory.mktemp("emulator")
    with pytest.MonkeyPatch.context() as patch, start_emulator(folder) as running:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        session = boto3.session.Session()
        s3 = session.client("s3")
        s3.create_bucket(Bucket="shelf", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="shelf", Key="model.zip", Body=MODEL)
        s3.close()
        yield session


@pytest.fixture(scope="module")
def greengrass(session: boto3.session.Session) -> Iterator[Any]:
    client = session.client("greengrassv2")
    yield client
    client.close()


@pytest.fixture
def group(iot: Any) -> str:
    """ARN of a thing group without deployments."""
    made: str = iot.create_thing_group(thingGroupName=f"group-{next(numbers)}")["thingGroupArn"]
    return made


@pytest.fixture(scope="module")
def lamp(greengrass: Any) -> str:
    """Name of a component that is there in version 1.0.0."""
    name = "com.example.lamp"
    recipe = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": "1.0.0",
        "Manifests": [{"Platform": {"os": "linux"}, "Lifecycle": {"run": "true"}}],
    }
    greengrass.create_component_version(inlineRecipe=json.dumps(recipe).encode())
    return name


def deploy_lamp(greengrass: Any, target: str, lamp: str, **more: Any) -> str:
    made = greengrass.create_deployment(
        targetArn=target, components={lamp: {"componentVersion": "1.0.0"}}, **more
    )
    return str(made["deploymentId"])


@pytest.fixture(scope="session")
def deploy() -> Callable[..., str]:
    """Deploys version 1.0.0 of the component to a target, and gives the deployment's id."""
    return deploy_lamp
