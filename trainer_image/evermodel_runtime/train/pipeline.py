"""The scikit-learn pipeline of a run: declared steps, the other columns as they are, the estimator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sklearn.base import clone, is_regressor
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from evermodel.contract import Column, ColumnKind, LearningCurve, PreprocessingStep, Task, TrainRun
from evermodel_runtime.data.failure import spec_error
from evermodel_runtime.data.merging import Weights
from evermodel_runtime.data.rows import FeatureRows, Labels
from evermodel_runtime.train.blocks import fit_by_blocks
from evermodel_runtime.train.class_weights import with_weights_of
from evermodel_runtime.train.ensembles import estimator_of
from evermodel_runtime.train.estimators import has_trees
from evermodel_runtime.train.preprocessing import preprocessing_of

NEGATIVE = "Negative values in data"
OUT_OF_RANGE = "out of the valid range of the loss"
FIT_ERRORS = (ArithmeticError, NotImplementedError, TypeError, ValueError)
"""What scikit-learn raises for parameters that do not go together, or not with the data."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """A fitted pipeline and, where it was trained in epochs, how they went."""

    pipeline: Any
    curve: LearningCurve | None = None


Way = Callable[[Any, Any, Labels, Weights | None], Learnt]
"""Fits a pipeline of its own on rows, as the pipeline takes them, their labels and weights."""


def at_once(pipeline: Any, rows: Any, labels: Labels, weights: Weights | None) -> Learnt:
    """Fit as scikit-learn does, in less memory; ``rows`` are for this fit alone."""
    return Learnt(fit_by_blocks(pipeline, rows, labels, weights))


@dataclass(frozen=True, slots=True)
class Recipe:
    """A pipeline that is not fitted, to be fitted as often as there are choices of data."""

    pipeline: Any
    way: Way = at_once

    def fit(self, rows: FeatureRows, labels: Labels, weights: Weights | None = None) -> Any:
        """Return a fitted copy: see ``learn``."""
        return self.learn(rows, labels, weights).pipeline

    def learn(self, rows: FeatureRows, labels: Labels, weights: Weights | None = None) -> Learnt:
        """Return a fitted copy and how it came about.

        Raises
        ------
        JobError
            SpecInvalid with scikit-learn's words, when these parameters do not go with these data.
        """
        try:
            learnt = self.way(with_weights_of(clone(self.pipeline), labels), table(rows), labels, weights)
            learnt.pipeline.predict(
                table(rows[:1])
            )  # some say only now that there are too few rows for their parameters
        except FIT_ERRORS as error:
            raise spec_error(
                f"scikit-learn could not fit {len(rows):,} rows as spec.training declares (estimator, parameters, "
                f"preprocessing): {error}{_where_negative(rows, str(error))}{_where_too_low(labels, str(error))}"
            ) from error
        return learnt


def _where_negative(rows: FeatureRows, said: str) -> str:
    """Name a column with a negative number, where scikit-learn says only that there is one."""
    if NEGATIVE not in said:
        return ""
    for column, values in zip(rows.columns, rows.values, strict=True):
        if column.kind is ColumnKind.NUMBER and (values < 0).any():
            return (
                f" Column {column.name!r} holds {values[values < 0][0]:.6g}: bring it to 0 and above by a MinMaxScaler "
                "step, leave it out of spec.data.features, or choose another estimator."
            )
    return ""


def _where_too_low(labels: Labels, said: str) -> str:
    """Name a target that a loss is not made for, where scikit-learn says only that there is one."""
    if OUT_OF_RANGE not in said:
        return ""
    return (
        f" The lowest target is {labels.min():.6g}: those of counts and amounts want none below 0, some none at 0. "
        "Choose another estimator or loss, or leave such rows out."
    )


def table(rows: FeatureRows) -> Any:
    """Return rows as the pipeline takes them: float64 of float32 precision, or an Arrow table when there is text.

    The values are rounded to float32, since that is what will be served; the arithmetic of the fit keeps its precision.
    """
    return rows.wide_matrix() if rows.all_numbers else rows.arrow()


def make_recipe(run: TrainRun, columns: tuple[Column, ...]) -> Recipe:
    """Build the pipeline that a run declares; raises before anything is fitted when a parameter is wrong."""
    return recipe_of(estimator_of(run), run.preprocessing, columns, run.seed)


def recipe_of(
    estimator: Any, preprocessing: tuple[PreprocessingStep, ...], columns: tuple[Column, ...], seed: int = 0
) -> Recipe:
    """Put declared steps before an estimator that is not fitted."""
    if not get_tags(estimator).target_tags.single_output:
        raise spec_error(f"{type(estimator).__name__} predicts several targets at once; a ModelDeployment has one.")
    task = Task.REGRESSION if is_regressor(estimator) else Task.CLASSIFICATION
    steps = preprocessing_of(preprocessing, columns, seed=seed, exact=has_trees(estimator), task=task)
    return Recipe(Pipeline([*steps, ("estimator", estimator)]))
