"""What a retraining after an alarm fits: the champion's own recipe, one with other parameters, or several together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

import msgspec

from evermodel.contract import (
    Ensemble,
    EnsembleType,
    Manifest,
    Member,
    PreprocessingStep,
    Search,
    Strategy,
    Task,
    TrainRun,
)

FOLDS = 3
"""Of the search of a Tune where none is declared."""
_LINEAR: Mapping[str, Sequence[Any]] = {"C": [0.01, 0.1, 1.0, 10.0, 100.0]}
_RIDGE: Mapping[str, Sequence[Any]] = {"alpha": [0.01, 0.1, 1.0, 10.0, 100.0]}
_SPARSE: Mapping[str, Sequence[Any]] = {"alpha": [0.001, 0.01, 0.1, 1.0, 10.0]}
_GRADIENT: Mapping[str, Sequence[Any]] = {"alpha": [1e-5, 1e-4, 1e-3, 1e-2]}
_TREE: Mapping[str, Sequence[Any]] = {"max_depth": [3, 6, 12, None], "min_samples_leaf": [1, 5]}
_FOREST: Mapping[str, Sequence[Any]] = {"min_samples_leaf": [1, 3, 10], "max_features": ["sqrt", 0.5]}
_BOOSTING: Mapping[str, Sequence[Any]] = {"learning_rate": [0.03, 0.1, 0.3], "max_depth": [2, 3, 5]}
_HISTOGRAMS: Mapping[str, Sequence[Any]] = {"learning_rate": [0.03, 0.1, 0.3], "max_leaf_nodes": [15, 31, 63]}
_STUMPS: Mapping[str, Sequence[Any]] = {"learning_rate": [0.1, 0.5, 1.0], "n_estimators": [50, 200]}
_KERNEL: Mapping[str, Sequence[Any]] = {"C": [0.1, 1.0, 10.0, 100.0], "gamma": ["scale", 0.01]}
_NEIGHBORS: Mapping[str, Sequence[Any]] = {"n_neighbors": [3, 5, 11, 25], "weights": ["uniform", "distance"]}
_LAYERS: Mapping[str, Sequence[Any]] = {"alpha": [1e-4, 1e-2, 1.0], "learning_rate_init": [0.001, 0.01]}
_SMOOTHING: Mapping[str, Sequence[Any]] = {"alpha": [0.01, 0.1, 1.0, 10.0]}
GRIDS: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "AdaBoostClassifier": _STUMPS,
    "AdaBoostRegressor": _STUMPS,
    "BernoulliNB": _SMOOTHING,
    "CategoricalNB": _SMOOTHING,
    "ComplementNB": _SMOOTHING,
    "DecisionTreeClassifier": _TREE,
    "DecisionTreeRegressor": _TREE,
    "ElasticNet": {**_SPARSE, "l1_ratio": [0.2, 0.8]},
    "ExtraTreeClassifier": _TREE,
    "ExtraTreeRegressor": _TREE,
    "ExtraTreesClassifier": _FOREST,
    "ExtraTreesRegressor": _FOREST,
    "GaussianNB": {"var_smoothing": [1e-9, 1e-7, 1e-5, 1e-3, 1e-1]},
    "GradientBoostingClassifier": _BOOSTING,
    "GradientBoostingRegressor": _BOOSTING,
    "HistGradientBoostingClassifier": _HISTOGRAMS,
    "HistGradientBoostingRegressor": _HISTOGRAMS,
    "KNeighborsClassifier": _NEIGHBORS,
    "KNeighborsRegressor": _NEIGHBORS,
    "Lasso": _SPARSE,
    "LinearSVC": _LINEAR,
    "LinearSVR": _LINEAR,
    "LogisticRegression": _LINEAR,
    "MLPClassifier": _LAYERS,
    "MLPRegressor": _LAYERS,
    "MultinomialNB": _SMOOTHING,
    "Perceptron": _GRADIENT,
    "RandomForestClassifier": _FOREST,
    "RandomForestRegressor": _FOREST,
    "Ridge": _RIDGE,
    "RidgeClassifier": _RIDGE,
    "SGDClassifier": _GRADIENT,
    "SGDRegressor": _GRADIENT,
    "SVC": _KERNEL,
    "SVR": _KERNEL,
}
"""What a Tune tries where no search is declared: the parameters that say how closely a model follows its rows."""
_SCALED = (PreprocessingStep(transformer="StandardScaler", columns=("*",)),)
BESIDE: Mapping[Task, tuple[Member, ...]] = {
    Task.CLASSIFICATION: (
        Member(name="boosting", estimator="HistGradientBoostingClassifier"),
        Member(name="linear", estimator="LogisticRegression", parameters={"max_iter": 1000}, preprocessing=_SCALED),
    ),
    Task.REGRESSION: (
        Member(name="boosting", estimator="HistGradientBoostingRegressor"),
        Member(name="linear", estimator="Ridge", preprocessing=_SCALED),
    ),
}
"""Who votes beside the champion's estimator: what follows thresholds, and what follows directions."""


