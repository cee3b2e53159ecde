"""The child process of ``start_emulator``: ``python -m greengrass_components.emulator``."""

from __future__ import annotations

from greengrass_components.emulator.server import main

if __name__ == "__main__":
    main()
