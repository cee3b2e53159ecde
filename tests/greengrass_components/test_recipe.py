from __future__ import annotations

import copy
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from greengrass_components.errors import RecipeError
from greengrass_components.recipe import read_recipe, render_recipe, validate_recipe

Document = dict[str, Any]

GOOD = """\
RecipeFormatVersion: "2020-01-25"
ComponentName: com.example.app
ComponentVersion: "1.2.0"
ComponentDescription: An example.
ComponentPublisher: example
ComponentConfiguration:
  DefaultConfiguration:
    port: 8080
    nested: {deep: x}
ComponentDependencies:
  com.example.base: {VersionRequirement: ^1.0.0, DependencyType: HARD}
Manifests:
  - Platform: {os: linux, architecture: amd64, runtime: "*"}
    Artifacts:
      - Uri: s3://BUCKET_NAME/com.example.app/1.2.0/app.zip
        Unarchive: ZIP
      - Uri: s3://BUCKET_NAME/com.example.app/1.2.0/plain.txt
    Lifecycle:
      install:
        Script: python3 {artifacts:decompressedPath}/app/setup.py {artifacts:path}/plain.txt
        Timeout: 60
      run:
        Script: python3 {artifacts:decompressedPath}/app/main.py --port {configuration:/port}
        Setenv: {HOME_OF_APP: "{work:path}", ROOT: "{kernel:rootPath}"}
  - Platform: {os: linux, runtime: "*"}
    Lifecycle:
      run: {Script: "sleep 1"}
"""


def good() -> Document:
    document: Document = YAML(typ="safe", pure=True).load(GOOD)
    return document


def to_yaml(document: Any) -> bytes:
    stream = io.BytesIO()
    YAML(typ="safe", pure=True).dump(document, stream)
    return stream.getvalue()


def put(path: str, value: Any) -> Callable[[Document], None]:
    """A change that sets the value at a dotted path; numbers are places in a list."""

    def change(document: Document) -> None:
        *way, last = [int(part) if part.isdigit() else part for part in path.split("/")]
        place: Any = document
        for part in way:
            place = place[part]
        if value is None:
            del place[last]
        else:
            place[last] = value

    return change


def script(text: str) -> Callable[[Document], None]:
    return put("Manifests/0/Lifecycle/run/Script", text)


RUN = "$.Manifests[0].Lifecycle.run"

