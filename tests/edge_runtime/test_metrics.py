from __future__ import annotations

import pytest

from edge_runtime.classifier import Answer
from edge_runtime.holder import HolderState
from edge_runtime.metrics import (
    Counter,
    Histogram,
    RuntimeMetrics,
    peak_memory_bytes,
    resident_memory_bytes,
)


def answer(*, out_of_scope: bool) -> Answer:
    return Answer(
        text="lights on",
        intent=None if out_of_scope else "lights_on",
        confidence=0.9,
        out_of_scope=out_of_scope,
        score=1.0,
        candidates=(),
    )


def test_a_counter_counts_each_value_of_its_label() -> None:
    counter = Counter("requests_total", "Requests.", label="outcome", values=("good", "bad"))
    counter.add("good")
    counter.add("good", amount=2)
    assert counter.lines() == [
        "# HELP requests_total Requests.",
        "# TYPE requests_total counter",
        'requests_total{outcome="good"} 3',
        'requests_total{outcome="bad"} 0',
    ]


def test_a_counter_without_a_label_is_one_number() -> None:
    counter = Counter("texts_total", "Texts.")
    counter.add()
    assert counter.lines()[-1] == "texts_total 1"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.5, [1, 1, 1]), (1.0, [1, 1, 1]), (1.5, [0, 1, 1]), (3.0, [0, 0, 1])],
)
def test_a_histogram_counts_what_is_at_most_each_bound(value: float, expected: list[int]) -> None:
    histogram = Histogram("seconds", "Time.", bounds=(1.0, 2.0))
    histogram.observe(value)
    assert histogram.lines() == [
        "# HELP seconds Time.",
        "# TYPE seconds histogram",
        f'seconds_bucket{{le="1.0"}} {expected[0]}',
        f'seconds_bucket{{le="2.0"}} {expected[1]}',
        f'seconds_bucket{{le="+Inf"}} {expected[2]}',
        f"seconds_sum {value}",
        "seconds_count 1",
    ]


def test_the_runtime_counts_outcomes_answers_and_out_of_scope() -> None:
    metrics = RuntimeMetrics()
    metrics.count_outcome("answered")
    metrics.count_answers([answer(out_of_scope=True), answer(out_of_scope=False)], seconds=0.001)
    lines = metrics.render(HolderState(status="waiting")).splitlines()
    assert 'edgewise_requests_total{outcome="answered"} 1' in lines
    assert "edgewise_texts_total 2" in lines
    assert "edgewise_out_of_scope_total 1" in lines
    assert "edgewise_classify_seconds_count 1" in lines
    assert not any(line.startswith("edgewise_model_info{") for line in lines)


def test_the_model_is_named_with_its_quotes_escaped() -> None:
    state = HolderState(status="serving", name='a"b\\c', version="1.0.0", variant="int8")
    text = RuntimeMetrics().render(state)
    assert r'edgewise_model_info{name="a\"b\\c",version="1.0.0",variant="int8"} 1' in text


def test_memory_is_known_and_its_peak_is_not_below_it() -> None:
    assert 0 < resident_memory_bytes() <= peak_memory_bytes()
