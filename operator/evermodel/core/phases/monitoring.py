"""Does the champion keep its metric? An ordered list of small questions, of which the first answer counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from evermodel.api.conditions import Condition, ConditionStatus, ConditionType, Reason
from evermodel.api.modeldeployment import RetrainingMode, RetrainingTrigger
from evermodel.api.modelversion import VersionPhase
from evermodel.contract import Alarm, Quality
from evermodel.core import conditions, facts
from evermodel.core.objectives import meets, objective_of
from evermodel.core.observed import Observed, VersionView
from evermodel.core.phases.evaluation import records_to_judge
from evermodel.core.questions import current_quality, records_counted, records_to_train
from evermodel.core.timestamps import rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What the condition Healthy says."""

    status: ConditionStatus
    reason: Reason
    message: str
    due: datetime | None = None
    """When time alone changes the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarmed:
    """A champion that misses the threshold by the detector's evidence."""

    observed: Observed
    now: datetime
    champion: VersionView
    alarm: Alarm

    @property
    def text(self) -> str:
        """The alarm with its figures, which stay as they are while it stands."""
        return alarm_text(self.observed, self.alarm)


def assess(observed: Observed, now: datetime) -> Health:
    """Say whether the champion keeps its metric, and what is being done when it does not."""
    champion = facts.champion(observed)
    if champion is None:
        return _unknown(Reason.NO_VERSION, "No version takes traffic yet.")
    quality = current_quality(observed)
    if quality is None:
        return _unasked(observed, champion)
    if (doubt := _inconclusive(observed, quality)) is not None:
        return _below_at_its_gate(observed, champion) or doubt
    if quality.alarm is None:  # an alarm is evidence after however few labels: what few there are were enough
        return _by_window(observed, champion, quality)
    case = Alarmed(observed=observed, now=now, champion=champion, alarm=quality.alarm)
    answers = (question(case) for question in AFTER_ALARM)
    return next(answer for answer in answers if answer is not None)


