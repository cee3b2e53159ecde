"""Tasks of ``infra`` that tell of the stack: what it costs, how it looks, if it is right."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.console import print_json, reporting_errors
from greengrass_components.commands.checkout import CHECKOUT
from greengrass_components.commands.stacks import CONFIGURATION, STACK_HELP, open_from_flags
from greengrass_components.errors import TerraformError

if TYPE_CHECKING:
    from greengrass_components.infrastructure.cost import Estimate
    from greengrass_components.infrastructure.stack import Stack

__all__ = ["check", "cost", "graph"]

_log = logging.getLogger(__name__)

_TEST_FOLDER = Path("build/infra-test")
_REFUSED = 3
_PLAN = "report.tfplan"
_PLAN_HELP = "a plan or a state, as `terraform show -json` prints it"
_LEVERS = 3


@task(
    help={
        "devices": "devices in the fleet",
        "region": "AWS region whose prices count",
        "releases": "releases of a model a month",
        "model_mb": "megabytes of the model component that a device downloads",
        "telemetry": "telemetry messages that a device sends a day",
        "heartbeat": "seconds between two heartbeats of a device",
        "review_share": "share of the utterances that a device sends back, 0 to 1",
        "log_lines": "lines that a device writes to its log in the cloud a day",
        "no_free_tiers": "count also what every account gets free",
        "plan": f"{_PLAN_HELP}, to count in; the committed configuration by default",
        "json": "print one JSON object",
    }
)
def cost(
    _: Context,
    *,
    devices: str | None = None,
    region: str | None = None,
    releases: str | None = None,
    model_mb: str | None = None,
    telemetry: str | None = None,
    heartbeat: str | None = None,
    review_share: str | None = None,
    log_lines: str | None = None,
    no_free_tiers: bool = False,
    plan: str | None = None,
    json: bool = False,
) -> None:
    """Estimate what a month costs; every other assumption is a setting of section [cost]."""
    from greengrass_components.infrastructure.cost import (
        COMMITTED,
        estimate_month,
        load_cost_settings,
        take_inventory,
    )
    from greengrass_components.infrastructure.prices import load_prices

    with reporting_errors():
        settings = load_cost_settings(
            project_folder=Path.cwd(),
            flags={
                "devices": devices,
                "region": region,
                "releases_per_month": releases,
                "model_mb": model_mb,
                "telemetry_per_day": telemetry,
                "heartbeat_interval_s": heartbeat,
                "review_share": review_share,
                "log_lines_per_day": log_lines,
                "free_tiers": False if no_free_tiers else None,
            },
        )
        inventory = COMMITTED if plan is None else take_inventory(_read(Path(plan)))
        estimate = estimate_month(settings, load_prices(), inventory=inventory)
    if json:
        print_json(estimate)
    else:
        _print_estimate(estimate)


@task(
    help={
        **STACK_HELP,
        "plan": f"{_PLAN_HELP}, to draw instead of planning",
        "to": "the file to write",
        "check": "write nothing; fail when the file is not what would be written",
    },
    iterable=["var", "var_file"],
)
def graph(
    _: Context,
    env: str = "dev",
    *,
    to: str = "build/architecture.svg",
    plan: str | None = None,
    check: bool = False,
    var: list[str] | None = None,
    var_file: list[str] | None = None,
    timeout: str | None = None,
    json: bool = False,
) -> None:
    """Draw the stack from its plan, as SVG; best after an apply, when every value is known."""
    from edge_runtime.storage import write_atomically
    from greengrass_components.infrastructure.architecture import read_architecture
    from greengrass_components.infrastructure.architecture_picture import draw_architecture

    with reporting_errors():
        if plan is None:
            shown = _planned(open_from_flags(env, var=var, var_file=var_file, timeout=timeout))
        else:
            shown = _read(Path(plan))
        found, picture, path = read_architecture(shown), draw_architecture(shown), Path(to)
        if check and not (path.is_file() and path.read_text(encoding="utf-8") == picture):
            raise TerraformError(
                f"{path} does not show the stack as it is; draw it again with infra.graph "
                f"--to {path}",
                path=path,
            )
        if not check:
            write_atomically(path, picture.encode())
        counts = {"boxes": len(found.boxes), "arrows": len(found.arrows)}
        if json:
            print_json({"path": path, **counts, "unknown": found.unknown})
            return
        print(f"{path} shows {counts['boxes']} boxes and {counts['arrows']} arrows")
        if found.unknown:
            print(f"of {found.unknown} resources an apply will tell more; draw again after it")


@task(
    name="test",
    help={
        "env": "the environment that is applied to an emulator",
        "json": "print one JSON object",
    },
)
def check(_: Context, env: str = "dev", *, json: bool = False) -> None:
    """Check the configuration, and apply it whole to an emulator; no account is needed."""
    from greengrass_components.errors import ProviderUnreachableError, TerraformMissingError
    from greengrass_components.infrastructure.check_report import load_check_settings
    from greengrass_components.infrastructure.checks import check_configuration

    with reporting_errors():
        try:
            report = check_configuration(
                CONFIGURATION,
                picture=CHECKOUT / "docs" / "architecture.svg",
                folder=Path.cwd() / _TEST_FOLDER,
                settings=load_check_settings(project_folder=Path.cwd()),
                environment=env,
                on_step=_say_step,
                on_line=_log.debug,
            )
        except (TerraformMissingError, ProviderUnreachableError) as error:
            print(f"skipped: {error.message}", file=sys.stderr)
            if json:
                print_json({"skipped": error.message})
            return
    if json:
        print_json(report.summary)
    else:
        print("\n".join(report.lines))
    if report.failures:
        raise SystemExit(_REFUSED)


def _say_step(line: str) -> None:
    print(f"== {line}", file=sys.stderr, flush=True)


def _planned(stack: Stack) -> dict[str, Any]:
    try:
        stack.terraform.plan(keep=_PLAN)
        return stack.terraform.show(_PLAN)
    finally:
        (stack.work / _PLAN).unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as error:
        raise TerraformError(f"cannot read {_PLAN_HELP} from {path}: {error}") from error


def _print_estimate(estimate: Estimate) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=118)
    table = Table("service", "what", title=None)
    for title in ("quantity", "free", "unit", f"{estimate.currency} a unit", "amount"):
        table.add_column(title, justify="left" if title == "unit" else "right")
    for line in estimate.lines:
        table.add_row(
            line.service,
            line.what,
            f"{line.quantity:,.2f}",
            f"{line.free:,.2f}" if line.free else "",
            line.unit,
            f"{line.usd_per_unit:g}{'' if line.checked else ' ?'}",
            f"{line.usd:,.2f}",
        )
    console.print(table)
    each = ""
    if estimate.per_device_usd is not None:
        each = f", {estimate.per_device_usd:,.3f} a device"
    console.print(
        f"[bold]{estimate.total_usd:,.2f} {estimate.currency} a month[/bold] for "
        f"{estimate.devices:,} devices in {estimate.region}{each}; "
        f"{estimate.without_devices_usd:,.2f} without any device"
    )
    largest = max(estimate.lines, key=lambda line: line.usd)
    if estimate.total_usd:
        console.print(
            f"largest part: {largest.service}, {largest.what}: "
            f"{largest.usd / estimate.total_usd:.0%}"
        )
    for place, lever in enumerate(estimate.levers[:_LEVERS]):
        console.print(
            f"{'largest lever' if place == 0 else 'then'}: cost.{lever.setting} "
            f"{lever.instead:g} instead of {lever.value:g} saves {lever.saves_usd:,.2f}"
        )
    console.print(
        f"prices of {estimate.prices_of}, without tax; those with ? were not found in a copy of "
        "AWS's own pages"
    )
