"""A teacher and what its students learn of it: an encoder to begin with, and its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from edge_runtime.artifact import Artifact, read_artifact
from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import ArtifactError
from edge_runtime.tokenization import Tokenizer
from trainer.checkpoint import Checkpoint, load_model
from trainer.config import DistillationSettings, TrainSettings
from trainer.errors import TrainingError
from trainer.examples import Examples
from trainer.inference import embeddings_of
from trainer.losses import Form, Lesson
from trainer.processes import Processes
from trainer.produced_together import produce_together
from trainer.scrambling import scramble
from trainer.students import make_student

__all__ = ["Teaching"]

_KIND = "teacher"
_REVISION = 1


class Teaching(NamedTuple):
    """A teacher, and how its student learns."""

    checkpoint: Checkpoint
    """The teacher."""
    settings: DistillationSettings

    def check(self, labels: tuple[str, ...]) -> None:
        """Check that the teacher knows the intents of a dataset, and no others.

        Raises:
            TrainingError: it was trained on other intents.
        """
        if other := sorted(set(self.checkpoint.labels) ^ set(labels)):
            raise TrainingError(
                f"the teacher {self.checkpoint.artifact.folder} and the dataset have not the same "
                f"intents: {other[0]!r} is in one alone ({len(other)} such); give a teacher that "
                "was trained on this dataset's intents",
                intents=other,
            )

    def check_place(self, folder: Path) -> None:
        """Check that a student does not go where its teacher or the teacher's answers are.

        Raises:
            TrainingError: it would replace them.
        """
        own = self.checkpoint.artifact.folder
        for place, what in ((own, "its teacher"), (self._answers, "its teacher's answers in")):
            if folder.resolve() == place.resolve():
                raise TrainingError(
                    f"the student would replace {what} {place}; give it another folder",
                    folder=folder,
                )

    @property
    def _answers(self) -> Path:
        folder = self.checkpoint.artifact.folder
        return folder.with_name(f"{folder.name}.logits")

    @property
    def name_of_rate(self) -> str:
        """Name of the setting in ``[distillation]`` that holds the student's learning rate."""
        return "static_learning_rate" if self.settings.tier == "static" else "learning_rate"

    def adapt(self, settings: TrainSettings) -> TrainSettings:
        """The student's own training: all of its weights, and the texts as the teacher sees them.

        Args:
            settings: of trainings without a teacher.
        """
        return msgspec.structs.replace(
            settings,
            method="full",
            epochs=self.settings.epochs,
            learning_rate=getattr(self.settings, self.name_of_rate),
            max_characters=self.checkpoint.text.max_characters,
            max_tokens=self.checkpoint.text.max_tokens,
        )

    def make_student(
        self, tokenizer: Tokenizer, *, device: torch.device, progress: Progress = no_progress
    ) -> Any:
        """Make the student's encoder from the teacher's.

        Args:
            tokenizer: the teacher's.
            device: where the teacher computes.
            progress: told each batch.

        Raises:
            TrainingError: the teacher cannot have such a student.
        """
        return make_student(
            load_model(self.checkpoint),
            self.settings.tier,
            tokenizer=tokenizer,
            static_width=self.settings.static_width,
            device=device,
            progress=progress,
        )

    def ask(
        self,
        training: Examples,
        tokenizer: Tokenizer,
        *,
        inputs: dict[str, str],
        processes: Processes,
        progress: Progress = no_progress,
    ) -> Lesson:
        """Ask the teacher about the training texts, and about scrambled forms of them.

        Its answers are computed once for all students and kept in ``<teacher>.logits``.

        Args:
            training: the texts, as the teacher's tokenizer divides them.
            tokenizer: the teacher's.
            inputs: what the texts come from; others are asked about again.
            processes: those that train together.
            progress: told each batch.

        Raises:
            StorageError: the answers cannot be written.
            TrainingError: another training put its own answers there meanwhile.
        """
        forms = [
            tokenizer.encode_many(scramble(training.texts, seed=number))
            for number in range(self.settings.scrambled_forms)
        ]

        def make(partial: Path | None) -> dict[str, Any]:
            model = load_model(self.checkpoint).to(processes.device)
            head = self.checkpoint.head()
            for number, rows in enumerate([training.token_ids, *forms]):
                embeddings = embeddings_of(
                    model,
                    rows,
                    padding_id=model.padding_id,
                    device=processes.device,
                    processes=processes,
                    progress=progress,
                )
                if partial is not None:
                    logits = head.logits(embeddings.numpy()).astype(np.float16)
                    np.save(partial / _file_of(number), logits, allow_pickle=False)
            return {"texts": len(training.labels)}

        made = produce_together(
            self._answers,
            processes=processes,
            kind=_KIND,
            revision=_REVISION,
            settings={"scrambled_forms": self.settings.scrambled_forms},
            parents={"checkpoint": self.checkpoint.artifact.digest, **inputs},
            make=make,
        )
        # Told and not read by each: other machines have no such folder.
        answers = processes.hear(None if made is None else _read(made, count=len(forms) + 1))
        logits, *others = (torch.from_numpy(one).float() for one in answers)
        return Lesson(
            logits=logits,
            weight=self.settings.teacher_weight,
            temperature=self.settings.temperature,
            forms=[Form(*one) for one in zip(forms, others, strict=True)],
        )


def _read(made: Artifact, *, count: int) -> list[NDArray[np.float16]]:
    """Read the answers, as they were made or found."""
    try:
        answers = [
            np.load(made.folder / _file_of(number), allow_pickle=False) for number in range(count)
        ]
        is_same = read_artifact(made.folder, _KIND).digest == made.digest
    except (OSError, ValueError, ArtifactError):
        is_same = False
    if not is_same:
        raise TrainingError(
            f"another training replaced the teacher's answers in {made.folder} while they were "
            "read; run this one again when the other has begun its passes",
            folder=made.folder,
        )
    return answers


def _file_of(number: int) -> str:
    """The teacher's logits: of the texts themselves (0), or of their forms."""
    return f"logits-{number}.npy"
