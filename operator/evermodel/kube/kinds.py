"""The kinds that the operator knows, and where the API server keeps them."""

from __future__ import annotations

from dataclasses import dataclass

from evermodel.api import API_VERSION


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of namespaced objects."""

    name: str
    api_version: str
    plural: str

    @property
    def group(self) -> str:
        """API group; empty for the core."""
        group, separator, _ = self.api_version.partition("/")
        return group if separator else ""

    @property
    def version(self) -> str:
        """Version within the group."""
        return self.api_version.rpartition("/")[2]

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """Path of an object, or of the list of a namespace's objects, or (None) of those of all namespaces."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        scope = f"/namespaces/{namespace}" if namespace is not None else ""
        parts = (self.plural, *(part for part in (name, subresource) if part is not None))
        return f"{root}{scope}/{'/'.join(parts)}"


MODEL = Kind("ModelDeployment", API_VERSION, "modeldeployments")
VERSION = Kind("ModelVersion", API_VERSION, "modelversions")
JOB = Kind("Job", "batch/v1", "jobs")
DEPLOYMENT = Kind("Deployment", "apps/v1", "deployments")
STATEFUL_SET = Kind("StatefulSet", "apps/v1", "statefulsets")
AUTOSCALER = Kind("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers")
SERVICE = Kind("Service", "v1", "services")
POD = Kind("Pod", "v1", "pods")
CONFIG_MAP = Kind("ConfigMap", "v1", "configmaps")
SECRET = Kind("Secret", "v1", "secrets")
EVENT = Kind("Event", "v1", "events")
LEASE = Kind("Lease", "coordination.k8s.io/v1", "leases")
