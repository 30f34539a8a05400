"""Fills an empty volume from a backup: all of it, or nothing that a hub would take for a volume."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from evermodel_runtime.hub.archive import BLOB_PREFIX, CONTENTS, FORMAT, BackupError, Contents, Hashed
from evermodel_runtime.hub.backup import check_database
from evermodel_runtime.hub.blobs import DIGEST, READ_BYTES
from evermodel_runtime.hub.schema import SCHEMA_VERSION
from evermodel_runtime.hub.volume import BLOBS, DATABASE, RESTORING, blob_path, is_half_restored, sync_folder, take

_LONGEST_LIST = 64 * 1024 * 1024
_CONTENTS = msgspec.json.Decoder(Contents)


def restore(source: BinaryIO, data: Path) -> Contents:
    """Read a backup from a file or pipe into the volume of a hub that does not run.

    Parameters
    ----------
    source : BinaryIO
        Read to its end; it need not be seekable.
    data : Path
        The hub's folder, in which nothing is yet but what a restore that was cut off left.

    Raises
    ------
    VolumeError
        A hub is using the volume.
    BackupError
        The volume has something, or what was read is no whole backup; the message says which.
    """
    with take(data):
        _refuse_what_is_there(data)
        beside = data / RESTORING
        (beside / BLOBS).mkdir(parents=True)
        contents = _unpack(source, beside)
        _put_in_place(beside, data)
    return contents


def _refuse_what_is_there(data: Path) -> None:
    """Remove what a restore left that was cut off, and refuse anything else."""
    if is_half_restored(data):
        shutil.rmtree(data / BLOBS, ignore_errors=True)
        shutil.rmtree(data / RESTORING)
    for name in (DATABASE, BLOBS):
        if (data / name).exists():
            raise BackupError(
                f"{data} holds {name} already: a backup goes into an empty volume, so that no label is overwritten"
            )


@dataclass(slots=True)
class _Unpacked:
    """What was read of a backup, on disk below a folder."""

    folder: Path
    contents: Contents | None = None
    database: str | None = None
    blobs: int = 0
    names: hashlib._Hash = field(default_factory=hashlib.sha256)
    wrong: set[str] = field(default_factory=set)
    """Blobs that do not have the bytes of their name."""

    def blob(self, digest: str) -> Path:
        return blob_path(self.folder / BLOBS, digest)

    def add(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Take the next member."""
        digest = member.name.removeprefix(BLOB_PREFIX)
        if member.name == DATABASE:
            self.database = _write(archive, member, self.folder / DATABASE)
        elif member.name == CONTENTS and member.size <= _LONGEST_LIST:
            self.contents = _CONTENTS.decode(_file(archive, member).read())
        elif member.name == BLOB_PREFIX + digest and DIGEST.fullmatch(digest):
            self.blobs += 1
            self.names.update(digest.encode())
            if _write(archive, member, self.blob(digest)) != digest:
                self.wrong.add(digest)
        else:
            raise BackupError(f"this is no backup of a hub: it has a member {member.name[:80]!r}")


def _unpack(source: BinaryIO, folder: Path) -> Contents:
    """Write database and blobs below a folder, and leave there what is whole."""
    unpacked = _Unpacked(folder)
    try:
        with tarfile.open(fileobj=source, mode="r|") as archive:
            for member in archive:
                unpacked.add(archive, member)
    except tarfile.TarError as error:
        raise BackupError(f"this is no whole backup of a hub, it may have been cut off: {error}") from error
    except msgspec.MsgspecError as error:
        raise BackupError(f"the list at the backup's end cannot be read: {error}") from error
    contents = _checked(unpacked)
    for digest in unpacked.wrong:
        unpacked.blob(digest).unlink()
    return contents


def _checked(unpacked: _Unpacked) -> Contents:
    """Return the list at the end of the backup, if what was read is what it says."""
    contents = unpacked.contents
    if contents is None:
        raise BackupError(f"the backup was cut off: {CONTENTS}, its last part, is not there")
    if contents.format != FORMAT or contents.schema > SCHEMA_VERSION:
        raise BackupError(
            f"the backup has format {contents.format} and schema {contents.schema}, this image knows {FORMAT} and "
            f"{SCHEMA_VERSION}: run a newer image"
        )
    held = (unpacked.database, unpacked.blobs, unpacked.names.hexdigest())
    if held != (contents.database, contents.blobs, contents.digests):
        raise BackupError("the backup is damaged: it does not hold what the list at its end says")
    broken = unpacked.wrong - set(contents.damaged)
    if broken:
        raise BackupError(f"the backup is damaged: blob {min(broken)} has other bytes ({len(broken)} in all)")
    check_database(unpacked.folder / DATABASE)
    return contents


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> str:
    """Write a member to disk; returns its sha256."""
    if not path.parent.is_dir():
        path.parent.mkdir()
        sync_folder(path.parent.parent)
    source = Hashed(_file(archive, member))
    with path.open("wb") as file:
        shutil.copyfileobj(source, file, READ_BYTES)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)
    return source.digest


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo) -> BinaryIO:
    file = archive.extractfile(member)
    if file is None:
        raise BackupError(f"this is no backup of a hub: {member.name[:80]!r} is no file")
    return file  # type: ignore[return-value]  # IO[bytes] is what BinaryIO says


def _put_in_place(beside: Path, data: Path) -> None:
    """Move what is complete, the database last: no hub starts while the folder beside is there and it is not."""
    for name in (BLOBS, DATABASE):
        (beside / name).rename(data / name)
    sync_folder(data)
    shutil.rmtree(beside)
    sync_folder(data)
