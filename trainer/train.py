"""Training, on one page: dataset -> checkpoint, gone on with after a kill, in each process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.artifact import Artifact, produce_artifact
from edge_runtime.console import Progress, no_progress
from edge_runtime.storage import absolute
from trainer.config import TrainSettings
from trainer.errors import ResumeError, TrainingError
from trainer.last_good import keep_last_good, remove_last_good, tell_failure
from trainer.launching import is_launched
from trainer.model_training import Work, train_model
from trainer.observer import NoObserver, TrainingObserver
from trainer.training_inputs import find_inputs

if TYPE_CHECKING:
    from trainer.processes import Processes
    from trainer.teaching import Teaching
    from trainer.training_state import TrainingStateStore

__all__ = ["KIND", "state_folder", "train"]

KIND = "checkpoint"
"""Of the artifact that a training makes."""
SAVE_EVERY_S = 30.0


def train(
    dataset_folder: Path,
    folder: Path,
    *,
    settings: TrainSettings,
    teaching: Teaching | None = None,
    anew: bool = False,
    save_every_s: float = SAVE_EVERY_S,
    observer: TrainingObserver | None = None,
    progress: Progress = no_progress,
) -> Artifact:
    """Fine-tune the base model, or a student of a teacher, on a dataset and write a checkpoint.

    A training that was killed goes on from its last state, which lies beside ``folder`` in
    ``<folder>.training``, and ends with the same bytes as one that was not. A state of other
    settings or other data is refused, unless ``anew`` says that it may be lost.

    A training whose loss is not finite any more fails, and leaves the best weights from before as
    a checkpoint in ``<folder>.last-good``. Its document's ``ended_early`` says where it ended.

    Under ``accelerate launch`` every process calls this with the same arguments. The main
    process alone writes; the others need the dataset and the base model, and get its result.

    Args:
        dataset_folder: made by ``build_dataset``.
        folder: the checkpoint to write; skipped when it is up to date.
        settings: see ``TrainSettings``; a student takes no base model and no method from it.
        teaching: trains a small student of this teacher, in place of the base model.
        anew: discard the state of an unfinished training, whatever it is of.
        save_every_s: seconds between two states, at least; at the end of a pass.
        observer: watches the training, such as ``trainer.tracking``'s record of it.
        progress: told each step.

    Raises:
        ArtifactError: the dataset is missing or damaged.
        BaseModelError: the base model cannot be found or loaded.
        ResumeError: there is the state of an unfinished training with other settings or data, or
            one that cannot be read.
        SettingsError: more tokens are asked for than the base model reads, or a text of the
            dataset is longer than the model takes.
        StorageError: the disk is full, or ``folder`` cannot be written or holds something else.
        TrainingError: the loss is not finite, the GPU's memory is too small, there is no GPU
            where one is asked for, another process of the training is gone, or the teacher was
            trained on other intents or would be replaced.
    """
    folder = absolute(folder)
    inputs = find_inputs(dataset_folder, folder, settings=settings, teaching=teaching)
    settings = inputs.train_settings
    work = Work(inputs.dataset, inputs.base, settings, teaching, progress)
    # Alone, nothing heavy is loaded before it is known that there is something to do.
    launched = _join(settings) if is_launched() else None
    if launched is not None and not launched.is_main:
        return _follow(work, launched)
    begun = False

    def open_store(processes: Processes) -> TrainingStateStore:
        from trainer.devices import choose_precision
        from trainer.training_state import TrainingStateStore

        of_state = {
            "settings": inputs.settings,
            "processes": processes.count,
            "revision": inputs.revision,
            # What "auto" stands for here: on another machine it may be something else.
            "device": processes.device.type,
            "precision": choose_precision(settings.precision, processes.device),
        }
        return TrainingStateStore(state_folder(folder), inputs={**of_state, **inputs.parents})

    def make(partial: Path) -> dict[str, Any]:
        nonlocal begun
        processes = launched or _join(settings)
        store = open_store(processes)
        try:
            resumed = _choose_start(store, anew=anew)
        except TrainingError as error:
            processes.hear(error)
            raise
        watching = observer or NoObserver()
        watching.begin({"settings": inputs.settings, **inputs.parents}, resumed=resumed)
        begun = processes.hear(True)
        outcome = train_model(
            work,
            processes,
            folder=partial,
            store=store,
            save_every_s=save_every_s,
            observer=watching,
        )
        if outcome.failure is not None:
            kept = None
            if outcome.result:
                kept = keep_last_good(
                    partial,
                    folder,
                    kind=KIND,
                    revision=inputs.revision,
                    settings=inputs.settings,
                    parents=inputs.parents,
                    result=outcome.result,
                    failure=outcome.failure,
                )
            # It would only lead to the same failure again.
            store.remove()
            message = tell_failure(outcome.failure, work, kept=kept, checkpoint=folder, kind=KIND)
            raise processes.hear(TrainingError(message, **outcome.failure.data))
        return outcome.result

    artifact = produce_artifact(
        folder,
        kind=KIND,
        revision=inputs.revision,
        settings=inputs.settings,
        parents=inputs.parents,
        make=make,
    )
    if not artifact.skipped:
        remove_last_good(folder, kind=KIND)
    if state_folder(folder).exists():
        # Only now: until the checkpoint stood in its place, the state was all there was.
        open_store(launched or _join(settings)).remove_own()
    if launched is not None:
        if not begun:
            launched.hear(False)
        launched.hear(artifact)
    return artifact


def _join(settings: TrainSettings) -> Processes:
    from trainer.processes import join_processes

    return join_processes(settings.device)


def _follow(work: Work, processes: Processes) -> Artifact:
    """Train along with the main process, which reads and writes for all."""
    word = processes.hear()
    if word is True:
        outcome = train_model(work._replace(progress=no_progress), processes)
        if outcome.failure is not None:
            word = processes.hear()
    if isinstance(word, TrainingError):
        # The main process fails likewise, and has written what there was.
        raise word
    artifact: Artifact = processes.hear()
    return artifact


def state_folder(folder: Path) -> Path:
    """Where the state of an unfinished training into this folder lies."""
    return folder.with_name(f"{folder.name}.training")


def _choose_start(store: TrainingStateStore, *, anew: bool) -> bool:
    """Keep the state of a killed training (then true), or clear it away, or refuse."""
    if anew:
        store.remove()
    difference = store.difference()
    if difference:
        raise ResumeError(
            f"there is an unfinished training with other settings or data at {store.folder}: "
            f"{difference}; give it the same ones to go on, or delete that folder to discard it",
            folder=store.folder,
            difference=difference,
        )
    return difference == ""
