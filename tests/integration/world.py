"""One namespace with everything that the operator works with: a node for its pods, its hub, and the operator itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.integration.admission_cases import Value, model
from tests.integration.audit import USER, Audit
from tests.integration.fates import Deciding
from tests.integration.hub import NamespaceHub
from tests.integration.node import Node, Rule
from tests.integration.objects import CLUSTER_ROLE, ROLE, ROLE_BINDING, VOLUME, Objects
from tests.integration.operator_process import OperatorProcess
from tests.integration.waiting import until

from evermodel.api.generated import CHECKOUT
from evermodel.core.names import HUB, MODEL_LABEL, Component
from evermodel.kube.kinds import DEPLOYMENT, EVENT, JOB, MODEL, POD, SERVICE, VERSION

QUICK: Mapping[str, Value] = {
    "monitoring.interval": "1s",
    "monitoring.minSamples": 20,
    "monitoring.window": 100,
    "monitoring.falseAlarmEvery": 1000,
    "retraining.cooldown": "1s",
}
"""What makes the loop short enough to wait for."""
MANIFESTS = CHECKOUT / "manifests" / "base"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A namespace and its parts."""

    namespace: str
    objects: Objects
    node: Node
    hub: NamespaceHub
    operator: OperatorProcess
    audit: Audit

    def declare(self, name: str, changes: Mapping[str, Value] | None = None, **metadata: Any) -> None:
        """Create a ModelDeployment."""
        manifest = model(name, {**QUICK, **(changes or {})})
        self.objects.create(MODEL, manifest | {"metadata": manifest["metadata"] | metadata})

    def change(self, name: str, spec: Mapping[str, Any]) -> None:
        """Change a ModelDeployment's spec, as a merge patch."""
        self.objects.patch(MODEL, name, {"spec": spec})

    def let(self, component: Component, fate: Deciding, *, model: str = "", version: int = 0) -> None:
        """Decide what happens to pods."""
        self.node.let(Rule(self.namespace, component, model, version), fate)

    def model(self, name: str) -> dict[str, Any]:
        return self.objects.get(MODEL, name)

    def observe(self, name: str, count: int, label: int) -> None:
        """Let the champion predict class 1, and the true labels come back."""
        champion = self.model(name)["status"]["champion"]["version"]
        self.hub.label(name, self.hub.predict(name, champion, count), label)

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """Return a condition, or an empty one."""
        conditions = self.model(name).get("status", {}).get("conditions", [])
        return next((condition for condition in conditions if condition["type"] == kind), {})

    def phases(self, name: str) -> dict[int, str]:
        """Return the phases of a model's versions."""
        return {found["spec"]["number"]: found["status"]["phase"] for found in self.of(VERSION, name)}

    def version(self, name: str, number: int) -> dict[str, Any]:
        return self.objects.get(VERSION, f"{name}-v{number}")

    def jobs(self, name: str) -> list[str]:
        return [job["metadata"]["name"] for job in self.of(JOB, name)]

    def of(self, kind: Any, name: str) -> list[dict[str, Any]]:
        """Return the objects of a kind that are a model's."""
        return self.objects.all(kind, labelSelector=f"{MODEL_LABEL}={name}")

    def events(self, name: str) -> list[tuple[str, str]]:
        """Return reason and message of the Events of a model."""
        found = self.objects.all(EVENT, fieldSelector=f"involvedObject.name={name},involvedObject.kind=ModelDeployment")
        return [(event["reason"], event["message"]) for event in found]

    def wait_for_condition(self, name: str, kind: str, status: str, reason: str = "") -> dict[str, Any]:
        def holds() -> dict[str, Any] | None:
            condition = self.condition(name, kind)
            fits = condition.get("status") == status and reason in {"", condition.get("reason")}
            return condition if fits else None

        return until(f"{name} has {kind}={status} {reason}", holds, otherwise=lambda: self.summary(name))

    def wait_for_phase(self, name: str, number: int, *phases: str) -> dict[str, Any]:
        def holds() -> dict[str, Any] | None:
            return self.version(name, number) if self.phases(name).get(number) in phases else None

        return until(f"version {number} of {name} is {phases}", holds, otherwise=lambda: self.summary(name))

    def wait_for_champion(self, name: str, number: int) -> None:
        """Wait until a version takes the traffic, serves as declared, and the status of this spec says so."""

        def serves() -> bool:
            found = self.model(name)
            status = found.get("status", {})
            champion = (status.get("champion") or {}).get("version")
            seen = status.get("observedGeneration") == found["metadata"]["generation"]
            return champion == number and seen and self.condition(name, "Ready").get("status") == "True"

        until(f"version {number} of {name} serves", serves, otherwise=lambda: self.summary(name))

    def wait_for_event(self, name: str, reason: str) -> str:
        """Return the message of an Event."""
        return until(
            f"{name} has an Event {reason}",
            lambda: next((message for known, message in self.events(name) if known == reason), None),
            otherwise=lambda: self.events(name),
        )

    def wait_for_run_pod(self, name: str, job: str) -> dict[str, Any]:
        """Return the pod of a Job once it runs."""

        def running() -> dict[str, Any] | None:
            pods = self.objects.all(POD, labelSelector=f"batch.kubernetes.io/job-name={job}")
            return next((pod for pod in pods if pod["status"]["phase"] == "Running"), None)

        return until(f"the pod of {job} runs", running, otherwise=lambda: self.summary(name))

    def summary(self, name: str) -> str:
        """Say how a model is, for a test that waited in vain."""
        found = self.objects.find(MODEL, name)
        status = json.dumps(found.get("status") if found else None, indent=1)
        return "\n".join(
            [
                status,
                f"versions {self.phases(name)}, jobs {self.jobs(name)}",
                f"pods {[(pod['metadata']['name'], pod['status']['phase']) for pod in self.objects.all(POD)]}",
                self.operator.tail(),
            ]
        )

    def traffic(self, name: str) -> str:
        """Return the version that the Service sends requests to."""
        selector: dict[str, str] = self.objects.get(SERVICE, name)["spec"]["selector"]
        return selector["evermodel.dev/version"]

    def deployment(self, name: str, number: int) -> dict[str, Any]:
        return self.objects.get(DEPLOYMENT, f"{name}-v{number}")


