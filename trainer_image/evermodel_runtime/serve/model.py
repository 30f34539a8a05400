"""One verified model in memory: from checked rows to labels and probabilities, or to numbers."""

from math import isfinite
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from evermodel.contract import Manifest, ModelFormat, Task
from evermodel_runtime.artifacts.scorer import ModelFileError, RowsRefusedError, Scorer, first_line, load_scorer
from evermodel_runtime.data.rows import Inputs, Labels
from evermodel_runtime.serve.prediction import (
    Classes,
    ClassPrediction,
    NumberPrediction,
    Prediction,
    UnknownClassError,
)
from evermodel_runtime.serve.protocol import Datatype
from evermodel_runtime.serve.rows import Schema, inputs_of

FILES = {ModelFormat.ONNX: "ONNX model", ModelFormat.SKOPS: "skops archive"}
"""What the model's file is called in messages."""
PLATFORMS = {ModelFormat.ONNX: "onnxruntime_onnx", ModelFormat.SKOPS: "sklearn_skops"}
_onnx = onnxruntime.capi.onnxruntime_pybind11_state
_ROW_ERRORS = (_onnx.Fail, _onnx.RuntimeException)
"""What an operator raises for the values that it meets, such as a category that it does not know."""
_SHAPE_ERRORS = (ValueError, _onnx.InvalidArgument, _onnx.NotImplemented)
"""What ONNX Runtime raises for the names, types and shapes of inputs; checked rows never cause it."""
_UNKNOWN_CODE = ("index is out of range", "indices element out of data bounds")
"""How it says that a row holds a code that is not in a table, such as a category beyond those of CategoricalNB."""
_LOAD_ERRORS = (
    *_ROW_ERRORS,
    ModelFileError,
    *_SHAPE_ERRORS,
    _onnx.InvalidProtobuf,
    _onnx.InvalidGraph,
    _onnx.ModelLoadCanceled,
)


class ModelLoadError(Exception):
    """The bytes are no model that this runtime can serve."""


class ModelRunError(Exception):
    """The model did not answer for these rows."""


class RowsNotAnsweredError(ModelRunError):
    """The model refused the values of these rows; it answers others."""


class ModelMismatchError(ModelRunError):
    """The model is not what its manifest says: no rows will do."""


class ServedModel:
    """A scorer behind the protocol: checked rows in, labels as the training data has them out."""

    def __init__(self, scorer: Scorer) -> None:
        self.manifest = scorer.manifest
        self.schema = Schema.of(self.manifest.columns)
        self.platform = PLATFORMS[self.manifest.format]
        self.predicts_numbers = self.manifest.task is Task.REGRESSION
        self.classes = Classes(self.manifest.classes)
        """None of a regressor."""
        self.label_type = Datatype.FP64 if self.predicts_numbers else self.classes.datatype
        self.has_probabilities = scorer.has_probabilities
        self._scorer = scorer

    def predict(self, inputs: Inputs) -> Prediction:
        """Answer checked rows."""
        try:
            labels, probabilities = self._scorer.predict_with_probabilities(inputs)
        except RowsRefusedError as error:
            raise RowsNotAnsweredError(first_line(error)) from error
        except _ROW_ERRORS as error:
            raise ModelRunError(first_line(error)) from error
        except _SHAPE_ERRORS as error:
            if any(words in str(error) for words in _UNKNOWN_CODE):
                raise RowsNotAnsweredError(first_line(error).rpartition("Status Message: ")[-1]) from error
            raise ModelMismatchError(first_line(error)) from error
        if self.predicts_numbers:
            return _numbers(labels)
        if probabilities is not None and not isfinite(np.vdot(probabilities, probabilities)):
            raise _not_finite(probabilities)
        try:
            return ClassPrediction(self.classes, self.classes.places(labels), probabilities)
        except UnknownClassError as error:
            raise ModelMismatchError(str(error)) from error

    def warm_up(self) -> None:
        """Answer one made-up row, so that no caller pays for the first, and a model that cannot answer is found.

        A model of text columns may rightly refuse a category that it has never seen, and scikit-learn a row of zeros;
        that is no fault.
        """
        zeros = np.zeros((1, len(self.schema.numbers)), np.float32)
        try:
            self.predict(inputs_of(self.schema, zeros, [[""] for _ in self.schema.texts]))
        except RowsNotAnsweredError:
            return
        except ModelMismatchError:
            raise
        except ModelRunError:
            if not self.schema.texts:
                raise


def load_model(content: bytes, manifest: Manifest) -> ServedModel:
    """Build the model of an artifact. Takes a moment for large models: not for the event loop."""
    try:
        return ServedModel(load_scorer(content, manifest))
    except _LOAD_ERRORS as error:
        raise ModelLoadError(f"the {FILES[manifest.format]} cannot be loaded: {first_line(error)}") from error


def _numbers(answers: Labels) -> NumberPrediction:
    """Return a regressor's answers; JSON has no infinity, and neither has a label that could be compared with it."""
    numbers = answers.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise _not_finite(numbers)
    return NumberPrediction(numbers)


def _not_finite(answers: NDArray[Any]) -> RowsNotAnsweredError:
    """Name the first row whose numbers were too large for the model's arithmetic."""
    row = int(np.argwhere(~np.isfinite(answers))[0][0])
    return RowsNotAnsweredError(f"its answer to row {row} is no finite number")
