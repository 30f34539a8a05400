"""Objects of one namespace, read and written as a person with all rights would."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
import yaml

from evermodel.kube.kinds import Kind

Object = dict[str, Any]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
SECONDS = 15.0
NODE = Kind("Node", "v1", "nodes")
CLUSTER_ROLE = Kind("ClusterRole", "rbac.authorization.k8s.io/v1", "clusterroles")
ROLE = Kind("Role", "rbac.authorization.k8s.io/v1", "roles")
ROLE_BINDING = Kind("RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings")
VOLUME = Kind("PersistentVolume", "v1", "persistentvolumes")


class Connection:
    """A user's way to the API server. For one thread."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._server = cluster["server"]
        self._files = tempfile.TemporaryDirectory(prefix="evermodel-user-")
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = self._file("ca", cluster["certificate-authority-data"])
        self._session.cert = (
            self._file("cert", user["client-certificate-data"]),
            self._file("key", user["client-key-data"]),
        )

    def another(self) -> Connection:
        """Return one for another thread."""
        return Connection(self._kubeconfig)

    def request(self, method: str, path: str, *, kind: str = "application/json", **options: Any) -> requests.Response:
        headers = {"Content-Type": kind}
        return self._session.request(method, self._server + path, headers=headers, timeout=SECONDS, **options)

    def _file(self, name: str, encoded: str) -> str:
        path = Path(self._files.name) / name
        path.write_bytes(base64.b64decode(encoded))
        return str(path)


class Objects:
    """The objects of one namespace, or (None) those that are in none."""

    def __init__(self, connection: Connection, namespace: str | None) -> None:
        self._connection = connection
        self._namespace = namespace

    def of(self, namespace: str | None) -> Objects:
        return Objects(self._connection, namespace)

    def get(self, kind: Kind, name: str) -> Object:
        return self._ask("GET", kind.path(self._namespace, name))

    def find(self, kind: Kind, name: str) -> Object | None:
        answer = self._connection.request("GET", kind.path(self._namespace, name))
        if answer.status_code == 404:
            return None
        found: Object = _checked(answer)
        return found

    def all(self, kind: Kind, **query: str) -> list[Object]:
        items: list[Object] = self._ask("GET", kind.path(self._namespace), params=query)["items"]
        return items

    def create(self, kind: Kind, manifest: Mapping[str, Any]) -> Object:
        return self._ask("POST", kind.path(self._namespace), json=manifest)

    def apply(self, kind: Kind, manifest: Mapping[str, Any]) -> Object:
        path = kind.path(self._namespace, manifest["metadata"]["name"])
        query = {"fieldManager": "test", "force": "true"}
        return self._ask("PATCH", path, params=query, json=manifest, kind="application/apply-patch+yaml")

    def patch(self, kind: Kind, name: str, patch: Mapping[str, Any], how: str = MERGE) -> Object:
        return self._ask("PATCH", kind.path(self._namespace, name), json=patch, kind=how)

    def patch_status(self, kind: Kind, name: str, patch: Mapping[str, Any], how: str = MERGE) -> Object | None:
        """Patch a status; None when the object is gone or is another one by now."""
        answer = self._connection.request("PATCH", kind.path(self._namespace, name, "status"), json=patch, kind=how)
        if answer.status_code in (404, 409):
            return None
        found: Object = _checked(answer)
        return found

    def scale(self, kind: Kind, name: str, replicas: int) -> Object:
        """Set a number of pods as an autoscaler's controller does, and kubectl scale."""
        path = kind.path(self._namespace, name, "scale")
        return self._ask("PATCH", path, json={"spec": {"replicas": replicas}}, kind=MERGE)

    def history(self, kind: Kind, name: str, since: str) -> list[Object]:
        """Return the states of an object after a resourceVersion, each that there was."""
        query = {
            "watch": "1",
            "resourceVersion": since,
            "fieldSelector": f"metadata.name={name}",
            "timeoutSeconds": "1",
        }
        answer = self._connection.request("GET", kind.path(self._namespace), params=query)
        assert answer.ok, answer.text
        return [json.loads(line)["object"] for line in answer.text.splitlines()]

    def delete(self, kind: Kind, name: str, **options: Any) -> None:
        answer = self._connection.request("DELETE", kind.path(self._namespace, name), json=options or None)
        if answer.status_code not in (404, 409):
            _checked(answer)

    def _ask(self, method: str, path: str, **options: Any) -> Object:
        found: Object = _checked(self._connection.request(method, path, **options))
        return found


def _checked(answer: requests.Response) -> Any:
    assert answer.ok, f"{answer.request.method} {answer.url}: {answer.text}"
    return answer.json()
