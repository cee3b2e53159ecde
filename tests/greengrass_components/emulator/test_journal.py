"""An emulator that is killed and started again: what it was told is there, with the same ids."""

from __future__ import annotations

import http.client
import io
import json
import os
import resource
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from greengrass_components.emulator import Emulator, find_emulator, start_emulator
from greengrass_components.errors import EmulatorError

RECIPE = {
    "RecipeFormatVersion": "2020-01-25",
    "ComponentName": "com.example.model",
    "ComponentVersion": "1.0.0",
    "Manifests": [{"Artifacts": [{"Uri": "s3://deployments/model.zip"}]}],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return tmp_path / "emulator"


def started(folder: Path, monkeypatch: pytest.MonkeyPatch, *, keep: bool = True) -> Emulator:
    emulator = start_emulator(folder, keep_state=keep)
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    return emulator


def killed(emulator: Emulator) -> None:
    os.kill(emulator.pid, signal.SIGKILL)
    emulator.stop()


def make_bucket(name: str) -> None:
    boto3.client("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )


def everything() -> dict[str, Any]:
    """Read back one thing of each kind, with its dates."""
    s3, iot, gg = boto3.client("s3"), boto3.client("iot"), boto3.client("greengrassv2")
    found = s3.get_object(Bucket="deployments", Key="model.zip")
    groups = iot.list_thing_groups()["thingGroups"]
    group = iot.describe_thing_group(thingGroupName="canary")
    deployment = gg.list_deployments()["deployments"][0]
    return {
        "object": (
            found["Body"].read(),
            found["VersionId"],
            found["ETag"],
            found["LastModified"],
        ),
        "groups": groups,
        "group": (group["thingGroupId"], group["thingGroupMetadata"]["creationDate"]),
        "certificate": iot.list_certificates()["certificates"],
        "role": boto3.client("iam").get_role(RoleName="device")["Role"],
        "permission sets": boto3.client("sso-admin").list_permission_sets(
            InstanceArn=instance_arn()
        )["PermissionSets"],
        "component": gg.list_components()["components"],
        "deployment": deployment,
        "job": gg.get_deployment(deploymentId=deployment["deploymentId"])["iotJobId"],
    }


def instance_arn() -> str:
    instances = boto3.client("sso-admin").list_instances()["Instances"]
    return str(instances[0]["InstanceArn"])


def make_everything() -> tuple[str, bytes]:
    """Make one thing of each kind; give the signing key and a signature of it."""
    make_bucket("deployments")
    s3, iot, gg = boto3.client("s3"), boto3.client("iot"), boto3.client("greengrassv2")
    s3.put_bucket_versioning(Bucket="deployments", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="deployments", Key="model.zip", Body=bytes(range(256)) * 100)
    group = iot.create_thing_group(thingGroupName="canary")["thingGroupArn"]
    iot.create_keys_and_certificate(setAsActive=True)
    boto3.client("iam").create_role(RoleName="device", AssumeRolePolicyDocument="{}")
    boto3.client("sso-admin").create_permission_set(Name="operator", InstanceArn=instance_arn())
    gg.create_component_version(inlineRecipe=json.dumps(RECIPE).encode())
    gg.create_deployment(
        targetArn=group, components={"com.example.model": {"componentVersion": "1.0.0"}}
    )
    kms = boto3.client("kms")
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    signature = kms.sign(KeyId=key, Message=b"release", SigningAlgorithm="ECDSA_SHA_256")
    return key, signature["Signature"]


def test_everything_comes_back_with_the_same_ids_after_a_kill(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = started(folder, monkeypatch)
    key, signature = make_everything()
    before = everything()
    killed(emulator)

    with started(folder, monkeypatch):
        assert everything() == before
        kms = boto3.client("kms")
        public = load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(signature, b"release", ec.ECDSA(hashes.SHA256()))
        again = kms.verify(
            KeyId=key,
            Message=b"release",
            Signature=signature,
            SigningAlgorithm="ECDSA_SHA_256",
        )
        assert again["SignatureValid"]


def test_what_was_deleted_stays_deleted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = started(folder, monkeypatch)
    make_bucket("one")
    make_bucket("two")
    boto3.client("s3").delete_bucket(Bucket="one")
    killed(emulator)

    with started(folder, monkeypatch):
        buckets = boto3.client("s3").list_buckets()["Buckets"]
        assert [bucket["Name"] for bucket in buckets] == ["two"]


def test_calls_go_on_after_a_restart_and_survive_the_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two", "three"):
        emulator = started(folder, monkeypatch)
        make_bucket(name)
        killed(emulator)

    with started(folder, monkeypatch):
        buckets = boto3.client("s3").list_buckets()["Buckets"]
        assert {bucket["Name"] for bucket in buckets} == {"one", "two", "three"}


def test_a_call_that_was_cut_off_is_forgotten(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = started(folder, monkeypatch)
    make_bucket("whole")
    killed(emulator)
    with (folder / "state/journal.jsonl").open("ab") as journal:
        journal.write(b'{"number":2,"method":"PU')

    with started(folder, monkeypatch):
        make_bucket("next")
        assert len(boto3.client("s3").list_buckets()["Buckets"]) == 2


def test_looking_writes_nothing_down(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with started(folder, monkeypatch):
        make_bucket("one")
        size = (folder / "state/journal.jsonl").stat().st_size
        boto3.client("s3").list_buckets()
        boto3.client("kms").list_keys()
        boto3.client("iam").list_roles()
        boto3.client("cloudwatch").describe_alarms()
        boto3.client("sts").get_caller_identity()

        assert (folder / "state/journal.jsonl").stat().st_size == size


def test_a_reset_is_kept_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = started(folder, monkeypatch)
    make_bucket("before")
    boto3.client("s3").put_object(Bucket="before", Key="large", Body=bytes(10_000))
    host = emulator.endpoint.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request("POST", "/moto-api/reset")
    connection.getresponse().read()
    connection.close()
    make_bucket("after")
    killed(emulator)

    with started(folder, monkeypatch):
        buckets = boto3.client("s3").list_buckets()["Buckets"]
        assert [bucket["Name"] for bucket in buckets] == ["after"]
    assert not (folder / "state/bodies").exists()


def test_names_of_metadata_come_back_letter_by_letter(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = started(folder, monkeypatch)
    make_bucket("one")
    key = "a b/ä+%2F"
    metadata = {"with_underscore": "1", "with-dash": "2"}
    boto3.client("s3").put_object(Bucket="one", Key=key, Body=b"x", Metadata=metadata)
    killed(emulator)

    with started(folder, monkeypatch):
        assert boto3.client("s3").head_object(Bucket="one", Key=key)["Metadata"] == metadata


def test_a_large_object_that_is_sent_in_parts_comes_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = started(folder, monkeypatch)
    make_bucket("one")
    content = bytes(range(256)) * (40 << 10)
    boto3.client("s3").upload_fileobj(io.BytesIO(content), "one", "large")
    before = boto3.client("s3").head_object(Bucket="one", Key="large")
    killed(emulator)

    with started(folder, monkeypatch):
        after = boto3.client("s3").get_object(Bucket="one", Key="large")
        assert after["ETag"] == before["ETag"]
        assert after["Body"].read() == content


def test_keys_lie_in_the_state_so_nobody_else_may_read_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started(folder, monkeypatch):
        assert stat.S_IMODE((folder / "state").stat().st_mode) == 0o700


def test_what_the_disk_has_no_room_for_is_refused_and_not_there_after_a_restart(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = started(folder, monkeypatch)
    make_bucket("one")
    written = (folder / "state/journal.jsonl").stat().st_size
    resource.prlimit(emulator.pid, resource.RLIMIT_FSIZE, (written + 100, written + 100))

    for name in ("two", "three"):
        with pytest.raises(ClientError, match="507"):
            make_bucket(name)
    killed(emulator)
    assert "the disk is full" in (folder / "emulator.log").read_text()

    with started(folder, monkeypatch):
        buckets = boto3.client("s3").list_buckets()["Buckets"]
        assert [bucket["Name"] for bucket in buckets] == ["one"]
        make_bucket("two")


def test_two_emulators_do_not_share_a_state(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with started(folder, monkeypatch) as first:
        # As if both had been started at the same moment.
        (folder / "emulator.json").rename(folder / "hidden")

        with pytest.raises(EmulatorError, match="another emulator keeps its state"):
            start_emulator(folder, keep_state=True)

        (folder / "hidden").rename(folder / "emulator.json")
        assert find_emulator(folder) is not None
        assert first.keeps_state


def test_without_being_asked_nothing_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = started(folder, monkeypatch, keep=False)
    make_bucket("one")
    killed(emulator)

    assert not (folder / "state").exists()
    with started(folder, monkeypatch, keep=False):
        assert boto3.client("s3").list_buckets()["Buckets"] == []


def test_an_emulator_that_forgets_is_not_taken_for_one_that_keeps(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started(folder, monkeypatch, keep=False):
        with pytest.raises(EmulatorError, match="does not keep its state; stop it first"):
            start_emulator(folder, keep_state=True)
        assert find_emulator(folder) is not None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"schema_version":1,"moto":"1.0.0"}\n', "was kept by moto 1.0.0"),
        (b"nonsense\n", "is damaged"),
    ],
)
def test_a_state_that_cannot_be_used_is_said_and_left_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, reason: str
) -> None:
    (folder / "state").mkdir(parents=True)
    (folder / "state/journal.jsonl").write_bytes(content)

    with pytest.raises(EmulatorError, match=reason):
        started(folder, monkeypatch)

    assert (folder / "state/journal.jsonl").read_bytes() == content


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda state: drop_line(state / "journal.jsonl", 1), "call 1 is missing"),
        (lambda state: overwrite(body_in(state), b"other"), "was changed"),
        (lambda state: body_in(state).unlink(), "is missing"),
    ],
    ids=["a call is missing", "a body was changed", "a body is missing"],
)
def test_a_state_with_a_hole_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None], reason: str
) -> None:
    emulator = started(folder, monkeypatch)
    make_bucket("one")
    boto3.client("s3").put_object(Bucket="one", Key="large", Body=bytes(10_000))
    killed(emulator)
    damage(folder / "state")

    with pytest.raises(EmulatorError, match=f"is damaged.*{reason}"):
        started(folder, monkeypatch)


def drop_line(path: Path, number: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))


def overwrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def body_in(state: Path) -> Path:
    (path,) = (state / "bodies").iterdir()
    return path
