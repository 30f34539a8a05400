"""The conditions Ready, Trained, Reconciling and Stalled: what people and deployment tools wait for."""

from __future__ import annotations

from evermodel.api.conditions import ConditionStatus, ConditionType, Reason
from evermodel.api.modelversion import ACTIVE_PHASES, VersionPhase
from evermodel.core import facts
from evermodel.core.builders import Builders
from evermodel.core.conditions import Wanted
from evermodel.core.observed import Observed, VersionView
from evermodel.core.phases import retraining, rollout, scaling, superseding


def pin_is_missing(observed: Observed) -> bool:
    """Tell whether spec.version names a version that cannot be served, now or soon."""
    pin = observed.model.spec.version
    if pin is None or facts.pinned(observed) is not None:
        return False
    if not observed.versions and observed.lineage is None:
        return False
    version = facts.version_of(observed, pin)
    is_coming = version is not None and version.status.phase in ACTIVE_PHASES
    return not is_coming and facts.adoptable(observed) is None


def ready(observed: Observed, build: Builders) -> Wanted:
    """Say whether the champion serves the current serving spec."""
    champion = facts.champion(observed)
    if pin_is_missing(observed):
        return _ready(ConditionStatus.FALSE, Reason.PIN_NOT_FOUND, _pin_message(observed))
    if champion is None:
        return _ready(ConditionStatus.FALSE, Reason.NO_VERSION, "No version takes traffic yet.")
    return _champion_ready(observed, champion, build)


def _champion_ready(observed: Observed, champion: VersionView, build: Builders) -> Wanted:
    pin = observed.model.spec.version
    if pin not in {None, champion.number} and not observed.model.spec.paused:
        return _ready(ConditionStatus.FALSE, Reason.ROLLING_OUT, f"Version {pin} is pinned and not serving yet.")
    deployment = observed.deployments.get(champion.number)
    needed = scaling.needed(observed, champion)
    if rollout.is_ready(observed, champion, build) and facts.traffic_of(observed) == champion.number:
        return _ready(ConditionStatus.TRUE, Reason.SERVING, f"Version {champion.number} takes traffic.")
    why = f": {deployment.message}" if deployment is not None and deployment.message else "."
    if deployment is None or not deployment.updated or not rollout.is_as_built(observed, champion, build):
        message = f"Version {champion.number} is rolled out with the current serving spec{why}"
        return _ready(ConditionStatus.FALSE, Reason.ROLLING_OUT, message)
    if deployment.ready_replicas < needed:
        message = f"Not all of the {needed} pods of version {champion.number} are ready{why}"
        return _ready(ConditionStatus.FALSE, Reason.REPLICAS_UNAVAILABLE, message)
    return _ready(ConditionStatus.FALSE, Reason.ROLLING_OUT, f"Traffic is moved to version {champion.number}.")


def trained(observed: Observed) -> Wanted:
    """Say what the last run that came to an end gave."""
    version = facts.last_ended(observed)
    if version is None:
        run = facts.newest_run(observed)
        if run is None and observed.versions:
            return _trained(ConditionStatus.UNKNOWN, Reason.SUPERSEDED, "The spec was changed during the run.")
        what = f"Version {run.number} is being made." if run is not None else "No run has started yet."
        return _trained(ConditionStatus.UNKNOWN, Reason.PROGRESSING, what)
    failure = version.status.failure
    if version.status.phase is VersionPhase.REJECTED and failure is not None:
        message = f"Version {version.number} was not let through: {_lowered(failure.message)}"
        return _trained(ConditionStatus.FALSE, failure.reason, message)
    if version.status.phase is VersionPhase.FAILED:
        reason = failure.reason if failure is not None else Reason.RUN_FAILED.value
        message = f"Version {version.number} failed: {failure.message if failure is not None else 'no reason given'}"
        return _trained(ConditionStatus.FALSE, reason, message)
    if version.spec.adopted_manifest is not None:
        return _trained(ConditionStatus.TRUE, Reason.ADOPTED, version.spec.trigger.message)
    message = f"Version {version.number} was let through: {_lowered(version.status.message)}"
    return _trained(ConditionStatus.TRUE, Reason.PROMOTED, message)


