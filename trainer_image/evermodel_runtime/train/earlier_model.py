"""A model that was trained before, as an estimator that stays as it is: a member of an ensemble."""

from __future__ import annotations

from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if

from evermodel.contract import ColumnKind, Manifest
from evermodel_runtime.artifacts.scorer import SCORING_ERRORS, Scorer, load_scorer
from evermodel_runtime.data.rows import ColumnValues, Inputs


class EarlierModel(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Answers what a stored model answers, whatever it is fitted on.

    Parameters
    ----------
    manifest : str
        The model's manifest as JSON.
    content : array of uint8
        Its file, ONNX or a skops archive.
    """

    def __init__(self, manifest: str, content: NDArray[np.uint8]) -> None:
        self.manifest = manifest
        self.content = content

    def fit(self, _rows: Any, _labels: Any) -> Self:
        """Do nothing: the model stays as it is."""
        return self

    @property
    def description(self) -> Manifest:
        """What the model is."""
        return self.scorer.manifest

    @property
    def scorer(self) -> Scorer:
        """The loaded model."""
        if "_scorer" not in self.__dict__:
            manifest = msgspec.json.decode(self.manifest, type=Manifest)
            self._scorer = load_scorer(self.content.tobytes(), manifest)
        return self._scorer

    def __sklearn_clone__(self) -> Self:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __getstate__(self) -> dict[str, Any]:
        return {"manifest": self.manifest, "content": self.content}

    def _answers(self, rows: Any) -> tuple[NDArray[Any], NDArray[Any] | None]:
        try:
            return self.scorer.predict_with_probabilities(self._inputs(rows))
        except SCORING_ERRORS as error:
            raise ValueError(str(error)) from error

    def _inputs(self, rows: Any) -> Inputs:
        if not isinstance(rows, np.ndarray):
            rows = rows.to_pydict()
            values = [np.asarray(column, dtype=np.object_) for column in rows.values()]
        elif rows.dtype != np.object_:
            return rows.astype(np.float32)
        else:
            values = list(rows.T)
        columns = self.description.columns
        return [_as_kind(column.kind, of) for column, of in zip(columns, values, strict=True)]


def _as_kind(kind: ColumnKind, values: NDArray[Any]) -> ColumnValues:
    return values.astype(np.float32) if kind is ColumnKind.NUMBER else values


def _has_probabilities(model: EarlierClassifier) -> bool:
    return model.scorer.has_probabilities


class EarlierClassifier(ClassifierMixin, EarlierModel):  # type: ignore[misc]  # as above
    """A classifier among others: it names classes by their place in order, as the ensemble does to its members."""

    @property
    def classes_(self) -> NDArray[np.int64]:
        """Places of the classes."""
        return np.arange(len(self.description.classes))

    @property
    def order(self) -> NDArray[np.intp]:
        """For each place, which of the model's probabilities is the class's."""
        classes = self.description.classes
        return np.array(sorted(range(len(classes)), key=lambda place: classes[place]), dtype=np.intp)

    def predict(self, rows: Any) -> NDArray[np.int64]:
        """Return the place of each row's class."""
        labels, _ = self._answers(rows)
        places = {label: place for place, label in enumerate(sorted(self.description.classes))}
        return np.array([places[label] for label in labels.tolist()], dtype=np.int64)

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]  # as above
    def predict_proba(self, rows: Any) -> NDArray[np.float64]:
        """Return the probability of each class."""
        _, probabilities = self._answers(rows)
        if probabilities is None:
            raise ValueError("the model gives no probabilities")
        return probabilities[:, self.order].astype(np.float64)


class EarlierRegressor(RegressorMixin, EarlierModel):  # type: ignore[misc]  # as above
    """A regressor among others."""

    def predict(self, rows: Any) -> NDArray[np.float64]:
        """Return the number of each row."""
        return self._answers(rows)[0].astype(np.float64)
