"""Training in epochs: passes over the rows in ever new order, until they no longer help on rows kept apart for it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils.class_weight import compute_class_weight

from evermodel.contract import Column, Epoch, Epochs, LearningCurve, Metric, TrainRun
from evermodel_runtime.data.failure import spec_error
from evermodel_runtime.data.merging import Weights
from evermodel_runtime.data.rows import Labels
from evermodel_runtime.train.age_weights import weighing
from evermodel_runtime.train.pipeline import Learnt, Recipe, Way, make_recipe

Say = Callable[[str], None]
Index = NDArray[np.intp]
SMALLEST_VALIDATION = 20
"""Rows to stop by: with fewer, an epoch would be best by luck."""
SETTLED = {
    "early_stopping": "training stops by spec.training.epochs.patience",
    "max_iter": "spec.training.epochs.max is the number of passes",
    "validation_fraction": "it is spec.training.epochs.validationFraction",
    "n_iter_no_change": "it is spec.training.epochs.patience",
    "warm_start": "each epoch goes on where the last one ended",
}
"""Parameters of the estimator's own loop, and what takes their place."""
LINES = 50
"""Epochs that are printed, about, besides those that were the best so far."""


def check_parameters(run_estimator: str, parameters: dict[str, Any]) -> None:
    """Refuse parameters that epochs leave without a meaning."""
    for name, instead in SETTLED.items():
        if parameters.get(name):
            raise spec_error(f"spec.training.parameters.{name}: with spec.training.epochs, {instead}. Leave it out.")
    if parameters.get("solver") == "lbfgs":
        raise spec_error(
            f"spec.training.parameters.solver: lbfgs looks at all rows at once, so {run_estimator} cannot learn by it "
            "in epochs. Choose adam or sgd, or leave out spec.training.epochs."
        )


def recipe_for(run: TrainRun, columns: tuple[Column, ...], say: Say) -> Recipe:
    """Build the recipe of a run, in epochs where it declares them; raises before anything is fitted."""
    recipe = make_recipe(run, columns)
    if run.epochs is None:
        return recipe
    check_parameters(run.estimator, run.parameters)
    return replace(recipe, way=in_epochs(run.epochs, run.seed, say))


def in_epochs(epochs: Epochs, seed: int, say: Say) -> Way:
    """Return a way to fit a pipeline: its transformers at once, its estimator in epochs."""

    def learn(pipeline: Any, rows: Any, labels: Labels, weights: Weights | None) -> Learnt:
        random = np.random.default_rng(seed)
        learning, validation = _split(labels, epochs.validation_fraction, random)
        learnt_from, judged_by = _rows_of(rows, learning), _rows_of(rows, validation)
        estimator = pipeline.steps[-1][1]
        if len(pipeline.steps) > 1:
            learnt_from = pipeline[:-1].fit_transform(learnt_from, labels[learning])
            judged_by = pipeline[:-1].transform(judged_by)
        fit = _Passes(_weighted(estimator, labels), labels, random)
        best, curve = run_epochs(
            epochs,
            fit,
            _Part(learnt_from, labels[learning], None if weights is None else weights[learning]),
            _Part(judged_by, labels[validation], None if weights is None else weights[validation]),
            say,
        )
        pipeline.steps[-1] = (pipeline.steps[-1][0], best)
        return Learnt(pipeline, curve)

    return learn


def one_pass(seed: int) -> Way:
    """Return a way to fit a pipeline whose estimator is fitted: it goes over the rows once more."""

    def learn(pipeline: Any, rows: Any, labels: Labels, weights: Weights | None) -> Learnt:
        seen = pipeline[:-1].transform(rows) if len(pipeline.steps) > 1 else rows
        passes = _Passes(_weighted(pipeline.steps[-1][1], labels), labels, np.random.default_rng(seed))
        passes.over(_Part(seen, labels, weights))
        return Learnt(pipeline)

    return learn


def once_over(estimator: Any, rows: Any, labels: Labels, seed: int, *, counted: Labels) -> None:
    """Let a fitted estimator learn on from rows, each of them once; balanced weights are those of ``counted``."""
    passes = _Passes(_weighted(estimator, counted), counted, np.random.default_rng(seed))
    passes.over(_Part(rows, labels))


@dataclass(frozen=True, slots=True)
class _Part:
    rows: Any
    labels: Labels
    weights: Weights | None = None


