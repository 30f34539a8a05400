"""What a run's Jobs are told.

It is made from the immutable record of the run, never from a spec that may have moved on; but for what an evaluation
measures.
"""

from __future__ import annotations

import msgspec

from evermodel.api.conditions import Reason
from evermodel.api.evaluation import Constraint, EvaluationMetric
from evermodel.api.modeldeployment import CHAMPION, Evaluation
from evermodel.api.modelversion import ReportDigests, SetScore
from evermodel.contract import (
    DataFormat,
    DataSource,
    Epochs,
    EvaluateRun,
    EvaluationReport,
    FeedbackRules,
    FreshRange,
    ImportedModel,
    Learnt,
    Measure,
    OfflineRun,
    OnlineUpdate,
    PairedScore,
    Slice,
    TrainRun,
    WarmStart,
)
from evermodel.core import facts, members, recipes
from evermodel.core.durations import parse_duration
from evermodel.core.objectives import objective_of
from evermodel.core.observed import Observed, VersionView
from evermodel.core.questions import trained_through
from evermodel.core.timestamps import parse_time

_UNASKED = frozenset({Reason.SCHEDULED, Reason.DATA_CHANGED, Reason.DRIFT})
"""Reasons of runs that need not train: a ConfigMap may be mounted as it was a moment before it changed."""


def data_source(version: VersionView) -> DataSource:
    """Return where the rows of a run are."""
    data = version.spec.data
    return DataSource(
        uri=data.train.uri,
        target=data.target,
        sha256=data.train.sha256,
        features=data.features,
        id_column=data.id_column,
        holdout_fraction=data.holdout.fraction,
        format=DataFormat(**msgspec.structs.asdict(data.format)),
        credentials=data.credentials_secret_ref.name if data.credentials_secret_ref is not None else None,
    )


def train_run(observed: Observed, version: VersionView) -> TrainRun:
    """Return what the training Job is told."""
    training = version.spec.training
    key = observed.model.key
    return TrainRun(
        namespace=key.namespace,
        model=key.name,
        version=version.number,
        hub_url=observed.settings.hub_url,
        data=data_source(version),
        task=version.spec.task,
        objective=objective_of(version.spec.objective),
        estimator=recipes.estimator_name(training, version.spec.task),
        container=_container(version),
        parameters=training.parameters,
        ensemble=recipes.ensemble(training, members.manifests(observed)),
        preprocessing=recipes.steps(training),
        champion=_champion_of_same_columns(observed, version),
        changed_after=version.spec.trigger.changed_after,
        feedback_through=version.spec.feedback_through,
        feedback_rules=_feedback_rules(version),
        epochs=None if training.epochs is None else Epochs(**msgspec.structs.asdict(training.epochs)),
        imported=None if (model := version.spec.model) is None else ImportedModel(uri=model.uri, sha256=model.sha256),
        warm_start=_warm_start(observed, version),
        search=recipes.search(training),
        strategy=version.spec.trigger.strategy,
        online=_online(observed, version),
        keeps_pipeline=version.spec.online is not None,
        known=_known(observed, version),
    )


def _feedback_rules(version: VersionView) -> FeedbackRules | None:
    """Return how records are merged; their age counts from the version's own time, however often its Job is begun."""
    declared = version.spec.retraining_data
    if declared is None:
        return None
    return FeedbackRules(
        as_of=version.created_at.timestamp(),
        max_age=_seconds(declared.max_age),
        max_share=declared.max_share,
        half_life=_seconds(declared.half_life),
    )


def _seconds(duration: str | None) -> float | None:
    return None if duration is None else parse_duration(duration).total_seconds()


def _known(observed: Observed, version: VersionView) -> tuple[Learnt, ...]:
    """Return what need not be learnt again: that which the champion, or a rejected run since, was made of.

    A container of the user's own may learn from more than its rows, and one that asks for a run gets one.
    """
    champion = facts.champion(observed)
    if champion is None or version.spec.trigger.reason not in _UNASKED or _container(version):
        return ()
    return tuple(
        Learnt(version=one.number, data_sha256=one.status.data_sha256, feedback_through=one.spec.feedback_through)
        for one in observed.versions
        if one == champion or (one.number > champion.number and facts.is_refused_refit(one))
        if one.spec.training_hash == version.spec.training_hash and facts.was_fitted(observed, one)
        if not facts.learnt_on(one)
        if one.status.data_sha256 is not None
    )


def _container(version: VersionView) -> str:
    """Return the image that makes the model; empty where it is no container, or the model is imported."""
    declared = version.spec.training.container
    if declared is None or version.spec.model is not None:
        return ""
    return declared.image or version.spec.image


