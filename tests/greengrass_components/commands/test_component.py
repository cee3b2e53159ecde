"""The tasks of the namespace component, as a user runs them."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from edge_runtime.artifact import produce_artifact
from greengrass_components.component import BuiltComponent
from greengrass_components.emulator import start_emulator

ROOT = Path(__file__).parents[3]
PROGRAM = (
    "from invoke.program import Program\n"
    "from greengrass_components.commands.component import namespace\n"
    "Program(namespace=namespace).run()\n"
)


def run(
    folder: Path,
    *arguments: str,
    code: int = 0,
    settings: Mapping[str, str] | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(settings or {}), **environment},
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result


@pytest.mark.slow
def test_a_bundle_is_built_into_components_that_answer(tiny_bundle: Path, tmp_path: Path) -> None:
    folder = str(tmp_path / "component")
    words = ["build", "--bundle", str(tiny_bundle), "--folder", folder, "--json"]
    built = json.loads(run(ROOT, *words).stdout)
    again = json.loads(run(ROOT, *words).stdout)
    asked = run(ROOT, "run", "--folder", folder, "--text", "lights on", "--json")
    answered = json.loads(asked.stdout)

    assert (built["skipped"], again["skipped"]) == (False, True)
    assert built["components"] == again["components"]
    assert answered["answer"]["intent"] == "lights_on"
    assert answered["name"] == built["components"][1]["name"]


def test_a_missing_bundle_is_one_line(tmp_path: Path) -> None:
    words = ["build", "--bundle", "nowhere", "--folder", str(tmp_path / "component")]
    result = run(ROOT, *words, code=1)

    assert result.stderr.startswith("error: no bundle at nowhere")
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "component").exists()


def test_a_wrong_setting_is_one_line(tiny_bundle: Path, tmp_path: Path) -> None:
    words = ["build", "--bundle", str(tiny_bundle), "--folder", str(tmp_path / "component")]
    result = run(ROOT, *words, code=1, EDGEWISE_COMPONENT_PORT="many")

    assert result.stderr.startswith("error: component.port: expected `int`")


def test_a_missing_component_is_one_line(tmp_path: Path) -> None:
    result = run(tmp_path, "run", "--folder", "nowhere", code=1)

    assert "error: no component at nowhere: component.json is missing" in result.stderr


MODEL = "com.example.model.lamps"
BUCKET = "edgewise-artifacts"
REGION: Final = "eu-central-1"
STAGES = ("canary", "beta", "all")
RECIPE = """\
RecipeFormatVersion: "2020-01-25"
ComponentName: {name}
ComponentVersion: "{version}"
Manifests:
  - Platform:
      os: linux
      runtime: "*"
    Artifacts:
      - Uri: s3://BUCKET_NAME/{name}/{version}/{file}
    Lifecycle:
      run:
        Script: python3 {{artifacts:path}}/{file}
