"""Export a fitted pipeline to ONNX, and refuse an export that does not answer as the pipeline does."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import skl2onnx
from numpy.typing import NDArray
from skl2onnx._parse import _parse_sklearn_column_transformer
from skl2onnx._supported_operators import sklearn_operator_name_map
from skl2onnx.common._registration import get_converter
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import is_regressor
from sklearn.compose import ColumnTransformer

from evermodel.contract import Column, ColumnKind
from evermodel_runtime.artifacts.scorer import MATRIX_INPUT, SCORING_ERRORS, Scorer, first_line
from evermodel_runtime.data.rows import FeatureRows, Labels, spread_over
from evermodel_runtime.data.selection import DATE_PARTS, VECTORISERS
from evermodel_runtime.train import converters
from evermodel_runtime.train.pipeline import table
from evermodel_runtime.train.scaling import scale_by_arithmetic
from evermodel_runtime.train.tied_votes import break_ties_as_fitted

Layout = Literal["matrix", "columns"]
OPSET = 21
PARITY_ROWS = 5000
PARITY_SHARE = 0.999
PARITY_TOLERANCE = 1e-3
TIE = 1e-6
"""Probabilities closer than this are one: 32-bit sums of the same votes differ by so much."""
DISCRIMINANT = "LinearDiscriminantAnalysis"
CONVERSION_ERRORS = (
    RuntimeError,
    ValueError,
    TypeError,
    NameError,
    AttributeError,
    LookupError,
    ArithmeticError,
    AssertionError,
)
"""What skl2onnx raises for what it cannot express: it has no exception of its own for most of it."""


class NoOnnxError(Exception):
    """The pipeline has no ONNX model that answers as it does; the text says why."""


def layout_of(columns: tuple[Column, ...]) -> Layout:
    """Return how the model takes its rows."""
    return "matrix" if all(column.kind is ColumnKind.NUMBER for column in columns) else "columns"


def export(pipeline: Any, columns: tuple[Column, ...], name: str) -> bytes:
    """Convert a fitted pipeline; ``name`` goes into the file, so that equal models are equal bytes.

    Raises
    ------
    NoOnnxError
        When a step, or one of its parameters, has no converter.
    """
    _refuse_what_converts_wrongly(pipeline)
    logging.getLogger("skl2onnx").setLevel(logging.ERROR)
    converters.register()
    exported = _with_discriminant_replaced(pipeline)
    options = {id(exported): {"zipmap": False}} if "zipmap" in _options_of(exported) else {}
    try:
        model = skl2onnx.convert_sklearn(
            exported,
            name=name,
            initial_types=_inputs(columns),
            options=options,
            target_opset=OPSET,
            custom_parsers={ColumnTransformer: _parse_spread},
        )
    except CONVERSION_ERRORS as error:
        raise NoOnnxError(f"it cannot be exported: {first_line(error)}") from error
    if not hasattr(pipeline, "predict_proba"):
        del model.graph.output[1:]  # scores of a decision function, which are no probabilities
    break_ties_as_fitted(model)
    scale_by_arithmetic(model)
    model.opset_import.sort(key=lambda opset: opset.domain)  # the converter takes them from a set
    content: bytes = model.SerializeToString(deterministic=True)
    return content


@dataclass(frozen=True, slots=True)
class Parity:
    """How a stored model answers compared with the pipeline that it was made from.

    Attributes
    ----------
    equal : float
        Share of the rows whose labels are equal; of a regressor's answers, those within the tolerance.
    gap : float
        Largest difference of the probabilities of these rows; of a regressor's answers, of all, in standard deviations.
    """

    rows: int
    equal: float
    gap: float

    @property
    def holds(self) -> bool:
        """Whether the difference does not matter."""
        return self.equal >= PARITY_SHARE and self.gap <= PARITY_TOLERANCE

    @property
    def exact(self) -> bool:
        """Whether there is no difference."""
        return self.equal == 1.0 and self.gap == 0.0

    def __str__(self) -> str:
        return f"labels equal on {self.equal:.2%} of {self.rows:,} rows, probabilities within {self.gap:.1g}"


def compare(pipeline: Any, scorer: Scorer, rows: FeatureRows) -> Parity:
    """Compare pipeline and stored model on up to ``PARITY_ROWS`` rows spread over all."""
    chosen = spread_over([rows], PARITY_ROWS)
    answers, probabilities = scorer.predict_with_probabilities(chosen.inputs())
    inputs = table(chosen)
    expected = np.asarray(pipeline.predict(inputs)).reshape(-1)
    if is_regressor(pipeline):
        finite = expected[np.isfinite(expected)]
        gaps = _differences(answers, expected) / _spread(finite)
        return Parity(len(chosen), float(np.mean(gaps <= PARITY_TOLERANCE)), float(gaps.max()))
    equal = np.asarray(answers == expected)
    if probabilities is None:
        return Parity(len(chosen), float(equal.mean()), 0.0)
    # As float32, which is what is served: a model that skops stored then differs in nothing.
    known = pipeline.predict_proba(inputs).astype(np.float32)
    equal |= _tied(answers, known, pipeline.classes_)
    gap = float(_differences(probabilities, known)[equal].max()) if equal.any() else 0.0
    return Parity(len(chosen), float(equal.mean()), gap)


def _spread(answers: NDArray[np.float64]) -> float:
    """Return the standard deviation of answers, or their size where they are one number to a 32-bit float."""
    if not len(answers):
        return 1.0
    spread, size = float(answers.std()), float(np.abs(answers).max())
    return spread if spread > size * float(np.finfo(np.float32).eps) else size or 1.0


def _tied(answers: Labels, known: NDArray[np.float32], classes: Labels) -> NDArray[np.bool_]:
    """Tell which answers are as probable as the likeliest class: an even number of trees leaves many such ties."""
    places = np.searchsorted(classes, answers).clip(max=len(classes) - 1)
    of_answer = np.take_along_axis(known, places.reshape(-1, 1), axis=1).reshape(-1)
    is_class = np.asarray(classes[places] == answers)
    return np.asarray(is_class & (of_answer >= known.max(axis=1) - TIE))


def check_parity(pipeline: Any, scorer: Scorer, rows: FeatureRows) -> Parity:
    """Compare, and refuse a difference that matters.

    Raises
    ------
    NoOnnxError
        Unless labels are equal on 99.9 % of the rows and the probabilities of these within 1e-3.
    """
    try:
        parity = compare(pipeline, scorer, rows)
    except SCORING_ERRORS as error:
        raise NoOnnxError(f"the export does not answer: {first_line(error)}") from error
    if not parity.holds:
        raise NoOnnxError(
            f"the export does not answer as the trained model does: {parity}; at least {PARITY_SHARE:.1%} and at most "
            f"{PARITY_TOLERANCE} are needed"
        )
    return parity


def _differences(answers: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.float64]:
    """Return absolute differences: 0 where both are no number, NaN where one is, which is within no tolerance."""
    gaps = np.abs(np.asarray(answers, np.float64) - np.asarray(expected, np.float64))
    gaps[np.isnan(answers) & np.isnan(expected)] = 0.0
    return gaps


def _parse_spread(scope: Any, model: Any, inputs: list[Any], custom_parsers: Any = None) -> Any:
    """Parse a ColumnTransformer as skl2onnx does, which does not know how wide the matrix of an earlier step is."""
    if len(inputs) == 1:
        inputs[0].type.shape = [inputs[0].type.shape[0], model.n_features_in_]
    return _parse_sklearn_column_transformer(scope, model, inputs, custom_parsers=custom_parsers)


def _refuse_what_converts_wrongly(pipeline: Any) -> None:
    """Refuse what the converters express wrongly where no row at hand need show it: rare letters, missing numbers."""
    names = [type(one).__name__ for one in pipeline.get_params().values()]
    if DATE_PARTS in names:
        raise NoOnnxError("ONNX has no operators for the dates that DateParts takes")
    if "KNNImputer" in names:
        raise NoOnnxError("ONNX fills in other numbers than KNNImputer")
    found = next((name for name in names if name in VECTORISERS), None)
    if found is not None:
        raise NoOnnxError(f"ONNX finds other words than {found} in texts with letters beyond ASCII, such as 'très'")


def _options_of(pipeline: Any) -> Collection[str]:
    """Return what skl2onnx lets one choose for the pipeline's last step: regressors know no ``zipmap``."""
    alias = sklearn_operator_name_map.get(type(pipeline.steps[-1][1]))
    return () if alias is None else get_converter(alias).get_allowed_options() or ()


def _inputs(columns: tuple[Column, ...]) -> list[tuple[str, Any]]:
    if layout_of(columns) == "matrix":
        return [(MATRIX_INPUT, FloatTensorType([None, len(columns)]))]
    types = {ColumnKind.NUMBER: FloatTensorType, ColumnKind.TEXT: StringTensorType, ColumnKind.DATE: StringTensorType}
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
