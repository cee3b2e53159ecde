"""What Terraform says: its JSON view (https://developer.hashicorp.com/terraform/internals/machine-readable-ui)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from greengrass_components.child_process import CommandResult
from greengrass_components.errors import StateLockedError, TerraformFailedError
from greengrass_components.infrastructure.state import parse_lock

__all__ = ["failure", "first_error", "json_messages", "message_text"]

# What to do about errors that say it badly, by words in them.
_ADVICE = {
    "no valid credential sources": "sign in to AWS, or start an emulator with cloud.start and "
    "use the variables that it prints",
    "connection refused": "nothing answers at the endpoint: start the emulator again with "
    "cloud.start, or check AWS_ENDPOINT_URL",
}
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# Of no interest to a person; "drift" is what AWS added to what was asked for.
_UNTOLD = frozenset({"outputs", "refresh_complete", "refresh_start", "resource_drift", "version"})


def json_messages(text: str) -> Iterator[dict[str, Any]]:
    """Give the messages in an output, one a line; lines of other kinds are passed over."""
    for line in text.splitlines():
        with contextlib.suppress(msgspec.DecodeError):
            message = msgspec.json.decode(line)
            if isinstance(message, dict):
                yield message


def message_text(line: str) -> str:
    """Return what a line says to a person; empty when it is of no interest."""
    for message in json_messages(line):
        if message.get("type") in _UNTOLD:
            return ""
        return str(message.get("@message", "")).partition("\n")[0]
    return _COLOURS.sub("", line).rstrip()


def failure(result: CommandResult, command: str) -> TerraformFailedError | StateLockedError:
    """Return the error to raise for a command that failed.

    ``data["failures"]`` of a ``TerraformFailedError`` is a tuple of (address, text), one for each
    error; the address is empty where an error belongs to no resource.
    """
    errors = [
        diagnostic
        for message in json_messages(result.out)
        if (diagnostic := message.get("diagnostic", {})).get("severity") == "error"
    ]
    for diagnostic in errors:
        if "state lock" in diagnostic["summary"] and (
            lock := parse_lock(diagnostic.get("detail", ""))
        ):
            return StateLockedError(
                f"the state is locked by {lock.who} since {lock.since} UTC ({lock.operation}); "
                "wait until that is done. If that Terraform is gone for good, free the state of "
                f"the same environment with infra.unlock --lock-id {lock.id}",
                lock=lock,
            )
    return TerraformFailedError(
        f"terraform {command} failed: {first_error(result)}",
        command=command,
        failures=tuple((one.get("address", ""), _whole_text(one)) for one in errors),
    )


def first_error(result: CommandResult) -> str:
    """Return the first error of a failed command on one line, with what to do if that is known."""
    for message in json_messages(result.out):
        diagnostic = message.get("diagnostic", {})
        if diagnostic.get("severity") == "error":
            return _diagnostic_text(diagnostic)
    for line in _COLOURS.sub("", f"{result.err}\n{result.out}").splitlines():
        _, mark, text = line.partition("Error: ")
        if mark:
            return text.strip()
    spoken = " ".join(_COLOURS.sub("", result.err).split())
    return spoken[:200] or f"exit code {result.code}"


def _diagnostic_text(diagnostic: dict[str, Any]) -> str:
    # The first paragraphs say what is wrong; those after them explain Terraform.
    summary, detail = (
        " ".join(str(diagnostic.get(key, "")).partition("\n\n")[0].split())
        for key in ("summary", "detail")
    )
    text = summary.rstrip(".")
    place = diagnostic.get("range")
    if place is not None:
        text += f" in {place['filename']} line {place['start']['line']}"
    if detail:
        text += f": {detail}"
    whole = _whole_text(diagnostic).lower()
    advice = next((advice for words, advice in _ADVICE.items() if words in whole), None)
    return f"{text.rstrip('.')}; {advice}" if advice else text


def _whole_text(diagnostic: dict[str, Any]) -> str:
    return f"{diagnostic.get('summary')} {diagnostic.get('detail')}"