BROKEN: dict[str, tuple[Callable[[Document], None], str]] = {
    "no format version": (put("RecipeFormatVersion", None), "$.RecipeFormatVersion"),
    "another format version": (put("RecipeFormatVersion", "2021-01-01"), "$.RecipeFormatVersion"),
    "no name": (put("ComponentName", None), "$.ComponentName"),
    "a name with a space": (put("ComponentName", "my app"), "$.ComponentName"),
    "a name of 129 characters": (put("ComponentName", "a" * 129), "$.ComponentName"),
    "a public component's name": (put("ComponentName", "aws.greengrass.Cli"), "$.ComponentName"),
    "a version that is a number": (put("ComponentVersion", 1.2), "$.ComponentVersion"),
    "a version of two parts": (put("ComponentVersion", "1.2"), "$.ComponentVersion"),
    "a key in lower case": (put("componentPublisher", "x"), "$.componentPublisher"),
    "an unknown key": (put("ComponentLicence", "x"), "$.ComponentLicence"),
    "a global lifecycle": (put("Lifecycle", {}), "$.Lifecycle"),
    "no manifest": (put("Manifests", []), "$.Manifests"),
    "no platform": (put("Manifests/0/Platform", None), "$.Manifests[0].Platform"),
    "runtime outside Platform": (put("Manifests/0/runtime", "*"), "$.Manifests[0].runtime"),
    "no runtime": (put("Manifests/0/Platform/runtime", None), "$.Manifests[0].Platform.runtime"),
    "arm64": (
        put("Manifests/0/Platform/architecture", "arm64"),
        "$.Manifests[0].Platform.architecture",
    ),
    "x86_64": (
        put("Manifests/0/Platform/architecture", "x86_64"),
        "$.Manifests[0].Platform.architecture",
    ),
    "Os with a capital": (put("Manifests/0/Platform/Os", "linux"), "$.Manifests[0].Platform.Os"),
    "windows": (put("Manifests/0/Platform/os", "windows"), "$.Manifests[0].Platform.os"),
    "the catch-all first": (
        lambda document: document["Manifests"].reverse(),
        "$.Manifests[1].Platform",
    ),
    "the same platform twice": (
        put("Manifests/1/Platform/architecture", "amd64"),
        "$.Manifests[1].Platform",
    ),
    "no lifecycle": (put("Manifests/0/Lifecycle", None), "$.Manifests[0].Lifecycle"),
    "no run": (put("Manifests/0/Lifecycle/run", None), RUN),
    "Run with a capital": (
        put("Manifests/0/Lifecycle/Run", {"Script": "true"}),
        "$.Manifests[0].Lifecycle.Run",
    ),
    "shutdown": (
        put("Manifests/0/Lifecycle/shutdown", {"Script": "true"}),
        "$.Manifests[0].Lifecycle.shutdown",
    ),
    "startup": (
        put("Manifests/0/Lifecycle/startup", {"Script": "true"}),
        "$.Manifests[0].Lifecycle.startup",
    ),
    "Skipif": (put("Manifests/0/Lifecycle/run/Skipif", "exists x"), f"{RUN}.Skipif"),
    "a script without its key": (put("Manifests/0/Lifecycle/run", "sleep 1"), RUN),
    "script in lower case": (put("Manifests/0/Lifecycle/run/script", "true"), f"{RUN}.script"),
    "an empty script": (script(""), f"{RUN}.Script"),
    "Timeout as text": (put("Manifests/0/Lifecycle/run/Timeout", "60"), f"{RUN}.Timeout"),
    "Timeout as a variable": (
        put("Manifests/0/Lifecycle/run/Timeout", "{configuration:/port}"),
        f"{RUN}.Timeout",
    ),
    "Timeout zero": (put("Manifests/0/Lifecycle/run/Timeout", 0), f"{RUN}.Timeout"),
    "Setenv with a number": (put("Manifests/0/Lifecycle/run/Setenv/A", 1), f"{RUN}.Setenv.A"),
    "a script of spaces": (script("  "), f"{RUN}.Script"),
    "a variable before the command": (script("A=1 sleep 1"), f"{RUN}.Script"),
    "an unknown variable": (script("echo {nope}"), f"{RUN}.Script"),
    "a dependency's variable": (
        script("echo {com.example.base:artifacts:path}"),
        f"{RUN}.Script",
    ),
    "an unknown pointer": (script("echo {configuration:/nope}"), f"{RUN}.Script"),
    "an unknown deep pointer": (script("echo {configuration:/nested/no}"), f"{RUN}.Script"),
    "a shell variable in braces": (script("echo ${HOME}"), f"{RUN}.Script"),
    "an open brace": (script("echo {artifacts:path/plain.txt"), f"{RUN}.Script"),
    "JSON in a script": (script('echo {"a": 1}'), f"{RUN}.Script"),
    "two commands": (script("sleep 1; sleep 2"), f"{RUN}.Script"),
    "two lines": (script("sleep 1\nsleep 2\n"), f"{RUN}.Script"),
    "a pipe": (script("sleep 1 | cat"), f"{RUN}.Script"),
    "the folder of no archive": (
        script("python3 {artifacts:decompressedPath}/other/main.py"),
        f"{RUN}.Script",
    ),
    "an archive's name with .zip": (
        script("python3 {artifacts:decompressedPath}/app.zip/main.py"),
        f"{RUN}.Script",
    ),
    "an unpacked file as a plain one": (script("sh {artifacts:path}/app.zip"), f"{RUN}.Script"),
    "an address that is not S3": (
        put("Manifests/0/Artifacts/0/Uri", "https://example.com/app.zip"),
        "$.Manifests[0].Artifacts[0].Uri",
    ),
    "a bucket without a file": (
        put("Manifests/0/Artifacts/0/Uri", "s3://bucket"),
        "$.Manifests[0].Artifacts[0].Uri",
    ),
    "two artifacts of one name": (
        put("Manifests/0/Artifacts/1/Uri", "s3://b/other/app.zip"),
        "$.Manifests[0].Artifacts[1].Uri",
    ),
    "a ZIP that does not end in .zip": (
        put("Manifests/0/Artifacts/0/Uri", "s3://b/app.tgz"),
        "$.Manifests[0].Artifacts[0].Uri",
    ),
    "Unarchive in lower case": (
        put("Manifests/0/Artifacts/0/Unarchive", "zip"),
        "$.Manifests[0].Artifacts[0].Unarchive",
    ),
    "URI in capitals": (
        put("Manifests/0/Artifacts/0/URI", "s3://b/app.zip"),
        "$.Manifests[0].Artifacts[0].URI",
    ),
    "a dependency without a type": (
        put("ComponentDependencies/com.example.base/DependencyType", None),
        "$.ComponentDependencies.com.example.base.DependencyType",
    ),
    "a dependency of a soft kind": (
        put("ComponentDependencies/com.example.base/DependencyType", "soft"),
        "$.ComponentDependencies.com.example.base.DependencyType",
    ),
    "a range that is none": (
        put("ComponentDependencies/com.example.base/VersionRequirement", "latest"),
        "$.ComponentDependencies.com.example.base.VersionRequirement",
    ),
    "a component that needs itself": (
        put(
            "ComponentDependencies/com.example.app",
            {"VersionRequirement": "*", "DependencyType": "HARD"},
        ),
        "$.ComponentDependencies.com.example.app",
    ),
    "more than 8,000 bytes": (
        put("ComponentConfiguration/DefaultConfiguration/long", "x" * 8000),
        "$",
    ),
}


