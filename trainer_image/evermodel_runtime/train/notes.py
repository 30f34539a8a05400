"""What a person should know of the data that a run learns from."""

from __future__ import annotations

import numpy as np

from evermodel.contract import WARNING, Metric, Task, TrainRun, label_text
from evermodel_runtime.data.dataset import Dataset
from evermodel_runtime.data.failure import listed
from evermodel_runtime.data.table import Table

LONGEST_NOTE = 240
"""Characters of a note in the report, of which a termination message holds three; the log has them whole."""
IMBALANCE = 0.9
"""Share of the largest class above which accuracy says little."""
REMEDY = (
    "Try class_weight: balanced in training.parameters, metric f1 with positiveClass, a constraint on balancedAccuracy."
)
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


def warnings_of(run: TrainRun, dataset: Dataset) -> list[str]:
    """Say what the metric hides or cannot measure."""
    if run.task is Task.REGRESSION:
        return _zeros_under_mape(run, dataset)
    return _imbalance(dataset) if run.objective.metric is Metric.ACCURACY else []


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


def _imbalance(dataset: Dataset) -> list[str]:
    """Say that accuracy hides the smaller classes when nearly all rows are of one."""
    classes, counts = np.unique(dataset.target.labels, return_counts=True)
    share = float(counts.max() / counts.sum())
    if share <= IMBALANCE:
        return []
    largest = label_text(classes[counts.argmax()].item() if classes.dtype != np.object_ else classes[counts.argmax()])
    return [
        (
            f"{WARNING}{share:.1%} of the labels are {_shortened(largest)!r}, so always saying it has an accuracy of "
            f"{share:.3f}. {REMEDY}"
        )
    ]


def _shortened(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"
