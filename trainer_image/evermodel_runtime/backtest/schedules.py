"""What the loop is measured against: never retrain, retrain by the clock, and retrain with a look into the future."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evermodel.contract import TrainRun
from evermodel_runtime.backtest.stream import Stream, StreamRows
from evermodel_runtime.data.rows import Mask
from evermodel_runtime.train.pipeline import make_recipe, table

LONGEST_PERIOD = 1_000
"""Labels between two scheduled retrainings; of a short stream as many as the first rows."""


@dataclass(frozen=True, slots=True)
class Schedules:
    """Right answers of each strategy, row by row after the first ones.

    Attributes
    ----------
    scheduled : array of bool
        Refit at each period on all rows so far, or on as many recent ones as there were first rows: whichever did
        better over the whole stream.
    oracle : array of bool
        Chooses at each period, knowing the labels to come, among the first model and models of all and of recent rows.
    """

    scheduled: Mask
    oracle: Mask


def replay_schedules(stream: Stream, rows: StreamRows, run: TrainRun, static: Mask) -> Schedules:
    """Refit at each period; ``static`` is what the first version got right."""
    recipe = make_recipe(run, rows.features.columns)
    windows = (None, stream.first, stream.first // 2, 2 * stream.first)
    right: list[list[Mask]] = []
    periods = list(stream.batches(min(LONGEST_PERIOD, stream.first)))
    first, *later = periods
    right.append([static[: first.stop - first.start]] * (len(windows) + 1))
    for period in later:
        fitted = [_fit(recipe, rows, period.start, window) for window in windows]
        inputs, truth = table(rows.features[period]), rows.labels[period]
        answers = [np.asarray(pipeline.predict(inputs) == truth) for pipeline in fitted]
        right.append([*answers, static[period.start - stream.first : period.stop - stream.first]])
    of_all, of_recent = (np.concatenate([period[choice] for period in right]) for choice in (0, 1))
    return Schedules(
        scheduled=max(of_all, of_recent, key=np.mean),
        oracle=np.concatenate([max(period, key=np.mean) for period in right]),
    )


def _fit(recipe: Any, rows: StreamRows, until: int, window: int | None) -> Any:
    """Fit on rows whose labels have come: the last ``window`` of them, or all."""
    known = slice(0 if window is None else max(0, until - window), until)
    return recipe.fit(rows.features[known], rows.labels[known])
