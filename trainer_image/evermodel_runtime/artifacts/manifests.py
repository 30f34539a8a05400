"""Manifests and models as blobs: what was written is what is read, by digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import msgspec

from evermodel.contract import Manifest
from evermodel_runtime.artifacts.scorer import Scorer, load_scorer


class BlobStore(Protocol):
    """Where artifacts are."""

    def put_blob(self, content: bytes) -> str:
        """Store bytes; returns their sha256."""
        ...

    def blob(self, sha256: str) -> bytes:
        """Return the bytes of this digest."""
        ...


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model as evaluation needs it."""

    manifest: Manifest
    scorer: Scorer
    training_rows: bytes


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the same bytes for equal manifests, so that the digest names the content."""
    return msgspec.json.encode(manifest, order="deterministic")


def read_manifest(blobs: BlobStore, sha256: str) -> Manifest:
    """Fetch a manifest."""
    return msgspec.json.decode(blobs.blob(sha256), type=Manifest)


def load_model(blobs: BlobStore, sha256: str) -> StoredModel:
    """Fetch a manifest and everything it names."""
    manifest = read_manifest(blobs, sha256)
    scorer = load_scorer(blobs.blob(manifest.artifact), manifest)
    return StoredModel(manifest, scorer, blobs.blob(manifest.training_rows))
