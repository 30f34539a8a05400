"""How many pods serve: as many as declared, or as an autoscaler says, which follows the version with the traffic.

The autoscaler writes the Deployment's ``replicas`` alone. Before the operator leaves that field out of what it applies,
another field manager takes it: a field that nobody owns becomes 1. A version that waits for the traffic has as many
pods as the one that has it, since these are needed the moment it takes over.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from evermodel.api.conditions import ConditionStatus, ConditionType, Reason
from evermodel.api.modeldeployment import Autoscaling
from evermodel.core import facts
from evermodel.core.actions import Action, ApplyAutoscaler, DeleteAutoscaler, HandReplicasOver
from evermodel.core.builders import Builders, fingerprint
from evermodel.core.conditions import Wanted
from evermodel.core.observed import AutoscalerView, DeploymentView, Observed, VersionView

PATIENCE: Final = timedelta(minutes=2)
"""Metrics of new pods take about a minute to come: until then nobody needs to act."""


def replicas_of(observed: Observed, version: VersionView) -> int | None:
    """Return how many pods the operator gives a version; None where their number is the autoscaler's."""
    serving = observed.model.spec.serving
    if serving.replicas is not None:
        return serving.replicas
    if serving.autoscaling is None:
        return _left(observed)
    deployment, wanted = observed.deployments.get(version.number), _followed(observed, serving.autoscaling)
    if deployment is None:
        return wanted
    if version.number == _leader(observed):
        return None
    was_scaled = not deployment.owns_replicas and deployment.replicas >= wanted
    return None if was_scaled else wanted


def needed(observed: Observed, version: VersionView) -> int:
    """Return how many pods of a version have to be ready; more may be on their way, as the autoscaler asks for them."""
    replicas, autoscaling = replicas_of(observed, version), observed.model.spec.serving.autoscaling
    if replicas is not None or autoscaling is None:
        return replicas or 0
    if version.number == _leader(observed):
        return autoscaling.min_replicas
    return _followed(observed, autoscaling)


def holds(deployment: DeploymentView, replicas: int | None) -> bool:
    """Tell whether a Deployment has as many pods as it is given, or is open to the autoscaler."""
    if replicas is not None:
        return deployment.replicas == replicas
    return not deployment.owns_replicas and deployment.replicas > 0


def hand_over(observed: Observed, version: VersionView) -> Iterable[Action]:
    """Let go of the number of pods where it is the autoscaler's, which leaves one that is 0 alone."""
    deployment, autoscaling = observed.deployments.get(version.number), observed.model.spec.serving.autoscaling
    if deployment is None or autoscaling is None or replicas_of(observed, version) is not None:
        return ()
    if holds(deployment, None):
        return ()
    replicas = max(deployment.replicas, autoscaling.min_replicas)
    return (HandReplicasOver(version=version.number, name=deployment.name, uid=deployment.uid, replicas=replicas),)


def autoscale(observed: Observed, build: Builders) -> Iterable[Action]:
    """Keep the autoscaler on the version with the traffic, once the number of its pods was handed over.

    One that is no longer asked for goes once that number is the operator's again: until then it is what the number is.
    """
    autoscaling, known = observed.model.spec.serving.autoscaling, observed.autoscaler
    leader, deployment = _leader(observed), _leading(observed)
    if known is not None and known.deleting:
        return ()
    if autoscaling is None:
        taken_back = deployment is None or deployment.owns_replicas
        return (DeleteAutoscaler(name=known.name, uid=known.uid),) if known is not None and taken_back else ()
    if leader is None or deployment is None or deployment.deleting or not holds(deployment, None):
        return ()
    manifest = build.autoscaler(observed.model, leader, autoscaling)
    if known is not None and known.fingerprint == fingerprint(manifest) and not known.drifted:
        return ()
    return (ApplyAutoscaler(version=leader, manifest=manifest),)


def due(observed: Observed, now: datetime) -> datetime | None:
    """Return when an autoscaler that fails has had time enough."""
    known = observed.autoscaler
    if known is None or known.works is not False or known.fails_since is None:
        return None
    end = known.fails_since + PATIENCE
    return end if now < end else None


def condition(observed: Observed, now: datetime) -> Wanted | None:
    """Say whether the autoscaler can do its work; None where none is asked for."""
    autoscaling, known = observed.model.spec.serving.autoscaling, observed.autoscaler
    if autoscaling is None:
        return None
    if known is None or known.works is None or due(observed, now) is not None:
        return _wanted(ConditionStatus.UNKNOWN, Reason.AWAITING_METRICS, "The autoscaler waits for its first figures.")
    if not known.works:
        return _wanted(ConditionStatus.FALSE, Reason.CANNOT_SCALE, _why(known, autoscaling))
    bounds = f"from {autoscaling.min_replicas} to {autoscaling.max_replicas} pods"
    return _wanted(ConditionStatus.TRUE, Reason.SCALING, f"The autoscaler keeps {bounds}.")


def _leader(observed: Observed) -> int | None:
    """Return the version that the autoscaler follows: the one with the traffic, or that will have it again."""
    champion = facts.champion(observed)
    return facts.traffic_of(observed) or (champion.number if champion is not None else None)


def _leading(observed: Observed) -> DeploymentView | None:
    leader = _leader(observed)
    return observed.deployments.get(leader) if leader is not None else None


def _followed(observed: Observed, autoscaling: Autoscaling) -> int:
    """Return how many pods take over from those that have the traffic now."""
    leading = _leading(observed)
    now = min(leading.replicas, autoscaling.max_replicas) if leading is not None else 0
    return max(now, autoscaling.min_replicas)


def _left(observed: Observed) -> int:
    """Return what autoscaling left, and 1 where there was none."""
    leading, autoscaler = _leading(observed), observed.autoscaler
    if leading is None:
        return 1
    if autoscaler is not None and not autoscaler.deleting and not leading.owns_replicas:
        return leading.replicas
    return leading.kept_replicas or 1


def _why(known: AutoscalerView, autoscaling: Autoscaling) -> str:
    needs = []
    if autoscaling.cpu_utilization is not None:
        needs.append("cpuUtilization needs metrics-server")
    if autoscaling.in_flight is not None:
        needs.append("inFlight needs an adapter for custom metrics")
    return (
        f"The autoscaler cannot set the number of pods, which stays: {known.message} Note that {', and '.join(needs)}."
    )


def _wanted(status: ConditionStatus, reason: Reason, message: str) -> Wanted:
    return Wanted(type=ConditionType.AUTOSCALED, status=status, reason=reason.value, message=message)
