"""The Job that scores a champion on production records, with a hub in memory."""

from typing import Any

import msgspec
import pytest
from tests.unit.runtime.made_runs import digits, make_source, make_train_run
from tests.unit.runtime.memory_hub import PIXELS, MemoryHub, as_page, as_records, surroundings

from evermodel.contract import FreshRange, Measure, Metric, OfflineRun, Slice, TrainReport
from evermodel_runtime.evaluate.offline import drawn, evaluate
from evermodel_runtime.evaluate.report import Report
from evermodel_runtime.train.job import train

DIGITS = make_source(uri="sklearn://digits?rows=:700", target="target")
SCHEDULED = "2030-01-01T09:00:00Z"


@pytest.fixture(scope="module")
def hub() -> MemoryHub:
    """Return a hub with a model of 700 digits and 400 others as labelled records."""
    return MemoryHub(taken=PIXELS, labelled=as_records(*digits("700:1100")))


@pytest.fixture(scope="module")
def champion(hub: MemoryHub) -> TrainReport:
    return train(make_train_run(data=DIGITS, parameters={"max_depth": 8}, feedback_through=100), surroundings(hub))


def run_of(champion: TrainReport, **change: Any) -> OfflineRun:
    run = OfflineRun(
        namespace="team",
        model="flowers",
        version=1,
        hub_url="http://hub.invalid",
        scheduled=SCHEDULED,
        champion=champion.manifest,
        records=FreshRange(after=0, through=400),
        samples=1000,
        metrics=(Measure(metric=Metric.RECALL, positive_class="3"),),
        slices=(Slice(column="pixel_0_2", bins=2), Slice(column="region")),
    )
    return msgspec.structs.replace(run, **change)


def test_records_that_it_has_not_learnt_from_are_scored(hub: MemoryHub, champion: TrainReport) -> None:
    report = evaluate(run_of(champion), surroundings(hub))
    assert (report.scheduled, report.rows) == (SCHEDULED, 300)
    assert report.score is not None
    assert report.lower is not None
    assert report.upper is not None
    assert 0.5 < report.lower < report.score.candidate < report.upper < 1
    assert {"accuracy", "recall of 3", "mcc", "logLoss"} < set(report.score.metrics)
    assert hub.uses == [], "nothing was decided by them"


def test_the_report_has_slices_with_intervals_and_what_was_left_out(hub: MemoryHub, champion: TrainReport) -> None:
    told = evaluate(run_of(champion), surroundings(hub)).report
    assert told is not None
    report = msgspec.json.decode(hub.blobs[told.json], type=Report)
    (one,) = report.sets
    assert one.name == "production"
    assert {group.column for group in one.score.slices} == {"pixel_0_2"}
    assert all(group.lower is not None and group.upper is not None for group in one.score.slices)
    assert "Slices by region: production records hold features alone." in report.left_out
    assert b"production" in hub.blobs[told.html]


@pytest.mark.parametrize(
    "records",
    [
        pytest.param(FreshRange(after=0, through=100), id="all learnt from"),
        pytest.param(FreshRange(after=400, through=500), id="none"),
        pytest.param(FreshRange(after=0, through=400, predicted_after=1e9), id="all of another champion"),
    ],
)
def test_nothing_to_score_on_is_no_score(hub: MemoryHub, champion: TrainReport, records: FreshRange) -> None:
    report = evaluate(run_of(champion, records=records), surroundings(hub))
    assert (report.rows, report.score, report.report) == (0, None, None)


def test_a_sample_is_as_large_as_declared_the_same_each_time_and_of_all_times() -> None:
    records = as_page(as_records([()] * 1000, [1] * 1000), {1: ()})
    sample = drawn(records, 100).records
    assert len(sample) == len(set(sample)) == 100
    assert drawn(records, 100) == msgspec.structs.replace(records, records=sample)
    assert [one.seq for one in sample] == sorted(one.seq for one in sample)
    assert all(30 < sum(low < one.seq <= low + 500 for one in sample) < 70 for low in (0, 500))
    assert drawn(records, 1000) == records
