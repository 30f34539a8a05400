"""From declared steps to one scikit-learn transformer chain: steps apply in order, each to the columns that it names.

Two stages, since ONNX knows no matrix of numbers and text: first every column of text becomes numbers, then steps over
numbers follow one another on one matrix. Columns that a step replaces by an unknown number of others stand at the end,
so that the places of all others are known before anything is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from evermodel.contract import Column, ColumnKind, PreprocessingStep, Task
from evermodel_runtime.data.failure import spec_error
from evermodel_runtime.data.selection import ALL, DATE_PARTS, DATES, NUMBERS, TEXTS, VECTORISERS, is_about
from evermodel_runtime.train.text_column import TextColumn
from evermodel_runtime.train.transformers import TRANSFORMERS, check_width, make_transformer

IN_DOUBLE = frozenset(
    {
        "KBinsDiscretizer",
        "MaxAbsScaler",
        "MinMaxScaler",
        "Normalizer",
        "PCA",
        "PolynomialFeatures",
        "QuantileTransformer",
        "RobustScaler",
        "StandardScaler",
        "TruncatedSVD",
    }
)
"""Those that ONNX can compute in float64, as trees need it: in float32 a value can land across a threshold.

PowerTransformer cannot, so that trees behind one are mostly served by skops; they have no use for it either.
"""
Step = tuple[str, Any]
_ADVICE = {
    ColumnKind.TEXT: "text. Use OneHotEncoder for it, or TfidfVectorizer where nearly every text is another",
    ColumnKind.DATE: "a date. Use DateParts for it",
}


@dataclass(slots=True)
class _Texts:
    """The first stage: which columns of text are encoded how, and when.

    Attributes
    ----------
    pending : dict
        Columns that are text still, each with the steps that have been put on it.
    encoded : list
        Groups of columns with equal steps that have become numbers.
    encoded_by : dict
        The step that made numbers of a column.
    """

    pending: dict[str, list[Step]]
    encoded: list[tuple[tuple[str, ...], list[Step]]] = field(default_factory=list)
    encoded_by: dict[str, int] = field(default_factory=dict)

    def kept(self) -> list[str]:
        """Return the columns that are one column of numbers each, and keep their names."""
        return [name for names, steps in self.encoded if _keeps(steps) for name in names]

    def widened(self) -> set[int]:
        """Return the steps that made several columns of one."""
        return {self.encoded_by[names[0]] for names, steps in self.encoded if not _keeps(steps)}


@dataclass(slots=True)
class _Numbers:
    """The second stage: what the columns of the matrix are, and the steps over it.

    Attributes
    ----------
    names : list of str
        Columns whose place is known, in order.
    open_ended : bool
        Whether columns of unknown number stand after them.
    """

    names: list[str]
    open_ended: bool
    stages: list[Step] = field(default_factory=list)


def preprocessing_of(
    steps: Sequence[PreprocessingStep],
    columns: tuple[Column, ...],
    *,
    seed: int,
    exact: bool,
    task: Task = Task.CLASSIFICATION,
) -> list[Step]:
    """Return the steps of a Pipeline that turns rows into the matrix that an estimator takes.

    Parameters
    ----------
    steps : sequence of PreprocessingStep
        As declared.
    columns : tuple of Column
        What a row holds.
    seed : int
        Where a transformer's chance comes from.
    exact : bool
        Compute in float64 when served too, for estimators that compare values with thresholds.
    task : Task
        What is predicted, for transformers that look at it.

    Raises
    ------
    JobError
        SpecInvalid, with the step, when it cannot follow those before it.
    """
    made = [make_transformer(step.transformer, step.parameters, index, seed, task) for index, step in enumerate(steps)]
    texts = _text_stage(steps, made, columns)
    source = [column.name for column in columns if column.kind is ColumnKind.NUMBER]
    numbers = _Numbers([*source, *texts.kept()], open_ended=bool(texts.widened()))
    before: list[Step] = []
    widened_before = min(texts.widened(), default=len(steps))
    for index, step in enumerate(steps):
        chosen, everything = _chosen_numbers(numbers, texts, index, step, open_now=widened_before < index)
        if not (chosen or everything):
            continue
        check_width(made[index], index, len(numbers.names if everything else chosen))
        known = TRANSFORMERS[step.transformer]
        transformer = _in_double_precision(made[index]) if exact and step.transformer in IN_DOUBLE else made[index]
        if texts.encoded and known.keeps and not numbers.stages and not everything and chosen == source:
            # Before numbers and text are put side by side: one copy of the whole matrix less.
            before.append((f"step_{index}", transformer))
        else:
            _transform(numbers, f"step_{index}", transformer, chosen, everything=everything, keeps=known.keeps)
        widened_before = widened_before if known.keeps else min(widened_before, index)
    spread = _spread(texts, columns, source, before)
    return [*([] if spread is None else [("columns", spread)]), *numbers.stages]


def _text_stage(steps: Sequence[PreprocessingStep], made: Sequence[Any], columns: tuple[Column, ...]) -> _Texts:
    spelled = {column.name: column for column in columns if column.kind is not ColumnKind.NUMBER}
    stage = _Texts({name: [] for name in spelled})
    for index, (step, transformer) in enumerate(zip(steps, made, strict=True)):
        chosen = [name for name in stage.pending if is_about(step, spelled[name])]
        if not chosen:
            continue
        wrong = [name for name in chosen if spelled[name].kind not in TRANSFORMERS[step.transformer].takes]
        if wrong:
            raise spec_error(
                f"spec.training.preprocessing[{index}]: {step.transformer} cannot transform {wrong[0]!r}, which is "
                f"{_ADVICE[spelled[wrong[0]].kind]}; {NUMBERS!r} names all columns of numbers."
            )
        _encode(stage, index, step.transformer, transformer, chosen)
    if stage.pending:
        name = next(iter(stage.pending))
        raise spec_error(
            f"spec.training.preprocessing: no step makes numbers of column {name!r}, which is "
            f"{_ADVICE[spelled[name].kind]}, or leave it out of spec.data.features."
        )
    return stage


def _encode(stage: _Texts, index: int, transformer: str, made: Any, chosen: list[str]) -> None:
    name = f"step_{index}"
    if transformer == "SimpleImputer":
        filling = clone(made).set_params(missing_values="")
        for column in chosen:
            stage.pending[column].append((name, filling))
        return
    if transformer in VECTORISERS:  # each takes the texts of one column, and has words of its own
        for column in chosen:
            chain = [*stage.pending.pop(column), ("text", TextColumn()), (name, clone(made))]
            stage.encoded.append(((column,), chain))
            stage.encoded_by[column] = index
        return
    groups: dict[tuple[str, ...], list[str]] = {}
    for column in chosen:
        groups.setdefault(tuple(before for before, _ in stage.pending[column]), []).append(column)
    for group in groups.values():
        stage.encoded.append((tuple(group), [*stage.pending[group[0]], (name, clone(made))]))
    for column in chosen:
        del stage.pending[column]
        stage.encoded_by[column] = index


def _chosen_numbers(
    numbers: _Numbers, texts: _Texts, index: int, step: PreprocessingStep, *, open_now: bool
) -> tuple[list[str], bool]:
    place = f"spec.training.preprocessing[{index}]"
    ready = [name for name in numbers.names if texts.encoded_by.get(name, -1) < index]
    broad = bool({ALL, NUMBERS} & set(step.columns))
    chosen = [name for name in ready if broad or name in step.columns]
    gone = [
        name
        for name in step.columns
        if name not in (ALL, NUMBERS, TEXTS, DATES, *numbers.names) and texts.encoded_by.get(name, -1) < index
    ]
    if gone:
        raise spec_error(
            f"{place}.columns: an earlier step made other columns of {gone[0]!r}; {NUMBERS!r} names these, and all "
            "other columns of numbers."
        )
    if chosen and ColumnKind.NUMBER not in TRANSFORMERS[step.transformer].takes:
        what = "dates" if step.transformer == DATE_PARTS else "text"
        raise spec_error(f"{place}: {step.transformer} is for {what}, and {chosen[0]!r} is a number.")
    everything = broad and open_now
    late = [name for name, by in texts.encoded_by.items() if by > index]
    if everything and late:
        raise spec_error(
            f"{place}: columns made by an earlier step are transformed here, while {late[0]!r} is still text. Put the "
            "steps that encode text first."
        )
    return chosen, everything


def _transform(
    matrix: _Numbers, name: str, transformer: Any, chosen: list[str], *, everything: bool, keeps: bool
) -> None:
    if everything or (chosen == matrix.names and not matrix.open_ended):
        matrix.stages.append((name, transformer))
        matrix.names = matrix.names if keeps else []
    else:
        others = [column for column in matrix.names if column not in chosen]
        parts = [(name, transformer, [matrix.names.index(column) for column in chosen])]
        if not keeps and others:  # of known place, so before the columns of unknown number
            parts.insert(0, ("others", "passthrough", [matrix.names.index(column) for column in others]))
        matrix.stages.append((name, ColumnTransformer(parts, remainder="passthrough", sparse_threshold=0)))
        matrix.names = [*chosen, *others] if keeps else others
    matrix.open_ended = matrix.open_ended or not keeps


def _spread(texts: _Texts, columns: tuple[Column, ...], numbers: list[str], stages: list[Step]) -> Any | None:
    """Return what makes one matrix of numbers and text: numbers, then columns that keep their names, then others."""
    if not texts.encoded:
        return None
    place = {column.name: position for position, column in enumerate(columns)}
    parts: list[tuple[str, Any, list[int]]] = []
    if numbers:
        # They come as a table, which the first step has to make a matrix of; "passthrough" would not.
        if not stages or isinstance(stages[0][1], Pipeline):
            stages = [("as_they_are", StandardScaler(with_mean=False, with_std=False)), *stages]
        parts.append(("numbers", _chain(stages), [place[name] for name in numbers]))
    for position, (names, steps) in enumerate(sorted(texts.encoded, key=lambda group: not _keeps(group[1]))):
        parts.append((f"text_{position}", _chain(steps), [place[name] for name in names]))
    return ColumnTransformer(parts, sparse_threshold=0)


def _chain(steps: list[Step]) -> Any:
    return steps[0][1] if len(steps) == 1 else Pipeline(steps)


def _keeps(steps: list[Step]) -> bool:
    return TRANSFORMERS[type(steps[-1][1]).__name__].keeps


def _in_double_precision(transformer: Any) -> Any:
    """Compute in float64 in the exported model too, then round.

    Scaled in float32, a value can land on the other side of a tree's threshold: one row in a few hundred got another
    probability.
    """
    from skl2onnx.sklapi import CastTransformer  # noqa: PLC0415 - half a second that few runs need

    double, single = CastTransformer(dtype=np.float64), CastTransformer(dtype=np.float32)
    return Pipeline([("double", double), ("step", transformer), ("single", single)])
