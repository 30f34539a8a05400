"""What makes a run a different run: only a change of these fields starts a Job."""

from __future__ import annotations

import hashlib

import msgspec

from evermodel.api.modeldeployment import DataFormat, ModelDeploymentSpec, Resources, Search
from evermodel.contract import Measure, SearchAlgorithm, Task
from evermodel.core.objectives import objective_of

SCHEME = "1"
"""Goes up when the list of fields changes; hashes of different schemes are never compared as unequal data."""


def training_hash(spec: ModelDeploymentSpec) -> str:
    """Digest of the data, the training and the metric that a spec declares, with the scheme before a colon.

    Another metric needs another evaluation: scores by the one tell nothing about the other. Thresholds, replicas,
    resources, images and deadlines are no part of it: changing them starts no run. The list is explicit, so that a
    field added later changes no hash.
    """
    data, training = spec.data, spec.training
    inputs: dict[str, object] = {
        "uri": data.train.uri,
        "sha256": data.train.sha256,
        "target": data.target,
        "features": data.features,
        "idColumn": data.id_column,
        "holdout": data.holdout.fraction,
        "estimator": training.estimator,
        "parameters": training.parameters,
        "preprocessing": msgspec.to_builtins(training.preprocessing),
    }
    # Added later: in the hash only where it is set, so that what was declared before keeps its hash.
    if data.format != DataFormat():
        inputs["format"] = msgspec.to_builtins(data.format)
    parts: dict[str, msgspec.Struct | None] = {
        "model": spec.model,
        "epochs": training.epochs,
        "ensemble": training.ensemble,
        "warmStart": training.warm_start,
        "search": training.search,
        # Not where it says includeFeedback alone: records come with every later run.
        "retrainingData": spec.retraining.data if spec.retraining.data.has_rules else None,
    }
    inputs |= {name: msgspec.to_builtins(part) for name, part in parts.items() if part is not None}
    if (search := training.search) is not None and not _proposes_at_once(search):
        inputs["search"] = {name: one for name, one in msgspec.to_builtins(search).items() if name != "parallelism"}
    # Where neither of these has the pipeline stored anyway, a version that can learn on has to be made first.
    if spec.retraining.online is not None and training.epochs is None and training.warm_start is None:
        inputs["online"] = True
    if spec.task is not Task.CLASSIFICATION:
        inputs["task"] = spec.task
    if (objective := objective_of(spec.objective)) != Measure():
        inputs["objective"] = {"metric": objective.metric, "positiveClass": objective.positive_class}
    if training.container is not None:  # its resources are no part of it, as those of the other containers
        made_by = msgspec.structs.replace(training.container, resources=Resources())
        inputs["container"] = msgspec.to_builtins(made_by)
    canonical = msgspec.json.encode(inputs, order="deterministic")
    return f"{SCHEME}:{hashlib.sha256(canonical).hexdigest()[:16]}"


def _proposes_at_once(search: Search) -> bool:
    """Tell whether the result of a search depends on how many pods make it: what TPE proposes at once, it does."""
    return search.algorithm is SearchAlgorithm.TPE and search.parallelism > 1
