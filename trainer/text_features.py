"""TF-IDF features of words and letters, for what is compared with the model or looks at labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["TextFeatures", "TextVectors"]

# From so many texts on, what stands in one of them alone is left out: it tells nothing of others.
# In small sets nearly all does.
_LARGE = 1000


class TextVectors(NamedTuple):
    """Features of some texts, sparse."""

    words: Any
    """Of words and pairs of words, shape (texts, terms); no term where no text has a word of two
    characters."""
    letters: Any
    """Of letters within words, shape (texts, terms)."""

    def joined(self) -> Any:
        """Both side by side, each row at length one."""
        from scipy.sparse import hstack
        from sklearn.preprocessing import normalize

        return normalize(hstack([self.words, self.letters]).tocsr())


class TextFeatures:
    """What is learnt of training texts: their vocabulary, and how rare each term is.

    Args:
        training: the texts; at least one.
        letters: fewest and most letters in a row that make a feature.
    """

    def __init__(self, training: Sequence[str], *, letters: tuple[int, int]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        common: dict[str, Any] = {
            "sublinear_tf": True,
            "min_df": 2 if len(training) > _LARGE else 1,
        }
        self._words: Any = TfidfVectorizer(ngram_range=(1, 2), **common)
        self._letters: Any = TfidfVectorizer(analyzer="char_wb", ngram_range=letters, **common)
        try:
            words = self._words.fit_transform(training)
        except ValueError:  # no text has a word of two characters
            self._words, words = None, _nothing(len(training))
        self.training = TextVectors(words, self._letters.fit_transform(training))

    @property
    def words(self) -> list[str]:
        """The terms of ``TextVectors.words``, in the order of its columns."""
        return [] if self._words is None else [*self._words.get_feature_names_out()]

    @property
    def letters(self) -> list[str]:
        """The terms of ``TextVectors.letters``, in the order of its columns."""
        return [*self._letters.get_feature_names_out()]

    def of(self, texts: Sequence[str]) -> TextVectors:
        """Give the features of other texts."""
        words = _nothing(len(texts)) if self._words is None else self._words.transform(texts)
        return TextVectors(words, self._letters.transform(texts))


def _nothing(texts: int) -> Any:
    from scipy.sparse import csr_matrix

    return csr_matrix((texts, 0))
