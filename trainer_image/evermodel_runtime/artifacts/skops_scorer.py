"""Score rows with a scikit-learn pipeline that skops stored: the fallback where ONNX is not possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from evermodel.contract import ColumnKind, Manifest
from evermodel_runtime.artifacts.scorer import RowsRefusedError
from evermodel_runtime.artifacts.skops_archive import load_pipeline
from evermodel_runtime.data.rows import Inputs, Labels, Matrix

ROW_ERRORS = (ValueError, TypeError, LookupError, ArithmeticError)
"""What scikit-learn raises for values that it cannot take, such as a row without a neighbour."""


@dataclass(frozen=True, slots=True)
class SkopsScorer:
    """A model in scikit-learn."""

    manifest: Manifest
    _pipeline: Any

    @classmethod
    def load(cls, content: bytes, manifest: Manifest) -> Self:
        """Load an archive; types out of the allow-list are refused."""
        return cls(manifest, load_pipeline(content))

    @property
    def has_probabilities(self) -> bool:
        """Whether the model says how sure it is of each class."""
        return hasattr(self._pipeline, "predict_proba")

    def predict(self, rows: Inputs) -> Labels:
        """Return the label of each row: int64, or str as object."""
        return self._labels(self._table(rows))

    def predict_with_probabilities(self, rows: Inputs) -> tuple[Labels, Matrix | None]:
        """Return the labels, and the probability of each of ``manifest.classes`` where the model knows it."""
        table = self._table(rows)
        labels = self._labels(table)
        if not self.has_probabilities:
            return labels, None
        try:
            return labels, self._pipeline.predict_proba(table).astype(np.float32)
        except ROW_ERRORS as error:
            raise RowsRefusedError(str(error)) from error

    def _labels(self, table: Any) -> Labels:
        try:
            labels: Labels = self._pipeline.predict(table).reshape(-1)
        except ROW_ERRORS as error:
            raise RowsRefusedError(str(error)) from error
        return labels

    def _table(self, rows: Inputs) -> Any:
        """Return rows as the pipeline was fitted on them: float64 of float32 precision, or objects if there is text."""
        if all(column.kind is ColumnKind.NUMBER for column in self.manifest.columns):
            matrix = rows if isinstance(rows, np.ndarray) else np.column_stack(list(rows))
            return matrix.astype(np.float32, copy=False).astype(np.float64)
        return np.column_stack([np.asarray(values).astype(np.object_) for values in rows])
