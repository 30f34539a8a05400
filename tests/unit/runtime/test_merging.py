"""Which labelled production records are learnt from beside the source, and how much each row weighs."""

from __future__ import annotations

import inspect
import math
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.ensemble import VotingClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import all_estimators
from tests.unit.runtime.made_runs import as_csv, make_source, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, numbers, surroundings

from evermodel.api.modeldeployment import Estimator
from evermodel.api.rules.estimators import WITHOUT_WEIGHTS
from evermodel.contract import (
    Ensemble,
    EnsembleType,
    Epochs,
    FailureReason,
    FeedbackRules,
    LabelledRecord,
    Learnt,
    Member,
    PreprocessingStep,
    Search,
    TrainRun,
    WarmStart,
    WarmStartMode,
)
from evermodel_runtime.artifacts.manifests import load_model
from evermodel_runtime.data.csvfile import read_csv
from evermodel_runtime.data.dataset import read_dataset, training_part
from evermodel_runtime.data.failure import JobError, NothingNew
from evermodel_runtime.data.merging import LEAST_WEIGHT, merged
from evermodel_runtime.data.rows import FeatureRows, decode_hashes, row_hashes
from evermodel_runtime.train.age_weights import require_weights
from evermodel_runtime.train.earlier_model import EarlierClassifier
from evermodel_runtime.train.job import train

DAY = 86400.0
NOW = 100 * DAY
TIMES = np.array([60.0, 70.0, 80.0, 90.0, 98.0]) * DAY


@pytest.mark.parametrize(
    ("rules", "first", "too_old", "beyond_share"),
    [
        pytest.param({}, 0, 0, 0, id="all without a rule"),
        pytest.param({"max_age": 30 * DAY}, 1, 1, 0, id="one of exactly the age stays"),
        pytest.param({"max_age": 1 * DAY}, 5, 5, 0, id="all are too old"),
        pytest.param({"max_share": 0.2}, 3, 0, 3, id="two beside eight are a fifth, and the newest stay"),
        pytest.param({"max_share": 0.1}, 5, 0, 5, id="not one beside eight is a tenth"),
        pytest.param({"max_share": 1.0}, 0, 0, 0, id="a share of 1 bounds nothing"),
        pytest.param({"max_age": 25 * DAY, "max_share": 0.2}, 3, 2, 1, id="age first, then the share of what is left"),
    ],
)
def test_which_records_stay(rules: dict[str, float], first: int, too_old: int, beyond_share: int) -> None:
    found = merged(TIMES, 8, FeedbackRules(as_of=NOW, **rules))

    assert (found.first, found.too_old, found.beyond_share) == (first, too_old, beyond_share)


def test_a_weight_halves_with_each_half_life_and_the_source_is_as_old_as_the_oldest_record() -> None:
    found = merged(TIMES, 8, FeedbackRules(as_of=NOW, max_age=30 * DAY, half_life=14 * DAY))

    assert found.weights is not None
    assert found.weights.tolist() == pytest.approx([2 ** (-28 / 14), 2 ** (-18 / 14), 2 ** (-8 / 14), 1.0])
    assert found.source_weight == pytest.approx(0.25)


def test_no_row_weighs_nothing_however_old_it_is() -> None:
    found = merged(TIMES, 8, FeedbackRules(as_of=NOW, half_life=1.0))

    assert found.weights is not None
    assert found.weights.min() == found.source_weight == LEAST_WEIGHT


# --- in the Job -------------------------------------------------------------------------------------------------------

RANDOM = np.random.default_rng(7)
ROWS = RANDOM.uniform(-1, 1, size=(400, 2)).round(4)
"""Of the first feature the source says one thing, and production the opposite."""
SOURCE = as_csv([{"x": x, "y": y, "kind": int(x > 0)} for x, y in ROWS[:300]])
RECORDS = tuple(
    LabelledRecord(seq=place + 1, version=1, predicted_at=NOW + place, row=(float(x), float(y)), label=str(int(x <= 0)))
    for place, (x, y) in enumerate(ROWS[300:])
)
DATA = make_source(uri="hub://flowers.csv", target="kind")
AGED = FeedbackRules(as_of=NOW + 100, max_share=0.9, half_life=5.0)
"""Half of the weight is that of the newest five of the hundred records; a window of them alone is not allowed."""
ALIKE = msgspec.structs.replace(AGED, half_life=None)
SGD = {"estimator": "SGDClassifier", "parameters": {"loss": "log_loss", "learning_rate": "constant", "eta0": 0.05}}
FIRM = {"loss": "log_loss", "learning_rate": "constant", "eta0": 0.3, "alpha": 0.05}
SCALED = PreprocessingStep(transformer="StandardScaler", columns=("*",))
MEMBERS = (
    Member(name="bayes", estimator="GaussianNB"),
    Member(name="linear", estimator="LogisticRegression"),
)


