"""A dataset's texts against the longest one that a model takes: a device refuses longer ones."""

from __future__ import annotations

from edge_runtime.errors import SettingsError
from trainer.dataset import Dataset

__all__ = ["check_text_limit"]


def check_text_limit(dataset: Dataset, max_characters: int) -> None:
    """Refuse a dataset of which the model would refuse a text.

    Such a text would be learnt from and judged by, and could become a golden sample, although no
    device answers it.

    Args:
        dataset: normalised texts.
        max_characters: the longest text that the model takes.

    Raises:
        SettingsError: names both settings that bear on it.
    """
    splits = (dataset.train, dataset.validation, dataset.test)
    longest = max((len(text) for split in splits for text in split.texts), default=0)
    if longest > max_characters:
        raise SettingsError(
            f"a text of the dataset has {longest} characters, but the model takes at most "
            f"{max_characters}; train with a higher train.max_characters (its teacher too, for a "
            "student), or build the dataset with a lower data.max_characters",
            section="train",
            name="max_characters",
        )
