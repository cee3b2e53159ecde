"""The place of the state: made, found whole, mended, guarded; with a real Terraform."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import msgspec
import psutil
import pytest

from greengrass_components.errors import BucketNameError, ConfirmationError
from greengrass_components.infrastructure.bootstrap import bootstrap_state
from greengrass_components.infrastructure.plan_review import Loss
from greengrass_components.infrastructure.stack import open_stack
from greengrass_components.infrastructure.state import state_bucket_gaps

pytestmark = [
    pytest.mark.slow,
    pytest.mark.terraform,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no Terraform here"),
]

CONFIGURATION = Path(__file__).resolve().parents[3] / "terraform"

SIGNED_IN = "aws-reserved/sso.amazonaws.com"
ADMINS = ["arn:aws:iam::123456789012:role/first-administrator"]

# What a process of its own runs, so that it can be killed.
PROGRAM = """
import sys
from pathlib import Path
from greengrass_components.infrastructure.bootstrap import bootstrap_state
source, work, endpoint = sys.argv[1:]
bootstrap_state(
    "dev", source=Path(source), work=Path(work), endpoint=endpoint, confirm=lambda *_: ""
)
"""


def refuse(_: str, losses: tuple[Loss, ...]) -> str:
    raise AssertionError(f"nobody should be asked about {losses}")


def bootstrapped(small: Any, name: str = "dev", **options: Any) -> Any:
    return bootstrap_state(name, confirm=refuse, **{**small.options, **options})


def gaps(bucket: str) -> tuple[str, ...]:
    return state_bucket_gaps(bucket, region="eu-central-1")


def condition(bucket: str, statement: str) -> Any:
    told = boto3.client("s3").get_bucket_policy(Bucket=bucket)
    statements = msgspec.json.decode(told["Policy"])["Statement"]
    return next(one["Condition"] for one in statements if one["Sid"] == statement)


def test_a_second_bootstrap_makes_nothing(small: Any) -> None:
    first_name, first = bootstrapped(small)
    second_name, second = bootstrapped(small)

    assert first_name == second_name == small.state_bucket
    assert (first.add, second.empty) == (7, True)
    assert gaps(first_name) == ()


def test_a_bucket_that_another_machine_made_is_used(small: Any, tmp_path: Path) -> None:
    bootstrapped(small)
    other = tmp_path / "other"

    _, changes = bootstrapped(small, work=other)

    assert changes is None
    assert open_stack("dev", **{**small.options, "work": other}).name == "edgewise-dev"


@pytest.mark.parametrize(
    ("stack", "whose"),
    [("", "something else in this account"), ("edgewise-prod", "edgewise-prod")],
)
def test_a_bucket_that_is_not_this_environments_is_refused(
    small: Any, stack: str, whose: str
) -> None:
    small.make_bucket(small.state_bucket, stack=stack)

    with pytest.raises(BucketNameError, match=f"there already and belongs to {whose} "):
        bootstrapped(small)

    assert "versioning" in gaps(small.state_bucket)


def test_a_half_made_bucket_is_made_whole(small: Any) -> None:
    small.make_bucket(small.state_bucket, stack="edgewise-dev")
    assert gaps(small.state_bucket) == (
        "versioning",
        "encryption with a key",
        "the block of public access",
        "the policy of its guardians",
    )

    _, changes = bootstrapped(small)

    assert (changes.adopt, gaps(small.state_bucket)) == (1, ())


def test_a_killed_bootstrap_is_finished_by_the_next(small: Any, tmp_path: Path) -> None:
    # As on another machine, or after its folder is gone: no state of its own.
    first, second = tmp_path / "first", tmp_path / "second"
    pause = first / small.state_bucket / "bootstrap" / "pause"
    pause.parent.mkdir(parents=True)
    pause.touch()
    process = psutil.Popen(
        [sys.executable, "-c", PROGRAM, small.source, first, small.options["endpoint"]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while pause.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not pause.exists()
    finally:
        for one in [*process.children(recursive=True), process]:
            one.kill()
        process.wait()
    assert "versioning" in gaps(small.state_bucket)
    keys = small.usable_keys()

    _, changes = bootstrapped(small, work=second)

    assert changes.adopt >= 1
    assert gaps(small.state_bucket) == ()
    # The key that the killed one made is used and not made again.
    assert len(keys) == 1
    assert small.usable_keys() == keys


def test_guardians_and_tags_are_those_of_the_environments_files(small: Any) -> None:
    bucket, _ = bootstrapped(small, "staging")

    account = "arn:aws:iam::123456789012"
    # At an endpoint of one's own whoever applies is one too; the configuration adds that.
    assert condition(bucket, "WithTheCaller")["ArnNotLike"]["aws:PrincipalArn"] == [
        f"{account}:root",
        f"{account}:role/first-administrator",
        f"{account}:role/{SIGNED_IN}/*AWSReservedSSO_edgewise-staging-administrator_*",
    ]
    tags = boto3.client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "Owner": "edge-team",
        "Stack": "edgewise-staging",
    }


def test_two_environments_do_not_share_a_folder(small: Any) -> None:
    dev, _ = bootstrapped(small)
    other, _ = bootstrapped(small, variables={"bucket_suffix": "elsewhere"})

    assert (other != dev, gaps(dev), gaps(other)) == (True, (), ())
    assert {path.name for path in small.options["work"].iterdir()} == {dev, other}


def test_a_weaker_place_must_be_confirmed(small: Any) -> None:
    bucket, _ = bootstrapped(small)
    small.edit('status = "Enabled"', 'status = "Suspended"', file="bootstrap/main.tf")

    with pytest.raises(ConfirmationError, match="--confirm edgewise-dev"):
        bootstrap_state("dev", confirm=lambda *_: "", **small.options)

    assert gaps(bucket) == ()


def test_the_state_has_the_guardians_of_the_stack(small: Any) -> None:
    options = small.options | {"source": CONFIGURATION, "variables": {"administrator_arns": ADMINS}}
    bucket, _ = bootstrap_state("staging", confirm=refuse, **options)
    stack = open_stack("staging", **options)

    told = subprocess.run(
        ["terraform", "console", "-plan"],
        cwd=stack.work,
        input="jsonencode(local.guardian_arns)",
        capture_output=True,
        text=True,
        check=True,
    )

    guardians = msgspec.json.decode(msgspec.json.decode(told.stdout))
    assert guardians[1:2] == ADMINS
    assert condition(bucket, "DenyToAllButGuardians") == {
        "ArnNotLike": {"aws:PrincipalArn": guardians}
    }
