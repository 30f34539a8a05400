"""What a training Job is to fit, from what a ModelDeployment declares."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from evermodel.api import modeldeployment as declared
from evermodel.contract import Ensemble, Member, PreprocessingStep, Search, Task

EVERYTHING = ("*",)
"""Columns of a member's own steps."""


def estimator_name(training: declared.Training, task: Task) -> str:
    """Return the class of what is fitted; empty where nothing is declared, which the API server refuses."""
    if training.ensemble is not None:
        return f"{training.ensemble.type.value}{'Regressor' if task is Task.REGRESSION else 'Classifier'}"
    return "" if training.estimator is None else training.estimator.value


def steps(training: declared.Training) -> tuple[PreprocessingStep, ...]:
    """Return the declared steps before the estimator."""
    return tuple(
        PreprocessingStep(transformer=step.transformer.value, columns=step.columns, parameters=step.parameters)
        for step in training.preprocessing
    )


def ensemble(training: declared.Training, manifests: Mapping[int | str, str]) -> Ensemble | None:
    """Return what the estimator is made of, where it is made of others; ``manifests`` are those of earlier versions."""
    made = training.ensemble
    if made is None:
        return None
    return Ensemble(
        type=made.type,
        members=tuple(_member(one, manifests) for one in made.members),
        voting=made.voting,
        weights=made.weights,
        final_estimator=None if made.final_estimator is None else _final(made.final_estimator),
        folds=made.folds,
        parameters=made.parameters,
    )


def search(training: declared.Training) -> Search | None:
    """Return which parameters to find."""
    return None if training.search is None else Search(**msgspec.structs.asdict(training.search))


def _member(one: declared.Member, manifests: Mapping[int | str, str]) -> Member:
    if one.version is not None:
        number = one.version if isinstance(one.version, int) else None
        return Member(name=one.name, version=number, manifest=manifests.get(one.version))
    return Member(
        name=one.name,
        estimator="" if one.estimator is None else one.estimator.value,
        parameters=one.parameters,
        preprocessing=tuple(
            PreprocessingStep(transformer=step.transformer.value, columns=EVERYTHING, parameters=step.parameters)
            for step in one.preprocessing
        ),
    )


def _final(one: declared.FinalEstimator) -> Member:
    return Member(name="final", estimator=one.estimator.value, parameters=one.parameters)
