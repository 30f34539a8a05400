"""How a model is made from another one: it learns on, gets more trees or wider layers, or lends its features."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from evermodel.contract import FailureReason, TrainRun, WarmStartMode
from evermodel_runtime.data.failure import JobError, spec_error
from evermodel_runtime.data.merging import Weights
from evermodel_runtime.data.rows import Labels
from evermodel_runtime.train import growing
from evermodel_runtime.train.age_weights import weighing
from evermodel_runtime.train.base import PLACE, Base, CannotStartError
from evermodel_runtime.train.class_weights import by_text, with_weights_of
from evermodel_runtime.train.epochs import check_parameters, in_epochs, one_pass
from evermodel_runtime.train.estimators import make_estimator
from evermodel_runtime.train.hidden_layers import HiddenLayers
from evermodel_runtime.train.pipeline import Learnt, Recipe, Way

Say = Callable[[str], None]
STRUCTURE = ("activation", "average", "binarize", "fit_intercept", "hidden_layer_sizes", "loss", "norm")
"""Parameters that say what the weights mean; others may change when a model learns on."""
PACE = frozenset(
    {"beta_1", "beta_2", "epsilon", "learning_rate", "learning_rate_init", "momentum", "nesterovs_momentum", "power_t"}
) | {"solver"}
"""Parameters that an optimiser keeps for itself."""
WITHOUT_MEANING = frozenset({"n_jobs", "random_state", "verbose", "warm_start"})
"""Parameters that do not say what a forest is."""
SAME = 1e-6
"""Largest change of a probability, or share of the largest answer, by being made larger."""
COMPARED = 1000
"""Rows on which that is looked at."""


def recipe_from(base: Base, run: TrainRun, say: Say) -> Recipe:
    """Return how a model is made from another one.

    Raises
    ------
    CannotStartError
        When the declared parameters are for a model of another shape.
    """
    if run.warm_start is None:
        raise ValueError("the run declares no warm start")
    if run.epochs is not None:
        check_parameters(run.estimator, run.parameters)
    match run.warm_start.mode:
        case WarmStartMode.CONTINUE:
            return Recipe(base.pipeline, _learning_on(base, continued(base, run), run, say))
        case WarmStartMode.FEATURES:
            head = make_estimator(run.estimator, run.parameters, run.seed, task=run.task)
            features = Pipeline(features_of(base))
            return Recipe(Pipeline([("features", FrozenEstimator(features)), ("estimator", head)]), _lent(run, say))
        case WarmStartMode.GROW if hasattr(base.estimator, "coefs_"):
            return Recipe(base.pipeline, _learning_on(base, widened(base, run), run, say))
        case WarmStartMode.GROW:
            return Recipe(base.pipeline, _with_more_trees(base, more_trees(base, run)))


def continued(base: Base, run: TrainRun) -> Any:
    """Return the estimator with the declared parameters, as far as they may change."""
    return _set(base, run, STRUCTURE)


def widened(base: Base, run: TrainRun) -> Any:
    """Return the perceptron with the declared layers."""
    before = growing.widths(base.estimator.hidden_layer_sizes)
    after = growing.widths(make_estimator(run.estimator, run.parameters, run.seed, task=run.task).hidden_layer_sizes)
    if len(before) != len(after) or after == before or any(b > a for b, a in zip(before, after, strict=True)):
        raise CannotStartError(f"its hidden layers are {before}: {after} is not the same number of layers, and wider")
    estimator = _set(base, run, [name for name in STRUCTURE if name != "hidden_layer_sizes"])
    growing.widen(estimator, after, np.random.default_rng(run.seed))
    return estimator


def more_trees(base: Base, run: TrainRun) -> int:
    """Return how many trees there are to be."""
    declared = make_estimator(run.estimator, run.parameters, run.seed, task=run.task).get_params(deep=False)
    own = base.estimator.get_params(deep=False)
    for name in sorted(declared.keys() - WITHOUT_MEANING - {"n_estimators"}):
        if by_text(declared[name]) != by_text(own.get(name)):
            raise CannotStartError(
                f"its {name} is {own.get(name)!r} and {declared[name]!r} is declared: only trees grow"
            )
    there = len(base.estimator.estimators_)
    if declared["n_estimators"] <= there:
        raise CannotStartError(f"it has {there} trees, and n_estimators is {declared['n_estimators']}")
    return int(declared["n_estimators"])


def features_of(base: Base) -> list[tuple[str, Any]]:
    """Return the steps that make features: transformers and, of a perceptron, the hidden layers."""
    steps = list(base.pipeline.steps[:-1])
    if hasattr(base.estimator, "coefs_"):
        steps.append((f"hidden_{len(steps)}", HiddenLayers.of(base.estimator)))
    if not steps:
        raise CannotStartError("it has neither transformers nor hidden layers, so its features are the columns")
    return steps


def _set(base: Base, run: TrainRun, structure: tuple[str, ...] | list[str]) -> Any:
    estimator = copy.deepcopy(base.estimator)
    declared = make_estimator(run.estimator, run.parameters, run.seed, task=run.task).get_params(deep=False)
    own = estimator.get_params(deep=False)
    for name in structure:
        if name in own and _plain(declared[name]) != _plain(own[name]):
            raise CannotStartError(f"its {name} is {own[name]!r} and {declared[name]!r} is declared")
    if any(_plain(declared[name]) != _plain(own[name]) for name in PACE & own.keys()):
        growing.forget_steps(estimator)
    kept = set(STRUCTURE)
    return estimator.set_params(**{name: value for name, value in declared.items() if name not in kept})


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else [value] if np.isscalar(value) else value


def _learning_on(base: Base, estimator: Any, run: TrainRun, say: Say) -> Way:
    """Return a way to fit that goes on with an estimator, its transformers as they are."""
    way = one_pass(run.seed) if run.epochs is None else in_epochs(run.epochs, run.seed, say)
    steps = base.pipeline.steps[:-1]

    def learn(_pipeline: Any, rows: Any, labels: Labels, weights: Weights | None) -> Learnt:
        own = copy.deepcopy(estimator)
        _require_same_answers(base, own, base.pipeline[:-1].transform(rows[:COMPARED]) if steps else rows[:COMPARED])
        frozen = [("features", FrozenEstimator(Pipeline(steps)))] if steps else []
        learnt = way(with_weights_of(Pipeline([*frozen, ("estimator", own)]), labels), rows, labels, weights)
        return _thawed(learnt)

    return learn


def _require_same_answers(base: Base, estimator: Any, rows: Any) -> None:
    if is_classifier(estimator) and not hasattr(estimator, "predict_proba"):
        differ = bool(np.any(base.estimator.predict(rows) != estimator.predict(rows)))
    else:
        ask = "predict_proba" if is_classifier(estimator) else "predict"
        before, after = getattr(base.estimator, ask)(rows), getattr(estimator, ask)(rows)
        differ = growing.largest_change(before, after) > SAME * max(1.0, float(np.abs(before).max()))
    if differ:
        raise JobError(
            FailureReason.PARITY_FAILED,
            f"{PLACE}: the model that training was to start from does not answer as the one that it was made from. "
            "Leave out spec.training.warmStart, and report this.",
        )


def _with_more_trees(base: Base, trees: int) -> Way:
    def learn(_pipeline: Any, rows: Any, labels: Labels, weights: Weights | None) -> Learnt:
        pipeline = copy.deepcopy(base.pipeline)
        estimator = pipeline.steps[-1][1]
        if is_classifier(estimator) and set(np.unique(labels).tolist()) != set(estimator.classes_.tolist()):
            raise spec_error(f"{PLACE}: trees can only be added with rows of all classes.")
        features = pipeline[:-1].transform(rows) if len(pipeline.steps) > 1 else rows
        estimator.set_params(warm_start=True, n_estimators=trees).fit(features, labels, **weighing(weights))
        estimator.set_params(warm_start=False)
        return Learnt(pipeline)

    return learn


def _lent(run: TrainRun, say: Say) -> Way:
    def learn(pipeline: Any, rows: Any, labels: Labels, weights: Weights | None) -> Learnt:
        if run.epochs is not None:
            return _thawed(in_epochs(run.epochs, run.seed, say)(pipeline, rows, labels, weights))
        weighted = {f"estimator__{name}": values for name, values in weighing(weights).items()}
        return _thawed(Learnt(pipeline.fit(rows, labels, **weighted)))

    return learn


def _thawed(learnt: Learnt) -> Learnt:
    """Put the steps in the place of the frozen one, as they would be without a warm start."""
    first = learnt.pipeline.steps[0][1]
    if not isinstance(first, FrozenEstimator):
        return learnt
    return Learnt(Pipeline([*first.estimator.steps, learnt.pipeline.steps[-1]]), learnt.curve)
