"""LinearSVC, which skl2onnx converts rightly but not as the last step of a pipeline.

Its converter lacks the option ``zipmap``, which the library itself sets for every classifier in a pipeline.
"""

from __future__ import annotations

from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from skl2onnx.operator_converters.linear_classifier import convert_sklearn_linear_classifier
from sklearn.svm import LinearSVC

from evermodel_runtime.train.converters.graph import CLASSIFIER_OPTIONS

LIBRARYS_NAME = "SklearnLinearSVC"
"""Kept, since the library treats its outputs by this name."""


def register() -> None:
    """Offer the option."""
    update_registered_converter(
        LinearSVC,
        LIBRARYS_NAME,
        calculate_linear_classifier_output_shapes,
        convert_sklearn_linear_classifier,
        options={**CLASSIFIER_OPTIONS, "raw_scores": [True, False]},
    )
