"""Members of an ensemble that were trained before: fetched, and checked against what is to be trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from sklearn.pipeline import Pipeline

from evermodel.contract import WARNING, Column, Ensemble, EnsembleType, Manifest, Member, ModelFormat, Task, TrainRun
from evermodel_runtime.artifacts.job import Surroundings
from evermodel_runtime.artifacts.manifests import encode_manifest, read_manifest
from evermodel_runtime.artifacts.scorer import LOADING_ERRORS, first_line
from evermodel_runtime.data.dataset import TrainingPart
from evermodel_runtime.data.failure import spec_error
from evermodel_runtime.data.rows import Hashes, Labels, decode_hashes
from evermodel_runtime.train.base import CannotStartError, check_classes, check_library, check_same_columns
from evermodel_runtime.train.earlier_model import EarlierClassifier, EarlierModel, EarlierRegressor
from evermodel_runtime.train.ensembles import PLACE, estimator_of
from evermodel_runtime.train.estimators import has_trees
from evermodel_runtime.train.pipeline import Recipe
from evermodel_runtime.train.preprocessing import preprocessing_of
from evermodel_runtime.train.windows import LabelledRows


@dataclass(frozen=True, slots=True)
class Joined:
    """A run whose earlier members are there.

    Attributes
    ----------
    run : TrainRun
        Without members that are not there, or that do not fit.
    recipe : Recipe or None
        How it is fitted; None where no earlier member is left.
    seen : array of uint64
        Hashes of the rows that the earlier members have learnt from.
    """

    run: TrainRun
    recipe: Recipe | None
    seen: Hashes
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    model: EarlierModel
    manifest: Manifest
    seen: Hashes


def join(
    run: TrainRun, part: TrainingPart, feedback: LabelledRows, held_out: Hashes, surroundings: Surroundings
) -> Joined:
    """Fetch and check the earlier members of a run's ensemble.

    The champion is left out, with a note, where it does not fit: the next run may find it fitting again.

    Raises
    ------
    JobError
        SpecInvalid where a version that is declared by its number cannot be a member.
    """
    if run.ensemble is None:
        raise ValueError("the run declares no ensemble")
    labels = np.concatenate([part.target.labels, feedback.labels])
    found: dict[str, _Found] = {}
    left_out: set[str] = set()
    notes: list[str] = []
    for place, member in enumerate(run.ensemble.members):
        if not member.is_earlier:
            continue
        try:
            one = _found(member, run, part.features.columns, surroundings)
            _check_rows(one, labels, held_out)
        except CannotStartError as obstacle:
            if member.version is not None:
                raise spec_error(
                    f"{PLACE}.members[{place}]: version {member.version} cannot be a member: {obstacle}."
                ) from obstacle
            left_out.add(member.name)
            warning = "" if member.manifest is None else WARNING
            notes.append(f"{warning}The member {member.name} is left out: {obstacle}.")
            continue
        found[member.name] = one
        notes.append(_told(member, one, run.ensemble, part))
    ensemble = _without(run.ensemble, left_out)
    if not ensemble.members:
        raise spec_error(f"{PLACE}.members: no member is left. {notes[0]} Declare one with an estimator beside it.")
    run = msgspec.structs.replace(run, ensemble=ensemble)
    models = {name: one.model for name, one in found.items()}
    return Joined(
        run,
        _recipe(run, models, part.features.columns) if models else None,
        np.concatenate([np.array([], dtype=np.uint64), *(one.seen for one in found.values())]),
        tuple(notes),
    )


def _without(ensemble: Ensemble, names: set[str]) -> Ensemble:
    kept = [place for place, member in enumerate(ensemble.members) if member.name not in names]
    return msgspec.structs.replace(
        ensemble,
        members=tuple(ensemble.members[place] for place in kept),
        weights=tuple(ensemble.weights[place] for place in kept) if ensemble.weights else (),
    )


def _found(member: Member, run: TrainRun, columns: tuple[Column, ...], surroundings: Surroundings) -> _Found:
    if member.manifest is None:
        raise CannotStartError("there is no champion yet")
    hub = surroundings.hub
    manifest = read_manifest(hub, member.manifest)
    if manifest.task is not run.task:
        raise CannotStartError(f"its task is {manifest.task}, and {run.task} is declared")
    check_same_columns(manifest.columns, columns)
    if manifest.format is ModelFormat.SKOPS:
        check_library(manifest)
    kind = EarlierRegressor if run.task is Task.REGRESSION else EarlierClassifier
    content = np.frombuffer(hub.blob(manifest.artifact), dtype=np.uint8)
    model = kind(encode_manifest(manifest).decode(), content)
    try:
        _ = model.scorer
    except LOADING_ERRORS as error:
        raise CannotStartError(f"it cannot be loaded: {first_line(error)}") from error
    return _Found(model, manifest, decode_hashes(hub.blob(manifest.training_rows)))


def _check_rows(found: _Found, labels: Labels, held_out: Hashes) -> None:
    if found.manifest.task is Task.CLASSIFICATION:
        check_classes(set(found.manifest.classes), set(np.unique(labels).tolist()))
    known = int(np.isin(held_out, found.seen).sum())
    if known:
        raise CannotStartError(
            f"it has learnt from {known:,} of the {len(held_out):,} rows that are held out here, on which it would be "
            "judged too well: its holdout or its idColumn was another"
        )


def _told(member: Member, found: _Found, ensemble: Ensemble, part: TrainingPart) -> str:
    said = f"The member {member.name} is version {found.manifest.version} as it is."
    if not len(found.seen):
        return (
            f"{WARNING}{said} Which rows it has learnt from is not known: its score on held-out ones may be too good."
        )
    if ensemble.type is EnsembleType.STACKING and (share := float(np.isin(part.hashes, found.seen).mean())):
        return (
            f"{WARNING}{said} It has learnt from {share:.0%} of the rows, and answers these better than others: the "
            "final estimator may trust it too much. A Voting does not ask how good a member is."
        )
    return said


def _recipe(run: TrainRun, models: Mapping[str, EarlierModel], columns: tuple[Column, ...]) -> Recipe:
    """Build an ensemble over the columns as they are, which earlier members take: the steps go into the others."""
    made = estimator_of(run, models)

    def prepared(estimator: Any) -> Any:
        steps = preprocessing_of(run.preprocessing, columns, seed=run.seed, exact=has_trees(estimator), task=run.task)
        return Pipeline([*steps, ("member", estimator)])

    members = [(name, one if name in models else prepared(one)) for name, one in made.estimators]
    return Recipe(Pipeline([("estimator", made.set_params(estimators=members))]))
