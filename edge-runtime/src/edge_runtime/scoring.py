"""From logits to an answer: probabilities, the out-of-scope score, the decision."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["Calibration", "in_scope_scores", "probabilities"]


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fitted on validation, for the variant it belongs to."""

    temperature: Annotated[float, msgspec.Meta(gt=0)]
    """Logits are divided by it before the softmax (Guo et al. 2017, arXiv 1706.04599)."""
    score: Literal["max-logit"]
    """Out-of-scope score; see ``in_scope_scores``."""
    threshold: float
    """A text whose score lies below it is out of scope. Same unit as the score."""


def probabilities(logits: NDArray[np.float32], calibration: Calibration) -> NDArray[np.float64]:
    """Calibrated class probabilities, shape (..., labels)."""
    scaled = np.asarray(logits, dtype=np.float64) / calibration.temperature
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return result


def in_scope_scores(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """How sure the model is that a text belongs to any intent, shape (...): the largest logit.

    Source: Hendrycks et al. 2022, "Scaling Out-of-Distribution Detection" (arXiv
    1911.11132). It needs no out-of-scope text and no memory on the device.
    """
    # In double precision, so that a comparison with a threshold is never rounded.
    result: NDArray[np.float64] = np.max(logits, axis=-1).astype(np.float64)
    return result