"""


def make_component(folder: Path, *, version: str = "1.2.0", content: bytes = b"model") -> Path:
    """Make a folder as component.build does, with one model component of a few bytes."""

    def make(partial: Path) -> dict[str, Any]:
        artifact = partial / "artifacts" / MODEL / version / "model.py"
        artifact.parent.mkdir(parents=True)
        artifact.write_bytes(content)
        recipe = partial / "recipes" / f"{MODEL}-{version}.yaml"
        recipe.parent.mkdir()
        recipe.write_text(RECIPE.format(name=MODEL, version=version, file="model.py"))
        built = BuiltComponent(
            role="model",
            name=MODEL,
            version=version,
            recipe=recipe.relative_to(partial).as_posix(),
            artifacts=(artifact.relative_to(partial).as_posix(),),
            bytes=len(content),
            contents=1,
        )
        return {"components": [built]}

    settings = {"version": version, "content": content.hex()}
    produce_artifact(folder, kind="component", revision=1, settings=settings, parents={}, make=make)
    return folder


def group_arn(stage: str) -> str:
    return f"arn:aws:iot:{REGION}:123456789012:thinggroup/edgewise-dev-{stage}"


@pytest.fixture
def outputs(tmp_path: Path) -> str:
    """A file with the outputs of a stack, and one that nobody here needs."""
    # As Terraform gives them: by name.
    groups = {
        stage: {
            "name": f"edgewise-dev-{stage}",
            "arn": group_arn(stage),
            "order": STAGES.index(stage) + 1,
        }
        for stage in sorted(STAGES)
    }
    document = {
        "artifact_bucket": BUCKET,
        "artifact_prefix": "artifacts/",
        "dashboard_name": "edgewise-dev",
        "region": REGION,
        "thing_groups": groups,
    }
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(document))
    return str(path)


class TestOutputs:
    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (None, "cannot read outputs from outputs.json: [Errno 2]"),
            ("{", "cannot read outputs from outputs.json: Input data was truncated"),
            ("{}", "outputs.json has no outputs yet"),
            ('{"region": "eu-central-1"}', "lack something: Object missing required field"),
        ],
    )
    def test_without_outputs_one_line_says_where_they_come_from(
        self, tmp_path: Path, content: str | None, told: str
    ) -> None:
        make_component(tmp_path / "component")
        if content is not None:
            (tmp_path / "outputs.json").write_text(content)

        for words in (["publish"], ["deploy", "--stage", "canary"]):
            result = run(
                tmp_path, *words, "--folder", "component", "--outputs", "outputs.json", code=1
            )

            assert result.stderr.startswith("error: ")
            assert told in result.stderr
            assert "infra.output --env dev --json > outputs.json" in result.stderr
            assert result.stderr.count("\n") == 1

    def test_an_unknown_stage_is_told_with_those_that_exist(
        self, tmp_path: Path, outputs: str
    ) -> None:
        folder = str(make_component(tmp_path / "component"))
        words = ["--stage", "gamma", "--outputs", outputs]

        for task in (["deploy", "--folder", folder], ["deployments"], ["cancel"]):
            result = run(tmp_path, *task, *words, code=1, AWS_REGION=REGION)

            assert result.stderr == (
                "error: there is no stage 'gamma' of the roll-out; those that exist: "
                "canary, beta, all\n"
            )

    def test_a_missing_component_is_told_before_anything_is_asked(self, tmp_path: Path) -> None:
        result = run(tmp_path, "deploy", "--stage", "canary", code=1)

        assert "error: no component at build/smart-home/component" in result.stderr

    def test_no_credentials_are_one_line(self, tmp_path: Path, outputs: str) -> None:
        folder = str(make_component(tmp_path / "component"))
        nobody = {
            "AWS_ACCESS_KEY_ID": "",
            "AWS_SECRET_ACCESS_KEY": "",
            "AWS_CONFIG_FILE": str(tmp_path / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

        result = run(
            tmp_path, "publish", "--folder", folder, "--outputs", outputs, code=1, settings=nobody
        )

        assert result.stderr.startswith("error: no usable AWS credentials")
        assert result.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of an emulator with a bucket and the thing groups."""
    with start_emulator(tmp_path_factory.mktemp("emulator")) as running:
        session = boto3.session.Session(
            region_name=REGION, aws_access_key_id="emulator", aws_secret_access_key="emulator"
        )
        s3 = session.client("s3", endpoint_url=running.endpoint)
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.close()
        iot = session.client("iot", endpoint_url=running.endpoint)
        for stage in STAGES:
            iot.create_thing_group(thingGroupName=f"edgewise-dev-{stage}")
        iot.close()
        yield running.environment


def told(folder: Path, emulator: dict[str, str], *arguments: str) -> dict[str, Any]:
    """Run a task against the emulator; return its JSON."""
    result: dict[str, Any] = json.loads(run(folder, *arguments, "--json", settings=emulator).stdout)
    return result


@pytest.mark.slow
def test_components_go_from_a_folder_to_the_things_of_a_stage(
    tmp_path: Path, outputs: str, emulator: dict[str, str]
) -> None:
    folder = str(make_component(tmp_path / "component"))
    publish = ["publish", "--folder", folder, "--outputs", outputs]
    deploy = ["deploy", "--folder", folder, "--outputs", outputs, "--stage", "canary"]

    published = told(tmp_path, emulator, *publish)
    again = told(tmp_path, emulator, *publish)
    planned = told(tmp_path, emulator, *deploy, "--plan-only")
    deployed = told(tmp_path, emulator, *deploy)
    unchanged = told(tmp_path, emulator, *deploy)
    words = run(tmp_path, *deploy, "--force", settings=emulator).stdout
    listed = told(tmp_path, emulator, "deployments", "--outputs", outputs)
    canceled = told(tmp_path, emulator, "cancel", "--stage", "canary", "--outputs", outputs)

    assert (published["changed"], again["changed"]) == (True, False)
    assert published["components"][0]["artifacts"][0]["uri"] == (
        f"s3://{BUCKET}/artifacts/{MODEL}/1.2.0/model.py"
    )
    assert (planned["plan_only"], planned["created"]) == (True, False)
    assert planned["changes"] == [{"component": MODEL, "was": None, "becomes": "1.2.0"}]
    assert (deployed["created"], deployed["revision"], deployed["base"]) == (True, "1", None)
    assert deployed["job_id"]
    assert deployed["job_configuration"]["abortConfig"]["criteriaList"]
    assert (unchanged["up_to_date"], unchanged["created"]) == (True, False)
    assert unchanged["deployment_id"] == deployed["deployment_id"]
    assert "canary: deployed: revision 2," in words
    assert f"  kept     {MODEL} 1.2.0\n" in words
    assert listed["stages"]["all"] == []
    assert listed["stages"]["canary"][0]["revision"] == "2"
    assert (canceled["revision"], canceled["status"]) == ("2", "CANCELED")


