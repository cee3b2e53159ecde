"""A report as one page of HTML that stands alone: no request leaves it.

Texts of users are escaped by the template engine, and a content security policy that names the
digests of the page's own style and script refuses every other script, style and request.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import Any

from edge_runtime.storage import canonical_json
from trainer.calibration_basis import CalibrationBasis
from trainer.report.charts import Line, Mark, Row, interval_chart, line_chart, reliability_chart
from trainer.report.content import Reliability, Report, RiskCoverage

__all__ = ["render_page"]

_FOLDER = Path(__file__).parent
_NOTHING = "\N{EN DASH}"
_MEASURES = (
    ("in_scope_accuracy", "In-scope accuracy", "largest logit, in scope"),
    ("macro_f1", "Macro-F1", "mean over intents, in scope"),
    ("overall_accuracy", "Overall accuracy", "right answers, out of scope included"),
    ("oos_auroc", "Out-of-scope AUROC", "in scope from out of scope, any threshold"),
    ("oos_recall", "Out-of-scope recall", "found by the threshold"),
    ("in_scope_rejected", "In scope rejected", "called out of scope by the threshold"),
    ("ece", "Calibration error", "expected, 15 bins, in scope"),
    ("oos_fpr95", "FPR at 95 %", "out of scope that passes where 95 % in scope do"),
)


def render_page(report: Report) -> str:
    """Write a report as HTML; equal reports are equal pages.

    Args:
        report: what to show.
    """
    from markupsafe import Markup

    style, script = _own("report.css"), _own("report.js")
    page: str = (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            policy=(
                f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
                f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
            ),
            charts={
                name: Markup(svg)  # noqa: S704 - from an XML writer
                for name, svg in _charts(report).items()
            },
            tiles=[
                (name, title, what, getattr(report.measures, name))
                for name, title, what in _MEASURES
                if getattr(report.measures, name) is not None
            ],
            threshold_basis=_threshold_basis(report.basis),
            temperature_basis=_temperature_basis(report.basis),
            settings={
                name: canonical_json(value).decode()
                for name, value in (
                    ("calibration", report.provenance.calibration_settings),
                    ("training", report.provenance.train_settings),
                    ("base model", report.provenance.base_model),
                )
            },
        )
    )
    return page


def _threshold_basis(basis: CalibrationBasis) -> str:
    if not basis.in_scope:
        return "is the default, a share of the training's mean: nothing is held out for validation"
    if basis.threshold == "default":
        return "is the default: validation is too small to fit it"
    if basis.threshold == "in-scope":
        return f"was fitted on {basis.in_scope} in-scope validation utterances alone"
    told = f"was fitted on {basis.in_scope} in-scope validation utterances, and out of scope on "
    told += f"{basis.out_of_scope_validation} of validation"
    more = basis.out_of_scope_training
    return told + (f" and {more} of the training, which the model never saw" if more else "")


def _temperature_basis(basis: CalibrationBasis) -> str:
    if not basis.in_scope:
        return "is the default, because no validation utterance has an intent"
    return (
        f"was fitted on {basis.in_scope} in-scope validation utterances, {basis.mistakes} of them "
        "answered wrongly"
    )


def _charts(report: Report) -> dict[str, str]:
    charts = {
        "before": _reliability(report.reliability_before, "before"),
        "after": _reliability(report.reliability, "after"),
        "risk": _risk(report),
        "lengths": interval_chart(
            [
                Row(
                    f"{_length(one.low, one.high)} tokens ({one.utterances})",
                    one.accuracy,
                    one.interval.low,
                    one.interval.high,
                )
                for one in report.lengths
            ],
            name="lengths",
            title="In-scope accuracy by the number of tokens",
            x_label="in-scope accuracy",
        ),
    }
    if report.noise:
        charts["noise"] = interval_chart(
            [
                Row(one.title, one.accuracy, one.interval.low, one.interval.high)
                for one in report.noise
            ],
            name="noise",
            title="In-scope accuracy by noise",
            x_label="in-scope accuracy",
        )
    if report.roc is not None:
        x, y = report.roc.at_threshold
        charts["roc"] = line_chart(
            [Line("score", report.roc.points)],
            name="roc",
            title=f"ROC curve of the out-of-scope score, AUROC {report.measures.oos_auroc:.3f}",
            x_label="out-of-scope texts that get an answer",
            y_label="in-scope texts that get an answer",
            marks=[Mark(f"threshold: {x:.1%} and {y:.1%}", report.roc.at_threshold)],
            diagonal=True,
        )
    return charts


def _reliability(found: Reliability, name: str) -> str:
    return reliability_chart(
        [(one.low, one.high, one.accuracy, one.utterances) for one in found.bins],
        name=f"reliability-{name}",
        title=(
            f"Accuracy by confidence at temperature {found.temperature:.3g}, expected "
            f"calibration error {found.ece:.4f}"
        ),
    )


def _risk(report: Report) -> str:
    curves: list[tuple[str, RiskCoverage]] = [("in scope", report.risk_coverage)]
    if report.risk_coverage_overall is not None:
        curves.append(("all utterances", report.risk_coverage_overall))
    highest = max(risk for _, curve in curves for _, risk in curve.points)
    return line_chart(
        [Line(label, curve.points) for label, curve in curves],
        name="risk",
        title="Share of wrong answers by the share of utterances that is answered",
        x_label="utterances that get an answer",
        y_label="wrong answers",
        top=next(top for top in (0.025, 0.05, 0.1, 0.25, 0.5, 1.0) if highest <= top),
        marks=[
            Mark(f"threshold, {label}", curve.at_threshold)
            for label, curve in curves
            if curve.at_threshold is not None
        ],
    )


@functools.cache
def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "percent": _percent,
        "decimal": _decimal,
        "tokens": lambda one: _length(one.low, one.high),
    }
    return environment


def _own(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8").strip()


def _digest(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _percent(value: float | None, digits: int = 1) -> str:
    return _NOTHING if value is None else f"{value * 100:.{digits}f}\N{NO-BREAK SPACE}%"


def _decimal(value: float | None, digits: int = 3) -> str:
    return _NOTHING if value is None else f"{value:.{digits}f}"


def _length(low: int, high: int | None) -> str:
    return f"{low} or more" if high is None else f"{low} to {high}"
