"""VotingClassifier and VotingRegressor as scikit-learn's defaults and lists of weights have them.

skl2onnx's own refuse ``flatten_transform=True``, the default, which matters to ``transform`` alone, and take weights as
an array only.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)
from skl2onnx.operator_converters.voting_classifier import convert_voting_classifier
from skl2onnx.operator_converters.voting_regressor import convert_voting_regressor
from sklearn.ensemble import VotingClassifier, VotingRegressor

from evermodel_runtime.train.converters.graph import CLASSIFIER_OPTIONS

Convert = Callable[[Any, Any, Any], None]


def register() -> None:
    """Make skl2onnx know the converters."""
    update_registered_converter(
        VotingClassifier,
        "SklearnVotingClassifier",
        calculate_linear_classifier_output_shapes,
        _plainly(convert_voting_classifier),
        options=CLASSIFIER_OPTIONS,
    )
    update_registered_converter(
        VotingRegressor,
        "SklearnVotingRegressor",
        calculate_linear_regressor_output_shapes,
        _plainly(convert_voting_regressor),
    )


def _plainly(library: Convert) -> Convert:
    """Let the library convert a copy that answers the same."""

    def convert(scope: Any, operator: Any, container: Any) -> None:
        model = operator.raw_operator
        same = copy.copy(model)
        same.flatten_transform = False
        same.weights = None if model.weights is None else np.asarray(model.weights, dtype=np.float64)
        operator.raw_operator = same
        library(scope, operator, container)
        operator.raw_operator = model

    return convert