def give_rights(objects: Objects, namespace: str) -> None:
    """Let the operator's user do in a namespace what manifests/base lets the operator's ServiceAccount do, no more."""
    cluster_role = yaml.safe_load((MANIFESTS / "operator_role.yaml").read_text())
    own_role = next(yaml.safe_load_all((MANIFESTS / "own_namespace_role.yaml").read_text()))
    own_role["metadata"]["namespace"] = namespace
    objects.of(None).apply(CLUSTER_ROLE, cluster_role)
    inside = objects.of(namespace)
    inside.apply(ROLE, own_role)
    for role in (cluster_role, own_role):
        inside.apply(ROLE_BINDING, _binding(role))


def make_volume(objects: Objects, namespace: str) -> None:
    """Provide the volume that the hub claims: without a node of its own, a cluster has no provisioner."""
    objects.of(None).create(
        VOLUME,
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": namespace},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "10Gi"},
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": {"namespace": namespace, "name": f"data-{HUB}-0"},
                "hostPath": {"path": "/nowhere"},
            },
        },
    )


def operator_settings(user: Path, folder: Path, namespace: str, hub: NamespaceHub) -> dict[str, str]:
    return {
        "KUBECONFIG": str(user),
        "EVERMODEL_RUNTIME_IMAGE": "runtime:1",
        "EVERMODEL_NAMESPACES": namespace,
        "EVERMODEL_LEASE_NAMESPACE": namespace,
        "EVERMODEL_MASTER_KEY_FILE": str(folder / "master-key"),
        "EVERMODEL_OPERATOR_HUB_URL": hub.url,
    }


def _binding(role: Mapping[str, Any]) -> dict[str, Any]:
    kind = role["kind"]
    return {
        "apiVersion": ROLE_BINDING.api_version,
        "kind": ROLE_BINDING.name,
        "metadata": {"name": f"evermodel-operator-{kind.lower()}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role["metadata"]["name"]},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER}],
    }
