"""A trained version on its way through the gate: labels to judge it on, its evaluation Job, the verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import msgspec

from evermodel import pace
from evermodel.api.conditions import Reason
from evermodel.api.evaluation import Direction
from evermodel.api.modeldeployment import ModelDeploymentSpec
from evermodel.api.modelversion import ModelVersionStatus, VersionFailure, VersionPhase
from evermodel.constraints import Constraint, CustomDemand, Demands
from evermodel.contract import EvaluationReport, FailureReason
from evermodel.core import facts, names
from evermodel.core.actions import CreateJob
from evermodel.core.objectives import objective_of, rounded
from evermodel.core.observed import Observed, VersionView
from evermodel.core.phases import jobs, progress
from evermodel.core.questions import current_quality, looks_at, records_counted, running_job
from evermodel.core.runs import evaluate_run, measure_of, measured, recorded, report_of
from evermodel.core.step import NOTHING, Step
from evermodel.core.timestamps import rfc3339
from evermodel.gate import GateRules, Outcome, Verdict, decide, next_look


def wait_for_labels(observed: Observed, version: VersionView, trained: ModelVersionStatus) -> Step:
    """Hold a trained version until the gate may look at it: until there are records that neither model has seen."""
    spec = observed.model.spec
    if not spec.retraining.data.include_feedback:  # none will come any more: the gate says that it cannot tell
        return begin(observed, version, trained)
    needed, counted = records_to_judge(spec, version, trained), records_counted(observed)
    if counted is not None and counted >= needed:
        return begin(observed, version, trained)
    if trained.phase is VersionPhase.AWAITING_LABELS:
        return NOTHING
    message = f"Trained; waits for {needed} labelled records that neither model has seen."
    waiting = msgspec.structs.replace(trained, phase=VersionPhase.AWAITING_LABELS, message=message)
    return Step(actions=(jobs.write(version, waiting),))


def records_to_judge(spec: ModelDeploymentSpec, version: VersionView, trained: ModelVersionStatus) -> int:
    """Return how many records neither model has seen the next look takes."""
    scored = trained.looks[-1] if trained.looks else 0
    look = next_look(_rules(spec), looks_at(version), scored)
    if not trained.looks:
        return look
    counted, min_samples = trained.fresh_records or 0, spec.monitoring.min_samples
    return pace.records_for(look, counted=counted, scored=scored, min_samples=min_samples)


def begin(observed: Observed, version: VersionView, trained: ModelVersionStatus) -> Step:
    """Fix the rows that decide, before the Job that looks at them exists."""
    quality = current_quality(observed)
    captured = observed.model.spec.retraining.data.include_feedback or bool(looks_at(version))
    status = msgspec.structs.replace(
        trained,
        phase=VersionPhase.EVALUATING,
        message="Trained; is compared on rows that it has not seen.",
        fresh_through=quality.last_seq if quality is not None and captured else None,
        fresh_records=records_counted(observed) if looks_at(version) else None,
    )
    return Step(actions=(jobs.write(version, status),))


def step(observed: Observed, version: VersionView, now: datetime) -> Step:
    """Take a version in evaluation one step further."""
    job = facts.job_of(observed, version)
    manifest, data_sha256 = version.status.manifest, version.status.data_sha256
    if manifest is None or data_sha256 is None:
        return jobs.failure(version, FailureReason.REPORT_LOST, "The version's status has lost its artifact.", now)
    if job is None:
        name = names.evaluate_job_name(observed.model.key.name, version.number, facts.current_look(version))
        run = evaluate_run(observed, version, manifest=manifest, data_sha256=data_sha256)
        return Step(actions=(CreateJob(name=name, version=version.name, run=run),))
    report = jobs.result(version, job, now)
    if isinstance(report, Step):
        return progress.show(observed, version, now) if running_job(observed) is not None else report
    if not isinstance(report, EvaluationReport):
        return jobs.failure(
            version, FailureReason.CRASHED, f"Job {job.name} left the report of another kind of run.", now
        )
    rows = report.fresh.rows if report.fresh is not None else 0
    scored = msgspec.structs.replace(
        version.status,
        progress=None,
        reference=recorded(report.reference),
        fresh=recorded(report.fresh),
        report=report_of(report),
        looks=(*version.status.looks, rows) if looks_at(version) else (),
        finished_at=rfc3339(now),
    )
    return Step(actions=(jobs.write(version, judged(observed, version, scored)),))


def judge_again(observed: Observed) -> Step:
    """Let a changed threshold or constraint change the verdict on recorded scores: it starts no Job."""
    version = facts.newest_fitted(observed)
    if version is None or version.status.phase is not VersionPhase.REJECTED or facts.active(observed) is not None:
        return NOTHING
    champion = facts.champion(observed)
    same_champion = version.spec.parent == (champion.number if champion is not None else None)
    if not same_champion or not facts.wants(observed, version) or observed.model.spec.version is not None:
        return NOTHING
    status = judged(observed, version, version.status)
    return Step(actions=(jobs.write(version, status),)) if status.phase is VersionPhase.CANDIDATE else NOTHING


def still_passes(observed: Observed, version: VersionView) -> bool:
    """Tell whether today's rules let a candidate through as well.

    One that traffic already goes to is finished first; one that a person pinned or that was adopted is not judged.
    """
    spared = version.number in {facts.traffic_of(observed), observed.model.spec.version}
    if spared or version.spec.adopted_manifest is not None:
        return True
    return judged(observed, version, version.status).phase is VersionPhase.CANDIDATE


def withdraw(observed: Observed, version: VersionView) -> Step:
    """Take back a candidate that the changed rules no longer let through."""
    return Step(actions=(jobs.write(version, judged(observed, version, version.status)),))


def judged(observed: Observed, version: VersionView, scored: ModelVersionStatus) -> ModelVersionStatus:
    """Return the status of a version whose scores are known, by today's rules."""
    spec = observed.model.spec
    verdict = _verdict(spec, version, scored)
    message = verdict.message[:1].upper() + verdict.message[1:]
    if verdict.outcome is Outcome.INCONCLUSIVE and _is_looked_at_again(spec, version, scored):
        return msgspec.structs.replace(
            scored,
            phase=VersionPhase.AWAITING_LABELS,
            message=f"{message} Waits for {records_to_judge(spec, version, scored)} labelled records.",
            finished_at=None,
        )
    if verdict.outcome is Outcome.PROMOTE:
        phase, failure = VersionPhase.CANDIDATE, None
    else:
        reason = Reason.REJECTED if verdict.outcome is Outcome.REJECT else Reason.INCONCLUSIVE
        phase, failure = VersionPhase.REJECTED, VersionFailure(reason=reason.value, message=message)
    return msgspec.structs.replace(
        scored,
        phase=phase,
        message=message,
        failure=failure,
        holdout=rounded(spec.objective, verdict.holdout, 4) if verdict.holdout is not None else None,
        holdout_set=verdict.decided_on,
    )


