"""When a run begins: one question per policy, asked in order; the first that wants a run gets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from evermodel import pace
from evermodel.api.conditions import Reason
from evermodel.api.modeldeployment import RetrainingMode, RetrainingTrigger
from evermodel.api.modelversion import ModelVersionSpec, VersionPhase, VersionTrigger
from evermodel.contract import LineageEntry, Strategy
from evermodel.core import facts, names
from evermodel.core.actions import CreateVersion
from evermodel.core.durations import parse_duration
from evermodel.core.hashing import training_hash
from evermodel.core.ladder import strategy_of
from evermodel.core.objectives import objective_of
from evermodel.core.observed import Observed, VersionView
from evermodel.core.phases import changed_data, drifting, online, scheduling
from evermodel.core.phases.jobs import SOON
from evermodel.core.phases.monitoring import alarm_text, assess
from evermodel.core.phases.superseding import leftover
from evermodel.core.questions import current_quality, records_counted
from evermodel.core.sources import watched_source
from evermodel.core.step import NOTHING, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Why a run begins."""

    reason: Reason
    message: str
    request: str = ""
    strategy: Strategy | None = None
    """What the run does beyond the choice of data; None: what is declared."""


Policy = Callable[[Observed, datetime], Trigger | None]


def a_person_asked(observed: Observed, _now: datetime) -> Trigger | None:
    """Honour a token that has not been handled, in any mode; once more when its run was superseded."""
    token = observed.model.retrain_request
    if not token:
        return None
    asked = [version for version in observed.versions if version.spec.trigger.request == token]
    broken_off = bool(asked) and asked[-1].status.phase is VersionPhase.SUPERSEDED
    is_newest = bool(asked) and asked[-1] == observed.versions[-1]
    handled = bool(asked) or token == observed.model.status.retraining.handled_request
    if handled and not (broken_off and is_newest):
        return None
    return Trigger(
        reason=Reason.REQUESTED, message=f"Annotation {names.RETRAIN_ANNOTATION} asks for a run.", request=token
    )


def data_or_training_changed(observed: Observed, _now: datetime) -> Trigger | None:
    """Run for a spec that neither the champion nor the newest run was made from.

    A failed run is repeated for changed pod settings as well: they may be what it failed for.
    """
    newest, champion = facts.newest_run(observed), facts.champion(observed)
    if newest is None or (champion is not None and facts.wants(observed, champion)):
        return None
    if not facts.wants(observed, newest):
        now, then = objective_of(observed.model.spec.objective), objective_of(newest.spec.objective)
        if now != then:
            return _changed(f"The objective is {now.told}; version {newest.number} was made for {then.told}.")
        return _changed(f"Data or training differ from those of version {newest.number}.")
    failed = newest.status.phase is VersionPhase.FAILED
    if failed and not facts.is_for(observed, newest):
        return _changed(f"The settings with which version {newest.number} failed were changed.")
    return None


def no_version_yet(observed: Observed, _now: datetime) -> Trigger | None:
    """Make the first version, or a new one where the champion's record was deleted."""
    newest = facts.newest_run(observed)
    if facts.champion(observed) is not None or (newest is not None and facts.has_no_model(newest)):
        return None
    return Trigger(reason=Reason.FIRST_VERSION, message="The model has no version yet.")


def last_run_may_be_repeated(observed: Observed, now: datetime) -> Trigger | None:
    """Repeat a run that failed through no fault of its data; alarms have their own count and pauses."""
    due = retry_due(observed)
    newest = facts.newest_run(observed)
    if due is None or now < due or newest is None or newest.status.failure is None:
        return None
    number = len(facts.current_attempts(observed)) + 1
    limit = observed.model.spec.retraining.max_attempts
    reason = Reason(newest.spec.trigger.reason)
    return Trigger(
        reason=Reason.FIRST_VERSION if reason is Reason.ADOPTED else reason,
        message=f"Attempt {number} of {limit}: version {newest.number} failed with {newest.status.failure.reason}.",
        request=newest.spec.trigger.request,
    )


def live_metric_fell(observed: Observed, now: datetime) -> Trigger | None:
    """Retrain once the detector has evidence, at the declared false-alarm rate, that the threshold no longer holds."""
    quality = current_quality(observed)
    if quality is None or quality.alarm is None or assess(observed, now).reason is not Reason.RETRAINING:
        return None
    attempt = len(facts.failed_attempts(observed, alarm_seq=quality.alarm.seq)) + 1
    strategy = strategy_of(attempt, observed.model.spec.retraining.strategies)
    told = "" if (attempt, strategy) == (1, Strategy.REFIT) else f" Attempt {attempt}: {strategy}."
    message = f"{alarm_text(observed, quality.alarm)}.{told}"
    return Trigger(reason=Reason.ACCURACY_ALARM, message=message, strategy=strategy)


