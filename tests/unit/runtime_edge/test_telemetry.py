"""What the operator shows Prometheus."""

from __future__ import annotations

from prometheus_client import generate_latest
from tests.promlint.build import problems
from tests.unit.core.made import make_quality

from evermodel.api.modeldeployment import OfflineStatus
from evermodel.core.observed import ModelKey
from evermodel.runtime.telemetry import Telemetry

AT = "2026-11-30T00:00:00Z"
KEY = ModelKey(namespace="ml", name="digits")


def shown(telemetry: Telemetry) -> list[str]:
    return generate_latest(telemetry.registry).decode().splitlines()


def filled() -> Telemetry:
    """Return one in which every family has a figure."""
    telemetry = Telemetry()
    telemetry.reconcile_seconds.labels("ok").observe(0.01)
    telemetry.queue_depth.set(1)
    telemetry.count_write("Job", "create")
    telemetry.runs.labels(KEY.namespace, KEY.name, "Champion").inc()
    telemetry.events_dropped.inc()
    telemetry.leader.set(1)
    telemetry.show_quality(KEY, make_quality(), threshold=0.92)
    found = OfflineStatus(
        scheduled_time=AT, finished_at=AT, version=1, reason="Holds", value=0.95, lower=0.94, upper=0.96
    )
    telemetry.show_offline(KEY, found)
    return telemetry


def test_promtool_finds_nothing_in_the_operators_metrics() -> None:
    lines = shown(filled())

    assert problems(("\n".join(lines) + "\n").encode()) == []
    declared = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    figures = {line.split("{")[0].split(" ")[0] for line in lines if not line.startswith("#")}
    assert {name for name in declared if not any(figure.startswith(name) for figure in figures)} == set()


def test_a_model_that_is_gone_is_not_shown() -> None:
    telemetry = filled()

    telemetry.forget(KEY)

    assert [line for line in shown(telemetry) if 'model="digits"' in line] == []
