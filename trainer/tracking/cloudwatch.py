"""A handful of metrics to CloudWatch, counted, because each of them costs money each month."""

from __future__ import annotations

from collections.abc import Mapping

from trainer.errors import TrackingError

__all__ = ["METRICS", "CloudWatchMetrics"]

METRICS: dict[str, tuple[str, str]] = {
    "test/in_scope_accuracy": ("InScopeAccuracy", "None"),
    "test/oos_auroc": ("OutOfScopeAuroc", "None"),
    "test/ece": ("ExpectedCalibrationError", "None"),
    "cost/seconds": ("TrainingSeconds", "Seconds"),
    "cost/energy_wh": ("TrainingEnergyWattHours", "None"),
}
"""A run's metric -> its name and unit in CloudWatch; there are never more than these."""

_TIMEOUT_S = 10


class CloudWatchMetrics:
    """Sends a run's metrics.

    The experiment is their one dimension, so each experiment makes ``len(METRICS)`` custom
    metrics at most, however often it is trained.

    Args:
        namespace: CloudWatch's, not one of AWS's own.
        experiment: see ``TrackSettings``.
    """

    def __init__(self, namespace: str, *, experiment: str) -> None:
        self._namespace, self._experiment = namespace, experiment

    def publish(self, metrics: Mapping[str, float]) -> int:
        """Send those of the metrics that ``METRICS`` names, in one call; return how many.

        Raises:
            TrackingError: there are no credentials or no region, or AWS refuses.
        """
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        data = [
            {
                "MetricName": METRICS[name][0],
                "Unit": METRICS[name][1],
                "Value": value,
                "Dimensions": [{"Name": "Experiment", "Value": self._experiment}],
            }
            for name, value in metrics.items()
            if name in METRICS
        ]
        if not data:
            return 0
        try:
            # AWS_ENDPOINT_URL is honoured by boto3 itself.
            client = boto3.Session().client(
                "cloudwatch",
                config=Config(
                    connect_timeout=_TIMEOUT_S,
                    read_timeout=_TIMEOUT_S,
                    retries={"total_max_attempts": 2},
                ),
            )
            client.put_metric_data(Namespace=self._namespace, MetricData=data)
        except (BotoCoreError, ClientError, ValueError) as error:
            raise TrackingError(
                f"CloudWatch does not take metrics in namespace {self._namespace} "
                f"({' '.join(str(error).split())}); see to the credentials and the region, or "
                "unset track.cloudwatch_namespace",
                namespace=self._namespace,
            ) from error
        return len(data)
