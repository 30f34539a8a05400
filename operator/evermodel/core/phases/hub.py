"""The namespace's hub: any ModelDeployment needs it, before its first run."""

from __future__ import annotations

from evermodel.core.actions import Action, ApplyHub, EnsureSecrets
from evermodel.core.observed import Observed
from evermodel.core.step import Step

STATEFUL_SET = "StatefulSet"
KINDS = frozenset({STATEFUL_SET, "Service"})
"""Kinds of the hub's objects."""


def step(observed: Observed) -> Step:
    """Apply what is missing or was edited; its key is made with the StatefulSet or when the pod misses it."""
    missing = KINDS - observed.hub.applied
    actions: list[Action] = []
    if STATEFUL_SET in missing or observed.hub.missing_secret:
        actions.append(EnsureSecrets(hub=True, model=False))
    if missing:
        actions.append(ApplyHub(kinds=missing))
    return Step(actions=tuple(actions))
