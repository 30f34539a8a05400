"""Groups of rows: what they are called, which rows they hold, and how each is scored."""

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.runtime.made_runs import as_csv, make_evaluate_run, make_source, make_table, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, as_records, surroundings

from evermodel.contract import FreshRange, Measure, Metric, PairedScore, Slice
from evermodel_runtime.evaluate.job import evaluate
from evermodel_runtime.evaluate.slices import groups
from evermodel_runtime.quality.wilson import wilson_interval
from evermodel_runtime.train.job import train

TEXTS = np.array(["a", "b", "b", "", "c"], np.object_)
NUMBERS = np.array([1, 2, 3, 4, 5, 6, 7, 8, np.nan], np.float32)


@pytest.mark.parametrize(
    ("declared", "values", "expected"),
    [
        pytest.param({}, TEXTS, {"b": 2, "a": 1, "c": 1, "missing": 1}, id="texts by frequency"),
        pytest.param({"values": ("a",)}, TEXTS, {"a": 1, "other values": 3, "missing": 1}, id="texts as declared"),
        pytest.param({"values": ("z",)}, TEXTS, {"other values": 4, "missing": 1}, id="a text that does not occur"),
        pytest.param(
            {},
            NUMBERS,
            {"at most 2.75": 2, "2.75 to 4.5": 2, "4.5 to 6.25": 2, "above 6.25": 2, "missing": 1},
            id="numbers by quantiles",
        ),
        pytest.param({"bins": 2}, NUMBERS, {"at most 4.5": 4, "above 4.5": 4, "missing": 1}, id="fewer bins"),
        pytest.param({"bins": 3}, np.array([0, 1, 1, 5], np.float32), {"0": 1, "1": 2, "5": 1}, id="few numbers"),
        pytest.param({"bins": 2}, np.array([0, 0, 0, 1, 2], np.float32), {"at most 0": 3, "above 0": 2}, id="ties"),
    ],
)
def test_groups(declared: dict[str, object], values: NDArray[np.float32], expected: dict[str, int]) -> None:
    found = list(groups(Slice(column="x", **declared), values))  # type: ignore[arg-type]  # of each case
    assert {name: int(chosen.sum()) for name, chosen in found} == expected
    assert np.sum([chosen for _, chosen in found], axis=0).tolist() == [1] * len(values)


def scored(*slices: Slice, measure: Measure | None = None, fresh: bool = False) -> PairedScore:
    """Train on a table whose ids are no feature, and score by slices."""
    hub = MemoryHub(datasets={"flowers.csv": as_csv(make_table(400))})
    source = make_source(id_column="id", features=("height", "width"))
    report = train(make_train_run(data=source), surroundings(hub))
    hub.labelled = as_records([[0.0, 0.0], [9.0, 9.0]], [0, 0])
    run = make_evaluate_run(
        report.manifest,
        report.data_sha256,
        data=source,
        champion=report.manifest,
        slices=slices,
        objective=measure or Measure(),
        fresh=FreshRange(after=0, through=9) if fresh else None,
    )
    found = evaluate(run, surroundings(hub))
    score = found.fresh if fresh else found.reference
    assert score is not None
    return score


def test_each_group_is_scored_with_wilsons_interval() -> None:
    score = scored(Slice(column="colour"), Slice(column="height", bins=2))
    colours = [group for group in score.slices if group.column == "colour"]
    assert {group.group for group in colours} == {"red", "green", "dark blue"}
    assert sum(group.rows for group in colours) == score.rows
    assert sum(group.rows * group.candidate for group in colours) == pytest.approx(score.rows * score.candidate)
    for group in score.slices:
        assert (group.lower, group.upper) == wilson_interval(round(group.candidate * group.rows), group.rows)
        assert group.champion == group.candidate


def test_another_objective_has_an_interval_by_bootstrap() -> None:
    score = scored(Slice(column="colour"), measure=Measure(metric=Metric.F1, positive_class="rose"))
    assert score.metric == "f1 of rose"
    assert score.p == 1.0
    for group in score.slices:
        assert group.lower is not None
        assert group.upper is not None
        assert group.lower <= group.candidate <= group.upper


def test_a_column_that_is_nowhere_has_no_groups() -> None:
    assert scored(Slice(column="color")).slices == ()


def test_of_production_records_only_features_are_known() -> None:
    score = scored(Slice(column="colour"), Slice(column="height"), fresh=True)
    assert {group.column for group in score.slices} == {"height"}
