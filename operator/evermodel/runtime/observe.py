"""One look at everything that concerns one ModelDeployment: the store and, where it does not suffice, the hub."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from evermodel.api.modelversion import ACTIVE_PHASES, VersionPhase
from evermodel.contract import LineageEntry
from evermodel.core.durations import parse_duration
from evermodel.core.names import COMPONENT_LABEL, HUB, Component
from evermodel.core.observed import (
    AutoscalerView,
    DeploymentView,
    HubView,
    JobState,
    JobView,
    ModelKey,
    ModelView,
    Observed,
    OperatorSettings,
    ServiceView,
    VersionView,
)
from evermodel.core.phases import offline
from evermodel.core.questions import needs_lineage, quality_query, running_job
from evermodel.core.sources import watched_source
from evermodel.kube.kinds import AUTOSCALER, DEPLOYMENT, JOB, MODEL, POD, SERVICE, STATEFUL_SET, VERSION, Kind
from evermodel.metrics.provider import ProviderUnavailable, QualityProvider, Stage
from evermodel.resources import BUILDERS
from evermodel.resources.drift import is_as_applied, is_drifted
from evermodel.resources.hub import HUB_BUILDERS
from evermodel.resources.hub import POD as HUB_POD
from evermodel.resources.stamp import unstamped
from evermodel.runtime import pods as pods_of
from evermodel.runtime.progress import ProgressCache
from evermodel.runtime.quality import QualityCache
from evermodel.runtime.settings import Settings
from evermodel.runtime.sources import SourceCache
from evermodel.runtime.store import ObjectKey, Store, is_owned_by
from evermodel.runtime.telemetry import Telemetry
from evermodel.runtime.views import (
    autoscaler_view,
    deployment_view,
    job_view,
    model_view,
    orphaned,
    service_view,
    version_number,
    version_selected,
    version_view,
)
from evermodel.runtime.workers import search_job_view
from evermodel.tokens import hub_key, key_fingerprint

Object = Mapping[str, Any]

_POD_NEWS: Final = timedelta(seconds=30)
"""How much later than its Job's end the news of a pod's end may come: the kinds are watched apart."""
_QUESTIONS: Final = 2
"""An answer with a new alarm leads to another question, and its answer to none."""


class Observer:
    """Reads the store, asks the provider, writes nothing."""

    def __init__(
        self,
        *,
        store: Store,
        provider: QualityProvider,
        quality: QualityCache,
        sources: SourceCache,
        settings: Settings,
        master: bytes,
        telemetry: Telemetry,
    ) -> None:
        self._store = store
        self._provider = provider
        self._quality = quality
        self._sources = sources
        self._progress = ProgressCache(provider)
        self._settings = settings
        self._fingerprint = lru_cache(4096)(lambda namespace: key_fingerprint(hub_key(master, namespace)))
        self._telemetry = telemetry

    async def observe(self, key: ModelKey, now: datetime) -> Observed | None:
        """Return what is known now; None when the ModelDeployment is gone or on its way out."""
        manifest = self._store.get(MODEL, ObjectKey(key.namespace, key.name))
        if manifest is None or "deletionTimestamp" in manifest["metadata"]:
            return None
        model = model_view(manifest)
        settings = self._operator_settings(key.namespace)
        versions = self._versions(model)
        observed = Observed(
            model=model,
            versions=versions,
            settings=settings,
            jobs=await self._jobs(key, versions, now),
            orphaned=orphaned(self._store.of_model(POD, key), self._store.of_model(JOB, key)),
            deployments=self._deployments(model, versions, settings),
            service=self._service(model),
            autoscaler=self._autoscaler(model, versions),
            hub=self._hub(key.namespace, settings),
        )
        observed = await self._with_offline_report(observed)
        observed = await self._with_source(observed, now)
        observed = await self._with_lineage(observed)
        observed = await self._with_progress(observed, now)
        return await self._with_quality(observed, now)

    def expect(self, key: ModelKey, at: datetime) -> None:
        """Ask the hub again at this time, should that be earlier than declared."""
        self._quality.expect(key, at)

    def forget(self, key: ModelKey) -> None:
        """Drop what was remembered of a model that is gone."""
        self._quality.forget(key)
        self._progress.forget(key)
        self._sources.forget(key)

    def _operator_settings(self, namespace: str) -> OperatorSettings:
        return OperatorSettings(
            runtime_image=self._settings.runtime_image,
            hub_url=self._settings.hub_url.format(namespace=namespace),
            hub_key_fingerprint=self._fingerprint(namespace),
            drain=self._settings.drain,
        )

    def _versions(self, model: ModelView) -> tuple[VersionView, ...]:
        own = (found for found in self._store.of_model(VERSION, model.key) if is_owned_by(found, model.uid))
        return tuple(sorted((version_view(found) for found in own), key=lambda version: version.number))

    async def _jobs(self, key: ModelKey, versions: Sequence[VersionView], now: datetime) -> dict[str, JobView]:
        pods = self._store.of_model(POD, key)
        made = {version.number for version in versions if version.status.phase in ACTIVE_PHASES}
        found: dict[str, JobView] = {}
        for manifest in self._store.of_model(JOB, key):
            searches = manifest["metadata"]["labels"].get(COMPONENT_LABEL) == Component.SEARCH
            view = search_job_view(manifest, pods, now) if searches else job_view(manifest, pods, now)
            found[view.name] = await self._with_report(key, manifest, view, made, now)
        return found

    async def _with_report(
        self, key: ModelKey, manifest: Object, view: JobView, made: Container[int], now: datetime
    ) -> JobView:
        """Wait for the pod of a Job that has ended, and ask the hub for a report that was lost.

        Only of versions that are being made: nobody reads the reports of those of the past.
        """
        if view.state not in (JobState.SUCCEEDED, JobState.FAILED) or view.report is not None:
            return view
        if view.live_pods and view.finished_at is not None and now - view.finished_at < _POD_NEWS:
            return replace(view, state=JobState.RUNNING)  # the pod's news brings the next look
        number = version_number(manifest)
        if view.failure is not None or number is None or number not in made:
            return view
        component = manifest["metadata"]["labels"].get(COMPONENT_LABEL)
        if component == Component.SEARCH:  # its pods report nothing
            return view
        stage: Stage = "evaluate" if component == Component.EVALUATE else "train"
        try:
            return replace(view, report=await self._provider.report(key, number, stage))
        except ProviderUnavailable:
            return view

    def _deployments(
        self, model: ModelView, versions: Sequence[VersionView], settings: OperatorSettings
    ) -> dict[int, DeploymentView]:
        pods: defaultdict[int | None, list[Object]] = defaultdict(list)
        for pod in self._store.of_model(POD, model.key):
            if pod["metadata"]["labels"].get(COMPONENT_LABEL) == Component.SERVE and pods_of.is_live(pod):
                pods[version_number(pod)].append(pod)
        by_number = {version.number: version for version in versions}
        found: dict[int, DeploymentView] = {}
        for manifest in self._store.of_model(DEPLOYMENT, model.key):
            number = version_number(manifest)
            if number is None or not is_owned_by(manifest, model.uid):
                continue
            version = by_number.get(number)
            drifted = version is not None and is_drifted(
                manifest, unstamped(BUILDERS.deployment(model, version, settings, None))
            )
            found[number] = deployment_view(manifest, pods[number], drifted=drifted)
        return found

    def _service(self, model: ModelView) -> ServiceView | None:
        manifest = self._store.get(SERVICE, ObjectKey(model.key.namespace, model.key.name))
        if manifest is None or not is_owned_by(manifest, model.uid):
            return None
        number = version_selected(manifest)
        drifted = number is None or is_drifted(manifest, BUILDERS.service(model, number))
        return service_view(manifest, drifted=drifted)

    def _autoscaler(self, model: ModelView, versions: Sequence[VersionView]) -> AutoscalerView | None:
        manifest = self._store.get(AUTOSCALER, ObjectKey(model.key.namespace, model.key.name))
        if manifest is None or not is_owned_by(manifest, model.uid):
            return None
        scaled = manifest["spec"]["scaleTargetRef"].get("name")
        number = next((version.number for version in versions if version.name == scaled), None)
        wanted = model.spec.serving.autoscaling
        drifted = number is None or (
            wanted is not None and is_drifted(manifest, BUILDERS.autoscaler(model, number, wanted))
        )
        return autoscaler_view(manifest, drifted=drifted)

    def _hub(self, namespace: str, settings: OperatorSettings) -> HubView:
        pod = self._store.get(POD, ObjectKey(namespace, HUB_POD))
        return HubView(
            applied=frozenset(
                kind.name for kind in (STATEFUL_SET, SERVICE) if self._is_hub_applied(kind, namespace, settings)
            ),
            ready=pod is not None and pods_of.is_ready(pod) and "deletionTimestamp" not in pod["metadata"],
            missing_secret=pod is not None and pods_of.misses_secret(pod),
            message=pods_of.why_not_running(pod) if pod is not None else "",
        )

    def _is_hub_applied(self, kind: Kind, namespace: str, settings: OperatorSettings) -> bool:
        found = self._store.get(kind, ObjectKey(namespace, HUB))
        return found is not None and is_as_applied(found, HUB_BUILDERS[kind.name](settings))

    async def _with_lineage(self, observed: Observed) -> Observed:
        """Ask which champions the hub remembers, when there is no version yet, or one that is being adopted."""
        if not needs_lineage(observed) or not observed.hub.ready:
            return observed
        try:
            lineage: tuple[LineageEntry, ...] = await self._provider.lineage(observed.model.key)
        except ProviderUnavailable as error:
            return replace(observed, quality_error=str(error))
        return replace(observed, lineage=lineage)

    async def _with_offline_report(self, observed: Observed) -> Observed:
        """Ask the hub for the report of the newest offline evaluation where it did not fit into the pod's message."""
        status = observed.model.status.offline
        self._telemetry.show_offline(observed.model.key, status)
        coming = offline.next_evaluation(observed)
        job = observed.jobs.get(coming.job_name) if coming is not None else None
        if job is None or coming is None or job.state is not JobState.SUCCEEDED or job.report is not None:
            return observed
        try:
            report = await self._provider.report(observed.model.key, coming.champion.number, "offline")
        except ProviderUnavailable:
            return observed
        return replace(observed, jobs={**observed.jobs, job.name: replace(job, report=report)})

    async def _with_source(self, observed: Observed, now: datetime) -> Observed:
        """Look at the declared source, where it can be watched."""
        key, spec = observed.model.key, observed.model.spec
        source = watched_source(spec)
        if source is None:
            self._sources.forget(key)
            return observed
        interval = parse_duration(spec.monitoring.interval)
        return replace(observed, source=await self._sources.read(key, source, interval=interval, now=now))

    async def _with_progress(self, observed: Observed, now: datetime) -> Observed:
        """Ask what a running Job is doing."""
        key, version = observed.model.key, running_job(observed)
        if version is None:
            self._progress.forget(key)
            return observed
        stage: Stage = "evaluate" if version.status.phase is VersionPhase.EVALUATING else "train"
        interval = parse_duration(observed.model.spec.monitoring.interval)
        said = await self._progress.read(key, version.number, stage, interval=interval, now=now)
        return replace(observed, progress=said)

    async def _with_quality(self, observed: Observed, now: datetime) -> Observed:
        """Add the newest answer to the question that matters now; a new alarm changes the question."""
        key, spec = observed.model.key, observed.model.spec
        interval = parse_duration(spec.monitoring.interval)
        known = self._quality.known(key)
        if known is not None:
            observed = replace(observed, quality=known.quality, quality_query=known.query)
        for _ in range(_QUESTIONS):
            query = quality_query(observed)
            if query is None:
                return replace(observed, quality=None, quality_query=None)
            answer = await self._quality.read(key, query, interval=interval, now=now)
            observed = replace(observed, quality=answer.quality, quality_query=answer.query, quality_error=answer.error)
        if observed.quality is not None:
            self._telemetry.show_quality(key, observed.quality, spec.objective.threshold)
        return observed
