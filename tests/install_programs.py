"""Installs the programs that tests need and pip cannot give, where it may.

python tests/install_programs.py

It says what it did and always ends well. Tests whose program is missing are skipped, but fail
where all tests are run (EDGEWISE_ALL_TESTS is set, as by ./inv test, or CI).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

# Any one of the programs is enough; the package is Debian's.
PROGRAMS = (
    (("chromium", "google-chrome"), "chromium"),
    (("chromedriver",), "chromium-driver"),
)
SECONDS = 600


def missing_packages() -> list[str]:
    """The packages of which no program is found."""
    return [package for names, package in PROGRAMS if not any(map(shutil.which, names))]


def installer() -> tuple[list[str], str]:
    """The command that may install, or why there is none."""
    if shutil.which("apt-get") is None:
        return [], "there is no apt-get here"
    if os.geteuid() == 0:
        return ["apt-get"], ""
    if shutil.which("sudo") is not None:
        asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
        if asked.returncode == 0:
            return ["sudo", "-n", "apt-get"], ""
    return [], "that needs root, or sudo without a password"


def install(packages: list[str]) -> str:
    """Install packages; say why when that fails."""
    command, reason = installer()
    if reason:
        return reason
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        try:
            done = subprocess.run(
                [*command, "-q", *arguments],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            return f"apt-get {arguments[0]} took more than {SECONDS} s"
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["it gave no reason"]
            return f"apt-get {arguments[0]} failed: {said[-1]}"
    return ""


def main() -> None:
    """Install what is missing."""
    packages = missing_packages()
    if not packages:
        return
    names = ", ".join(packages)
    reason = install(packages)
    if reason:
        print(f"not installed: {names}: {reason}; the tests that need them cannot run")
    else:
        print(f"installed: {names}")


if __name__ == "__main__":
    sys.exit(main())
