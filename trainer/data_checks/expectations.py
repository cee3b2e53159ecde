"""The committed expectation suites, run by Great Expectations, and their Data Docs pages.

``expectations.json`` holds two suites: ``utterances`` about the rows and ``intents`` about the
intents of training. Bounds that are settings are named there, as ``{"$PARAMETER": "name"}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from edge_runtime.storage import refuse_uri
from trainer.config import CheckSettings, DataSettings
from trainer.errors import SourceFormatError

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult

__all__ = ["SUITES", "Expectation", "Validation", "validate"]

SUITES = Path(__file__).with_name("expectations.json")
_SHOWN = 5
# Data Docs take styles and scripts from other hosts; a report on somebody's data asks nobody.
_OUTSIDE = re.compile(
    r"<script\b.*?</script>|<link\b[^>]*>|<img\b[^>]*>|<footer\b.*?</footer>",
    re.DOTALL | re.IGNORECASE,
)
_OUTSIDE_LINK = re.compile(r"<a\b[^>]*href=\"https?://[^>]*>.*?</a>", re.DOTALL | re.IGNORECASE)
_STYLE = """<style>
body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em}
table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.3em .6em;
text-align:left;vertical-align:top}nav,.navbar,.modal,.btn,.ge-navigation-sidebar-container{
display:none}.badge{background:#eee;border-radius:.3em;padding:.1em .4em}ul{list-style:none;
padding-left:0}
</style></head>"""


class Expectation(msgspec.Struct, frozen=True):
    """One expectation and what came of it."""

    suite: str
    """``utterances`` or ``intents``."""
    type: str
    """Name of the expectation in Great Expectations."""
    meaning: str
    """The note beside it in the suite."""
    met: bool
    unexpected: int | None
    """Values that differ, where it is about values."""
    observed: str
    """What was found instead: a number, or the first few values."""


class Validation(msgspec.Struct, frozen=True):
    """The outcome of both suites."""

    expectations: tuple[Expectation, ...]
    pages: dict[str, str]
    """Suite -> its Data Docs page: HTML that loads nothing from elsewhere."""


class _Suites(msgspec.Struct, forbid_unknown_fields=True):
    utterances: list[dict[str, Any]]
    intents: list[dict[str, Any]]


def validate(
    rows: pl.DataFrame,
    *,
    data_settings: DataSettings,
    settings: CheckSettings,
    suites: Path = SUITES,
) -> Validation:
    """Hold rows against the suites.

    Args:
        rows: all rows of a ``Table``, those that break a rule by themselves too.
        data_settings: bounds that the suites name.
        settings: likewise.
        suites: a file in the form of ``expectations.json``.

    Raises:
        SourceFormatError: the file is not in that form.
        StorageError: the file is a URI.
    """
    expected = _read(suites)
    # Read when the library is imported: no version of it may tell anybody about this run.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    parameters = {
        "max_characters": data_settings.max_characters,
        "min_examples_per_intent": data_settings.min_examples_per_intent,
        "imbalance_ratio": settings.imbalance_ratio,
        "max_label_characters": data_settings.max_label_characters,
    }
    frames = {"utterances": _utterances(rows), "intents": _intents(rows)}
    expectations: list[Expectation] = []
    pages: dict[str, str] = {}
    source = context.data_sources.add_pandas("edgewise")
    for name, frame in frames.items():
        asset = source.add_dataframe_asset(name)
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
        with _translating_suite_errors(name, suites):
            suite = _suite(name, getattr(expected, name))
            # Only here it finds out that a suite names a bound that there is not.
            outcome = batch.validate(
                context.suites.add(suite),
                expectation_parameters=parameters,
                result_format={"result_format": "SUMMARY", "partial_unexpected_count": _SHOWN},
            )
        expectations += _outcomes(name, outcome)
        pages[name] = _page(outcome)
    return Validation(expectations=tuple(expectations), pages=pages)


def _read(path: Path) -> _Suites:
    refuse_uri(path)
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Suites)
    except OSError as error:
        raise SourceFormatError(
            f"cannot read the expectations {path}: {error.strerror}; check the path", path=path
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SourceFormatError(
            f"{path} holds no expectations ({error}); expected the lists utterances and intents, "
            "as in trainer/data_checks/expectations.json",
            path=path,
        ) from error


def _suite(name: str, expectations: list[dict[str, Any]]) -> Any:
    from great_expectations.core import ExpectationSuite
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    # One by one: a suite that is given a list leaves out what it does not know.
    known = [ExpectationConfiguration(**one).to_domain_obj() for one in expectations]
    return ExpectationSuite(name=name, expectations=known)


@contextlib.contextmanager
def _translating_suite_errors(name: str, path: Path) -> Iterator[None]:
    from great_expectations.exceptions.exceptions import GreatExpectationsError

    try:
        yield
    except (GreatExpectationsError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise SourceFormatError(
            f"{path}: the suite {name} cannot be read ({reason}); see the gallery of "
            "expectations of Great Expectations for their names and keys, and docs/data.md for the "
            "bounds that can be named",
            path=path,
        ) from error


def _utterances(rows: pl.DataFrame) -> Any:
    labels = rows["intent"].unique().drop_nulls()
    printable = pl.DataFrame(
        {"intent": labels, "label_is_printable": [label.isprintable() for label in labels]},
        schema={"intent": pl.String, "label_is_printable": pl.Boolean},
    )
    known = rows.join(printable, on="intent", how="left", maintain_order="left")
    columns = ("text", "intent", "split", "key", "label_is_printable")
    return known.select(*columns, characters=pl.col("text").str.len_chars()).to_pandas()


def _intents(rows: pl.DataFrame) -> Any:
    train = rows.filter((pl.col("split") == "train") & pl.col("intent").is_not_null())
    counts = train.group_by("intent").agg(training_texts=pl.col("text").n_unique()).sort("intent")
    most = pl.col("training_texts").max()
    return counts.with_columns(imbalance=most / pl.col("training_texts")).to_pandas()


def _outcomes(name: str, outcome: ExpectationSuiteValidationResult) -> list[Expectation]:
    found = []
    for one in outcome.results:
        configuration = one.expectation_config
        if configuration is None:
            continue
        result = one.result
        failed = _failure(one.exception_info)
        values = result.get("partial_unexpected_list") or []
        observed = result.get("observed_value", ", ".join(str(value) for value in values))
        notes = (configuration.meta or {}).get("notes", "")
        found.append(
            Expectation(
                suite=name,
                type=configuration.type,
                meaning=notes if isinstance(notes, str) else json.dumps(notes),
                met=bool(one.success),
                unexpected=result.get("unexpected_count"),
                observed=str(failed or ("" if one.success and values else observed)),
            )
        )
    return found


def _failure(information: dict[str, Any]) -> str | None:
    """Why an expectation could not be judged; the library may nest that by metric."""
    for one in (information, *information.values()):
        if isinstance(one, dict) and one.get("exception_message"):
            return " ".join(str(one["exception_message"]).split())
    return None


def _page(outcome: ExpectationSuiteValidationResult) -> str:
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaPageView

    document = ValidationResultsPageRenderer(run_info_at_end=True).render(outcome)
    rendered: str = DefaultJinjaPageView().render(document)  # type: ignore[no-untyped-call]
    page = _OUTSIDE.sub("", rendered)
    return _OUTSIDE_LINK.sub("", page).replace("</head>", _STYLE, 1)
