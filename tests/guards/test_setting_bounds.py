"""Numbers in the settings have bounds: JSON, in which they are kept, knows no infinity."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec import inspect

DOCS = Path(__file__).resolve().parents[2] / "docs"


def sections() -> list[tuple[str, type[msgspec.Struct]]]:
    """The sections that docs/settings.md lists, and what each is read into."""
    sys.path.insert(0, str(DOCS))
    try:
        spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(DOCS))
    return [(name, struct) for name, struct, _ in module.SECTIONS]


@pytest.mark.parametrize(("section", "struct"), sections())
def test_every_number_is_bounded_on_both_sides(section: str, struct: type[msgspec.Struct]) -> None:
    described = inspect.type_info(struct)
    assert isinstance(described, inspect.StructType)
    unbounded = [
        f"{section}.{field.name}"
        for field in described.fields
        for kind in (
            field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
        )
        if isinstance(kind, inspect.FloatType)
        and ((kind.ge is None and kind.gt is None) or (kind.le is None and kind.lt is None))
    ]
    assert unbounded == []
