"""One column of a table as texts, in the form that scikit-learn's vectorisers take."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin


class TextColumn(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Answers one column of a table as a list of texts, which is what vectorisers take."""

    def fit(self, _rows: Any, _labels: Any = None) -> Self:
        """Do nothing: there is nothing to learn."""
        return self

    def transform(self, rows: Any) -> NDArray[np.object_]:
        """Return the texts, of shape (rows,)."""
        return np.asarray(rows, dtype=np.object_).reshape(-1)

    def __sklearn_is_fitted__(self) -> bool:
        return True
