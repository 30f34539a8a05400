"""Only a change of data or training starts a Job."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from evermodel.api.modeldeployment import ModelDeploymentSpec
from evermodel.contract import Task
from evermodel.core.durations import parse_duration
from evermodel.core.hashing import training_hash

SAMPLES = Path(__file__).parents[3] / "manifests/samples"
BASE: Mapping[str, Any] = {
    "objective": {"threshold": 0.93},
    "data": {"train": {"uri": "sklearn://digits"}, "target": "target"},
    "training": {"estimator": "RandomForestClassifier", "parameters": {"n_estimators": 100, "max_depth": 5}},
}


def spec(**parts: Mapping[str, Any]) -> ModelDeploymentSpec:
    """Return the base spec with fields of some of its parts replaced."""
    changed = {name: {**BASE.get(name, {}), **part} for name, part in parts.items()}
    return msgspec.convert({**BASE, **changed}, ModelDeploymentSpec)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(spec(objective={"threshold": 0.8}), id="the threshold"),
        pytest.param(spec(objective={"metric": "accuracy"}), id="accuracy written out"),
        pytest.param(spec(serving={"replicas": 3}), id="the replicas"),
        pytest.param(spec(training={"deadline": "2h", "pendingDeadline": "1m"}), id="the deadlines"),
        pytest.param(spec(retraining={"strategies": ["Tune"]}), id="what attempts after an alarm do"),
        pytest.param(spec(retraining={"data": {"includeFeedback": True}}), id="records of production"),
        pytest.param(spec(training={"template": {"image": "runtime:2"}}), id="the image"),
        pytest.param(spec(data={"credentialsSecretRef": {"name": "other"}}), id="other credentials"),
        pytest.param(spec(data={"holdout": {"fraction": 0.2}}), id="a default written out"),
        pytest.param(
            spec(training={"parameters": {"max_depth": 5, "n_estimators": 100}}), id="the order of parameters"
        ),
    ],
)
def test_starts_no_run(changed: ModelDeploymentSpec) -> None:
    assert training_hash(changed) == training_hash(spec())


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(spec(training={"estimator": "SVC", "parameters": {}}), id="the estimator"),
        pytest.param(spec(objective={"metric": "recall", "positiveClass": "1"}), id="the metric"),
        pytest.param(spec(training={"parameters": {"n_estimators": 200}}), id="a parameter"),
        pytest.param(spec(data={"train": {"uri": "sklearn://iris"}}), id="the source"),
        pytest.param(spec(data={"target": "label"}), id="the target"),
        pytest.param(spec(data={"holdout": {"fraction": 0.3}}), id="the holdout"),
        pytest.param(spec(data={"format": {"delimiter": ";"}}), id="how the file is read"),
        pytest.param(spec(training={"epochs": {"max": 10}}), id="training in epochs"),
        pytest.param(spec(model={"uri": "hub://old", "sha256": "0" * 64}), id="a model that there is"),
        pytest.param(
            spec(training={"ensemble": {"type": "Bagging", "members": [{"name": "a", "estimator": "SVC"}]}}),
            id="an ensemble",
        ),
        pytest.param(spec(training={"warmStart": {"from": "Champion", "mode": "Grow"}}), id="where training starts"),
        pytest.param(spec(training={"search": {"parameters": {"max_depth": [3, 5]}}}), id="a search"),
        pytest.param(
            spec(retraining={"data": {"includeFeedback": True, "maxAge": "720h"}}), id="how old records may be"
        ),
        pytest.param(spec(retraining={"data": {"includeFeedback": True, "maxShare": 0.5}}), id="how many there may be"),
        pytest.param(spec(retraining={"data": {"includeFeedback": True, "halfLife": "168h"}}), id="weights by age"),
        pytest.param(
            spec(retraining={"data": {"includeFeedback": True}, "online": {}}), id="that it is kept to learn on"
        ),
        pytest.param(msgspec.structs.replace(spec(), task=Task.REGRESSION), id="the task"),
        pytest.param(
            spec(training={"estimator": None, "container": {"image": "own:1"}}), id="a container instead of it"
        ),
    ],
)
def test_starts_a_run(changed: ModelDeploymentSpec) -> None:
    assert training_hash(changed) != training_hash(spec())


@pytest.mark.parametrize(
    ("training", "before", "after"),
    [
        pytest.param({}, {"minRecords": 10}, {"minRecords": 20, "minInterval": "5m"}, id="what updates wait for"),
        pytest.param({"epochs": {"max": 10}}, None, {}, id="online, where epochs keep the pipeline"),
        pytest.param(
            {"warmStart": {"from": "Champion", "mode": "Continue"}}, None, {}, id="online, where a warm start keeps it"
        ),
    ],
)
def test_updates_start_no_whole_run(
    training: Mapping[str, Any], before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> None:
    feedback = {"data": {"includeFeedback": True}}
    first = spec(training=training, retraining={**feedback, "online": before})
    assert training_hash(spec(training=training, retraining={**feedback, "online": after})) == training_hash(first)


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        pytest.param({"metric": "precision"}, True, id="another metric"),
        pytest.param({"positiveClass": "2"}, True, id="another class"),
        pytest.param({"threshold": 0.5}, False, id="another threshold"),
    ],
)
def test_what_of_an_objective_needs_another_evaluation(change: Mapping[str, Any], *, differs: bool) -> None:
    recall = {"metric": "recall", "positiveClass": "1"}
    assert (training_hash(spec(objective={**recall, **change})) != training_hash(spec(objective=recall))) is differs


@pytest.mark.parametrize(
    ("container", "differs"),
    [
        pytest.param({"image": "own:2"}, True, id="its image"),
        pytest.param({"command": ["train"]}, True, id="its command"),
        pytest.param({"args": ["--fast"]}, True, id="an argument, which may be the whole script"),
        pytest.param({"env": [{"name": "EPOCHS", "value": "3"}]}, True, id="a variable"),
        pytest.param({"resources": {"limits": {"memory": "2Gi"}}}, False, id="its resources"),
    ],
)
def test_what_of_a_container_makes_another_model(container: Mapping[str, Any], *, differs: bool) -> None:
    own = {"estimator": None, "container": {"image": "own:1"}}
    changed = {"estimator": None, "container": {"image": "own:1", **container}}
    assert (training_hash(spec(training=changed)) != training_hash(spec(training=own))) is differs


@pytest.mark.parametrize(
    ("sample", "known"),
    [
        pytest.param("minimal", "1:bf64037f1fb8fad2", id="iris"),
        pytest.param("digits", "1:c06af8be21e6596a", id="digits"),
        pytest.param("configmap-churn", "1:d6d7fe83da7e1119", id="preprocessing"),
        pytest.param("ensemble", "1:f8334a4fdec834ea", id="an ensemble"),
    ],
)
def test_what_was_declared_once_keeps_its_hash(sample: str, known: str) -> None:
    declared = next(yaml.safe_load_all((SAMPLES / f"{sample}.yaml").read_text()))["spec"]

    assert training_hash(msgspec.convert(declared, ModelDeploymentSpec)) == known


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("30s", 30, id="seconds"),
        pytest.param("1h30m", 5400, id="two units"),
        pytest.param("250ms", 0.25, id="milliseconds"),
        pytest.param("1.5m", 90, id="a fraction"),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "30", "-5s", "5 s", "1d", "s"])
def test_other_durations_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write 30s"):
        parse_duration(text)


def searched(algorithm: str, parallelism: int) -> str:
    search = {"parameters": {"max_depth": [3, 5]}, "algorithm": algorithm, "parallelism": parallelism}
    return training_hash(spec(training={"search": search}))


@pytest.mark.parametrize(
    ("algorithm", "differs"),
    [
        pytest.param("Grid", False, id="all combinations"),
        pytest.param("Random", False, id="settings that are drawn"),
        pytest.param("SuccessiveHalving", False, id="settings that follow from a whole round"),
        pytest.param("TPE", True, id="settings that are proposed as many at a time as there are pods"),
    ],
)
def test_how_many_pods_search_starts_a_run_only_where_the_result_depends_on_it(
    algorithm: str, *, differs: bool
) -> None:
    assert (searched(algorithm, 4) != searched(algorithm, 2)) is differs
    assert (searched(algorithm, 4) != searched(algorithm, 1)) is differs


def test_a_search_by_one_pod_has_the_hash_that_it_had_before_there_could_be_several() -> None:
    assert searched("TPE", 1) == "1:6fdf083945782a09"
    assert searched("Grid", 4) == "1:dac934f75c529803"
