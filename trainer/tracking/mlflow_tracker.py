"""Records of trainings in MLflow: a local SQLite file, a database, or a tracking server."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import re
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

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
        uri: as in ``MLFLOW_TRACKING_URI``: ``http(s)://``, SQLAlchemy's for a database, or
            whatever else MLflow or a plugin of it has registered: ``databricks``, ``arn:...``.
        experiment: made when it is not there.
        artifacts: where files go for a new experiment in a database; others have their own place.

    Raises:
        SettingsError: MLflow and its plugins do not know such a URI.
    """

    def __init__(self, uri: str, *, experiment: str, artifacts: Path | None = None) -> None:
        scheme = uri.partition(":")[0].partition("+")[0]
        # MLflow takes seconds to import: of what is usual it need not be asked.
        if scheme not in (*_SERVERS, *_DATABASES) and not _is_registered(uri):
            raise SettingsError(
                f"MLFLOW_TRACKING_URI is {_without_password(uri)!r}, which neither MLflow nor an "
                "installed plugin of it knows; give the address of a tracking server (http:// or "
                "https://) or of a database, such as sqlite:///build/mlflow.db",
                name="MLFLOW_TRACKING_URI",
            )
        self.uri = uri
        self._is_database = scheme in _DATABASES
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
            place = _local_folder(client.get_run(run).info.artifact_uri)
            if place is not None:
                _link(path, place / folder)
            elif path.is_dir():
                client.log_artifacts(run, str(path), folder or None)
            else:
                client.log_artifact(run, str(path), folder or None)

    def _open(self) -> tuple[MlflowClient, str]:
        """The client and the experiment's id."""
        if self._opened is None:
            _prepare()
            if self._file is not None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
            from mlflow.tracking import MlflowClient

            # They tell of each table that is made and each call that is tried again; what fails
            # in the end is raised anyway.
            for name in ("mlflow", "alembic", "urllib3.connectionpool"):
                logging.getLogger(name).setLevel(logging.CRITICAL)
            client = MlflowClient(tracking_uri=self.uri)
            found = client.get_experiment_by_name(self._name)
            is_ours = self._artifacts is not None and self._is_database
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
                f"MLflow at {_without_password(self.uri)} does not answer ({_reason(error)}); see "
                "to it, or let MLFLOW_TRACKING_URI name another place",
                uri=_without_password(self.uri),
            ) from error


def _prepare() -> None:
    """Set what MLflow looks at when it is imported."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def _is_registered(uri: str) -> bool:
    """Whether MLflow has a store for such a URI, its own or a plugin's."""
    _prepare()
    from mlflow.exceptions import MlflowException

    # MLflow gives no public way to ask without opening the store.
    from mlflow.tracking._tracking_service.utils import _tracking_store_registry

    registry: Any = _tracking_store_registry
    try:
        registry.get_store_builder(uri)
    except MlflowException:
        return False
    return True


def _local_folder(uri: str) -> Path | None:
    """The folder on this machine that a run's files are in; ``None`` when they are elsewhere."""
    parts = urlsplit(uri)
    if parts.scheme not in {"", "file"} or parts.netloc not in {"", "localhost"}:
        return None
    return Path(url2pathname(parts.path))


def _link(source: Path, folder: Path) -> None:
    """Put a file, or everything below a folder, into a folder; linked, so that it costs no room.

    What edgewise writes is replaced as a whole and never changed in place, so the link keeps what
    it was made of.
    """
    files = [source] if source.is_file() else [one for one in source.rglob("*") if one.is_file()]
    start = source.parent if source.is_file() else source
    for path in files:
        target = folder / path.relative_to(start)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            target.hardlink_to(path)
        except OSError:  # another disk, or one that knows no links
            shutil.copyfile(path, target)


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
