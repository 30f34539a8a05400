"""Before the user's container: read the source as every training does, and write down what it may learn from."""

from __future__ import annotations

import os

import numpy as np

from evermodel.contract import Scalar, Task, TrainRun
from evermodel_runtime.artifacts.job import Surroundings, run_job
from evermodel_runtime.artifacts.manifests import read_manifest
from evermodel_runtime.custom.folders import (
    HASHES_FILE,
    PREPARED_FILE,
    ROWS_FILE,
    SAMPLE_FILE,
    SCHEMA_FILE,
    Folders,
    Prepared,
    TrainingSchema,
    write_message,
)
from evermodel_runtime.custom.rows_file import write_csv, write_sample
from evermodel_runtime.data.bins import bins_of_rows
from evermodel_runtime.data.cases import hashes_of_records
from evermodel_runtime.data.dataset import read_dataset, training_part
from evermodel_runtime.data.labels import usual_answers
from evermodel_runtime.data.positive_class import require_positive_class
from evermodel_runtime.data.rows import encode_hashes, spread_over
from evermodel_runtime.data.source import read_data
from evermodel_runtime.train.job import usable_feedback
from evermodel_runtime.train.notes import coarse_columns, ignored_columns, warnings_of
from evermodel_runtime.train.windows import LabelledRows

SAMPLE_ROWS = 5000
"""Rows that the model is asked about before it is published."""


def main() -> int:
    """Prepare as the environment says; returns the exit code."""
    folders = Folders.of(os.environ)
    return run_job(TrainRun, "train", lambda run, surroundings: prepare(run, surroundings, folders))


def prepare(run: TrainRun, surroundings: Surroundings, folders: Folders) -> None:
    """Write the training part, with all usable feedback, for the user's container, and its digests past it."""
    say, hub = surroundings.progress, surroundings.hub
    say(f"version {run.version} of {run.namespace}/{run.model}: {run.container} on {run.data.uri}")
    known = () if run.champion is None else read_manifest(hub, run.champion).columns
    file, digest = read_data(run.data, datasets=hub, mount=surroundings.mount, columns=known)
    dataset = read_dataset(file, run.data, (), known, run.task)
    require_positive_class(run.objective, run.data, dataset)
    notes = [*ignored_columns(file, run, dataset), *warnings_of(run, dataset), *coarse_columns(file, dataset)]
    part = training_part(dataset)
    source = LabelledRows(part.features, part.target.labels)
    usable = usable_feedback(run, hub, dataset, part, say)
    notes.extend(usable.notes)
    feedback = usable.data
    learnt = source.followed_by(feedback)
    say(
        f"{int(dataset.reference.sum()):,} rows are held out and stay here; the container gets {len(learnt):,}, "
        f"{len(feedback):,} of them feedback; {part.excluded:,} are left out as copies of held-out rows"
    )

    classes: tuple[Scalar, ...] = () if run.task is Task.REGRESSION else tuple(np.unique(learnt.labels).tolist())
    usual = usual_answers(learnt.labels, classes, run.task)
    columns = learnt.rows.columns
    write_csv(learnt.rows, learnt.labels, run.data.target, folders.input / ROWS_FILE)
    schema = TrainingSchema(
        model=run.model,
        version=run.version,
        task=run.task,
        target=run.data.target,
        columns=columns,
        classes=classes,
        rows=len(learnt),
        feedback_rows=len(feedback),
        parameters=run.parameters,
        seed=run.seed,
    )
    write_message(schema, folders.input / SCHEMA_FILE)
    prepared = Prepared(
        data_sha256=digest,
        columns=columns,
        classes=classes,
        majority=usual.majority,
        mean=usual.mean,
        median=usual.median,
        rows=len(learnt),
        feedback_rows=len(feedback),
        bins=bins_of_rows(learnt.rows),
        notes=tuple(notes),
    )
    hashes = np.concatenate([part.hashes, hashes_of_records(feedback.rows, repeated=part.repeated)])
    (folders.state / HASHES_FILE).write_bytes(encode_hashes(hashes))
    write_sample(spread_over([learnt.rows], SAMPLE_ROWS), folders.state / SAMPLE_FILE)
    write_message(prepared, folders.state / PREPARED_FILE)
    say(f"wrote {folders.input / ROWS_FILE}, {folders.input / SCHEMA_FILE}")