def progress(count: int, needed: int) -> str:
    """Say how many of how many in quarters, so that a status is not written for every label."""
    quarter = min(4 * count // needed, 4)
    return f"at least {quarter * needed // 4} of {needed}" if quarter else f"fewer than {-(-needed // 4)} of {needed}"


def alarm_text(observed: Observed, alarm: Alarm) -> str:
    """Describe an alarm against the threshold."""
    objective = observed.model.spec.objective
    measure = objective_of(objective)
    figures = f"{measure.told} {measure.shown(alarm.value)} over {alarm.samples:,} labels"
    return f"{_capital(figures)} is {measure.worse_side} {objective.threshold:g}"


def run_is_under_way(case: Alarmed) -> Health | None:
    """Report the run that may cure it, or the labels that its judgement waits for."""
    run = facts.active(case.observed)
    if run is None:
        return None
    if run.status.phase is not VersionPhase.AWAITING_LABELS:
        return _unhealthy(Reason.RETRAINING, f"{case.text}: version {run.number} is being made.")
    needed = records_to_judge(case.observed.model.spec, run, run.status)
    counted = records_counted(case.observed)
    if counted is None:
        return _kept(case, Reason.COLLECTING_LABELS) or _unhealthy(
            Reason.COLLECTING_LABELS, f"{case.text}: version {run.number} waits for {needed} labelled records."
        )
    have = progress(counted, needed)
    message = f"{case.text}: {have} labelled records to judge version {run.number} on."
    return _unhealthy(Reason.COLLECTING_LABELS, message)


def a_person_holds_it(case: Alarmed) -> Health | None:
    """Start nothing while the object is paused or pinned."""
    spec = case.observed.model.spec
    if spec.paused:
        return _unhealthy(Reason.BELOW_THRESHOLD, f"{case.text}; spec.paused keeps it from being retrained.")
    if spec.version is not None:
        return _unhealthy(Reason.BELOW_THRESHOLD, f"{case.text}; spec.version {spec.version} holds this version.")
    return None


def nothing_can_be_trained(case: Alarmed) -> Health | None:
    """Start nothing where a model was imported and no estimator is declared."""
    if facts.can_train(case.observed):
        return None
    help_ = "declare spec.training.estimator, or another model in spec.model"
    return _unhealthy(Reason.NO_ESTIMATOR, f"{case.text}; the model was imported and cannot be retrained: {help_}.")


def nothing_new_to_learn_from(case: Alarmed) -> Health | None:
    """Start nothing that would train on the same rows again."""
    if case.observed.model.spec.retraining.data.include_feedback:
        return None
    help_ = "set retraining.data.includeFeedback, change data.train or the estimator"
    return _unhealthy(Reason.NOTHING_NEW, f"{case.text}; there is nothing new to learn from: {help_}.")


def left_to_a_person(case: Alarmed) -> Health | None:
    """Start nothing in mode Manual."""
    if case.observed.model.spec.retraining.mode is not RetrainingMode.MANUAL:
        return None
    return _unhealthy(Reason.BELOW_THRESHOLD, f"{case.text}; ask for a run with annotation evermodel.dev/retrain.")


def attempts_are_used_up(case: Alarmed) -> Health | None:
    """Pause in labels after maxAttempts, longer each time; stop at once when another attempt would end as the last."""
    attempts = facts.failed_attempts(case.observed, alarm_seq=case.alarm.seq)
    limit = case.observed.model.spec.retraining.max_attempts
    if attempts and not facts.may_be_cured(attempts[-1]):
        why = attempts[-1].status.failure
        said = f"{why.reason}: {why.message}" if why is not None else "it failed"
        message = f"{case.text}; version {attempts[-1].number} cannot be cured by another attempt: {said}"
        return _unhealthy(Reason.RETRAINING_EXHAUSTED, message)
    if len(attempts) < limit:
        return None
    _, needed = records_to_train(case.observed, case.alarm)
    counted = records_counted(case.observed)
    if counted is not None and counted >= needed:
        return None
    have = progress(counted or 0, needed)
    message = (
        f"{case.text}; {_count(attempts)} gave no better model (maxAttempts {limit}). The next starts after "
        f"{needed:,} more labelled records, of which there are {have}; to go on sooner, change data or training, "
        "or ask for a run with annotation evermodel.dev/retrain."
    )
    if counted is None:
        return _kept(case, Reason.RETRAINING_EXHAUSTED) or _unhealthy(Reason.RETRAINING_EXHAUSTED, message)
    return _unhealthy(Reason.RETRAINING_EXHAUSTED, message)


def labels_are_missing(case: Alarmed) -> Health | None:
    """Wait for records of the new world: without them a run would learn the world of yesterday."""
    _, needed = records_to_train(case.observed, case.alarm)
    counted = records_counted(case.observed)
    if counted is None:
        if last_run_is_too_recent(case) is not None:
            return None
        return _kept(case) or _unhealthy(
            Reason.COLLECTING_LABELS, f"{case.text}: {needed} labelled records since it fell are needed to retrain."
        )
    if counted >= needed:
        return None
    have = progress(counted, needed)
    return _unhealthy(Reason.COLLECTING_LABELS, f"{case.text}: {have} labelled records since it fell.")


def last_run_is_too_recent(case: Alarmed) -> Health | None:
    """Pause after each run, longer with each attempt that failed."""
    attempts = facts.failed_attempts(case.observed, alarm_seq=case.alarm.seq)
    due = facts.alarm_may_run_at(case.observed, len(attempts))
    if due is None or case.now >= due:
        return None
    message = f"{case.text}; the next run may start at {rfc3339(due)}."
    return _unhealthy(Reason.COOLING_DOWN, message, due=due)


def alarms_start_nothing(case: Alarmed) -> Health | None:
    """Start nothing where retraining.triggers leaves alarms out."""
    if facts.is_started_by(case.observed.model.spec, RetrainingTrigger.ACCURACY):
        return None
    return _unhealthy(Reason.BELOW_THRESHOLD, f"{case.text}; retraining.triggers leaves Accuracy out: no run starts.")


def only_observing(case: Alarmed) -> Health | None:
    """Say what would be done in mode Observe."""
    if case.observed.model.spec.retraining.mode is not RetrainingMode.OBSERVE:
        return None
    return _unhealthy(Reason.WOULD_RETRAIN, f"{case.text}: retraining.mode Observe keeps a run from starting.")


def retraining_is_due(case: Alarmed) -> Health:
    """Nothing keeps the run from starting."""
    return _unhealthy(Reason.RETRAINING, f"{case.text}: a run is started.")


AFTER_ALARM: tuple[Callable[[Alarmed], Health | None], ...] = (
    run_is_under_way,
    a_person_holds_it,
    nothing_can_be_trained,
    nothing_new_to_learn_from,
    left_to_a_person,
    alarms_start_nothing,
    attempts_are_used_up,
    labels_are_missing,
    last_run_is_too_recent,
    only_observing,
    retraining_is_due,
)
"""What is done after an alarm; their order is the precedence."""


def _count(attempts: Sequence[VersionView]) -> str:
    return f"{len(attempts)} attempt" if len(attempts) == 1 else f"{len(attempts)} attempts"


def _unasked(observed: Observed, champion: VersionView) -> Health:
    """Without an answer nothing is known; an operator that has not asked yet leaves what was known."""
    if observed.quality is None and observed.quality_error:
        return _unknown(Reason.HUB_UNREACHABLE, f"The hub does not answer: {observed.quality_error}")
    known = _known(observed, champion)
    if known is not None:
        return known
    return _below_at_its_gate(observed, champion) or _unknown(
        Reason.INCONCLUSIVE, f"No answer of the hub about version {champion.number} yet."
    )


def _below_at_its_gate(observed: Observed, champion: VersionView) -> Health | None:
    """Say that a version was promoted although production records put it below the threshold, until labels tell more.

    It was better than a predecessor that missed the threshold by more: a harder world must not freeze the worse model.
    """
    status, objective = champion.status, observed.model.spec.objective
    measure = objective_of(objective)
    known = _known(observed, champion)
    if known is not None and known.status is not ConditionStatus.FALSE:
        return None
    if status.holdout_set != "fresh" or status.holdout is None or objective_of(champion.spec.objective) != measure:
        return None
    if meets(objective, status.holdout):
        return None
    shown = measure.shown(status.holdout)
    figures = f"{measure.told} {shown} on production records is {measure.worse_side} {objective.threshold:g}"
    message = f"Version {champion.number} is better than its predecessor, but its {figures}."
    return _unhealthy(Reason.BELOW_THRESHOLD, message)


def _inconclusive(observed: Observed, quality: Quality) -> Health | None:
    monitoring = observed.model.spec.monitoring
    if quality.labels < monitoring.min_samples and quality.alarm is None:
        have = progress(quality.labels, monitoring.min_samples)
        return _unknown(Reason.INCONCLUSIVE, f"Version {quality.version} has {have} labels: too few to tell.")
    coverage = quality.coverage if quality.coverage is not None else 0.0
    if coverage < monitoring.min_coverage:
        message = f"The share of predictions with a label is below minCoverage {monitoring.min_coverage:g}."
        return _unknown(Reason.INCONCLUSIVE, message)
    return None


def _by_window(observed: Observed, champion: VersionView, quality: Quality) -> Health:
    """Without an alarm the window makes healthy, but never unhealthy: the detector decides that."""
    objective = observed.model.spec.objective
    measure = objective_of(objective)
    missed = f"live {measure.told} is {measure.worse_side} {objective.threshold:g}"
    known = _known(observed, champion)
    holds = quality.window is not None and meets(objective, quality.window.value)
    if holds or (known is not None and known.status is ConditionStatus.TRUE):
        message = f"No evidence that the {missed}."
        return Health(status=ConditionStatus.TRUE, reason=Reason.ABOVE_THRESHOLD, message=message)
    if known is not None and known.status is ConditionStatus.FALSE:
        return _unhealthy(Reason.BELOW_THRESHOLD, f"{_capital(missed)}, by the window alone.")
    if quality.window is None:
        message = f"None of the newest labelled predictions tells about {measure.told}: more labels are needed."
        return _unknown(Reason.INCONCLUSIVE, message)
    message = f"Live {measure.told} is close to {objective.threshold:g}: more labels are needed to tell."
    return _unknown(Reason.INCONCLUSIVE, message)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _known(observed: Observed, champion: VersionView) -> Health | None:
    """Return what the condition says already, when it is about this champion."""
    status = observed.model.status
    if status.champion is None or status.champion.version != champion.number:
        return None
    condition: Condition | None = conditions.find(status.conditions, ConditionType.HEALTHY)
    if condition is None or condition.reason not in _REASONS:
        return None
    return Health(status=condition.status, reason=Reason(condition.reason), message=condition.message)


def _kept(case: Alarmed, reason: Reason | None = None) -> Health | None:
    known = _known(case.observed, case.champion)
    if known is None or known.status is not ConditionStatus.FALSE or reason not in {None, known.reason}:
        return None
    return None if known.reason is Reason.RETRAINING else known


def _unknown(reason: Reason, message: str) -> Health:
    return Health(status=ConditionStatus.UNKNOWN, reason=reason, message=message)


def _unhealthy(reason: Reason, message: str, due: datetime | None = None) -> Health:
    return Health(status=ConditionStatus.FALSE, reason=reason, message=message, due=due)


_REASONS = frozenset(reason.value for reason in Reason)
