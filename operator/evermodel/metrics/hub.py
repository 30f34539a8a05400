"""QualityProvider on the hubs: one per namespace, with tokens that derive from the operator's master key."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Final

import aiohttp
import msgspec

from evermodel.contract import (
    DatasetInfo,
    HubError,
    Lineage,
    LineageEntry,
    Quality,
    QualityQuery,
    RunProgress,
    RunReport,
)
from evermodel.core.observed import ModelKey
from evermodel.metrics.provider import ProviderUnavailable, Stage
from evermodel.tokens import Role, hub_key, role_token

TIMEOUT: Final = aiohttp.ClientTimeout(total=5.0, connect=2.0)
SILENCE: Final = 3.0
"""Seconds for which a hub that did not answer is not asked again: one dead hub must not hold all workers."""

_QUALITY = msgspec.json.Decoder(Quality)
_REPORT: msgspec.json.Decoder[RunReport] = msgspec.json.Decoder(RunReport)
_PROGRESS = msgspec.json.Decoder(RunProgress)
_LINEAGE = msgspec.json.Decoder(Lineage)
_DATASET = msgspec.json.Decoder(DatasetInfo)
_ERROR = msgspec.json.Decoder(HubError)
_NOT_FOUND = 404
_OK_BELOW = 300


class HubClient:
    """Talks to the hub of each namespace.

    Parameters
    ----------
    session : aiohttp.ClientSession
        Shared by all hubs.
    master : bytes
        The operator's master key.
    url : str
        Template of a hub's URL with ``{namespace}``.
    """

    def __init__(self, session: aiohttp.ClientSession, master: bytes, url: str) -> None:
        self._session = session
        self._url = url
        self._token = lru_cache(16_384)(lambda key: role_token(hub_key(master, key.namespace), key.name, Role.OPERATOR))
        self._silent: dict[str, tuple[float, str]] = {}

    async def quality(self, key: ModelKey, query: QualityQuery) -> Quality:
        """POST /v1/models/{model}/quality."""
        return _QUALITY.decode(await self._ask("POST", key, "quality", msgspec.json.encode(query)))

    async def report(self, key: ModelKey, version: int, stage: Stage) -> RunReport | None:
        """GET /v1/models/{model}/runs/{version}/{stage}."""
        try:
            return _REPORT.decode(await self._ask("GET", key, f"runs/{version}/{stage}"))
        except _Missing:
            return None

    async def progress(self, key: ModelKey, version: int, stage: Stage) -> str:
        """GET /v1/models/{model}/runs/{version}/{stage}/progress."""
        try:
            return _PROGRESS.decode(await self._ask("GET", key, f"runs/{version}/{stage}/progress")).message
        except _Missing:
            return ""

    async def lineage(self, key: ModelKey) -> tuple[LineageEntry, ...]:
        """GET /v1/models/{model}/lineage."""
        return _LINEAGE.decode(await self._ask("GET", key, "lineage")).entries

    async def dataset(self, key: ModelKey, name: str) -> str | None:
        """GET /v1/models/{model}/datasets/{name}."""
        try:
            return _DATASET.decode(await self._ask("GET", key, f"datasets/{name}")).sha256
        except _Missing:
            return None

    async def record_lineage(self, key: ModelKey, entry: LineageEntry) -> None:
        """POST /v1/models/{model}/lineage."""
        await self._ask("POST", key, "lineage", msgspec.json.encode(entry))

    async def _ask(self, method: str, key: ModelKey, what: str, body: bytes | None = None) -> bytes:
        """Send one request; a hub that did not answer a moment ago is not asked."""
        now = asyncio.get_running_loop().time()
        until, said = self._silent.get(key.namespace, (0.0, ""))
        if now < until:
            raise ProviderUnavailable(said)
        url = f"{self._url.format(namespace=key.namespace)}/v1/models/{key.name}/{what}"
        headers = {
            "Authorization": f"Bearer {self._token(key)}",
            "X-Evermodel-Model": key.name,
            "Content-Type": "application/json",
        }
        try:
            async with self._session.request(method, url, data=body, headers=headers, timeout=TIMEOUT) as response:
                content = await response.read()
                status = response.status
        except TimeoutError as error:
            raise self._is_silent(key, "the hub does not answer") from error
        except aiohttp.ClientError as error:
            raise self._is_silent(key, "the hub is not reachable") from error
        if status >= _OK_BELOW:
            raise _refusal(status, content)
        return content

    def _is_silent(self, key: ModelKey, message: str) -> ProviderUnavailable:
        self._silent[key.namespace] = (asyncio.get_running_loop().time() + SILENCE, message)
        return ProviderUnavailable(message)


class _Missing(ProviderUnavailable):
    """404."""


def _refusal(status: int, content: bytes) -> ProviderUnavailable:
    try:
        said = _ERROR.decode(content).error
    except msgspec.DecodeError:
        said = ""
    message = f"the hub answered {status}{': ' if said else ''}{said}"
    return _Missing(message) if status == _NOT_FOUND else ProviderUnavailable(message)
