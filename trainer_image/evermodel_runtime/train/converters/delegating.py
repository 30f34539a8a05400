"""Estimators that ask another: decision thresholds, self-training and a target that is not transformed.

skl2onnx knows FixedThresholdClassifier, SelfTrainingClassifier and TransformedTargetRegressor not at all, and compares
the scores of TunedThresholdClassifierCV otherwise than scikit-learn, where they lie next to the threshold.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.semi_supervised import SelfTrainingClassifier

from evermodel_runtime.train.converters.graph import Graph, register_classifier, register_regressor


def register() -> None:
    """Make skl2onnx know the converters."""
    register_classifier(FixedThresholdClassifier, convert_fixed_threshold)
    register_classifier(TunedThresholdClassifierCV, convert_tuned_threshold)
    register_classifier(SelfTrainingClassifier, convert_self_training)
    register_regressor(TransformedTargetRegressor, convert_transformed_target)


def convert_fixed_threshold(model: Any, graph: Graph) -> None:
    """Take the declared threshold, or a half."""
    threshold = 0.5 if model.threshold == "auto" else float(model.threshold)
    _convert_threshold(model, graph, threshold, model.pos_label)


def convert_tuned_threshold(model: Any, graph: Graph) -> None:
    """Take the threshold that was found."""
    positive = model._curve_scorer._get_pos_label()  # noqa: SLF001 - kept nowhere else
    _convert_threshold(model, graph, float(model.best_threshold_), positive)


def _convert_threshold(model: Any, graph: Graph, threshold: float, positive: Any) -> None:
    if not hasattr(model.estimator_, "predict_proba") or model.response_method == "decision_function":
        raise NotImplementedError(f"{type(model).__name__} over a decision function")
    place = 1 if positive is None else int(np.flatnonzero(model.classes_ == positive)[0])
    probabilities = graph.classifier_part(model.estimator_)
    score = graph.node("Gather", probabilities, graph.constant(place), axis=1)
    above = graph.node("Cast", graph.node("GreaterOrEqual", score, graph.constant(threshold)), to=TensorProto.INT64)
    best = above if place == 1 else graph.node("Sub", graph.constant(1), above)
    graph.answer_scores(probabilities, model.classes_, best)


def convert_self_training(model: Any, graph: Graph) -> None:
    """Hand over to the classifier that was trained last."""
    graph.answer_scores(graph.classifier_part(model.estimator_), model.classes_)


def convert_transformed_target(model: Any, graph: Graph) -> None:
    """Hand over to the regressor; parameters that are JSON declare no transformation, and a function has no graph."""
    if (model.transformer, model.inverse_func) != (None, None):
        raise NotImplementedError("TransformedTargetRegressor with a transformation")
    graph.answer_value(graph.regressor_part(model.regressor_))
