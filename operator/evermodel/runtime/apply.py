"""What plans ask for, done: one function per action, and nothing decided here.

The answer to each write goes into the store at once, so that the next look knows of it before an informer does, and no
write is done twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

import msgspec

from evermodel.api import API_VERSION
from evermodel.api.modelversion import ACTIVE_PHASES
from evermodel.core import names
from evermodel.core.actions import (
    Action,
    ApplyAutoscaler,
    ApplyDeployment,
    ApplyHub,
    ApplyService,
    CreateJob,
    CreateSearchJob,
    CreateVersion,
    DeleteAutoscaler,
    DeleteDeployment,
    DeleteJob,
    DeleteVersion,
    EnsureSecrets,
    HandReplicasOver,
    RecordLineage,
    WriteVersionStatus,
)
from evermodel.core.observed import ModelKey, Observed, VersionView
from evermodel.core.timestamps import rfc3339
from evermodel.kube.client import REPLICAS_MANAGER, KubeClient, Object
from evermodel.kube.errors import AlreadyExists, Conflict, KubeError, NotFound
from evermodel.kube.kinds import AUTOSCALER, DEPLOYMENT, JOB, SECRET, SERVICE, STATEFUL_SET, VERSION, Kind
from evermodel.metrics.provider import ProviderUnavailable, QualityProvider
from evermodel.resources.drift import is_as_applied
from evermodel.resources.hub import HUB_BUILDERS
from evermodel.resources.jobs import build_job, build_search_job
from evermodel.resources.ownership import owned_by_model
from evermodel.resources.secrets import build_hub_secret, build_model_secret
from evermodel.runtime.status import write_status
from evermodel.runtime.store import ObjectKey, Store, is_owned_by
from evermodel.runtime.telemetry import Telemetry
from evermodel.runtime.views import version_view

logger = logging.getLogger(__name__)

_SECRETS_AGAIN: Final = 60.0
"""Seconds in which a Secret is not made again: the kubelet takes that long to notice one that a pod missed."""

Failure = KubeError | ProviderUnavailable


class Foreign(KubeError):  # noqa: N818 - the name says what happened, as those of its siblings do
    """An object of a name that the operator needs belongs to somebody else."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a list of actions, which ends at the first failure."""

    changed: bool
    """Something is no longer as it was observed."""
    failure: Failure | None


