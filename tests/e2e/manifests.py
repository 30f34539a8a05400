"""ModelDeployments that tests apply: valid, small and fast, and then one change."""

from __future__ import annotations

from typing import Any, Final

from evermodel.api import API_VERSION
from evermodel.kube.client import Object
from evermodel.kube.kinds import MODEL


def model(name: str, *, uri: str, threshold: float, training: Object, **spec: Any) -> Object:
    """Return a ModelDeployment; further keywords are fields of its spec."""
    return {
        "apiVersion": API_VERSION,
        "kind": MODEL.name,
        "metadata": {"name": name},
        "spec": {
            "objective": {"threshold": threshold},
            "data": {"train": {"uri": uri}, "target": "target"},
            "training": training,
            **spec,
        },
    }


def iris(name: str = "iris", **spec: Any) -> Object:
    """Return a model that is good in seconds."""
    training = {"estimator": "LogisticRegression", "parameters": {"max_iter": 1000}}
    return model(name, uri="sklearn://iris", threshold=0.8, training=training, **spec)


def without_data(name: str) -> Object:
    """Return a model whose data are nowhere."""
    training = {"estimator": "LogisticRegression"}
    return model(name, uri=f"configmap://{name}/rows.csv", threshold=0.8, training=training)


def weak_digits(name: str = "digits", **spec: Any) -> Object:
    """Return a model that reads about half of the digits, so that any forest is significantly better."""
    training = {"estimator": "DecisionTreeClassifier", "parameters": {"max_depth": 3}}
    return model(name, uri="sklearn://digits?rows=0:1000", threshold=0.3, training=training, **spec)


def forest(trees: int) -> Object:
    """Return a training that reads nearly all digits; another number of trees is another training."""
    return {"estimator": "RandomForestClassifier", "parameters": {"n_estimators": trees, "max_depth": None}}


IRIS_REQUEST: Final = b'{"inputs": [{"name": "X", "shape": [1, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]}]}'
"""A prediction of the model of ``iris``."""
