"""Read what a container that nobody trusts has left: plain files of a bounded size, and nothing else."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from evermodel.contract import FailureReason
from evermodel_runtime.artifacts.onnx_file import LARGEST_MODEL, MIB
from evermodel_runtime.custom.folders import MODEL_FILE, NOTES_FILE
from evermodel_runtime.data.failure import JobError, listed

LARGEST_NOTES = 64 << 10
MOST_NOTES = 3


def model_error(message: str) -> JobError:
    """Say that the model of the user's container is at fault."""
    return JobError(FailureReason.MODEL_INVALID, message)


def read_model(output: Path) -> bytes:
    """Return the bytes of the model.

    Raises
    ------
    JobError
        ModelInvalid: there is no such file, it is no plain file, or it is too large.
    """
    path = output / MODEL_FILE
    if not os.path.lexists(path):
        raise model_error(f"The container wrote no {path}; {told_of(output)}. Write the model there, as ONNX.")
    return read_plain(path, LARGEST_MODEL, model_error)


def read_notes(output: Path) -> tuple[str, ...]:
    """Return the first lines of the notes, which need not be there."""
    path = output / NOTES_FILE
    if not os.path.lexists(path):
        return ()
    text = read_plain(path, LARGEST_NOTES, model_error).decode(errors="replace")
    lines = ["".join(sign for sign in line if sign.isprintable()).strip() for line in text.splitlines()]
    return tuple(line for line in lines if line)[:MOST_NOTES]


def told_of(folder: Path) -> str:
    """Say what is in a folder."""
    names = sorted(entry.name for entry in folder.iterdir())
    return f"what is there: {listed(names)}" if names else "the folder is empty"


def read_plain(path: Path, largest: int, blame: Callable[[str], JobError]) -> bytes:
    """Read a file that is a file: no link is followed, no pipe waited for, and its size known before it is read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise blame(f"{path} cannot be read, or is a link: {error.strerror}. Write a plain file.") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise blame(f"{path} is no plain file. Write one.")
        if found.st_size > largest:
            raise blame(
                f"{path} has {found.st_size / MIB:,.1f} MiB; at most {largest / MIB:,.1f} MiB are taken. Make it "
                "smaller."
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(largest)
    finally:
        os.close(descriptor)
