"""Builders of Kubernetes objects: values in, manifests out; no client, no clock."""

from __future__ import annotations

from typing import Final

from evermodel.core.builders import Builders
from evermodel.resources.autoscalers import build_autoscaler
from evermodel.resources.deployments import build_deployment
from evermodel.resources.services import build_service

BUILDERS: Final = Builders(deployment=build_deployment, service=build_service, autoscaler=build_autoscaler)
"""What plans compare the cluster with."""
