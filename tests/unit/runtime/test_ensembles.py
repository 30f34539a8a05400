"""Ensembles answer as scikit-learn's do, stored as well as fitted; what is wrong with one is told with its field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from tests.unit.runtime.made_runs import as_csv, digits, make_numbers, make_source, make_table, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import (
    Ensemble,
    EnsembleType,
    FailureReason,
    Member,
    ModelFormat,
    PreprocessingStep,
    Search,
    TrainReport,
    TrainRun,
    Vote,
)
from evermodel_runtime.artifacts.manifests import load_model
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.train.ensembles import estimator_of
from evermodel_runtime.train.job import train
from evermodel_runtime.train.trials import settings_of, with_setting

DIGITS = make_source(uri="sklearn://digits?rows=:700", target="target")
TREE = Member(name="tree", estimator="DecisionTreeClassifier", parameters={"max_depth": 4})
BAYES = Member(name="bayes", estimator="GaussianNB")
SCALE = PreprocessingStep(transformer="StandardScaler", columns=("*",))
LINEAR = Member(name="linear", estimator="LogisticRegression", parameters={"max_iter": 300}, preprocessing=(SCALE,))
BOOSTED = Member(name="boosted", estimator="HistGradientBoostingClassifier", parameters={"max_iter": 5})
FINAL = Member(name="final", estimator="LogisticRegression")
ALL: dict[str, Any] = {"columns": ("*",)}


def voting(*members: Member, **changes: Any) -> Ensemble:
    return Ensemble(**{"type": EnsembleType.VOTING, "members": members or (TREE, BAYES, LINEAR), **changes})


def stacking(*members: Member, **changes: Any) -> Ensemble:
    return voting(*members, **{"type": EnsembleType.STACKING, "folds": 3, "final_estimator": FINAL, **changes})


def bagging(member: Member = TREE, **parameters: Any) -> Ensemble:
    return Ensemble(type=EnsembleType.BAGGING, members=(member,), parameters={"n_estimators": 5} | parameters)


def run_of(ensemble: Ensemble, **changes: Any) -> TrainRun:
    return make_train_run(**{"estimator": f"{ensemble.type}Classifier", "ensemble": ensemble, **changes})


def trained(hub: MemoryHub, ensemble: Ensemble, **changes: Any) -> TrainReport:
    return train(run_of(ensemble, **{"data": DIGITS, **changes}), surroundings(hub))


@pytest.mark.parametrize(
    "ensemble",
    [
        pytest.param(voting(), id="a soft vote"),
        pytest.param(voting(voting=Vote.HARD), id="a hard vote"),
        pytest.param(voting(weights=(1.0, 2.0, 0.5)), id="weights"),
        pytest.param(voting(TREE, BAYES, Member(name="svm", estimator="LinearSVC")), id="one without probabilities"),
        pytest.param(stacking(), id="stacking"),
        pytest.param(stacking(BOOSTED, LINEAR), id="stacking over histogram gradient boosting"),
        pytest.param(stacking(final_estimator=None, folds=None), id="stacking as scikit-learn has it"),
        pytest.param(stacking(parameters={"passthrough": True}), id="stacking that also sees the features"),
        pytest.param(bagging(), id="bagging"),
        pytest.param(bagging(LINEAR, max_samples=0.5, max_features=0.5), id="bagging over parts of rows and columns"),
    ],
)
def test_an_ensemble_is_good_and_stored_so_that_it_answers_as_it_was_trained(ensemble: Ensemble) -> None:
    hub = MemoryHub()

    report = trained(hub, ensemble)  # parity is checked on every row there is, or it ends in an error

    manifest = hub.manifest(report.manifest)
    assert (manifest.estimator, manifest.ensemble) == (f"{ensemble.type}Classifier", ensemble)
    images, labels = digits("700:")
    answers = load_model(hub, report.manifest).scorer.predict(np.array(images, np.float32))
    assert np.mean(answers == labels) > 0.7
    again = MemoryHub()
    assert trained(again, ensemble).manifest == report.manifest
    assert (report.format, report.format_reason) == (ModelFormat.ONNX, "")


@pytest.mark.parametrize(
    "ensemble",
    [
        pytest.param(voting(TREE, LINEAR), id="voting"),
        pytest.param(voting(BOOSTED, LINEAR, voting=Vote.HARD), id="a hard vote"),
        pytest.param(stacking(TREE, BOOSTED, LINEAR), id="stacking"),
        pytest.param(bagging(), id="bagging"),
    ],
)
def test_columns_of_numbers_and_text_with_gaps_go_through_one_preparation(ensemble: Ensemble) -> None:
    table = make_table(200)
    for row in table[::9]:
        row["height"] = ""
    hub = MemoryHub(datasets={"flowers.csv": as_csv(table)})

    report = trained(hub, ensemble, data=make_source(id_column="id"))

    assert report.format is ModelFormat.ONNX, report.format_reason


def test_votes_and_stacks_are_those_of_scikit_learn() -> None:
    rows = np.array([[row["height"], row["width"]] for row in make_numbers(300)])
    labels = np.array([row["kind"] for row in make_numbers(300)])
    members = [
        ("tree", DecisionTreeClassifier(max_depth=4, random_state=0)),
        ("bayes", GaussianNB()),
        ("linear", make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))),
    ]
    known = {
        "soft": (voting(weights=(1.0, 2.0, 0.5)), VotingClassifier(members, voting="soft", weights=[1, 2, 0.5])),
        "stacked": (stacking(), StackingClassifier(members, LogisticRegression(), cv=3)),
    }
    for ensemble, oracle in known.values():
        made = estimator_of(run_of(ensemble)).fit(rows, labels)
        assert np.allclose(made.predict_proba(rows), oracle.fit(rows, labels).predict_proba(rows), atol=1e-6)


def test_members_vote_hard_only_where_one_gives_no_probabilities() -> None:
    assert estimator_of(run_of(voting())).voting == "soft"
    assert estimator_of(run_of(voting(TREE, Member(name="svm", estimator="SVC")))).voting == "hard"


@pytest.mark.parametrize(
    ("ensemble", "words"),
    [
        pytest.param(
            voting(TREE, Member(name="b", estimator="GausianNB")),
            ".members[1].estimator: GausianNB is none of",
            id="no such estimator",
        ),
        pytest.param(
            voting(TREE, Member(name="b", estimator="GaussianNB", parameters={"smoothing": 1})),
            ".members[1].parameters.smoothing: GaussianNB has no such parameter. Did you mean 'var_smoothing'?",
            id="no such parameter of a member",
        ),
        pytest.param(
            voting(TREE, Member(name="b", estimator="SVC", parameters={"C": -1})),
            ".members[1].parameters.C: The 'C' parameter of SVC must be a float in the range (0.0, inf",
            id="a value that a member refuses",
        ),
        pytest.param(
            voting(
                TREE,
                Member(
                    name="b",
                    estimator="GaussianNB",
                    preprocessing=(PreprocessingStep(transformer="PCA", parameters={"n": 2}, **ALL),),
                ),
            ),
            ".members[1].preprocessing[0].parameters.n: PCA has no such parameter",
            id="no such parameter of a member's step",
        ),
        pytest.param(
            voting(TREE, Member(name="svm", estimator="LinearSVC"), voting=Vote.SOFT),
            ".members[1]: LinearSVC gives no probabilities",
            id="a soft vote without probabilities",
        ),
        pytest.param(
            stacking(final_estimator=Member(name="final", estimator="SVC", parameters={"C": "x"})),
            ".finalEstimator.parameters.C: The 'C' parameter of SVC",
            id="a value that the final estimator refuses",
        ),
        pytest.param(
            bagging(n_jobs=2), ".parameters.n_jobs: BaggingClassifier has no such parameter. It has bootstrap,",
            id="a parameter that is not declared",
        ),
        pytest.param(
            bagging(max_samples=-1.0), ".parameters.max_samples: The 'max_samples' parameter of BaggingClassifier",
            id="a value that the ensemble refuses",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_field(ensemble: Ensemble, words: str) -> None:
    with pytest.raises(JobError) as caught:
        trained(MemoryHub(), ensemble)

    assert caught.value.reason is FailureReason.SPEC_INVALID
    assert caught.value.message.startswith(f"spec.training.ensemble{words}")


def test_a_search_finds_parameters_of_members_of_the_final_estimator_and_of_the_ensemble() -> None:
    hub = MemoryHub()
    parameters = {"tree__max_depth": [1, 6], "final__C": [0.1, 1.0], "passthrough": [False]}

    report = trained(hub, stacking(TREE, BAYES), search=Search(parameters=parameters, folds=2))

    assert report.search is not None
    assert (report.search.trials, report.search.failed) == (4, 0)
    made = hub.manifest(report.manifest).ensemble
    assert made is not None
    assert made.final_estimator is not None
    assert made.members[0].parameters["max_depth"] in {1, 6}
    assert made.final_estimator.parameters["C"] in {0.1, 1.0}
    assert made.parameters == {"passthrough": False}


def test_the_steps_before_an_ensemble_are_searched_for_by_their_own_names() -> None:
    pca = PreprocessingStep(transformer="PCA", **ALL)
    changed = with_setting(run_of(voting(), preprocessing=(pca,)), {"PCA__n_components": 3})
    assert changed.preprocessing[0].parameters == {"n_components": 3}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        pytest.param({"three__max_depth": [1]}, "three__max_depth: neither a member.*'tree'", id="no member"),
        pytest.param({"tree__max_deep": [1]}, "tree__max_deep: DecisionTreeClassifier has no such", id="no parameter"),
        pytest.param({"final__C": [1]}, "final__C: neither a member", id="no final estimator"),
        pytest.param({"n_estimators": [1]}, "n_estimators: VotingClassifier has no such", id="not of a Voting"),
    ],
)
def test_a_search_for_what_an_ensemble_has_not_is_told(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(JobError, match=rf"^spec\.training\.search\.parameters\.{words}"):
        settings_of(run_of(voting()), Search(parameters=parameters))
