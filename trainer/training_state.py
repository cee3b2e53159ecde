"""The state of an unfinished training on disk, so that one that was killed goes on.

One safetensors file, replaced atomically: tensors by name, everything else as JSON in its
metadata. No pickle, so reading one runs no code.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from edge_runtime.storage import JSON_ERRORS, canonical_json
from trainer.errors import ResumeError, TrainingError

__all__ = ["EpochRecord", "TrainingState", "TrainingStateStore"]

_FILE = "state.safetensors"
_TENSOR_GROUPS = ("weights", "average", "best")


class EpochRecord(msgspec.Struct, frozen=True):
    """What a look at the model gave, after a pass."""

    epoch: int
    """The pass, from 1."""
    loss: float
    """Mean training loss of that pass."""
    validation_loss: float | None = None
    """Mean negative log-likelihood on validation; ``None`` without validation."""
    validation_accuracy: float | None = None
    """Share of validation utterances whose best intent is right, 0 to 1."""

    def is_better_than(self, other: EpochRecord) -> bool:
        """More right answers; of equals the surer; without validation the later."""
        if self.validation_accuracy is None or other.validation_accuracy is None:
            return True
        if self.validation_loss is None or other.validation_loss is None:
            return True
        mine = (self.validation_accuracy, -self.validation_loss)
        return mine > (other.validation_accuracy, -other.validation_loss)


class TrainingState(msgspec.Struct, frozen=True, eq=False):
    """Everything that the rest of a training depends on, at the end of a pass."""

    epoch: int
    step: int
    best_epoch: int
    batch_parts: int
    """In how many parts a batch is computed."""
    history: tuple[EpochRecord, ...]
    schedule: dict[str, Any]
    """The learning rate schedule's own state: numbers and texts."""
    optimizer: dict[str, Any]
    """The optimiser's own state."""
    weights: dict[str, Tensor]
    """What is trained, by name."""
    average: dict[str, Tensor]
    """Their running mean."""
    best: dict[str, Tensor]
    """The mean after the best pass."""


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    inputs: dict[str, Any]
    epoch: int
    step: int
    best_epoch: int
    batch_parts: int
    history: tuple[EpochRecord, ...]
    schedule: dict[str, Any]
    optimizer_groups: list[dict[str, Any]]


class TrainingStateStore:
    """Keeps the state of one training.

    Args:
        folder: its own; removed when the training is done.
        inputs: settings and digests that the training depends on. A state of others is of
            another training.
    """

    def __init__(self, folder: Path, *, inputs: Mapping[str, Any]) -> None:
        self.folder = folder
        self._inputs: dict[str, Any] = msgspec.json.decode(canonical_json(inputs))

    def difference(self) -> str | None:
        """Say what differs between the stored training and this one, in words.

        Returns:
            ``None`` when nothing is stored; empty when nothing differs.
        """
        document = self._document()
        if document is None:
            return None
        before, now = _flat(document.inputs), _flat(self._inputs)
        names = sorted(
            name for name in before.keys() | now.keys() if before.get(name) != now.get(name)
        )
        return ", ".join(
            f"{name} was {_short(before.get(name))}, is {_short(now.get(name))}" for name in names
        )

    def save(self, state: TrainingState) -> None:
        """Replace the stored state."""
        from safetensors.torch import save_file

        tensors = {
            f"{group}.{name}": tensor.detach().cpu().contiguous()
            for group in _TENSOR_GROUPS
            for name, tensor in getattr(state, group).items()
        }
        for number, values in state.optimizer["state"].items():
            for name, tensor in values.items():
                tensors[f"optimizer.{number}.{name}"] = tensor.detach().cpu().contiguous()
        document = _Document(
            inputs=self._inputs,
            epoch=state.epoch,
            step=state.step,
            best_epoch=state.best_epoch,
            batch_parts=state.batch_parts,
            history=state.history,
            schedule=state.schedule,
            optimizer_groups=state.optimizer["param_groups"],
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            save_file(
                tensors, self._begun, metadata={"document": canonical_json(document).decode()}
            )
            with self._begun.open("rb") as file:
                os.fsync(file.fileno())
            self._begun.replace(self.folder / _FILE)
        except BaseException:
            # Such as on a full disk: what was begun would only take more of it.
            self._remove_begun()
            raise

    def load(self, device: torch.device) -> TrainingState | None:
        """Return the stored state, ``None`` when there is none or it is another training's."""
        from safetensors import safe_open

        document = self._document()
        if document is None or self.difference():
            return None
        groups: dict[str, dict[str, Tensor]] = {group: {} for group in _TENSOR_GROUPS}
        optimizer: dict[int, dict[str, Tensor]] = {}
        with safe_open(self.folder / _FILE, framework="pt", device="cpu") as file:
            for key in file.keys():  # noqa: SIM118 - it is no mapping
                group, _, name = key.partition(".")
                tensor = file.get_tensor(key)
                if group in groups:
                    groups[group][name] = tensor.to(device)
                else:
                    number, _, name = name.partition(".")
                    optimizer.setdefault(int(number), {})[name] = tensor
        return TrainingState(
            epoch=document.epoch,
            step=document.step,
            best_epoch=document.best_epoch,
            batch_parts=document.batch_parts,
            history=document.history,
            schedule=document.schedule,
            optimizer={"state": optimizer, "param_groups": document.optimizer_groups},
            **groups,
        )

    def remove(self) -> None:
        """Forget what is stored, whatever it is of."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_own(self) -> None:
        """Forget the state of this training, which is done; one of another stays.

        What a process had begun to store when it was killed goes as well.
        """
        with contextlib.suppress(TrainingError):
            difference = self.difference()
            if difference == "":
                self.remove()
            elif difference is None:
                self._remove_begun()

    def _remove_begun(self) -> None:
        self._begun.unlink(missing_ok=True)
        # Whatever else lies there is not ours, or a whole state.
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    @property
    def _begun(self) -> Path:
        return self.folder / f"{_FILE}.partial"

    def _document(self) -> _Document | None:
        from safetensors import SafetensorError, safe_open

        path = self.folder / _FILE
        if self.folder.exists() and not self.folder.is_dir():
            raise TrainingError(
                f"{self.folder} is no folder, and the state of an unfinished training goes there; "
                "move it away, or train into another folder",
                folder=self.folder,
            )
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                metadata = file.metadata() or {}
            return msgspec.json.decode(metadata.get("document", ""), type=_Document)
        except (OSError, SafetensorError, *JSON_ERRORS) as error:
            raise ResumeError(
                f"the state of the unfinished training at {path} cannot be read ({error}); "
                f"delete {self.folder} to begin anew",
                folder=self.folder,
            ) from error


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted name -> leaf."""
    if not isinstance(value, dict):
        return {prefix: value}
    found: dict[str, Any] = {}
    for name, one in value.items():
        found |= _flat(one, f"{prefix}.{name}" if prefix else name)
    return found


def _short(value: Any) -> str:
    """A value in words; of a digest its first digits."""
    is_digest = isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value)
    return repr(value[:12] if is_digest else value)
