"""Cleaning from one place of an object store to another, as a task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
}
SOURCE = """text,intent,split
lamp  on,light,train
lamp off,light,train
play jazz,music,train
,music,train
what is pi,oos,test
"""


@pytest.fixture(scope="module")
def bucket() -> Iterator[dict[str, str]]:
    """An environment with an S3 that has the bucket ``talk`` with ``a.csv``."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    try:
        client.create_bucket(
            Bucket="talk", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        client.put_object(Bucket="talk", Key="a.csv", Body=SOURCE.encode())
        yield {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    finally:
        client.close()
        server.stop()


def inv(*words: str, folder: Path, environment: dict[str, str]) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "--search-root", ROOT, *words, "--json"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_bucket_is_read_and_written_like_a_folder(
    bucket: dict[str, str], tiny_base_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "edgewise.toml").write_text(f'[train]\nbase_model = "{tiny_base_model}"\n')
    cleaned = inv(
        *("data.clean", "s3://talk/a.csv", "s3://talk/clean/b.jsonl", "--drop", "text_empty"),
        folder=tmp_path,
        environment=bucket,
    )
    assert (cleaned["written"], cleaned["changes"]) == (4, "s3://talk/clean/b.jsonl.changes.jsonl")
    checked = inv(
        *("data.check", "s3://talk/clean/b.jsonl", "--report", "s3://talk/report"),
        folder=tmp_path,
        environment=bucket,
    )
    assert checked["utterances"] == 4
    assert checked["report"] == "s3://talk/report"
    client = boto3.client(
        "s3",
        endpoint_url=bucket["AWS_ENDPOINT_URL"],
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    listed = client.list_objects_v2(Bucket="talk", Prefix="report/")["Contents"]
    client.close()
    assert sorted(one["Key"] for one in listed) == [
        "report/check.json",
        "report/expectations-intents.html",
        "report/expectations-utterances.html",
        "report/findings.csv",
        "report/index.html",
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"edgewise.toml"}