def test_a_good_recipe_is_read() -> None:
    recipe = validate_recipe(GOOD.encode(), where="good")

    assert (recipe.component_name, recipe.component_version) == ("com.example.app", "1.2.0")
    assert recipe.default_configuration == {"port": 8080, "nested": {"deep": "x"}}
    first, second = recipe.manifests
    assert (first.platform.architecture, second.platform.architecture) == ("amd64", "*")
    assert [artifact.file for artifact in first.artifacts] == ["app.zip", "plain.txt"]
    assert first.lifecycle.install is not None
    assert first.lifecycle.install.timeout == 60
    assert recipe.component_dependencies["com.example.base"].dependency_type == "HARD"


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_recipe_is_refused_with_its_path_and_a_mend(name: str) -> None:
    change, path = BROKEN[name]
    document = copy.deepcopy(good())
    change(document)

    with pytest.raises(RecipeError) as caught:
        validate_recipe(to_yaml(document), where="app.yaml")

    assert caught.value.data["path"] == path
    message = caught.value.message
    assert message.startswith("app.yaml: ")
    assert "; " in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("change", "mend"),
    [
        (put("Manifests/0/runtime", "*"), "move it into Platform"),
        (put("componentPublisher", "x"), "write it as ComponentPublisher"),
        (put("Manifests/0/Platform/architecture", "arm64"), "write amd64, aarch64, arm or x86"),
        (put("Manifests/0/Lifecycle/shutdown", {}), "Nucleus Lite has no working shutdown"),
        (script("echo {configuration:/nope}"), "give it a default"),
        (script("a && b"), "put shell into a file"),
    ],
)
def test_the_message_says_how_to_mend_it(change: Callable[[Document], None], mend: str) -> None:
    document = good()
    change(document)

    with pytest.raises(RecipeError) as caught:
        validate_recipe(to_yaml(document), where="app.yaml")
    assert mend in caught.value.message


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (b"a: [1", "line 1"),
        (b"ComponentName: a\nComponentName: b\n", "line 2"),
        (b"a: \xff\n", "$"),
        (b"- a list\n", "$"),
        (b"", "$"),
        (b"a: !!python/object:os.system {}\n", "line 1"),
    ],
)
def test_what_is_no_recipe_at_all_is_refused(content: bytes, path: str) -> None:
    with pytest.raises(RecipeError) as caught:
        validate_recipe(content, where="app.yaml")
    assert caught.value.data["path"] == path


def test_an_artifact_that_is_not_there_is_named(tmp_path: Path) -> None:
    own = tmp_path / "com.example.app" / "1.2.0"
    own.mkdir(parents=True)
    (own / "app.zip").write_bytes(b"")

    with pytest.raises(RecipeError, match=r"Artifacts\[1\]\.Uri: there is no file .*plain\.txt"):
        validate_recipe(GOOD.encode(), where="app.yaml", artifacts=tmp_path)
    (own / "plain.txt").write_bytes(b"")
    validate_recipe(GOOD.encode(), where="app.yaml", artifacts=tmp_path)


def test_a_recipe_file_must_be_named_as_a_local_deployment_looks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(GOOD)

    with pytest.raises(RecipeError, match=r"looks for it as com\.example\.app-1\.2\.0\.yaml"):
        read_recipe(path)
    assert read_recipe(path.rename(tmp_path / "com.example.app-1.2.0.yaml"))


def test_a_missing_recipe_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"cannot read the recipe .*No such file"):
        read_recipe(tmp_path / "a-1.0.0.yaml")


def test_a_template_quotes_what_it_is_given(tmp_path: Path) -> None:
    template = tmp_path / "t.j2"
    template.write_text("ComponentDescription: {{ text | tojson }}\n")

    content = render_recipe(template, {"text": 'a: "b" #c'})

    document = YAML(typ="safe", pure=True).load(content.decode())
    assert document == {"ComponentDescription": 'a: "b" #c'}


@pytest.mark.parametrize("text", ["{{ missing }}", "{% if %}"])
def test_a_wrong_template_is_refused(text: str, tmp_path: Path) -> None:
    template = tmp_path / "t.j2"
    template.write_text(text)

    with pytest.raises(RecipeError, match=r"t\.j2 cannot be filled"):
        render_recipe(template, {})
