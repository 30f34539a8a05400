"""Converters of our own, for estimators that skl2onnx does not export, or exports wrongly.

One module per family. Each says what it converts and why the library's own is not used, raises ``NotImplementedError``
for parameters that it cannot express (the model is then served by skops), and computes in float64 where scikit-learn
does: only inputs and answers are float32.
"""

from __future__ import annotations

from functools import cache

from evermodel_runtime.train.converters import (
    constant,
    cross_decomposition,
    delegating,
    earlier_model,
    gaussian_process,
    hidden_layers,
    hist_gradient_boosting,
    isotonic,
    kernel_ridge,
    label_propagation,
    linear,
    nearest_centroid,
    radius_neighbors,
    voting,
)

FAMILIES = (
    constant,
    cross_decomposition,
    delegating,
    earlier_model,
    gaussian_process,
    hidden_layers,
    hist_gradient_boosting,
    isotonic,
    kernel_ridge,
    label_propagation,
    linear,
    nearest_centroid,
    radius_neighbors,
    voting,
)


@cache
def register() -> None:
    """Make skl2onnx know the converters."""
    for family in FAMILIES:
        family.register()
