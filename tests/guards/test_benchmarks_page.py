"""docs/benchmarks.md says what the records say."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.benchmark_record import write_record
from trainer.quality_benchmark import QualityResult, Spread

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks_page.py"
PUBLISHED = """
[[figure]]
data_set = "Lamps"
protocol = "full"
model = "A larger one"
parameters = 110_000_000
source = "Somebody 2020, table 2"
measures = { in_scope_accuracy = 0.95, oos_auroc = 0.97 }

[[figure]]
data_set = "Lamps"
protocol = "fewshot-5"
model = "A shy one"
source = "Somebody 2020, table 3"
measures = { in_scope_accuracy = 0.8 }
"""


@pytest.fixture
def render(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], str]:
    """The function ``benchmarks_page``."""
    specification = importlib.util.spec_from_file_location("benchmarks_page", PAGE)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    # msgspec looks up the types of fields there.
    monkeypatch.setitem(sys.modules, module.__name__, module)
    specification.loader.exec_module(module)
    made: Callable[[Path], str] = module.benchmarks_page
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Published figures, and no record."""
    (tmp_path / "published.toml").write_text(PUBLISHED)
    return tmp_path


def record(folder: Path, protocol: str) -> None:
    measures = {
        "in_scope_accuracy": Spread(0.9612, 0.0013, 0.96, (0.96, 0.96, 0.9636)),
        "ece": Spread(0.0123, 0.0, 0.0123, (0.0123,)),
    }
    result = QualityResult(measures, 22_700_000, 118.7, protocol, (1, 2, 3), "abc" * 20, {})
    command = f"./inv bench.quality --data lamps.csv --protocol {protocol}"
    path = folder / f"lamps-{protocol}.json"
    write_record(path, result, data_set="Lamps", model="edgewise", command=command)


def rows(page: str, section: str) -> list[str]:
    part = page.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return [line for line in part.splitlines() if line.startswith("| ")]


def test_ours_stands_above_what_others_published(render, folder: Path) -> None:
    record(folder, "full")
    head, _, ours, theirs = rows(render(folder), "Lamps, full")
    assert head == "| model | in scope | AUROC | ECE | parameters | training | source |"
    assert ours == (
        "| **edgewise** | 96.12 % +/- 0.13 % |  | 0.0123 +/- 0.0000 | 22.7 M | 119 s | "
        "[lamps-full.json](benchmarks/lamps-full.json) |"
    )
    assert theirs == (
        "| A larger one | 95.00 % | 0.9700 |  | 110.0 M |  | Somebody 2020, table 2 |"
    )


def test_of_draws_the_median_is_shown_as_well(render, folder: Path) -> None:
    record(folder, "fewshot-5")
    ours = rows(render(folder), "Lamps, fewshot-5")[2]
    assert "| 96.12 % +/- 0.13 % (median 96.00 %) |" in ours


def test_how_to_repeat_it_stands_below(render, folder: Path) -> None:
    record(folder, "full")
    page = render(folder)
    assert "`./inv bench.quality --data lamps.csv --protocol full`; seeds 1, 2, 3;" in page
    assert "torch " in page


def test_what_is_not_measured_says_so(render, folder: Path) -> None:
    assert rows(render(folder), "Lamps, full")[2].startswith("| **edgewise**: not measured yet |")
