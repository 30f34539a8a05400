"""The folder that one process has at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path

DATABASE = "hub.sqlite3"
BLOBS = "blobs"
"""Folder of the files that are named by their sha256."""
RESTORING = "restoring"
"""Folder of the volume in which a restore gathers what it puts in place at its end, the database last."""


class VolumeError(Exception):
    """The volume cannot be used as it is."""


def take(data: Path) -> TextIOWrapper:
    """Take the volume until the file that is returned is closed, or the process ends.

    Raises
    ------
    VolumeError
        Another process has it.
    """
    data.mkdir(parents=True, exist_ok=True)
    lock = (data / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise VolumeError(f"another hub is using {data}: one hub owns a volume") from error
    return lock


def blob_path(folder: Path, digest: str) -> Path:
    """Return where a blob is below the folder of blobs, or would be."""
    return folder / digest[:2] / digest


def blob_paths(folder: Path) -> Iterator[Path]:
    """Return where all blobs are, in no order."""
    return folder.glob("??/*")


def is_half_restored(data: Path) -> bool:
    """Tell whether a restore into the volume was cut off."""
    return (data / RESTORING).exists() and not (data / DATABASE).exists()


def refuse_half_restored(data: Path) -> None:
    """Keep a hub from beginning an empty ledger where another one is being restored.

    Raises
    ------
    VolumeError
        A restore was cut off.
    """
    if is_half_restored(data):
        raise VolumeError(
            f"a restore into {data} was cut off: run hub-restore again, or remove {data / RESTORING} to begin empty"
        )


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: syncing a file does not promise its name."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
