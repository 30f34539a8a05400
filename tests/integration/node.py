"""A node whose kubelet is played here: pods are really scheduled to it, and are told what happens to them.

It registers, renews its lease, and reports of each pod what its fate says; it reports a missing Secret by itself, and
ends pods that are deleted or whose own deadline has passed. Controllers and scheduler are the real ones.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from tests.integration.fates import (
    AWAITED,
    DONE,
    RUNS,
    Deciding,
    Evaluates,
    Fate,
    Scores,
    ends,
    of_trainer,
    overdue,
    ready,
    runs,
    trains,
    waits,
)
from tests.integration.objects import NODE, STRATEGIC, Connection, Objects
from tests.integration.waiting import until

from evermodel.core.names import COMPONENT_LABEL, CONTAINER, MODEL_LABEL, VERSION_LABEL, Component
from evermodel.kube.kinds import LEASE, POD, SECRET

TICK_SECONDS = 0.1
LEASE_SECONDS = 5.0
TEST_NODE = "evermodel.dev/test-node"
"""Label of these nodes."""
DEFAULTS: dict[Component, Deciding] = {
    Component.HUB: ready,
    Component.SERVE: ready,
    Component.TRAIN: trains,
    Component.SEARCH: runs,
    Component.EVALUATE: Evaluates(),
    Component.OFFLINE: Scores(),
}


class Rule(NamedTuple):
    """Which pods a fate is for."""

    namespace: str
    component: Component
    model: str = ""
    version: int = 0


class Node:
    """One node and its kubelet, which is a thread."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.name = name
        self._objects = Objects(connection, None)
        self._own = Objects(connection.another(), None)
        self._rules: dict[Rule, Deciding] = {}
        self._shown: dict[str, Fate] = {}
        self._began: dict[str, float] = {}
        self._lingering: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="kubelet")
        self.most_at_once: defaultdict[tuple[str, str], int] = defaultdict(int)
        """By namespace and model: the most pods of Jobs that were alive at the same time."""

    def start(self) -> None:
        forget_the_dead(self._objects)
        register(self._objects, self.name)
        self._thread.start()
        until(
            "the node takes pods", lambda: not self._objects.get(NODE, self.name)["spec"].get("taints"), otherwise=str
        )

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)
        self._objects.delete(NODE, self.name)

    def let(self, rule: Rule, fate: Deciding) -> None:
        """Decide what happens to pods, those that are there included."""
        self._rules[rule] = fate

    @contextmanager
    def lingering(self, namespace: str) -> Iterator[None]:
        """Let deleted pods of a namespace take their time, as long as the block lasts."""
        self._lingering.add(namespace)
        try:
            yield
        finally:
            self._lingering.discard(namespace)

    def _work(self) -> None:
        renewed = 0.0
        while not self._stop.wait(TICK_SECONDS):
            if time.monotonic() - renewed > LEASE_SECONDS:
                renew(self._own, self.name)
                renewed = time.monotonic()
            pods = self._own.all(POD, fieldSelector=f"spec.nodeName={self.name}")
            self._count(pods)
            for pod in pods:
                self._look_at(self._own.of(pod["metadata"]["namespace"]), pod)

    def _look_at(self, objects: Objects, pod: dict[str, Any]) -> None:
        uid = pod["metadata"]["uid"]
        shown = self._shown.get(uid)
        if "deletionTimestamp" in pod["metadata"]:
            self._end(objects, pod, shown)
            return
        if shown is not None and shown.is_end:
            return
        fate = overdue(shown) if shown is not None and self._is_overdue(pod) else self._fate(objects, pod, shown)
        if fate is not None and fate != shown:
            self._show(objects, pod, fate)

    def _is_overdue(self, pod: dict[str, Any]) -> bool:
        began, deadline = self._began.get(pod["metadata"]["uid"]), pod["spec"].get("activeDeadlineSeconds")
        return began is not None and deadline is not None and time.monotonic() - began > deadline

    def _fate(self, objects: Objects, pod: dict[str, Any], shown: Fate | None) -> Fate | None:
        labels = pod["metadata"]["labels"]
        component = Component(labels[COMPONENT_LABEL])
        rule = Rule(
            pod["metadata"]["namespace"], component, labels.get(MODEL_LABEL, ""), int(labels.get(VERSION_LABEL, 0))
        )
        rules = (rule, rule._replace(version=0), rule._replace(version=0, model=""))
        deciding = next((self._rules[known] for known in rules if known in self._rules), DEFAULTS[component])
        fate = deciding(pod)
        has_started = shown is not None and "running" in shown.state
        if has_started or "waiting" in fate.state:
            return fate
        missing = missing_secret(objects, pod)
        if missing:
            return waits("CreateContainerConfigError", f'secret "{missing}" not found')
        running = RUNS if fate.container == CONTAINER else of_trainer(RUNS)
        return running if fate.is_end else fate

    def _show(self, objects: Objects, pod: dict[str, Any], fate: Fate) -> None:
        metadata = pod["metadata"]
        patch = {"metadata": {"uid": metadata["uid"]}, "status": status(pod, fate)}
        if objects.patch_status(POD, metadata["name"], patch, STRATEGIC) is not None:
            self._shown[metadata["uid"]] = fate
            self._began.setdefault(metadata["uid"], time.monotonic())

    def _end(self, objects: Objects, pod: dict[str, Any], shown: Fate | None) -> None:
        metadata = pod["metadata"]
        if metadata["namespace"] in self._lingering:
            return
        if shown is None or not shown.is_end:
            self._show(objects, pod, ends(None, 143))
        objects.delete(POD, metadata["name"], gracePeriodSeconds=0, preconditions={"uid": metadata["uid"]})

    def _count(self, pods: list[dict[str, Any]]) -> None:
        alive: defaultdict[tuple[str, str], int] = defaultdict(int)
        for pod in pods:
            labels = pod["metadata"]["labels"]
            of_job = labels[COMPONENT_LABEL] in {Component.TRAIN, Component.EVALUATE}
            if of_job and pod["status"]["phase"] not in {"Succeeded", "Failed"}:
                alive[pod["metadata"]["namespace"], labels[MODEL_LABEL]] += 1
        for key, count in alive.items():
            self.most_at_once[key] = max(self.most_at_once[key], count)


