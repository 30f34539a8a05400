"""Export a fitted pipeline to ONNX, and refuse an export that does not answer as the pipeline does."""

from __future__ import annotations

import logging
from typing import Any, Literal

import numpy as np
import skl2onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType

from evermodel.contract import Column, ColumnKind, FailureReason
from evermodel_runtime.artifacts.scorer import MATRIX_INPUT, Scorer
from evermodel_runtime.data.failure import JobError, spec_error
from evermodel_runtime.data.rows import FeatureRows
from evermodel_runtime.train.pipeline import table

Layout = Literal["matrix", "columns"]
OPSET = 21
PARITY_ROWS = 5000
PARITY_SHARE = 0.999
PARITY_TOLERANCE = 1e-3
DISCRIMINANT = "LinearDiscriminantAnalysis"


def layout_of(columns: tuple[Column, ...]) -> Layout:
    """Return how the model takes its rows."""
    return "matrix" if all(column.kind is ColumnKind.NUMBER for column in columns) else "columns"


def export(pipeline: Any, columns: tuple[Column, ...], name: str) -> bytes:
    """Convert a fitted pipeline; ``name`` goes into the file, so that equal models are equal bytes."""
    logging.getLogger("skl2onnx").setLevel(logging.ERROR)
    exported = _with_discriminant_replaced(pipeline)
    options = {id(exported): {"zipmap": False}}
    try:
        model = skl2onnx.convert_sklearn(
            exported, name=name, initial_types=_inputs(columns), options=options, target_opset=OPSET
        )
    except (RuntimeError, ValueError, TypeError) as error:
        raise spec_error(f"This combination of steps and parameters cannot be exported to ONNX: {error}") from error
    if not hasattr(pipeline, "predict_proba"):
        del model.graph.output[1:]  # scores of a decision function, which are no probabilities
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def check_parity(pipeline: Any, scorer: Scorer, rows: FeatureRows) -> str:
    """Compare pipeline and export on up to ``PARITY_ROWS`` rows spread over all.

    Returns
    -------
    str
        The figures, for the log.

    Raises
    ------
    JobError
        ParityFailed, unless labels are equal on 99.9 % of the rows and the probabilities of these within 1e-3.
    """
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, PARITY_ROWS).astype(np.intp))]
    labels, probabilities = scorer.predict_with_probabilities(chosen.inputs())
    inputs = table(chosen)
    equal = np.asarray(labels == pipeline.predict(inputs))
    gap = 0.0
    if probabilities is not None and equal.any():
        gap = float(np.abs(probabilities - pipeline.predict_proba(inputs))[equal].max())
    figures = f"labels equal on {equal.mean():.2%} of {len(chosen):,} rows, probabilities within {gap:.1g}"
    if equal.mean() < PARITY_SHARE or gap > PARITY_TOLERANCE:
        raise JobError(
            FailureReason.PARITY_FAILED,
            f"The exported model does not answer as the trained one does: {figures}; at least {PARITY_SHARE:.1%} and "
            f"at most {PARITY_TOLERANCE} are needed. Scale the features (StandardScaler) or choose another estimator.",
        )
    return figures


def _inputs(columns: tuple[Column, ...]) -> list[tuple[str, Any]]:
    if layout_of(columns) == "matrix":
        return [(MATRIX_INPUT, FloatTensorType([None, len(columns)]))]
    types = {ColumnKind.NUMBER: FloatTensorType, ColumnKind.TEXT: StringTensorType}
    return [(f"column_{place}", types[column.kind]([None, 1])) for place, column in enumerate(columns)]


def _with_discriminant_replaced(pipeline: Any) -> Any:
    """Return a pipeline that answers the same and that skl2onnx exports rightly.

    skl2onnx takes the softmax of (−d, d) for two classes of a LinearDiscriminantAnalysis, which is the logistic
    function of 2d, where scikit-learn takes that of d. A LogisticRegression with the same coefficients is exported
    as it should be.
    """
    name, estimator = pipeline.steps[-1]
    if type(estimator).__name__ != DISCRIMINANT:
        return pipeline
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - only here
    from sklearn.pipeline import Pipeline  # noqa: PLC0415 - only here

    same = LogisticRegression()
    same.coef_, same.intercept_, same.classes_ = estimator.coef_, estimator.intercept_, estimator.classes_
    same.n_features_in_ = estimator.n_features_in_
    return Pipeline([*pipeline.steps[:-1], (name, same)])
