"""What a backup is: one tar file of the database, the blobs, and at its end a list of what it holds.

The list comes last, so that a backup that was cut off is known by the lack of it.
"""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from evermodel.contract.message import Message

FORMAT = 1
BLOB_PREFIX = "blobs/"
CONTENTS = "backup.json"


class Contents(Message, frozen=True, kw_only=True):
    """The last member of a backup."""

    format: int
    schema: int
    """Of the database."""
    made_at: str
    database: str
    """Its sha256."""
    blobs: int
    digests: str
    """sha256 of the blobs' names, one after the other."""
    damaged: tuple[str, ...] = ()
    """Blobs whose bytes were not those of their name on the volume already; they are not restored."""


class BackupError(Exception):
    """No backup could be made, or what was given is none; the message says why."""


class Hashed:
    """A file that is read to its end, with the sha256 of what was read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        data = self._file.read(size)
        self._hash.update(data)
        return data

    @property
    def digest(self) -> str:
        """sha256 of all that was read."""
        return self._hash.hexdigest()
