"""Figures of the hub for Prometheus."""

from __future__ import annotations

from collections import Counter as Tally

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

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
        self.captures_refused = Counter(
            "evermodel_hub_captures_refused",
            "Captured predictions whose id was not issued for the model",
            ["model"],
            registry=self._registry,
        )
        self._alarms = Gauge("evermodel_hub_alarms", "Detectors whose alarm is latched", registry=self._registry)
        self._records = Gauge("evermodel_hub_records", "Labelled captured predictions held", registry=self._registry)
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

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Add one answered request."""
        self._seconds.labels(route, str(status)).observe(seconds)

    def expose(self, alarms: int, records: int) -> bytes:
        """Return all figures as text."""
        self._alarms.set(alarms)
        self._records.set(records)
        return bytes(generate_latest(self._registry))
