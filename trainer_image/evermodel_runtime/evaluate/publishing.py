"""Store a report where people read it."""

from __future__ import annotations

from evermodel.contract import ReportDigests
from evermodel_runtime.artifacts.job import Surroundings
from evermodel_runtime.evaluate.page import rendered
from evermodel_runtime.evaluate.report import Report, encoded


def publish_report(report: Report, surroundings: Surroundings) -> ReportDigests:
    """Store a report as data and as a page."""
    hub = surroundings.hub
    digests = ReportDigests(json=hub.put_blob(encoded(report)), html=hub.put_blob(rendered(report)))
    surroundings.progress(f"published the report {digests.json}")
    return digests
