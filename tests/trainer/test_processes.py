"""Several processes that train one model: real ones, on the processor."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from trainer.checkpoint import read_checkpoint
from trainer.config import TrainSettings
from trainer.processes import Processes, join_processes
from trainer.train import train
from trainer.training_state import TrainingState, TrainingStateStore

# A hook that Python reads at its start, in every process: it changes a module once it is loaded.
CHANGING = """
import importlib.abc, importlib.machinery, sys

class Changing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "{module}":
            return None
        sys.meta_path.remove(self)
        found = importlib.machinery.PathFinder.find_spec(name, path)
        load = found.loader.exec_module

        def exec_module(module):
            load(module)
            change(module)

        found.loader.exec_module = exec_module
        return found

{change}
sys.meta_path.insert(0, Changing())
"""
# The loss of step 6 is no number.
SPOIL = """
def change(module):
    compute = module.BatchGradient.compute

    def spoiled(self, rows, *, step):
        loss = compute(self, rows, step=step)
        return float("nan") if step == 6 else loss

    module.BatchGradient.compute = spoiled
"""
# A state after each pass, and not only twice a minute.
SAVE_OFTEN = """
def change(module):
    fit = module.fit
    module.fit = lambda *rest, **named: fit(*rest, **(named | {"save_every_s": 0.0}))
"""
ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")


def test_without_a_launcher_a_process_is_alone_and_its_words_and_sums_are_its_own() -> None:
    alone = join_processes("cpu")
    assert (alone.device, alone.index, alone.count, alone.is_main) == (CPU, 0, 1, True)
    assert alone.hear("go") == "go"
    assert torch.equal(alone.sum(torch.ones(2)), torch.ones(2))
    assert alone.share(range(5)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("rank", "code"), [("1", 1), (None, -signal.SIGABRT)])
def test_a_told_error_of_a_launched_process_does_not_become_an_abort(
    rank: str | None, code: int
) -> None:
    # As threads of a process group do now and then at the interpreter's end.
    script = (
        "import atexit, os\n"
        "from trainer.launching import ending_launched_process\n"
        "atexit.register(os.abort)\n"
        "with ending_launched_process():\n"
        "    print('told')\n"
        "    raise SystemExit(1)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "RANK"}
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment | ({"RANK": rank} if rank else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code
    assert ended.stdout == "told\n" or rank is None


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_item_is_in_one_share_and_shares_are_even(count: int) -> None:
    shares = [Processes(CPU, index=index, count=count).share(range(11)) for index in range(count)]
    assert sorted(item for share in shares for item in share) == list(range(11))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def start_training(
    line: Any, folder: Path, base: Path, *, processes: int, **settings: object
) -> subprocess.Popen[str]:
    """Run ``inv train`` as a user would, in a session of its own."""
    arguments = [
        *("train", f"--dataset={line.dataset}", f"--folder={folder}", f"--base-model={base}"),
        *(f"--processes={processes}", "--json"),
    ]
    return start_task(arguments, folder.parent, **settings)


def start_task(arguments: list[str], current: Path, **settings: object) -> subprocess.Popen[str]:
    return start(
        [sys.executable, "-m", "invoke", f"--search-root={ROOT}", *arguments],
        current,
        **settings,
    )


def start(command: list[str], current: Path, **settings: object) -> subprocess.Popen[str]:
    environment = {f"EDGEWISE_TRAIN_{name.upper()}": str(one) for name, one in settings.items()}
    return subprocess.Popen(
        command,
        cwd=current,
        env={
            **os.environ,
            "EDGEWISE_TRAIN_DEVICE": "cpu",
            "EDGEWISE_TRAIN_THREADS": "1",
            "EDGEWISE_TRAIN_PRECISION": "fp32",
            "EDGEWISE_TRAIN_EPOCHS": "2",
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@contextlib.contextmanager
def changing(module: str, change: str, *, place: Path) -> Iterator[None]:
    """Let every Python that starts meanwhile change a module."""
    hook = CHANGING.replace("{module}", module).replace("{change}", change)
    (place / "sitecustomize.py").write_text(hook)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(place), str(ROOT)]))
        yield


def finish(training: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = training.communicate(timeout=300)
    assert training.returncode == 0, err
    (line,) = out.splitlines()
    result: dict[str, Any] = json.loads(line)
    return result


def workers_of(training: subprocess.Popen[str]) -> dict[int, int]:
    """The number of each process of a training -> its process id."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == training.pid:
            found |= {
                int(one.removeprefix(b"RANK=")): int(folder.name)
                for one in variables
                if one.startswith(b"RANK=")
            }
    return found