def hub() -> MemoryHub:
    return MemoryHub(datasets={"flowers.csv": SOURCE}, labelled=RECORDS, taken={1: numbers("x", "y")})


def share_as_in_production(known: MemoryHub, run: TrainRun) -> float:
    """Train, and return how often the model answers as the records do."""
    model = load_model(known, train(run, surroundings(known)).manifest)
    rows = np.random.default_rng(3).uniform(-1, 1, size=(500, 2)).astype(np.float32)
    return float(np.mean(np.asarray(model.scorer.predict(rows)) == (rows[:, 0] <= 0)))


def ensemble(kind: EnsembleType, *members: Member) -> dict[str, Any]:
    return {"estimator": f"{kind}Classifier", "ensemble": Ensemble(type=kind, members=members)}


@pytest.mark.parametrize(
    "training",
    [
        pytest.param({"estimator": "LogisticRegression"}, id="an estimator"),
        pytest.param({"estimator": "RandomForestClassifier", "parameters": {"min_samples_leaf": 5}}, id="a forest"),
        pytest.param({"estimator": "HistGradientBoostingClassifier"}, id="boosting"),
        pytest.param(ensemble(EnsembleType.VOTING, *MEMBERS), id="a vote"),
        pytest.param(ensemble(EnsembleType.BAGGING, MEMBERS[0]), id="a bagging"),
        pytest.param(
            {"estimator": "LogisticRegression", "search": Search(parameters={"C": [0.1, 1.0]}, folds=3)}, id="a search"
        ),
        pytest.param(
            {**SGD, "epochs": Epochs(max=20, patience=5, validation_fraction=0.2, min_improvement=0.0)}, id="epochs"
        ),
    ],
)
def test_weights_by_age_let_a_few_new_records_outweigh_many_old_rows(training: dict[str, Any]) -> None:
    run = make_train_run(data=DATA, feedback_through=100, **training)

    assert share_as_in_production(hub(), msgspec.structs.replace(run, feedback_rules=ALIKE)) < 0.2
    assert share_as_in_production(hub(), msgspec.structs.replace(run, feedback_rules=AGED)) > 0.8


@pytest.mark.parametrize(
    ("mode", "training", "changed"),
    [
        pytest.param(
            WarmStartMode.CONTINUE, {"estimator": "SGDClassifier", "parameters": FIRM}, {}, id="a model that learns on"
        ),
        pytest.param(
            WarmStartMode.GROW,
            {"estimator": "RandomForestClassifier", "parameters": {"n_estimators": 5, "min_samples_leaf": 5}},
            {"parameters": {"n_estimators": 60, "min_samples_leaf": 5}},
            id="a forest that grows",
        ),
        pytest.param(
            WarmStartMode.FEATURES,
            {"estimator": "LogisticRegression", "preprocessing": (SCALED,)},
            {"estimator": "SGDClassifier", "parameters": FIRM},
            id="a new head",
        ),
    ],
)
def test_weights_reach_what_starts_from_another_model(
    mode: WarmStartMode, training: dict[str, Any], changed: dict[str, Any]
) -> None:
    known = hub()
    first = make_train_run(data=DATA, **training, warm_start=WarmStart(mode=mode))
    start = train(first, surroundings(known)).manifest
    run = msgspec.structs.replace(
        first, version=2, feedback_through=100, warm_start=WarmStart(mode=mode, champion=start), **changed
    )

    alike = share_as_in_production(known, msgspec.structs.replace(run, feedback_rules=ALIKE))
    aged = share_as_in_production(known, msgspec.structs.replace(run, feedback_rules=AGED))

    assert aged > alike + 0.2


def test_a_stacking_is_fitted_with_weights() -> None:
    """Its folds are stretches, so that all the weight of these records is in one: it learns, but not to answer so."""
    run = make_train_run(data=DATA, feedback_through=100, **ensemble(EnsembleType.STACKING, *MEMBERS))

    alike = share_as_in_production(hub(), msgspec.structs.replace(run, feedback_rules=ALIKE))
    aged = share_as_in_production(hub(), msgspec.structs.replace(run, feedback_rules=AGED))

    assert alike != aged


