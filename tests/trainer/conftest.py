"""What the trainer's tests share."""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from edge_runtime.settings import load_settings
from trainer.config import DEFAULTS, CheckSettings


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder with the public data sets, which are not the project's to ship."""
    folder = os.environ.get("EDGEWISE_DATA")
    if not folder:
        pytest.skip("EDGEWISE_DATA does not name a folder with clinc150/ and banking77/")
    return Path(folder)


@pytest.fixture(scope="session")
def still_base_model(tiny_base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base model without dropout, whose steps can be compared; not to be changed."""
    copy = tmp_path_factory.mktemp("still") / "tiny-bert"
    shutil.copytree(tiny_base_model, copy)
    path = copy / "config.json"
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    path.write_text(json.dumps(json.loads(path.read_text()) | none))
    return copy


@pytest.fixture(scope="session")
def check_settings() -> CheckSettings:
    """The defaults of section ``[check]``."""
    return load_settings(CheckSettings, "check", defaults=DEFAULTS, environment={})


@pytest.fixture
def first_state() -> Any:
    """The state of a training after its first step, for tests that only need there to be one."""
    import torch

    from trainer.training_state import TrainingState

    return TrainingState(
        epoch=1,
        step=1,
        best_epoch=1,
        batch_parts=1,
        history=(),
        schedule={},
        optimizer={"state": {}, "param_groups": []},
        weights={"a": torch.zeros(1)},
        average={},
        best={},
    )


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of an S3 on this machine, which cloudpathlib uses too; it has a bucket ``shelf``."""
    # Heavy, and asked for by few.
    import boto3
    from cloudpathlib import S3Client
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    session = boto3.Session("testing", "testing", region_name="eu-west-1")
    before = S3Client._default_client  # there is no other way to put it back
    client = S3Client(
        boto3_session=session,
        endpoint_url=f"http://{host}:{port}",
        local_cache_dir=tmp_path_factory.mktemp("cloudpathlib"),
    )
    client.set_as_default_client()
    try:
        client.client.create_bucket(
            Bucket="shelf", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        yield client.client
    finally:
        S3Client._default_client = before
        client.client.close()
        # What it holds belongs to the process and not to the server.
        reset = Request(f"http://{host}:{port}/moto-api/reset", method="POST")
        urlopen(reset).close()
        server.stop()


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file that is written may have more than 600 bytes, as if the disk were full then."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
