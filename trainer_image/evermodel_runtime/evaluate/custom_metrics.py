"""Metrics that containers of the user's own measure: what they are given, and what is taken of what they leave.

Each is given files of truth and predictions, one for each model on each held-out set, in an order that tells neither
which model is the candidate nor which set decides; it writes a number for each file. Nothing that it wrote is trusted
but as a finite number: whether it measures what it should is its author's business.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import msgspec
import pyarrow as pa
from pyarrow import csv

from evermodel.contract import (
    INPUT_ENV,
    INPUT_MOUNT,
    METRICS_ENV,
    METRICS_MOUNT,
    FailureReason,
    Message,
    Task,
)
from evermodel_runtime.custom.output import read_plain, told_of
from evermodel_runtime.data.failure import JobError, listed
from evermodel_runtime.evaluate.answers import Answers, ClassAnswers, NumberAnswers
from evermodel_runtime.evaluate.cases import AskedSet
from evermodel_runtime.evaluate.comparison import DIGITS

VALUES_FILE = "values.json"
FILES_FILE = "files.json"
LARGEST_VALUES = 64 << 10
PROBABILITY = "probability:"
"""What the name of a column of probabilities begins with; the class follows."""
Which = Literal["candidate", "champion"]


class PredictionFile(Message, frozen=True, kw_only=True):
    """A file of truth and predictions, as ``files.json`` describes it."""

    name: str
    rows: int
    task: Task
    classes: tuple[str, ...] = ()
    """Classes with a column of probabilities, in the order of the columns; none where the model knows none."""


class PredictionFiles(Message, frozen=True, kw_only=True):
    """``files.json``: what there is to measure."""

    files: tuple[PredictionFile, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """Where truth and predictions are given, and where each custom metric leaves its numbers."""

    input: Path = Path(INPUT_MOUNT)
    metrics: Path = Path(METRICS_MOUNT)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Return the folders of the contract, or those that the environment names."""
        return cls(Path(environ.get(INPUT_ENV, INPUT_MOUNT)), Path(environ.get(METRICS_ENV, METRICS_MOUNT)))


@dataclass(frozen=True, slots=True)
class Given:
    """The answers of one model to one set, and the file that holds them."""

    set: str
    which: Which
    content: bytes
    file: PredictionFile


@dataclass(frozen=True, slots=True)
class Measured:
    """Numbers of all custom metrics, by name and file."""

    files: tuple[Given, ...]
    values: Mapping[str, Mapping[str, float]]

    def of(self, name: str, which: Which) -> dict[str, float]:
        """Return the custom metrics of one model on one set; none of a model that was not asked."""
        found = next((one for one in self.files if (one.set, one.which) == (name, which)), None)
        return {} if found is None else {metric: values[found.file.name] for metric, values in self.values.items()}


def give(asked: tuple[AskedSet, ...], folder: Path) -> tuple[Given, ...]:
    """Write truth and predictions for the containers that measure them."""
    files = given(asked)
    for one in files:
        (folder / one.file.name).write_bytes(one.content)
    described = msgspec.json.encode(PredictionFiles(files=tuple(one.file for one in files)))
    (folder / FILES_FILE).write_bytes(msgspec.json.format(described, indent=2) + b"\n")
    return files


def given(asked: tuple[AskedSet, ...]) -> tuple[Given, ...]:
    """Return what is given, in an order that follows from the bytes alone."""
    written: list[tuple[bytes, str, Which, Answers]] = []
    for one in asked:
        name, ours, theirs = one.use.set, one.compared.ours, one.compared.theirs
        written.append((as_csv(ours), name, "candidate", ours))
        if theirs is not None:
            written.append((as_csv(theirs), name, "champion", theirs))
    written.sort(key=lambda one: hashlib.sha256(one[0]).digest())
    return tuple(
        Given(name, which, content, _described(f"{place}.csv", answers))
        for place, (content, name, which, answers) in enumerate(written, start=1)
    )


def as_csv(answers: Answers) -> bytes:
    """Write truth, predictions and probabilities as CSV with a header, a line for each row."""
    if not isinstance(answers, ClassAnswers | NumberAnswers):
        raise TypeError(f"{type(answers)} are answers of no task.")
    columns = {"truth": pa.array(answers.truth), "prediction": pa.array(answers.said)}
    if isinstance(answers, ClassAnswers) and answers.probabilities is not None:
        for place, label in enumerate(answers.classes.tolist()):
            columns[f"{PROBABILITY}{label}"] = pa.array(answers.probabilities[:, place])
    stream = pa.BufferOutputStream()
    csv.write_csv(pa.table(columns), stream)
    content: bytes = stream.getvalue().to_pybytes()
    return content


def measured(metrics: tuple[str, ...], asked: tuple[AskedSet, ...], places: Places) -> Measured:
    """Return what all custom metrics measured.

    Raises
    ------
    JobError
        MetricInvalid: a container did not leave one finite number for each file.
    """
    files = given(asked)
    for one in files:
        if (places.input / one.file.name).read_bytes() != one.content:
            raise RuntimeError(f"{one.file.name} is not what the models answer: the rows changed since it was written.")
    wanted = [one.file.name for one in files]
    return Measured(files, {metric: read_values(metric, wanted, places.metrics / metric) for metric in metrics})


def read_values(metric: str, wanted: list[str], folder: Path) -> dict[str, float]:
    """Return one metric's number for each file, by the file's name."""

    def blame(message: str) -> JobError:
        return JobError(
            FailureReason.METRIC_INVALID,
            f"Custom metric {metric}: {message} Correct what evaluation.customMetrics runs, then ask for another run.",
        )

    path = folder / VALUES_FILE
    if not os.path.lexists(path):
        raise blame(f"its container wrote no {VALUES_FILE} to $EVERMODEL_OUTPUT; {told_of(folder)}.")
    content = read_plain(path, LARGEST_VALUES, blame)
    try:
        values = msgspec.json.decode(content, type=dict[str, float])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise blame(
            f'{VALUES_FILE} is no JSON object of a number for each file, such as {{"1.csv": 0.93}}: {error}.'
        ) from error
    missing, unknown = sorted(set(wanted) - set(values)), sorted(set(values) - set(wanted))
    if missing:
        raise blame(f"{VALUES_FILE} has no number for {listed(missing)}.")
    if unknown:
        raise blame(f"{VALUES_FILE} has numbers for {listed(unknown)}, and there are no such files.")
    return {name: float(f"{value:.{DIGITS}g}") for name, value in values.items()}


def _described(name: str, answers: Answers) -> PredictionFile:
    if not isinstance(answers, ClassAnswers):
        return PredictionFile(name=name, rows=len(answers), task=Task.REGRESSION)
    classes = () if answers.probabilities is None else tuple(answers.classes.tolist())
    return PredictionFile(name=name, rows=len(answers), task=Task.CLASSIFICATION, classes=classes)
