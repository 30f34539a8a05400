"""An online update: the champion learns on from labelled records that it has not learnt from, and from nothing else.

The source is read, but not learnt from: its held-out rows say which records may not be learnt.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from evermodel.contract import (
    WARNING,
    FailureReason,
    Manifest,
    NothingNewReport,
    OnlineUpdate,
    TrainReport,
    TrainRun,
    label_text,
)
from evermodel_runtime.artifacts.job import Surroundings
from evermodel_runtime.artifacts.manifests import read_manifest
from evermodel_runtime.data.cases import hashes_of_records
from evermodel_runtime.data.dataset import TrainingPart
from evermodel_runtime.data.failure import JobError, NothingNew, listed, spec_error
from evermodel_runtime.data.rows import Hashes, Labels
from evermodel_runtime.train.base import Base, CannotStartError, check_columns, stored_base
from evermodel_runtime.train.epochs import once_over
from evermodel_runtime.train.job import LONGEST_REASON, Fitted, UsableFeedback, pack_checked, prepare, publish
from evermodel_runtime.train.notes import LONGEST_NOTE
from evermodel_runtime.train.pipeline import FIT_ERRORS, table
from evermodel_runtime.train.windows import Choice, LabelledRows, Window

PLACE = "spec.retraining.online"


@dataclass(frozen=True, slots=True)
class News:
    """Records to learn on from.

    Attributes
    ----------
    hashes : array of uint64
        By what they are known again.
    unknown : tuple of str
        Labels of the records left out, of classes that the model does not know, each with their number.
    left_out : int
        How many records these are.
    """

    data: LabelledRows
    hashes: Hashes
    unknown: tuple[str, ...]
    left_out: int

    def told(self, base: Manifest, online: OnlineUpdate, through: int) -> str:
        """Say what is learnt from, and on which model."""
        return (
            f"Learns on from version {base.version}, its transformers as they are: {len(self.data):,} labelled records "
            f"of ledger numbers {online.after + 1:,} to {through:,}."
        )

    @property
    def left_out_told(self) -> str:
        """Say which records were left out; nothing where none was."""
        if not self.unknown:
            return ""
        return (
            f"{WARNING}{self.left_out:,} records were left out, of classes that the model does not know "
            f"({listed(self.unknown)}): only a whole run, on a source with these classes, can learn them."
        )


def learn_on(run: TrainRun, online: OnlineUpdate, surroundings: Surroundings) -> TrainReport:
    """Publish the champion, after it has learnt on, as a version of its own.

    Raises
    ------
    JobError
        When it is not stored so that it can learn on, or takes other columns than there are.
    NothingNew
        When there is no record that it can learn on from.
    """
    say, hub, through = surroundings.progress, surroundings.hub, run.feedback_through or 0
    base, manifest = fetch(online, surroundings)
    prepared = prepare(msgspec.structs.replace(run, champion=online.base), surroundings)
    run, part = as_made(run, manifest), prepared.part
    require_columns(base, manifest, part)
    news = news_for(base, online, prepared.feedback, part)
    notes = [note for note in (news.told(manifest, online, through), news.left_out_told) if note]
    for note in notes:
        say(note)
    if not len(news.data):
        message = (
            f"None of the labelled records of ledger numbers {online.after + 1:,} to {through:,} can be learnt from: "
            f"version {manifest.version} serves as it is. {news.left_out_told or ' '.join(prepared.feedback.notes)}"
        )
        raise NothingNew(NothingNewReport(data_sha256=prepared.digest, message=message.strip()))
    pipeline = learnt(base, run, news.data, part)
    learnt_from = LabelledRows(part.features, part.target.labels).followed_by(news.data)
    choice = Choice(learnt_from, Window.NEW, len(news.data), None)
    classes = tuple(pipeline.classes_.tolist()) if is_classifier(pipeline) else ()
    fitted = Fitted(run, pipeline, choice, classes, manifest.columns, None, None)
    packed = pack_checked(run, fitted, prepared.dataset, (part.features, news.data.rows), say)
    published = publish(
        run,
        hub,
        fitted,
        packed,
        data_sha256=prepared.digest,
        learnt=np.concatenate([base.seen, news.hashes]),
        held_out=prepared.dataset.features[prepared.dataset.reference],
        started_from=base.digest,
        say=say,
    )
    say(f"published as manifest {published}")
    return TrainReport(
        manifest=published,
        data_sha256=prepared.digest,
        rows=len(news.data),
        feedback_rows=len(news.data),
        window=Window.NEW.value,
        validation=None,
        classes=len(classes),
        seconds=say.seconds,
        format=packed.format,
        format_reason=packed.reason[:LONGEST_REASON],
        notes=tuple(note[:LONGEST_NOTE] for note in (*notes, *prepared.notes)),
        started_from=base.digest,
    )


def fetch(online: OnlineUpdate, surroundings: Surroundings) -> tuple[Base, Manifest]:
    """Fetch the model that learns on, with its record."""
    manifest = read_manifest(surroundings.hub, online.base)
    try:
        base = stored_base(online.base, manifest, surroundings)
    except CannotStartError as obstacle:
        raise _cannot(manifest, str(obstacle)) from obstacle
    if not hasattr(base.estimator, "partial_fit"):
        raise _cannot(manifest, f"it is a {type(base.estimator).__name__} that learns from all rows at once")
    return base, manifest


def as_made(run: TrainRun, manifest: Manifest) -> TrainRun:
    """Return the run with what the model was made by, whatever was searched for or tried after an alarm."""
    return msgspec.structs.replace(
        run,
        estimator=manifest.estimator,
        parameters=manifest.parameters,
        preprocessing=manifest.preprocessing,
        ensemble=None,
        search=None,
        strategy=None,
        keeps_pipeline=True,
    )


def require_columns(base: Base, manifest: Manifest, part: TrainingPart) -> None:
    """Refuse a model that takes other columns than the source has by now."""
    try:
        check_columns(base, part.features.columns)
    except CannotStartError as obstacle:
        raise _cannot(manifest, str(obstacle)) from obstacle


def news_for(base: Base, online: OnlineUpdate, feedback: UsableFeedback, part: TrainingPart) -> News:
    """Choose the records that the model has not learnt from, of classes that it knows."""
    hashes = hashes_of_records(feedback.data.rows, repeated=part.repeated)
    new = feedback.seqs > online.after
    known = _known(base, feedback.data.labels)
    unknown = Counter(label_text(label) for label in feedback.data.labels[new & ~known].tolist())
    told = tuple(f"{label}: {count:,}" for label, count in sorted(unknown.items()))
    chosen = new & known
    return News(feedback.data[chosen], hashes[chosen], told, unknown.total())


def learnt(base: Base, run: TrainRun, data: LabelledRows, part: TrainingPart) -> Any:
    """Return the pipeline with an estimator that has gone over the records once, its transformers as they are."""
    *steps, (name, fitted) = base.pipeline.steps
    estimator = copy.deepcopy(fitted)
    rows = table(data.rows)
    labels = np.concatenate([part.target.labels, data.labels])
    counted = labels[_known(base, labels)]
    try:
        features = Pipeline(steps).transform(rows) if steps else rows
        once_over(estimator, features, data.labels, run.seed, counted=counted)
    except FIT_ERRORS as error:
        raise spec_error(
            f"{PLACE}: scikit-learn could not let the {run.estimator} learn on from {len(data):,} records with its "
            f"parameters: {error}. Change spec.training.parameters, or leave spec.retraining.online out."
        ) from error
    return Pipeline([*steps, (name, estimator)])


def _known(base: Base, labels: Labels) -> Any:
    """Tell of each label whether it is of a class that the model knows; numbers of a regressor all are."""
    if not is_classifier(base.pipeline):
        return np.ones(len(labels), dtype=np.bool_)
    classes = set(base.pipeline.classes_.tolist())
    return np.array([label in classes for label in labels.tolist()], dtype=np.bool_)


def _cannot(manifest: Manifest, why: str) -> JobError:
    return JobError(
        FailureReason.MODEL_INVALID,
        f"{PLACE}: version {manifest.version} cannot learn on, for {why}. Ask for a whole run by the annotation "
        "evermodel.dev/retrain, or leave spec.retraining.online out.",
    )
