"""Runs checkov over the configuration, in an environment of its own.

checkov pins dozens of libraries that others here need in newer versions
(https://www.checkov.io), so it gets its own virtual environment below this one, from
``checkov-constraints.txt``. It looks at files only and calls nobody.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import msgspec

from greengrass_components.child_process import LineSink, run_program
from greengrass_components.errors import ChecksError

__all__ = ["CheckovReport", "Waiver", "prepare_checkov", "run_checkov"]

CONSTRAINTS = Path(__file__).with_name("checkov-constraints.txt")
_STAMP = ".constraints.txt"
_INSTALL_SECONDS = 900.0
_CHECK_SECONDS = 300.0


class Waiver(msgspec.Struct, frozen=True):
    """A finding that is accepted, with the reason that stands beside it."""

    check: str
    """Id of the check, such as ``CKV_AWS_144``."""
    resource: str
    """Where."""
    reason: str
    """Why."""


class CheckovReport(msgspec.Struct, frozen=True):
    """What checkov found."""

    passed: int
    """Checks that passed."""
    failed: tuple[str, ...]
    """One line for each check that failed."""
    waived: tuple[Waiver, ...]
    """Accepted findings."""


class _Result(msgspec.Struct):
    suppress_comment: str = ""


class _Check(msgspec.Struct):
    check_id: str
    check_name: str
    resource: str
    file_path: str
    file_line_range: tuple[int, int]
    check_result: _Result


class _Results(msgspec.Struct):
    failed_checks: list[_Check]
    skipped_checks: list[_Check]
    parsing_errors: list[str]


class _Summary(msgspec.Struct):
    passed: int


class _Report(msgspec.Struct):
    results: _Results
    summary: _Summary


def prepare_checkov(*, on_line: LineSink) -> Path:
    """Install checkov once, and again when its pins change.

    Args:
        on_line: told what goes on.

    Returns:
        The program.

    Raises:
        ChecksError: it cannot be installed.
    """
    home = Path(sys.prefix) / "tools" / "checkov"
    stamp, program = home / _STAMP, home / "bin" / "checkov"
    pins = CONSTRAINTS.read_bytes()
    if stamp.is_file() and stamp.read_bytes() == pins and program.is_file():
        return program
    on_line("installing checkov in an environment of its own (about a minute, once)")
    shutil.rmtree(home, ignore_errors=True)
    venv.create(home, with_pip=True)
    result = run_program(
        [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(CONSTRAINTS)],
        folder=home,
        environment={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        on_line=on_line,
        timeout_s=_INSTALL_SECONDS,
        grace_s=5.0,
    )
    if result.code != 0:
        reason = (result.err.strip().splitlines() or ["pip said nothing"])[-1]
        raise ChecksError(
            f"cannot install checkov: {reason}; it comes from the package index, once"
        )
    # Last, so that a broken-off installation is made anew.
    stamp.write_bytes(pins)
    return program


def run_checkov(program: Path, folder: Path) -> CheckovReport:
    """Check every file of a configuration.

    Args:
        program: what ``prepare_checkov`` returned.
        folder: the configuration.

    Raises:
        ChecksError: checkov does not work, or cannot read a file.
    """
    arguments = ["--directory", str(folder), "--framework", "terraform", "--output", "json"]
    arguments += ["--compact", "--skip-download"]
    done = subprocess.run(
        [str(program), *arguments],
        capture_output=True,
        check=False,
        timeout=_CHECK_SECONDS,
        # It would ask a server for its newest version and report its use.
        env={**os.environ, "CKV_IGNORE_HIDDEN_DIRECTORIES": "true", "LOG_LEVEL": "ERROR"},
    )
    try:
        report = msgspec.json.decode(done.stdout, type=_Report)
    except msgspec.DecodeError as error:
        said = " ".join(done.stderr.decode(errors="replace").split())[-300:]
        raise ChecksError(
            f"checkov gave no report (exit code {done.returncode}): {said}"
        ) from error
    if report.results.parsing_errors:
        raise ChecksError(f"checkov cannot read {', '.join(report.results.parsing_errors)}")
    return CheckovReport(
        passed=report.summary.passed,
        failed=tuple(_line(check) for check in report.results.failed_checks),
        waived=tuple(
            Waiver(check.check_id, check.resource, check.check_result.suppress_comment.strip())
            for check in report.results.skipped_checks
        ),
    )


def _line(check: _Check) -> str:
    place = f"{check.file_path.lstrip('/')}:{check.file_line_range[0]}"
    return f"{check.check_id} {check.resource} ({place}): {check.check_name}"
