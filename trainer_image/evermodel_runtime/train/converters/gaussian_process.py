"""GaussianProcessClassifier of any number of classes. skl2onnx converts two classes only.

Two classes: Algorithm 3.2 of Rasmussen and Williams, "Gaussian Processes for Machine Learning", as in scikit-learn,
with the inverse of the triangular matrix computed once. More: one such model against the rest for each class.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto
from scipy.linalg import solve_triangular
from scipy.special import erf
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process._gpc import COEFS, LAMBDAS
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Product

from evermodel_runtime.train.converters.graph import Graph, register_classifier

GRID_STEP, GRID_END = 0.01, 6.0
"""Where the error function is tabulated; beyond 6 it is 1 to the last bit."""


def register() -> None:
    """Make skl2onnx know the converter."""
    register_classifier(GaussianProcessClassifier, convert)


def convert(model: Any, graph: Graph) -> None:
    """Convert models with the default kernel: parameters that are JSON cannot declare another."""
    if model.n_classes_ > 2 and model.multi_class != "one_vs_rest":  # noqa: PLR2004 - two classes
        raise NotImplementedError("GaussianProcessClassifier one_vs_one has no probabilities")
    rows = graph.rows()
    if model.n_classes_ == 2:  # noqa: PLR2004 - two classes
        mean, second = _binary(model.base_estimator_, graph, rows)
        first = graph.node("Sub", graph.constant(1.0), second)
        positive = graph.node("Greater", mean, graph.constant(0.0))
        best = graph.node("Squeeze", graph.node("Cast", positive, to=TensorProto.INT64), graph.constant([1]))
        graph.answer_scores(graph.node("Concat", first, second, axis=1), model.classes_, best)
        return
    alone = [_binary(part, graph, rows)[1] for part in model.base_estimator_.estimators_]
    scores = graph.node("Concat", *alone, axis=1)
    graph.answer_scores(graph.node("Div", scores, graph.total(scores)), model.classes_)


def _binary(part: Any, graph: Graph, rows: str) -> tuple[str, str]:
    """Return the mean of the latent function and the probability of the second class, both of shape (rows, 1)."""
    variance, length = _of_kernel(part.kernel_)
    squares = graph.squared_distances(graph.node("Div", rows, graph.constant(length)), part.X_train_ / length)
    exponentials = graph.node("Exp", graph.node("Mul", squares, graph.constant(-0.5)))
    similar = graph.node("Mul", exponentials, graph.constant(variance))
    mean = graph.node("MatMul", similar, graph.constant((part.y_train_ - part.pi_).reshape(-1, 1)))
    root = solve_triangular(part.L_, np.eye(len(part.L_)), lower=True) * part.W_sr_
    explained = graph.node("MatMul", similar, graph.constant(root.T))
    left = graph.node("Sub", graph.constant(variance), graph.total(graph.node("Mul", explained, explained)))
    return mean, _probability(mean, left, graph)


def _probability(mean: str, variance: str, graph: Graph) -> str:
    """Average the logistic function over a normal distribution, by five error functions as scikit-learn does.

    With α = 1/(2 σ²), √(π/α) / (2 √(2π σ²)) is 1/2.
    """
    lambdas, weights = LAMBDAS.reshape(1, -1), COEFS.reshape(-1, 1)
    alpha = graph.node("Div", graph.constant(0.5), variance)
    share = graph.node("Sqrt", graph.node("Div", alpha, graph.node("Add", alpha, graph.constant(lambdas**2))))
    argument = graph.node("Mul", graph.node("Mul", mean, graph.constant(lambdas)), share)
    halves = graph.node("MatMul", _error_function(argument, graph), graph.constant(weights / 2))
    return graph.node("Add", halves, graph.constant(float(weights.sum()) / 2))


def _error_function(values: str, graph: Graph) -> str:
    """Return erf to 1e-9, by its Taylor series of degree 3 around the nearest point of a grid.

    ONNX Runtime has Erf of float32 only, and the weights of the five error functions, which nearly cancel, would make
    1e-4 of its rounding.
    """
    grid = np.arange(0.0, GRID_END + GRID_STEP, GRID_STEP)
    slope = 2 / np.sqrt(np.pi) * np.exp(-(grid**2))
    series = (erf(grid), slope, -grid * slope, (2 * grid**2 - 1) * slope / 3)
    size = graph.node("Min", graph.node("Abs", values), graph.constant(GRID_END))
    place = graph.node("Round", graph.node("Div", size, graph.constant(GRID_STEP)))
    index = graph.node("Cast", place, to=TensorProto.INT64)
    step = graph.node("Sub", size, graph.node("Mul", place, graph.constant(GRID_STEP)))
    total = graph.node("Gather", graph.constant(series[3]), index)
    for coefficients in series[2::-1]:
        raised = graph.node("Mul", total, step)
        total = graph.node("Add", raised, graph.node("Gather", graph.constant(coefficients), index))
    return graph.node("Mul", graph.node("Sign", values), total)


def _of_kernel(kernel: Any) -> tuple[float, Any]:
    """Return variance and length scale of ConstantKernel · RBF."""
    if not (isinstance(kernel, Product) and isinstance(kernel.k1, ConstantKernel) and isinstance(kernel.k2, RBF)):
        raise NotImplementedError(f"GaussianProcessClassifier with kernel {kernel}")
    return float(kernel.k1.constant_value), np.asarray(kernel.k2.length_scale, dtype=np.float64)
