"""An offline evaluation, from labels at a real hub to the page that a person fetches from it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import requests
from tests.contract.job_processes import KEY, MODEL, Hub, Jobs
from tests.unit.runtime.made_runs import digits, make_source, make_train_run

from evermodel.contract import FreshRange, OfflineReport, OfflineRun, Slice, TrainReport
from evermodel.tokens import Role, role_token
from evermodel_runtime.evaluate.report import Report

SCHEDULED = "2030-01-01T09:00:00Z"


def fetch(hub: Hub, name: str) -> requests.Response:
    """Fetch as docs/operations.md says."""
    headers = {"authorization": f"Bearer {role_token(KEY, '*', Role.UPLOADER)}", "x-evermodel-model": "*"}
    return requests.get(f"{hub.url}/v1/models/{MODEL}/versions/1/{name}", headers=headers, timeout=30)


def test_labelled_records_of_production_become_a_report_at_the_hub(hub: Hub, tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    source = make_source(uri="sklearn://digits?rows=:700", target="target")
    run = make_train_run(model=MODEL, hub_url=hub.url, data=source, parameters={"max_depth": 8})
    trained = jobs.run("train", run)
    assert isinstance(trained.report, TrainReport), trained.errors
    hub.promote(trained.report.manifest)
    images, labels = digits("700:1000")
    assert hub.label(images, list(labels)) == 300
    assert fetch(hub, "offline").status_code == 404

    ended = jobs.run(
        "offline",
        OfflineRun(
            namespace="team",
            model=MODEL,
            version=1,
            hub_url=hub.url,
            scheduled=SCHEDULED,
            champion=trained.report.manifest,
            records=FreshRange(after=0, through=300),
            samples=200,
            slices=(Slice(column="pixel_0_2", bins=2),),
        ),
    )

    assert ended.exit_code == 0, ended.errors
    told = hub.report(1, "offline")
    assert isinstance(told, OfflineReport)
    assert (told.scheduled, told.rows) == (SCHEDULED, 200)
    assert told.score is not None
    assert 0.5 < told.score.candidate < 1
    report = msgspec.json.decode(fetch(hub, "offline").content, type=Report)
    assert report.sets[0].score == told.score
    page = fetch(hub, "offline.html")
    assert page.headers["content-type"].startswith("text/html")
    assert "version 1" in page.text
    assert fetch(hub, "report").status_code == 404, "it is no report of a gate"
