"""The API server that integration tests talk to, by kubectl."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from tests.cluster import binaries, lifecycle
from tests.cluster.profiles import CONTROL_PLANE

from evermodel.api.generated import CHECKOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster that answers."""

    kubeconfig: str
    program: tuple[str, ...]

    def try_kubectl(self, *arguments: str, given: object = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl, with an object on its standard input, and return what came of it."""
        text = None if given is None else json.dumps(given)
        command = [*self.program, f"--kubeconfig={self.kubeconfig}", *arguments]
        return subprocess.run(
            command, cwd=CHECKOUT, input=text, check=False, capture_output=True, text=True, timeout=60
        )

    def kubectl(self, *arguments: str, given: object = None) -> str:
        """Run kubectl, which must succeed, and return what it says."""
        answer = self.try_kubectl(*arguments, given=given)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.strip()

    def read(self, *arguments: str, given: object = None) -> dict[str, Any]:
        """Run kubectl with JSON as its output and return that."""
        decoded: dict[str, Any] = json.loads(self.kubectl(*arguments, "--output=json", given=given))
        return decoded


def connect() -> Cluster:
    """Return the cluster that KUBECONFIG names, or the local control plane, started when it is down."""
    own = os.environ.get("KUBECONFIG")
    if own and os.environ.get("EVERMODEL_CLUSTER") != "local":
        built = binaries.kube().path
        return Cluster(kubeconfig=own, program=(str(built), "kubectl") if built.exists() else ("kubectl",))
    if not lifecycle.is_up(CONTROL_PLANE):  # asked first: `up` would wait for whoever builds images
        up = [sys.executable, "tests/cluster", "up", "--profile", CONTROL_PLANE.name]
        subprocess.run(up, cwd=CHECKOUT, check=True)
    return Cluster(kubeconfig=str(CONTROL_PLANE.kubeconfig), program=(str(CONTROL_PLANE.kube), "kubectl"))
