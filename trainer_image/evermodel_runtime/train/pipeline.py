"""The scikit-learn pipeline of a run: declared steps, the other columns as they are, the estimator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from evermodel.contract import Column, ColumnKind, PreprocessingStep, TrainRun
from evermodel_runtime.data.failure import spec_error
from evermodel_runtime.data.rows import FeatureRows, Labels
from evermodel_runtime.train.estimators import TREES, make_estimator, make_transformer


@dataclass(frozen=True, slots=True)
class Recipe:
    """A pipeline that is not fitted, to be fitted as often as there are choices of data."""

    pipeline: Any

    def fit(self, rows: FeatureRows, labels: Labels) -> Any:
        """Return a fitted copy.

        Raises
        ------
        JobError
            SpecInvalid with scikit-learn's words, when these parameters do not go with these data.
        """
        try:
            fitted = clone(self.pipeline).fit(table(rows), labels)
            fitted.predict(table(rows[:1]))  # some say only now that there are too few rows for their parameters
        except (ValueError, TypeError) as error:
            raise spec_error(f"scikit-learn could not fit {len(rows):,} rows with these parameters: {error}") from error
        return fitted


def table(rows: FeatureRows) -> Any:
    """Return rows as the pipeline takes them: float64 of float32 precision, or objects when there is text.

    The values are rounded to float32, since that is what will be served; the arithmetic of the fit keeps its precision.
    """
    return rows.wide_matrix() if rows.all_numbers else rows.mixed()


def make_recipe(run: TrainRun, columns: tuple[Column, ...]) -> Recipe:
    """Build the pipeline that a run declares; raises before anything is fitted when a parameter is wrong."""
    return recipe_of(make_estimator(run.estimator, run.parameters, run.seed), run.preprocessing, columns)


def recipe_of(estimator: Any, preprocessing: tuple[PreprocessingStep, ...], columns: tuple[Column, ...]) -> Recipe:
    """Put declared steps before an estimator that is not fitted."""
    if not get_tags(estimator).target_tags.single_output:
        raise spec_error(f"{type(estimator).__name__} predicts several targets at once; a ModelDeployment has one.")
    steps = [_step(index, step, columns, estimator) for index, step in enumerate(preprocessing)]
    spread = ColumnTransformer(steps, remainder="passthrough", sparse_threshold=0)
    return Recipe(Pipeline([("columns", spread), ("estimator", estimator)]))


def has_trees(estimator: Any) -> bool:
    """Whether an estimator, or one in it, compares values with thresholds: the last bit of a value can decide then."""
    if type(estimator).__name__ in TREES:
        return True
    return any(has_trees(part) for part in estimator.get_params().values() if hasattr(part, "fit"))


def _step(
    index: int, step: PreprocessingStep, columns: tuple[Column, ...], estimator: Any
) -> tuple[str, Any, list[int]]:
    place = {column.name: position for position, column in enumerate(columns)}
    transformer = make_transformer(step.transformer, step.parameters, index)
    if step.transformer == "StandardScaler":
        _refuse_text(index, step, columns)
        if has_trees(estimator):
            transformer = _in_double_precision(transformer)
    return f"step_{index}", transformer, [place[name] for name in step.columns]


def _refuse_text(index: int, step: PreprocessingStep, columns: tuple[Column, ...]) -> None:
    texts = [c.name for c in columns if c.name in step.columns and c.kind is ColumnKind.TEXT]
    if texts:
        raise spec_error(
            f"spec.training.preprocessing[{index}]: StandardScaler cannot scale {texts[0]!r}, which is text."
        )


def _in_double_precision(scaler: Any) -> Any:
    """Scale in float64 in the exported model too, then round.

    Scaled in float32, a value can land on the other side of a tree's threshold: one row in a few hundred got another
    probability.
    """
    from skl2onnx.sklapi import CastTransformer  # noqa: PLC0415 - half a second that few runs need

    double, single = CastTransformer(dtype=np.float64), CastTransformer(dtype=np.float32)
    return Pipeline([("double", double), ("scale", scaler), ("single", single)])
