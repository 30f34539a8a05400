"""Make checked rows of a table: features, labels, and which rows are held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evermodel.contract import Column, ColumnKind, DataSource, PreprocessingStep
from evermodel_runtime.data.columns import ColumnSurvey, as_numbers, refuse_missing, spelled, survey, texts_of
from evermodel_runtime.data.failure import data_error, did_you_mean, listed, spec_error
from evermodel_runtime.data.labels import Target, read_target
from evermodel_runtime.data.rows import ColumnValues, FeatureRows, Hashes, Mask, row_hashes
from evermodel_runtime.data.split import held_out, keys_of_ids, keys_of_rows
from evermodel_runtime.data.table import Table

MIN_ROWS = 20
FOR_TEXT = "OneHotEncoder"
FOR_NUMBERS = "StandardScaler"


@dataclass(frozen=True, slots=True)
class Dataset:
    """The whole source, checked.

    Attributes
    ----------
    features : FeatureRows
        One row for each data row of the file.
    target : Target
        Their labels.
    reference : array of bool
        Which rows are held out.
    hashes : array of uint64
        The hash of each row's features.
    """

    features: FeatureRows
    target: Target
    reference: Mask
    hashes: Hashes


def read_dataset(file: Table, source: DataSource, preprocessing: tuple[PreprocessingStep, ...] = ()) -> Dataset:
    """Check the file against what is declared, and split it."""
    names = feature_names(file, source, preprocessing)
    if len(file) < MIN_ROWS:
        raise data_error(
            f"{file.name} has {len(file)} rows; at least {MIN_ROWS} are needed to train and to hold out some."
        )
    target = read_target(file, source.target)
    features = FeatureRows.of([_read(file, name, preprocessing) for name in names])
    hashes = row_hashes(features)
    return Dataset(features, target, split_rows(file, source, hashes), hashes)


def split_rows(file: Table, source: DataSource, hashes: Hashes) -> Mask:
    """Return which rows are held out: by their id, or by the hash of their features where there is no idColumn."""
    keys = keys_of_rows(hashes) if source.id_column is None else keys_of_ids(_checked_ids(file, source.id_column))
    reference = held_out(keys, source.holdout_fraction)
    if not reference.any():
        raise data_error(
            f"{file.name}: none of {len(file)} rows fell into the held-out {source.holdout_fraction:.0%}. "
            "Add rows or raise spec.data.holdout.fraction."
        )
    return reference


def feature_names(
    file: Table, source: DataSource, preprocessing: tuple[PreprocessingStep, ...] = ()
) -> tuple[str, ...]:
    """Return the columns to learn from, in the order in which the model takes them."""
    file.require((source.target,), "spec.data.target")
    file.require(source.features, "spec.data.features")
    if source.id_column is not None:
        file.require((source.id_column,), "spec.data.idColumn")
    if source.target in source.features:
        raise spec_error(f"spec.data.features names the target {source.target!r}: the model would only copy it.")
    if source.id_column in source.features:
        raise spec_error(f"spec.data.features names the idColumn {source.id_column!r}, which is not learnt from.")
    apart = {source.target, source.id_column}
    names = tuple(dict.fromkeys(source.features)) or tuple(name for name in file.header if name not in apart)
    if not names:
        raise data_error(f"{file.name} has no column to learn from besides {listed(file.header)}.")
    for index, step in enumerate(preprocessing):
        field = f"spec.training.preprocessing[{index}].columns"
        file.require(step.columns, field)
        unused = [name for name in step.columns if name not in names]
        if unused:
            raise spec_error(f"{field} names {unused[0]!r}, which is no feature.{did_you_mean(unused[0], names)}")
    return names


def read_features(file: Table, columns: tuple[Column, ...]) -> FeatureRows:
    """Read columns as the kinds that they have to be."""
    return FeatureRows(columns, tuple(_values(file, column) for column in columns))


def _values(file: Table, column: Column) -> ColumnValues:
    if column.kind is ColumnKind.TEXT:
        return texts_of(file, column.name)
    found = survey(file, column.name)
    refuse_missing(file, column.name, found)
    return as_numbers(file, column.name, found)


def _read(file: Table, name: str, preprocessing: tuple[PreprocessingStep, ...]) -> tuple[Column, ColumnValues]:
    found = survey(file, name)
    if _kind(file, name, found, preprocessing) is ColumnKind.TEXT:
        return Column(name=name, kind=ColumnKind.TEXT), texts_of(file, name)
    refuse_missing(file, name, found)
    return Column(name=name, kind=ColumnKind.NUMBER), as_numbers(file, name, found)


def _kind(file: Table, name: str, found: ColumnSurvey, preprocessing: tuple[PreprocessingStep, ...]) -> ColumnKind:
    steps = {step.transformer: index for index, step in enumerate(preprocessing) if name in step.columns}
    if len(found.missing) == len(file):
        raise data_error(f"{file.name}: column {name!r} has no values. Leave it out of spec.data.features.")
    if FOR_TEXT in steps and len(found.texts):
        return ColumnKind.TEXT
    if found.kind is ColumnKind.NUMBER:
        if FOR_TEXT in steps:
            _require_whole(file, name, found, f"spec.training.preprocessing[{steps[FOR_TEXT]}]")
        return ColumnKind.NUMBER
    row = int(found.texts[0])
    example = f"{file.place(row)} holds {file.cell(name, row)!r}"
    if FOR_NUMBERS in steps:
        raise spec_error(
            f"spec.training.preprocessing[{steps[FOR_NUMBERS]}]: StandardScaler cannot scale {name!r}, which is text "
            f"({example}). Use OneHotEncoder for it."
        )
    raise spec_error(
        f"Column {name!r} of {file.name} is text ({example}). Add a step to spec.training.preprocessing: "
        f"{{transformer: OneHotEncoder, columns: [{name}]}}, or leave the column out of spec.data.features."
    )


def whole_where_encoded(rows: FeatureRows, preprocessing: tuple[PreprocessingStep, ...]) -> Mask:
    """Return which rows hold whole numbers in every column of numbers that a OneHotEncoder takes; others break it."""
    encoded = {name for step in preprocessing if step.transformer == FOR_TEXT for name in step.columns}
    whole = np.ones(len(rows), dtype=np.bool_)
    for column, values in zip(rows.columns, rows.values, strict=True):
        if column.name in encoded and column.kind is ColumnKind.NUMBER:
            whole &= np.mod(values, 1) == 0
    return whole


def _require_whole(file: Table, name: str, found: ColumnSurvey, field: str) -> None:
    with np.errstate(invalid="ignore"):
        fractions = np.flatnonzero(np.mod(found.values, 1) > 0)
    if len(fractions):
        row = int(fractions[0])
        raise spec_error(
            f"{field}: OneHotEncoder cannot encode {name!r}, which holds {str(file.cell(name, row))!r} in "
            f"{file.place(row)}. Categories must be text or whole numbers; leave the column as a number."
        )


def _checked_ids(file: Table, name: str) -> list[str]:
    codes, words = spelled(file, name)
    names = [word.strip() for word in words]
    ids = [names[code] for code in codes.tolist()]
    if len(set(ids)) == len(ids) and "" not in ids:
        return ids
    first: dict[str, int] = {}
    for row, value in enumerate(ids):
        if not value:
            raise data_error(f"{file.name}: idColumn {name!r} is empty in {file.place(row)}. Every row needs an id.")
        if value in first:
            raise data_error(
                f"{file.name}: idColumn {name!r} holds {value!r} in {file.place(first[value])} and in "
                f"{file.place(row)}; it has {len(set(ids)):,} different ids in {len(ids):,} rows. Make ids unique or "
                "drop spec.data.idColumn."
            )
        first[value] = row
    return ids


@dataclass(frozen=True, slots=True)
class TrainingPart:
    """Rows of the source that may be learnt from.

    Attributes
    ----------
    excluded : int
        Rows left out because a held-out row has the same features.
    """

    features: FeatureRows
    target: Target
    hashes: Hashes
    excluded: int


def training_part(dataset: Dataset) -> TrainingPart:
    """Return the rows that are not held out, and that are no copy of one that is."""
    copies = np.isin(dataset.hashes, dataset.hashes[dataset.reference]) & ~dataset.reference
    chosen = ~dataset.reference & ~copies
    labels = dataset.target.labels[chosen]
    if len(np.unique(labels)) < 2:  # noqa: PLR2004 - two classes
        raise data_error(
            f"Of {len(chosen):,} rows, {int(dataset.reference.sum()):,} are held out and {int(copies.sum()):,} are "
            f"copies of held-out rows; the {len(labels):,} left hold fewer than two classes. Add rows, lower "
            "spec.data.holdout.fraction, or drop spec.data.idColumn so that equal rows are held out together."
        )
    return TrainingPart(dataset.features[chosen], Target(labels), dataset.hashes[chosen], int(copies.sum()))
