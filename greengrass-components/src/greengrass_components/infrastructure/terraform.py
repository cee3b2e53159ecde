"""Terraform as a typed object: each command with a timeout, its lines as they come, clear errors.

Built on python-terraform, whose command lines are used and whose way of running them is not:
it has no timeout, shows nothing before the end, leaves variable files behind, takes any
misspelt method for a command and passes options that Terraform has since removed.

Terraform works in a folder that ``configuration.prepare_stack`` has filled.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import python_terraform

from greengrass_components.child_process import CommandResult, LineSink, run_program
from greengrass_components.errors import (
    ProviderUnreachableError,
    TerraformFailedError,
    TerraformMissingError,
    TerraformTimeoutError,
    TerraformTooOldError,
)
from greengrass_components.infrastructure.provider_mirrors import PROVIDER, find_provider_mirrors
from greengrass_components.infrastructure.terraform_messages import (
    failure,
    first_error,
    json_messages,
    message_text,
)

__all__ = ["StackChanges", "Terraform"]

logger = logging.getLogger(__name__)

MINIMUM_VERSION = (1, 11, 0)
"""The oldest Terraform whose S3 backend locks without a database."""

_MINIMUM_TEXT = ".".join(map(str, MINIMUM_VERSION))

PLUGIN_FOLDER_VARIABLE = "EDGEWISE_TERRAFORM_PLUGIN_DIR"
"""Environment variable that names a folder of unpacked providers, for machines offline."""

# After an interrupt Terraform finishes the calls under way and saves its state.
_GRACE_SECONDS = 30.0
_WAIT_SECONDS = 0.5
_PROVIDER_WORDS = ("provider package", "install provider", "query available provider")


class StackChanges(msgspec.Struct, frozen=True):
    """What a plan would do, or what an apply or destroy did."""

    add: int
    """Resources created."""
    change: int
    """Resources changed in place."""
    destroy: int
    """Resources deleted."""
    adopt: int
    """Resources that were there already and are taken into the state."""
    actions: tuple[str, ...]
    """One ``<action> <resource address>`` for each planned change, in Terraform's order."""
    empty: bool
    """True when the cloud already is as the configuration says."""


