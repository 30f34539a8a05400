"""The class that an objective is about must be one that can be learnt and measured."""

from __future__ import annotations

import numpy as np

from evermodel.contract import DataSource, Measure
from evermodel_runtime.data.dataset import Dataset
from evermodel_runtime.data.failure import data_error, did_you_mean, listed, spec_error
from evermodel_runtime.data.labels import as_texts


def require_positive_class(objective: Measure, source: DataSource, dataset: Dataset) -> None:
    """Refuse a source that lacks the objective's class, among its held-out rows or the others.

    Raises
    ------
    JobError
        SpecInvalid: there is no such class. DataInvalid: it is held out nowhere, or everywhere.
    """
    name = objective.positive_class
    if name is None:
        return
    labels = as_texts(dataset.target.labels.tolist())
    of_it = labels == name
    if not of_it.any():
        classes = as_texts(np.unique(dataset.target.labels).tolist()).tolist()
        raise spec_error(
            f"spec.objective.positiveClass is {name!r}, which no row of {source.uri} is: the classes in its target "
            f"{source.target!r} are {listed([repr(one) for one in classes])}.{did_you_mean(name, classes)}"
        )
    rows, held_out = int(of_it.sum()), int((of_it & dataset.reference).sum())
    found = f"{rows:,} of {len(labels):,} rows of {source.uri} are of class {name!r}, spec.objective.positiveClass"
    if held_out == 0:
        raise data_error(
            f"{found}, and none of them is held out, so that its {objective.metric} cannot be measured. Add rows of "
            "this class, or raise spec.data.holdout.fraction."
        )
    if held_out == rows:
        raise data_error(
            f"{found}, and all of them are held out, so that it cannot be learnt. Add rows of this class, or lower "
            "spec.data.holdout.fraction."
        )