class Applier:
    """Does actions. Safe to be cut off anywhere: each action done twice is as if done once."""

    def __init__(
        self,
        *,
        client: KubeClient,
        store: Store,
        provider: QualityProvider,
        master: bytes,
        telemetry: Telemetry,
        monotonic: Callable[[], float],
    ) -> None:
        self._client = client
        self._store = store
        self._provider = provider
        self._master = master
        self._telemetry = telemetry
        self._monotonic = monotonic
        self._secrets_made: dict[ObjectKey, float] = {}
        self._hub_turn = asyncio.Lock()

    async def apply(self, observed: Observed, actions: Sequence[Action], now: datetime) -> Outcome:
        """Do actions in order."""
        changed = False
        for action in actions:
            try:
                changed |= await self._do(observed, action, now)
            except (KubeError, ProviderUnavailable) as error:
                return Outcome(changed, error)
        return Outcome(changed, None)

    def forget(self, key: ModelKey) -> None:
        """Drop what was remembered of a model that is gone: one of the same name needs Secrets of its own.

        Where it was the last of its namespace, the namespace may be gone too, and with it the hub's key.
        """
        prefix = "" if not self._store.models(key.namespace) else names.model_secret_name(key.name, "")
        for secret in [one for one in self._secrets_made if one.namespace == key.namespace]:
            if secret.name.startswith(prefix):
                del self._secrets_made[secret]

    async def _do(self, observed: Observed, action: Action, now: datetime) -> bool:  # noqa: C901, PLR0912 - a table
        """Do one action; returns whether it changed what is observed."""
        match action:
            case CreateVersion():
                await self._create_version(observed, action)
            case WriteVersionStatus():
                return await self._write_version_status(observed, action)
            case DeleteVersion():
                await self._delete_version(observed, action, now)
            case CreateJob() | CreateSearchJob():
                await self._create_job(observed, action)
            case DeleteJob():
                await self._delete(JOB, observed, action.name, action.uid, now)
            case ApplyDeployment():
                await self._apply(DEPLOYMENT, observed, action.manifest)
            case HandReplicasOver():
                await self._hand_replicas_over(observed, action)
            case ApplyAutoscaler():
                await self._apply(AUTOSCALER, observed, action.manifest)
            case DeleteAutoscaler():
                await self._delete(AUTOSCALER, observed, action.name, action.uid, now)
            case DeleteDeployment():
                await self._delete(DEPLOYMENT, observed, action.name, action.uid, now)
            case ApplyService():
                await self._apply(SERVICE, observed, action.manifest)
            case EnsureSecrets():
                return await self._ensure_secrets(observed, action)
            case ApplyHub():
                await self._apply_hub(observed, action)
            case RecordLineage():
                await self._provider.record_lineage(observed.model.key, action.entry)
                return False
            case _:
                assert_never(action)
        return True

    async def _create_version(self, observed: Observed, action: CreateVersion) -> None:
        model = observed.model
        manifest = {
            "apiVersion": API_VERSION,
            "kind": VERSION.name,
            "metadata": {
                "name": action.name,
                "labels": {names.MODEL_LABEL: model.key.name, names.VERSION_LABEL: str(action.spec.number)},
                "ownerReferences": owned_by_model(model),
            },
            "spec": msgspec.to_builtins(action.spec),
        }
        await self._create(VERSION, observed, manifest, model.uid)

    async def _create_job(self, observed: Observed, action: CreateJob | CreateSearchJob) -> None:
        version = self._version(observed, action.version)
        about = (observed.model, version, observed.settings, action.name)
        manifest = (
            build_search_job(*about, action.run, workers=action.workers)
            if isinstance(action, CreateSearchJob)
            else build_job(*about, action.run)
        )
        await self._create(JOB, observed, manifest, version.uid)

    async def _write_version_status(self, observed: Observed, action: WriteVersionStatus) -> bool:
        namespace = observed.model.key.namespace
        known = self._version(observed, action.name)
        after = await write_status(
            self._client,
            VERSION,
            namespace,
            action.name,
            resource_version=action.resource_version,
            known=known.status,
            wanted=action.status,
        )
        if after is None:
            return False
        self._store.put(VERSION, after)
        reason = action.status.failure.reason if action.status.failure is not None else known.spec.trigger.reason
        extra = {**_about(VERSION, after), "phase": action.status.phase.value, "reason": reason}
        logger.info("the status of a version was written", extra=extra)
        if known.status.phase in ACTIVE_PHASES and action.status.phase not in ACTIVE_PHASES:
            self._telemetry.runs.labels(namespace, observed.model.key.name, action.status.phase.value).inc()
        return True

    async def _delete_version(self, observed: Observed, action: DeleteVersion, now: datetime) -> None:
        version = self._version(observed, action.name)
        await self._delete(VERSION, observed, action.name, version.uid, now)

    async def _ensure_secrets(self, observed: Observed, action: EnsureSecrets) -> bool:
        namespace = observed.model.key.namespace
        made = False
        for manifest in self._secrets(observed, action):
            key = ObjectKey(namespace, manifest["metadata"]["name"])
            if self._monotonic() - self._secrets_made.get(key, -_SECRETS_AGAIN) < _SECRETS_AGAIN:
                continue
            self._secrets_made[key] = self._monotonic()  # first: another worker may be about to make the hub's
            try:
                await self._client.create(SECRET, namespace, manifest)
            except AlreadyExists:
                continue  # immutable, and its name says which key it holds
            except KubeError:
                del self._secrets_made[key]
                raise
            made = True
        return made

    async def _apply_hub(self, observed: Observed, action: ApplyHub) -> None:
        """Apply what is missing; all models of a namespace ask for its hub, and the first to come does it for all."""
        async with self._hub_turn:
            for kind in (STATEFUL_SET, SERVICE):
                built = HUB_BUILDERS[kind.name](observed.settings)
                found = self._store.get(kind, ObjectKey(observed.model.key.namespace, names.HUB))
                if kind.name in action.kinds and not (found and is_as_applied(found, built)):
                    await self._apply(kind, observed, built)

    async def _apply(self, kind: Kind, observed: Observed, manifest: Object) -> None:
        """Server-side apply; an object that is not known yet must not be somebody else's."""
        namespace, name = observed.model.key.namespace, manifest["metadata"]["name"]
        if self._store.get(kind, ObjectKey(namespace, name)) is None:
            await self._refuse_foreign(kind, namespace, name, manifest)
        applied = await self._client.apply(kind, namespace, name, manifest)
        self._store.put(kind, applied)
        logger.info("applied", extra=_about(kind, applied))

    async def _hand_replicas_over(self, observed: Observed, action: HandReplicasOver) -> None:
        """Apply the number of pods alone, by another manager; the UID keeps a Deployment that is gone from coming."""
        namespace = observed.model.key.namespace
        manifest = {
            "apiVersion": DEPLOYMENT.api_version,
            "kind": DEPLOYMENT.name,
            "metadata": {"name": action.name, "uid": action.uid},
            "spec": {"replicas": action.replicas},
        }
        applied = await self._client.apply(DEPLOYMENT, namespace, action.name, manifest, manager=REPLICAS_MANAGER)
        self._store.put(DEPLOYMENT, applied)
        logger.info("replicas handed over", extra=_about(DEPLOYMENT, applied))

    async def _refuse_foreign(self, kind: Kind, namespace: str, name: str, manifest: Object) -> None:
        try:
            found = await self._client.get(kind, namespace, name)
        except NotFound:
            return
        labels = (names.MANAGED_BY_LABEL, names.MODEL_LABEL, names.COMPONENT_LABEL)
        there, ours = found["metadata"].get("labels") or {}, manifest["metadata"]["labels"]
        if any(there.get(label) != ours.get(label) for label in labels):
            raise Foreign(
                f"{kind.name} {name} is there already and is not the operator's: delete it or choose another name"
            )

    async def _create(self, kind: Kind, observed: Observed, manifest: Object, owner: str) -> None:
        """Create an object; one that is there already is as good when it has the same owner."""
        namespace, name = observed.model.key.namespace, manifest["metadata"]["name"]
        try:
            made = await self._client.create(kind, namespace, manifest)
        except AlreadyExists as error:
            made = await self._client.get(kind, namespace, name)
            if not is_owned_by(made, owner):
                raise _whose(kind, made, observed.model.key) from error
        self._store.put(kind, made)
        logger.info("created", extra=_about(kind, made))

    async def _delete(self, kind: Kind, observed: Observed, name: str, uid: str, now: datetime) -> None:
        """Delete an object; one that is gone, or another of its name, need not be deleted."""
        key = ObjectKey(observed.model.key.namespace, name)
        try:
            await self._client.delete(kind, key.namespace, name, uid=uid)
        except (NotFound, Conflict):
            self._store.remove(kind, key, uid)
        else:
            self._store.mark_deleting(kind, key, uid, rfc3339(now))
            logger.info("deleted", extra={"object": str(observed.model.key), "kind": kind.name, "child": name})

    def _secrets(self, observed: Observed, action: EnsureSecrets) -> list[Object]:
        wanted = []
        if action.hub:
            wanted.append(build_hub_secret(self._master, observed.model.key.namespace))
        if action.model:
            wanted.append(build_model_secret(self._master, observed.model))
        return wanted

    def _version(self, observed: Observed, name: str) -> VersionView:
        """Return a version as it is known now: an action before this one may have made or changed it."""
        found = self._store.get(VERSION, ObjectKey(observed.model.key.namespace, name))
        if found is None:
            raise Conflict(f"ModelVersion {name} was deleted in the meantime")
        return version_view(found)


def _about(kind: Kind, manifest: Object) -> dict[str, str | None]:
    """Return what a line of the log says of an object: of which model and version it is."""
    metadata = manifest["metadata"]
    labels = metadata.get("labels") or {}
    return {
        "object": f"{metadata['namespace']}/{labels.get(names.MODEL_LABEL, names.HUB)}",
        "version": labels.get(names.VERSION_LABEL),
        "kind": kind.name,
        "child": metadata["name"],
    }


def _whose(kind: Kind, found: Object, key: ModelKey) -> KubeError:
    """Say what stands in the way: what an earlier ModelDeployment of this name left goes away by itself."""
    name = found["metadata"]["name"]
    if (found["metadata"].get("labels") or {}).get(names.MODEL_LABEL) == key.name:
        return Conflict(f"{kind.name} {name} of an earlier ModelDeployment {key.name} is still being deleted")
    return Foreign(f"{kind.name} {name} is there already and is not the operator's: delete it or choose another name")
