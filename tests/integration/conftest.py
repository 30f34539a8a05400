"""A real API server with the CRDs of this checkout, and a namespace for each test."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from tests.integration.cluster import Cluster, connect

from evermodel.api import GROUP, crd


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