@pytest.mark.slow
def test_what_is_built_of_a_bundle_is_published_once_and_fits_together(
    tiny_bundle: Path, tmp_path: Path, outputs: str, emulator: dict[str, str]
) -> None:
    folder = str(tmp_path / "component")
    run(ROOT, "build", "--bundle", str(tiny_bundle), "--folder", folder)
    words = ["--folder", folder, "--outputs", outputs]

    published = told(tmp_path, emulator, "publish", *words)
    again = told(tmp_path, emulator, "publish", *words)
    planned = told(tmp_path, emulator, "deploy", "--stage", "all", "--plan-only", *words)

    assert [item["created"] for item in published["components"]] == [True, True]
    assert not again["changed"]
    assert [(change["component"], change["becomes"]) for change in planned["changes"]] == sorted(
        (item["name"], item["version"]) for item in published["components"]
    )


@pytest.mark.slow
def test_the_same_version_with_other_content_is_refused_in_one_line(
    tmp_path: Path, outputs: str, emulator: dict[str, str]
) -> None:
    folder = str(make_component(tmp_path / "component", version="2.0.0"))
    words = ["publish", "--folder", folder, "--outputs", outputs]
    run(tmp_path, *words, settings=emulator)
    make_component(tmp_path / "component", version="2.0.0", content=b"other")

    result = run(tmp_path, *words, code=1, settings=emulator)

    assert f"error: {MODEL} 2.0.0 is published already with other content" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_version_that_was_never_published_is_not_deployed(
    tmp_path: Path, outputs: str, emulator: dict[str, str]
) -> None:
    folder = str(make_component(tmp_path / "component"))
    words = ["deploy", "--folder", folder, "--outputs", outputs, "--stage", "all"]

    result = run(tmp_path, *words, "--version", "9.9.9", code=1, settings=emulator)

    assert f"error: {MODEL} 9.9.9 is not published" in result.stderr
    named = ["deploy", "--outputs", outputs, "--stage", "all", "--component", MODEL]
    without_folder = run(tmp_path, *named, "--version", "9.9.9", code=1, settings=emulator)
    assert without_folder.stderr == result.stderr
    listed = told(tmp_path, emulator, "deployments", "--stage", "all", "--outputs", outputs)
    assert listed["stages"]["all"] == []


KILLS = 6


@pytest.mark.slow
def test_a_publish_that_is_killed_at_a_random_moment_ends_when_run_again(
    tmp_path: Path, outputs: str, emulator: dict[str, str]
) -> None:
    # Large enough that a kill can hit the upload itself.
    content = random.Random(7).randbytes(4_000_000)
    words = ["publish", "--outputs", outputs, "--folder"]
    started = time.monotonic()
    warm = make_component(tmp_path / "warm", version="3.0.0", content=content)
    run(tmp_path, *words, str(warm), settings=emulator)
    whole_s = time.monotonic() - started
    moments = random.Random(11)
    killed = 0

    for patch in range(1, 5 * KILLS + 1):
        folder = str(make_component(tmp_path / "next", version=f"3.0.{patch}", content=content))
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words, folder],
            cwd=tmp_path,
            env={**os.environ, **emulator},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(timeout=moments.uniform(0.1, 1.0) * whole_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait()
        if not process.returncode:
            # The machine is less busy than before: a later moment would meet nothing again.
            whole_s = time.monotonic() - started
        run(tmp_path, *words, folder, settings=emulator)

        assert not told(tmp_path, emulator, *words, folder)["changed"]
        if killed == KILLS:
            break
    assert killed == KILLS
