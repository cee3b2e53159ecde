"""Records of trainings in MLflow: a local SQLite file, a database, or a tracking server."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import re
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from edge_runtime.errors import SettingsError
from trainer.errors import TrackingError
from trainer.tracking.tracker import Measurement, Run, RunStatus

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

__all__ = ["MlflowTracker"]

_SERVERS = ("http", "https")
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
# Variables that the user has set are left as they are.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    # MLflow would try a server that is gone for a quarter of an hour, and training would wait.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
_PAGE = 100
_LONGEST_VALUE = 500
_LONGEST_REASON = 300


class MlflowTracker:
    """Keeps runs in one experiment of MLflow.

    MLflow is imported, and what it writes to is made, when the first run is asked for.

    Args:
        uri: as in ``MLFLOW_TRACKING_URI``: ``http(s)://``, or SQLAlchemy's for a database.
        experiment: made when it is not there.
        artifacts: where files go for a new experiment in a database; a server has its own place.

    Raises:
        SettingsError: MLflow does not know such a URI.
    """

    def __init__(self, uri: str, *, experiment: str, artifacts: Path | None = None) -> None:
        scheme = uri.partition(":")[0].partition("+")[0]
        if scheme not in (*_SERVERS, *_DATABASES):
            raise SettingsError(
                f"MLFLOW_TRACKING_URI is {uri!r}; give the address of a tracking server "
                "(http:// or https://) or of a database, such as sqlite:///build/mlflow.db",
                name="MLFLOW_TRACKING_URI",
            )
        self.uri = uri
        self.is_remote = scheme in _SERVERS
        self._name = experiment
        self._artifacts = artifacts
        path = uri.partition(":///")[2].partition("?")[0]
        self._file = Path(path) if scheme == "sqlite" and path else None
        self._opened: tuple[MlflowClient, str] | None = None

    def runs(self, *, tags: Mapping[str, str], limit: int) -> list[Run]:
        """See ``Tracker``."""
        if self._file is not None and not self._file.exists():
            return []  # looking for runs makes no database
        with self._translating():
            client, experiment = self._open()
            found = client.search_runs(
                [experiment],
                filter_string=" and ".join(
                    f"tags.`{name}` = '{value}'" for name, value in tags.items()
                ),
                order_by=["attributes.start_time DESC"],
                max_results=limit,
            )
            return [_run(one) for one in found]

    def begin(self, name: str, *, params: Mapping[str, str], tags: Mapping[str, str]) -> str:
        """See ``Tracker``."""
        with self._translating():
            client, experiment = self._open()
            from mlflow.entities import Param

            run = str(client.create_run(experiment, tags=_cut(tags), run_name=name).info.run_id)
            rows = [Param(key, value) for key, value in _cut(params).items()]
            for start in range(0, len(rows), _PAGE):
                client.log_batch(run, params=rows[start : start + _PAGE])
            return run

    def set_status(self, run: str, status: RunStatus) -> None:
        """See ``Tracker``."""
        with self._translating():
            client, _ = self._open()
            if status == "running":
                client.update_run(run, status="RUNNING")
            else:
                client.set_terminated(run, status=status.upper())

    def log(
        self,
        run: str,
        *,
        metrics: Sequence[Measurement] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """See ``Tracker``."""
        with self._translating():
            client, _ = self._open()
            from mlflow.entities import Metric, RunTag

            now = int(time.time() * 1000)
            rows = [Metric(one.name, one.value, now, one.step) for one in metrics]
            for start in range(0, len(rows), _PAGE):
                client.log_batch(run, metrics=rows[start : start + _PAGE])
            if tags:
                client.log_batch(run, tags=[RunTag(*item) for item in _cut(tags).items()])

    def attach(self, run: str, path: Path, *, folder: str = "") -> None:
        """See ``Tracker``."""
        with self._translating():
            client, _ = self._open()
            send = client.log_artifacts if path.is_dir() else client.log_artifact
            send(run, str(path), folder or None)

    def _open(self) -> tuple[MlflowClient, str]:
        """The client and the experiment's id."""
        if self._opened is None:
            for name, value in _ENVIRONMENT.items():
                os.environ.setdefault(name, value)
            if self._file is not None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
            from mlflow.tracking import MlflowClient

            # They tell of each table that is made and each call that is tried again; what fails
            # in the end is raised anyway.
            for name in ("mlflow", "alembic", "urllib3.connectionpool"):
                logging.getLogger(name).setLevel(logging.CRITICAL)
            client = MlflowClient(tracking_uri=self.uri)
            found = client.get_experiment_by_name(self._name)
            is_ours = self._artifacts is not None and not self.is_remote
            place = self._artifacts.resolve().as_uri() if self._artifacts and is_ours else None
            number = (
                str(found.experiment_id)
                if found is not None
                else str(client.create_experiment(self._name, artifact_location=place))
            )
            self._opened = (client, number)
        return self._opened

    @contextlib.contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            # Of MLflow's own use of things that other libraries will drop, nobody need hear.
            with warnings.catch_warnings(action="ignore"):
                yield
        # Whatever goes wrong in here, MLflow, SQLAlchemy, requests or the disk: the training
        # that is being recorded must not be lost for it.
        except Exception as error:
            raise TrackingError(
                f"MLflow at {_without_password(self.uri)} does not take records ({_reason(error)})",
                uri=_without_password(self.uri),
            ) from error


def _run(found: Any) -> Run:
    started = dt.datetime.fromtimestamp(found.info.start_time / 1000, dt.UTC)
    return Run(
        id=found.info.run_id,
        name=found.info.run_name or "",
        status=cast("RunStatus", found.info.status.lower()),
        started=started.isoformat(timespec="seconds"),
        params=dict(found.data.params),
        metrics=dict(found.data.metrics),
        tags=dict(found.data.tags),
    )


def _cut(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value[:_LONGEST_VALUE] for name, value in values.items()}


def _without_password(uri: str) -> str:
    return re.sub(r"(?<=//)[^/@]*@", "", uri)


def _reason(error: Exception) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    return _without_password(
        words if len(words) <= _LONGEST_REASON else f"{words[:_LONGEST_REASON]}..."
    )