def progress(observed: Observed, build: Builders) -> Wanted | None:
    """Return Stalled when only a person can go on, Reconciling while a first version or a serving spec is under way.

    A retraining behind a champion is neither: the object is Current, as kstatus says.
    """
    if pin_is_missing(observed):
        return _wanted(ConditionType.STALLED, Reason.PIN_NOT_FOUND, _pin_message(observed))
    champion = facts.champion(observed)
    if champion is not None:
        condition = ready(observed, build)
        if condition.reason != Reason.ROLLING_OUT:
            return None
        kind = ConditionType.STALLED if _is_stuck(observed) else ConditionType.RECONCILING
        return _wanted(kind, Reason.ROLLING_OUT, condition.message)
    if observed.model.spec.paused:
        message = "spec.paused keeps a run from starting and traffic from moving."
        return _wanted(ConditionType.RECONCILING, Reason.PAUSED, message)
    if (stalled := _stalled(observed)) is not None:
        return stalled
    reason = Reason.RETRYING if retraining.retry_due(observed) is not None else Reason.PROGRESSING
    return _wanted(ConditionType.RECONCILING, reason, waiting_for(observed))


def waiting_for(observed: Observed) -> str:
    """Say in a sentence what happens next."""
    run = facts.active(observed)
    if run is not None:
        detail = run_message(observed, run)
        return f"Version {run.number} is in {run.status.phase.value}{': ' + detail if detail else '.'}"
    if not observed.hub.ready:
        return f"Waiting for the namespace's hub{': ' + observed.hub.message if observed.hub.message else '.'}"
    if not observed.versions and observed.lineage is None:
        return "Asking the hub which versions it remembers."
    if (left := superseding.leftover(observed)) is not None:
        return f"Waiting for the pods of version {left} to end."
    newest = facts.newest_run(observed)
    if newest is not None and newest.status.failure is not None:
        limit = observed.model.spec.retraining.max_attempts
        count = len(facts.current_attempts(observed))
        return f"Attempt {count} of {limit} failed with {newest.status.failure.reason}; another one follows."
    return "A run is about to start."


def run_message(observed: Observed, run: VersionView) -> str:
    """Say what a run waits for: what keeps its pods from starting comes first."""
    job = facts.job_of(observed, run)
    if run.status.phase is VersionPhase.CANDIDATE:
        deployment = observed.deployments.get(run.number)
        return deployment.message if deployment is not None and deployment.message else run.status.message
    if job is not None and job.message:
        return job.message
    return run.status.message


def _stalled(observed: Observed) -> Wanted | None:
    newest = facts.newest_run(observed)
    if newest is None or not facts.has_no_model(newest) or retraining.retry_due(observed) is not None:
        return None
    if not facts.wants(observed, newest) or (
        newest.status.phase is VersionPhase.FAILED and not facts.is_for(observed, newest)
    ):
        return None  # the next run is about to start
    condition = trained(observed)
    return _wanted(ConditionType.STALLED, condition.reason, condition.message)


def _is_stuck(observed: Observed) -> bool:
    """Tell whether the pods that are to serve did not become ready within the Deployment's progress deadline."""
    wanted = rollout.target(observed)
    deployment = observed.deployments.get(wanted.number) if wanted is not None else None
    return deployment is not None and deployment.stuck


def _pin_message(observed: Observed) -> str:
    pin = observed.model.spec.version
    version = facts.version_of(observed, pin)
    if version is None:
        return f"spec.version is {pin}, but there is no such version; remove it, or name one that was promoted."
    phase = version.status.phase.value
    return f"spec.version is {pin}, but that version is {phase}; name one that passed its gate."


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]


def _ready(status: ConditionStatus, reason: Reason, message: str) -> Wanted:
    return Wanted(type=ConditionType.READY, status=status, reason=reason.value, message=message)


def _trained(status: ConditionStatus, reason: str, message: str) -> Wanted:
    return Wanted(type=ConditionType.TRAINED, status=status, reason=str(reason), message=message)


def _wanted(kind: ConditionType, reason: str, message: str) -> Wanted:
    return Wanted(type=kind, status=ConditionStatus.TRUE, reason=str(reason), message=message)