def assert_same_head(one: Path, two: Path) -> None:
    """The weights, and what out-of-scope scores need of the training texts' embeddings."""
    heads = [dict(np.load(place / "head.npz")) for place in (one, two)]
    assert {"whitening", "whitened_means", "neighbours"} <= heads[0].keys() == heads[1].keys()
    for name, array in heads[0].items():
        room = 1e-2 * np.abs(array.astype(np.float32)).max()
        np.testing.assert_allclose(heads[1][name], array, rtol=0, atol=room, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "steps", "share"),
    # Two passes of three steps; with twelve a look comes after two passes of four.
    [("full", 6, 0.0), ("lora", 6, 0.0), ("full", 12, 0.35)],
)
def test_two_processes_train_what_one_trains(
    tiny_line,
    tiny_train_settings: TrainSettings,
    still_base_model: Path,
    tmp_path: Path,
    method: str,
    steps: int,
    share: float,
) -> None:
    # Batches of 50 are not the same for both, and the last of 20 is smaller.
    settings = {
        "batch_size": 50,
        "method": method,
        "learning_rate": 1e-4,
        "initial_share": share,
        "minimum_steps": steps,
    }
    own = {"base_model": str(still_base_model), "precision": "fp32", "epochs": 2}
    alone = train(
        tiny_line.dataset,
        tmp_path / "one",
        settings=msgspec.structs.replace(tiny_train_settings, **own, **settings),
    )
    one = alone.document.result
    two = finish(
        start_training(tiny_line, tmp_path / "two", still_base_model, processes=2, **settings)
    )
    # Nothing is left of either; the record of the second lies in build.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["build", "one", "two"]
    assert (two["epochs"], two["best_epoch"]) == (one["epochs"], one["best_epoch"])
    assert two["last_epoch_loss"] == pytest.approx(one["last_epoch_loss"], abs=1e-4)
    weights = [load_file(tmp_path / name / "weights.safetensors") for name in ("one", "two")]
    for name, tensor in weights[0].items():
        assert torch.allclose(tensor, weights[1][name], atol=1e-4), name
    assert_same_head(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
def test_what_one_process_made_is_up_to_date_for_two(
    tiny_line, tiny_base_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    one, two = (
        finish(start_training(tiny_line, folder, tiny_base_model, processes=count, minimum_steps=4))
        for count in (1, 2)
    )
    assert (one["skipped"], two["skipped"]) == (False, True)
    assert two["history"] == one["history"]


@pytest.mark.slow
def test_two_processes_make_the_mean_of_several_trainings(
    tiny_line, tiny_base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEWISE_SOUP_TRAININGS", "2")
    folder = tmp_path / "checkpoint"
    first, again = (
        finish(start_training(tiny_line, folder, tiny_base_model, processes=2, minimum_steps=4))
        for _ in range(2)
    )
    assert (first["skipped"], again["skipped"]) == (False, True)
    assert len(first["trainings"]) == 2
    mean, *single = (
        load_file(place / "weights.safetensors")
        for place in (folder, *sorted((tmp_path / "checkpoint.trainings").iterdir()))
    )
    for name, tensor in mean.items():
        both = torch.stack([one[name] for one in single])
        assert torch.allclose(tensor, both.mean(0), atol=1e-7), name
    # One process alone makes the same of these trainings: what the texts lie like in the head.
    alone = tmp_path / "alone"
    shutil.copytree(tmp_path / "checkpoint.trainings", tmp_path / "alone.trainings")
    finish(start_training(tiny_line, alone, tiny_base_model, processes=1, minimum_steps=4))
    assert_same_head(folder, alone)


# There is no room for the mean, in the one process that writes it.
NO_ROOM = """
def change(module):
    def refuse(*rest, **named):
        raise OSError(28, "No space left on device")

    module.save_model = refuse
"""


@pytest.mark.slow
def test_a_mean_that_cannot_be_written_ends_every_process_with_a_line(
    tiny_line, tiny_base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEWISE_SOUP_TRAININGS", "2")
    with changing("trainer.mean_weights", NO_ROOM, place=tmp_path):
        training = start_training(
            tiny_line, tmp_path / "made", tiny_base_model, processes=2, minimum_steps=4
        )
    _, err = training.communicate(timeout=300)
    assert training.returncode == 1, err
    assert "disk is full" in err
    assert "Traceback" not in err
    assert not (tmp_path / "made").exists()
    assert len(list((tmp_path / "made.trainings").iterdir())) == 2


@pytest.mark.slow
def test_settings_that_cannot_be_are_told_before_any_process_starts(
    tiny_line, tiny_base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEWISE_SOUP_TRAININGS", "0")
    training = start_training(tiny_line, tmp_path / "made", tiny_base_model, processes=2)
    _, err = training.communicate(timeout=300)
    assert training.returncode == 1
    (line,) = err.splitlines()
    assert "soup.trainings" in line


def start_small_training(line: Any, folder: Path, base: Path) -> subprocess.Popen[str]:
    """Two processes, and a set that counts as small: 60 passes of two steps."""
    return start_training(line, folder, base, processes=2, minimum_steps=120)


@pytest.fixture(scope="module")
def undisturbed(
    tiny_line, tiny_base_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """The checkpoint of ``start_small_training``, and what the task said; not to be changed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "checkpoint"
    training = start_small_training(tiny_line, folder, tiny_base_model)
    out, err = training.communicate(timeout=300)
    assert training.returncode == 0, err
    assert "training 1/120 " in err
    return folder, json.loads(out)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_the_others_and_its_training_goes_on_to_the_same_bytes(
    tiny_line,
    tiny_base_model: Path,
    undisturbed: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    killed: int,
) -> None:
    folder, state = tmp_path / "made", tmp_path / "made.training" / "state.safetensors"
    with changing("trainer.fitting", SAVE_OFTEN, place=tmp_path):
        training = start_small_training(tiny_line, folder, tiny_base_model)
    try:
        deadline = time.monotonic() + 200
        while not state.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(workers_of(training)[killed], signal.SIGKILL)
        _, err = training.communicate(timeout=120)
    finally:
        if training.poll() is None:
            os.killpg(training.pid, signal.SIGKILL)
    assert training.returncode == 128 + signal.SIGKILL, err
    assert not folder.exists()
    deadline = time.monotonic() + 30
    while workers_of(training) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not workers_of(training)

    resumed = start_small_training(tiny_line, folder, tiny_base_model)
    out, err = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, err
    # It did not begin with the first step again.
    assert "training 1/120 " not in err
    whole, told = undisturbed
    assert json.loads(out)["history"] == told["history"]
    weights = [(one / "weights.safetensors").read_bytes() for one in (folder, whole)]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_an_error_that_the_user_can_mend_keeps_its_line_and_its_exit_code(
    tiny_line, tiny_base_model: Path, tmp_path: Path
) -> None:
    training = start_training(
        tiny_line,
        tmp_path / "checkpoint",
        tiny_base_model,
        processes=2,
        minimum_steps=4,
        max_tokens=500,
    )
    _, err = training.communicate(timeout=120)
    assert training.returncode == 1
    lines = {line for line in err.splitlines() if line.startswith("error: ")}
    assert len(lines) == 1
    assert "train.max_tokens is 500" in lines.pop()
    assert "Traceback" not in err


@pytest.mark.slow
def test_an_unfinished_training_of_other_settings_is_told_once_and_discarded_on_demand(
    first_state: TrainingState, tiny_line, tiny_base_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    TrainingStateStore(tmp_path / "checkpoint.training", inputs={"seed": 7}).save(first_state)
    refused = start_training(tiny_line, folder, tiny_base_model, processes=2, minimum_steps=4)
    _, err = refused.communicate(timeout=300)
    assert refused.returncode == 1
    # Both processes end with the same words.
    (line,) = {line for line in err.splitlines() if line.startswith("error: ")}
    assert "there is an unfinished training with other settings or data" in line
    arguments = [
        *("train", f"--dataset={tiny_line.dataset}", f"--folder={folder}", "--anew", "--json"),
        *(f"--base-model={tiny_base_model}", "--processes=2"),
    ]
    assert finish(start_task(arguments, tmp_path, minimum_steps=4))["intents"] == 6


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_told_once_and_leaves_the_weights_from_before(
    tiny_line, tiny_base_model: Path, tmp_path: Path
) -> None:
    with changing("trainer.gradients", SPOIL, place=tmp_path):
        failed = start_training(
            tiny_line, tmp_path / "checkpoint", tiny_base_model, processes=2, minimum_steps=8
        )
    _, err = failed.communicate(timeout=300)
    assert failed.returncode == 1
    (line,) = {line for line in err.splitlines() if line.startswith("error: ")}
    assert "the loss became nan at step 6 of 8, in epoch 3; the weights after epoch" in line
    kept = read_checkpoint(tmp_path / "checkpoint.last-good")
    assert kept.artifact.document.result["ended_early"]["step"] == 6
    assert not (tmp_path / "checkpoint").exists()


@pytest.mark.slow
def test_a_student_is_trained_by_two_processes_and_told_once(tiny_line, tmp_path: Path) -> None:
    teacher = tmp_path / "teacher"
    shutil.copytree(tiny_line.checkpoint, teacher)
    arguments = [
        *("train.student", f"--teacher={teacher}", f"--dataset={tiny_line.dataset}"),
        *(f"--folder={tmp_path / 'student'}", "--tier=static", "--json"),
    ]
    environment = {"EDGEWISE_DISTILLATION_STATIC_WIDTH": "16", "EDGEWISE_DISTILLATION_EPOCHS": "2"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        two, again = (
            finish(start_task([*arguments, f"--processes={count}"], tmp_path, minimum_steps=4))
            for count in (2, 1)
        )
    assert (two["intents"], two["skipped"], again["skipped"]) == (6, False, True)
    assert read_checkpoint(tmp_path / "student").configuration["num_hidden_layers"] == 0


@pytest.mark.slow
def test_the_command_in_the_documentation_trains_on_two_machines(
    tiny_line, tiny_base_model: Path, tmp_path: Path
) -> None:
    """Two launchers on this machine that meet by its own address, each with one process."""
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^(accelerate launch (?:.*\\\n)*.*)$", page, flags=re.MULTILINE)
    words = command.replace("\\\n", " ").split()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    own = {
        "accelerate": str(Path(sys.executable).with_name("accelerate")),
        "8": "2",
        "10.0.0.1": "127.0.0.1",
        "29500": str(port),
        "DATASET": str(tiny_line.dataset),
        "FOLDER": str(tmp_path / "checkpoint"),
    }
    # What it asks for is a project's folder: here edgewise's own, with nothing recorded in it.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEWISE_TRACK_ENABLED", "false")
        launched = []
        for rank in "01":
            replaced = [own.get(word, word) for word in words]
            replaced[replaced.index("--machine_rank") + 1] = rank
            launched.append(
                start([*replaced, "--json"], ROOT, minimum_steps=4, base_model=tiny_base_model)
            )
        try:
            told = [one.communicate(timeout=300) for one in launched]
        finally:
            for one in launched:
                if one.poll() is None:
                    os.killpg(one.pid, signal.SIGKILL)
    assert [one.returncode for one in launched] == [0, 0], told
    # The first machine's process writes and speaks; the other one's says nothing.
    assert json.loads(told[0][0])["intents"] == 6
    assert told[1][0] == ""
    assert read_checkpoint(tmp_path / "checkpoint").labels
