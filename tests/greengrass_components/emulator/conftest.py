"""What several tests of the emulator use."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from greengrass_components.emulator import start_emulator


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
