"""Where the checkout lies that the tasks belong to.

Results go below the current directory; what is packed or applied comes from here, so that
the tasks work from any directory.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["CHECKOUT"]

CHECKOUT = Path(__file__).resolve().parents[4]
"""The root of the checkout; the tasks run from an editable install only."""
