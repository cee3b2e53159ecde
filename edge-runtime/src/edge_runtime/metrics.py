"""Counters and a histogram in the text format that Prometheus reads.

Format: Prometheus text exposition 0.0.4
(https://prometheus.io/docs/instrumenting/exposition_formats/).
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from edge_runtime.classifier import Answer
from edge_runtime.holder import HolderState

__all__ = [
    "CONTENT_TYPE",
    "Counter",
    "Histogram",
    "RuntimeMetrics",
    "peak_memory_bytes",
    "resident_memory_bytes",
]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OUTCOMES = ("answered", "refused", "unavailable", "failed")
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Counter:
    """A number that only grows, one for each value of a label.

    Args:
        name: the metric's name.
        text: what it counts, for the HELP line.
        label: name of the label; empty for a counter without one.
        values: the label's values, which are shown from the start.
    """

    def __init__(
        self, name: str, text: str, *, label: str = "", values: Iterable[str] = ()
    ) -> None:
        self._name = name
        self._text = text
        self._label = label
        self._counts = dict.fromkeys(values if label else [""], 0)
        self._lock = threading.Lock()

    def add(self, value: str = "", *, amount: int = 1) -> None:
        """Count ``amount`` more for one value of the label."""
        with self._lock:
            self._counts[value] = self._counts.get(value, 0) + amount

    def lines(self) -> list[str]:
        """The metric in the text format."""
        with self._lock:
            counts = dict(self._counts)
        samples = [
            _sample(self._name, {self._label: value} if self._label else {}, count)
            for value, count in counts.items()
        ]
        return [*_head(self._name, self._text, "counter"), *samples]


class Histogram:
    """How often a measured value fell below each bound.

    Args:
        name: the metric's name.
        text: what it measures, for the HELP line.
        bounds: upper bounds of the buckets, rising, in the metric's unit.
    """

    def __init__(self, name: str, text: str, *, bounds: tuple[float, ...] = _SECONDS) -> None:
        self._name = name
        self._text = text
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()

    def observe(self, value: float) -> None:
        """Count one measured value."""
        with self._lock:
            self._counts[bisect.bisect_left(self._bounds, value)] += 1
            self._sum += value

    def lines(self) -> list[str]:
        """The metric in the text format."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        lines = _head(self._name, self._text, "histogram")
        running = 0
        for bound, count in zip((*map(str, self._bounds), "+Inf"), counts, strict=True):
            running += count
            lines.append(_sample(f"{self._name}_bucket", {"le": bound}, running))
        lines.append(_sample(f"{self._name}_sum", {}, total))
        lines.append(_sample(f"{self._name}_count", {}, running))
        return lines


class RuntimeMetrics:
    """What a running runtime tells of itself; every method may be called from any thread."""

    def __init__(self) -> None:
        self._requests = Counter(
            "edgewise_requests_total",
            "Requests to classify, by outcome.",
            label="outcome",
            values=OUTCOMES,
        )
        self._seconds = Histogram(
            "edgewise_classify_seconds", "Time to answer a request to classify, in seconds."
        )
        self._texts = Counter("edgewise_texts_total", "Texts that were answered.")
        self._out_of_scope = Counter(
            "edgewise_out_of_scope_total", "Answered texts that no intent fits."
        )

    def count_outcome(self, outcome: str) -> None:
        """Count one request; ``outcome`` is one of ``OUTCOMES``."""
        self._requests.add(outcome)

    def count_answers(self, answers: Iterable[Answer], *, seconds: float) -> None:
        """Count the answers of one request and the time they took."""
        scopes = [answer.out_of_scope for answer in answers]
        self._seconds.observe(seconds)
        self._texts.add(amount=len(scopes))
        self._out_of_scope.add(amount=sum(scopes))

    def render(self, state: HolderState) -> str:
        """All metrics in the text format, each line ended by a newline."""
        lines = [
            *self._requests.lines(),
            *self._seconds.lines(),
            *self._texts.lines(),
            *self._out_of_scope.lines(),
            *_head("edgewise_model_info", "The model being served.", "gauge"),
        ]
        if state.name is not None:
            labels = {"name": state.name, "version": state.version or ""}
            labels["variant"] = state.variant or ""
            lines.append(_sample("edgewise_model_info", labels, 1))
        lines += _head("process_resident_memory_bytes", "Resident memory, in bytes.", "gauge")
        lines.append(_sample("process_resident_memory_bytes", {}, resident_memory_bytes()))
        return "\n".join(lines) + "\n"


def resident_memory_bytes() -> int:
    """Resident memory of this process, in bytes; 0 where the system does not tell."""
    return _status_bytes("VmRSS")


def peak_memory_bytes() -> int:
    """Largest resident memory of this process so far, in bytes; 0 where unknown."""
    return _status_bytes("VmHWM")


def _status_bytes(name: str) -> int:
    # Not getrusage: its peak also counts the program that started this one.
    try:
        text = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    values = [line.split()[1] for line in text.splitlines() if line.startswith(f"{name}:")]
    return int(values[0]) * 1024 if values else 0


def _head(name: str, text: str, kind: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value}" if inside else f"{name} {value}"


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
