"""The samples are what the types take, and the data they bring can be learnt well enough."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import pytest
import yaml
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tests.samples.uploads import files
from tests.samples.warehouse import claimed, served
from tests.unit.api.schemas import unknown_fields
from tests.unit.core.made import make_observed, make_version
from tests.unit.runtime.made_runs import make_evaluate_run, make_source, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.api import API_VERSION, crd
from evermodel.api.generated import CHECKOUT
from evermodel.api.modeldeployment import ModelDeploymentSpec, Transformer
from evermodel.api.modelversion import VersionPhase
from evermodel.contract import EvaluateRun, Measure, Metric, PreprocessingStep, TrainRun
from evermodel.core.objectives import objective_of
from evermodel.core.runs import evaluate_run, train_run
from evermodel_runtime.evaluate.job import evaluate
from evermodel_runtime.train.job import train

Run = TypeVar("Run", TrainRun, EvaluateRun)
SAMPLES = sorted((CHECKOUT / "manifests" / "samples").glob("*.yaml"))
STEPS = {Transformer.ONE_HOT_ENCODER: OneHotEncoder, Transformer.STANDARD_SCALER: StandardScaler}


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text("utf-8")))


def model_of(path: Path) -> ModelDeploymentSpec:
    (model,) = (one for one in documents(path) if one["kind"] == "ModelDeployment")
    assert model["apiVersion"] == API_VERSION
    assert unknown_fields(crd.object_schema(crd.MODEL_DEPLOYMENT)["properties"]["spec"], model["spec"]) == []
    return msgspec.convert(model["spec"], ModelDeploymentSpec)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_is_what_the_types_take(path: Path) -> None:
    model_of(path)


def test_no_two_samples_have_the_same_name() -> None:
    """They can be applied to one namespace, all of them."""
    named = Counter((one["kind"], one["metadata"]["name"]) for path in SAMPLES for one in documents(path))
    assert [name for name, times in named.items() if times > 1] == []


def test_the_churn_table_has_the_declared_columns_and_meets_the_threshold() -> None:
    path = CHECKOUT / "manifests" / "samples" / "configmap-churn.yaml"
    (table,) = (one for one in documents(path) if one["kind"] == "ConfigMap")
    spec = model_of(path)
    assert spec.data.train.uri == f"configmap://{table['metadata']['name']}/customers.csv"
    rows = list(csv.DictReader(io.StringIO(table["data"]["customers.csv"])))
    named = [column for step in spec.training.preprocessing for column in step.columns]
    assert set(rows[0]) == {*named, spec.data.target, spec.data.id_column}
    (texts,) = (step.columns for step in spec.training.preprocessing if step.transformer is Transformer.ONE_HOT_ENCODER)

    cells = [[row[name] if name in texts else float(row[name]) for name in named] for row in rows]
    transformers = [
        (step.transformer, STEPS[step.transformer](**step.parameters), [named.index(name) for name in step.columns])
        for step in spec.training.preprocessing
    ]
    model = Pipeline(
        [("columns", ColumnTransformer(transformers)), ("model", LogisticRegression(**spec.training.parameters))]
    )
    labels = np.array([row[spec.data.target] for row in rows])
    scores = cross_val_score(model, np.array(cells, dtype=object), labels, cv=5)
    assert scores.mean() > spec.objective.threshold + 0.05
    assert max(np.mean(labels == "yes"), np.mean(labels == "no")) < spec.objective.threshold


def test_the_malignant_tumours_are_found_as_the_objective_asks() -> None:
    spec = model_of(CHECKOUT / "manifests" / "samples" / "one-class.yaml")
    objective, source = objective_of(spec.objective), make_source(uri=spec.data.train.uri, target=spec.data.target)
    assert load_breast_cancer().target_names[int(objective.positive_class or "")] == "malignant"
    assert spec.training.estimator is not None
    run = make_train_run(
        data=source,
        objective=objective,
        estimator=spec.training.estimator.value,
        parameters=spec.training.parameters,
    )
    hub = MemoryHub()

    trained = train(run, surroundings(hub))
    judged = evaluate(
        make_evaluate_run(trained.manifest, trained.data_sha256, data=source, objective=objective), surroundings(hub)
    )

    assert judged.reference is not None
    assert judged.reference.metric == "recall of 0"
    assert judged.reference.candidate > spec.objective.threshold + 0.05
    assert judged.reference.dummy < spec.objective.threshold - 0.05


def test_the_progression_of_diabetes_is_predicted_within_the_threshold() -> None:
    spec = model_of(CHECKOUT / "manifests" / "samples" / "regression.yaml")
    objective = Measure(metric=Metric(spec.objective.metric.value))
    source = make_source(uri=spec.data.train.uri, target=spec.data.target)
    assert spec.training.estimator is not None
    run = make_train_run(
        data=source,
        task=spec.task,
        objective=objective,
        estimator=spec.training.estimator.value,
        parameters=spec.training.parameters,
    )
    hub = MemoryHub()

    trained = train(run, surroundings(hub))
    judged = evaluate(
        make_evaluate_run(trained.manifest, trained.data_sha256, data=source, objective=objective), surroundings(hub)
    )

    assert judged.reference is not None
    assert judged.reference.candidate < spec.objective.threshold - 5
    assert judged.reference.dummy > spec.objective.threshold + 5


def test_the_flats_are_learnt_by_the_default_steps_and_meet_the_threshold(tmp_path: Path) -> None:
    path = CHECKOUT / "manifests" / "samples" / "mixed-types.yaml"
    (table,) = (one for one in documents(path) if one["kind"] == "ConfigMap")
    spec = model_of(path)
    (tmp_path / "flats.csv").write_text(table["data"]["flats.csv"])
    hub = MemoryHub()
    source = make_source(uri=spec.data.train.uri, target=spec.data.target)
    assert spec.training.estimator is not None
    run = make_train_run(data=source, estimator=spec.training.estimator.value)

    trained = train(run, surroundings(hub, tmp_path))
    judged = evaluate(
        make_evaluate_run(trained.manifest, trained.data_sha256, data=source), surroundings(hub, tmp_path)
    )

    assert "rooms are filled" in trained.notes[0]
    assert judged.reference is not None
    assert judged.reference.candidate > spec.objective.threshold + 0.05
    assert judged.reference.dummy < spec.objective.threshold


@pytest.mark.parametrize(
    ("name", "chance"),
    [pytest.param("text", 0.55, id="tickets by their words"), pytest.param("dates", 0.7, id="rentals by their times")],
)
def test_texts_and_dates_are_learnt_from_well_enough(name: str, chance: float, tmp_path: Path) -> None:
    path = CHECKOUT / "manifests" / "samples" / f"{name}.yaml"
    (table,) = (one for one in documents(path) if one["kind"] == "ConfigMap")
    spec = model_of(path)
    ((key, content),) = table["data"].items()
    (tmp_path / key).write_text(content)
    hub = MemoryHub()
    source = make_source(uri=spec.data.train.uri, target=spec.data.target, features=spec.data.features)
    steps = tuple(
        PreprocessingStep(transformer=step.transformer.value, columns=step.columns, parameters=step.parameters)
        for step in spec.training.preprocessing
    )
    assert spec.training.estimator is not None
    run = make_train_run(
        data=source,
        estimator=spec.training.estimator.value,
        parameters=spec.training.parameters,
        preprocessing=steps,
    )

    trained = train(run, surroundings(hub, tmp_path))
    judged = evaluate(
        make_evaluate_run(trained.manifest, trained.data_sha256, data=source), surroundings(hub, tmp_path)
    )

    assert judged.reference is not None
    assert judged.reference.candidate > spec.objective.threshold + 0.05
    assert judged.reference.dummy < chance


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("claim", "SuccessiveHalving, 13 trials over 3 Temporal folds", id="three years in a claim"),
        pytest.param("web-server", "Grid, 4 trials over 3 Stratified folds", id="parcels of a web server"),
        pytest.param("imported", "hub://digits.onnx is taken over", id="a network that is taken over"),
        pytest.param("grown", "grows from an archive", id="a network that grows"),
        pytest.param("arrow", "read 500 rows of 4 features", id="pumps in an Arrow file"),
        pytest.param("zstd", "read 600 rows of 3 features", id="bookings in CSV by zstd"),
        pytest.param("holdout", "76 rows held out, 102 to learn from", id="a wider holdout"),
        pytest.param("transfer", "takes the features of an archive", id="a network under a new head"),
    ],
)
def test_a_sample_learns_well_enough_from_bundled_rows_and_files_that_tests_put_there(
    name: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = model_of(CHECKOUT / "manifests" / "samples" / f"{name}.yaml")
    for path, content in (claimed() | served()).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    hub = MemoryHub(datasets=files())
    version = make_version(1, VersionPhase.TRAINING, spec=spec, run={"model": spec.model})
    observed = make_observed(version, spec=spec)

    trained = train(mounted(train_run(observed, version)), surroundings(hub, tmp_path))
    judging = evaluate_run(observed, version, manifest=trained.manifest, data_sha256=trained.data_sha256)
    judged = evaluate(mounted(judging), surroundings(hub, tmp_path)).reference

    assert says in capsys.readouterr().out
    assert judged is not None
    sign = -1 if Metric(spec.objective.metric.value).lower_is_better else 1
    assert sign * judged.candidate > sign * spec.objective.threshold > sign * judged.dummy


def mounted(run: Run) -> Run:
    """Let a file of the web server, whom no test of units reaches, be one of a ConfigMap."""
    source = msgspec.structs.replace(run.data, uri=run.data.uri.replace("https://", "configmap://"), credentials=None)
    return msgspec.structs.replace(run, data=source)
