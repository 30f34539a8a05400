"""A real API server with the CRDs of this checkout, and a namespace for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from tests.cluster.control_plane import add_user
from tests.cluster.profiles import CONTROL_PLANE
from tests.integration.audit import USER, Audit
from tests.integration.cluster import Cluster, connect
from tests.integration.hub import start_hub
from tests.integration.node import Node
from tests.integration.objects import VOLUME, Connection, Objects
from tests.integration.operator_process import OperatorProcess
from tests.integration.world import World, give_rights, make_volume, operator_settings

from evermodel.api import GROUP, crd

MASTER = b"the master key of all these tests"


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """Give the cluster; it knows ModelDeployments and ModelVersions as this checkout declares them."""
    answering = connect()
    answering.kubectl("apply", "--server-side", "--force-conflicts", "--kustomize=crds")
    names = [f"crd/{kind.plural}.{GROUP}" for kind in crd.KINDS]
    answering.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)
    return answering


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """Give the name of a new namespace, which goes with all that is in it."""
    name = f"test-{uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def user(cluster: Cluster) -> Path:
    """Give the kubeconfig of the operator's own user, whose writes the local control plane records."""
    if cluster.kubeconfig != str(CONTROL_PLANE.kubeconfig):
        pytest.skip("needs the local control plane: unset KUBECONFIG, or set EVERMODEL_CLUSTER=local")
    return add_user(CONTROL_PLANE, CONTROL_PLANE.kube, USER, [])


@pytest.fixture(scope="session")
def node(cluster: Cluster) -> Iterator[Node]:
    """Give the node to which all pods of these tests are scheduled."""
    made = Node(Connection(Path(cluster.kubeconfig)), f"node-{uuid4().hex[:8]}")
    made.start()
    yield made
    made.stop()


@contextmanager
def make_world(cluster: Cluster, user: Path, node: Node, folder: Path) -> Iterator[World]:
    """Set up a namespace with hub and operator, and take it away."""
    namespace = f"test-{uuid4().hex[:8]}"
    objects = Objects(Connection(Path(cluster.kubeconfig)), namespace)
    cluster.kubectl("create", "namespace", namespace)
    give_rights(objects, namespace)
    make_volume(objects, namespace)
    (folder / "master-key").write_bytes(MASTER)
    hub = start_hub(folder / "hub", MASTER, namespace)
    operator = OperatorProcess(folder, operator_settings(user, folder, namespace, hub))
    audit = Audit(CONTROL_PLANE.state / "audit.log", namespace)
    try:
        operator.start()
        yield World(namespace=namespace, objects=objects, node=node, hub=hub, operator=operator, audit=audit)
    finally:
        print(operator.tail())  # noqa: T201 - shown when a test failed
        operator.clean_up()
        hub.clean_up()
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")
        objects.of(None).delete(VOLUME, namespace)


@pytest.fixture(scope="module")
def world(cluster: Cluster, user: Path, node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give a world that the tests of a module share, each with a ModelDeployment of its own."""
    with make_world(cluster, user, node, tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture
def own_world(cluster: Cluster, user: Path, node: Node, tmp_path: Path) -> Iterator[World]:
    """Give a world for one test."""
    with make_world(cluster, user, node, tmp_path) as made:
        yield made
