"""kubectl wait, Flux and Argo CD read every phase of a ModelDeployment as they should."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.go_programs import program
from tests.kstatus.build import HERE, kstatus, readings
from tests.unit.api.schemas import filled
from tests.unit.core.made import (
    ALARM,
    condition,
    make_deployment,
    make_new,
    make_observed,
    make_quality,
    make_spec,
    make_version,
    planned,
)

from evermodel.api import API_VERSION, crd
from evermodel.api.conditions import ConditionType, Reason
from evermodel.api.modeldeployment import ModelDeploymentSpec, ModelDeploymentStatus, Phase
from evermodel.api.modelversion import VersionFailure, VersionPhase, VersionTrigger
from evermodel.contract import FailureReason
from evermodel.core.observed import Observed, VersionView

pytestmark = pytest.mark.timeout(900)  # the first build downloads its modules
GENERATION = 3
LEARNS = make_spec(retraining={"data": {"includeFeedback": True}})
SCALED = make_spec(serving={"replicas": 2})
CHAMPION = make_version(spec=LEARNS)
FALLEN = make_quality(alarm=ALARM)


def first(phase: VersionPhase, failure: str | None = None) -> Observed:
    """Return an object whose only version came this far."""
    why = VersionFailure(reason=failure, message="The table has no column target.") if failure is not None else None
    return make_observed(make_version(1, phase, failure=why), generation=GENERATION)


def after_alarm(*versions: VersionView) -> Observed:
    """Return an object whose champion fell, with the versions that were made since."""
    return make_observed(CHAMPION, *versions, spec=LEARNS, quality=FALLEN, generation=GENERATION)


def cure(number: int, phase: VersionPhase) -> VersionView:
    """Return a version that the alarm began."""
    trigger = VersionTrigger(
        reason=Reason.ACCURACY_ALARM.value, message="Accuracy fell.", alarm_seq=ALARM.seq, alarm_at=ALARM.at
    )
    return make_version(number, phase, spec=LEARNS, trigger=trigger, run={"parent": 1})


def serving(spec: ModelDeploymentSpec | None = None, **change: Any) -> Observed:
    """Return an object whose champion serves."""
    return make_observed(spec=spec, generation=GENERATION, **change)


def without_pods() -> Observed:
    """Return an object all of whose serving pods are gone."""
    observed = serving()
    gone = make_deployment(observed.model, observed.versions[0], ready_replicas=0)
    return replace(observed, deployments={1: gone})


def scaled() -> Observed:
    """Return an object whose Deployment has yet to follow spec.serving."""
    observed, wanted = serving(), serving(SCALED)
    return replace(wanted, deployments=observed.deployments)


EXHAUSTED = after_alarm(*(cure(number, VersionPhase.REJECTED) for number in (2, 3, 4)))


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    program(HERE)


def stored(observed: Observed, status: ModelDeploymentStatus | None, **metadata: Any) -> dict[str, Any]:
    """Return the object as the API server shows it, defaults filled in."""
    model = observed.model
    given = {
        "apiVersion": API_VERSION,
        "kind": "ModelDeployment",
        "metadata": {
            "name": model.key.name,
            "namespace": model.key.namespace,
            "generation": model.generation,
            **metadata,
        },
        "spec": msgspec.to_builtins(model.spec),
        **({"status": msgspec.to_builtins(status)} if status is not None else {}),
    }
    shown: dict[str, Any] = filled(crd.object_schema(crd.MODEL_DEPLOYMENT), given)
    return shown


def after_a_plan(observed: Observed, **metadata: Any) -> dict[str, Any]:
    """Return the object with the status that a plan gives it."""
    return stored(observed, planned(observed).status, **metadata)


@pytest.mark.parametrize(
    ("observed", "phase", "expected"),
    [
        pytest.param(make_new(), Phase.PENDING, "InProgress", id="no run has started"),
        pytest.param(first(VersionPhase.TRAINING), Phase.TRAINING, "InProgress", id="the first training"),
        pytest.param(first(VersionPhase.EVALUATING), Phase.EVALUATING, "InProgress", id="the first evaluation"),
        pytest.param(first(VersionPhase.CANDIDATE), Phase.DEPLOYING, "InProgress", id="the first roll-out"),
        pytest.param(
            first(VersionPhase.FAILED, FailureReason.HUB_UNAVAILABLE),
            Phase.PENDING,
            "InProgress",
            id="the first training is tried again",
        ),
        pytest.param(
            first(VersionPhase.FAILED, FailureReason.DATA_INVALID),
            Phase.FAILED,
            "Failed",
            id="the first training failed for its data",
        ),
        pytest.param(
            first(VersionPhase.REJECTED, Reason.REJECTED),
            Phase.FAILED,
            "Failed",
            id="the first version misses the threshold",
        ),
        pytest.param(
            make_new(make_spec(paused=True)), Phase.PAUSED, "InProgress", id="paused before the first version"
        ),
        pytest.param(serving(), Phase.READY, "Current", id="serves well"),
        pytest.param(serving(quality=None), Phase.READY, "Current", id="serves, with an accuracy that nobody knows"),
        pytest.param(after_alarm(), Phase.COLLECTING_LABELS, "Current", id="collects labels after an alarm"),
        pytest.param(
            after_alarm(cure(2, VersionPhase.TRAINING)), Phase.TRAINING, "Current", id="retrains in the background"
        ),
        pytest.param(
            after_alarm(cure(2, VersionPhase.AWAITING_LABELS)),
            Phase.COLLECTING_LABELS,
            "Current",
            id="waits for labels to judge a candidate on",
        ),
        pytest.param(
            after_alarm(cure(2, VersionPhase.CANDIDATE)),
            Phase.DEPLOYING,
            "Current",
            id="rolls out a better version beside the champion",
        ),
        pytest.param(EXHAUSTED, Phase.DEGRADED, "Current", id="retraining is exhausted"),
        pytest.param(scaled(), Phase.DEPLOYING, "InProgress", id="a changed serving spec"),
        pytest.param(without_pods(), Phase.DEGRADED, "InProgress", id="no pod answers"),
        pytest.param(serving(make_spec(paused=True)), Phase.PAUSED, "Current", id="paused while it serves"),
        pytest.param(serving(make_spec(version=7)), Phase.DEGRADED, "Failed", id="a pin to no version"),
    ],
)
def test_reads_the_status_of_a_plan(observed: Observed, phase: Phase, expected: str) -> None:
    assert planned(observed).status.phase is phase
    assert kstatus([after_a_plan(observed)]) == [expected]


def test_exhausted_means_that_the_champion_serves_and_is_not_healthy() -> None:
    found = {one.type: (one.status, one.reason) for one in planned(EXHAUSTED).status.conditions}
    assert found[ConditionType.READY] == ("True", Reason.SERVING)
    assert found[ConditionType.HEALTHY] == ("False", Reason.RETRAINING_EXHAUSTED)
    assert not {ConditionType.RECONCILING, ConditionType.STALLED} & found.keys()


def test_an_object_that_nobody_has_looked_at_is_in_progress() -> None:
    assert kstatus([stored(make_new(), None)]) == ["InProgress"]


def test_a_spec_newer_than_the_status_is_in_progress() -> None:
    newer = after_a_plan(serving(), generation=GENERATION + 1)
    assert kstatus([after_a_plan(serving()), newer]) == ["Current", "InProgress"]


def test_an_object_that_is_being_deleted_is_terminating() -> None:
    assert kstatus([after_a_plan(serving(), deletionTimestamp="2030-01-01T00:00:00Z")]) == ["Terminating"]


def test_lists_are_read_item_by_item_and_a_failure_has_its_message() -> None:
    failed = first(VersionPhase.FAILED, FailureReason.DATA_INVALID)
    listed = {"apiVersion": "v1", "kind": "List", "items": [after_a_plan(failed), stored(make_new(), None)]}
    answer = readings([listed, after_a_plan(failed)])
    assert [one["status"] for one in answer] == ["Failed", "InProgress", "Failed"]
    assert answer[0]["message"] == condition(failed, ConditionType.STALLED).message
    assert answer[0]["message"] == "Version 1 failed: The table has no column target."
