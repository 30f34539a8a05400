"""The held-out rows: of the source, and of production."""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np

from evermodel.contract import DataSource, EvaluateRun, FailureReason, LabelledRecords, ScoringRun, Task
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
    records: LabelledRecords, run: ScoringRun, candidate: StoredModel, champion: StoredModel | None
) -> tuple[HeldOut, str]:
    """Return labelled production records as both models take them, and which cannot be read as such, or nothing."""
    ours = read_feedback(records, candidate.manifest.columns, candidate.manifest.target)
    theirs, told = None, [ours.told]
    if champion is not None:
        theirs = read_feedback(records, champion.manifest.columns, champion.manifest.target)
        told.append(theirs.told)
        ours, theirs = ours.only(np.isin(ours.seqs, theirs.seqs)), theirs.only(np.isin(theirs.seqs, ours.seqs))
    truth: Labels = as_texts(ours.labels)
    fits = np.ones(len(ours), dtype=np.bool_)
    if candidate.manifest.task is Task.REGRESSION:
        numbers = [as_number(label) for label in ours.labels]
        fits = np.array([number is not None for number in numbers], dtype=np.bool_)
        truth = np.array(numbers, dtype=np.float64)  # NaN for what is no number, and left out
    rows = HeldOut(truth, ours.rows, None if theirs is None else theirs.rows, slice_columns(run.slices, ours.rows))
    return rows.only(fits), " ".join(line for line in dict.fromkeys(told) if line)
