"""Weights of classes: JSON names every class by a text, whatever its type is."""

from __future__ import annotations

from typing import Any

import numpy as np

from evermodel.contract import label_text
from evermodel_runtime.data.failure import did_you_mean, listed, spec_error
from evermodel_runtime.data.rows import Labels

PARAMETER = "class_weight"
FIELD = f"spec.training.parameters.{PARAMETER}"


def with_weights_of(pipeline: Any, labels: Labels) -> Any:
    """Return the pipeline with ``class_weight`` by the labels themselves, where it is declared class by class.

    Raises
    ------
    JobError
        SpecInvalid when it names a class that is not there, or leaves one out.
    """
    estimator = pipeline[-1]
    declared = estimator.get_params(deep=False).get(PARAMETER)
    if not isinstance(declared, dict):
        return pipeline
    classes = {label_text(label): label for label in np.unique(labels).tolist()}
    unknown = [name for name in declared if label_text(name) not in classes]
    if unknown:
        raise spec_error(
            f"{FIELD} names {unknown[0]!r}, which is no class.{did_you_mean(str(unknown[0]), classes)} The classes are "
            f"{listed(list(classes))}."
        )
    left_out = [name for name in classes if name not in declared]
    if left_out:
        raise spec_error(f"{FIELD} leaves out the class {left_out[0]!r}: give each class a weight.")
    return pipeline.set_params(
        **{f"{pipeline.steps[-1][0]}__{PARAMETER}": {classes[name]: weight for name, weight in declared.items()}}
    )
