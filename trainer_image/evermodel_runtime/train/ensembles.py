"""Estimators made of declared members: what may be declared is checked before anything is fitted."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, assert_never

import msgspec
from sklearn.pipeline import Pipeline

from evermodel.contract import Column, ColumnKind, Ensemble, EnsembleType, Member, Task, TrainRun, Vote
from evermodel_runtime.data.failure import JobError, spec_error
from evermodel_runtime.train.estimators import check_parameters, has_trees, make_estimator
from evermodel_runtime.train.preprocessing import preprocessing_of

PLACE = "spec.training.ensemble"
FINAL = "final"
"""What a search calls the final estimator of a Stacking."""
PARAMETERS: Mapping[EnsembleType, frozenset[str]] = {
    EnsembleType.VOTING: frozenset(),
    EnsembleType.STACKING: frozenset({"passthrough", "stack_method"}),
    EnsembleType.BAGGING: frozenset(
        {"bootstrap", "bootstrap_features", "max_features", "max_samples", "n_estimators", "oob_score"}
    ),
}
"""Constructor parameters that no field of the ensemble is about."""
_MATRIX = (Column(name="matrix", kind=ColumnKind.NUMBER),)
"""What a member's own steps transform: all that the steps before the ensemble made, whatever it is."""


def estimator_of(run: TrainRun, earlier: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """Return the estimator of a run, one or made of members, that is not fitted.

    Parameters
    ----------
    earlier : mapping
        Members that were trained before, by name.

    Raises
    ------
    JobError
        SpecInvalid with the field, the value and what may stand there.
    """
    if run.ensemble is None:
        return make_estimator(run.estimator, run.parameters, run.seed, task=run.task)
    return _make_ensemble(run, run.ensemble, earlier)


def with_member_parameter(ensemble: Ensemble, name: str, parameter: str, value: Any) -> Ensemble | None:
    """Return an ensemble with another value of a member's parameter; None when it has no such member."""
    if name == FINAL and ensemble.final_estimator is not None:
        return msgspec.structs.replace(ensemble, final_estimator=_with(ensemble.final_estimator, parameter, value))
    if name not in {member.name for member in ensemble.members}:
        return None
    members = tuple(_with(member, parameter, value) if member.name == name else member for member in ensemble.members)
    return msgspec.structs.replace(ensemble, members=members)


def _with(member: Member, parameter: str, value: Any) -> Member:
    return msgspec.structs.replace(member, parameters=member.parameters | {parameter: value})


def _make_ensemble(run: TrainRun, ensemble: Ensemble, earlier: Mapping[str, Any]) -> Any:
    kind = getattr(importlib.import_module("sklearn.ensemble"), run.estimator)
    members = [
        (member.name, earlier.get(member.name) or _make_member(member, f"{PLACE}.members[{index}]", run))
        for index, member in enumerate(ensemble.members)
    ]
    match ensemble.type:
        case EnsembleType.VOTING:
            how = {"voting": _vote(ensemble, members).value} if run.task is Task.CLASSIFICATION else {}
            made = kind(members, weights=list(ensemble.weights) or None, **how)
        case EnsembleType.STACKING:
            made = kind(members, cv=ensemble.folds, final_estimator=_final(ensemble, run))
        case EnsembleType.BAGGING:
            made = kind(members[0][1], random_state=run.seed)
        case _:
            assert_never(ensemble.type)
    return check_parameters(
        made, ensemble.parameters, f"{PLACE}.parameters", PARAMETERS[ensemble.type] & made.get_params(deep=False).keys()
    )


def _make_member(member: Member, place: str, run: TrainRun) -> Any:
    estimator = make_estimator(member.estimator, member.parameters, run.seed, place=place, task=run.task)
    if not member.preprocessing:
        return estimator
    try:
        steps = preprocessing_of(member.preprocessing, _MATRIX, seed=run.seed, exact=has_trees(estimator))
    except JobError as error:
        raise spec_error(error.message.replace("spec.training.preprocessing", f"{place}.preprocessing")) from error
    return Pipeline([*steps, ("estimator", estimator)])


def _final(ensemble: Ensemble, run: TrainRun) -> Any | None:
    final = ensemble.final_estimator
    if final is None:
        return None
    return make_estimator(final.estimator, final.parameters, run.seed, place=f"{PLACE}.finalEstimator", task=run.task)


def _vote(ensemble: Ensemble, members: list[tuple[str, Any]]) -> Vote:
    """Return how the members vote: hard where one of them does not know probabilities and nothing is declared."""
    without = [index for index, (_, made) in enumerate(members) if not hasattr(made, "predict_proba")]
    if ensemble.voting is Vote.SOFT and without:
        raise spec_error(
            f"{PLACE}.members[{without[0]}]: {ensemble.members[without[0]].what} gives no probabilities, which a "
            f"soft vote adds up. Set {PLACE}.voting to hard, or choose another estimator."
        )
    return ensemble.voting or (Vote.HARD if without else Vote.SOFT)
