"""The hook that decides who may join the fleet, with a real S3 client and an emulator."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from greengrass_components.emulator import Emulator, start_emulator

HANDLER = Path(__file__).parents[2] / "terraform/modules/fleet/provisioning_hook/handler.py"
Hook = Callable[[object], bool]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with start_emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture
def s3(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the emulator, with the settings of the hook and a list of three devices."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("ALLOWLIST_BUCKET", "deployments")
    monkeypatch.setenv("ALLOWLIST_PREFIX", "allowlist/")
    client = boto3.client("s3")
    if not client.list_buckets()["Buckets"]:
        client.create_bucket(
            Bucket="deployments",
            CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
        )
        client.put_bucket_versioning(
            Bucket="deployments", VersioningConfiguration={"Status": "Enabled"}
        )
        for serial in ("gateway-1", "gateway-10", "gateway-22"):
            client.put_object(Bucket="deployments", Key=f"allowlist/{serial}", Body=b"")
    return client


@pytest.fixture
def hook(s3: object) -> Hook:
    """The hook as AWS IoT calls it: says whether it lets in."""
    level = logging.getLogger().level
    specification = importlib.util.spec_from_file_location("provisioning_hook", HANDLER)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    logging.getLogger().setLevel(level)

    def ask(parameters: object) -> bool:
        event: dict[str, Any] = {"claimCertificateId": "abc", "parameters": parameters}
        answer = module.handler(event, None)
        assert list(answer) == ["allowProvisioning"]
        allowed = answer["allowProvisioning"]
        assert isinstance(allowed, bool)
        return allowed

    return ask


def test_a_serial_number_on_the_list_is_let_in(hook: Hook) -> None:
    assert hook({"SerialNumber": "gateway-1"}) is True


def test_a_serial_number_that_is_not_on_the_list_is_refused(hook: Hook) -> None:
    assert hook({"SerialNumber": "gateway-2"}) is False


@pytest.mark.parametrize(
    "serial",
    ["", "gateway-1/", "../gateway-1", "gateway-1\n", "gateway*", "x" * 65, 7, None, ["gateway-1"]],
)
def test_what_is_no_serial_number_is_refused(hook: Hook, serial: object) -> None:
    assert hook({"SerialNumber": serial}) is False


def test_a_serial_number_of_the_greatest_length_is_let_in(hook: Hook, s3: Any) -> None:
    s3.put_object(Bucket="deployments", Key="allowlist/" + "x" * 64, Body=b"")

    assert hook({"SerialNumber": "x" * 64}) is True


def test_no_device_gets_a_name_that_claims_connect_under(hook: Hook, s3: Any) -> None:
    s3.put_object(Bucket="deployments", Key="allowlist/claim-1", Body=b"")

    assert hook({"SerialNumber": "claim-1"}) is False


def test_a_serial_number_that_was_taken_off_the_list_is_refused(hook: Hook, s3: Any) -> None:
    s3.put_object(Bucket="deployments", Key="allowlist/gateway-3", Body=b"")
    assert hook({"SerialNumber": "gateway-3"}) is True

    s3.delete_object(Bucket="deployments", Key="allowlist/gateway-3")

    assert hook({"SerialNumber": "gateway-3"}) is False


@pytest.mark.parametrize(
    "parameters", [None, {}, [], "SerialNumber", {"serialnumber": "gateway-1"}]
)
def test_a_call_without_a_serial_number_is_refused(hook: Hook, parameters: object) -> None:
    assert hook(parameters) is False


def test_nobody_is_let_in_when_the_list_cannot_be_read(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    assert hook({"SerialNumber": "gateway-1"}) is False


def test_nobody_is_let_in_when_the_bucket_is_gone(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOWLIST_BUCKET", "nowhere")

    assert hook({"SerialNumber": "gateway-1"}) is False


@pytest.mark.parametrize("setting", ["ALLOWLIST_BUCKET", "ALLOWLIST_PREFIX"])
def test_nobody_is_let_in_when_the_settings_are_missing(
    hook: Hook, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.delenv(setting)

    assert hook({"SerialNumber": "gateway-1"}) is False


def test_nobody_is_let_in_without_credentials(
    hook: Hook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # boto3 remembers the credentials of the first client that it made.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))

    assert hook({"SerialNumber": "gateway-1"}) is False


def test_a_strangers_words_are_not_logged(hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    hook({"SerialNumber": "words of a stranger"})

    assert [record.getMessage() for record in caplog.records] == ["refused: not a serial number"]


def test_a_list_that_cannot_be_read_is_told_in_the_log(
    hook: Hook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ALLOWLIST_BUCKET", "nowhere")

    hook({"SerialNumber": "gateway-1"})

    assert any(
        record.levelno == logging.ERROR and "NoSuchBucket" in record.getMessage()
        for record in caplog.records
    )
