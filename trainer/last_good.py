"""What is left of a training whose loss is not finite any more: a checkpoint, and plain words."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.artifact import Artifact, produce_artifact, read_artifact
from edge_runtime.errors import ArtifactError
from trainer.errors import NotFiniteError

if TYPE_CHECKING:
    from trainer.model_training import Work

__all__ = ["keep_last_good", "remove_last_good", "tell_failure"]


def keep_last_good(
    made: Path,
    folder: Path,
    *,
    kind: str,
    revision: int,
    settings: Mapping[str, Any],
    parents: Mapping[str, str],
    result: Mapping[str, Any],
    failure: NotFiniteError,
) -> Artifact:
    """Make a checkpoint of its own, ``<folder>.last-good``, of what a failed training has made.

    Args:
        made: the files of the checkpoint; they are moved.
        folder: where the checkpoint of the whole training would be.
        kind: of the artifact, as of the whole training's.
        revision: likewise.
        settings: likewise.
        parents: likewise.
        result: likewise.
        failure: why and where it ended; goes into the result as ``ended_early``.

    Raises:
        StorageError: the disk is full, or something else stands in the folder.
    """

    def make(partial: Path) -> dict[str, Any]:
        for path in made.iterdir():
            path.rename(partial / path.name)
        return {**result, "ended_early": {"reason": failure.message, **failure.data}}

    return produce_artifact(
        _place(folder),
        kind=kind,
        revision=revision,
        # So it is never taken for the finished checkpoint, wherever it is moved.
        settings={**settings, "ended_before_step": failure.data["step"]},
        parents=parents,
        make=make,
    )


def remove_last_good(folder: Path, *, kind: str) -> None:
    """Remove what an earlier training into this folder left, once a later one succeeded.

    Args:
        folder: the checkpoint's.
        kind: of the artifact.
    """
    with contextlib.suppress(ArtifactError):
        if "ended_early" in read_artifact(_place(folder), kind).document.result:
            shutil.rmtree(_place(folder))


def _place(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.last-good")


def tell_failure(
    failure: NotFiniteError, work: Work, *, kept: Artifact | None, checkpoint: Path, kind: str
) -> str:
    """Say where it ended, what is left and what to do.

    Args:
        failure: why and where.
        work: what was trained on what.
        kept: made by ``keep_last_good``; ``None`` when no step was good.
        checkpoint: where the checkpoint would be; an earlier training may have made one there.
        kind: of the artifact.
    """
    from trainer.optimization import name_of_rate

    words = [failure.message]
    if kept is None:
        words.append("nothing is kept, because no step came before")
        # And so no rate can be at fault.
        words.append(
            f"{work.base.name} itself gives such numbers: take another base model, or "
            "train.precision fp32"
        )
    else:
        epoch = kept.document.result["best_epoch"]
        when = f"after epoch {epoch}" if epoch else "from the steps before"
        words.append(f"the weights {when} are kept as a checkpoint in {kept.folder}")
        rate = (
            f"train.{name_of_rate(work.settings)}"
            if work.teaching is None
            else f"distillation.{work.teaching.name_of_rate}"
        )
        words.append(f"set {rate} lower")
    if (checkpoint / f"{kind}.json").is_file():
        words.append(f"the earlier checkpoint in {checkpoint} is untouched")
    return "; ".join(words)