def with_strategy(run: TrainRun, champion: Manifest | None) -> tuple[TrainRun, list[str]]:
    """Return the run as its strategy changes it, and what a person should know of that.

    ``champion`` is known only where it was declared as the run is.
    """
    match run.strategy:
        case None:
            return run, []
        case Strategy.REFIT:
            return _refitted(run, champion), []
        case Strategy.TUNE:
            return _tuned(_with_parameters_of(run, champion))
        case Strategy.ENSEMBLE:
            return _joined(_with_parameters_of(run, champion))
        case _:
            assert_never(run.strategy)


def _refitted(run: TrainRun, champion: Manifest | None) -> TrainRun:
    """Fit what the champion is, with the parameters that were found for it: none are searched for."""
    if champion is None:
        return run
    if champion.ensemble is not None and run.ensemble is None:  # an earlier attempt made it
        run = _anew(msgspec.structs.replace(run, estimator=champion.estimator, parameters={}, epochs=None))
    if not _is_of(run, champion):
        return run
    return msgspec.structs.replace(_with_parameters_of(run, champion), search=None)


def _with_parameters_of(run: TrainRun, champion: Manifest | None) -> TrainRun:
    """Begin where the champion is, when it is of this estimator."""
    if champion is None or not _is_of(run, champion):
        return run
    return msgspec.structs.replace(
        run,
        parameters=champion.parameters,
        ensemble=champion.ensemble,
        preprocessing=champion.preprocessing if run.preprocessing else (),  # default steps are those of today's rows
    )


def _is_of(run: TrainRun, champion: Manifest) -> bool:
    """Tell whether the champion is what the run declares; one that was brought from elsewhere lacks its parameters."""
    return champion.estimator == run.estimator and run.parameters.keys() <= champion.parameters.keys()


def _anew(run: TrainRun) -> TrainRun:
    return msgspec.structs.replace(run, warm_start=None)


def _tuned(run: TrainRun) -> tuple[TrainRun, list[str]]:
    if run.search is not None:
        return run, []
    grid = GRIDS.get(run.estimator)
    if grid is None:
        return run, [
            (
                f"Tune knows no parameters to try for {run.estimator}, so it was fitted as it is: declare them in "
                "spec.training.search."
            )
        ]
    tried = ", ".join(f"{name} {list(values)}" for name, values in grid.items())
    search = Search(parameters={name: list(values) for name, values in grid.items()}, folds=FOLDS)
    return msgspec.structs.replace(_anew(run), search=search), [f"No search is declared: Tune tried {tried}."]


def _joined(run: TrainRun) -> tuple[TrainRun, list[str]]:
    """Let the champion's estimator, or its members, vote with others on the same rows."""
    own = (
        (Member(name="champion", estimator=run.estimator, parameters=run.parameters),)
        if run.ensemble is None
        else run.ensemble.members
    )
    there = {member.estimator for member in own}
    members = (*own, *(member for member in BESIDE[run.task] if member.estimator not in there))
    joined = msgspec.structs.replace(
        run,
        estimator="VotingRegressor" if run.task is Task.REGRESSION else "VotingClassifier",
        parameters={},
        ensemble=Ensemble(type=EnsembleType.VOTING, members=members),
        search=None,
        epochs=None,
    )
    return _anew(joined), [f"A vote of {', '.join(member.what for member in members)}."]
