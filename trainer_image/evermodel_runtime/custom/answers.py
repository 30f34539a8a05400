"""Ask a model that a container wrote, as it will be asked in production, and refuse answers that nobody could use."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np

from evermodel.contract import Column, ColumnKind, Manifest, Task
from evermodel_runtime.artifacts.scorer import LOADING_ERRORS, SCORING_ERRORS, OnnxScorer, first_line
from evermodel_runtime.custom.output import model_error
from evermodel_runtime.data.failure import listed
from evermodel_runtime.data.rows import FeatureRows, Labels, Matrix
from evermodel_runtime.serve.model import ModelLoadError, ModelMismatchError, ModelRunError, load_model

TYPES = {
    ColumnKind.NUMBER: "tensor(float)",
    ColumnKind.TEXT: "tensor(string)",
    ColumnKind.DATE: "tensor(string)",
}
FLOATS = "tensor(float)"
DOUBLES = "tensor(double)"
ALONE = 8
"""Rows that are asked about one by one, too."""
CLOSE = 1e-3
"""How far a sum of probabilities may be from 1, and an answer to a row alone from the one among others: a number's by
that share of itself, or of the standard deviation of the answers."""
Layout = Literal["matrix", "columns"]


def load_checked(content: bytes, manifest: Manifest, rows: FeatureRows) -> Manifest:
    """Load a model and ask it about rows; returns the manifest with the layout of its inputs.

    Raises
    ------
    JobError
        ModelInvalid, with what is wrong and what the contract asks for.
    """
    try:
        scorer = OnnxScorer.load(content, manifest)
    except LOADING_ERRORS as error:
        raise model_error(f"ONNX Runtime does not load the model: {first_line(error)}") from error
    manifest = msgspec.structs.replace(manifest, onnx_inputs=_layout(scorer.inputs, manifest.columns))
    _check_outputs(scorer.outputs, manifest)
    scorer = OnnxScorer.load(content, manifest)
    labels, probabilities = _asked(scorer, rows)
    _check_count(labels, len(rows))
    if manifest.task is Task.REGRESSION:
        _check_numbers(labels)
    else:
        _check_labels(labels, manifest)
    if probabilities is not None:
        _check_probabilities(probabilities, manifest, len(rows))
    _check_alone(scorer, rows, labels, probabilities)
    try:
        load_model(content, manifest).warm_up()
    except (ModelLoadError, ModelMismatchError, ModelRunError) as error:
        raise model_error(f"The model cannot be served: {error}") from error
    return manifest


def _layout(inputs: Any, columns: tuple[Column, ...]) -> Layout:
    """Return how the model takes its rows: one matrix of numbers, or an input for each column."""
    if len(inputs) == 1 and all(column.kind is ColumnKind.NUMBER for column in columns):
        _check_input(inputs[0], TYPES[ColumnKind.NUMBER], len(columns))
        return "matrix"
    names, wanted = [one.name for one in inputs], [column.name for column in columns]
    if names != wanted:
        either = "one float32 input of shape (rows, columns), or " if len(columns) > 1 else ""
        raise model_error(
            f"The model has {len(names)} inputs, {listed(names)}; it needs {either}one for each column of schema.json "
            f"in the same order and of the same name: {listed(wanted)}."
        )
    for one, column in zip(inputs, columns, strict=True):
        _check_input(one, TYPES[column.kind], 1)
    return "columns"


def _check_input(one: Any, kind: str, width: int) -> None:
    shape = list(one.shape)
    if one.type != kind:
        raise model_error(f"The model's input {one.name!r} is a {one.type}; it must be a {kind}.")
    if len(shape) != 2 or isinstance(shape[0], int) or shape[1] != width:  # noqa: PLR2004 - rows and columns
        raise model_error(
            f"The model's input {one.name!r} has shape {shape}; it must be [None, {width}]: any number of rows, of "
            f"{width} each."
        )


def _check_outputs(outputs: Any, manifest: Manifest) -> None:
    found = [one.type for one in outputs]
    if manifest.task is Task.REGRESSION:
        fits = found in ([FLOATS], [DOUBLES])
        wanted = f"a {FLOATS} or a {DOUBLES}, the number, and nothing else"
    else:
        label = "tensor(int64)" if isinstance(manifest.classes[0], int) else "tensor(string)"
        fits = found in ([label], [label, FLOATS])
        wanted = f"a {label}, the label, and after it, if it has any, a {FLOATS} with the probability of each class"
    if not fits:
        told = [f"{one.name!r} ({one.type})" for one in outputs]
        raise model_error(f"The model answers {listed(told)}; it must answer {wanted}.")


def _asked(scorer: OnnxScorer, rows: FeatureRows) -> tuple[Labels, Matrix | None]:
    try:
        return scorer.predict_with_probabilities(rows.inputs())
    except SCORING_ERRORS as error:
        raise model_error(
            f"The model does not answer {len(rows):,} rows that it was to learn from: {first_line(error)}"
        ) from error


def _check_count(answers: Labels, rows: int) -> None:
    if len(answers) != rows:
        raise model_error(f"Asked about {rows:,} rows, the model gives {len(answers):,} answers; it must be one each.")


def _check_numbers(answers: Labels) -> None:
    finite = np.isfinite(answers)
    if not finite.all():
        raise model_error(
            f"For {int((~finite).sum()):,} of {len(answers):,} rows that it was to learn from, the model answers no "
            f"finite number, such as {answers[~finite][0]}. Look for missing values, a division by zero and overflow."
        )


def _check_labels(labels: Labels, manifest: Manifest) -> None:
    foreign = set(labels.tolist()) - set(manifest.classes)
    if foreign:
        raise model_error(
            f"The model answers {listed(sorted(map(repr, foreign)))}, which is none of the classes of schema.json: "
            f"{listed([repr(label) for label in manifest.classes])}."
        )


def _check_probabilities(probabilities: Matrix, manifest: Manifest, rows: int) -> None:
    shape = (rows, len(manifest.classes))
    if probabilities.shape != shape:
        raise model_error(
            f"The model's probabilities have shape {probabilities.shape}; asked about {rows:,} rows, they must have "
            f"{shape}: one for each class of schema.json."
        )
    within = np.isfinite(probabilities).all(axis=1) & (probabilities >= -CLOSE).all(axis=1)
    within &= np.abs(probabilities.sum(axis=1) - 1) <= CLOSE
    if not within.all():
        row = int(np.flatnonzero(~within)[0])
        raise model_error(
            f"For {int((~within).sum()):,} of {rows:,} rows that it was to learn from, the model's probabilities are "
            f"none, such as {listed(probabilities[row].tolist())}: they must be from 0 to 1, with a sum of 1. Apply a "
            "softmax, and look for missing values and overflow."
        )


def _check_alone(scorer: OnnxScorer, rows: FeatureRows, labels: Labels, probabilities: Matrix | None) -> None:
    """Ask about rows alone: production does, and a model that mixes rows or draws lots answers otherwise."""
    spread = float(np.std(labels, dtype=np.float64)) if labels.dtype.kind == "f" else 0.0
    for row in range(min(ALONE, len(rows))):
        alone, sure = _asked(scorer, rows[row : row + 1])
        equal = len(alone) == 1 and _close(alone[0], labels[row], spread)
        if probabilities is not None and sure is not None:
            equal &= sure.shape == (1, probabilities.shape[1]) and bool(
                np.abs(sure[0] - probabilities[row]).max() <= CLOSE
            )
        if not equal:
            raise model_error(
                "The model answers a row otherwise when it is asked about it alone. Each row must be answered by "
                "itself, and chance left out: export the model for inference."
            )


def _close(alone: Any, among: Any, spread: float) -> bool:
    if not isinstance(among, np.floating):
        return bool(alone == among)
    return abs(float(alone) - float(among)) <= CLOSE * max(abs(float(among)), spread)