@dataclass(frozen=True, slots=True)
class _Passes:
    """An estimator that goes over rows, and where its chance comes from."""

    estimator: Any
    labels: Labels
    random: np.random.Generator

    def over(self, part: _Part) -> None:
        """Go over the rows once. An MLP takes its batches from them, linear estimators row after row."""
        order = np.arange(len(part.labels))
        if getattr(self.estimator, "shuffle", True):
            self.random.shuffle(order)
        told = is_classifier(self.estimator) and not hasattr(self.estimator, "classes_")
        known = {"classes": np.unique(self.labels)} if told else {}
        weights = None if part.weights is None else part.weights[order]
        self.estimator.partial_fit(part.rows[order], part.labels[order], **known, **weighing(weights))


def run_epochs(
    epochs: Epochs, passes: _Passes, learning: _Part, validation: _Part, say: Say
) -> tuple[Any, LearningCurve]:
    """Go over the rows until it no longer helps; returns the estimator of the best epoch."""
    estimator = passes.estimator
    done: list[Epoch] = []
    best, kept, mark, waited = 0, estimator, -np.inf, 0
    ended = f"all {epochs.max} epochs were run"
    for number in range(1, epochs.max + 1):
        passes.over(learning)
        score = float(estimator.score(validation.rows, validation.labels, sample_weight=validation.weights))
        loss = getattr(estimator, "loss_", None)
        done.append(Epoch(number=number, validation=score, loss=None if loss is None else float(loss)))
        if not best or score > done[best - 1].validation:
            best, kept = number, copy.deepcopy(estimator)
        mark, waited = (score, 0) if score > mark + epochs.min_improvement else (mark, waited + 1)
        if number == best or number % max(1, epochs.max // LINES) == 0:
            say(_line(epochs, done[-1], done[best - 1]))
        if waited >= epochs.patience:
            ended = f"{waited} epochs in a row were no improvement"
            break
    say(f"epochs: {ended}; kept the weights of epoch {best}, validation {done[best - 1].validation:.4f}")
    curve = LearningCurve(
        metric=Metric.ACCURACY if is_classifier(estimator) else Metric.R2,
        epochs=tuple(done),
        best=best,
        learning_rows=len(learning.labels),
        validation_rows=len(validation.labels),
        ended=ended,
    )
    return kept, curve


def _line(epochs: Epochs, epoch: Epoch, best: Epoch) -> str:
    loss = "" if epoch.loss is None else f"loss {epoch.loss:.4f}, "
    return (
        f"epoch {epoch.number} of {epochs.max}: {loss}validation {epoch.validation:.4f} "
        f"(best {best.validation:.4f} in epoch {best.number})"
    )


def _split(labels: Labels, fraction: float, random: np.random.Generator) -> tuple[Index, Index]:
    """Divide rows by chance into those to learn from and those to stop by, each class by the same share."""
    order = random.permutation(len(labels))
    apart = np.zeros(len(labels), dtype=np.bool_)
    strata: Labels = np.zeros(len(labels), dtype=np.int64) if labels.dtype == np.float64 else labels
    for label in np.unique(strata):
        members = order[strata[order] == label]
        apart[members[: int(len(members) * fraction)]] = True
    if apart.sum() < SMALLEST_VALIDATION:
        raise spec_error(
            f"spec.training.epochs.validationFraction: {fraction:g} of {len(labels):,} rows to learn from, whole rows "
            f"of each class, are {int(apart.sum())} to stop by; at least {SMALLEST_VALIDATION} are needed. Raise it, "
            "add rows, or leave out spec.training.epochs."
        )
    return np.flatnonzero(~apart), np.flatnonzero(apart)


def _rows_of(rows: Any, chosen: Index) -> Any:
    return rows[chosen] if isinstance(rows, np.ndarray) else rows.take(chosen)


def _weighted(estimator: Any, labels: Labels) -> Any:
    """Write balanced weights out: scikit-learn refuses the word where it sees only some rows at a time."""
    if getattr(estimator, "class_weight", None) != "balanced":
        return estimator
    classes = np.unique(labels)
    weights = compute_class_weight("balanced", classes=classes, y=labels).tolist()
    return estimator.set_params(class_weight=dict(zip(classes.tolist(), weights, strict=True)))
