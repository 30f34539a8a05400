"""The held-out rows: of the source, and of production."""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np

from evermodel.contract import Column, DataSource, EvaluateRun, FailureReason, LabelledRecord, ScoringRun, Task
from evermodel_runtime.artifacts.manifests import StoredModel
from evermodel_runtime.data.cases import hashes_of_source
from evermodel_runtime.data.dataset import read_features, split_rows
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.feedback import read_feedback
from evermodel_runtime.data.labels import as_texts, read_target
from evermodel_runtime.data.rows import FeatureRows, Labels, row_hashes
from evermodel_runtime.data.table import Table
from evermodel_runtime.evaluate.comparison import HeldOut
from evermodel_runtime.evaluate.slices import slice_columns
from evermodel_runtime.quality.outcomes import as_number


def check_digest(run: EvaluateRun, found: str) -> None:
    """Refuse a file that is not the one that the candidate was split on."""
    if found != run.data_sha256:
        raise JobError(
            FailureReason.DIGEST_MISMATCH,
            f"{run.data.uri} changed between training and evaluation: its sha256 is {found}, that of training was "
            f"{run.data_sha256}. Its rows would be split otherwise; train again on the new file.",
        )


def rows_key(source: DataSource) -> str:
    """Return the digest of what makes the reference rows."""
    made_of = [source.uri, source.id_column, source.holdout_fraction, source.target]
    return hashlib.sha256(msgspec.json.encode(made_of)).hexdigest()


def reference_rows(
    file: Table, run: EvaluateRun, candidate: StoredModel, champion: StoredModel | None
) -> tuple[HeldOut, str]:
    """Return the held-out rows of the source, and why the champion cannot be asked about them, or nothing."""
    features = read_features(file, candidate.manifest.columns)
    reference = split_rows(file, run.data, hashes_of_source(row_hashes(features)))
    theirs, obstacle = (None, "") if champion is None else _as_champion_takes(file, features, champion)
    labels = read_target(file, run.data.target, candidate.manifest.task).labels
    truth = labels if candidate.manifest.task is Task.REGRESSION else as_texts(labels.tolist())
    rows = HeldOut(truth, features, theirs, slice_columns(run.slices, features, file))
    return rows.only(reference), obstacle


def _as_champion_takes(file: Table, features: FeatureRows, champion: StoredModel) -> tuple[FeatureRows | None, str]:
    columns = champion.manifest.columns
    if columns == features.columns:
        return features, ""
    missing = [column.name for column in columns if column.name not in file.header]
    if missing:
        return None, f"{file.name} has no column {missing[0]!r}, which the champion was trained on"
    try:
        return read_features(file, columns), ""
    except JobError as error:
        return None, error.message


def fresh_rows(
    records: tuple[LabelledRecord, ...], run: ScoringRun, candidate: StoredModel, champion: StoredModel | None
) -> HeldOut | None:
    """Return labelled production records as both models take them; None when the candidate takes other columns.

    Records were captured by the champion, in the order of its columns.
    """
    captured = (champion or candidate).manifest.columns
    wanted = candidate.manifest.columns
    if {(c.name, c.kind) for c in captured} != {(c.name, c.kind) for c in wanted}:
        return None
    feedback = read_feedback(records, captured)
    truth: Labels = as_texts(feedback.labels)
    fits = np.ones(len(feedback), dtype=np.bool_)
    if candidate.manifest.task is Task.REGRESSION:
        numbers = [as_number(label) for label in feedback.labels]
        fits = np.array([number is not None for number in numbers], dtype=np.bool_)
        truth = np.array(numbers, dtype=np.float64)  # NaN for what is no number, and left out
    features = _in_order(feedback.rows, wanted)
    champions = feedback.rows if champion else None
    rows = HeldOut(truth, features, champions, slice_columns(run.slices, features))
    return rows.only(fits)


def _in_order(rows: FeatureRows, columns: tuple[Column, ...]) -> FeatureRows:
    by_name = {column.name: values for column, values in zip(rows.columns, rows.values, strict=True)}
    return FeatureRows(columns, tuple(by_name[column.name] for column in columns))
