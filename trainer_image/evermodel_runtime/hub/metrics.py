"""Figures of the hub for Prometheus."""

from __future__ import annotations

from collections import Counter as Tally

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from evermodel.contract import Drift

SHOWN = 5
"""Features shown of a model: each is a time series."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """Counters of one hub process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._labels = Counter(
            "evermodel_hub_labels", "Labels received, by result", ["model", "result"], registry=self._registry
        )
        self.predictions = Counter(
            "evermodel_hub_predictions", "Predictions reported by serving pods", ["model"], registry=self._registry
        )
        self.captures = Counter(
            "evermodel_hub_captures", "Captured predictions written", ["model"], registry=self._registry
        )
        self.captures_dropped = Counter(
            "evermodel_hub_captures_dropped",
            "Older captured predictions that made room for newer ones",
            ["model"],
            registry=self._registry,
        )
        self.captures_aged = Counter(
            "evermodel_hub_captures_aged",
            "Captured predictions deleted since they were older than maxAge",
            ["model"],
            registry=self._registry,
        )
        self.captures_erased = Counter(
            "evermodel_hub_captures_erased",
            "Captured predictions erased by id",
            ["model"],
            registry=self._registry,
        )
        self.captures_refused = Counter(
            "evermodel_hub_captures_refused",
            "Captured predictions whose id was not issued for the model",
            ["model"],
            registry=self._registry,
        )
        self._alarms = Gauge("evermodel_hub_alarms", "Detectors whose alarm is latched", registry=self._registry)
        self._records = Gauge("evermodel_hub_records", "Labelled captured predictions held", registry=self._registry)
        self.blobs_removed = Counter(
            "evermodel_hub_blobs_removed", "Replaced datasets and reports that were removed", registry=self._registry
        )
        self._waiting = Gauge("evermodel_hub_writes_waiting", "Writes that wait for the disk", registry=self._registry)
        self._free = Gauge(
            "evermodel_hub_volume_free_bytes", "What the volume has left; at none labels are refused",
            registry=self._registry,
        )  # fmt: skip
        self._size = Gauge("evermodel_hub_volume_size_bytes", "How large the volume is", registry=self._registry)
        self._psi = Gauge(
            "evermodel_hub_drift_psi",
            "Population stability index of the prediction and of the five features with the largest, newest window",
            ["model", "version", "column"],
            registry=self._registry,
        )
        self._drifted = Gauge(
            "evermodel_hub_drifted_columns",
            "Columns with drift, the prediction among them",
            ["model"],
            registry=self._registry,
        )
        self._problems = Gauge(
            "evermodel_hub_data_problems",
            "Columns with a jump in missing or strange values, and refused requests",
            ["model"],
            registry=self._registry,
        )
        self._columns: dict[str, set[tuple[str, str, str]]] = {}
        self._seconds = Histogram(
            "evermodel_hub_request_seconds",
            "Time to answer, by route",
            ["route", "status"],
            buckets=_SECONDS,
            registry=self._registry,
        )

    def count_labels(self, model: str, results: Tally[str]) -> None:
        """Add the results of one request."""
        for result, number in results.items():
            self._labels.labels(model, result).inc(number)

    def show_drift(self, model: str, drift: Drift | None) -> None:
        """Show the newest drift of a model in place of that before: columns come and go with it."""
        for labels in self._columns.pop(model, ()):
            self._psi.remove(*labels)
        if drift is None:
            return
        self._drifted.labels(model).set(drift.drifted)
        self._problems.labels(model).set(len(drift.problems))
        shown = self._columns[model] = set()
        for column in (*drift.features[:SHOWN], drift.prediction):
            if column.psi is not None:
                labels = (model, str(drift.version), column.name)
                self._psi.labels(*labels).set(column.psi)
                shown.add(labels)

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Add one answered request."""
        self._seconds.labels(route, str(status)).observe(seconds)

    def expose(self, *, alarms: int, records: int, writes_waiting: int, volume_free: int, volume_size: int) -> bytes:
        """Return all figures as text."""
        self._alarms.set(alarms)
        self._records.set(records)
        self._waiting.set(writes_waiting)
        self._free.set(volume_free)
        self._size.set(volume_size)
        return bytes(generate_latest(self._registry))
