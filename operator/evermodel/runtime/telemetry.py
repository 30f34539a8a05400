"""Metrics and probes, served at /metrics, /healthz and /readyz."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from evermodel.api.modeldeployment import OfflineStatus
from evermodel.contract import Quality
from evermodel.core.observed import ModelKey

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_MODEL = ("namespace", "model")


class Telemetry:
    """What the operator counts."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.reconcile_seconds = Histogram(
            "evermodel_reconcile_seconds",
            "Time of one look at a ModelDeployment and all that followed, by how it ended.",
            ("result",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.queue_depth = Gauge("evermodel_queue_depth", "ModelDeployments that wait for a worker.", registry=registry)
        self.api_writes = Counter(
            "evermodel_api_writes", "Writes to the API server.", ("kind", "verb"), registry=registry
        )
        self.runs = Counter(
            "evermodel_runs", "Training runs that ended, by what came of them.", (*_MODEL, "result"), registry=registry
        )
        self.events_dropped = Counter(
            "evermodel_events_dropped", "Events that could not be written.", registry=registry
        )
        self.leader = Gauge("evermodel_leader", "1 while this replica works.", registry=registry)
        self._live = Gauge(
            "evermodel_live_metric", "Metric over the last labelled predictions.", _MODEL, registry=registry
        )
        self._lower = Gauge("evermodel_live_metric_lower", "Lower 95 % limit of it.", _MODEL, registry=registry)
        self._upper = Gauge("evermodel_live_metric_upper", "Upper 95 % limit of it.", _MODEL, registry=registry)
        self._threshold = Gauge("evermodel_threshold", "Metric that was declared.", _MODEL, registry=registry)
        self._alarm = Gauge(
            "evermodel_alarm", "1 when there is evidence that the metric is below the threshold.", _MODEL,
            registry=registry,
        )  # fmt: skip
        self._labels = Gauge("evermodel_labels", "Labels of the champion's predictions.", _MODEL, registry=registry)

        self._offline = Gauge(
            "evermodel_offline_metric",
            "Metric on labelled production records, by the clock.",
            _MODEL,
            registry=registry,
        )
        self._offline_lower = Gauge(
            "evermodel_offline_metric_lower", "Lower 95 % limit of it.", _MODEL, registry=registry
        )
        self._offline_upper = Gauge(
            "evermodel_offline_metric_upper", "Upper 95 % limit of it.", _MODEL, registry=registry
        )

    def count_write(self, kind: str, verb: str) -> None:
        """Count a write to the API server."""
        self.api_writes.labels(kind, verb).inc()

    def show_quality(self, key: ModelKey, quality: Quality, threshold: float) -> None:
        """Show the newest figures of a model."""
        names = (key.namespace, key.name)
        self._threshold.labels(*names).set(threshold)
        self._alarm.labels(*names).set(quality.alarm is not None)
        self._labels.labels(*names).set(quality.labels)
        if quality.window is None:
            for gauge in (self._live, self._lower, self._upper):
                _drop(gauge, names)
            return
        self._live.labels(*names).set(quality.window.value)
        self._lower.labels(*names).set(quality.window.lower)
        self._upper.labels(*names).set(quality.window.upper)

    def show_offline(self, key: ModelKey, found: OfflineStatus | None) -> None:
        """Show what the newest offline evaluation found."""
        names = (key.namespace, key.name)
        shown = (None, None, None) if found is None else (found.value, found.lower, found.upper)
        for gauge, value in zip((self._offline, self._offline_lower, self._offline_upper), shown, strict=True):
            if value is None:
                _drop(gauge, names)
            else:
                gauge.labels(*names).set(value)

    def forget(self, key: ModelKey) -> None:
        """Show no figures of a model that is gone."""
        names = (key.namespace, key.name)
        for gauge in (self._live, self._lower, self._upper, self._threshold, self._alarm, self._labels):
            _drop(gauge, names)
        self.show_offline(key, None)
        for result in ("Champion", "Rejected", "Superseded", "Failed"):
            with contextlib.suppress(KeyError):
                self.runs.remove(*names, result)


def _drop(gauge: Gauge, names: tuple[str, str]) -> None:
    with contextlib.suppress(KeyError):  # it was never shown
        gauge.remove(*names)


@contextlib.asynccontextmanager
async def serve_telemetry(telemetry: Telemetry, port: int, is_ready: Callable[[], bool]) -> AsyncIterator[None]:
    """Answer /metrics and probes on all interfaces."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(telemetry.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_: web.Request) -> web.Response:
        ready = is_ready()
        return web.Response(text="ok" if ready else "the first list is not complete", status=200 if ready else 503)

    application = web.Application()
    application.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        yield
    finally:
        await runner.cleanup()
