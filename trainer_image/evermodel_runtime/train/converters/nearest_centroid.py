"""NearestCentroid: the label of the nearest mean. skl2onnx does not know it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neighbors import NearestCentroid

from evermodel_runtime.train.converters.graph import Graph, register_classifier


def register() -> None:
    """Make skl2onnx know the converter."""
    register_classifier(NearestCentroid, convert)


def convert(model: Any, graph: Graph) -> None:
    """Convert models of Euclidean distance.

    Probabilities come from distances in standard deviations; labels do so only where priors differ.
    """
    if model.metric != "euclidean":
        raise NotImplementedError(f"NearestCentroid with metric {model.metric}")
    rows, centroids = graph.rows(), np.asarray(model.centroids_, dtype=np.float64)
    deviations = np.where(model.within_class_std_dev_ == 0, 1.0, model.within_class_std_dev_)
    scaled = graph.squared_distances(graph.node("Div", rows, graph.constant(deviations)), centroids / deviations)
    scores = graph.node("Sub", graph.constant(2.0 * np.log(model.class_prior_)), scaled)
    best = None
    if np.isclose(model.class_prior_, 1 / len(model.classes_)).all():
        best = graph.node("ArgMin", graph.squared_distances(rows, centroids), axis=1, keepdims=0)
    graph.answer_scores(graph.node("Softmax", scores, axis=1), model.classes_, best)
