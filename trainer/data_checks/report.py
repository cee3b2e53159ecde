"""Writes a check's report: a page for people, JSON for machines, and every row that was found."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from edge_runtime.storage import canonical_json, own_folder, replace_folder, write_atomically
from trainer.data_checks.check import CheckResult, DataCheck
from trainer.data_checks.table import PLACE
from trainer.locations import refuse_foreign, resolve, translating_cloud_errors

__all__ = ["write_report"]

_DOCUMENT = "check.json"
_INDEX, _FINDINGS = "index.html", "findings.csv"
_TEMPLATE = "page.html.j2"
_SMALLEST = 20


def write_report(result: CheckResult, location: str) -> DataCheck:
    """Write a report's folder; the check comes back with the folder's name in it.

    It holds ``index.html``, ``check.json`` (the check itself), ``findings.csv`` (every row that
    was found, with its rule; what has no row, such as a line that cannot be read, stands there by
    its message alone) and the Data Docs pages ``expectations-utterances.html`` and
    ``expectations-intents.html``.

    Args:
        result: what ``check_data`` gives.
        location: a folder, or a URI such as ``s3://bucket/key``. A folder is replaced as a whole.

    Raises:
        StorageError: the folder cannot be written or holds something else.
        SourceNotFoundError: the bucket cannot be reached.
    """
    check = msgspec.structs.replace(result.check, report=location)
    pages = {f"expectations-{suite}.html": page for suite, page in result.pages.items()}
    with _folder(location, others=[_INDEX, _FINDINGS, *pages]) as folder:
        _rows(result).write_csv(folder / _FINDINGS)
        for name, page in pages.items():
            write_atomically(folder / name, page.encode())
        write_atomically(folder / _INDEX, _page(check, list(result.pages)).encode())
        write_atomically(folder / _DOCUMENT, canonical_json(check))
    return check


@contextlib.contextmanager
def _folder(location: str, *, others: Collection[str]) -> Iterator[Path]:
    target = resolve(location)
    if isinstance(target, Path):
        with own_folder(target, closing=_DOCUMENT) as own, replace_folder(own) as partial:
            yield partial
        return
    refuse_foreign(target, location, closing=_DOCUMENT, others=others)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "report"
        folder.mkdir()
        yield folder
        with translating_cloud_errors(location):
            # The document comes last, and an older one goes first: where one stands, the rest
            # is whole, and of the same check.
            (target / _DOCUMENT).unlink(missing_ok=True)
            for file in sorted(folder.iterdir(), key=lambda file: file.name == _DOCUMENT):
                (target / file.name).write_bytes(file.read_bytes())


def _rows(result: CheckResult) -> pl.DataFrame:
    schema = {"rule": pl.String, "row": pl.UInt32, "detail": pl.String}
    frames = [
        one.rows.select(pl.lit(one.rule).alias("rule"), "row", "detail") for one in result.found
    ]
    told = [
        pl.DataFrame({"rule": rule, "row": None, "detail": messages}, schema=schema)
        for rule, messages in result.told.items()
    ]
    everything = pl.concat([pl.DataFrame(schema=schema), *told, *frames])
    return everything.join(result.table.frame, on="row", how="left", maintain_order="left").select(
        "rule",
        PLACE.alias("place"),
        pl.col("dataset_split").alias("split"),
        "intent",
        "text",
        "detail",
    )


def _page(check: DataCheck, suites: list[str]) -> str:
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    counts = list(check.intents.items())
    template: Any = environment.get_template(_TEMPLATE)
    page: str = template.render(
        check=check,
        suites=suites,
        largest=max(check.intents.values(), default=1),
        shown=counts if len(counts) <= 2 * _SMALLEST else counts[:_SMALLEST] + counts[-_SMALLEST:],
        left_out=max(0, len(counts) - 2 * _SMALLEST),
    )
    return page
