"""What the entry points share: one-line errors, JSON for machines, progress for people.

Functions below the entry points take a ``Progress`` and never print.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

import msgspec

from edge_runtime.errors import EdgeError

__all__ = ["Progress", "no_progress", "print_json", "reporting_errors", "showing_progress"]

Progress = Callable[[str, int, int, str], None]
"""Called as ``progress(what, done, total, note)``; ``done == total`` ends a line."""

_PLAIN_SECONDS = 10.0


def no_progress(what: str, done: int, total: int, note: str = "") -> None:
    """Show nothing."""


def print_json(value: Any, *, stream: TextIO | None = None) -> None:
    """Print one JSON object on one line."""
    encoded = msgspec.json.encode(value, enc_hook=str).decode()
    print(encoded, file=stream or sys.stdout, flush=True)


@contextlib.contextmanager
def reporting_errors() -> Iterator[None]:
    """Turn an ``EdgeError`` into one line on stderr and its exit code.

    So too a file or folder that the system refuses to this user: any look at one can meet that.
    Anything else keeps its traceback: it is a bug, and hiding it would not mend it.
    """
    try:
        yield
    except EdgeError as error:
        _print_error(error.message)
        raise SystemExit(error.exit_code) from None
    except PermissionError as error:
        if error.filename is None:
            raise
        _print_error(f"permission denied: {error.filename}; mend its rights, or give another place")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted; nothing half-written is left, run again to go on", file=sys.stderr)
        raise SystemExit(130) from None
    except BrokenPipeError:
        # The reader of our output went away (`| head`): not an error of ours.
        with contextlib.suppress(OSError):
            sys.stdout.close()
        raise SystemExit(141) from None


def _print_error(message: str) -> None:
    print(f"error: {' '.join(message.split())}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def showing_progress(stream: TextIO | None = None) -> Iterator[Progress]:
    """Give a ``Progress``: a bar on a terminal where rich is installed, plain lines elsewhere."""
    out = stream or sys.stderr
    if out.isatty():
        try:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bars
        except ImportError:
            pass
        else:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed}/{task.total} {task.fields[note]}"),
                TimeElapsedColumn(),
            )
            with Bars(*columns, console=Console(file=out)) as bars:
                yield _bar_progress(bars)
            return
    yield _plain_progress(out)


def _bar_progress(bars: Any) -> Progress:
    tasks: dict[str, Any] = {}

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total, note=note)
        bars.update(tasks[what], completed=done, total=total, note=note)

    return progress


def _plain_progress(out: TextIO) -> Progress:
    spoken: dict[str, float] = {}

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        # A log wants a line now and then and the last one, not one a step.
        if done < total and now - spoken.get(what, -_PLAIN_SECONDS) < _PLAIN_SECONDS:
            return
        spoken[what] = now
        print(f"  {what} {done}/{total} {note}".rstrip(), file=out, flush=True)

    return progress
