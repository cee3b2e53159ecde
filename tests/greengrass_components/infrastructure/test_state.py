"""Where the state lies, and who holds it."""

from __future__ import annotations

from typing import Any

import pytest

from greengrass_components.infrastructure.account import Caller
from greengrass_components.infrastructure.environments import Environment
from greengrass_components.infrastructure.state import (
    StateLock,
    backend_settings,
    parse_lock,
    state_bucket,
)

CALLER = Caller(
    account_id="123456789012",
    arn="arn:aws:iam::123456789012:role/platform",
    partition="aws",
    region="eu-central-1",
)


def environment(**values: Any) -> Environment:
    resolved = {"name": "edgewise", "bucket_prefix": "slm", "bucket_suffix": None, **values}
    return Environment(name="dev", given={}, resolved=resolved)


def test_the_bucket_is_named_after_environment_account_and_region() -> None:
    assert (
        state_bucket(environment(), CALLER) == "slm-terraform-state-dev-123456789012-eu-central-1"
    )


def test_prefix_and_suffix_are_those_of_the_other_buckets() -> None:
    chosen = environment(bucket_prefix="voice", bucket_suffix="frankfurt")

    assert state_bucket(chosen, CALLER) == "voice-terraform-state-frankfurt"


def test_aws_needs_no_endpoint_and_the_bucket_chooses_the_key() -> None:
    assert backend_settings(environment(), CALLER, endpoint=None) == {
        "bucket": "slm-terraform-state-dev-123456789012-eu-central-1",
        "key": "stack.tfstate",
        "region": "eu-central-1",
        "use_lockfile": True,
    }


def test_an_endpoint_answers_for_the_state_too() -> None:
    settings = backend_settings(environment(), CALLER, endpoint="http://127.0.0.1:5000")

    assert settings["endpoints"]["s3"] == "http://127.0.0.1:5000"
    assert settings["use_lockfile"] is True


LOCKED = """Error message: operation error S3: PutObject, api error PreconditionFailed
Lock Info:
  ID:        6d2b0e07-57c5-1b1c-ff0a-5d4a3a3b6b1e
  Path:      slm-terraform-state/stack.tfstate
  Operation: OperationTypeApply
  Who:       operator@gateway
  Version:   1.11.4
  Created:   2026-11-20 07:00:00.123456789 +0000 UTC
  Info:


Terraform acquires a state lock to protect the state from being written
"""


def test_a_lock_says_who_since_when_and_what() -> None:
    assert parse_lock(LOCKED) == StateLock(
        id="6d2b0e07-57c5-1b1c-ff0a-5d4a3a3b6b1e",
        who="operator@gateway",
        since="2026-11-20 07:00:00",
        operation="apply",
    )


def test_whole_seconds_are_read_too() -> None:
    lock = parse_lock(LOCKED.replace(".123456789", ""))

    assert lock is not None
    assert lock.since == "2026-11-20 07:00:00"


@pytest.mark.parametrize("text", ["", "access denied", "Lock Info:\n  ID:        \n"])
def test_words_without_a_lock_are_none(text: str) -> None:
    assert parse_lock(text) is None
