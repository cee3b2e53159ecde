from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.artifact import produce_artifact
from edge_runtime.errors import ArtifactError
from greengrass_components.archive import pack
from greengrass_components.errors import NucleusError, RecipeError
from greengrass_components.local_nucleus import LocalNucleus, State
from greengrass_components.local_nucleus_trial import trial_root

APP = "com.example.app"
BASE = "com.example.base"
MAIN = "python3 {artifacts:decompressedPath}/app/main.py"
FOREVER = "import time\nprint('up', flush=True)\ntime.sleep(600)\n"
RECIPE = """\
RecipeFormatVersion: "2020-01-25"
ComponentName: NAME
ComponentVersion: "1.0.0"
ComponentConfiguration:
  DefaultConfiguration: {port: 8080, deep: {word: default, other: kept}}
DEPENDENCIES
Manifests:
  - Platform: {os: linux, runtime: "*"}
    Artifacts: [{Uri: s3://BUCKET_NAME/NAME/1.0.0/app.zip, Unarchive: ZIP}]
    Lifecycle:
STEPS
"""


class Components:
    """A folder of components, written step by step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts: list[tuple[str, str, dict[str, str]]] = []

    def add(
        self,
        name: str = APP,
        *,
        run: str = MAIN,
        install: str = "",
        extra: str = "",
        needs: str = "",
        files: Mapping[str, str] | None = None,
    ) -> Components:
        steps = f'      run:\n        Script: "{run}"\n{extra}'
        if install:
            steps = f"      install:\n{install}{steps}"
        dependencies = f"ComponentDependencies: {needs}" if needs else ""
        text = RECIPE.replace("NAME", name).replace("DEPENDENCIES", dependencies)
        # BUCKET_NAME holds NAME as well; any bucket will do.
        self._parts.append((name, text.replace("STEPS", steps), dict(files or {})))
        return self

    def write(self) -> Path:
        def make(folder: Path) -> dict[str, Any]:
            (folder / "recipes").mkdir()
            for name, recipe, files in self._parts:
                sources = folder / "sources"
                paths = {}
                for member, content in files.items():
                    paths[member] = sources / member
                    paths[member].parent.mkdir(parents=True, exist_ok=True)
                    paths[member].write_text(content)
                pack(paths, folder / "artifacts" / name / "1.0.0" / "app.zip")
                shutil.rmtree(sources, ignore_errors=True)
                (folder / "recipes" / f"{name}-1.0.0.yaml").write_text(recipe)
            return {}

        return produce_artifact(
            self.folder,
            kind="component",
            revision=1,
            settings={},
            parents={"recipes": str(self._parts)},
            make=make,
        ).folder


@pytest.fixture
def components(tmp_path: Path) -> Components:
    return Components(tmp_path / "component")


@pytest.fixture
def nucleus(tmp_path: Path) -> Iterator[LocalNucleus]:
    with LocalNucleus(tmp_path / "nucleus") as running:
        yield running


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process_id}/stat").read_text()
    return status.rpartition(")")[2].split()[0] != "Z"


def test_a_component_runs_in_its_work_folder_and_its_output_is_logged(
    components: Components, nucleus: LocalNucleus
) -> None:
    main = "import os, sys\nprint(os.getcwd())\nprint('to stderr', file=sys.stderr)\n"
    components.add(files={"main.py": main})
    nucleus.deploy(components.write())
    wait_for(lambda: nucleus.state(APP) is State.FINISHED)

    lines = nucleus.log(APP).read_text().splitlines()
    assert sorted(lines) == sorted([str(nucleus.work_folder(APP)), "to stderr"])


def test_a_script_gets_nothing_of_our_environment(
    components: Components, nucleus: LocalNucleus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("SECRET_OF_OURS", "x")
    main = "import os\nprint(' '.join(sorted(os.environ)))\n"
    components.add(files={"main.py": main}, extra="        Setenv: {OWN: 'at {work:path}'}\n")
    nucleus.deploy(components.write())
    wait_for(lambda: nucleus.state(APP) is State.FINISHED)

    # The interpreter itself may set LC_CTYPE, the shell PWD and its like.
    found = set(nucleus.log(APP).read_text().split()) - {"LC_CTYPE", "PWD", "OLDPWD", "SHLVL", "_"}
    assert found == {"AWS_IOT_THING_NAME", "HOME", "OWN", "PATH"}


def test_python3_is_this_interpreter_without_its_virtual_environment(
    components: Components, nucleus: LocalNucleus
) -> None:
    import sys

    components.add(files={"main.py": "import sys\nprint(sys.version_info[:2], sys.prefix)\n"})
    nucleus.deploy(components.write())
    wait_for(lambda: nucleus.state(APP) is State.FINISHED)

    assert nucleus.log(APP).read_text().strip() == f"{sys.version_info[:2]} {sys.base_prefix}"


def test_install_comes_before_run(components: Components, nucleus: LocalNucleus) -> None:
    files = {"install.py": "print('install', flush=True)", "main.py": FOREVER}
    script = "        Script: python3 {artifacts:decompressedPath}/app/install.py\n"
    components.add(install=script, files=files)
    nucleus.deploy(components.write())
    wait_for(lambda: "up" in nucleus.log(APP).read_text())

    assert nucleus.state(APP) is State.RUNNING
    assert nucleus.log(APP).read_text().split() == ["install", "up"]


def test_artifacts_are_unpacked_below_the_archive_name_and_read_only(
    components: Components, nucleus: LocalNucleus
) -> None:
    components.add(files={"main.py": "", "deep/data.txt": "x"})
    nucleus.deploy(components.write())

    folder = nucleus.unarchived(APP) / "app"
    assert (folder / "deep" / "data.txt").read_text() == "x"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]}
    assert modes == {0o444, 0o555}


def test_a_second_deployment_replaces_the_first(
    components: Components, nucleus: LocalNucleus
) -> None:
    components.add(files={"main.py": FOREVER})
    folder = components.write()
    nucleus.deploy(folder)
    first = nucleus.process_id(APP)
    nucleus.deploy(folder)

    second = nucleus.process_id(APP)
    assert first is not None
    assert second is not None
    assert not is_alive(first)
    assert is_alive(second)


def test_a_deployment_sets_configuration_over_the_defaults(
    components: Components, nucleus: LocalNucleus
) -> None:
    run = "echo {configuration:/port} {configuration:/deep/word} {configuration:/deep/other}"
    components.add(run=run, files={"x": ""})
    nucleus.deploy(components.write(), configuration={APP: {"port": "9", "deep": {"word": "new"}}})
    wait_for(lambda: nucleus.state(APP) is State.FINISHED)

    assert nucleus.log(APP).read_text() == "9 new kept\n"


def test_a_component_starts_after_those_that_it_needs(
    components: Components, nucleus: LocalNucleus
) -> None:
    # By name, the one that needs comes first.
    needs = f"{{{BASE}: {{VersionRequirement: ^1.0.0, DependencyType: HARD}}}}"
    components.add(APP, needs=needs, files={"main.py": FOREVER})
    components.add(BASE, files={"main.py": FOREVER})

    assert nucleus.deploy(components.write()) == (BASE, APP)
    nucleus.wait_running(timeout_s=10)
    assert nucleus.state(BASE) is nucleus.state(APP) is State.RUNNING


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        (
            "{com.example.none: {VersionRequirement: ^1.0.0, DependencyType: HARD}}",
            r"needs com\.example\.none \^1\.0\.0, the deployment has none",
        ),
        (
            f"{{{BASE}: {{VersionRequirement: ^2.0.0, DependencyType: HARD}}}}",
            r"needs com\.example\.base \^2\.0\.0, the deployment has version 1\.0\.0",
        ),
    ],
)
def test_a_dependency_that_is_missing_is_named(
    needs: str, message: str, components: Components, nucleus: LocalNucleus
) -> None:
    components.add(APP, needs=needs, files={"main.py": ""})
    components.add(BASE, files={"main.py": ""})

    with pytest.raises(NucleusError, match=message):
        nucleus.deploy(components.write())


def test_a_soft_dependency_may_be_missing(components: Components, nucleus: LocalNucleus) -> None:
    needs = "{com.example.none: {VersionRequirement: ^1.0.0, DependencyType: SOFT}}"
    components.add(APP, needs=needs, files={"main.py": ""})

    assert nucleus.deploy(components.write()) == (APP,)


def test_a_circle_of_dependencies_is_shown(components: Components, nucleus: LocalNucleus) -> None:
    for name, other in ((APP, BASE), (BASE, APP)):
        needs = f"{{{other}: {{VersionRequirement: ^1.0.0, DependencyType: HARD}}}}"
        components.add(name, needs=needs, files={"main.py": ""})

    with pytest.raises(NucleusError, match=rf"circle: {APP} -> {BASE} -> {APP}"):
        nucleus.deploy(components.write())


def test_a_failing_install_breaks_the_component_with_its_last_words(
    components: Components, nucleus: LocalNucleus
) -> None:
    script = "        Script: python3 {artifacts:decompressedPath}/app/install.py\n"
    files = {"install.py": "raise SystemExit('wrong device')", "main.py": FOREVER}
    components.add(install=script, files=files)

    with pytest.raises(NucleusError, match=rf"{APP} is BROKEN.*wrong device.*exit code 1"):
        nucleus.deploy(components.write())


def test_an_install_that_takes_too_long_is_stopped(
    components: Components, nucleus: LocalNucleus
) -> None:
    script = "        Script: python3 {artifacts:decompressedPath}/app/main.py\n"
    components.add(install=f"{script}        Timeout: 1\n", files={"main.py": FOREVER})

    with pytest.raises(NucleusError, match="took longer than 1 s and was stopped"):
        nucleus.deploy(components.write())


def test_a_component_that_dies_three_times_is_broken(
    components: Components, nucleus: LocalNucleus
) -> None:
    main = "import sys, time\nprint('try', flush=True)\ntime.sleep(0.2)\nsys.exit(7)\n"
    components.add(files={"main.py": main})
    nucleus.deploy(components.write())
    wait_for(lambda: nucleus.state(APP) is State.BROKEN)

    assert nucleus.log(APP).read_text().count("try\n") == 3
    with pytest.raises(NucleusError, match=r"BROKEN.*exit code 7"):
        nucleus.wait_running(APP, timeout_s=1)


def test_a_component_that_fails_once_is_tried_again(
    components: Components, nucleus: LocalNucleus
) -> None:
    main = (
        "import pathlib, sys, time\n"
        "mark = pathlib.Path('mark')\n"
        "if not mark.exists():\n"
        "    mark.touch()\n"
        "    sys.exit(1)\n"
        "print('second', flush=True)\n"
        "time.sleep(600)\n"
    )
    components.add(files={"main.py": main})
    nucleus.deploy(components.write())
    wait_for(lambda: "second" in nucleus.log(APP).read_text())

    assert nucleus.state(APP) is State.RUNNING


def test_stopping_asks_first_and_waits_for_the_answer(
    components: Components, tmp_path: Path
) -> None:
    main = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    time.sleep(0.5)\n"
        "    print('bye', flush=True)\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('up', flush=True)\n"
        "time.sleep(600)\n"
    )
    components.add(files={"main.py": main})
    with LocalNucleus(tmp_path / "nucleus") as nucleus:
        nucleus.deploy(components.write())
        log = nucleus.log(APP)
        wait_for(lambda: "up" in log.read_text())

    assert log.read_text() == "up\nbye\n"


def test_stopping_leaves_no_process_not_even_a_grandchild(
    components: Components, tmp_path: Path
) -> None:
    main = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal, time;"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)'])\n"
        "print(os.getpid(), child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    components.add(files={"main.py": main})
    with LocalNucleus(tmp_path / "nucleus") as nucleus:
        nucleus.deploy(components.write())
        wait_for(lambda: len(nucleus.log(APP).read_text().split()) == 2)
        process_ids = [int(word) for word in nucleus.log(APP).read_text().split()]
        assert all(is_alive(process_id) for process_id in process_ids)

    wait_for(lambda: not any(is_alive(process_id) for process_id in process_ids))


def test_an_error_in_the_block_stops_the_components_too(
    components: Components, tmp_path: Path
) -> None:
    components.add(files={"main.py": FOREVER})
    folder = components.write()
    process_ids = []

    def fail() -> None:
        with LocalNucleus(tmp_path / "nucleus") as nucleus:
            nucleus.deploy(folder)
            process_ids.append(nucleus.process_id(APP))
            raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        fail()
    assert process_ids[0] is not None
    assert not is_alive(process_ids[0])


def test_a_damaged_artifact_is_not_deployed(components: Components, nucleus: LocalNucleus) -> None:
    components.add(files={"main.py": ""})
    folder = components.write()
    path = folder / "artifacts" / APP / "1.0.0" / "app.zip"
    path.write_bytes(path.read_bytes() + b"x")

    with pytest.raises(ArtifactError, match=r"app\.zip is missing or changed"):
        nucleus.deploy(folder)


def test_a_broken_recipe_is_not_deployed(components: Components, nucleus: LocalNucleus) -> None:
    components.add(run="sleep {nope}", files={"main.py": ""})

    with pytest.raises(RecipeError, match="nope"):
        nucleus.deploy(components.write())


def test_configuration_of_an_unknown_component_is_refused(
    components: Components, nucleus: LocalNucleus
) -> None:
    components.add(files={"main.py": ""})

    with pytest.raises(NucleusError, match=r"configures com\.example\.typo"):
        nucleus.deploy(components.write(), configuration={"com.example.typo": {}})


def test_a_component_that_is_not_there_is_named(nucleus: LocalNucleus) -> None:
    with pytest.raises(NucleusError, match=r"no component com\.example\.app on this device"):
        nucleus.state(APP)


def test_a_root_that_a_script_would_have_to_quote_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NucleusError, match="have to quote"):
        LocalNucleus(tmp_path / "my nucleus")


def test_a_trial_below_a_folder_with_a_blank_runs_among_the_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    with trial_root(tmp_path / "plain") as root:
        assert root == tmp_path / "plain"
    wanted = tmp_path / "my models" / "nucleus"
    with pytest.raises(KeyboardInterrupt), trial_root(wanted) as first:
        (first / "left").touch()
        raise KeyboardInterrupt
    assert first.parent == tmp_path / "temporary"
    assert (first / "left").exists()
    with trial_root(wanted) as second:
        assert second == first
        assert not list(LocalNucleus(second).root.iterdir())
    assert not first.exists()
    assert not wanted.parent.exists()


def test_a_killed_nucleus_leaves_no_component_running() -> None:
    holder = textwrap.dedent(
        """
        import subprocess, sys, time
        from greengrass_components.local_nucleus_process import _ending_with_this_process
        child = subprocess.Popen(["sleep", "60"], start_new_session=True)
        with _ending_with_this_process(child.pid):
            print(child.pid, flush=True)
            time.sleep(60)
        """
    )
    nucleus = subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True)
    assert nucleus.stdout is not None
    component = int(nucleus.stdout.readline())

    nucleus.kill()
    nucleus.wait()
    nucleus.stdout.close()

    wait_for(lambda: not is_alive(component))
