"""Make checked rows of a table: features, labels, and which rows are held out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import assert_never

import msgspec
import numpy as np

from evermodel.contract import Column, ColumnKind, DataSource, PreprocessingStep, Task
from evermodel_runtime.data.cases import hashes_of_source, rows_repeat
from evermodel_runtime.data.columns import (
    ColumnSurvey,
    are_dates,
    as_numbers,
    dates_of,
    refuse_missing,
    refuse_missing_dates,
    spelled,
    survey,
    texts_of,
)
from evermodel_runtime.data.dates import EXAMPLES
from evermodel_runtime.data.failure import data_error, did_you_mean, listed, spec_error
from evermodel_runtime.data.labels import Target, read_target
from evermodel_runtime.data.rows import ColumnValues, FeatureRows, Hashes, Mask, row_hashes
from evermodel_runtime.data.selection import DATE_PARTS, ENCODERS, IMPUTERS, SELECTORS, is_about, is_imputed
from evermodel_runtime.data.spellings import refuse_numbers_as_text
from evermodel_runtime.data.split import held_out, keys_of_ids, keys_of_rows
from evermodel_runtime.data.table import Table

MIN_ROWS = 20
MOST_FEATURES = 10_000
"""Columns to learn from: each is looked at by itself, which takes half a millisecond and some memory."""
FOR_CATEGORIES = "OneHotEncoder"


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
        By what each row is known, from its features.
    repeated : bool
        Whether the source holds each row several times.
    """

    features: FeatureRows
    target: Target
    reference: Mask
    hashes: Hashes
    repeated: bool

    def held_out(self) -> Dataset:
        """Return the held-out rows alone."""
        kept = self.reference
        return replace(
            self,
            features=self.features[kept],
            target=Target(self.target.labels[kept]),
            reference=kept[kept],
            hashes=self.hashes[kept],
        )


def read_dataset(
    file: Table,
    source: DataSource,
    preprocessing: tuple[PreprocessingStep, ...] = (),
    known: tuple[Column, ...] = (),
    task: Task = Task.CLASSIFICATION,
    *,
    dates: Collection[str] = (),
) -> Dataset:
    """Check the file against what is declared, and split it.

    Parameters
    ----------
    file : Table
        The columns.
    source : DataSource
        What they mean.
    preprocessing : tuple of PreprocessingStep, optional
        Declared steps; without any, missing values and text are left to the default steps.
    known : tuple of Column, optional
        Columns of the champion, which the file has to have again, of the same kind.
    task : Task, optional
        Whether the target is a class or a number.
    dates : collection of str, optional
        Columns of dates, where no step says so.
    """
    names = feature_names(file, source, preprocessing)
    if known:
        _require_known(file, known)
        names = tuple(column.name for column in known)
    if len(names) > MOST_FEATURES:
        raise data_error(
            f"{file.name} has {len(names):,} columns to learn from; at most {MOST_FEATURES:,} are taken. Name those "
            "that matter in spec.data.features."
        )
    if len(file) < MIN_ROWS:
        raise data_error(
            f"{file.name} has {len(file)} row{'s' * (len(file) != 1)}; at least {MIN_ROWS} are needed to train and to "
            "hold out some."
        )
    target = read_target(file, source.target, task)
    features = FeatureRows.of([_read(file, name, preprocessing, _of_name(known, name), dates) for name in names])
    hashes = row_hashes(features)
    if (hashes == hashes[0]).all():
        raise data_error(
            f"{file.name}: every row holds the same values in all features ({listed(names)}), numbers as 32-bit "
            "floats, so nothing can be learnt from them. Add columns that differ, or name others in spec.data.features."
        )
    repeated = source.id_column is None and rows_repeat(hashes)
    known_by = hashes_of_source(hashes) if repeated else hashes
    return Dataset(features, target, split_rows(file, source, known_by), known_by, repeated)


