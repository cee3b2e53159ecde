"""Both components, built with their real wheels, started as their recipes say, and asked."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.errors import ArtifactError
from greengrass_components.component import build_components, read_components
from greengrass_components.config import load_component_settings
from greengrass_components.errors import NucleusError
from greengrass_components.local_nucleus import LocalNucleus, State
from greengrass_components.local_nucleus_trial import free_port, run_components, wait_until_serving

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def real_component(built_tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle's components, built once with the wheels of the package registry."""
    return build_components(
        built_tiny_bundle,
        tmp_path_factory.mktemp("real") / "component",
        settings=load_component_settings(),
        project=ROOT,
        # Where the tasks keep them as well, so that they are fetched once.
        cache=ROOT / "build" / "cache" / "wheels",
    ).folder


@pytest.fixture
def serving(real_component: Path, tmp_path: Path) -> Iterator[tuple[LocalNucleus, str, int]]:
    """A nucleus with both components deployed, the runtime's name and its port."""
    runtime = read_components(real_component)[0].name
    port = free_port()
    with LocalNucleus(tmp_path / "nucleus") as nucleus:
        nucleus.deploy(real_component, configuration={runtime: {"port": str(port)}})
        wait_until_serving(nucleus, runtime, port=port, timeout_s=60)
        yield nucleus, runtime, port


@pytest.mark.parametrize(
    ("text", "intent"), [("lights on", "lights_on"), ("play a song", "play_music")]
)
def test_the_component_answers(
    text: str, intent: str, real_component: Path, tmp_path: Path
) -> None:
    result = run_components(real_component, text=text, root=tmp_path / "nucleus")

    assert result.answer["text"] == text
    assert result.answer["intent"] == intent
    assert (result.name, result.version) == (
        read_components(real_component)[1].name,
        read_components(real_component)[1].version,
    )


def test_an_out_of_scope_question_gets_no_intent(real_component: Path, tmp_path: Path) -> None:
    result = run_components(real_component, text="open the door", root=tmp_path / "nucleus")

    assert result.answer["out_of_scope"]
    assert result.answer["intent"] is None


def test_without_a_question_the_first_golden_sample_is_asked(
    real_component: Path, built_tiny_bundle: Path, tmp_path: Path
) -> None:
    result = run_components(real_component, root=tmp_path / "nucleus")

    first = json.loads((built_tiny_bundle / "golden.jsonl").read_text().splitlines()[0])
    assert (result.answer["text"], result.answer["intent"]) == (first["text"], first["intent"])


def test_a_question_that_the_runtime_refuses_is_one_clear_line(
    real_component: Path, tmp_path: Path
) -> None:
    with pytest.raises(NucleusError, match="refuses the question: the text is empty"):
        run_components(real_component, text=" ", root=tmp_path / "nucleus")


def test_nothing_but_the_runtimes_own_packages_is_loaded(
    serving: tuple[LocalNucleus, str, int],
) -> None:
    nucleus, runtime, _ = serving
    mapped = Path(f"/proc/{nucleus.process_id(runtime)}/maps").read_text()
    libraries = {line.split()[-1] for line in mapped.splitlines() if ".so" in line.split()[-1]}

    site = str(nucleus.unarchived(runtime))
    packages = {
        Path(library).relative_to(site).parts[2]
        for library in libraries
        if library.startswith(site)
    }
    assert packages == {"msgspec", "numpy", "numpy.libs", "onnxruntime", "tokenizers"}
    assert not any("torch" in library for library in libraries)
    assert not any("/.venv/" in library for library in libraries)


def test_the_port_may_come_as_text_as_on_nucleus_lite(
    serving: tuple[LocalNucleus, str, int],
) -> None:
    nucleus, runtime, port = serving
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/healthz", timeout=20) as response:
        assert json.load(response)["status"] == "serving"
    assert nucleus.state(runtime) is State.RUNNING


def test_the_engine_leaves_no_trace_of_telemetry(real_component: Path, tmp_path: Path) -> None:
    run_components(real_component, root=tmp_path / "nucleus")

    work = tmp_path / "nucleus" / "work"
    names = {path.name for path in work.rglob("*")}
    assert not names & {".cache", "Microsoft", "deviceid"}


def test_stopping_leaves_no_process(real_component: Path, tmp_path: Path) -> None:
    run_components(real_component, root=tmp_path / "nucleus")

    root = str(tmp_path)
    commands = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            commands.append(path.read_bytes().decode(errors="replace"))
        except OSError:
            continue
    assert not [command for command in commands if root in command]


def test_a_damaged_component_is_not_started(real_component: Path, tmp_path: Path) -> None:
    copy = tmp_path / "component"
    shutil.copytree(real_component, copy)
    archive = copy / read_components(copy)[1].artifacts[0]
    archive.write_bytes(archive.read_bytes()[:-1])

    with pytest.raises(ArtifactError, match=r"model\.zip is missing or changed"):
        run_components(copy, root=tmp_path / "nucleus")


def test_a_taken_port_is_told_with_the_runtimes_own_words(
    serving: tuple[LocalNucleus, str, int], real_component: Path, tmp_path: Path
) -> None:
    _, runtime, port = serving
    with (
        LocalNucleus(tmp_path / "second") as nucleus,
        pytest.raises(NucleusError, match=f"BROKEN.*cannot listen on 127.0.0.1:{port}"),
    ):
        deploy_and_wait(nucleus, real_component, runtime, port)


def deploy_and_wait(nucleus: LocalNucleus, folder: Path, runtime: str, port: int) -> None:
    nucleus.deploy(folder, configuration={runtime: {"port": port}})
    while nucleus.state(runtime) is not State.BROKEN:
        nucleus.wait_running(runtime, timeout_s=20)
    nucleus.wait_running(runtime, timeout_s=20)
