"""The hidden layers of a multi-layer perceptron as a transformer: features for another estimator, never fitted."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

Floats = NDArray[np.float64]


class HiddenLayers(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Answers what the last hidden layer answers.

    Parameters
    ----------
    weights, biases : list of array
        Of each hidden layer, as ``coefs_`` and ``intercepts_`` of the perceptron have them.
    activation : str
        Of all of them: identity, logistic, relu or tanh.
    """

    def __init__(self, weights: list[Floats], biases: list[Floats], activation: str) -> None:
        self.weights = weights
        self.biases = biases
        self.activation = activation

    @classmethod
    def of(cls, perceptron: Any) -> Self:
        """Take the hidden layers of a fitted perceptron."""
        return cls(perceptron.coefs_[:-1], perceptron.intercepts_[:-1], perceptron.activation)

    def fit(self, _rows: Any, _labels: Any = None) -> Self:
        """Do nothing: the layers stay as they are."""
        return self

    def transform(self, rows: Any) -> Floats:
        """Return the answers of the last hidden layer, of shape (rows, units)."""
        values = np.asarray(rows, dtype=np.float64)
        for weights, biases in zip(self.weights, self.biases, strict=True):
            values = activated(values @ weights + biases, self.activation)
        return values

    def __sklearn_is_fitted__(self) -> bool:
        return True


def activated(values: Floats, activation: str) -> Floats:
    """Apply an activation, as the perceptron does."""
    match activation:
        case "identity":
            return values
        case "relu":
            return np.maximum(values, 0)
        case "tanh":
            return np.tanh(values)
        case "logistic":
            return 1 / (1 + np.exp(-values))
    raise ValueError(f"{activation} is no activation of a perceptron")