def forget_the_dead(objects: Objects) -> None:
    """Remove nodes of runs that were killed: pods would be scheduled to them."""
    alive = datetime.now(UTC) - timedelta(seconds=3 * LEASE_SECONDS)
    for found in objects.all(NODE, labelSelector=TEST_NODE):
        name = found["metadata"]["name"]
        lease = objects.of("kube-node-lease").find(LEASE, name)
        if lease is None or datetime.fromisoformat(lease["spec"]["renewTime"]) < alive:
            objects.delete(NODE, name)


def register(objects: Objects, name: str) -> None:
    room = {"cpu": "1000", "memory": "1000Gi", "pods": "1000", "ephemeral-storage": "1000Gi"}
    labels = {"kubernetes.io/hostname": name, TEST_NODE: "true"}
    objects.create(NODE, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}})
    conditions = [
        {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "lastHeartbeatTime": now(),
            "lastTransitionTime": now(),
        }
    ]
    objects.patch_status(NODE, name, {"status": {"capacity": room, "allocatable": room, "conditions": conditions}})


def renew(objects: Objects, name: str) -> None:
    lease = {
        "apiVersion": LEASE.api_version,
        "kind": LEASE.name,
        "metadata": {"name": name},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": now()},
    }
    objects.of("kube-node-lease").apply(LEASE, lease)


def status(pod: dict[str, Any], fate: Fate) -> dict[str, Any]:
    """Return a pod's status as a kubelet patches it."""
    is_ready = "True" if fate.ready else "False"
    return {
        "phase": fate.phase,
        "reason": fate.reason,
        "startTime": "2026-01-01T00:00:00Z",
        "conditions": [
            {"type": kind, "status": is_ready, "lastTransitionTime": now()} for kind in ("Ready", "ContainersReady")
        ],
        **container_statuses(pod, fate),
    }


def container_statuses(pod: dict[str, Any], fate: Fate) -> dict[str, Any]:
    """Return the statuses of a pod's containers, which run one after the other."""
    first, last = pod["spec"].get("initContainers", []), pod["spec"]["containers"]
    names = [one["name"] for one in [*first, *last]]
    turn = names.index(fate.container)
    states = {name: DONE if place < turn else AWAITED for place, name in enumerate(names)} | {names[turn]: fate.state}
    return {
        kind: [container_status(one, states[one["name"]], fate) for one in containers]
        for kind, containers in (("initContainerStatuses", first), ("containerStatuses", last))
        if containers
    }


def container_status(container: dict[str, Any], state: Mapping[str, Any], fate: Fate) -> dict[str, Any]:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "restartCount": 0,
        "ready": fate.ready or state is DONE,
        "started": "running" in state,
        "state": dict.fromkeys(("waiting", "running", "terminated")) | dict(state),
    }


def missing_secret(objects: Objects, pod: dict[str, Any]) -> str:
    """Return the name of a Secret that the container needs and that is not there."""
    needed = [
        entry["valueFrom"]["secretKeyRef"]["name"]
        for entry in pod["spec"]["containers"][0]["env"]
        if "secretKeyRef" in entry.get("valueFrom", {})
    ]
    return next((name for name in needed if objects.find(SECRET, name) is None), "")


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
