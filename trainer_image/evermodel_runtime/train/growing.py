"""Make a fitted model larger so that it still answers the same: more trees, or wider layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST_SHARE = 0.3
"""Of a unit's outgoing weight, what each of two units gets that replace it."""


def widths(sizes: Any) -> list[int]:
    """Return ``hidden_layer_sizes``, which may be a number, as a list."""
    return [int(size) for size in np.atleast_1d(sizes)]


def widen(perceptron: Any, sizes: Sequence[int], random: np.random.Generator) -> None:
    """Give the hidden layers of a fitted perceptron more units; it answers as before (Net2Net, Chen et al. 2016).

    A new unit repeats one that was there, and the two share its outgoing weight. They share it unevenly: equal halves
    would get equal gradients for ever, and the paper's noise would change the answers.
    """
    for layer, size in enumerate(sizes):
        incoming, outgoing = perceptron.coefs_[layer], perceptron.coefs_[layer + 1]
        repeated = random.integers(incoming.shape[1], size=size - incoming.shape[1])
        outgoing = outgoing.copy()
        added = np.empty((len(repeated), outgoing.shape[1]), dtype=outgoing.dtype)
        for place, unit in enumerate(repeated):
            share = random.uniform(LEAST_SHARE, 1 - LEAST_SHARE)
            added[place] = share * outgoing[unit]
            outgoing[unit] *= 1 - share
        perceptron.coefs_[layer] = np.hstack([incoming, incoming[:, repeated]])
        biases = perceptron.intercepts_[layer]
        perceptron.intercepts_[layer] = np.concatenate([biases, biases[repeated]])
        perceptron.coefs_[layer + 1] = np.vstack([outgoing, added])
    perceptron.set_params(hidden_layer_sizes=list(sizes))
    forget_steps(perceptron)


def forget_steps(perceptron: Any) -> None:
    """Drop the optimiser's memory, which is of weights of other shapes or of another pace."""
    if hasattr(perceptron, "_optimizer"):
        del perceptron._optimizer  # noqa: SLF001 - made anew by the next step


def largest_change(before: Floats, after: Floats) -> float:
    """Return the largest difference of probabilities or answers."""
    return float(np.abs(before - after).max())
