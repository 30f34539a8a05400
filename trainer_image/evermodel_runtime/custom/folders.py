"""The folders through which a container of the user's own is given rows and gives a model, and what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec

from evermodel.contract import (
    INPUT_ENV,
    INPUT_MOUNT,
    OUTPUT_ENV,
    OUTPUT_MOUNT,
    STATE_ENV,
    STATE_MOUNT,
    Bins,
    Column,
    Message,
    Scalar,
    Task,
)

ROWS_FILE = "train.csv"
SCHEMA_FILE = "schema.json"
MODEL_FILE = "model.onnx"
NOTES_FILE = "notes.txt"
PREPARED_FILE = "prepared.json"
HASHES_FILE = "training-rows"
SAMPLE_FILE = "sample.arrow"


@dataclass(frozen=True, slots=True)
class Folders:
    """Where they are.

    Attributes
    ----------
    input : Path
        What the user's container reads.
    output : Path
        What it writes: nothing in it is trusted.
    state : Path
        What goes past it.
    """

    input: Path
    output: Path
    state: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Return the folders of the contract, or those that the environment names."""
        places = ((INPUT_ENV, INPUT_MOUNT), (OUTPUT_ENV, OUTPUT_MOUNT), (STATE_ENV, STATE_MOUNT))
        return cls(*(Path(environ.get(variable, mount)) for variable, mount in places))


class TrainingSchema(Message, frozen=True, kw_only=True):
    """``schema.json``: what the user's container is told of its rows."""

    model: str
    version: int
    task: Task
    target: str
    columns: tuple[Column, ...]
    """Features, in the order of the file and of the model's inputs."""
    classes: tuple[Scalar, ...]
    """Labels, in the order of the probabilities that the model is to answer; none of numbers."""
    rows: int
    feedback_rows: int
    """The last so many rows are labelled production records, oldest first; those before are the source's."""
    parameters: dict[str, Any]
    """``spec.training.parameters``, as they are."""
    seed: int


class Prepared(Message, frozen=True, kw_only=True):
    """What the publishing container needs to know besides the model."""

    data_sha256: str
    columns: tuple[Column, ...]
    classes: tuple[Scalar, ...]
    majority: Scalar | None
    mean: float | None
    median: float | None
    rows: int
    feedback_rows: int
    bins: tuple[Bins, ...]
    """How the values of each column are spread."""
    notes: tuple[str, ...]


def write_message(message: Message, path: Path) -> None:
    """Write a message as JSON that people read, too."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(message), indent=2) + b"\n")
