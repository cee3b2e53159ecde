"""What this machine's processor can do, in words that a manifest can require."""

from __future__ import annotations

import functools
import platform
from pathlib import Path

__all__ = ["CAPABILITIES", "capabilities"]

CAPABILITIES = ("int8-dot",)
"""``int8-dot``: 8-bit dot products that accumulate in 32 bits without saturating.

x86: ``avx512_vnni`` or ``avx_vnni``; aarch64: ``asimddp``. Without it onnxruntime's
unsigned-by-signed products would saturate, or are computed in 16 bits as ``OnnxSession`` asks for.
"""

_FLAGS_OF_INT8_DOT = frozenset({"avx512_vnni", "avx_vnni", "asimddp"})


@functools.cache
def capabilities(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Names from ``CAPABILITIES`` that this processor has."""
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return frozenset({"int8-dot"})
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    flags: set[str] = set()
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            flags.update(value.split())
    return frozenset({"int8-dot"}) if flags & _FLAGS_OF_INT8_DOT else frozenset()
