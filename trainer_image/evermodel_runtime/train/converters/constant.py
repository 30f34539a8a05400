"""DummyClassifier and DummyRegressor: one answer for all rows. skl2onnx knows neither."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor

from evermodel_runtime.train.converters.graph import Floats, Graph, register_classifier, register_regressor

ALWAYS_THE_SAME = frozenset({"prior", "most_frequent", "constant"})


def register() -> None:
    """Make skl2onnx know the converters."""
    register_classifier(DummyClassifier, convert_classifier)
    register_regressor(DummyRegressor, convert_regressor)


def convert_classifier(model: Any, graph: Graph) -> None:
    """Strategies that draw lots have no graph."""
    if model.strategy not in ALWAYS_THE_SAME:
        raise NotImplementedError(f"DummyClassifier with strategy {model.strategy} draws lots")
    probabilities = model.predict_proba(np.zeros((1, 1)))
    graph.answer_scores(_for_each_row(probabilities, graph), model.classes_)


def convert_regressor(model: Any, graph: Graph) -> None:
    """Every strategy is a constant once fitted."""
    graph.answer_value(_for_each_row(np.asarray(model.constant_, dtype=np.float64).reshape(1, -1), graph))


def _for_each_row(answer: Floats, graph: Graph) -> str:
    rows = graph.node("Shape", graph.rows(), start=0, end=1)
    return graph.node(
        "Expand", graph.constant(answer), graph.node("Concat", rows, graph.constant([answer.shape[1]]), axis=0)
    )
