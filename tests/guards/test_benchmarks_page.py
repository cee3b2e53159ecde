"""docs/benchmarks.md says what the records say."""

from __future__ import annotations

import importlib
import shlex
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from compiler.intent_benchmark import AdditionResult, Answered
from edge_runtime.errors import StorageError
from trainer.benchmark_record import read_record, write_record
from trainer.calibration_benchmark import CalibrationBenchmark, ConfidenceMethod
from trainer.data_benchmark import DataBenchmark
from trainer.quality_benchmark import QualityResult, Spread
from trainer.resampling import Interval
from trainer.scaling_benchmark import ScalingBenchmark, TrainingCost
from trainer.score_benchmark import ScoreBenchmark, ScoreResult
from trainer.threshold_benchmark import LimitedThresholds, ThresholdMethod, ThresholdResult
from trainer.training_benchmark import PrecisionResult, TrainingBenchmark

DOCS = Path(__file__).resolve().parents[2] / "docs"
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
    monkeypatch.syspath_prepend(DOCS)
    page = importlib.import_module("benchmarks_page").benchmarks_page
    defaults = {"train": {"epochs": 6, "contrast": 0.3}, "intent": {"taken": 0.001}}
    return lambda folder: page(folder, defaults=defaults)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Published figures, and no record."""
    (tmp_path / "published.toml").write_text(PUBLISHED)
    return tmp_path


def record(folder: Path, protocol: str, settings: dict[str, dict[str, Any]] | None = None) -> None:
    measures = {
        "in_scope_accuracy": Spread(0.9612, 0.0013, 0.96, (0.96, 0.96, 0.9636)),
        "ece": Spread(0.0123, 0.0, 0.0123, (0.0123,)),
    }
    result = QualityResult(
        measures, 22_700_000, 118.7, protocol, (1, 2, 3), "abc" * 20, settings or {}
    )
    command = f"./inv bench.quality --data lamps.csv --protocol {protocol}"
    path = folder / f"lamps-{protocol}.json"
    write_record(path, result, data_set="Lamps", model="edgewise", command=command)


def other_record(folder: Path, name: str, result: msgspec.Struct, command: str) -> None:
    path = folder / f"{name}.json"
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
    path = folder / "lamps-full.json"
    path.write_text(path.read_text().replace('"precisions": []', '"precisions": ["bf16"]'))
    assert "--protocol full`; seeds 1, 2, 3; bf16; dataset" in render(folder)


def test_what_a_gate_keeps_out_of_a_bundle_is_told(render, folder: Path) -> None:
    record(folder, "full")
    path = folder / "lamps-full.json"
    assert "a gate" not in render(folder)
    missed = '"missed_gates": ["seed 3: it changes 21 of 3100 answers"]'
    path.write_text(path.read_text().replace('"missed_gates": []', missed))
    assert "; a gate keeps these out of a bundle: seed 3: it changes 21 of 3100" in render(folder)


def test_settings_that_are_no_default_any_more_are_told(render, folder: Path) -> None:
    record(folder, "full", {"train": {"epochs": 6, "contrast": 0.3}})
    assert "defaults" not in render(folder)
    # Variants and students are what the command asked for.
    chosen = {"compile": {"variants": ["int8"]}, "distillation": {"tier": "static"}}
    record(folder, "full", chosen)
    assert "defaults" not in render(folder)
    # What only students of other tiers read is no difference either.
    record(folder, "full", {"distillation": {"tier": "static", "learning_rate": 2e-4}})
    assert "defaults" not in render(folder)
    record(folder, "full", {"distillation": {"tier": "layers-2", "learning_rate": 2e-4}})
    assert "`distillation.learning_rate` 0.0002 (is no setting now)" in render(folder)
    record(folder, "full", {"train": {"epochs": 4, "agreement": 1.0, "seed": None}})
    assert (
        "; in place of today's defaults: `train.agreement` 1.0 (is no setting now), "
        "`train.contrast` not yet a setting (now 0.3), `train.epochs` 4 (now 6).\n"
    ) in render(folder)


def test_what_is_not_measured_says_so(render, folder: Path) -> None:
    assert rows(render(folder), "Lamps, full")[2].startswith("| **edgewise**: not measured yet |")


def test_a_variant_has_a_row_with_its_size_and_no_training(render, folder: Path) -> None:
    record(folder, "full")
    path = folder / "lamps-full.json"
    written = msgspec.json.decode(path.read_bytes())
    written["result"] |= {"variant": "onnx-int8", "bytes": 23_400_000, "seconds": None}
    (folder / "lamps-full-int8.json").write_bytes(msgspec.json.encode(written))
    head, _, int8, ours, theirs = rows(render(folder), "Lamps, full")
    assert head.endswith("| parameters | size | training | source |")
    assert int8.startswith("| **edgewise, onnx-int8** |")
    assert "| 22.7 M | 23.4 MB |  | [lamps-full-int8.json]" in int8
    assert "| 22.7 M |  | 119 s | [lamps-full.json]" in ours
    assert "| 110.0 M |  |  | Somebody 2020, table 2 |" in theirs


def test_a_check_of_data_has_its_own_section_and_machine(render, folder: Path) -> None:
    result = DataBenchmark(
        rows=1_000_000,
        splits=True,
        accents=False,
        bytes=62 * 2**20,
        seconds=61.2,
        cpu_seconds=75.0,
        peak_memory_bytes=1500 * 2**20,
        processors=2,
        findings={"duplicate": 3},
    )
    other_record(folder, "data", result, "./inv bench.data --rows 1000000 --seed 1")
    page = render(folder)
    assert rows(page, "Checking data")[2] == (
        "| 1,000,000 | 62 MiB | 61.2 s | 75.0 s | 1,500 MiB | 2 | "
        "[data.json](benchmarks/data.json) |"
    )
    assert "`data`: `./inv bench.data --rows 1000000 --seed 1`; " in page
    plain = msgspec.structs.replace(result, splits=False, accents=True)
    other_record(folder, "data", plain, "./inv bench.data --no-splits --accents")
    assert rows(render(folder), "Checking data")[2].startswith(
        "| 1,000,000 | 62 MiB, splits to be drawn, accents in most texts | 61.2 s |"
    )


def test_an_added_intent_shows_the_worst_of_the_others_falls(render, folder: Path) -> None:
    result = AdditionResult(
        before=Answered(accuracy=0.97, answered=0.95, rejected=0.03),
        others_fall=Spread(0.0002, 0.0003, 0.0, (0.0, 0.0, 0.0006)),
        others_answered_fall=Spread(0.0001, 0.0, 0.0001, (0.0001,)),
        others_rejected=Spread(0.03, 0.0, 0.03, (0.03,)),
        found=Spread(0.9, 0.05, 0.9, (0.85, 0.9, 0.95)),
        found_best=Spread(0.95, 0.01, 0.95, (0.94, 0.95, 0.96)),
        found_rejected=Spread(0.05, 0.0, 0.05, (0.05,)),
        seconds=Spread(0.5, 0.1, 0.48, (0.4, 0.48, 0.6)),
        command_seconds=Spread(1.0, 0.1, 0.97, (0.9, 0.97, 1.1)),
        intents=("a", "b", "c", "d"),
        refused=("d",),
        warned=(),
        examples=10,
        seed=1,
        data="0" * 64,
        settings={"intent": {"taken": 0.001}},
    )
    other_record(folder, "intent", result, "./inv bench.intent --data lamps.csv")
    assert rows(render(folder), "An intent added without training")[2] == (
        "| edgewise | Lamps | 3 | 10 | 97.00 % | 0.02 % | 0.06 % | 0.01 % | 90.00 % +/- 5.00 % | "
        "95.00 % +/- 1.00 % | 0.48 s (at most 0.60 s) | 0.97 s (at most 1.10 s) | 1 | "
        "[intent.json](benchmarks/intent.json) |"
    )


def test_ways_to_calibrate_stand_in_tables(render, folder: Path) -> None:
    judged = ThresholdResult(in_scope_rejected=0.03, in_scope_right=0.95, oos_recall=0.8)
    result = CalibrationBenchmark(
        confidences={"temperature": ConfidenceMethod(0.01, 0.001, 0.03, 0.97)},
        thresholds={
            size: {"empirical": ThresholdMethod(rejected=0.031, error=0.01)}
            for size in ("1000", "50")
        },
        with_out_of_scope=(LimitedThresholds(0.1, judged, judged),),
        wanted=0.03,
        utterances=3000,
        folds=5,
        repeats=10,
        draws=100,
        data="abc" * 20,
        checkpoint="def" * 20,
        settings={},
    )
    other_record(folder, "calibration", result, "./inv bench.calibration --repeats 10")
    told = rows(render(folder), "Calibration, by cross-validation on validation")
    assert "| temperature | 0.0100 +/- 0.0010 | 0.0300 | 97.00 % |" in told
    assert told.index("| 50 | empirical | 3.10 % | 1.00 % |") < told.index(
        "| 1000 | empirical | 3.10 % | 1.00 % |"
    )
    assert "| 10 % | both kinds | 3.00 % | 95.00 % | 80.00 % |" in told


def test_scores_show_what_they_gain_over_the_default_and_weigh(render, folder: Path) -> None:
    one = ScoreResult(
        parts=("energy", "lexical-margin"),
        auroc=0.98,
        auroc_interval=Interval(0.97, 0.99),
        auroc_gain=-0.001,
        auroc_gain_interval=Interval(-0.003, 0.002),
        fpr95=0.06,
        fpr95_interval=Interval(0.02, 0.1),
        fpr95_gain_interval=Interval(-0.02, 0.01),
        bytes=3 * 2**20,
    )
    default = msgspec.structs.replace(one, parts=("max-logit", "mahalanobis"))
    settings = {"train": {"epochs": 6, "contrast": 0.3, "seed": 2}}
    result = ScoreBenchmark(
        (one, default), default.parts, 3000, 100, 2**20, 2000, 1, "abc" * 20, "def" * 20, settings
    )
    other_record(folder, "scores", result, "./inv bench.scores --resamples 2000")
    page = render(folder)
    # Which checkpoint's scores they are is told by the model's name.
    assert "defaults" not in page
    assert "beside the 1.00 MiB that every bundle has so that intents can be added" in page
    told = rows(page, "Out-of-scope scores, on validation")
    assert told[2] == (
        "| energy + lexical-margin | 0.9800 (0.9700 to 0.9900) | -0.0010 (-0.0030 to +0.0020) | "
        "6.0 % (2.0 % to 10.0 %) | 3.00 MiB |"
    )
    assert told[3].startswith("| **max-logit + mahalanobis** (default) |")


def test_each_precision_of_a_training_has_a_row_with_the_device(render, folder: Path) -> None:
    def alone(value: float) -> Spread:
        return Spread(value, 0.0, value, (value,))

    fp32 = PrecisionResult(
        seconds=alone(431.2),
        seconds_to_best=alone(380.0),
        seconds_to_target=alone(150.4),
        utterances_per_second=alone(251.0),
        peak_memory_bytes=alone(1800 * 2.0**20),
        validation_accuracy=alone(0.975),
        test_accuracy=alone(0.968),
        epochs=(6,),
    )
    bf16 = msgspec.structs.replace(fp32, seconds_to_target=None, validation_accuracy=None)
    result = TrainingBenchmark(
        precisions={"fp32": fp32, "bf16": bf16},
        device="NVIDIA Something",
        memory_of="GPU",
        threads=2,
        target=0.965,
        utterances=15000,
        seeds=(1,),
        data="abc" * 20,
        settings={},
    )
    other_record(folder, "speed", result, "./inv bench.training --data lamps.csv")
    _, _, of_bf16, of_fp32 = rows(render(folder), "Time and memory of a training")
    assert of_fp32 == (
        "| edgewise | Lamps | NVIDIA Something, 2 threads | fp32 | 431 s | 150 s (96.5 %) | "
        "380 s | 251 | 1,800 MiB of the GPU | 97.50 % | 96.80 % | "
        "[speed.json](benchmarks/speed.json) |"
    )
    assert "| bf16 | 431 s |  | 380 s | 251 | 1,800 MiB of the GPU |  | 96.80 % |" in of_bf16


def test_several_trainings_show_their_spread(render, folder: Path) -> None:
    def several(*values: float) -> Spread:
        return Spread(statistics.mean(values), statistics.stdev(values), values[0], values)

    fp32 = PrecisionResult(
        seconds=several(430.0, 440.0),
        seconds_to_best=several(380.0, 381.0),
        seconds_to_target=several(150.0, 157.0),
        utterances_per_second=several(250.0, 252.0),
        peak_memory_bytes=several(1800 * 2.0**20, 1810 * 2.0**20),
        validation_accuracy=None,
        test_accuracy=several(0.968, 0.97),
        epochs=(6, 6),
    )
    result = TrainingBenchmark(
        precisions={"fp32": fp32},
        device="Some processor",
        memory_of="process",
        threads=2,
        target=0.965,
        utterances=15000,
        seeds=(1, 2),
        data="abc" * 20,
        settings={},
    )
    other_record(folder, "speed", result, "./inv bench.training --data lamps.json --seeds 2")
    *_, row = rows(render(folder), "Time and memory of a training")
    assert "| 435 +/- 7 s | 154 +/- 5 s (96.5 %) | 380 +/- 1 s | 251 +/- 1 |" in row
    assert "| 1,805 MiB of the process |  | 96.90 +/- 0.14 % |" in row


def test_each_size_of_scaling_has_a_row_with_its_accuracy(render, folder: Path) -> None:
    small = TrainingCost(
        rows=1000,
        utterances=800,
        epochs=4,
        seconds=20.4,
        cpu_seconds=38.6,
        microseconds_per_utterance=12062.5,
        peak_memory_bytes=1500 * 2**20,
        checkpoint_bytes=93 * 2**20,
        validation_accuracy=0.9312,
    )
    tiny = msgspec.structs.replace(small, rows=20, utterances=16, validation_accuracy=None)
    result = ScalingBenchmark(
        trainings=(tiny, small),
        base_model="tiny",
        parameters=22_000_000,
        processors=2,
        device="Some processor",
        memory_of="process",
        seed=1,
        settings={},
    )
    other_record(folder, "sizes", result, "./inv bench.scaling --rows 20,1000")
    *_, of_tiny, of_small = rows(render(folder), "Trainings on small and on large data")
    assert "| 1,000 | 800 | 4 | 20 s | 39 s | 12,062 us |" in of_small
    assert "| 1,500 MiB of the process | 93 MiB | 93.12 % | [sizes.json]" in of_small
    assert "| 93 MiB |  | [sizes.json]" in of_tiny


def test_a_record_of_an_unknown_task_is_named(render, folder: Path) -> None:
    result = DataBenchmark(
        1,
        splits=True,
        accents=False,
        bytes=1,
        seconds=1.0,
        cpu_seconds=1.0,
        peak_memory_bytes=1,
        processors=1,
        findings={},
    )
    other_record(folder, "strange", result, "./inv bench.strange")
    with pytest.raises(StorageError, match=r"strange.json comes from bench.strange, which docs"):
        render(folder)


class TestPlan:
    @pytest.fixture
    def measure(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """The module docs/measure.py."""
        monkeypatch.syspath_prepend(DOCS)
        return importlib.import_module("measure")

    def test_every_record_of_the_page_can_be_measured_again(self, measure: Any) -> None:
        """With the flags that it tells; those that it does not tell name places and titles."""
        plan = {one.name: one for one in measure.read_plan()}
        files = sorted((DOCS / "benchmarks").glob("*.json"))
        assert files
        for path in files:
            record, planned = read_record(path), plan[path.stem]
            words = shlex.split(record.command)[1:]
            for switch in planned.switches:
                words.remove(f"--{switch}")
            told = dict(zip(words[1::2], words[2::2], strict=True))
            flags = {f"--{name}": str(value) for name, value in planned.flags.items()}
            assert words[0] == planned.task, path
            assert record.data_set == flags.pop("--data-set", record.data_set), path
            own = "data.check" if planned.task == "bench.data" else "edgewise"
            assert record.model == flags.pop("--model", own), path
            for place in ("folder", "checkpoint", "dataset", "evaluation"):
                assert flags.pop(f"--{place}", "build/").startswith("build/"), path
            named = {name: value.rpartition("/")[2] for name, value in flags.items()}
            assert named.items() <= told.items(), path

    def test_a_record_is_missing_measured_or_of_other_settings(
        self, measure: Any, folder: Path
    ) -> None:
        planned = measure.PlannedMeasurement("lamps-full", "bench.quality", {})
        defaults = {"train": {"epochs": 6}}
        assert measure.state_of(planned, folder, defaults=defaults) == "missing"
        record(folder, "full", {"train": {"epochs": 6}})
        assert measure.state_of(planned, folder, defaults=defaults) == "measured"
        record(folder, "full", {"train": {"epochs": 4}})
        assert measure.state_of(planned, folder, defaults=defaults) == (
            "of other settings: `train.epochs` 4 (now 6)"
        )

    def test_the_call_names_the_data_below_their_folder_and_the_record(
        self, measure: Any, tmp_path: Path
    ) -> None:
        flags = {"data": "lamps/train.csv", "seeds": 3}
        planned = measure.PlannedMeasurement("lamps", "bench.quality", flags)
        _, *words = measure.command_for(planned, data=tmp_path, output=tmp_path / "lamps.json")
        assert words == [
            *("bench.quality", f"--data={tmp_path}/lamps/train.csv", "--seeds=3"),
            f"--output={tmp_path}/lamps.json",
        ]
        with pytest.raises(ValueError, match="let EDGEWISE_DATA name the folder"):
            measure.command_for(planned, data=None, output=tmp_path / "lamps.json")

    @pytest.mark.parametrize(
        ("argument", "said"),
        [("lamps", "lamps is not in "), ("clinc150-full", "let EDGEWISE_DATA name")],
    )
    def test_what_cannot_be_measured_is_one_line_and_exit_code_1(
        self,
        measure: Any,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        argument: str,
        said: str,
    ) -> None:
        monkeypatch.delenv("EDGEWISE_DATA", raising=False)
        assert measure.main([argument]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        assert said in line