def more_labels_came(observed: Observed, now: datetime) -> Trigger | None:
    """Run without an alarm, once there are enough labelled records that no run has learnt from.

    A world that changes slowly, or a model that fell and was made again from the first labels of a new world, is better
    learnt with more of them. The pause grows with each run that gave no better model.
    """
    champion, quality, spec = facts.champion(observed), current_quality(observed), observed.model.spec
    if champion is None or quality is None or quality.alarm is not None:
        return None
    after_alarm = champion.spec.trigger.changed_after is not None
    wanted = facts.is_started_by(spec, RetrainingTrigger.DATA) or (
        after_alarm and facts.is_started_by(spec, RetrainingTrigger.ACCURACY)
    )
    if spec.retraining.mode is not RetrainingMode.AUTOMATIC or not spec.retraining.data.include_feedback or not wanted:
        return None
    fruitless = len(facts.fruitless(observed, champion, Reason.MORE_LABELS))
    needed = pace.labels_for_more(fruitless, min_samples=spec.monitoring.min_samples)
    counted, due = records_counted(observed), facts.alarm_may_run_at(observed, attempts=0)
    if counted is None or counted < needed or (due is not None and now < due):
        return None
    message = f"{counted:,} labelled records have come that no version has learnt from; {needed:,} call for a run."
    return Trigger(reason=Reason.MORE_LABELS, message=message, strategy=Strategy.REFIT)


def champion_may_learn_on(observed: Observed, now: datetime) -> Trigger | None:
    """Let the champion learn on from new labelled records where that is asked for."""
    if not online.begins(observed, now):
        return None
    return Trigger(reason=Reason.ONLINE_UPDATE, message=online.describe(observed))


def schedule_is_due(observed: Observed, now: datetime) -> Trigger | None:
    """Run when a time of the schedule has passed since the newest run began; once, however many have."""
    if not scheduling.is_due(observed, now):
        return None
    return Trigger(reason=Reason.SCHEDULED, message=f"The schedule {observed.model.spec.retraining.schedule} is due.")


def source_has_new_content(observed: Observed, now: datetime) -> Trigger | None:
    """Run when the source contains what no version has read, once for each content."""
    if not changed_data.begins(observed, now):
        return None
    return Trigger(reason=Reason.DATA_CHANGED, message=f"{changed_data.describe(observed)}.")


def columns_drift(observed: Observed, now: datetime) -> Trigger | None:
    """Run for columns that drift where that is asked for, once until they no longer do."""
    wanted = drifting.stable(observed, now)
    if wanted is None or not drifting.begins(observed, now):
        return None
    return Trigger(reason=Reason.DRIFT, message=wanted.message.partition(";")[0] + ".")


TRIGGERS: tuple[Policy, ...] = (
    a_person_asked,
    data_or_training_changed,
    no_version_yet,
    last_run_may_be_repeated,
    live_metric_fell,
    more_labels_came,
    source_has_new_content,
    columns_drift,
    schedule_is_due,
    champion_may_learn_on,
)
"""What may begin a run; their order is the precedence."""


_NOT_PUT_OFF: tuple[Policy, ...] = (a_person_asked, source_has_new_content, schedule_is_due)
"""What wants a whole run at its own time, however long an online update waits for labels."""


def overtakes(observed: Observed, version: VersionView, now: datetime) -> bool:
    """Tell whether a whole run takes the place of an online update that waits for labels to be judged on."""
    waits = version.status.phase is VersionPhase.AWAITING_LABELS and facts.learnt_on(version)
    return waits and any(policy(observed, now) is not None for policy in _NOT_PUT_OFF)


def step(observed: Observed, now: datetime) -> Step:
    """Begin a run when there is a reason, nothing is being made, and the hub can take what it makes."""
    if observed.model.spec.paused or facts.active(observed) is not None:
        return NOTHING
    if leftover(observed) is not None or not observed.hub.ready:
        return Step(due=now + SOON)
    if not observed.versions and observed.lineage is None:
        return Step(due=now + SOON)
    entry = facts.adoptable(observed)
    if entry is not None:
        return Step(actions=(_adopt(observed, entry),))
    return _begin(observed, now) if observed.model.spec.version is None else NOTHING


def _begin(observed: Observed, now: datetime) -> Step:
    trigger = next((found for policy in TRIGGERS if (found := policy(observed, now)) is not None), None)
    if trigger is None:
        dues = (
            retry_due(observed),
            scheduling.next_time(observed, now),
            _look_at_the_source(observed, now),
            online.waits_until(observed, now),
        )
        return Step(due=min((due for due in dues if due is not None), default=None))
    if _feedback_is_unknown(observed):
        return Step(due=now + SOON)
    return Step(actions=(_create(observed, trigger),))


