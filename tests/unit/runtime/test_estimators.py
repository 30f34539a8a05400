"""Parameters are refused by name before anything is fitted."""

from typing import Any

import pytest

from evermodel.contract import FailureReason, Task
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.train.estimators import ESTIMATORS, REGRESSORS, make_estimator
from evermodel_runtime.train.transformers import make_transformer

NEEDED = {"RadiusNeighborsClassifier": {"outlier_label": "most_frequent"}}


@pytest.mark.parametrize(
    ("estimator", "parameters", "words"),
    [
        pytest.param("RandomForest", {}, "Did you mean 'RandomForestClassifier'?", id="no such estimator"),
        pytest.param(
            "RandomForestClassifier",
            {"n_estimator": 5},
            "spec.training.parameters.n_estimator: RandomForestClassifier has no such parameter. "
            "Did you mean 'n_estimators'?",
            id="no such parameter",
        ),
        pytest.param("SVC", {"depth": 5}, "It has C, break_ties, cache_size", id="a parameter of another estimator"),
        pytest.param(
            "LogisticRegression", {"C": -1}, "spec.training.parameters.C: The 'C' parameter", id="out of range"
        ),
        pytest.param(
            "KNeighborsClassifier", {"n_neighbors": "five"}, "spec.training.parameters.n_neighbors", id="another type"
        ),
        pytest.param(
            "AdaBoostClassifier", {"estimator": "SVC"}, "spec.training.parameters.estimator", id="a class by name"
        ),
        pytest.param(
            "RadiusNeighborsClassifier", {}, "spec.training.parameters.outlier_label", id="rows without an answer"
        ),
    ],
)
def test_a_wrong_estimator_is_told(estimator: str, parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(JobError) as failure:
        make_estimator(estimator, parameters, seed=0)

    assert failure.value.reason is FailureReason.SPEC_INVALID
    assert words in failure.value.message


@pytest.mark.parametrize(
    ("transformer", "parameters", "words"),
    [
        pytest.param("MinMax", {}, "preprocessing[1].transformer: MinMax is none of", id="no such step"),
        pytest.param("StandardScaler", {"mean": 1}, "preprocessing[1].parameters.mean", id="no such parameter"),
        pytest.param("SelectKBest", {"score_func": "os.system"}, "score_func: os.system is none", id="any function"),
        pytest.param("SimpleImputer", {"strategy": "guess"}, "parameters.strategy", id="no such strategy"),
        pytest.param(
            "OneHotEncoder",
            {"handle_unknown": "error"},
            "can only be served with 'ignore'",
            id="refuses unknown categories",
        ),
    ],
)
def test_a_wrong_step_is_told(transformer: str, parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(JobError) as failure:
        make_transformer(transformer, parameters, 1)

    assert failure.value.reason is FailureReason.SPEC_INVALID
    assert words in failure.value.message


@pytest.mark.filterwarnings("ignore:Class PassiveAggressive:FutureWarning")
@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_is_made_with_the_seed_of_the_run(name: str) -> None:
    task = Task.REGRESSION if name in REGRESSORS else Task.CLASSIFICATION
    made = make_estimator(name, NEEDED.get(name, {}), seed=7, task=task)

    assert type(made).__name__ == name
    assert made.get_params().get("random_state", 7) == 7


def test_a_declared_seed_is_kept() -> None:
    assert make_estimator("RandomForestClassifier", {"random_state": 3}, seed=7).random_state == 3
