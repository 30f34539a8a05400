"""What the hub stores of a model and of data."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from evermodel.contract.measures import Metric, Task
from evermodel.contract.message import Message, Scalar
from evermodel.contract.reports import EpochSummary, ModelFormat
from evermodel.contract.runs import Ensemble, PreprocessingStep


class ColumnKind(StrEnum):
    """How a column is read and served."""

    NUMBER = "number"
    TEXT = "text"
    DATE = "date"
    """Text in files and requests, in ISO 8601: rows hold one spelling of each moment."""


class Column(Message, frozen=True, kw_only=True):
    """One feature as the model expects it."""

    name: str
    kind: ColumnKind
    nullable: bool = False
    """Whether a row may lack it: what is missing is filled as in training."""


class Manifest(Message, frozen=True, kw_only=True):
    """The record of one trained model, itself stored by sha256: the digest of its JSON names the version's content."""

    model: str
    version: int
    columns: tuple[Column, ...]
    target: str | None = None
    """Column that it answers; None of a model of an earlier image."""
    task: Task = Task.CLASSIFICATION
    classes: tuple[Scalar, ...] = ()
    """Labels in the order of the model's probabilities; none of a regressor."""
    onnx: str | None = None
    """sha256 of the ONNX file; None for a model that is stored by skops."""
    skops: str | None = None
    """sha256 of the skops archive, where there is no ONNX file."""
    onnx_inputs: Literal["matrix", "columns"]
    """matrix: one float32 input ``X`` of shape (rows, columns); columns: one of shape (rows, 1) for each column."""
    training_rows: str
    """sha256 of a file of little-endian uint64, sorted: hashes of the rows trained on."""
    majority: Scalar | None = None
    """Most frequent class of the training rows, for the dummy."""
    mean: float | None = None
    """Mean of the numbers trained on, for the dummy of a regressor …"""
    median: float | None = None
    """… and their median, which has the smallest absolute errors."""
    bins: str | None = None
    """sha256 of a Reference: how the values were spread that the model learnt from; None: nobody can tell drift."""
    data_sha256: str
    feedback_through: int | None
    estimator: str
    parameters: dict[str, Any]
    ensemble: Ensemble | None = None
    """What the estimator is made of, where it is made of others."""
    preprocessing: tuple[PreprocessingStep, ...] = ()
    """The steps that were taken, declared or by default."""
    search: str | None = None
    """sha256 of the SearchTable that the parameters come from; None where none was searched for."""
    libraries: dict[str, str]
    learning_curve: str | None = None
    """sha256 of a LearningCurve as JSON; None for a model that was not trained in epochs."""
    tensorboard: str | None = None
    """sha256 of the same as an event file of TensorBoard."""
    pipeline: str | None = None
    """sha256 of the pipeline as a skops archive, for a later training to start from; None where none was asked for."""
    started_from: str | None = None
    """sha256 of the manifest, or of the archive, that the training started from; None: from nothing."""

    @property
    def format(self) -> ModelFormat:
        """How the model is stored: told by which digest there is."""
        return ModelFormat.SKOPS if self.onnx is None else ModelFormat.ONNX

    @property
    def artifact(self) -> str:
        """Digest of the model's file, whichever it is; empty when there is none."""
        return self.onnx or self.skops or ""


class Epoch(Message, frozen=True, kw_only=True):
    """One pass over the rows."""

    number: int
    """From 1."""
    validation: float
    """Accuracy on the rows that were kept apart; of a regressor, R²."""
    loss: float | None = None
    """Mean loss on the rows that were learnt from, where the estimator has one."""


class LearningCurve(Message, frozen=True, kw_only=True):
    """How a model came about, epoch by epoch."""

    metric: Metric
    """What ``validation`` is: accuracy, or r2 of a regressor."""
    epochs: tuple[Epoch, ...]
    best: int
    """Number of the epoch whose weights were kept."""
    learning_rows: int
    validation_rows: int
    ended: str
    """Why there was no further epoch."""

    @property
    def summary(self) -> EpochSummary:
        """What the version's record holds of it."""
        best = self.epochs[self.best - 1]
        return EpochSummary(run=len(self.epochs), best=best.number, validation=best.validation, loss=best.loss)


class DatasetInfo(Message, frozen=True, kw_only=True):
    """Answer to an upload."""

    name: str
    sha256: str
    size: int
