"""Datasets in a bucket, and URIs where there must be a path."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context

from compiler.commands import compiling as compile_
from compiler.commands.bundling import make
from edge_runtime.artifact import produce_artifact
from edge_runtime.errors import ArtifactError, StorageError
from edge_runtime.storage import refuse_uri, write_atomically
from tests.trainer.bucket import keys
from trainer.commands.benchmarks import calibration, scores
from trainer.config import CheckSettings, DataSettings
from trainer.data_checks.expectations import validate
from trainer.data_checks.table import read_table
from trainer.dataset import DOCUMENT, FILES, read_dataset
from trainer.dataset_location import build_dataset_at, fetch_dataset
from trainer.utterances import open_source

ROOT = Path(__file__).parents[2]
ROWS = [f"{verb} the {thing},{verb}" for verb in ("open", "close") for thing in "abcdefgh"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "talk.csv"
    path.write_text("\n".join(["text,intent", *ROWS]))
    return path


@pytest.fixture
def build(data_settings: DataSettings, source: Path, tmp_path: Path) -> Callable[..., Any]:
    def run(folder: str) -> Any:
        return build_dataset_at(
            str(source), folder, settings=data_settings, cache=tmp_path / "built"
        )

    return run


def test_a_dataset_goes_to_a_bucket_and_comes_back(
    s3: Any, build: Callable[..., Any], tmp_path: Path
) -> None:
    artifact = build("s3://shelf/one")
    assert not artifact.skipped
    assert keys(s3, "one/") == {*FILES, DOCUMENT}
    assert keys(s3, "one.") == {"changes.jsonl"}
    folder = fetch_dataset("s3://shelf/one", cache=tmp_path / "fetched")
    assert read_dataset(folder).digest == artifact.digest
    assert build("s3://shelf/one").skipped
    s3.delete_object(Bucket="shelf", Key="one/train.parquet")
    # What is here already is not fetched again.
    assert fetch_dataset("s3://shelf/one", cache=tmp_path / "fetched") == folder
    assert fetch_dataset("s3://shelf/one/", cache=tmp_path / "built") == artifact.folder


def test_a_dataset_that_changed_is_sent_and_fetched_anew(
    s3: Any, build: Callable[..., Any], source: Path, tmp_path: Path
) -> None:
    build("s3://shelf/two")
    before = fetch_dataset("s3://shelf/two", cache=tmp_path / "fetched")
    source.write_text("\n".join(["text,intent", *ROWS, "open it,open"]))
    artifact = build("s3://shelf/two")
    after = fetch_dataset("s3://shelf/two", cache=tmp_path / "fetched")
    assert read_dataset(before).digest != read_dataset(after).digest == artifact.digest


@pytest.mark.parametrize("name", ["train.parquet", DOCUMENT])
def test_a_dataset_that_is_not_whole_is_refused_until_it_is_built_again(
    s3: Any, build: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    folder = f"s3://shelf/half-{name}"
    build(folder)
    s3.put_object(Bucket="shelf", Key=f"half-{name}/{name}", Body=b"{}")
    with pytest.raises(ArtifactError, match=f"half-{name} is incomplete or damaged: {name} is"):
        fetch_dataset(folder, cache=tmp_path / "fetched")
    assert not [path for path in (tmp_path / "fetched").iterdir() if path.is_dir()]
    s3.delete_object(Bucket="shelf", Key=f"half-{name}/{DOCUMENT}")
    with pytest.raises(ArtifactError, match=f"{DOCUMENT} is missing; run data.build --folder s3:"):
        fetch_dataset(folder, cache=tmp_path / "fetched")
    build(folder)
    assert fetch_dataset(folder, cache=tmp_path / "fetched").is_dir()


def test_no_document_can_name_a_file_outside_of_its_folder(
    s3: Any, build: Callable[..., Any], tmp_path: Path
) -> None:
    build("s3://shelf/sly")
    document = json.loads(s3.get_object(Bucket="shelf", Key=f"sly/{DOCUMENT}")["Body"].read())
    document["files"]["../../sly"] = document["files"]["labels.json"]
    s3.put_object(Bucket="shelf", Key=f"sly/{DOCUMENT}", Body=json.dumps(document).encode())
    with pytest.raises(ArtifactError, match=r"\.\./\.\./sly is not what"):
        fetch_dataset("s3://shelf/sly", cache=tmp_path / "fetched")
    assert not (tmp_path / "sly").exists()


@pytest.mark.parametrize("folder", ["s3://shelf/mine", "s3://shelf/mine/letter", "s3://shelf"])
def test_something_else_in_a_bucket_is_never_mixed_with(
    s3: Any, build: Callable[..., Any], folder: str
) -> None:
    s3.put_object(Bucket="shelf", Key="mine/letter", Body=b"dear")
    with pytest.raises(StorageError, match="holds something else|is a whole bucket"):
        build(folder)
    assert keys(s3, "mine/") == {"letter"}


def test_a_path_stays_a_path(build: Callable[..., Any], tmp_path: Path) -> None:
    build(str(tmp_path / "dataset"))
    folder = fetch_dataset(str(tmp_path / "dataset"), cache=tmp_path / "fetched")
    assert folder == tmp_path / "dataset"
    assert not (tmp_path / "built").exists()


def test_a_disk_that_is_full_while_fetching_is_no_fault_of_the_bucket(
    s3: Any, build: Callable[..., Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    build("s3://shelf/large")
    request.getfixturevalue("small_files")
    with pytest.raises(StorageError, match="the disk is full: cannot write"):
        fetch_dataset("s3://shelf/large", cache=tmp_path / "fetched")


@pytest.mark.parametrize("task", [compile_.run, compile_.tiers, make, calibration, scores])
def test_every_task_that_reads_a_dataset_looks_for_it_in_the_bucket(
    task: Callable[..., Any],
    s3: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        task(Context(), dataset="s3://shelf/nothing")
    assert exit_.value.code == 1
    assert "error: no dataset at s3://shelf/nothing: dataset.json is" in capsys.readouterr().err


@pytest.mark.slow
def test_the_tasks_build_into_a_bucket_train_from_it_and_refuse_it_elsewhere(
    s3: Any, source: Path, tiny_base_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "edgewise.toml").write_text(
        f'[train]\nbase_model = "{tiny_base_model}"\nepochs = 1\nminimum_steps = 0\n'
        "[track]\nenabled = false\n"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": s3.meta.endpoint_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }

    def inv(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "invoke", "--search-root", ROOT, *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    folder = "s3://shelf/line/dataset"
    built = inv("data.build", "--data", str(source), "--folder", folder, "--json")
    assert built.returncode == 0, built.stderr
    assert json.loads(built.stdout)["changes"] == f"{folder}.changes.jsonl"
    trained = inv("train", "--dataset", folder, "--folder", "checkpoint")
    assert trained.returncode == 0, trained.stderr
    refused = inv("train", "--dataset", folder, "--folder", "s3://shelf/checkpoint")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("error: s3://shelf/checkpoint is a URI, and")
    absent = inv("train", "--dataset", "s3://shelf/nothing", "--folder", "checkpoint")
    assert absent.returncode == 1
    assert absent.stderr.startswith("error: no dataset at s3://shelf/nothing: dataset.json is")
    names = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
    assert names == {"build", "checkpoint", "edgewise.toml", "talk.csv"}


@pytest.mark.parametrize("path", ["s3:", "a/s3:/b", "C:/build", "/s3:/b", "note: one/b"])
def test_a_path_that_is_no_uri_is_let_through(path: str) -> None:
    refuse_uri(Path(path))


def test_a_uri_makes_no_folder_of_that_name(
    data_settings: DataSettings,
    check_settings: CheckSettings,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    uri = Path("s3://shelf/checkpoint")
    table = read_table(open_source(str(source)), None, data_settings)
    told = "s3://shelf/checkpoint is a URI"
    with pytest.raises(StorageError, match=told):
        produce_artifact(
            uri, kind="checkpoint", revision=1, settings={}, parents={}, make=lambda _: {}
        )
    with pytest.raises(StorageError, match=told):
        read_dataset(uri)
    with pytest.raises(StorageError, match=told):
        write_atomically(uri, b"")
    with pytest.raises(StorageError, match=told):
        validate(table.frame, data_settings=data_settings, settings=check_settings, suites=uri)
    assert [path.name for path in tmp_path.iterdir()] == ["talk.csv"]
