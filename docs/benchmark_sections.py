"""The sections of docs/benchmarks.md that hold no published figures: one for each other task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from trainer.benchmark_record import BenchmarkRecord

__all__ = ["SECTIONS", "percent", "table"]

Records = Mapping[str, BenchmarkRecord]


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def percent(share: float | None, digits: int = 2) -> str:
    """A share between 0 and 1; empty when there is none."""
    return "" if share is None else f"{share * 100:.{digits}f} %"


def _data(records: Records) -> str:
    return table(
        ["rows", "file", "wall time", "processor time", "peak memory", "processors", "record"],
        [
            [
                f"{one['rows']:,}",
                ", ".join(
                    [
                        _mebibytes(one["bytes"]),
                        *([] if one["splits"] else ["splits to be drawn"]),
                        *(["accents in most texts"] if one["accents"] else []),
                    ]
                ),
                f"{one['seconds']:.1f} s",
                f"{one['cpu_seconds']:.1f} s",
                _mebibytes(one["peak_memory_bytes"]),
                str(one["processors"]),
                _link(name),
            ]
            for name, one in _results(records)
        ],
    )


def _intent(records: Records) -> str:
    return table(
        [
            *("model", "data set", "intents added", "examples of each", "others before"),
            *("others' fall, mean", "largest", "with the threshold", "new intent answered"),
            *("by the best intent", "an addition", "the task of one", "refused"),
            "record",
        ],
        [
            [
                records[name].model,
                records[name].data_set,
                str(len(one["intents"]) - len(one["refused"])),
                str(one["examples"]),
                percent(one["before"]["accuracy"]),
                percent(one["others_fall"]["mean"]),
                percent(max(one["others_fall"]["values"])),
                percent(one["others_answered_fall"]["mean"]),
                _spread(one["found"]),
                _spread(one["found_best"]),
                _median_and_most(one["seconds"]),
                _median_and_most(one["command_seconds"]),
                str(len(one["refused"])),
                _link(name),
            ]
            for name, one in _results(records)
        ],
    )


def _calibration(records: Records) -> str:
    return "\n".join(_calibration_of(name, records[name]) for name in records)


def _calibration_of(name: str, record: BenchmarkRecord) -> str:
    one = record.result
    told = (
        f"{one['utterances']:,} in-scope validation utterances, {one['folds']} folds drawn "
        f"{one['repeats']} times: {_link(name)}."
    )
    parts = [
        f"### {record.model} on {record.data_set}, calibration\n\n{told}\n",
        table(
            ["confidence", "ECE", "Brier", "accuracy"],
            [
                [
                    method,
                    f"{found['ece']:.4f} +/- {found['ece_sd']:.4f}",
                    f"{found['brier']:.4f}",
                    percent(found["accuracy"]),
                ]
                for method, found in one["confidences"].items()
            ],
        ),
    ]
    if one["thresholds"]:
        wanted = percent(one["wanted"], 1)
        parts.append(
            table(
                ["threshold fitted on", "method", f"rejects, {wanted} wanted", "off by"],
                [
                    [size, method, percent(found["rejected"]), percent(found["error"])]
                    for size, methods in sorted(
                        one["thresholds"].items(), key=lambda item: int(item[0])
                    )
                    for method, found in methods.items()
                ],
            )
        )
    if one["with_out_of_scope"]:
        parts.append(
            table(
                ["limit", "threshold", "in scope rejected", "in scope right", "out of scope found"],
                [
                    [
                        percent(limited["limit"], 0),
                        words,
                        *(
                            percent(limited[way][measure])
                            for measure in ("in_scope_rejected", "in_scope_right", "oos_recall")
                        ),
                    ]
                    for limited in one["with_out_of_scope"]
                    for way, words in (("in_scope", "in scope alone"), ("balanced", "both kinds"))
                ],
            )
        )
    return "\n".join(parts)


def _scores(records: Records) -> str:
    return "\n".join(_scores_of(name, records[name]) for name in records)


def _scores_of(name: str, record: BenchmarkRecord) -> str:
    result = record.result
    told = (
        f"{result['in_scope']:,} in-scope and {result['out_of_scope']:,} out-of-scope validation "
        f"utterances; 95 % intervals of {result['resamples']:,} resamples. These are the same for "
        "all scores, so the gain over the default is surer than the difference of two rows. Last, "
        f"what a bundle grows by, beside the {result['addition_bytes'] / 2**20:.2f} MiB that every "
        f"bundle has so that intents can be added: {_link(name)}."
    )
    rows = []
    for one in result["scores"]:
        words = " + ".join(one["parts"])
        rows.append(
            [
                f"**{words}** (default)" if one["parts"] == result["default"] else words,
                f"{one['auroc']:.4f} ({_within(one['auroc_interval'], '.4f')})",
                f"{one['auroc_gain']:+.4f} ({_within(one['auroc_gain_interval'], '+.4f')})",
                f"{percent(one['fpr95'], 1)} ({_within(one['fpr95_interval'], '.1%')})",
                f"{one['bytes'] / 2**20:.2f} MiB",
            ]
        )
    headings = ["score", "AUROC", "over the default", "FPR at 95 %", "adds"]
    heading = f"### {record.model} on {record.data_set}, scores"
    return f"{heading}\n\n{told}\n\n{table(headings, rows)}"


def _training(records: Records) -> str:
    rows = []
    for name, result in _results(records):
        for precision, one in result["precisions"].items():
            wanted = "" if result["target"] is None else f" ({percent(result['target'], 1)})"
            rows.append(
                [
                    records[name].model,
                    records[name].data_set,
                    f"{result['device']}, {result['threads']} threads",
                    precision,
                    _with_spread(one["seconds"], unit=" s"),
                    _with_spread(one["seconds_to_target"], unit=f" s{wanted}"),
                    _with_spread(one["seconds_to_best"], unit=" s"),
                    _with_spread(one["utterances_per_second"]),
                    f"{_mebibytes(one['peak_memory_bytes']['mean'])} of the {result['memory_of']}",
                    _with_spread(one["validation_accuracy"], 100, 2, " %"),
                    _with_spread(one["test_accuracy"], 100, 2, " %"),
                    _link(name),
                ]
            )
    return table(
        [
            *("model", "data set", "device", "precision", "whole training", "until validation"),
            *(
                "until the kept weights",
                "utterances a second",
                "peak memory",
                "validation",
                "test",
                "record",
            ),
        ],
        rows,
    )


def _with_spread(
    spread: Mapping[str, Any] | None, scale: int = 1, digits: int = 0, unit: str = ""
) -> str:
    """The mean, +/- the standard deviation where there are several; empty when there is none."""
    if spread is None:
        return ""
    shown = ["mean", "sd"] if len(spread["values"]) > 1 else ["mean"]
    return " +/- ".join(f"{spread[one] * scale:.{digits}f}" for one in shown) + unit


def _scaling(records: Records) -> str:
    rows = [
        [
            records[name].model,
            f"{result['device']}, {result['processors']} processors",
            f"{one['rows']:,}",
            f"{one['utterances']:,}",
            str(one["epochs"]),
            f"{one['seconds']:.0f} s",
            f"{one['cpu_seconds']:.0f} s",
            f"{one['microseconds_per_utterance']:,.0f} us",
            f"{_mebibytes(one['peak_memory_bytes'])} of the {result['memory_of']}",
            _mebibytes(one["checkpoint_bytes"]),
            percent(one["validation_accuracy"]),
            _link(name),
        ]
        for name, result in _results(records)
        for one in result["trainings"]
    ]
    return table(
        [
            *("model", "device", "rows", "for training", "passes", "wall time", "processor time"),
            *("an utterance and pass", "peak memory", "checkpoint", "validation", "record"),
        ],
        rows,
    )


SECTIONS: dict[str, tuple[str, Callable[[Records], str]]] = {
    "bench.scores": ("Out-of-scope scores, on validation", _scores),
    "bench.calibration": (
        "Calibration, by cross-validation on validation",
        _calibration,
    ),
    "bench.intent": ("An intent added without training", _intent),
    "bench.training": ("Time and memory of a training", _training),
    "bench.scaling": ("Trainings on small and on large data", _scaling),
    "bench.data": ("Checking data", _data),
}
"""Task -> heading, and what renders all of its records, which are named by their files."""


def _results(records: Records) -> list[tuple[str, dict[str, Any]]]:
    return [(name, record.result) for name, record in records.items()]


def _median_and_most(seconds: dict[str, Any]) -> str:
    return f"{seconds['median']:.2f} s (at most {max(seconds['values']):.2f} s)"


def _spread(spread: Mapping[str, Any]) -> str:
    return f"{percent(spread['mean'])} +/- {percent(spread['sd'])}"


def _within(interval: Mapping[str, float], form: str) -> str:
    low, high = (format(interval[end], form).replace("%", " %") for end in ("low", "high"))
    return f"{low} to {high}"


def _mebibytes(size: float) -> str:
    return f"{size / 2**20:,.0f} MiB"


def _link(name: str) -> str:
    return f"[{name}.json](benchmarks/{name}.json)"
