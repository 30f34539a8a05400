"""GaussianNB in float64: skl2onnx divides squares of float32 by variances down to 1e-9, which drowns all classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.naive_bayes import GaussianNB

from evermodel_runtime.train.converters.graph import Graph, register_classifier


def register() -> None:
    """Make skl2onnx know the converter."""
    register_classifier(GaussianNB, convert)


def convert(model: Any, graph: Graph) -> None:
    """Write (x − mean)² / variance as products of matrices, around a centre, so that large offsets cost no digits."""
    centre = model.theta_.mean(axis=0)
    means, weights = model.theta_ - centre, 1.0 / model.var_
    rows = graph.node("Sub", graph.rows(), graph.constant(centre))
    squares = graph.node("MatMul", graph.node("Mul", rows, rows), graph.constant(-0.5 * weights.T))
    products = graph.node("MatMul", rows, graph.constant((means * weights).T))
    alone = np.log(model.class_prior_) - 0.5 * (np.log(2.0 * np.pi * model.var_) + means**2 * weights).sum(axis=1)
    scores = graph.node("Add", graph.node("Add", squares, products), graph.constant(alone[None, :]))
    best = graph.node("ArgMax", scores, axis=1, keepdims=0)
    graph.answer_scores(graph.node("Softmax", scores, axis=1), model.classes_, best)