def split_rows(file: Table, source: DataSource, hashes: Hashes) -> Mask:
    """Return which rows are held out: by their id, or by what they are known by where there is no idColumn."""
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
    if source.target == source.id_column:
        raise spec_error(f"spec.data.idColumn names the target {source.target!r}, which cannot name the rows.")
    apart = {source.target, source.id_column}
    names = tuple(dict.fromkeys(source.features)) or tuple(name for name in file.header if name not in apart)
    if not names:
        raise data_error(f"{file.name} has no column to learn from besides {listed(file.header)}.")
    for index, step in enumerate(preprocessing):
        field = f"spec.training.preprocessing[{index}].columns"
        named = tuple(name for name in step.columns if name not in SELECTORS)
        file.require(named, field)
        unused = [name for name in named if name not in names]
        if unused:
            raise spec_error(f"{field} names {unused[0]!r}, which is no feature.{did_you_mean(unused[0], names)}")
    return names


def read_features(file: Table, columns: tuple[Column, ...]) -> FeatureRows:
    """Read columns as the kinds that they have to be."""
    return FeatureRows(columns, tuple(_values(file, column) for column in columns))


def _require_known(file: Table, known: tuple[Column, ...]) -> None:
    """Refuse a file that lost a column since the champion was trained, or holds another kind of values in it."""
    missing = [column.name for column in known if column.name not in file.header]
    if missing:
        raise data_error(
            f"{file.name} has no column {listed([repr(name) for name in missing])} any more, which the champion was "
            f"trained on.{did_you_mean(missing[0], file.header)} Its columns are {listed(file.header)}. Bring the "
            "column back, or declare in spec.data.features what is to be learnt from."
        )
    for column in known:
        found = survey(file, column.name)
        if column.kind is ColumnKind.NUMBER and found.kind is ColumnKind.TEXT and len(found.texts):
            row = int(found.texts[0])
            raise data_error(
                f"{file.name}: column {column.name!r} was a number when the champion was trained; now "
                f"{file.place(row)} holds {file.cell(column.name, row)!r}, and {len(found.texts):,} of {len(file):,} "
                "rows hold text. Correct the file, or give the column another name."
            )


def _of_name(known: tuple[Column, ...], name: str) -> Column | None:
    return next((column for column in known if column.name == name), None)


def _read(
    file: Table,
    name: str,
    preprocessing: tuple[PreprocessingStep, ...],
    known: Column | None,
    dates: Collection[str],
) -> tuple[Column, ColumnValues]:
    found = survey(file, name)
    kind = _kind(file, name, found, preprocessing, dates) if known is None else known.kind
    if kind is ColumnKind.TEXT and not preprocessing:
        refuse_numbers_as_text(file, name)
    column = Column(name=name, kind=kind)
    if preprocessing:
        column = msgspec.structs.replace(column, nullable=is_imputed(column, preprocessing))
        return column, _values(file, column, found)
    values = _values(file, msgspec.structs.replace(column, nullable=True), found)  # the default steps fill them
    empty = (values == "").any() if kind is not ColumnKind.NUMBER else bool(len(found.missing))
    nullable = bool(empty) or (known is not None and known.nullable)
    return msgspec.structs.replace(column, nullable=nullable), values


def _values(file: Table, column: Column, found: ColumnSurvey | None = None) -> ColumnValues:
    """Read a column, and refuse what is missing where nothing may be; ``found`` is its survey, if there is one."""
    match column.kind:
        case ColumnKind.NUMBER:
            found = survey(file, column.name) if found is None else found
            numbers = as_numbers(file, column.name, found)
            if not column.nullable:
                refuse_missing(file, column.name, found)
            return numbers
        case ColumnKind.TEXT:
            return texts_of(file, column.name)
        case ColumnKind.DATE:
            dates = dates_of(file, column.name)
            if not column.nullable:
                refuse_missing_dates(file, column.name, dates)
            return dates
        case _:
            assert_never(column.kind)


def dates_in(file: Table, source: DataSource) -> frozenset[str]:
    """Return the features that are dates in nearly all rows."""
    return frozenset(name for name in feature_names(file, source) if are_dates(file, name))


