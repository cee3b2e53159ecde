"""An AWS of one's own: it starts, is found, stops, and never outlives its owner."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest

from greengrass_components.emulator import Emulator, find_emulator, start_emulator
from greengrass_components.errors import EmulatorError


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with start_emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


def client(emulator: Emulator, service: Literal["sts"]) -> Any:
    return boto3.client(
        service,
        endpoint_url=emulator.endpoint,
        region_name="eu-central-1",
        aws_access_key_id="emulator",
        aws_secret_access_key="emulator",
    )


def answers(emulator: Emulator) -> bool:
    host, _, port = emulator.endpoint.removeprefix("http://").partition(":")
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((host, int(port))) == 0


class TestRunning:
    def test_it_answers_on_loopback_as_soon_as_it_is_there(self, emulator: Emulator) -> None:
        assert emulator.endpoint.startswith("http://127.0.0.1:")
        assert client(emulator, "sts").get_caller_identity()["Account"] == "123456789012"

    def test_its_environment_is_all_that_boto3_needs(
        self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in emulator.environment.items():
            monkeypatch.setenv(name, value)

        assert boto3.session.Session().client("iot").list_things()["things"] == []

    def test_a_second_start_finds_the_first(self, tmp_path: Path) -> None:
        with start_emulator(tmp_path) as first:
            second = start_emulator(tmp_path)

            assert (second.endpoint, second.pid) == (first.endpoint, first.pid)

    def test_it_is_found_by_its_folder(self, tmp_path: Path) -> None:
        assert find_emulator(tmp_path) is None

        with start_emulator(tmp_path) as running:
            found = find_emulator(tmp_path)

            assert found is not None
            assert found.pid == running.pid

        assert find_emulator(tmp_path) is None

    def test_a_stop_from_elsewhere_stops_it(self, tmp_path: Path) -> None:
        running = start_emulator(tmp_path)
        found = find_emulator(tmp_path)
        assert found is not None

        found.stop()

        assert not answers(running)
        running.stop()

    def test_a_process_that_took_over_the_number_is_left_alone(self, tmp_path: Path) -> None:
        # The document of an emulator that was killed; its number now belongs to another.
        with subprocess.Popen(["sleep", "600"]) as other:
            document = {"endpoint": "http://127.0.0.1:9", "pid": other.pid}
            (tmp_path / "emulator.json").write_text(json.dumps(document))

            try:
                assert find_emulator(tmp_path) is None
                with start_emulator(tmp_path) as running:
                    assert running.pid != other.pid
                assert other.poll() is None
            finally:
                other.kill()

    def test_it_ends_when_the_process_that_started_it_is_killed(self, tmp_path: Path) -> None:
        code = (
            "import sys, time\n"
            "from pathlib import Path\n"
            "from greengrass_components.emulator import start_emulator\n"
            f"emulator = start_emulator(Path({str(tmp_path)!r}))\n"
            "print('started', flush=True)\n"
            "time.sleep(600)\n"
        )
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as owner:
            try:
                assert owner.stdout is not None
                assert owner.stdout.readline() == b"started\n"
                running = find_emulator(tmp_path)
            finally:
                owner.kill()
        assert running is not None

        deadline = time.monotonic() + 60
        while answers(running):
            assert time.monotonic() < deadline, "the emulator outlived its owner"
            time.sleep(0.02)

    def test_a_port_in_use_is_said(self, tmp_path: Path, emulator: Emulator) -> None:
        port = int(emulator.endpoint.rpartition(":")[2])

        with pytest.raises(EmulatorError, match="ended at once") as raised:
            start_emulator(tmp_path, port=port)

        assert str(tmp_path / "emulator.log") in raised.value.message
        assert find_emulator(tmp_path) is None
