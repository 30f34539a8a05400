"""What samples call `warehouse`: a claim with files, a web server that wants a password, and the Secret with it."""

from __future__ import annotations

import secrets
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Final

from tests.demo.clusters import OPERATOR, SYSTEM
from tests.e2e import file_server
from tests.e2e.namespaces import Namespace
from tests.samples.warehouse import CLAIM, SERVER, claimed, served
from tests.unit.runtime.web_server import make_certificate

from evermodel.kube.client import Object
from evermodel.kube.kinds import POD
from evermodel.resources.pods import RESTRICTED, USER

NAMED: Final = (f"pvc://{CLAIM}/", f"https://{SERVER}/")
"""How a sample names it."""
FILES: Final = f"{SERVER}-files"
CERTIFICATE: Final = f"{SERVER}-certificate"
PROGRAM: Final = Path(file_server.__file__)
LABELS: Final = {"app": SERVER}
IMAGE: Final = 'jsonpath={.spec.template.spec.containers[0].env[?(@.name=="EVERMODEL_RUNTIME_IMAGE")].value}'
"""The runtime image, which every node of the cluster has or can pull, and in which there is Python."""


async def open_warehouse(namespace: Namespace) -> None:
    """Create all of it, without waiting, unless it is there: each time the certificate is another."""
    if not await namespace.is_gone(POD, SERVER):
        return
    image = await namespace.cluster("-n", SYSTEM, "get", OPERATOR, "-o", IMAGE)
    certificate, key = _certificate()
    login = {"username": "evermodel", "password": secrets.token_hex(8), "ca.crt": certificate}
    await namespace.apply(
        _secret(SERVER, login),
        _secret(CERTIFICATE, {"tls.crt": certificate, "tls.key": key}),
        _files(),
        _claim(),
        _service(),
        _pod(image),
    )


async def wait_for_warehouse(namespace: Namespace) -> None:
    """Return when the claim is filled and the server answers."""
    await namespace.kubectl("wait", "--for=condition=Ready", f"pod/{SERVER}", "--timeout=120s", within=130)


def _certificate() -> tuple[str, str]:
    """Return a certificate of the server's name, which is an authority as well, and its key."""
    with tempfile.TemporaryDirectory() as folder:
        made = make_certificate(Path(folder), SERVER)
        return made.certificate.read_text("utf-8"), made.key.read_text("utf-8")


def _secret(name: str, entries: dict[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": entries}


def _given() -> dict[str, bytes]:
    """Return the files that the pod is given, by their paths."""
    claim = {f"claim/{path}": content for path, content in claimed().items()}
    web = {f"web/{name}": content for name, content in served().items()}
    return claim | web | {PROGRAM.name: PROGRAM.read_bytes()}


def _files() -> Object:
    contents = {f"file-{number}": b64encode(content).decode() for number, content in enumerate(_given().values())}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": FILES}, "binaryData": contents}


def _claim() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
    }


def _service() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVER},
        "spec": {"selector": LABELS, "ports": [{"port": 443, "targetPort": file_server.PORT}]},
    }


def _pod(image: str) -> Object:
    paths = [{"key": f"file-{number}", "path": path} for number, path in enumerate(_given())]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": SERVER, "labels": LABELS},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "files",
                    "image": image,
                    "command": ["python3", str(file_server.GIVEN / PROGRAM.name)],
                    "env": [_from_secret("USERNAME", "username"), _from_secret("PASSWORD", "password")],
                    "startupProbe": {
                        "tcpSocket": {"port": file_server.PORT},
                        "periodSeconds": 1,
                        "failureThreshold": 60,
                    },
                    "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
                    "securityContext": RESTRICTED,
                    "volumeMounts": [
                        {"name": "given", "mountPath": str(file_server.GIVEN)},
                        {"name": "claim", "mountPath": str(file_server.CLAIM)},
                        {"name": "certificate", "mountPath": str(file_server.CERTIFICATE)},
                    ],
                }
            ],
            "volumes": [
                {"name": "given", "configMap": {"name": FILES, "items": paths}},
                {"name": "claim", "persistentVolumeClaim": {"claimName": CLAIM}},
                {"name": "certificate", "secret": {"secretName": CERTIFICATE}},
            ],
        },
    }


def _from_secret(variable: str, entry: str) -> Object:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": SERVER, "key": entry}}}