def _kind(
    file: Table,
    name: str,
    found: ColumnSurvey,
    preprocessing: tuple[PreprocessingStep, ...],
    dates: Collection[str],
) -> ColumnKind:
    if len(found.missing) == len(file):
        raise data_error(f"{file.name}: column {name!r} has no values. Leave it out of spec.data.features.")
    by_name = [(index, step) for index, step in enumerate(preprocessing) if name in step.columns]
    if name in dates or _is_declared_date(file, name, found, preprocessing):
        return ColumnKind.DATE
    if len(found.texts) and any(step.transformer in ENCODERS for _, step in by_name):
        return ColumnKind.TEXT
    if found.kind is ColumnKind.NUMBER:
        for index, step in enumerate(preprocessing):
            if step.transformer == FOR_CATEGORIES and is_about(step, Column(name=name, kind=ColumnKind.NUMBER)):
                _require_whole(file, name, found, f"spec.training.preprocessing[{index}]")
        return ColumnKind.NUMBER
    about = [step for step in preprocessing if is_about(step, Column(name=name, kind=ColumnKind.TEXT))]
    if not preprocessing or any(step.transformer in ENCODERS for step in about):
        return ColumnKind.TEXT
    row = int(found.texts[0])
    example = f"{file.place(row)} holds {file.cell(name, row)!r}"
    scaling = [(index, step) for index, step in by_name if step.transformer not in IMPUTERS]
    if scaling:
        index, step = scaling[0]
        raise spec_error(
            f"spec.training.preprocessing[{index}]: {step.transformer} cannot transform {name!r}, which is text "
            f"({example}). Use OneHotEncoder for it, or TfidfVectorizer where nearly every text is another."
        )
    raise spec_error(
        f"Column {name!r} of {file.name} is text ({example}). Add a step to spec.training.preprocessing: "
        f"{{transformer: OneHotEncoder, columns: [{name}]}} or, where nearly every text is another, TfidfVectorizer; "
        "or leave the column out of spec.data.features."
    )


def _is_declared_date(
    file: Table, name: str, found: ColumnSurvey, preprocessing: tuple[PreprocessingStep, ...]
) -> bool:
    """Whether a DateParts step names the column, or all dates, of which it is one."""
    for index, step in enumerate(preprocessing):
        if step.transformer != DATE_PARTS:
            continue
        if name in step.columns:
            if found.kind is ColumnKind.NUMBER and not len(found.texts):
                raise spec_error(
                    f"spec.training.preprocessing[{index}]: DateParts cannot transform {name!r} of {file.name}, which "
                    f"holds numbers such as {file.cell(name, 0)!r} in {file.place(0)}. Write dates in ISO 8601, such "
                    f"as {EXAMPLES}."
                )
            return True
        if is_about(step, Column(name=name, kind=ColumnKind.DATE)) and are_dates(file, name):
            return True
    return False


def whole_where_encoded(rows: FeatureRows, preprocessing: tuple[PreprocessingStep, ...]) -> Mask:
    """Return which rows hold whole numbers in every column of numbers that a OneHotEncoder takes; others break it."""
    whole = np.ones(len(rows), dtype=np.bool_)
    for column, values in zip(rows.columns, rows.values, strict=True):
        steps = [step for step in preprocessing if step.transformer == FOR_CATEGORIES and is_about(step, column)]
        if steps and column.kind is ColumnKind.NUMBER:
            whole &= np.isnan(values) | (np.mod(values, 1) == 0)
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
    repeated : bool
        Whether the source holds each row several times.
    """

    features: FeatureRows
    target: Target
    hashes: Hashes
    excluded: int
    repeated: bool


def training_part(dataset: Dataset) -> TrainingPart:
    """Return the rows that are not held out, and that are no copy of one that is."""
    copies = np.isin(dataset.hashes, dataset.hashes[dataset.reference]) & ~dataset.reference
    chosen = ~dataset.reference & ~copies
    labels = dataset.target.labels[chosen]
    if (labels == labels[:1]).all():
        raise data_error(
            f"Of {len(chosen):,} rows, {int(dataset.reference.sum()):,} are held out and {int(copies.sum()):,} are "
            f"copies of held-out rows; the {len(labels):,} left hold fewer than two different targets. Add rows, lower "
            "spec.data.holdout.fraction, or drop spec.data.idColumn so that equal rows are held out together."
        )
    return TrainingPart(
        dataset.features[chosen], Target(labels), dataset.hashes[chosen], int(copies.sum()), dataset.repeated
    )
