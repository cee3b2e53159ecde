"""CloudTrail: a trail can be deleted by its ARN, and one that is not there is an error."""

from __future__ import annotations

from typing import Any

__all__ = ["extend_trails"]


def extend_trails() -> None:
    """Mend DeleteTrail, which knows names alone and forgives every other."""
    from moto.cloudtrail.exceptions import TrailNotFoundException
    from moto.cloudtrail.models import CloudTrailBackend

    def delete_trail(backend: Any, name: str) -> None:
        short = name.rpartition("/")[2]
        if short not in backend.trails:
            raise TrailNotFoundException(backend.account_id, name)
        del backend.trails[short]

    setattr(CloudTrailBackend, "delete_trail", delete_trail)  # noqa: B010 - moto's type differs
