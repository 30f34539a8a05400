"""Precision, recall and F1, each the unweighted mean over the classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Texts = NDArray[np.object_]


def macro_metrics(truth: Texts, predicted: Texts) -> dict[str, float]:
    """Return what scikit-learn's ``precision_recall_fscore_support(average="macro", zero_division=0)`` returns.

    Written out, since importing scikit-learn takes longer than everything else that an evaluation does.
    """
    classes = np.unique(np.concatenate([truth, predicted]))
    per_class = [_of_class(truth == label, predicted == label) for label in classes]
    precision, recall, f1 = np.mean(per_class, axis=0).tolist()
    return {"precision": precision, "recall": recall, "f1": f1}


def _of_class(truly: NDArray[np.bool_], said: NDArray[np.bool_]) -> tuple[float, float, float]:
    hits = int((truly & said).sum())
    precision = hits / int(said.sum()) if said.any() else 0.0
    recall = hits / int(truly.sum()) if truly.any() else 0.0
    return precision, recall, 2 * hits / (int(truly.sum()) + int(said.sum()))