def _look_at_the_source(observed: Observed, now: datetime) -> datetime | None:
    """Return when to look at the source again, where it is watched."""
    if watched_source(observed.model.spec) is None:
        return None
    return now + parse_duration(observed.model.spec.monitoring.interval)


def retry_due(observed: Observed) -> datetime | None:
    """Return when the newest run may be repeated; None when it did not fail, or no repetition would help."""
    newest = facts.newest_run(observed)
    if newest is None or newest.status.phase is not VersionPhase.FAILED or not facts.may_be_cured(newest):
        return None
    if newest.spec.trigger.reason in {Reason.ACCURACY_ALARM, *facts.BY_LABELS} or not facts.is_for(observed, newest):
        return None
    attempts = facts.current_attempts(observed)
    if len(attempts) >= observed.model.spec.retraining.max_attempts:
        return None
    return facts.retry_at(newest, len(attempts))


def _changed(message: str) -> Trigger:
    return Trigger(reason=Reason.SPEC_CHANGED, message=message)


def _feedback_is_unknown(observed: Observed) -> bool:
    """Tell whether the ledger's end, up to which the run should learn, has yet to be asked for."""
    learns = observed.model.spec.retraining.data.include_feedback and facts.watched(observed) is not None
    return learns and current_quality(observed) is None


def _create(observed: Observed, trigger: Trigger) -> CreateVersion:
    spec = observed.model.spec
    champion = facts.champion(observed)
    quality = current_quality(observed) if spec.retraining.data.include_feedback else None
    number = facts.next_number(observed)
    return CreateVersion(
        name=names.version_name(observed.model.key.name, number),
        spec=ModelVersionSpec(
            number=number,
            trigger=_with_alarm(observed, trigger),
            training_hash=training_hash(spec),
            image=_image(observed),
            data=spec.data,
            training=spec.training,
            model=spec.model if _imports(observed) else None,
            task=spec.task,
            objective=spec.objective,
            parent=champion.number if champion is not None else None,
            source_sha256=observed.source.sha256,
            feedback_through=quality.last_seq if quality is not None else None,
            retraining_data=spec.retraining.data if spec.retraining.data.has_rules else None,
            online=spec.retraining.online,
        ),
    )


def _imports(observed: Observed) -> bool:
    """Tell whether the next version is the declared model: until it has been one, and where nothing can be trained."""
    declared, champion = observed.model.spec.model, facts.champion(observed)
    if declared is None or not facts.can_train(observed):
        return declared is not None
    was_one = any(version.spec.model == declared and version.status.manifest for version in observed.versions)
    return not was_one and (champion is None or not facts.wants(observed, champion))


def _with_alarm(observed: Observed, trigger: Trigger) -> VersionTrigger:
    """Record why a run begins, and the alarm that it answers: the one that stands, or the one before the champion."""
    told = VersionTrigger(
        reason=trigger.reason.value, message=trigger.message, request=trigger.request, strategy=trigger.strategy
    )
    champion, quality = facts.champion(observed), current_quality(observed)
    if not observed.model.spec.retraining.data.include_feedback:
        return told
    if quality is not None and quality.alarm is not None:
        alarm = quality.alarm
        return msgspec.structs.replace(told, alarm_seq=alarm.seq, alarm_at=alarm.at, changed_after=alarm.changed_after)
    if champion is not None and trigger.reason in facts.BY_LABELS:
        before = champion.spec.trigger
        return msgspec.structs.replace(
            told, alarm_seq=before.alarm_seq, alarm_at=before.alarm_at, changed_after=before.changed_after
        )
    return told


def _adopt(observed: Observed, entry: LineageEntry) -> CreateVersion:
    spec = observed.model.spec
    message = f"Version {entry.number} was champion before and is still in the hub: adopted without a run."
    return CreateVersion(
        name=names.version_name(observed.model.key.name, entry.number),
        spec=ModelVersionSpec(
            number=entry.number,
            trigger=VersionTrigger(reason=Reason.ADOPTED.value, message=message),
            training_hash=entry.training_hash,
            image=_image(observed),
            data=spec.data,
            training=spec.training,
            task=spec.task,
            objective=spec.objective,
            parent=entry.parent,
            source_sha256=entry.data_sha256,
            feedback_through=entry.feedback_through,
            adopted_manifest=entry.manifest,
        ),
    )


def _image(observed: Observed) -> str:
    """Return the image that the version is trained and served with for good."""
    return observed.model.spec.training.template.image or observed.settings.runtime_image
