"""The model that a training starts from: fetched, and checked against what is to be trained."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import msgspec
import numpy as np
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline

from evermodel.contract import WARNING, Column, Manifest, Scalar, TrainRun, WarmStart, label_text
from evermodel_runtime.artifacts.foreign_archive import load_foreign
from evermodel_runtime.artifacts.job import Surroundings
from evermodel_runtime.artifacts.manifests import read_manifest
from evermodel_runtime.artifacts.skops_archive import ArchiveError, load_pipeline
from evermodel_runtime.data.failure import listed, spec_error
from evermodel_runtime.data.rows import Hashes, Labels, decode_hashes
from evermodel_runtime.train.fetching import fetch_model

PLACE = "spec.training.warmStart"
LIBRARY = "scikit-learn"
SHOWN = 5
Load = Callable[[bytes], Any]
"""Makes a pipeline of an archive, or raises ArchiveError."""


class CannotStartError(Exception):
    """The model does not go with what is to be trained; the text says why."""


@dataclass(frozen=True, slots=True)
class Base:
    """A fitted pipeline and what is known of it.

    Attributes
    ----------
    digest : str
        sha256 of its manifest, or of the archive where it has none.
    manifest : Manifest or None
        None for an archive that was made elsewhere.
    seen : array of uint64
        Hashes of the rows that it and those before it have learnt from; empty where that is not known.
    """

    digest: str
    pipeline: Any
    manifest: Manifest | None
    seen: Hashes

    @property
    def estimator(self) -> Any:
        """What comes after the transformers."""
        return self.pipeline.steps[-1][1]


def find_base(warm: WarmStart, surroundings: Surroundings) -> Base:
    """Fetch the model that is declared.

    Raises
    ------
    CannotStartError
        When it has no pipeline that can be loaded here.
    JobError
        When the file is not there, or is not the declared one.
    """
    if warm.champion is not None:
        return stored_base(warm.champion, read_manifest(surroundings.hub, warm.champion), surroundings)
    content = fetch_model(warm.uri or "", warm.sha256, surroundings, f"{PLACE}.from")
    digest = hashlib.sha256(content).hexdigest()
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError):  # so it is an archive
        return Base(digest, _loaded(load_foreign, content, ""), None, np.array([], dtype=np.uint64))
    return _of_manifest(load_foreign, digest, manifest, surroundings)  # whoever wrote it may have named any upload


def stored_base(digest: str, manifest: Manifest, surroundings: Surroundings) -> Base:
    """Fetch a model of the hub, given its manifest.

    Raises
    ------
    CannotStartError
        When it has no pipeline that can be loaded here.
    """
    return _of_manifest(load_pipeline, digest, manifest, surroundings)


def _of_manifest(load: Load, digest: str, manifest: Manifest, surroundings: Surroundings) -> Base:
    archive = manifest.pipeline or manifest.skops
    name = f"version {manifest.version} of {manifest.model}"
    if archive is None:
        raise CannotStartError(
            f"{name} was stored as ONNX alone, without the pipeline; models with warmStart, epochs or "
            "retraining.online are stored with it"
        )
    check_library(manifest)
    pipeline = _loaded(load, surroundings.hub.blob(archive), f"the pipeline of {name}")
    return Base(digest, pipeline, manifest, decode_hashes(surroundings.hub.blob(manifest.training_rows)))


def check_library(manifest: Manifest) -> None:
    """Refuse a pipeline of another scikit-learn."""
    trained_with = manifest.libraries.get(LIBRARY, "")
    if _minor(trained_with) != _minor(version(LIBRARY)):
        raise CannotStartError(
            f"version {manifest.version} of {manifest.model} was trained with scikit-learn {trained_with}, and this is "
            f"{version(LIBRARY)}, whose models differ"
        )


def _loaded(load: Load, archive: bytes, what: str) -> Any:
    what = what or "the file, which is no manifest,"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            pipeline = load(archive)
    except InconsistentVersionWarning as error:
        raise CannotStartError(
            f"{what} was stored by scikit-learn {error.original_sklearn_version}, and this is {version(LIBRARY)}, "
            "whose models differ"
        ) from error
    except ArchiveError as error:
        raise CannotStartError(f"{what} is no skops archive that may be loaded: {error}") from error
    if not isinstance(pipeline, Pipeline) or not hasattr(pipeline, "n_features_in_"):
        raise CannotStartError(f"{what} holds a {type(pipeline).__name__} and no fitted sklearn.pipeline.Pipeline")
    return pipeline


def _minor(version_text: str) -> list[str]:
    return version_text.split(".")[:2]


def check_columns(base: Base, columns: tuple[Column, ...]) -> None:
    """Refuse a model that takes other columns."""
    if base.manifest is None:
        wanted = int(base.pipeline.n_features_in_)
        if wanted != len(columns):
            raise CannotStartError(
                f"it takes {wanted} columns, and there are {len(columns)}: "
                f"{listed([column.name for column in columns])}"
            )
        return
    check_same_columns(base.manifest.columns, columns)


def check_same_columns(taken: tuple[Column, ...], columns: tuple[Column, ...]) -> None:
    """Refuse a model that takes other columns than there are, or in another order."""
    known = {column.name: column for column in taken}
    for column in columns:
        before = known.get(column.name)
        if before is None:
            raise CannotStartError(f"it does not know the column {column.name!r}")
        if before.kind is not column.kind:
            raise CannotStartError(f"column {column.name!r} is {column.kind} now and was {before.kind} to it")
        if column.nullable and not before.nullable:
            raise CannotStartError(f"column {column.name!r} lacks values now, which it has not learnt to fill")
    if gone := [name for name in known if name not in {column.name for column in columns}]:
        raise CannotStartError(f"it needs the column {gone[0]!r}, which is not there")
    if [column.name for column in columns] != list(known):
        raise CannotStartError(
            "it takes the same columns in another order: write them to spec.data.features in its own"
        )


def check_steps(base: Base, run: TrainRun) -> None:
    """Refuse a model whose preprocessing is not the declared one; what was never declared is its own."""
    if base.manifest is None:
        raise CannotStartError("it brings transformers of its own: leave spec.training.preprocessing out")
    if base.manifest.preprocessing != run.preprocessing:
        raise CannotStartError("its preprocessing is not the one that is declared, and its weights are for its own")


def check_estimator(base: Base, run: TrainRun, labels: Labels) -> None:
    """Refuse a model of another class, or of other classes."""
    found = type(base.estimator).__name__
    if found != run.estimator:
        raise CannotStartError(f"it is a {found}, and a {run.estimator} is declared")
    if not hasattr(base.pipeline, "classes_"):  # of a regressor
        return
    check_classes(set(base.pipeline.classes_.tolist()), set(np.unique(labels).tolist()))


def check_classes(known: set[Scalar], there: set[Scalar]) -> None:
    """Refuse a model of other classes than there are."""
    for what, classes in (("new to it", there - known), ("gone from the data", known - there)):
        if classes:
            names = listed(sorted(label_text(label) for label in classes)[:SHOWN])
            raise CannotStartError(f"classes are {what}: {names}")


def unfit(obstacle: CannotStartError, warm: WarmStart) -> str:
    """Return the note of a model that is fitted anew; a declared file must fit, though.

    Raises
    ------
    JobError
        SpecInvalid, unless it is the champion, which the next run may find fitting again.
    """
    if warm.champion is None:
        raise spec_error(f"{PLACE}: {warm.uri} cannot be started from: {obstacle}.") from obstacle
    return f"{WARNING}this version is fitted anew, for the champion cannot be started from: {obstacle}."
