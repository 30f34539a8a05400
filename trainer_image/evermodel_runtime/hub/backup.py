"""Copies a volume while its hub works.

First the database as one commit left it, then the blobs: these are never changed, and on disk before anything names
them, so that all that the copied database names is there.
"""

from __future__ import annotations

import hashlib
import io
import sqlite3
import tarfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from evermodel_runtime.hub.archive import BLOB_PREFIX, CONTENTS, FORMAT, BackupError, Contents, Hashed
from evermodel_runtime.hub.blobs import DIGEST
from evermodel_runtime.hub.volume import BLOBS, DATABASE, blob_paths


def write_backup(data: Path, copy: Path, target: BinaryIO, at: datetime) -> Contents:
    """Write a backup of a volume to a file or pipe.

    Parameters
    ----------
    data : Path
        The hub's folder.
    copy : Path
        Where the database is copied to first; left to the caller to remove.
    target : BinaryIO
        What is written to; it need not be seekable.
    at : datetime
        When that is.

    Raises
    ------
    BackupError
        There is no database, or it is damaged.
    """
    schema = _copy_database(data / DATABASE, copy)
    names, damaged, blobs = hashlib.sha256(), [], 0
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        database = _add(archive, DATABASE, copy)
        for path in _blobs(data / BLOBS):
            try:
                found = _add(archive, BLOB_PREFIX + path.name, path)
            except FileNotFoundError:  # removed since the folder was listed: nothing named it for a day
                continue
            blobs += 1
            names.update(path.name.encode())
            if found != path.name:
                damaged.append(path.name)
        contents = Contents(
            format=FORMAT,
            schema=schema,
            made_at=at.isoformat(timespec="seconds"),
            database=database,
            blobs=blobs,
            digests=names.hexdigest(),
            damaged=tuple(damaged),
        )
        body = msgspec.json.encode(contents)
        archive.addfile(_member(CONTENTS, len(body)), io.BytesIO(body))
    return contents


def _copy_database(database: Path, copy: Path) -> int:
    """Copy the database as of one commit, without what was deleted; returns its schema."""
    if not database.exists():
        raise BackupError(f"there is no {database}: is this the hub's volume (EVERMODEL_HUB_DATA)?")
    try:
        connection = sqlite3.connect(database, isolation_level=None)
        try:
            connection.execute("VACUUM INTO ?", (str(copy),))
        finally:
            connection.close()
        return check_database(copy)
    except sqlite3.Error as error:
        raise BackupError(f"the database cannot be copied: {error}") from error


def check_database(path: Path) -> int:
    """Return the schema of a database that nobody uses.

    Raises
    ------
    BackupError
        It is damaged.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise BackupError(f"the database is damaged: {error}") from error
    finally:
        connection.close()
    if found != "ok":
        raise BackupError(f"the database is damaged: {found}")
    return int(schema)


def _blobs(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(blob_paths(folder)) if DIGEST.fullmatch(path.name))


def _add(archive: tarfile.TarFile, name: str, path: Path) -> str:
    """Add a file, read once; returns its sha256."""
    with path.open("rb") as file:
        hashed = Hashed(file)
        archive.addfile(_member(name, path.stat().st_size), hashed)
    return hashed.digest


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o600
    return member
