"""The digest of a manifest, written into it: whether the newest was applied is told without a look at its fields."""

from __future__ import annotations

import hashlib

import msgspec

from evermodel.core.actions import Manifest
from evermodel.core.names import APPLIED_ANNOTATION

_LENGTH = 16


def stamped(manifest: Manifest) -> Manifest:
    """Return a manifest with its own digest among its annotations."""
    canonical = msgspec.json.encode(manifest, order="deterministic")
    annotations = manifest["metadata"].get("annotations") or {}
    digest = hashlib.sha256(canonical).hexdigest()[:_LENGTH]
    metadata = manifest["metadata"] | {"annotations": annotations | {APPLIED_ANNOTATION: digest}}
    return manifest | {"metadata": metadata}


def unstamped(manifest: Manifest) -> Manifest:
    """Return a manifest without its digest: to be compared with an object that was applied with more fields."""
    annotations = {key: text for key, text in manifest["metadata"]["annotations"].items() if key != APPLIED_ANNOTATION}
    return manifest | {"metadata": manifest["metadata"] | {"annotations": annotations}}
