"""A namespace of its own for a test, and what tests do and look at in it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import uuid4

import aiohttp
import msgspec
from tests.demo.commands import Kubectl
from tests.demo.stages import Model, Predicate, Snapshot, Version, is_serving
from tests.e2e.installation import Installation

from evermodel.core.names import COMPONENT_LABEL, MODEL_LABEL, Component
from evermodel.kube.aio import ApiServerClient
from evermodel.kube.client import Object
from evermodel.kube.errors import NotFound
from evermodel.kube.kinds import EVENT, JOB, MODEL, POD, SERVICE, VERSION, Kind

T = TypeVar("T")
LOOK_EVERY: Final = 0.2
PATIENCE: Final = 180.0
"""Seconds that anything may take on a machine that does much else."""
LIVE: Final[list[str]] = []
"""Namespaces of the tests that run: what happened there explains a failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """One namespace under Pod Security `restricted`."""

    name: str
    cluster: Kubectl
    api: ApiServerClient

    async def kubectl(self, *arguments: str | Path, given: str = "", within: float = 60) -> str:
        """Run kubectl in this namespace."""
        return await self.cluster("-n", self.name, *arguments, given=given, within=within)

    async def apply(self, *objects: Mapping[str, Any]) -> None:
        """Apply manifests as a person does."""
        listing = {"apiVersion": "v1", "kind": "List", "items": objects}
        await self.kubectl("apply", "-f", "-", given=json.dumps(listing))

    async def patch(self, model: str, spec: Mapping[str, Any]) -> None:
        """Change fields of a ModelDeployment's spec."""
        await self.kubectl("patch", f"model/{model}", "--type=merge", "-p", json.dumps({"spec": spec}))

    async def objects(
        self, kind: Kind, *, model: str | None = None, component: Component | None = None
    ) -> list[Object]:
        """List objects, all or those of one model or of one kind of pod."""
        wanted = {MODEL_LABEL: model, COMPONENT_LABEL: component}
        selector = ",".join(f"{label}={value}" for label, value in wanted.items() if value is not None)
        page = await self.api.page(kind, self.name, selector=selector, start=None)
        return list(page.items)

    async def jobs(self, model: str) -> set[str]:
        """Return the names of a model's Jobs."""
        return {job["metadata"]["name"] for job in await self.objects(JOB, model=model)}

    async def serving_pods(self, model: str) -> dict[str, int]:
        """Return how often the container of each serving pod was restarted, by the pod's UID."""
        pods = await self.objects(POD, model=model, component=Component.SERVE)
        return {
            pod["metadata"]["uid"]: sum(one["restartCount"] for one in pod["status"].get("containerStatuses", ()))
            for pod in pods
        }

    async def events(self, model: str) -> list[Object]:
        """Return the Events that the operator wrote about a model."""
        return [
            event
            for event in await self.objects(EVENT)
            if (event["involvedObject"]["kind"], event["involvedObject"]["name"]) == (MODEL.name, model)
        ]

    async def event(self, model: str, reason: str) -> Object:
        """Return the first Event of a reason: it follows the status that it is about."""

        async def found() -> Object | None:
            return next((event for event in await self.events(model) if event["reason"] == reason), None)

        return await eventually(found, f"an Event {reason} of {model}")

    async def manifest(self, model: str) -> Object:
        """Return a ModelDeployment as the API server has it."""
        return await self.api.get(MODEL, self.name, model)

    async def look(self, model: str) -> Snapshot:
        """Return a ModelDeployment and its versions."""
        manifest = await self.manifest(model)
        versions = [msgspec.convert(one, Version) for one in await self.objects(VERSION, model=model)]
        return Snapshot(
            model=msgspec.convert(manifest, Model),
            versions=tuple(sorted(versions, key=lambda version: version.spec.number)),
            answered_by=None,
            now=datetime.now(UTC),
        )

    async def until(self, model: str, seen: Predicate, *, within: float = PATIENCE) -> Snapshot:
        """Look until a model is as expected."""
        last: Snapshot | None = None
        try:
            async with asyncio.timeout(within):
                while last is None or not seen(last):
                    if last is not None:
                        await asyncio.sleep(LOOK_EVERY)
                    last = await self.look(model)
        except TimeoutError:
            raise AssertionError(f"{_sentence(seen)}: not within {within:.0f} s\n{described(last)}") from None
        return last

    async def becomes_ready(self, model: str) -> Snapshot:
        """Wait until a model serves what its spec says now."""
        return await self.until(model, serves_current_spec)

    async def address(self, model: str) -> str:
        """Return the URL of a model's Service as this machine reaches it, once it answers."""
        service = await self.api.get(SERVICE, self.name, model)
        url = f"http://{service['spec']['clusterIP']}"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:

            async def answers() -> bool | None:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(f"{url}/v2/health/ready") as answer:
                        return answer.status == HTTPStatus.OK or None
                return None

            await eventually(answers, f"{url} answers")
        return url

    async def is_gone(self, kind: Kind, name: str) -> bool | None:
        """Return True once there is no such object."""
        try:
            await self.api.get(kind, self.name, name)
        except NotFound:
            return True
        return None


async def eventually(ask: Callable[[], Awaitable[T | None]], what: str, *, within: float = PATIENCE) -> T:
    """Ask until there is an answer."""
    try:
        async with asyncio.timeout(within):
            while (answer := await ask()) is None:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(LOOK_EVERY)
            return answer
    except TimeoutError:
        raise AssertionError(f"{what}: not within {within:.0f} s") from None


def serves_current_spec(snapshot: Snapshot) -> bool:
    """Serves, and the operator knows the spec as it is."""
    return is_serving(snapshot) and snapshot.status.observed_generation == snapshot.model.metadata.generation


def serves_version(number: int) -> Predicate:
    """Return the expectation that a version is the champion and serves."""

    def serves(snapshot: Snapshot) -> bool:
        champion = snapshot.status.champion
        return serves_current_spec(snapshot) and champion is not None and champion.version == number

    serves.__doc__ = f"Version {number} serves."
    return serves


def described(snapshot: Snapshot | None) -> str:
    """Return what a failed test should say about a model."""
    if snapshot is None:
        return "nothing was seen"
    status = snapshot.status
    lines = [f"phase {status.phase}, champion {status.champion}, candidate {status.candidate}"]
    lines += [f"  {one.type}={one.status} {one.reason}: {one.message}" for one in status.conditions]
    lines += [
        f"  version {one.spec.number} ({one.spec.trigger.reason}): {one.status.phase} {one.status.message}"
        for one in snapshot.versions
    ]
    return "\n".join(lines)


def _sentence(seen: Predicate) -> str:
    return (seen.__doc__ or seen.__name__).strip().splitlines()[0].rstrip(".")


async def create(kubectl: Kubectl) -> str:
    """Create a namespace and return its name."""
    name = f"e2e-{uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    await kubectl("create", "-f", "-", given=json.dumps(manifest))
    LIVE.append(name)
    return name


async def delete(kubectl: Kubectl, name: str) -> None:
    """Have a namespace deleted, with all that is in it."""
    LIVE.remove(name)
    await kubectl("delete", "namespace", name, "--wait=false")


@contextlib.asynccontextmanager
async def opened(installation: Installation, name: str) -> AsyncIterator[Namespace]:
    """Look into a namespace."""
    async with installation.reader() as api:
        yield Namespace(name=name, cluster=installation.kubectl, api=api)
