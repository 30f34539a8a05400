"""Score rows with a stored model. Training, evaluation and serving all use this one way into ONNX Runtime and skops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as _onnx

from evermodel.contract import ColumnKind, Manifest, ModelFormat
from evermodel_runtime.data.rows import ColumnValues, Inputs, Labels, Matrix

MATRIX_INPUT = "X"


class Scorer(Protocol):
    """A loaded model.

    Attributes
    ----------
    manifest : Manifest
        What the model is; its columns say what a row holds, and in which order.
    """

    @property
    def manifest(self) -> Manifest:
        """What the model is."""
        ...

    @property
    def has_probabilities(self) -> bool:
        """Whether the model says how sure it is of each class."""
        ...

    def predict(self, rows: Inputs) -> Labels:
        """Return the label of each row: int64, or str as object."""
        ...

    def predict_with_probabilities(self, rows: Inputs) -> tuple[Labels, Matrix | None]:
        """Return the labels, and the probability of each of ``manifest.classes`` where the model knows it."""
        ...


class ModelFileError(Exception):
    """The bytes are no model that may be loaded; the text says why."""


class RowsRefusedError(Exception):
    """scikit-learn did not answer for these rows; the text is its own."""


SCORING_ERRORS = (
    RowsRefusedError,
    _onnx.Fail,
    _onnx.InvalidArgument,
    _onnx.NotImplemented,
    _onnx.RuntimeException,
)
"""What a loaded model raises for rows that it does not answer."""
LOADING_ERRORS = (
    ModelFileError,
    _onnx.Fail,
    _onnx.InvalidArgument,
    _onnx.InvalidGraph,
    _onnx.InvalidProtobuf,
    _onnx.NoSuchFile,
    _onnx.NotImplemented,
    _onnx.RuntimeException,
)
"""What the bytes of a model raise that cannot be loaded."""


def first_line(error: Exception) -> str:
    """Return what an error says first, without its full stop, to go on with in a sentence."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def load_scorer(content: bytes, manifest: Manifest) -> Scorer:
    """Load a model whose digest the caller has verified. Only one that is stored by skops needs scikit-learn."""
    if manifest.format is ModelFormat.ONNX:
        return OnnxScorer.load(content, manifest)
    from evermodel_runtime.artifacts.skops_scorer import SkopsScorer  # noqa: PLC0415 - takes a second

    return SkopsScorer.load(content, manifest)


@dataclass(frozen=True, slots=True)
class OnnxScorer:
    """A model in ONNX Runtime."""

    manifest: Manifest
    _session: Any
    _inputs: tuple[str, ...]
    _outputs: tuple[str, ...]

    @classmethod
    def load(cls, model: bytes, manifest: Manifest) -> Self:
        """Load an ONNX file.

        One thread computes: rows are few and pods are scaled out, so more threads would only take each other's time.
        """
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        inputs = tuple(node.name for node in session.get_inputs())
        outputs = tuple(node.name for node in session.get_outputs())
        return cls(manifest, session, inputs, outputs)

    @property
    def inputs(self) -> Any:
        """What the model takes: each with a name, a type and a shape."""
        return self._session.get_inputs()

    @property
    def outputs(self) -> Any:
        """What the model answers, described alike."""
        return self._session.get_outputs()

    @property
    def has_probabilities(self) -> bool:
        """Whether the model says how sure it is of each class."""
        return len(self._outputs) > 1

    def predict(self, rows: Inputs) -> Labels:
        """Return the label of each row: int64, or str as object."""
        labels: Labels = self._session.run(self._outputs[:1], self._feeds(rows))[0]
        return labels.reshape(-1)

    def predict_with_probabilities(self, rows: Inputs) -> tuple[Labels, Matrix | None]:
        """Return the labels, and the probability of each of ``manifest.classes`` where the model knows it."""
        labels, *rest = self._session.run(self._outputs, self._feeds(rows))
        return labels.reshape(-1), rest[0] if rest else None

    def _feeds(self, rows: Inputs) -> dict[str, ColumnValues]:
        if self.manifest.onnx_inputs == "matrix":
            matrix = rows if isinstance(rows, np.ndarray) else np.column_stack(list(rows))
            return {self._inputs[0]: np.ascontiguousarray(matrix, dtype=np.float32)}
        columns: Sequence[ColumnValues] = list(rows.T) if isinstance(rows, np.ndarray) else rows
        kinds = [column.kind for column in self.manifest.columns]
        return {
            name: _as_kind(values, kind).reshape(-1, 1)
            for name, values, kind in zip(self._inputs, columns, kinds, strict=True)
        }


def _as_kind(values: ColumnValues, kind: ColumnKind) -> ColumnValues:
    if kind is ColumnKind.NUMBER:
        return values.astype(np.float32, copy=False)
    return values.astype(np.object_, copy=False)
