"""What a person should know of the data that a run learns from."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyarrow.types import is_floating, is_integer

from evermodel.contract import WARNING, Metric, Task, TrainRun, label_text
from evermodel_runtime.data.dataset import Dataset
from evermodel_runtime.data.failure import listed, shortened
from evermodel_runtime.data.table import Table
from evermodel_runtime.train.telltale import telltales

LONGEST_NOTE = 240
"""Characters of a note in the report, of which a termination message holds three; the log has them whole."""
LONGEST_NAME = 60
SHOWN = 3
"""Columns with a note each that alone tell the target."""
IMBALANCE = 0.9
"""Share of the largest class above which accuracy says little."""
REMEDY = (
    "Try class_weight: balanced in training.parameters, metric f1 with positiveClass, a constraint on balancedAccuracy."
)
MOST_COMPARED = 5_000
"""Rows in which different numbers are counted."""
LEAST_LEFT = 0.9
"""Share of these that must be different as 32-bit floats too."""
LONGEST_LABEL = 24
"""Characters of a class in a note: what to do must not be cut off."""


def ignored_columns(file: Table, run: TrainRun, dataset: Dataset) -> list[str]:
    """Say which columns are new since the champion was trained: requests do not have them, so they are left out."""
    taken = {run.data.target, run.data.id_column, *(column.name for column in dataset.features.columns)}
    new = [name for name in file.header if name not in taken]
    if run.champion is None or run.data.features or not new:
        return []
    return [
        (
            f"Columns {listed(new)} are new since the champion was trained and are not learnt from, since requests "
            "lack them: name them in spec.data.features to take them up."
        )
    ]


def coarse_columns(file: Table, dataset: Dataset) -> list[str]:
    """Say which columns lose what tells their numbers apart when they are rounded to 32-bit floats, as all are."""
    found = [column.name for column in dataset.features.columns if _is_coarse(file.columns.get(column.name))]
    if not found:
        return []
    names = listed([repr(shortened(name, LONGEST_NAME)) for name in found[:SHOWN]])
    others = f" and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    return [
        (
            f"{WARNING}numbers of {names}{others} differ by less than 32-bit floats tell apart, and are learnt from as "
            "equal. Take a constant off them, or write times as dates."
        )
    ]


def _is_coarse(values: Any) -> bool:
    """Whether fewer different numbers are left of the first rows of a column."""
    if values is None or not (is_integer(values.type) or is_floating(values.type)):
        return False
    wide = values.slice(0, MOST_COMPARED).drop_null().to_numpy().astype(np.float64)
    different = len(np.unique(wide))
    return different > 1 and len(np.unique(wide.astype(np.float32))) < LEAST_LEFT * different


def warnings_of(run: TrainRun, dataset: Dataset) -> list[str]:
    """Say which columns may hold the target, and what the metric hides or cannot measure."""
    told = _telling_columns(dataset)
    if run.task is Task.REGRESSION:
        return told + _zeros_under_mape(run, dataset)
    told += _held_out_classes(dataset)
    return told + (_imbalance(dataset) if run.objective.metric is Metric.ACCURACY else [])


def _telling_columns(dataset: Dataset) -> list[str]:
    """Say which columns alone tell the target: such a model is good here, and blind where the target is not known."""
    learnt = np.flatnonzero(~dataset.reference)
    found = telltales(dataset.features, dataset.hashes, dataset.target.labels, learnt)
    said = [
        f"{WARNING}column {one.column[:LONGEST_NAME]!r} alone tells the target: {one.figure}. If it is made from the "
        "target, or known only after it, leave it out of spec.data.features."
        for one in found[:SHOWN]
    ]
    others = [one.column for one in found[SHOWN:]]
    if others:
        said.append(f"{WARNING}{len(others):,} more columns alone tell the target: {listed(others)}.")
    return said


def _zeros_under_mape(run: TrainRun, dataset: Dataset) -> list[str]:
    zeros = int(np.count_nonzero(dataset.target.labels == 0))
    if run.objective.metric is not Metric.MAPE or not zeros:
        return []
    return [
        (
            f"{WARNING}the target is 0 in {zeros:,} of {len(dataset.target.labels):,} rows, where a relative error is "
            "beyond all bounds, so that mape says nothing. Choose mae or rmse in spec.objective.metric."
        )
    ]


def _held_out_classes(dataset: Dataset) -> list[str]:
    """Say which classes are so rare that all their rows are held out: they are never answered, and always wrong."""
    labels = dataset.target.labels
    unknown = sorted({*labels[dataset.reference].tolist()} - {*labels[~dataset.reference].tolist()})
    if not unknown:
        return []
    names = listed([repr(shortened(label_text(label), LONGEST_LABEL)) for label in unknown[:SHOWN]])
    others = f" and {len(unknown) - SHOWN:,} more" if len(unknown) > SHOWN else ""
    return [
        (
            f"{WARNING}all rows of class {names}{others} are held out, so that it is not learnt and always answered "
            "wrongly. Give it more rows, or remove it."
        )
    ]


def _imbalance(dataset: Dataset) -> list[str]:
    """Say that accuracy hides the smaller classes when nearly all rows are of one."""
    classes, counts = np.unique(dataset.target.labels, return_counts=True)
    share = float(counts.max() / counts.sum())
    if share <= IMBALANCE:
        return []
    largest = label_text(classes[counts.argmax()].item() if classes.dtype != np.object_ else classes[counts.argmax()])
    name = shortened(largest, LONGEST_LABEL)
    return [
        (
            f"{WARNING}{share:.1%} of the labels are {name!r}, so always saying it has an accuracy of "
            f"{share:.3f}. {REMEDY}"
        )
    ]
