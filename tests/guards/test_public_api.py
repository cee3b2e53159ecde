"""The public surface: every ``__all__`` is sorted and every name in it exists.

Sorted means constants, then classes, then functions, each by name.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import pytest

PACKAGES = ("compiler", "edge_runtime", "greengrass_components", "trainer")


def module_names() -> Iterator[str]:
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            continue
        yield package
        found = importlib.import_module(package)
        for info in pkgutil.walk_packages(found.__path__, prefix=f"{package}."):
            yield info.name


def place(name: str) -> tuple[bool, bool, str]:
    """What a public name is sorted by."""
    return not name.isupper(), not name[0].isupper(), name


@pytest.fixture(params=sorted(module_names()))
def module(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(request.param)


def test_the_public_names_are_sorted_and_exist(module: ModuleType) -> None:
    public = getattr(module, "__all__", [])
    assert list(public) == sorted(set(public), key=place)
    assert [name for name in public if not hasattr(module, name)] == []


def test_every_module_says_what_is_public(module: ModuleType) -> None:
    own = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]
    if own and not module.__name__.endswith("__main__"):
        assert hasattr(module, "__all__"), f"{module.__name__} has {own} and no __all__"


def test_the_device_promises_exactly_this() -> None:
    # What users of the runtime build on: a name that goes or comes is a change to announce.
    import edge_runtime

    assert edge_runtime.__all__ == [
        "Answer",
        "Bundle",
        "Candidate",
        "EdgeError",
        "IntentClassifier",
        "Manifest",
        "open_bundle",
    ]
