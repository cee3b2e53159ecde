"""An AWS of one's own on this machine: moto's server, extended, as a child process."""

from __future__ import annotations

from greengrass_components.emulator.process import Emulator, find_emulator, start_emulator

__all__ = ["Emulator", "find_emulator", "start_emulator"]
