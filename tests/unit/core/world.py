"""A small world for plans: what the API server, its controllers, the hub and the pods would do, as values.

It does a plan's actions one by one, so that an operator can be stopped between any two, and checks after each what must
always hold. Nothing happens by itself: tests say what a Job reports, when pods are ready, and how many labels come.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

import msgspec
from tests.unit.core.invariants import after_action, after_plan, after_status
from tests.unit.core.made import NOW, SETTINGS, make_model, make_spec

from evermodel.api.modeldeployment import Autoscaling, ModelDeploymentSpec
from evermodel.api.modelversion import ACTIVE_PHASES, ModelVersionStatus
from evermodel.contract import (
    Alarm,
    ColumnDrift,
    Drift,
    DriftQuery,
    EvaluateRun,
    EvaluationReport,
    FailureReport,
    Learnt,
    LineageEntry,
    Metric,
    NothingNewReport,
    OfflineReport,
    OfflineRun,
    PairedScore,
    Quality,
    QualityQuery,
    RunConfig,
    RunReport,
    TrainReport,
    TrainRun,
    WindowStats,
)
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
    Event,
    HandReplicasOver,
    Manifest,
    Plan,
    RecordLineage,
    WriteVersionStatus,
)
from evermodel.core.builders import fingerprint
from evermodel.core.durations import parse_duration
from evermodel.core.observed import (
    AutoscalerView,
    DeploymentView,
    HubView,
    JobState,
    JobView,
    ModelView,
    Observed,
    OperatorSettings,
    ServiceView,
    VersionView,
    Workers,
)
from evermodel.core.plan import plan
from evermodel.core.questions import needs_lineage, quality_query
from evermodel.core.timestamps import from_epoch
from evermodel.resources import BUILDERS

STARTS = 0.2
"""PSI of monitoring.drift by default."""
LIVE = frozenset({JobState.PENDING, JobState.RUNNING})


class Crash(Exception):  # noqa: N818 - what happened
    """The operator ended here."""


class Model(StrEnum):
    """How good the model is that a run makes."""

    FAR_BETTER = "far better"
    """So that an early look sees it."""
    BETTER = "better"
    AHEAD = "ahead, as chance makes it"
    EQUAL = "equal"
    WORSE = "worse"


@dataclass(slots=True)
class Job:
    """A Job, what its pod was told, and whether the pod is still there."""

    view: JobView
    version: int
    run: RunConfig
    workers: int = 0
    """Pods of a search Job."""


@dataclass(slots=True)
class Hub:
    """What the hub keeps: labels of each version, alarms, the ledger of records, champions."""

    labels: Counter[int] = field(default_factory=Counter)
    accuracy: dict[int, float] = field(default_factory=dict)
    alarms: dict[tuple[int, float], Alarm] = field(default_factory=dict)
    records: list[tuple[int, float]] = field(default_factory=list)
    """Ledger number and time of the prediction."""
    last_seq: int = 0
    lineage: dict[int, LineageEntry] = field(default_factory=dict)
    uses: list[int] = field(default_factory=list)
    """Versions judged on the reference rows."""
    coverage: float = 1.0
    progress: str = ""
    """What the running Job said last."""
    moved: dict[int, float] = field(default_factory=dict)
    """PSI of what each version is asked, in both windows."""
    drifts: Counter[int] = field(default_factory=Counter)
    """How often a version has begun to drift …"""
    drift_runs: Counter[int] = field(default_factory=Counter)
    """… and how many runs began for it."""
    scored_share: float = 1.0
    """Of the records, those that a judgement can score: the others equal rows that were trained on."""

    def answer(self, query: QualityQuery, now: datetime) -> Quality:
        """Answer as the hub does."""
        labels, accuracy = self.labels[query.version], self.accuracy.get(query.version, 0.0)
        counted = [seq for seq, at in self.records if seq > query.records_after and at > query.predicted_after]
        return Quality(
            version=query.version,
            as_of=now.timestamp(),
            predictions=2 * labels,
            labels=labels,
            window=WindowStats(value=accuracy, lower=accuracy - 0.02, upper=accuracy + 0.02, samples=labels)
            if labels
            else None,
            coverage=self.coverage if labels else None,
            alarm=self.alarms.get((query.version, query.threshold)),
            last_seq=self.last_seq,
            records=len(self.records),
            records_counted=len(counted),
            drift=self._compared(query.version, query.drift, now),
        )

    def values_move(self, version: int, psi: float) -> None:
        """Let what a version is asked move so far from what it learnt from."""
        self.drifts[version] += psi >= STARTS > self.moved.get(version, 0.0)
        self.moved[version] = psi

    def _compared(self, version: int, asked: DriftQuery | None, now: datetime) -> Drift | None:
        psi = self.moved.get(version)
        if psi is None or asked is None:
            return None
        one = ColumnDrift(
            name="age",
            psi=psi,
            psi_before=psi,
            by_chance=0.1,
            drifted=psi >= asked.threshold,
            missing=0.0,
            missing_reference=0.0,
            outside=0.0,
        )
        return Drift(
            version=version,
            as_of=now.timestamp(),
            since=now.timestamp() - asked.window,
            rows=1000,
            judged=True,
            drifted=int(one.drifted),
            features=(one,),
            prediction=msgspec.structs.replace(one, name="prediction", psi=0.0, psi_before=0.0, drifted=False),
        )


class World:
    """One ModelDeployment in one namespace."""

    def __init__(self, spec: ModelDeploymentSpec | None = None) -> None:
        self.now: datetime = NOW
        self.model: ModelView = make_model(spec or make_spec(), created_at=NOW)
        self.settings: OperatorSettings = SETTINGS
        self.versions: dict[str, VersionView] = {}
        self.jobs: dict[str, Job] = {}
        self.terminating: list[int] = []
        """Versions of pods whose Job is gone."""
        self.deployments: dict[int, DeploymentView] = {}
        self.service: ServiceView | None = None
        self.autoscaler: AutoscalerView | None = None
        self.scaled: int | None = None
        """Version that the autoscaler follows …"""
        self.bounds: Autoscaling | None = None
        """… and within which bounds."""
        self.handed_over: set[int] = set()
        """Versions whose number of pods another field manager owns, too."""
        self.was_declared = False
        """Somebody declared a number of pods since an autoscaler last had it: without either it is 1 again."""
        self.hub_view = HubView()
        self.hub = Hub()
        self.answer: tuple[QualityQuery, Quality, datetime] | None = None
        self.scores: dict[int, EvaluationReport] = {}
        """What evaluation Jobs reported, by version."""
        self.given: set[int] = set()
        """Every version number that was ever created."""
        self.attempts: Counter[int] = Counter()
        """Runs that an alarm began since a person last changed anything."""
        self.writes: Counter[str] = Counter()
        self.events: list[Event] = []
        self.source = "data"
        """Digest of what is there to be learnt from."""
        self.due: timedelta | None = None
        self._numbers = itertools.count(1)

    # --- the operator -------------------------------------------------------------------------------------------------

    def observe(self) -> Observed:
        """Look as the operator does: the hub is asked when an answer is due or the question is another one."""
        observed = Observed(
            model=self.model,
            versions=tuple(sorted(self.versions.values(), key=lambda version: version.number)),
            settings=self.settings,
            jobs={name: job.view for name, job in self.jobs.items()},
            orphaned=frozenset(self.terminating),
            deployments=dict(self.deployments),
            service=self.service,
            autoscaler=self.autoscaler,
            hub=self.hub_view,
            progress=self.hub.progress,
        )
        if needs_lineage(observed) and self.hub_view.ready:
            entries = sorted(self.hub.lineage.values(), key=lambda entry: entry.promoted_at)
            observed = replace(observed, lineage=tuple(entries))
        return self._with_quality(observed)

    def reconcile(self, step: Callable[[], None] = lambda: None) -> int:
        """Observe, plan and apply until nothing changes any more; ``step`` is called before each write, and may crash.

        Returns
        -------
        int
            How many things were written.
        """
        written = 0
        for _ in range(30):
            observed = self.observe()
            decision = plan(observed, self.now, BUILDERS)
            after_plan(observed, decision, self.now)
            for action in decision.actions:
                step()
                self._apply(action)
            changes = [action for action in decision.actions if not isinstance(action, EnsureSecrets | RecordLineage)]
            written += len(decision.actions)
            if changes:
                continue
            if decision.status != self.model.status:
                step()
                self._write_status(decision)
                written += 1
            for event in decision.events:
                step()
                self.events.append(event)
            self.due = decision.requeue_after
            if self.model.status == plan(self.observe(), self.now, BUILDERS).status:
                return written
        raise AssertionError("the operator writes without end")

    # --- everybody else -----------------------------------------------------------------------------------------------

    def edit(self, spec: ModelDeploymentSpec) -> None:
        """Change the spec, as a person does."""
        if spec != self.model.spec:
            self.attempts.clear()
            self.was_declared |= spec.serving.replicas is not None
            self.model = replace(
                self.model, spec=spec, generation=self.model.generation + 1, resource_version=self._next()
            )

    def request(self, token: str) -> None:
        """Annotate the object to ask for a run."""
        self.attempts.clear()
        self.model = replace(self.model, retrain_request=token, resource_version=self._next())

    def hub_starts(self) -> None:
        """The hub's pod becomes ready, once there is one."""
        if self.hub_view.applied:
            self.hub_view = replace(self.hub_view, ready=True)

    def hub_stops(self) -> None:
        """The hub's pod is gone for a while."""
        self.hub_view = replace(self.hub_view, ready=False)

    def waiting_jobs(self) -> list[Job]:
        """Return the Jobs that have not ended, oldest first."""
        return [job for job in self.jobs.values() if job.view.state in LIVE]

    def job_starts(self, job: Job) -> None:
        """A pod runs."""
        running = Workers(running=min(job.workers, 1))
        job.view = replace(job.view, state=JobState.RUNNING, live_pods=1, workers=running)

    def job_succeeds(self, job: Job, model: Model) -> None:
        """A Job reports the model that it made or measured; one that searches beside another reports nothing."""
        job.view = replace(job.view, workers=Workers(succeeded=job.workers))
        self._end(job, JobState.SUCCEEDED, None if job.workers else self._report(job, model))

    def job_fails(self, job: Job, report: FailureReport | None) -> None:
        """A Job fails, with or without a word; of one that searches, all pods."""
        job.view = replace(job.view, workers=Workers(failed=job.workers))
        self._end(job, JobState.FAILED, report)

    def pods_end(self) -> None:
        """Pods whose Job was deleted are gone."""
        self.terminating.clear()

    def pods_become_ready(self, number: int) -> None:
        """The Deployment controller has rolled a version out."""
        view = self.deployments[number]
        self.deployments[number] = replace(view, ready_replicas=view.replicas, updated=True, stuck=False)

    def pods_never_start(self, number: int) -> None:
        """The Deployment controller gives a version up."""
        view = self.deployments[number]
        if not view.ready_replicas:
            self.deployments[number] = replace(view, stuck=True, message="the image cannot be pulled")

    def autoscaler_scales(self, replicas: int) -> None:
        """The autoscaler sets the number of pods, within its bounds, of the Deployment that it was pointed to."""
        view = self.deployments.get(self.scaled) if self.scaled is not None else None
        if view is None or self.bounds is None or not view.replicas:
            return
        wanted = min(max(replicas, self.bounds.min_replicas), self.bounds.max_replicas)
        if wanted != view.replicas:
            self.handed_over.discard(view.version)
            ready = min(view.ready_replicas, wanted)
            self.deployments[view.version] = replace(
                view, replicas=wanted, ready_replicas=ready, owns_replicas=False, updated=False
            )

    def deployment_is_edited(self, number: int) -> None:
        """Somebody changes a Deployment by hand."""
        self.deployments[number] = replace(self.deployments[number], drifted=True)

    def labels_come(self, count: int, accuracy: float) -> None:
        """Labels of the serving version come; far below the threshold, the detector alarms."""
        number = self.service.version if self.service is not None else None
        if number is None:
            return
        for _ in range(count):
            self.hub.last_seq += 1
            if self.model.spec.retraining.data.include_feedback:
                self.hub.records.append((self.hub.last_seq, self.now.timestamp()))
        self.hub.labels[number] += count
        self.hub.accuracy[number] = accuracy
        threshold = self.model.spec.objective.threshold
        if accuracy < threshold - 0.05 and self.hub.labels[number] >= 200:
            last = self.hub.last_seq
            alarm = Alarm(seq=last, at=self.now.timestamp(), value=accuracy, samples=200, changed_after=last - 10)
            self.hub.alarms.setdefault((number, threshold), alarm)

    def values_move(self, psi: float) -> None:
        """What the serving version is asked moves so far."""
        if self.service is not None and self.service.version is not None:
            self.hub.values_move(self.service.version, psi)

    def time_passes(self, span: timedelta) -> None:
        """Let the clock go on."""
        self.now += span

    def settle(self, model: Model = Model.BETTER) -> None:
        """Let everything go well until nothing happens any more."""
        for _ in range(60):
            written = self.reconcile()
            if not (self._goes_well(model) or written or self._wait()):
                return
        raise AssertionError("the world does not come to rest")

    # --- inside -------------------------------------------------------------------------------------------------------

    def _goes_well(self, model: Model) -> bool:
        happened = not self.hub_view.ready or bool(self.terminating)
        self.hub_starts()
        self.pods_end()
        for job in self.waiting_jobs():
            self.job_succeeds(job, model)
            happened = True
        for number, view in self.deployments.items():
            if not view.updated or view.ready_replicas < view.replicas:
                self.pods_become_ready(number)
                happened = True
        return happened

    def _wait(self) -> bool:
        """Wait for what is due, but not for the hub's next answer: without labels it is the same for ever."""
        interval = parse_duration(self.model.spec.monitoring.interval)
        if self.due is None or self.due >= interval:
            return False
        self.now += self.due
        return True

    def _with_quality(self, observed: Observed) -> Observed:
        if not self.hub_view.ready:
            return replace(observed, quality_error="connection refused")
        interval = parse_duration(self.model.spec.monitoring.interval)
        if self.answer is not None:
            observed = replace(observed, quality=self.answer[1], quality_query=self.answer[0])
        for _ in range(2):
            query = quality_query(observed)
            if query is None:
                return replace(observed, quality=None, quality_query=None)
            if self.answer is None or self.answer[0] != query or self.now >= self.answer[2] + interval:
                self.answer = (query, self.hub.answer(query, self.now), self.now)
            observed = replace(observed, quality=self.answer[1], quality_query=query)
        return observed

    def _next(self) -> str:
        return str(next(self._numbers))

    def _write_status(self, decision: Plan) -> None:
        after_status(self.model.status, decision.status)
        self.writes["status"] += 1
        self.model = replace(self.model, status=decision.status, resource_version=self._next())

    def _apply(self, action: Action) -> None:  # noqa: C901, PLR0912 - flat, like a table
        self.writes[type(action).__name__] += 1
        match action:
            case CreateVersion():
                self._create_version(action)
            case WriteVersionStatus():
                self._write_version(action)
            case DeleteVersion():
                self._delete_version(action)
            case CreateJob() | CreateSearchJob():
                self._create_job(action)
            case DeleteJob():
                self._remove_job(action.name)
            case ApplyDeployment():
                self._apply_deployment(action)
            case HandReplicasOver():
                self._hand_replicas_over(action)
            case ApplyAutoscaler():
                self._apply_autoscaler(action)
            case DeleteAutoscaler():
                assert self.autoscaler is not None, "an autoscaler that is gone is deleted"
                self.autoscaler, self.scaled, self.bounds = None, None, None
            case DeleteDeployment():
                number = next(number for number, view in self.deployments.items() if view.name == action.name)
                assert self.service is None or self.service.version != number, "pods with traffic are deleted"
                del self.deployments[number]
                self.handed_over.discard(number)
            case ApplyService():
                self._apply_service(action)
            case EnsureSecrets():
                pass
            case ApplyHub():
                self.hub_view = replace(self.hub_view, applied=self.hub_view.applied | action.kinds)
            case RecordLineage():
                assert self.hub_view.ready, "a hub that is away was told something"
                self.hub.lineage[action.entry.number] = action.entry
            case _:
                assert_never(action)
        after_action(self)

    def _create_version(self, action: CreateVersion) -> None:
        number, trigger = action.spec.number, action.spec.trigger
        adopts = action.spec.adopted_manifest is not None
        assert adopts or number > max(self.given, default=0), f"number {number} was given before"
        assert action.name not in self.versions
        if trigger.reason == "AccuracyAlarm" and trigger.alarm_seq is not None:
            self.attempts[trigger.alarm_seq] += 1
        if trigger.reason == "Drift" and action.spec.parent is not None and not trigger.message.startswith("Attempt "):
            self.hub.drift_runs[action.spec.parent] += 1
        self.given.add(number)
        self.versions[action.name] = VersionView(
            name=action.name,
            uid=f"{action.name}-uid",
            resource_version=self._next(),
            created_at=self._whole_seconds(),
            spec=action.spec,
            status=ModelVersionStatus(),
        )

    def _write_version(self, action: WriteVersionStatus) -> None:
        version = self.versions[action.name]
        assert action.resource_version == version.resource_version, "written over what was not observed"
        assert action.status != version.status, "an identical write"
        self.versions[action.name] = replace(version, status=action.status, resource_version=self._next())

    def _delete_version(self, action: DeleteVersion) -> None:
        version = self.versions.pop(action.name)
        assert version.status.phase not in ACTIVE_PHASES, "a run was deleted"
        for name in [name for name, job in self.jobs.items() if job.version == version.number]:
            self._remove_job(name)

    def _create_job(self, action: CreateJob | CreateSearchJob) -> None:
        assert action.name not in self.jobs, "a Job is made twice"
        version = self.versions[action.version]
        view = JobView(
            name=action.name,
            uid=f"job-{self._next()}",
            owner_uid=version.uid,
            state=JobState.PENDING,
            created_at=self._whole_seconds(),
            live_pods=1,
        )
        workers = action.workers if isinstance(action, CreateSearchJob) else 0
        self.jobs[action.name] = Job(view=view, version=version.number, run=action.run, workers=workers)

    def _remove_job(self, name: str) -> None:
        job = self.jobs.pop(name)
        self.terminating += [job.version] * job.view.live_pods

    def _apply_deployment(self, action: ApplyDeployment) -> None:
        known, manifest = self.deployments.get(action.version), action.manifest
        applied = fingerprint(manifest)
        assert known is None or known.fingerprint != applied or known.drifted, "an identical Deployment is applied"
        replicas = self._replicas_applied(known, manifest["spec"].get("replicas"))
        self.deployments[action.version] = DeploymentView(
            name=manifest["metadata"]["name"],
            uid=known.uid if known is not None else f"deployment-{self._next()}",
            version=action.version,
            replicas=replicas,
            ready_replicas=min(known.ready_replicas, replicas) if known is not None else 0,  # pods roll one by one
            updated=False,
            fingerprint=applied,
            owns_replicas="replicas" in manifest["spec"],
            kept_replicas=_kept(manifest),
        )
        if known is not None and self._declares_no_number(known):
            assert replicas >= known.replicas, f"pods fall from {known.replicas} to {replicas}, as nobody declared"

    def _replicas_applied(self, known: DeploymentView | None, given: int | None) -> int:
        """Return what server-side apply makes of a number: one that its only owner left out would become 1."""
        if given is not None:
            return given
        assert known is not None, "nobody gives a new Deployment a number of pods"
        assert not known.owns_replicas or known.version in self.handed_over, "a number that nobody owns becomes 1"
        return known.replicas

    def _declares_no_number(self, known: DeploymentView) -> bool:
        """Tell whether the pods with the traffic may not become fewer by the operator's doing."""
        serves = self.service is not None and self.service.version == known.version
        return serves and self.model.spec.serving.replicas is None and not self.was_declared

    def _hand_replicas_over(self, action: HandReplicasOver) -> None:
        known = self.deployments[action.version]
        assert known.uid == action.uid
        assert action.replicas >= known.replicas, "pods become fewer while they are handed over"
        self.handed_over.add(action.version)
        self.deployments[action.version] = replace(known, replicas=action.replicas)

    def _apply_autoscaler(self, action: ApplyAutoscaler) -> None:
        known, applied = self.autoscaler, fingerprint(action.manifest)
        assert known is None or known.fingerprint != applied, "an identical autoscaler is applied"
        assert not self.deployments[action.version].owns_replicas, "operator and autoscaler both set the replicas"
        self.autoscaler = AutoscalerView(name=names.MODEL_LABEL, uid="autoscaler-uid", fingerprint=applied)
        self.scaled, self.bounds = action.version, self.model.spec.serving.autoscaling
        self.was_declared = False

    def _apply_service(self, action: ApplyService) -> None:
        known, applied = self.service, fingerprint(action.manifest)
        assert known is None or known.fingerprint != applied or known.drifted, "an identical Service is applied"
        if known is None or known.version != action.version:
            deployment = self.deployments.get(action.version)
            assert deployment is not None, "traffic moves to a version without pods"
            assert deployment.updated, "traffic moves to pods of an older manifest"
            assert deployment.ready_replicas >= self._pods_needed(known), "traffic moves to pods not ready"
        self.service = ServiceView(name=names.MODEL_LABEL, version=action.version, fingerprint=applied)

    def _pods_needed(self, known: ServiceView | None) -> int:
        """Return how many pods take over the traffic: as many as declared, or as have it now."""
        serving = self.model.spec.serving
        if serving.replicas is not None:
            return serving.replicas
        before = self.deployments.get(known.version) if known is not None and known.version is not None else None
        if before is None or self.was_declared:
            return 0
        return min(before.replicas, serving.autoscaling.max_replicas if serving.autoscaling is not None else 1000)

    def _end(self, job: Job, state: JobState, report: RunReport | None) -> None:
        job.view = replace(job.view, state=state, live_pods=0, report=report, finished_at=self._whole_seconds())
        if isinstance(report, EvaluationReport):
            self.scores[job.version] = report

    def _report(self, job: Job, model: Model) -> RunReport:
        if isinstance(job.run, TrainRun):
            if any(known.data_sha256 == self.source and self._came(known, job.run) == 0 for known in job.run.known):
                return NothingNewReport(data_sha256=self.source, message="Nothing was trained.")
            return TrainReport(
                manifest=f"manifest-{job.version}",
                data_sha256=self.source,
                rows=1200,
                feedback_rows=len(self.hub.records) if job.run.feedback_through else 0,
                window="all",
                validation=None,
                classes=10,
                seconds=1.0,
            )
        if isinstance(job.run, OfflineRun):
            return self._production_report(job.run)
        if job.version not in self.hub.uses:
            self.hub.uses.append(job.version)
        reference = _score(model, rows=500, run=job.run, use=self.hub.uses.index(job.version) + 1)
        rows = self._fresh_rows(job.run)
        fresh = _score(model, rows=rows, run=job.run, use=1) if rows else None
        return EvaluationReport(reference=reference, fresh=fresh, seconds=1.0)

    def _production_report(self, run: OfflineRun) -> OfflineReport:
        """Return what a Job finds that scores the champion: the accuracy of its labels."""
        records = sum(seq > run.records.after for seq, _ in self.hub.records)
        accuracy = self.hub.accuracy.get(run.version, 0.96)
        score = PairedScore(rows=records, candidate=accuracy, dummy=0.1) if records else None
        return OfflineReport(
            scheduled=run.scheduled,
            rows=records,
            score=score,
            lower=accuracy - 0.02,
            upper=accuracy + 0.02,
            seconds=1.0,
        )

    def _came(self, known: Learnt, run: TrainRun) -> int:
        """Return how many records of the run a version has not learnt from."""
        after, through = known.feedback_through or 0, run.feedback_through or 0
        return sum(after < seq <= through for seq, _ in self.hub.records)

    def _fresh_rows(self, run: EvaluateRun) -> int:
        wanted = run.fresh
        if wanted is None:
            return 0
        records = sum(
            wanted.after < seq <= wanted.through and at > wanted.predicted_after for seq, at in self.hub.records
        )
        return int(records * self.hub.scored_share)

    def _whole_seconds(self) -> datetime:
        return from_epoch(int(self.now.timestamp()))


def _kept(manifest: Manifest) -> int | None:
    kept = manifest["metadata"]["annotations"].get(names.REPLICAS_ANNOTATION)
    return int(kept) if kept is not None else None


def _score(model: Model, *, rows: int, run: EvaluateRun, use: int) -> PairedScore:
    """Return scores that leave no doubt about how good a model is, at any use of the rows."""
    first = run.champion is None
    accuracy, won, lost = {
        Model.FAR_BETTER: (0.97, rows // 2, 0),
        Model.BETTER: (0.97, rows // 10, 0),
        Model.AHEAD: (0.93 + 5 / rows, 6, 1),
        Model.EQUAL: (0.93, 3, 3),
        Model.WORSE: (0.85, 0, rows // 10),
    }[model]
    return PairedScore(
        rows=rows,
        metric=str(run.objective),
        p=None if first or run.objective.metric is Metric.ACCURACY else 0.0001 if won > lost else 0.9,
        candidate=accuracy,
        dummy=0.1,
        champion=None if first else 0.93,
        candidate_only=0 if first else won,
        champion_only=0 if first else lost,
        use=use,
    )
