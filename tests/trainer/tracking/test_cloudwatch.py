"""Metrics to CloudWatch, against the AWS emulator."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import msgspec
import pytest

from edge_runtime.artifact import read_artifact
from edge_runtime.errors import SettingsError
from edge_runtime.settings import load_settings
from greengrass_components.emulator import Emulator, start_emulator
from trainer.config import DEFAULTS, TrackSettings
from trainer.errors import TrackingError
from trainer.tracking import MemoryTracker, Recorder
from trainer.tracking.cloudwatch import METRICS, CloudWatchMetrics


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with (
        pytest.MonkeyPatch.context() as patch,
        start_emulator(tmp_path_factory.mktemp("emulator")) as running,
    ):
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


def stored(namespace: str) -> list[tuple[str, list[dict[str, str]]]]:
    found = boto3.client("cloudwatch").list_metrics(Namespace=namespace)["Metrics"]
    return sorted((one["MetricName"], one["Dimensions"]) for one in found)


def test_there_are_never_more_than_five_custom_metrics_an_experiment(emulator: Emulator) -> None:
    everything = dict.fromkeys(METRICS, 0.5) | {"test/macro_f1": 0.5, "epoch/loss": 0.5}
    sink = CloudWatchMetrics("Edgewise/Count", experiment="lamp")
    # A second training adds values and no metric.
    assert [sink.publish(everything), sink.publish(everything)] == [5, 5]
    dimension = [{"Name": "Experiment", "Value": "lamp"}]
    assert stored("Edgewise/Count") == sorted((name, dimension) for name, _ in METRICS.values())


def test_only_what_is_known_is_sent(emulator: Emulator) -> None:
    sink = CloudWatchMetrics("Edgewise/Known", experiment="lamp")
    assert sink.publish({"test/ece": 0.01}) == 1
    assert sink.publish({"epoch/loss": 0.01}) == 0
    assert [name for name, _ in stored("Edgewise/Known")] == ["ExpectedCalibrationError"]


@pytest.mark.parametrize("is_reachable", [True, False])
def test_an_evaluation_is_sent_once_also_without_a_tracker(
    emulator: Emulator, tiny_line, track_settings: TrackSettings, is_reachable: bool
) -> None:
    namespace = f"Edgewise/Evaluation{is_reachable}"
    settings = msgspec.structs.replace(track_settings, cloudwatch_namespace=namespace)
    lines: list[str] = []
    recorder = Recorder(MemoryTracker(reachable=is_reachable), settings=settings, warn=lines.append)
    judged = read_artifact(tiny_line.evaluation, "evaluation")
    # This checkpoint was trained without a record, so its seconds and energy are not known.
    assert recorder.evaluation(judged, tiny_line.checkpoint) == 3
    assert [name for name, _ in stored(namespace)] == [
        "ExpectedCalibrationError",
        "InScopeAccuracy",
        "OutOfScopeAuroc",
    ]
    assert len(lines) == (0 if is_reachable else 1)


def test_an_evaluation_beside_the_models_own_sends_nothing(
    emulator: Emulator, tiny_line, track_settings: TrackSettings
) -> None:
    settings = msgspec.structs.replace(track_settings, cloudwatch_namespace="Edgewise/Beside")
    recorder = Recorder(MemoryTracker(), settings=settings, warn=pytest.fail)
    judged = read_artifact(tiny_line.evaluation, "evaluation")
    assert recorder.evaluation(judged, tiny_line.checkpoint, publish=False) == 0
    assert stored("Edgewise/Beside") == []


def test_nothing_is_sent_without_a_namespace(
    emulator: Emulator, tiny_line, track_settings: TrackSettings
) -> None:
    recorder = Recorder(MemoryTracker(), settings=track_settings, warn=pytest.fail)
    judged = read_artifact(tiny_line.evaluation, "evaluation")
    assert recorder.evaluation(judged, tiny_line.checkpoint) == 0


def test_without_credentials_the_error_says_so(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(TrackingError, match="Unable to locate credentials"):
        CloudWatchMetrics("Edgewise/Refused", experiment="lamp").publish({"test/ece": 0.01})


@pytest.mark.parametrize("namespace", ["AWS/IoT", ":edgewise", "", "a b", "x" * 256])
def test_a_namespace_that_cloudwatch_refuses_is_a_wrong_setting(namespace: str) -> None:
    with pytest.raises(SettingsError, match="track.cloudwatch_namespace"):
        load_settings(
            TrackSettings,
            "track",
            defaults=DEFAULTS,
            environment={"EDGEWISE_TRACK_CLOUDWATCH_NAMESPACE": namespace},
        )
