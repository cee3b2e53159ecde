"""What an emulator was told, in a folder: the calls that changed something, in their order.

Each is one line of ``journal.jsonl``. Bodies that are not short lie beside it under their
SHA-256. A kill leaves at most a part of the last line, of a call that was never answered.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from edge_runtime.storage import translating_storage_errors, write_atomically
from greengrass_components.emulator.calls import Call
from greengrass_components.errors import EmulatorError

__all__ = ["Journal"]

_SCHEMA = 1
_FILE = "journal.jsonl"
_BODIES = "bodies"
_SHORT_BYTES = 4096


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    schema_version: int
    moto: str


class Journal:
    """The calls of one emulator, in a folder that nobody else writes meanwhile."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it is made when it is not there, for its owner alone.

        Raises:
            EmulatorError: another emulator has it.
            StorageError: it cannot be written.
        """
        self._folder = folder
        with translating_storage_errors(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            # Private keys are written here.
            folder.mkdir(mode=0o700, exist_ok=True)
            self._lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise EmulatorError(
                f"another emulator keeps its state in {folder}; stop it first with cloud.stop",
                folder=folder,
            ) from error

    def calls(self) -> Iterator[Call]:
        """Read what is written down.

        Raises:
            EmulatorError: it is of another moto, or damaged.
        """
        path = self._folder / _FILE
        if not path.exists():
            return
        content = path.read_bytes()
        whole = content.rpartition(b"\n")[0]
        if len(whole) + 1 < len(content):
            write_atomically(path, whole + b"\n")
        header, *lines = whole.split(b"\n")
        try:
            found = msgspec.json.decode(header, type=_Header)
        except msgspec.DecodeError as error:
            raise self._damaged(str(error)) from error
        if found != _header():
            raise EmulatorError(
                f"the state in {self._folder} was kept by moto {found.moto} in form "
                f"{found.schema_version}, this is moto {_header().moto} with form {_SCHEMA}; "
                "delete the folder, and apply the stack again",
                folder=self._folder,
            )
        for number, line in enumerate(lines, start=1):
            try:
                call = msgspec.json.decode(line, type=Call)
            except msgspec.DecodeError as error:
                raise self._damaged(f"call {number}: {error}") from error
            if call.number != number:
                raise self._damaged(f"call {number} is missing")
            yield call

    def append(self, call: Call) -> None:
        """Write a call down; when this returns it is on the disk.

        Raises:
            StorageError: it cannot be written.
        """
        path = self._folder / _FILE
        if not path.exists():
            write_atomically(path, msgspec.json.encode(_header()) + b"\n")
        with translating_storage_errors(path), path.open("ab") as file:
            file.write(msgspec.json.encode(call) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def keep_body(self, body: bytes) -> str:
        """Return how a call names its body, which is on the disk when it is not short.

        Raises:
            StorageError: it cannot be written.
        """
        if len(body) <= _SHORT_BYTES:
            return base64.b64encode(body).decode()
        name = hashlib.sha256(body).hexdigest()
        path = self._folder / _BODIES / name
        if not path.exists():
            write_atomically(path, body)
        return f"sha256:{name}"

    def body_of(self, call: Call) -> bytes:
        """Return the body of a call.

        Raises:
            EmulatorError: it is not there, or not what it was.
        """
        name = call.body.removeprefix("sha256:")
        if name == call.body:
            return base64.b64decode(name)
        try:
            body = (self._folder / _BODIES / name).read_bytes()
        except OSError as error:
            raise self._damaged(f"body {name} is missing") from error
        if hashlib.sha256(body).hexdigest() != name:
            raise self._damaged(f"body {name} was changed")
        return body

    def forget(self) -> None:
        """Begin anew with no calls."""
        (self._folder / _FILE).unlink(missing_ok=True)
        shutil.rmtree(self._folder / _BODIES, ignore_errors=True)

    def _damaged(self, reason: str) -> EmulatorError:
        return EmulatorError(
            f"the state in {self._folder} is damaged ({reason}); delete the folder, and apply "
            "the stack again",
            folder=self._folder,
        )


def _header() -> _Header:
    import moto

    return _Header(schema_version=_SCHEMA, moto=moto.__version__)
