"""Files of a PersistentVolumeClaim, which is mounted read-only: nothing outside is read, whatever its links say."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evermodel.contract import FailureReason
from evermodel_runtime.data.failure import JobError, data_error, listed

HIDDEN = (".", "_")
"""First characters of what other programs leave beside data, such as _SUCCESS and .part.crc."""
NO_DATA = "lost+found"
MOST_FILES = 100_000


@dataclass(frozen=True, slots=True)
class ClaimedFile:
    """One file below the path of a source.

    Attributes
    ----------
    name : str
        What messages call it.
    path : str
        Below the path of the source; empty when it is the source itself.
    root : Path
        The mounted claim.
    place : Path
        Where the file is.
    """

    name: str
    path: str
    root: Path
    place: Path

    def read(self) -> bytes:
        """Return its bytes.

        Raises
        ------
        JobError
            DataInvalid when it is no plain file or lies outside of the claim; DataNotFound when it cannot be read.
        """
        try:
            descriptor = os.open(self.place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise _unreadable(self.name, error) from error
        with os.fdopen(descriptor, "rb") as file:
            # Asked of what was opened: a link may have been turned since it was looked at.
            _require_inside(Path(f"/proc/self/fd/{descriptor}").readlink(), self.root, self.name)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise data_error(f"{self.name} is no file and no folder: data are read from plain files.")
            try:
                return file.read()
            except OSError as error:
                raise _unreadable(self.name, error) from error

    @property
    def size(self) -> int:
        """Bytes of the file."""
        try:
            return self.place.stat().st_size
        except OSError as error:
            raise _unreadable(self.name, error) from error


def claimed_files(uri: str, mount: Path) -> tuple[ClaimedFile, ...]:
    """Return the file, or the files of the folder, that ``pvc://CLAIM/PATH`` names; those of a folder by their path.

    Raises
    ------
    JobError
        DataNotFound when nothing is there; DataInvalid when a link leads out of the claim or to a folder.
    """
    claim, _, path = uri.removeprefix("pvc://").partition("/")
    root = mount.resolve()
    place = _existing(root, path, claim)
    _require_inside(place, root, uri)
    if not place.is_dir():
        return (ClaimedFile(uri, "", root, place),)
    files = sorted(_below(place, uri), key=lambda file: file.as_posix())
    if not files:
        raise JobError(FailureReason.DATA_NOT_FOUND, f"{uri} is a folder without files.")
    if len(files) > MOST_FILES:
        raise data_error(f"{uri} has {len(files):,} files; at most {MOST_FILES:,} are read. Write fewer, larger ones.")
    paths = [file.relative_to(place).as_posix() for file in files]
    return tuple(
        ClaimedFile(f"{uri.rstrip('/')}/{path}", path, root, file) for path, file in zip(paths, files, strict=True)
    )


def _existing(root: Path, path: str, claim: str) -> Path:
    try:
        return (root / path).resolve(strict=True)
    except FileNotFoundError as error:
        parent = (root / path).parent
        there = sorted(entry.name for entry in parent.iterdir()) if parent.is_dir() else []
        holds = f"{Path(path).parent.as_posix()} holds {listed(there)}" if there else "its folder is empty or missing"
        raise JobError(
            FailureReason.DATA_NOT_FOUND, f"The claim {claim} has no {path}: {holds}. Correct spec.data.train.uri."
        ) from error
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise _unreadable(f"{path} of the claim {claim}", error) from error


def _below(folder: Path, uri: str) -> Iterator[Path]:
    """Yield the data files of a folder and of those in it."""
    for entry in _entries(folder, uri):
        if entry.name.startswith(HIDDEN) or entry.name == NO_DATA:
            continue
        if not entry.is_dir():
            yield entry
        elif entry.is_symlink():
            raise data_error(f"{uri}: {entry.name} is a link to a folder, which is not followed. Name that folder.")
        else:
            yield from _below(entry, uri)


def _entries(folder: Path, uri: str) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise _unreadable(uri, error) from error


def _require_inside(place: Path, root: Path, name: str) -> None:
    if not place.is_relative_to(root):
        raise data_error(f"{name} is a link out of the claim, which is not followed. Put the file into the claim.")


def _unreadable(name: str, error: Exception) -> JobError:
    said = error.strerror if isinstance(error, OSError) else "its links go in a circle"
    return JobError(
        FailureReason.DATA_NOT_FOUND,
        f"{name} cannot be read: {said}. Let the user {os.getuid()} or the group {os.getgid()} read it.",
    )
