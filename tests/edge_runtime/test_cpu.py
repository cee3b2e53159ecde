from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.cpu import CAPABILITIES, capabilities


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("flags\t\t: fpu sse2 avx2 avx512_vnni\n", {"int8-dot"}),
        ("flags\t\t: fpu sse2 avx2 avx_vnni\n", {"int8-dot"}),
        ("Features\t: fp asimd asimddp\n", {"int8-dot"}),
        ("flags\t\t: fpu sse2 avx2\n", set()),
        ("model name\t: avx512_vnni\n", set()),
        ("", set()),
    ],
)
def test_capabilities_are_read_from_the_flags(
    tmp_path: Path, cpuinfo: str, expected: set[str]
) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(cpuinfo, encoding="utf-8")
    assert capabilities(path) == expected


def test_a_machine_that_does_not_tell_has_none(tmp_path: Path) -> None:
    assert capabilities(tmp_path / "nowhere") == frozenset()


def test_this_machine_has_only_known_capabilities() -> None:
    assert capabilities() <= set(CAPABILITIES)