class Terraform(python_terraform.Terraform):  # type: ignore[misc]  # it ships no types
    """Runs Terraform in one working folder, which ``prepare_stack`` has filled."""

    def __init__(
        self,
        work: Path,
        *,
        environment: Mapping[str, str] | None = None,
        on_line: LineSink | None = None,
        timeout_s: float = 1800.0,
        binary: str = "terraform",
    ) -> None:
        """Choose the folder; nothing runs yet.

        Args:
            work: the working folder.
            environment: variables for Terraform; those of this process when left out.
            on_line: called with each line that Terraform says, while it runs.
            timeout_s: seconds that one command may take.
            binary: name or path of the Terraform program.
        """
        super().__init__(working_dir=str(work), terraform_bin_path=binary)
        self._work = work
        self._binary = binary
        self._environment = _child_environment(os.environ if environment is None else environment)
        self._on_line = on_line
        self._timeout_s = timeout_s

    def __getattr__(self, name: str) -> Any:
        """Refuse what python-terraform would run as a command of that name."""
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    def read_state_file(self, file_path: str | None = None) -> None:
        """Leave the state alone: it is Terraform's, and may not be a file here at all."""

    def version(self) -> str:
        """Return the version of Terraform, such as ``1.11.4``.

        Raises:
            TerraformMissingError: there is no such program.
            TerraformTooOldError: it is older than ``MINIMUM_VERSION``.
        """
        # In any folder: the working folder need not be there yet.
        result = self.cmd(
            "version",
            show=False,
            folder=Path(tempfile.gettempdir()),
            json=python_terraform.IsFlagged,
        )
        try:
            version = str(msgspec.json.decode(result.out)["terraform_version"])
            numbers = tuple(int(part) for part in version.partition("-")[0].split("."))
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            # Before 0.13 there was no -json, and the answer was a sentence.
            version, numbers = "without a readable version", (0,)
        if numbers < MINIMUM_VERSION:
            raise TerraformTooOldError(
                f"Terraform {version} is too old: install {_MINIMUM_TEXT} or newer",
                version=version,
            )
        return version

    def init(self, *, backend: bool = True) -> None:
        """Get modules and providers, from a local mirror where there is one.

        A folder named in ``EDGEWISE_TERRAFORM_PLUGIN_DIR`` is the only one tried. Else a
        configuration file of the user decides first, and then the mirrors that are found;
        without such a file the mirrors come first, as in Terraform itself.

        Args:
            backend: whether to make the state ready too; checks need none.

        Raises:
            TerraformMissingError: there is no such program.
            TerraformTooOldError: it is older than ``MINIMUM_VERSION``.
            ProviderUnreachableError: neither a mirror nor the registry gave the provider.
            TerraformFailedError: the configuration is wrong.
        """
        self.version()
        sources = self._provider_sources()
        if self._on_line is not None and not (self._work / ".terraform").is_dir():
            self._on_line(f"getting modules and provider for {self._work}")
        for source in sources:
            options: dict[str, Any] = {} if source is None else {"plugin_dir": source}
            # The state is where the configuration says, and never moved from elsewhere.
            result = self.cmd(
                "init",
                show=False,
                input=False,
                json=python_terraform.IsFlagged,
                reconfigure=python_terraform.IsFlagged,
                backend=backend,
                **options,
            )
            if result.code == 0:
                logger.info("provider from %s", source or "Terraform's own sources")
                return
            reason = first_error(result)
            if not any(word in reason.lower() for word in _PROVIDER_WORDS):
                raise TerraformFailedError(f"terraform init failed: {reason}", command="init")
        raise ProviderUnreachableError(
            f"Terraform cannot get the provider {PROVIDER} ({reason}); connect to the internet, "
            f"or set {PLUGIN_FOLDER_VARIABLE} to a folder that holds "
            f"<host>/{PROVIDER}/<version>/<os>_<arch>/",
            provider=PROVIDER,
        )

    def plan(
        self,
        *,
        destroy: bool = False,
        keep: str | None = None,
        replace: Sequence[str] = (),
        only: Sequence[str] = (),
    ) -> StackChanges:
        """Compare the configuration with the cloud; change nothing.

        Args:
            destroy: plan to delete everything that the state knows of.
            keep: name of a file in the working folder that the plan is written to.
            replace: addresses of resources to make anew.
            only: addresses of the resources to plan for, with what they depend on; empty is all.

        Raises:
            StateLockedError: another Terraform works with the state.
            TerraformFailedError: Terraform refused; the message has its first error.
            TerraformTimeoutError: it took longer than ``timeout_s``.
        """
        options: dict[str, Any] = {} if keep is None else {"out": keep}
        if destroy:
            options["destroy"] = python_terraform.IsFlagged
        # 0: nothing to do, 2: something to do; both are answers.
        return self._change(
            "plan",
            detailed_exitcode=python_terraform.IsFlagged,
            replace=list(replace),
            target=list(only),
            **options,
        )

    def apply(self, plan: str | None = None) -> StackChanges:
        """Make the cloud as the configuration says.

        Args:
            plan: a file that ``plan`` wrote; exactly this is done. None plans anew.

        Raises:
            StateLockedError: another Terraform works with the state.
            TerraformFailedError: Terraform refused; the message has its first error, and
                ``data["failures"]`` has all of them with the addresses of their resources.
            TerraformTimeoutError: it took longer than ``timeout_s``.
        """
        if plan is None:
            return self._change("apply", auto_approve=python_terraform.IsFlagged)
        return self._change("apply", plan)

    def show(self, plan: str | None = None) -> dict[str, Any]:
        """Return the state, or a kept plan, with every value.

        Raises:
            TerraformFailedError: it cannot be read.
        """
        result = self.cmd(
            "show", *([plan] if plan else []), show=False, json=python_terraform.IsFlagged
        )
        if result.code != 0:
            raise TerraformFailedError(f"terraform show failed: {first_error(result)}")
        shown: dict[str, Any] = msgspec.json.decode(result.out)
        return shown

    def unlock(self, lock_id: str) -> None:
        """Free a lock whose holder is gone.

        Raises:
            TerraformFailedError: there is no such lock.
        """
        result = self.cmd("force-unlock", lock_id, force=python_terraform.IsFlagged)
        if result.code != 0:
            raise TerraformFailedError(
                f"there is no lock {lock_id} to free: {first_error(result)}", lock_id=lock_id
            )

    def running(self) -> int | None:
        """Return the process id of a Terraform that works in this folder, None if none does.

        It may be one whose own ``inv`` was killed: it still finishes its work.
        """
        import psutil

        folder = str(self._work.resolve())
        for process in psutil.process_iter(["name", "cwd"]):
            if process.info["name"] == "terraform" and process.info["cwd"] == folder:
                return int(process.pid)
        return None

    def outputs(self) -> dict[str, Any]:
        """Return the value of every output by name; empty before the first apply.

        Raises:
            TerraformFailedError: the state cannot be read.
        """
        result = self.cmd("output", show=False, json=python_terraform.IsFlagged)
        if result.code != 0:
            raise failure(result, "output")
        return {name: entry["value"] for name, entry in msgspec.json.decode(result.out).items()}

    def cmd(
        self, cmd: str, *args: str, show: bool = True, folder: Path | None = None, **kwargs: Any
    ) -> CommandResult:
        """Run any command and wait for it.

        Args:
            cmd: the command, such as ``"state list"``.
            args: what follows the options.
            show: whether ``on_line`` gets its lines.
            folder: where to run it; the working folder when left out.
            kwargs: options in the notation of python-terraform: ``json=IsFlagged``,
                ``input=False``, ``plugin_dir=path``.

        Raises:
            TerraformMissingError: there is no such program.
            TerraformTimeoutError: it took longer than ``timeout_s`` and was stopped.
        """
        try:
            if folder is None:
                self._wait_for_the_other()
            return run_program(
                [str(part) for part in self.generate_cmd_string(cmd, *args, **kwargs)],
                folder=folder or self._work,
                environment=self._environment,
                on_line=self._say if show else logger.debug,
                timeout_s=self._timeout_s,
                grace_s=_GRACE_SECONDS,
            )
        except TimeoutError as error:
            raise TerraformTimeoutError(
                f"terraform {cmd} took longer than {self._timeout_s:g} s and was stopped; "
                "run it again: it goes on with what it had made",
                command=cmd,
                timeout_s=self._timeout_s,
            ) from error
        except OSError as error:
            if not (folder or self._work).is_dir():
                raise TerraformFailedError(
                    f"there is no Terraform folder {self._work}; run infra.init first",
                    work=self._work,
                ) from error
            raise TerraformMissingError(
                f"cannot run {self._binary!r} ({error.strerror}); install Terraform "
                f"{_MINIMUM_TEXT} or newer and put it on the PATH",
                binary=self._binary,
            ) from error
        finally:
            self.temp_var_files.clean_up()

    def _change(self, command: str, *args: str, **options: Any) -> StackChanges:
        result = self.cmd(command, *args, input=False, json=python_terraform.IsFlagged, **options)
        if result.code not in ((0, 2) if command == "plan" else (0,)):
            raise failure(result, command)
        changes: dict[str, int] = {}
        actions = []
        for message in json_messages(result.out):
            if message.get("type") == "change_summary":
                changes = message["changes"]
            elif message.get("type") == "planned_change":
                change = message["change"]
                actions.append(f"{change['action']} {change['resource']['addr']}")
        counts = {key: changes.get(key, 0) for key in ("add", "change", "remove", "import")}
        return StackChanges(
            add=counts["add"],
            change=counts["change"],
            destroy=counts["remove"],
            adopt=counts["import"],
            actions=tuple(actions),
            empty=result.code == 0 if command == "plan" else not any(counts.values()),
        )

    def _wait_for_the_other(self) -> None:
        deadline = time.monotonic() + self._timeout_s
        told = False
        while (other := self.running()) is not None:
            if not told and self._on_line is not None:
                self._on_line(f"waiting for another Terraform in {self._work} (process {other})")
            told = True
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(_WAIT_SECONDS)

    def _provider_sources(self) -> list[Path | None]:
        if chosen := self._environment.get(PLUGIN_FOLDER_VARIABLE):
            return [Path(chosen)]
        found: list[Path | None] = list(find_provider_mirrors(self._environment))
        home = Path(self._environment.get("HOME") or Path.home())
        configured = "TF_CLI_CONFIG_FILE" in self._environment or (home / ".terraformrc").is_file()
        return [None, *found] if configured else [*found, None]

    def _say(self, line: str) -> None:
        logger.debug("terraform: %s", line)
        if self._on_line is not None and (text := message_text(line)):
            self._on_line(text)


def _child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    child = {**environment, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    # A provider lives for seconds: Go need not collect the garbage of its large schema so often.
    child.setdefault("GOGC", "400")
    configuration = child.get("TF_CLI_CONFIG_FILE")
    # Terraform warns on every command when the file is not there.
    if configuration is not None and not Path(configuration).is_file():
        del child["TF_CLI_CONFIG_FILE"]
    return child