def test_a_tree_is_the_one_that_scikit_learn_fits_with_these_weights() -> None:
    known = hub()
    parameters = {"min_samples_leaf": 10}
    run = make_train_run(data=DATA, parameters=parameters, feedback_through=100, feedback_rules=AGED)
    model = load_model(known, train(run, surroundings(known)).manifest)
    part = training_part(read_dataset(read_csv(SOURCE, "f"), DATA))
    weights = 2 ** (-(99 - np.arange(100)) / 5)
    held = {tuple(row) for row in read_dataset(read_csv(SOURCE, "f"), DATA).held_out().features.matrix().tolist()}
    assert not held & {record.row for record in RECORDS}
    oracle = DecisionTreeClassifier(random_state=0, **parameters).fit(
        np.vstack([part.features.matrix(), ROWS[300:].astype(np.float32)]),
        np.concatenate([part.target.labels, ROWS[300:, 0] <= 0]),
        sample_weight=np.concatenate([np.full(len(part.hashes), weights[0]), weights]),
    )
    rows = np.random.default_rng(3).uniform(-1, 1, size=(500, 2)).astype(np.float32)

    assert np.asarray(model.scorer.predict(rows)).tolist() == oracle.predict(rows).tolist()


def test_the_record_says_which_records_and_weights_there_were() -> None:
    rules = FeedbackRules(as_of=NOW + 100, max_age=60.0, max_share=0.1, half_life=13.0)
    known = hub()
    report = train(make_train_run(data=DATA, feedback_through=100, feedback_rules=rules), surroundings(known))

    source_rows = report.rows - report.feedback_rows
    room = math.floor(source_rows / 9)
    assert report.feedback_rows == room
    manifest = known.manifest(report.manifest)
    rows = FeatureRows(manifest.columns, tuple(ROWS[300:].astype(np.float32).T))
    learnt = np.isin(row_hashes(rows), decode_hashes(known.blob(manifest.training_rows)))
    assert learnt.tolist() == [False] * (100 - room) + [True] * room
    oldest = 2 ** (-(room - 1) / 13)
    told = next(note for note in report.notes if note.startswith("Production records"))
    assert told.startswith(
        f"Production records: {room} of 100 learnt from beside {source_rows} source rows, left out 40 older than "
        f"maxAge and {60 - room} beyond maxShare 0.1. Weights by age: {oldest:.3g} (source, oldest record) to 1"
    )


def test_a_bounded_share_is_kept_where_a_window_of_records_alone_would_be_better() -> None:
    run = make_train_run(data=DATA, feedback_through=100)
    free, bounded = FeedbackRules(as_of=NOW, max_share=1.0), FeedbackRules(as_of=NOW, max_share=0.5)

    assert train(msgspec.structs.replace(run, feedback_rules=free), surroundings(hub())).window == "recent"
    report = train(msgspec.structs.replace(run, feedback_rules=bounded), surroundings(hub()))
    assert (report.window, report.feedback_rows) == ("all", 100)


def test_records_that_are_all_too_old_are_nothing_new() -> None:
    known = hub()
    first = train(make_train_run(data=DATA), surroundings(known))
    run = make_train_run(
        data=DATA,
        version=2,
        feedback_through=100,
        feedback_rules=FeedbackRules(as_of=NOW + 1000, max_age=10.0),
        known=(Learnt(version=1, data_sha256=first.data_sha256),),
    )

    with pytest.raises(NothingNew):
        train(run, surroundings(known))


@pytest.mark.parametrize(
    ("training", "named"),
    [
        pytest.param({"estimator": "KNeighborsClassifier"}, "KNeighborsClassifier", id="neighbours"),
        pytest.param(
            ensemble(EnsembleType.VOTING, MEMBERS[0], Member(name="near", estimator="KNeighborsClassifier")),
            "KNeighborsClassifier",
            id="a member",
        ),
        pytest.param(
            ensemble(
                EnsembleType.VOTING,
                MEMBERS[0],
                msgspec.structs.replace(MEMBERS[1], preprocessing=(SCALED,)),
            ),
            "a member with preprocessing of its own",
            id="a member with steps",
        ),
    ],
)
def test_an_estimator_that_cannot_weigh_rows_is_refused_before_there_are_records(
    training: dict[str, Any], named: str
) -> None:
    with pytest.raises(JobError) as failure:
        train(make_train_run(data=DATA, feedback_rules=AGED, **training), surroundings(hub()))

    assert failure.value.reason is FailureReason.SPEC_INVALID
    assert (
        f"spec.retraining.data.halfLife weighs rows by their age, and {named} counts all rows" in failure.value.message
    )


def test_a_member_that_was_trained_before_is_refused_in_words() -> None:
    earlier = EarlierClassifier("", np.array([], dtype=np.uint8))

    with pytest.raises(JobError, match="a member that was trained before counts all rows alike"):
        require_weights(VotingClassifier([("bayes", GaussianNB()), ("earlier", earlier)]))


def test_admission_knows_the_estimators_that_cannot_weigh_rows() -> None:
    known = dict(all_estimators())
    without = [
        estimator.value
        for estimator in Estimator
        if "sample_weight" not in inspect.signature(known[estimator.value].fit).parameters
    ]
    assert sorted(without) == sorted(WITHOUT_WEIGHTS)
