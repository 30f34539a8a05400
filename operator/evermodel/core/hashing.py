"""What makes a run a different run: only a change of these fields starts a Job."""

from __future__ import annotations

import hashlib

import msgspec

from evermodel.api.modeldeployment import ModelDeploymentSpec

SCHEME = "1"
"""Goes up when the list of fields changes; hashes of different schemes are never compared as unequal data."""


def training_hash(spec: ModelDeploymentSpec) -> str:
    """Digest of the data and training that a spec declares, with the scheme before a colon.

    Thresholds, replicas, resources, images and deadlines are no part of it: changing them starts no run. What is left at
    its default is left out, so that a field added later changes no hash.
    """
    training = spec.training
    data = {name: value for name, value in msgspec.to_builtins(spec.data).items() if value not in ({}, [])}
    inputs = {
        "data": data,
        "estimator": training.estimator,
        "parameters": training.parameters,
        "preprocessing": msgspec.to_builtins(training.preprocessing),
    }
    canonical = msgspec.json.encode(inputs, order="deterministic")
    return f"{SCHEME}:{hashlib.sha256(canonical).hexdigest()[:16]}"
