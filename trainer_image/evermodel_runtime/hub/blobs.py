"""Artifacts and data as files named by their sha256. A file that has its name is whole and on disk."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import secrets
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from evermodel_runtime.hub.volume import blob_path, blob_paths, sync_folder
from evermodel_runtime.hub.writer import DiskFull

DIGEST = re.compile(r"[0-9a-f]{64}")
READ_BYTES = 1024 * 1024
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


class WrongDigest(Exception):  # noqa: N818 - says what was found
    """The bytes are not those that the name promises."""

    def __init__(self, found: str) -> None:
        super().__init__(found)
        self.found = found


class TooLarge(Exception):  # noqa: N818 - says what was found
    """The body is longer than the limit."""


class BlobStore:
    """Files by digest below a folder.

    Parameters
    ----------
    folder : Path
        Made when it is not there.
    limit : int
        Bytes of the largest blob that is taken.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._limit = limit
        self._naming = threading.Lock()
        self._incoming.mkdir(parents=True, exist_ok=True)
        for unfinished in self._incoming.iterdir():
            unfinished.unlink()

    def path(self, digest: str) -> Path:
        """Where a blob is, or would be."""
        return blob_path(self._folder, digest)

    def size(self, digest: str) -> int | None:
        """Bytes of a blob; None when it is not there."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def documents(self, largest: int) -> Iterator[bytes]:
        """Return the blobs of at most so many bytes that may be JSON objects, one after the other."""
        for path in blob_paths(self._folder):
            try:
                if path.stat().st_size <= largest:
                    with path.open("rb") as file:
                        head = file.read(1)
                        if head == b"{":
                            yield head + file.read()
            except FileNotFoundError:
                continue

    def remove_unless_newer(self, digest: str, than: float) -> bool:
        """Remove a blob, unless it was uploaded after that time once more; returns whether it was removed."""
        path = self.path(digest)
        with self._naming:
            try:
                if path.stat().st_mtime > than:
                    return False
                path.unlink()
            except FileNotFoundError:
                return False
        return True

    async def receive(self, body: AsyncIterator[bytes], expected: str | None) -> tuple[str, int]:
        """Write a body as it arrives; returns its digest and size once it is on disk under its name.

        Raises
        ------
        WrongDigest, TooLarge, DiskFull
            Nothing is kept.
        """
        upload = _Upload(self._incoming / secrets.token_hex(8))
        try:
            with upload.path.open("xb") as file:
                await self._fill(file, upload, body)
                digest = upload.hash.hexdigest()
                if expected is not None and digest != expected:
                    raise WrongDigest(digest)
                await asyncio.to_thread(self._keep, file, upload.path, digest)
        except OSError as error:
            if error.errno in _NO_SPACE:
                raise DiskFull from error
            raise
        finally:
            upload.path.unlink(missing_ok=True)
        return digest, upload.size

    async def _fill(self, file: BinaryIO, upload: _Upload, body: AsyncIterator[bytes]) -> None:
        waiting: list[bytes] = []
        held = 0
        async for piece in body:
            waiting.append(piece)
            held += len(piece)
            if upload.size + held > self._limit:
                raise TooLarge
            if held >= READ_BYTES:  # a thread for each piece of a socket's read would cost more than the write
                await asyncio.to_thread(upload.append, file, b"".join(waiting))
                waiting, held = [], 0
        await asyncio.to_thread(upload.append, file, b"".join(waiting))

    def _keep(self, file: BinaryIO, path: Path, digest: str) -> None:
        file.flush()
        os.fsync(file.fileno())
        final = self.path(digest)
        if not final.parent.is_dir():
            final.parent.mkdir(exist_ok=True)
            sync_folder(self._folder)
        with self._naming:  # else the same bytes, uploaded once more, might be removed with those of before
            path.rename(final)
        sync_folder(final.parent)


@dataclass(slots=True)
class _Upload:
    path: Path
    size: int = 0
    hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    def append(self, file: BinaryIO, data: bytes) -> None:
        self.hash.update(data)
        file.write(data)
        self.size += len(data)