def _is_looked_at_again(spec: ModelDeploymentSpec, version: VersionView, scored: ModelVersionStatus) -> bool:
    """Tell whether more records can bring a verdict: they come, and some of them can be scored."""
    if not (looks_at(version) and scored.looks and spec.retraining.data.include_feedback):
        return False
    counted, min_samples = scored.fresh_records or 0, spec.monitoring.min_samples
    return not pace.is_futile(counted=counted, scored=scored.looks[-1], min_samples=min_samples)


def _verdict(spec: ModelDeploymentSpec, version: VersionView, scored: ModelVersionStatus) -> Verdict:
    return decide(
        _rules(spec),
        reference=measured(scored.reference),
        fresh=measured(scored.fresh),
        looks=looks_at(version),
        scored_before=next(iter(scored.looks[-2:-1]), 0),
    )


def _rules(spec: ModelDeploymentSpec) -> GateRules:
    objective = objective_of(spec.objective)
    tolerance = spec.evaluation.reference_tolerance
    return GateRules(
        threshold=spec.objective.threshold,
        metric=objective,
        min_samples=spec.monitoring.min_samples,
        confidence=spec.evaluation.improvement.confidence,
        min_absolute=spec.evaluation.improvement.min_absolute,
        reference_tolerance=tolerance * spec.objective.threshold if objective.metric.lower_is_better else tolerance,
        demands=replace(demands_of(spec), custom=_custom_demands(spec)),
    )


def demands_of(spec: ModelDeploymentSpec) -> Demands:
    """Return what a version must meet besides the objective, in metrics that are measured in production, too."""
    return Demands(
        constraints=tuple(
            Constraint(metric=measure_of(one), threshold=one.threshold) for one in spec.evaluation.constraints
        ),
        slice_thresholds={one.column: one.threshold for one in spec.evaluation.slices if one.threshold is not None},
    )


def _custom_demands(spec: ModelDeploymentSpec) -> tuple[CustomDemand, ...]:
    return tuple(
        CustomDemand(name=one.name, lower_is_better=one.direction is Direction.MINIMIZE, threshold=one.threshold)
        for one in spec.evaluation.custom_metrics
    )
