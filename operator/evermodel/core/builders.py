"""The seam to `evermodel.resources`, which lies above the core.

A plan needs manifests to compare what is with what should be; it does not need to know how they are written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evermodel.api.modeldeployment import Autoscaling
from evermodel.core.actions import Manifest
from evermodel.core.names import APPLIED_ANNOTATION
from evermodel.core.observed import ModelView, OperatorSettings, VersionView


@dataclass(frozen=True, slots=True, kw_only=True)
class Builders:
    """Pure functions that write manifests, each with its digest in the annotation evermodel.dev/applied."""

    deployment: Callable[[ModelView, VersionView, OperatorSettings, int | None], Manifest]
    """Serving Deployment of a version that has an artifact, with so many pods; None: their number is another's."""
    service: Callable[[ModelView, int], Manifest]
    """Service at the model's URL that sends all traffic to one version."""
    autoscaler: Callable[[ModelView, int, Autoscaling], Manifest]
    """HorizontalPodAutoscaler of the version that takes the traffic."""


def fingerprint(manifest: Manifest) -> str:
    """Digest that a builder wrote into a manifest."""
    return str(manifest["metadata"]["annotations"][APPLIED_ANNOTATION])
