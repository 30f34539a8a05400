"""The hub of a namespace, asked as people and pods ask it: by tokens that the operator keeps in Secrets."""

from __future__ import annotations

import contextlib
from base64 import b64decode
from dataclasses import dataclass

import aiohttp
import msgspec
from tests.e2e.namespaces import Namespace, eventually

from evermodel.contract import Manifest
from evermodel.core.names import HUB, HUB_PORT, UPLOAD_TOKEN_ENTRY, Component, SecretEntry
from evermodel.kube.client import Object
from evermodel.kube.errors import NotFound
from evermodel.kube.kinds import SECRET, SERVICE
from evermodel.tokens import ANY_MODEL

PATIENCE = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class Hub:
    """The hub of one namespace."""

    namespace: Namespace

    async def upload(self, name: str, content: bytes) -> None:
        """Store a file under a name, once the hub is up."""

        async def stored() -> bool | None:
            secrets = await self.namespace.objects(SECRET, component=Component.HUB)
            with contextlib.suppress(NotFound, aiohttp.ClientConnectionError):
                for secret in secrets:
                    token = _entry(secret, UPLOAD_TOKEN_ENTRY)
                    await self._ask("PUT", f"/v1/datasets/{name}", model=ANY_MODEL, token=token, body=content)
                    return True
            return None

        await eventually(stored, f"the hub takes {name}")

    async def manifest(self, model: str, sha256: str) -> Manifest:
        """Return the record of a trained model, by its digest."""
        (secret,) = await self.namespace.objects(SECRET, model=model)
        token = _entry(secret, SecretEntry.TRAINER)
        content = await self._ask("GET", f"/v1/blobs/{sha256}", model=model, token=token)
        return msgspec.json.decode(content, type=Manifest)

    async def _ask(self, method: str, path: str, *, model: str, token: str, body: bytes | None = None) -> bytes:
        service = await self.namespace.api.get(SERVICE, self.namespace.name, HUB)
        url = f"http://{service['spec']['clusterIP']}:{HUB_PORT}{path}"
        headers = {"authorization": f"Bearer {token}", "x-evermodel-model": model}
        async with (
            aiohttp.ClientSession(timeout=PATIENCE, raise_for_status=True) as session,
            session.request(method, url, data=body, headers=headers) as answer,
        ):
            return await answer.read()


def _entry(secret: Object, name: str) -> str:
    return b64decode(secret["data"][name]).decode()
