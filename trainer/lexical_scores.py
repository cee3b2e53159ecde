"""Out-of-scope scores of words and letters alone, to compare the model's scores with.

No bundle carries one: decision 9 says what they would gain, and how many bytes they would take.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainer.dataset import Split
from trainer.text_features import TextFeatures

__all__ = ["LexicalScore", "lexical_scores"]


class LexicalScore(msgspec.Struct, frozen=True):
    """One such score of some texts."""

    values: NDArray[np.float64]
    """Larger is surer to be in scope, shape (texts,)."""
    bytes: int
    """What it would add to a bundle: float16 weights and the vocabulary, deflated."""


def lexical_scores(training: Split, texts: Sequence[str]) -> dict[str, LexicalScore]:
    """Score texts by TF-IDF features of the training texts.

    ``lexical-margin`` is the largest margin of a linear support vector machine over words, pairs of
    words and two to five letters; ``lexical-words-margin`` is the same over words and their pairs;
    ``lexical-centroid`` is the cosine to the nearest mean of an intent, over all of the features.

    Args:
        training: of its utterances those in scope are learnt from, as by every model.
        texts: what is scored.

    Returns:
        By the names above. Where no training text has a word of two characters, words tell
        nothing: that score is 0 for every text.
    """
    training = training.in_scope()
    truth = np.unique(np.array(training.intents), return_inverse=True)[1]
    features = TextFeatures(training.texts, letters=(2, 5))
    seen, unseen = features.training, features.of(texts)
    known, new = seen.joined(), unseen.joined()
    both = [*features.words, *features.letters]
    return {
        "lexical-margin": _margin(known, truth, new, both),
        "lexical-words-margin": _margin(seen.words, truth, unseen.words, features.words),
        "lexical-centroid": _centroid(known, truth, new, both),
    }


def _margin(known: Any, truth: NDArray[np.int64], new: Any, names: list[str]) -> LexicalScore:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    if not names:
        return LexicalScore(np.zeros(new.shape[0]), 0)
    model = LinearSVC(random_state=1)
    with warnings.catch_warnings():
        # A margin that is not quite at its end is as good.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(known, truth)
    found = model.decision_function(new)
    # Of two intents there is one margin, for the second.
    values = np.abs(found) if found.ndim == 1 else found.max(axis=1)
    return LexicalScore(values, _bytes(names, model.coef_, model.intercept_))


def _centroid(known: Any, truth: NDArray[np.int64], new: Any, names: list[str]) -> LexicalScore:
    from scipy.sparse import csr_matrix
    from sklearn.preprocessing import normalize

    rows = np.arange(len(truth))
    chosen = csr_matrix((np.ones(len(truth)), (truth, rows)))
    means = normalize((chosen @ known).tocsr())
    values = (new @ means.T).max(axis=1).toarray()[:, 0]
    size = _bytes(names, means.data, means.indices.astype(np.int32), means.indptr.astype(np.int32))
    return LexicalScore(values.astype(np.float64), size)


def _bytes(names: list[str], *arrays: NDArray[Any]) -> int:
    parts = ["\n".join(names).encode()]
    for array in arrays:
        small = array if array.dtype.kind == "i" else array.astype(np.float16)
        parts.append(np.ascontiguousarray(small).tobytes())
    return sum(len(zlib.compress(part)) for part in parts)
