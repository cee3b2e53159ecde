"""What a reader does with a row that it cannot read: raise, or tell and go on."""

from __future__ import annotations

from collections.abc import Callable

from trainer.errors import SourceFormatError

__all__ = ["Refuse", "raise_refusal"]

Refuse = Callable[[SourceFormatError], None]
"""Called with what is wrong with a row or a file; when it returns, reading goes on behind it."""


def raise_refusal(error: SourceFormatError) -> None:
    """Stop at the first thing that cannot be read.

    Raises:
        SourceFormatError: always, the one that is given.
    """
    raise error
