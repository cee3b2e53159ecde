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
from botocore.exceptions import ClientError

from greengrass_components.emulator import Emulator, find_emulator, start_emulator
from greengrass_components.errors import EmulatorError


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with start_emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


def client(emulator: Emulator, service: Literal["iot", "s3", "sts"]) -> Any:
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


def policy(bucket: str, *conditions: dict[str, Any], effect: str = "Deny") -> str:
    statements = [
        {
            "Effect": effect,
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            **({"Condition": condition} if condition else {}),
        }
        for condition in conditions
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class TestBucketPolicies:
    @pytest.fixture
    def s3(self, emulator: Emulator) -> Iterator[Any]:
        s3 = client(emulator, "s3")
        s3.create_bucket(
            Bucket="policies", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        s3.put_object(Bucket="policies", Key="one", Body=b"1")

        yield s3
        s3.delete_bucket_policy(Bucket="policies")
        s3.delete_object(Bucket="policies", Key="one")
        s3.delete_bucket(Bucket="policies")
        s3.close()

    @pytest.mark.parametrize("insecure", ["false", ["false"], False])
    def test_a_refusal_of_calls_without_tls_lets_calls_pass(self, s3: Any, insecure: Any) -> None:
        condition = {"Bool": {"aws:SecureTransport": insecure}}
        s3.put_bucket_policy(Bucket="policies", Policy=policy("policies", condition))

        s3.put_object(Bucket="policies", Key="one", Body=b"2")

        assert s3.get_object(Bucket="policies", Key="one")["Body"].read() == b"2"

    @pytest.mark.parametrize("condition", [{}, {"Bool": {"aws:SecureTransport": "true"}}])
    def test_a_refusal_that_holds_for_secure_calls_refuses(self, s3: Any, condition: Any) -> None:
        s3.put_bucket_policy(Bucket="policies", Policy=policy("policies", condition))

        with pytest.raises(ClientError, match="403"):
            s3.get_object(Bucket="policies", Key="one")

    def test_every_statement_is_looked_at(self, s3: Any) -> None:
        conditions = [{"Bool": {"aws:SecureTransport": "false"}}, {}]
        s3.put_bucket_policy(Bucket="policies", Policy=policy("policies", *conditions))

        with pytest.raises(ClientError, match="403"):
            s3.get_object(Bucket="policies", Key="one")


class TestRoleAliasTags:
    @pytest.fixture
    def iot(self, emulator: Emulator) -> Iterator[Any]:
        iot = client(emulator, "iot")
        iot.create_role_alias(
            roleAlias="alias",
            roleArn="arn:aws:iam::123456789012:role/role",
            tags=[{"Key": "Team", "Value": "devices"}],
        )
        yield iot
        iot.delete_role_alias(roleAlias="alias")
        iot.close()

    @pytest.fixture
    def arn(self, iot: Any) -> str:
        alias: str = iot.describe_role_alias(roleAlias="alias")["roleAliasDescription"][
            "roleAliasArn"
        ]
        return alias

    def test_tags_of_the_creation_are_kept(self, iot: Any, arn: str) -> None:
        tags = iot.list_tags_for_resource(resourceArn=arn)["tags"]

        assert tags == [{"Key": "Team", "Value": "devices"}]

    def test_tags_can_be_changed_and_removed(self, iot: Any, arn: str) -> None:
        iot.tag_resource(resourceArn=arn, tags=[{"Key": "Stage", "Value": "test"}])
        iot.untag_resource(resourceArn=arn, tagKeys=["Team"])

        tags = iot.list_tags_for_resource(resourceArn=arn)["tags"]

        assert tags == [{"Key": "Stage", "Value": "test"}]
