"""KubeClient on the official asyncio client: one shared session, refreshed tokens, JSON in and out.

The generated classes of the client are not used: they cost time and memory to load and lose fields that they do not
know. What is used is its configuration (in a cluster or from a kubeconfig), its session and its token refresh.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import aiohttp
import msgspec
from kubernetes.aio import client as kubernetes
from kubernetes.aio import config as kubernetes_config

from evermodel.kube.client import FIELD_MANAGER, Object, Page
from evermodel.kube.errors import (
    AlreadyExists,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    KubeError,
    NamespaceEnding,
    NotFound,
    Rejected,
    TooManyRequests,
    Transient,
)
from evermodel.kube.kinds import Kind

APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"
REQUEST_SECONDS: Final = 15.0
LIST_SECONDS: Final = 60.0
PAGE_SIZE: Final = 500
DEFAULT_RETRY_AFTER: Final = 1.0

_TOO_MANY_REQUESTS: Final = 429
_ERRORS: Final[Mapping[int, type[KubeError]]] = {
    400: Invalid,
    401: Transient,  # an expired token is read anew for the next request
    403: Forbidden,
    404: NotFound,
    408: Transient,
    409: Conflict,
    410: Expired,
    422: Invalid,
}

WriteCounter = Callable[[str, str], None]
"""Called with the kind and the verb of each write."""


class ApiServerClient:
    """Requests to a real API server.

    Parameters
    ----------
    api : kubernetes.ApiClient
        Configured and open.
    count_write : callable
        Called with kind and verb before each write.
    """

    def __init__(self, api: Any, count_write: WriteCounter) -> None:
        self._api = api
        self._count_write = count_write

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Read one object."""
        return await self._request("GET", kind.path(namespace, name))

    async def page(self, kind: Kind, namespace: str | None, *, selector: str, start: str | None) -> Page:
        """Read one page; lists carry neither kind nor apiVersion in their items, so they are added."""
        query: list[tuple[str, Any]] = [("limit", PAGE_SIZE)]
        if selector:
            query.append(("labelSelector", selector))
        if start is not None:
            query.append(("continue", start))
        found = await self._request("GET", kind.path(namespace), query=query, seconds=LIST_SECONDS)
        whole = {"apiVersion": kind.api_version, "kind": kind.name}
        return Page(
            items=tuple(whole | item for item in found.get("items") or ()),
            resource_version=found["metadata"].get("resourceVersion", ""),
            next_page=found["metadata"].get("continue") or None,
        )

    async def create(self, kind: Kind, namespace: str, manifest: Object) -> Object:
        """Create an object."""
        self._count_write(kind.name, "create")
        query = [("fieldManager", FIELD_MANAGER)]
        return await self._request("POST", kind.path(namespace), query=query, body=manifest)

    async def apply(
        self, kind: Kind, namespace: str, name: str, manifest: Object, *, manager: str = FIELD_MANAGER
    ) -> Object:
        """Server-side apply with force: the operator's fields are the operator's, whoever edited them."""
        self._count_write(kind.name, "apply")
        query = [("fieldManager", manager), ("force", "true")]
        return await self._request("PATCH", kind.path(namespace, name), query=query, body=manifest, content_type=APPLY)

    async def patch(self, kind: Kind, namespace: str, name: str, patch: Object) -> Object:
        """Merge patch."""
        return await self._merge(kind, kind.path(namespace, name), patch)

    async def patch_status(self, kind: Kind, namespace: str, name: str, patch: Object) -> Object:
        """Merge patch of the status."""
        return await self._merge(kind, kind.path(namespace, name, "status"), patch)

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str) -> None:
        """Delete in the background, guarded by the UID."""
        self._count_write(kind.name, "delete")
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        }
        await self._request("DELETE", kind.path(namespace, name), body=options)

    async def _merge(self, kind: Kind, path: str, patch: Object) -> Object:
        self._count_write(kind.name, "patch")
        query = [("fieldManager", FIELD_MANAGER)]
        return await self._request("PATCH", path, query=query, body=patch, content_type=MERGE)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, Any]] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
        seconds: float = REQUEST_SECONDS,
    ) -> Object:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        call = await self._api.param_serialize(
            method, path, query_params=query, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        timeout = aiohttp.ClientTimeout(total=seconds)
        try:
            response = await self._api.call_api(*call, _request_timeout=timeout)
            content: bytes = await response.read()
        except TimeoutError as error:
            raise Transient(f"{method} {path}: no answer from the API server within {seconds:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Transient(f"{method} {path}: the API server was not reached: {error}") from error
        if response.status >= 400:  # noqa: PLR2004 - HTTP's own border
            raise _error(method, path, response.status, content, response.getheader("Retry-After"))
        answer: Object = msgspec.json.decode(content)
        return answer


def _error(method: str, path: str, status: int, content: bytes, retry_after: str | None) -> KubeError:
    """Turn an answer into the error whose type says what to do."""
    reason, message, causes = _status(content)
    text = f"{method} {path}: {message or f'the API server answered {status}'}"
    if status == _TOO_MANY_REQUESTS:
        return TooManyRequests(text, _seconds(retry_after))
    if reason == "AlreadyExists":
        return AlreadyExists(text)
    if "NamespaceTerminating" in causes:
        return NamespaceEnding(text)
    passes = status >= 500  # noqa: PLR2004 - HTTP's own border
    return _ERRORS.get(status, Transient if passes else Rejected)(text)


class _Cause(msgspec.Struct, frozen=True):
    reason: str = ""


class _Details(msgspec.Struct, frozen=True):
    causes: tuple[_Cause, ...] = ()


class _Status(msgspec.Struct, frozen=True):
    """metav1.Status, as far as it is read."""

    reason: str = ""
    message: str = ""
    details: _Details = _Details()


_STATUS = msgspec.json.Decoder(_Status)


def _status(content: bytes) -> tuple[str, str, frozenset[str]]:
    """Return reason, message and reasons of the causes of a refusal; a proxy's answer is a message as it is."""
    try:
        status = _STATUS.decode(content)
    except msgspec.MsgspecError:
        return "", content[:200].decode(errors="replace"), frozenset()
    return status.reason, status.message, frozenset(cause.reason for cause in status.details.causes)


def _seconds(retry_after: str | None) -> float:
    try:
        return max(float(retry_after or DEFAULT_RETRY_AFTER), DEFAULT_RETRY_AFTER)
    except ValueError:  # a date: proxies may send one
        return DEFAULT_RETRY_AFTER


@contextlib.asynccontextmanager
async def connect(count_write: WriteCounter) -> AsyncIterator[ApiServerClient]:
    """Open a client: by KUBECONFIG when that is set, else by the pod's service account, else by ~/.kube/config."""
    configuration = kubernetes.Configuration()
    in_cluster = "KUBECONFIG" not in os.environ and "KUBERNETES_SERVICE_HOST" in os.environ
    if in_cluster:
        kubernetes_config.load_incluster_config(client_configuration=configuration)
    else:
        await kubernetes_config.load_kube_config(client_configuration=configuration, persist_config=False)
    api = kubernetes.ApiClient(configuration)
    try:
        yield ApiServerClient(api, count_write)
    finally:
        await api.close()
