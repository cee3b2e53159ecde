"""An artifact that several processes make together, and one writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.artifact import Artifact, produce_artifact

if TYPE_CHECKING:
    from trainer.processes import Processes

__all__ = ["produce_together"]


def produce_together(
    folder: Path,
    *,
    processes: Processes | None,
    make: Callable[[Path | None], Mapping[str, Any]],
    kind: str,
    revision: int,
    settings: Mapping[str, Any],
    parents: Mapping[str, str],
) -> Artifact | None:
    """Let the main process fill a stage's folder, or skip it; the others share the work.

    Args:
        folder: see ``produce_artifact``, as for what is not told here.
        processes: every one of them calls this; ``None`` is this process alone.
        make: called in every process when there is something to do. It gets the folder to fill
            in the main process, and ``None`` in the others, whose result nobody reads.
        kind: the stage's name.
        revision: of the stage's code.
        settings: what the result depends on.
        parents: what is read -> SHA-256.

    Returns:
        The artifact; ``None`` in the other processes, which may have no such folder.

    Raises:
        StorageError: see ``produce_artifact``; in the main process.
        TrainingError: another process is gone.
    """
    if processes is not None and not processes.is_main:
        if processes.hear():
            make(None)
        return None
    begun = False

    def begin(partial: Path) -> Mapping[str, Any]:
        nonlocal begun
        begun = True
        if processes is not None:
            processes.hear(True)
        return make(partial)

    artifact = produce_artifact(
        folder, kind=kind, revision=revision, settings=settings, parents=parents, make=begin
    )
    if processes is not None and not begun:
        processes.hear(False)
    return artifact
