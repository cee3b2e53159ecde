"""Where the tags of services lie for which moto has none."""

from __future__ import annotations

from typing import Any

__all__ = ["tag_new", "tags_of"]


def tags_of(backend: Any) -> Any:
    """Return the ``TaggingService`` of a moto backend, made when it is first asked for.

    It lies in the backend's own dictionary, so that a reset of moto forgets the tags too.
    """
    from moto.utilities.tagging_service import TaggingService

    return vars(backend).setdefault("edgewise_tags", TaggingService())


def tag_new(backend: Any, arn: str, tags: list[dict[str, str]]) -> None:
    """Tag what was just made; tags of an earlier one of the same name are forgotten."""
    kept = tags_of(backend)
    kept.delete_all_tags_for_resource(arn)
    kept.tag_resource(arn, tags)
