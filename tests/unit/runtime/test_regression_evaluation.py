"""The evaluation Job for numbers: both models on the same rows, in the objective's units."""

from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics
from tests.unit.runtime.made_runs import make_evaluate_run, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings
from tests.unit.runtime.test_regression import HOUSES, houses, hub_of_houses, records_of, regression_run

from evermodel.contract import EvaluationReport, FreshRange, Measure, Metric, PairedScore
from evermodel.gate import GateRules, Outcome, decide
from evermodel_runtime.artifacts.manifests import load_model
from evermodel_runtime.data.csvfile import read_csv
from evermodel_runtime.data.dataset import read_dataset
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.evaluate.job import evaluate
from evermodel_runtime.train.job import train

RMSE = Measure(metric=Metric.RMSE)
MEAN = {"estimator": "DummyRegressor", "parameters": {}}
WEAK = {"estimator": "Ridge", "parameters": {"alpha": 1e6}}


def judged(
    hub: MemoryHub, candidate: dict[str, Any], champion: dict[str, Any] | None, measure: Measure = RMSE, **run: Any
) -> EvaluationReport:
    made = train(regression_run(**candidate), surroundings(hub))
    known = None if champion is None else train(regression_run(version=2, **champion), surroundings(hub)).manifest
    changes = {"data": HOUSES, "champion": known, "objective": measure} | run
    return evaluate(make_evaluate_run(made.manifest, made.data_sha256, **changes), surroundings(hub))


def reference(report: EvaluationReport) -> PairedScore:
    assert report.reference is not None
    return report.reference


@pytest.mark.parametrize(
    ("metric", "error", "dummy"),
    [
        pytest.param(Metric.RMSE, sklearn_metrics.root_mean_squared_error, np.mean, id="rmse, against the mean"),
        pytest.param(Metric.MAE, sklearn_metrics.mean_absolute_error, np.median, id="mae, against the median"),
        pytest.param(
            Metric.MAPE, sklearn_metrics.mean_absolute_percentage_error, np.median, id="mape, against the median"
        ),
    ],
)
def test_the_score_is_the_error_on_the_held_out_rows(metric: Metric, error: Any, dummy: Any) -> None:
    hub = hub_of_houses()
    measure = Measure(metric=metric)
    made = train(regression_run(objective=measure), surroundings(hub))

    score = reference(
        evaluate(make_evaluate_run(made.manifest, made.data_sha256, data=HOUSES, objective=measure), surroundings(hub))
    )

    dataset = read_dataset(read_csv(hub.datasets["houses.csv"], "f"), HOUSES, task=hub.manifest(made.manifest).task)
    truth, held_out = dataset.target.labels.astype(float), dataset.reference
    predicted = load_model(hub, made.manifest).scorer.predict(dataset.features[held_out].inputs())
    assert score.metric == metric.value
    assert score.candidate == pytest.approx(error(truth[held_out], predicted))
    assert score.dummy == pytest.approx(error(truth[held_out], np.full(held_out.sum(), dummy(truth[~held_out]))))
    assert score.metrics.keys() == {"rmse", "mae", "mape", "r2"}


@pytest.mark.parametrize(
    ("candidate", "champion", "threshold", "outcome"),
    [
        pytest.param({}, None, 8.0, Outcome.PROMOTE, id="the first, within the threshold"),
        pytest.param({}, None, 2.0, Outcome.REJECT, id="the first, beyond the threshold"),
        pytest.param(MEAN, None, 1000.0, Outcome.REJECT, id="no better than the mean"),
        pytest.param({}, WEAK, 8.0, Outcome.PROMOTE, id="a smaller error"),
        pytest.param(WEAK, {}, 8.0, Outcome.REJECT, id="a larger error"),
        pytest.param({}, {}, 8.0, Outcome.REJECT, id="the same error"),
    ],
)
def test_the_gate_reads_it_the_other_way_round(
    candidate: dict[str, Any], champion: dict[str, Any] | None, threshold: float, outcome: Outcome
) -> None:
    report = judged(hub_of_houses(), candidate, champion)
    rules = GateRules(threshold=threshold, min_samples=10, metric=RMSE)

    verdict = decide(rules, reference=report.reference, fresh=None)

    assert verdict.outcome is outcome
    assert verdict.message.startswith("rmse ")


def test_fresh_records_are_scored_and_those_without_a_number_left_out() -> None:
    records = records_of(houses(100, seed=9))
    wrong = msgspec.structs.replace(records[3], label="dear")
    hub = hub_of_houses(records=(*records[:3], wrong, *records[4:]))

    report = judged(hub, {}, {}, fresh=FreshRange(after=0, through=100))

    assert report.fresh is not None
    assert report.fresh.rows == 99
    assert report.fresh.candidate < 8


def test_a_champion_of_another_task_is_not_compared() -> None:
    hub = hub_of_houses([row | {"kind": "dear" if row["price"] > 200 else "cheap"} for row in houses()])
    data = msgspec.structs.replace(HOUSES, target="kind", features=("size", "age"))
    champion = train(make_train_run(data=data), surroundings(hub)).manifest
    numbers = msgspec.structs.replace(HOUSES, features=("size", "age"))
    made = train(regression_run(data=numbers), surroundings(hub))

    run = make_evaluate_run(made.manifest, made.data_sha256, data=numbers, champion=champion, objective=RMSE)
    report = evaluate(run, surroundings(hub))

    assert reference(report).champion is None


def test_a_model_that_answers_no_number_is_told() -> None:
    hub = hub_of_houses()
    run = {"estimator": "RadiusNeighborsRegressor", "parameters": {"radius": 0.01}}

    with pytest.raises(JobError, match=r"answers no finite number to \d+ of \d+ held-out rows"):
        judged(hub, run, None)


@pytest.mark.parametrize("metric", [Metric.RMSE, Metric.MAE, Metric.MAPE, Metric.R2])
def test_a_lead_of_the_champion_has_its_own_probability(metric: Metric) -> None:
    score = reference(judged(hub_of_houses(), WEAK, {}, Measure(metric=metric)))

    assert score.p is not None
    assert score.champion_p is not None
    assert score.champion_p < 0.01
    assert score.p > 0.9
