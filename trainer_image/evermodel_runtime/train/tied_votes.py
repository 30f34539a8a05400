"""Let a forest in ONNX Runtime break a tie between two classes as scikit-learn does: for the first."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FOREST = "TreeEnsembleClassifier"
HALF = np.float32(0.5)
UNIT = float(np.finfo(np.float32).eps)


def break_ties_as_fitted(model: Any) -> None:
    """Take so little off the weights of forests of two classes that half of the votes never add up to more than a half.

    ONNX Runtime adds the weights of the second class as float32 and compares the sum with a half, which ten votes of
    0.05 exceed by a rounding: with an even number of trees, and leaves of one class each, many rows are tied.
    """
    for node in model.graph.node:
        found = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type != FOREST or not _adds_up_votes(found):
            continue
        weights = np.array(found["class_weights"].floats, dtype=np.float32)
        trees = len(set(found["class_treeids"].ints))
        lowered = weights * np.float32(1 - share_to_take_off(trees))
        del found["class_weights"].floats[:]
        found["class_weights"].floats.extend(lowered.tolist())


def share_to_take_off(trees: int) -> float:
    """Return by which share votes of 1 / trees are lowered for half of them not to come to more than a half."""
    share = UNIT
    while _half_of_the_votes(trees, share) > HALF:
        share += UNIT
    return share


def _half_of_the_votes(trees: int, share: float) -> np.float32:
    """Add up as ONNX Runtime does: one after the other, rounded each time."""
    votes: NDArray[np.float32] = np.full(trees // 2, np.float32(1 / trees) * np.float32(1 - share), dtype=np.float32)
    total: np.float32 = np.add.accumulate(np.append(np.float32(0), votes), dtype=np.float32)[-1]
    return total


def _adds_up_votes(found: dict[str, Any]) -> bool:
    """Whether there are two classes, of which the weights of one are kept, and no link function."""
    if "class_weights" not in found or found["post_transform"].s != b"NONE" or "base_values" in found:
        return False
    classes = max(len(found[name].ints or found[name].strings) for name in found if name.startswith("classlabels"))
    return classes == 2 and len(set(found["class_ids"].ints)) == 1  # noqa: PLR2004 - two classes
