"""A real API server takes good objects, fills them in, and refuses bad ones with the field and what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.admission_cases import BAYES, MISTAKES, NEAR, TREE, Mistake, Value, model, version
from tests.integration.cluster import Cluster
from tests.unit.api.schemas import filled

from evermodel.api import API_VERSION, crd
from evermodel.api.generated import CHECKOUT
from evermodel.api.modeldeployment import REGRESSORS, Estimator
from evermodel.api.rules.estimators import GOING_ON, GROWING, IN_EPOCHS, WITHOUT_WEIGHTS

pytestmark = pytest.mark.cluster
SAMPLES = sorted((CHECKOUT / "manifests" / "samples").glob("*.yaml"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Iris:
    """A minimal ModelDeployment in a namespace of its own."""

    cluster: Cluster
    namespace: str

    def kubectl(self, verb: str, *arguments: str) -> str:
        return self.cluster.kubectl(verb, "-n", self.namespace, *arguments)

    def stored(self) -> dict[str, Any]:
        return self.cluster.read("get", "-n", self.namespace, "model/iris")

    def write_status(self, status: Mapping[str, Any]) -> None:
        patch = json.dumps({"status": status})
        self.kubectl("patch", "model/iris", "--subresource=status", "--type=merge", "-p", patch)


@pytest.fixture
def iris(cluster: Cluster, namespace: str) -> Iris:
    cluster.kubectl("create", "-n", namespace, "-f", "-", given=model("iris"))
    return Iris(cluster=cluster, namespace=namespace)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_refuses(cluster: Cluster, mistake: Mistake) -> None:
    bad = model(mistake.name, mistake.spec)
    answer = cluster.try_kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", given=bad)
    assert answer.returncode != 0
    lines = [line for line in answer.stderr.splitlines() if mistake.at in line and mistake.says in line]
    assert lines, answer.stderr


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="the minimum"),
        pytest.param({"monitoring.capture": {}}, id="capture as it is by default"),
        pytest.param(
            {
                "data.features": ["a", "b"],
                "monitoring.capture": {"sample": 0.5, "drop": ["a"], "hash": ["b"], "maxRecords": 100},
            },
            id="capture without what is private",
        ),
        pytest.param({"objective.threshold": 0.0001, "monitoring.tolerance": 0}, id="a threshold near 0"),
        pytest.param(
            {
                "evaluation.metrics": [{"metric": "rocAuc"}, {"metric": "f1", "average": "weighted"}],
                "evaluation.constraints": [
                    {"metric": "recall", "positiveClass": "1", "threshold": 0.8},
                    {"metric": "logLoss", "threshold": 1.5},
                    {"metric": "mcc", "threshold": -0.1},
                ],
                "evaluation.slices": [{"column": "a", "values": ["x"], "threshold": 0.8}, {"column": "b", "bins": 2}],
            },
            id="metrics, constraints and slices",
        ),
        pytest.param(
            {"objective": {"metric": "f1", "positiveClass": "dark blue", "threshold": 0.5}}, id="f1 of one class"
        ),
        pytest.param(
            {
                "evaluation.customMetrics": [
                    {"name": "cost", "direction": "Minimize", "threshold": -1.5, "command": ["python3", "-c", "pass"]},
                    {"name": "profit-per-case", "direction": "Maximize", "image": "registry.example/profit:1"},
                ]
            },
            id="custom metrics",
        ),
        pytest.param(
            {
                "serving.autoscaling": {"minReplicas": 2, "maxReplicas": 2, "cpuUtilization": 70, "inFlight": 4},
                "serving.template.resources.requests": {"cpu": "500m"},
            },
            id="autoscaling by CPU and by requests in flight",
        ),
        pytest.param({"data.train.uri": "sklearn://digits?rows=:100"}, id="rows without a start"),
        pytest.param({"data.train.uri": "sklearn://digits?rows=100:"}, id="rows without an end"),
        pytest.param({"data.train.uri": "configmap://my.data/train_1.csv"}, id="a ConfigMap"),
        pytest.param({"data.train.uri": "hub://train.csv"}, id="an uploaded file"),
        pytest.param(
            {"retraining": {"triggers": ["Accuracy", "Schedule"], "schedule": "*/15 0-5,22 1 jan-mar mon-fri"}},
            id="a schedule",
        ),
        pytest.param({"monitoring.offline": {"schedule": "0 4 * * *"}}, id="an offline evaluation"),
        pytest.param({"data.train.uri": "hub://train.csv", "retraining.triggers": ["Data"]}, id="a watched source"),
        pytest.param(
            {"retraining": {"triggers": ["Data"], "data": {"includeFeedback": True}}}, id="records, where no source is"
        ),
        pytest.param(
            {"retraining.data": {"includeFeedback": True, "maxAge": "720h", "maxShare": 1, "halfLife": "168h"}},
            id="records by age and share",
        ),
        pytest.param(
            {
                "training": {"ensemble": {"type": "Bagging", "members": [NEAR]}},
                "retraining.data": {"includeFeedback": True, "halfLife": "168h"},
            },
            id="weights by age for a bagging, whatever its member is",
        ),
        pytest.param(
            {
                "training": {
                    "ensemble": {
                        "type": "Stacking",
                        "members": [TREE, BAYES],
                        "finalEstimator": {"estimator": "GaussianNB"},
                    }
                },
                "retraining.data": {"includeFeedback": True, "halfLife": "168h"},
            },
            id="weights by age for members that take them",
        ),
        pytest.param(
            {
                "training": {"estimator": "SGDClassifier"},
                "retraining": {"data": {"includeFeedback": True}, "online": {"minRecords": 20, "minInterval": "15m"}},
            },
            id="online updates",
        ),
        pytest.param({"data.train.uri": "pvc://my-data/sales/year=2026/part..0.csv"}, id="a file of a claim"),
        pytest.param({"data.train.uri": "pvc://data/"}, id="a whole claim"),
        pytest.param(
            {
                "data.train.uri": 'https://files.example:8443/a/train.csv?x=%20&y="1"',
                "data.credentialsSecretRef": {"name": "warehouse"},
            },
            id="a file of a web server",
        ),
        pytest.param(
            {"data.train": {"uri": "http://files.example/train.csv", "sha256": "ab" * 32}}, id="a known file by http"
        ),
        pytest.param({"data.format": {"delimiter": ";", "encoding": "windows-1252"}}, id="CSV of a spreadsheet"),
        pytest.param({"data.format": {"type": "Parquet"}}, id="Parquet"),
        pytest.param({"model": {"uri": "hub://one", "sha256": "ab" * 32}, "training": ...}, id="a model that there is"),
        pytest.param(
            {"model": {"uri": "hub://one", "sha256": "ab" * 32}}, id="such a model, and how to train the next"
        ),
        pytest.param(
            {
                "training.preprocessing": [
                    {"transformer": "SimpleImputer", "columns": ["*"], "parameters": {"strategy": "most_frequent"}},
                    {"transformer": "OrdinalEncoder", "columns": ["dtype:text"]},
                    {"transformer": "PCA", "columns": ["dtype:number"], "parameters": {"n_components": 0.9}},
                ]
            },
            id="steps over columns of a kind",
        ),
        pytest.param({"retraining.cooldown": "1h30m", "monitoring.interval": "1.5s"}, id="durations"),
        pytest.param({"training.template.resources.limits": {"cpu": 2, "memory": "1.5Gi"}}, id="whole quantities"),
        pytest.param({"training.parameters": {"hidden_layer_sizes": [8, 8], "a": {"b": None}}}, id="nested parameters"),
        pytest.param({"data.features": [f"column {number}" for number in range(4096)]}, id="4,096 features"),
        pytest.param(
            {
                "training.preprocessing": [
                    {"transformer": "StandardScaler", "columns": [f"column {number}" for number in range(4096)]}
                ]
                * 32
            },
            id="32 steps over 4,096 columns",
        ),
        pytest.param(
            {
                "task": "Regression",
                "objective": {"metric": "rmse", "threshold": 9},
                "training": {"container": {"image": "own:1"}},
            },
            id="a container that predicts numbers",
        ),
        pytest.param({"version": 7, "paused": True}, id="pinned and paused"),
    ],
)
def test_takes(cluster: Cluster, changes: Mapping[str, Value]) -> None:
    cluster.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", given=model("iris", changes))


def test_takes_a_name_of_40_characters(cluster: Cluster) -> None:
    cluster.kubectl("create", "--dry-run=server", "-f", "-", given=model("m" * 40))


@pytest.mark.parametrize(
    ("changes", "at", "taken"),
    [
        pytest.param({"training.epochs": {"max": 3}}, "spec.training.epochs", set(IN_EPOCHS), id="epochs"),
        pytest.param(
            {"training.warmStart": {"from": "Champion", "mode": "Continue"}},
            "spec.training.warmStart.mode",
            set(GOING_ON),
            id="going on",
        ),
        pytest.param(
            {"training.warmStart": {"from": "Champion", "mode": "Grow"}},
            "spec.training.warmStart.mode",
            set(GROWING),
            id="growing",
        ),
        pytest.param(
            {"retraining.data": {"includeFeedback": True, "halfLife": "168h"}},
            "spec.retraining.data.halfLife",
            {estimator.value for estimator in Estimator} - set(WITHOUT_WEIGHTS),
            id="weights by age",
        ),
    ],
)
def test_takes_what_an_estimator_can_do_and_refuses_the_others_by_the_field(
    cluster: Cluster, changes: Mapping[str, Value], at: str, taken: set[str]
) -> None:
    """``tests/unit/runtime/test_estimator_features.py`` has the Job do what is taken here, for each estimator."""
    names = {estimator.value.lower(): estimator for estimator in Estimator}
    models = [model(name, {**_declaring(estimator), **changes}) for name, estimator in names.items()]
    listed = {"apiVersion": "v1", "kind": "List", "items": models}

    answer = cluster.try_kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", given=listed)

    refused = {name for name in names if f'"{name}" is invalid: {at}: ' in answer.stderr}
    created = {name for name in names if f"/{name} created" in answer.stdout}
    assert created == {name.lower() for name in taken}
    assert refused == set(names) - created


def _declaring(estimator: Estimator) -> dict[str, Value]:
    if estimator not in REGRESSORS:
        return {"training.estimator": estimator.value}
    return {
        "training.estimator": estimator.value,
        "task": "Regression",
        "objective": {"metric": "rmse", "threshold": 9},
    }


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_takes_the_sample(cluster: Cluster, sample: Path) -> None:
    cluster.kubectl("create", "--dry-run=server", "--validate=strict", "-f", str(sample))


def test_defaults_are_filled_in(iris: Iris) -> None:
    stored = iris.stored()
    expected = filled(crd.object_schema(crd.MODEL_DEPLOYMENT), model("iris"))
    assert stored["spec"] == expected["spec"]
    assert stored["status"] == expected["status"]
    assert stored["status"]["observedGeneration"] == -1


def test_parameters_are_kept_as_they_are(cluster: Cluster) -> None:
    parameters = {"max_iter": 1000, "class_weight": {"yes": 2.5, "no": 1}, "penalty": None, "tags": [1, "a", True]}
    given = model("free", {"training.parameters": parameters})
    stored = cluster.read("create", "--dry-run=server", "-f", "-", given=given)
    assert stored["spec"]["training"]["parameters"] == parameters


@pytest.mark.parametrize("name", ["models", "model", "emd", "modeldeployments", "evermodel"])
def test_kubectl_knows_the_name(iris: Iris, name: str) -> None:
    assert iris.kubectl("get", name, "-o", "name") == "modeldeployment.evermodel.dev/iris"


def test_kubectl_waits_for_a_model(iris: Iris) -> None:
    iris.write_status({"conditions": [ready_condition()]})
    iris.kubectl("wait", "model/iris", "--for=condition=Ready", "--timeout=10s")


def test_columns_show_how_the_model_does(iris: Iris) -> None:
    champion = {"version": 3, "holdout": 0.958, "trainingHash": "1:ab", "promotedAt": "2026-01-01T00:00:00Z"}
    live = {"value": 0.931, "samples": 400}
    iris.write_status(
        {
            "phase": "Ready",
            "conditions": [ready_condition()],
            "champion": champion,
            "live": live,
            "retraining": {"count": 2},
            "url": "http://iris.ml.svc",
        },
    )
    header, row = iris.kubectl("get", "models").splitlines()
    assert header.split() == ["NAME", "READY", "PHASE", "VERSION", "METRIC", "HOLDOUT", "LIVE", "THRESHOLD", "AGE"]
    assert row.split()[:-1] == ["iris", "True", "Ready", "3", "accuracy", "0.958", "0.931", "0.9"]
    header, row = iris.kubectl("get", "models", "-o", "wide").splitlines()
    assert header.split()[-4:] == ["CANDIDATE", "DRIFT", "RETRAINS", "URL"]
    assert row.split()[-2:] == ["2", "http://iris.ml.svc"]


def test_scaling_changes_the_replicas_and_finds_the_pods(iris: Iris) -> None:
    iris.write_status({"replicas": 1, "selector": "evermodel.dev/model=iris"})
    iris.kubectl("scale", "model/iris", "--replicas=3")
    assert iris.stored()["spec"]["serving"]["replicas"] == 3
    path = f"/apis/{API_VERSION}/namespaces/{iris.namespace}/modeldeployments/iris/scale"
    scale = json.loads(iris.kubectl("get", "--raw", path))
    assert scale["spec"] == {"replicas": 3}
    assert scale["status"] == {"replicas": 1, "selector": "evermodel.dev/model=iris"}


def test_status_is_written_apart_and_moves_no_generation(iris: Iris) -> None:
    iris.write_status({"observedGeneration": 1, "phase": "Training"})
    iris.kubectl("patch", "model/iris", "--type=merge", "-p", json.dumps({"status": {"phase": "Failed"}}))
    stored = iris.stored()
    assert stored["status"]["phase"] == "Training"
    assert stored["metadata"]["generation"] == 1


def test_a_version_never_changes_but_its_status_does(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "-n", namespace, "-f", "-", given=version("iris-v1"))
    change = json.dumps({"spec": {"trainingHash": "1:other"}})
    answer = cluster.try_kubectl("patch", "-n", namespace, "modelversion/iris-v1", "--type=merge", "-p", change)
    assert answer.returncode != 0
    assert "spec: Invalid value" in answer.stderr
    assert "a ModelVersion records one run and never changes: change its ModelDeployment instead" in answer.stderr
    known = {"phase": "Champion", "holdout": 0.95, "holdoutSet": "reference", "rows": 120}
    progress = {"message": "epoch-3", "at": "2026-01-01T00:00:00Z"}
    status = json.dumps({"status": known | {"progress": progress}})
    cluster.kubectl("patch", "-n", namespace, "mv/iris-v1", "--subresource=status", "--type=merge", "-p", status)
    header, row = cluster.kubectl("get", "-n", namespace, "mv").splitlines()
    assert header.split() == ["NAME", "PHASE", "TRIGGER", "HOLDOUT", "SET", "PROGRESS", "ROWS", "AGE"]
    assert row.split()[:-1] == ["iris-v1", "Champion", "FirstVersion", "0.95", "reference", "epoch-3", "120"]


def test_a_version_without_a_trigger_is_refused(cluster: Cluster) -> None:
    answer = cluster.try_kubectl("create", "--dry-run=server", "-f", "-", given=version("iris-v1", trigger={}))
    assert "spec.trigger.reason: Required value" in answer.stderr


def ready_condition() -> Mapping[str, Any]:
    return {
        "type": "Ready",
        "status": "True",
        "reason": "Serving",
        "message": "Version 3 answers.",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