def _warm_start(observed: Observed, version: VersionView) -> WarmStart | None:
    """Return which model the training starts from, as things stand when its Job is made."""
    declared = version.spec.training.warm_start
    if declared is None:
        return None
    if declared.source != CHAMPION:
        return WarmStart(mode=declared.mode, uri=declared.source, sha256=declared.sha256)
    champion = facts.champion(observed)
    return WarmStart(mode=declared.mode, champion=None if champion is None else champion.status.manifest)


def _online(observed: Observed, version: VersionView) -> OnlineUpdate | None:
    """Return which model learns on, and up to where it has learnt; None of a whole run, and without a champion."""
    champion = facts.champion(observed)
    if not facts.learnt_on(version) or champion is None or champion.status.manifest is None:
        return None
    return OnlineUpdate(base=champion.status.manifest, after=champion.spec.feedback_through or 0)


def _champion_of_same_columns(observed: Observed, version: VersionView) -> str | None:
    """Return the champion's manifest where the declaration is its own: then the source must not lose its columns."""
    champion = facts.champion(observed)
    if champion is None or champion.spec.training_hash != version.spec.training_hash:
        return None
    return champion.status.manifest


def evaluate_run(observed: Observed, version: VersionView, *, manifest: str, data_sha256: str) -> EvaluateRun:
    """Return what the evaluation Job of a trained version is told.

    What is measured is read from today's spec: the verdict is by today's constraints as well, and a run that began
    under others need not be made again for them. The scores in the version's status say what was measured.
    """
    evaluation = observed.model.spec.evaluation
    champion = facts.champion(observed)
    key = observed.model.key
    through = version.status.fresh_through
    fresh = None
    if champion is not None and through is not None:
        fresh = FreshRange(
            after=trained_through(version, champion),
            through=through,
            predicted_after=version.spec.trigger.alarm_at or 0.0,
        )
    return EvaluateRun(
        namespace=key.namespace,
        model=key.name,
        version=version.number,
        hub_url=observed.settings.hub_url,
        data=data_source(version),
        data_sha256=data_sha256,
        candidate=manifest,
        champion=champion.status.manifest if champion is not None else None,
        objective=objective_of(version.spec.objective),
        fresh=fresh,
        metrics=tuple(measure_of(one) for one in (*evaluation.metrics, *evaluation.constraints)),
        slices=_slices(evaluation),
        custom_metrics=tuple(one.name for one in evaluation.custom_metrics),
    )


def offline_run(observed: Observed, champion: VersionView, *, through: int, scheduled: str) -> OfflineRun:
    """Return what the Job is told that scores the champion on what production brought since it took traffic."""
    evaluation, key = observed.model.spec.evaluation, observed.model.key
    declared, promoted = observed.model.spec.monitoring.offline, parse_time(champion.status.promoted_at)
    return OfflineRun(
        namespace=key.namespace,
        model=key.name,
        version=champion.number,
        hub_url=observed.settings.hub_url,
        scheduled=scheduled,
        champion=champion.status.manifest or "",
        records=FreshRange(
            after=champion.spec.feedback_through or 0,
            through=through,
            predicted_after=promoted.timestamp() if promoted is not None else 0.0,
        ),
        samples=declared.samples if declared is not None else 0,
        objective=objective_of(observed.model.spec.objective),
        metrics=tuple(measure_of(one) for one in (*evaluation.metrics, *evaluation.constraints)),
        slices=_slices(evaluation),
    )


def _slices(evaluation: Evaluation) -> tuple[Slice, ...]:
    return tuple(Slice(column=one.column, values=one.values, bins=one.bins) for one in evaluation.slices)


def recorded(score: PairedScore | None) -> SetScore | None:
    """Return a Job's score as it is kept in the version's status."""
    return msgspec.convert(msgspec.to_builtins(score), SetScore) if score is not None else None


def report_of(report: EvaluationReport) -> ReportDigests | None:
    """Return where the report of an evaluation is, as the version's status keeps it."""
    found = report.report
    return None if found is None else ReportDigests(json=found.json, html=found.html)


def measured(score: SetScore | None) -> PairedScore | None:
    """Return a kept score as the gate reads it."""
    return msgspec.convert(msgspec.to_builtins(score), PairedScore) if score is not None else None


def measure_of(declared: EvaluationMetric | Constraint) -> Measure:
    """Return a declared metric as Jobs and the gate name it."""
    return Measure(metric=declared.metric, average=declared.average, positive_class=declared.positive_class)
