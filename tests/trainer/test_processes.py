"""Several processes that train one model: real ones, on the processor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from safetensors.torch import load_file

from trainer.config import TrainSettings
from trainer.processes import Processes, join_processes
from trainer.train import train

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")


def test_without_a_launcher_a_process_is_alone_and_its_words_and_sums_are_its_own() -> None:
    alone = join_processes("cpu")
    assert (alone.device, alone.index, alone.count, alone.is_main) == (CPU, 0, 1, True)
    assert alone.hear("go") == "go"
    assert torch.equal(alone.sum(torch.ones(2)), torch.ones(2))
    assert alone.share(range(5)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_item_is_in_one_share_and_shares_are_even(count: int) -> None:
    shares = [Processes(CPU, index=index, count=count).share(range(11)) for index in range(count)]
    assert sorted(item for share in shares for item in share) == list(range(11))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def start_training(
    line: Any, folder: Path, base: Path, *, processes: int, steps: int, **settings: object
) -> subprocess.Popen[str]:
    """Run ``inv train`` as a user would, in a session of its own."""
    environment = {f"EDGEWISE_TRAIN_{name.upper()}": str(one) for name, one in settings.items()}
    return subprocess.Popen(
        [sys.executable, "-m", "invoke", f"--search-root={ROOT}", "train",
         f"--dataset={line.dataset}",
         f"--folder={folder}", f"--base-model={base}", f"--processes={processes}", "--json"],
        cwd=folder.parent,
        env={
            **os.environ,
            "EDGEWISE_TRAIN_DEVICE": "cpu",
            "EDGEWISE_TRAIN_THREADS": "1",
            "EDGEWISE_TRAIN_PRECISION": "fp32",
            "EDGEWISE_TRAIN_EPOCHS": "2",
            "EDGEWISE_TRAIN_MINIMUM_STEPS": str(steps),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )  # fmt: skip


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


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "lora"])
def test_two_processes_train_what_one_trains(
    tiny_line,
    tiny_train_settings: TrainSettings,
    still_base_model: Path,
    tmp_path: Path,
    method: str,
) -> None:
    # Batches of 50 are not the same for both, and the last of 20 is smaller.
    settings = {"batch_size": 50, "method": method, "learning_rate": 1e-4}
    own = {"base_model": str(still_base_model), "precision": "fp32", "epochs": 2}
    alone = train(
        tiny_line.dataset,
        tmp_path / "one",
        settings=msgspec.structs.replace(tiny_train_settings, minimum_steps=6, **own, **settings),
    )
    one = alone.document.result
    two = finish(
        start_training(
            tiny_line, tmp_path / "two", still_base_model, processes=2, steps=6, **settings
        )
    )
    # Nothing is left of either; the record of the second lies in build.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["build", "one", "two"]
    assert (two["epochs"], two["best_epoch"]) == (one["epochs"], one["best_epoch"])
    assert two["last_epoch_loss"] == pytest.approx(one["last_epoch_loss"], abs=1e-4)
    weights = [load_file(tmp_path / name / "weights.safetensors") for name in ("one", "two")]
    for name, tensor in weights[0].items():
        assert torch.allclose(tensor, weights[1][name], atol=1e-4), name


@pytest.mark.slow
def test_what_one_process_made_is_up_to_date_for_two(
    tiny_line, tiny_base_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    one, two = (
        finish(start_training(tiny_line, folder, tiny_base_model, processes=count, steps=4))
        for count in (1, 2)
    )
    assert (one["skipped"], two["skipped"]) == (False, True)
    assert two["history"] == one["history"]


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_the_others_and_its_training_goes_on_later(
    tiny_line, tiny_base_model: Path, tmp_path: Path, killed: int
) -> None:
    folder = tmp_path / "checkpoint"
    training = start_training(tiny_line, folder, tiny_base_model, processes=2, steps=20_000)
    try:
        assert training.stderr is not None
        for line in training.stderr:
            if "training 1/" in line:
                break
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
    after = start_training(tiny_line, folder, tiny_base_model, processes=2, steps=4)
    assert finish(after)["intents"] == 6


@pytest.mark.slow
def test_an_error_that_the_user_can_mend_keeps_its_line_and_its_exit_code(
    tiny_line, tiny_base_model: Path, tmp_path: Path
) -> None:
    training = start_training(
        tiny_line, tmp_path / "checkpoint", tiny_base_model, processes=2, steps=4, max_tokens=500
    )
    _, err = training.communicate(timeout=120)
    assert training.returncode == 1
    lines = {line for line in err.splitlines() if line.startswith("error: ")}
    assert len(lines) == 1
    assert "train.max_tokens is 500" in lines.pop()
    assert "Traceback" not in err
