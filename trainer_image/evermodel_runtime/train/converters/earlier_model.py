"""Models that were trained before: their own graph becomes a part of the new one."""

from __future__ import annotations

from typing import Any

import onnx

from evermodel.contract import ModelFormat
from evermodel_runtime.train.converters.graph import Graph, register_classifier, register_regressor
from evermodel_runtime.train.earlier_model import EarlierClassifier, EarlierRegressor


def register() -> None:
    """Make skl2onnx know the converters."""
    register_classifier(EarlierClassifier, convert_classifier)
    register_regressor(EarlierRegressor, convert_regressor)


def convert_classifier(model: EarlierClassifier, graph: Graph) -> None:
    """Answer the places of the classes."""
    labels, *probabilities = graph.model(_onnx_of(model))
    known = graph.constant([sorted(model.description.classes)])
    is_answer = graph.node("Equal", graph.node("Reshape", labels, graph.constant([-1, 1])), known)
    chosen = graph.as_double(is_answer)
    place = graph.node("ArgMax", chosen, axis=1, keepdims=0)
    if probabilities:
        scores = graph.node("Gather", graph.as_double(probabilities[0]), graph.constant(model.order), axis=1)
    else:  # the ensemble asks for the answer alone
        scores = chosen
    graph.answer_scores(scores, model.classes_, place)


def convert_regressor(model: EarlierRegressor, graph: Graph) -> None:
    """Answer what it answers."""
    (answer,) = graph.model(_onnx_of(model))
    graph.answer_value(graph.node("Reshape", answer, graph.constant([-1, 1])))


def _onnx_of(model: Any) -> onnx.ModelProto:
    if model.description.format is not ModelFormat.ONNX:
        raise NotImplementedError("an earlier version that is stored by skops")
    return onnx.load_from_string(model.content.tobytes())
