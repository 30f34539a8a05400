"""References that pods count over, as training left them among the blobs."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from evermodel.contract import Reference
from evermodel_runtime.hub.blobs import DIGEST, BlobStore

_KEPT = 256
"""References held in memory, a few kilobytes each."""


class References:
    """Reads references by digest, each once."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._known = lru_cache(_KEPT)(self._read)

    def find(self, digest: str) -> Reference | None:
        """Return a reference; None where there is none of this digest."""
        return self._known(digest) if DIGEST.fullmatch(digest) and self._blobs.size(digest) is not None else None

    def _read(self, digest: str) -> Reference | None:
        try:
            return msgspec.json.decode(self._blobs.path(digest).read_bytes(), type=Reference)
        except (OSError, msgspec.MsgspecError):
            return None
