"""Start a training from a model that there is: it learns on, is made larger, or lends its features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from evermodel.contract import WARNING, TrainRun, WarmStartMode
from evermodel_runtime.artifacts.job import Surroundings
from evermodel_runtime.data.cases import hashes_of_records
from evermodel_runtime.data.dataset import TrainingPart
from evermodel_runtime.train.base import (
    Base,
    CannotStartError,
    check_columns,
    check_estimator,
    check_steps,
    find_base,
    unfit,
)
from evermodel_runtime.train.pipeline import Recipe
from evermodel_runtime.train.taking_over import recipe_from
from evermodel_runtime.train.windows import LabelledRows

Say = Callable[[str], None]
COUNTING = frozenset({"BernoulliNB", "ComplementNB", "GaussianNB", "MultinomialNB"})
"""Estimators that count rows: one that they have counted must not be counted again."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a training starts, or why it starts from nothing.

    Attributes
    ----------
    part, feedback : TrainingPart, LabelledRows
        What there is to learn from.
    """

    run: TrainRun
    base: Base | None
    part: TrainingPart
    feedback: LabelledRows
    note: str

    def recipe(self, say: Say) -> Recipe | None:
        """Return how the model is made; None from nothing."""
        return None if self.base is None else recipe_from(self.base, self.run, say)


def find_start(
    run: TrainRun, declared: TrainRun, part: TrainingPart, feedback: LabelledRows, surroundings: Surroundings
) -> Start:
    """Fetch and check the model that a run starts from.

    Parameters
    ----------
    run : TrainRun
        With the default steps, where none are declared.
    declared : TrainRun
        Without them.
    """
    warm = run.warm_start
    if warm is None:
        raise ValueError("the run declares no warm start")
    if warm.champion is None and warm.uri is None:
        return Start(run, None, part, feedback, "There is no champion yet: later versions start from it.")
    try:
        base = find_base(warm, surroundings)
        check_columns(base, part.features.columns)
        if warm.mode is not WarmStartMode.FEATURES:
            check_estimator(base, run, np.concatenate([part.target.labels, feedback.labels]))
            if declared.preprocessing:
                check_steps(base, declared)
        if warm.mode is WarmStartMode.CONTINUE:
            part, feedback = _uncounted(base, part, feedback)
        recipe_from(base, run, lambda _: None)
    except CannotStartError as obstacle:
        return Start(run, None, part, feedback, unfit(obstacle, warm))
    steps = () if base.manifest is None else base.manifest.preprocessing
    return Start(msgspec.structs.replace(run, preprocessing=steps), base, part, feedback, _told(base, warm.mode))


def _told(base: Base, mode: WarmStartMode) -> str:
    what = {
        WarmStartMode.CONTINUE: "Learns on from",
        WarmStartMode.GROW: "Grows from",
        WarmStartMode.FEATURES: "Takes the features of",
    }[mode]
    if base.manifest is None:
        return (
            f"{WARNING}{what.lower()} an archive that was made elsewhere, perhaps from rows that are held out here: "
            "its score on them may be too good. Labels of production tell."
        )
    return f"{what} version {base.manifest.version} of {base.manifest.model}, its transformers as they are."


def _uncounted(base: Base, part: TrainingPart, feedback: LabelledRows) -> tuple[TrainingPart, LabelledRows]:
    """Leave out what a model that counts has counted; others go through it again, or they would forget it."""
    if type(base.estimator).__name__ not in COUNTING:
        return part, feedback
    new = ~np.isin(part.hashes, base.seen)
    new_feedback = ~np.isin(hashes_of_records(feedback.rows, repeated=part.repeated), base.seen)
    if not new.any() and not new_feedback.any():
        raise CannotStartError("there is no row that it has not counted")
    target = type(part.target)(part.target.labels[new])
    return (
        replace(part, features=part.features[new], target=target, hashes=part.hashes[new]),
        feedback[new_feedback],
    )
