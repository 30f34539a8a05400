"""kubectl wait, Flux and Argo CD read every phase of a ModelDeployment as they should."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.kstatus.build import kstatus, program, readings
from tests.unit.api.scenes import CHAMPION, DECLARED, FALLEN, GENERATION, GOOD, NOW, look, version
from tests.unit.api.schemas import MINIMAL, filled

from evermodel.api import API_VERSION, crd
from evermodel.api.conditions import ConditionType, Reason
from evermodel.api.modeldeployment import Phase
from evermodel.api.modelversion import VersionPhase
from evermodel.contract import FailureReason
from evermodel.core.conditions import find
from evermodel.core.observed import Observed
from evermodel.core.plan import plan
from evermodel.resources import BUILDERS

pytestmark = pytest.mark.timeout(900)  # the first build downloads its modules
SCALED = replace(DECLARED, serving=replace(DECLARED.serving, replicas=2))
ATTEMPTS = [version(number, VersionPhase.REJECTED, Reason.REJECTED) for number in (2, 3, 4)]


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    program()


def stored(status: object, **metadata: Any) -> dict[str, Any]:
    """Return the object as the API server shows it, defaults filled in."""
    given = {
        "apiVersion": API_VERSION,
        "kind": "ModelDeployment",
        "metadata": {"name": "iris", "namespace": "ml", "generation": GENERATION, **metadata},
        "spec": MINIMAL,
        **({"status": msgspec.to_builtins(status)} if status is not None else {}),
    }
    shown: dict[str, Any] = filled(crd.object_schema(crd.MODEL_DEPLOYMENT), given)
    return shown


@pytest.mark.parametrize(
    ("observed", "phase", "expected"),
    [
        pytest.param(look(), Phase.PENDING, "InProgress", id="no run has started"),
        pytest.param(look(version(1, VersionPhase.TRAINING)), Phase.TRAINING, "InProgress", id="the first training"),
        pytest.param(
            look(version(1, VersionPhase.EVALUATING)), Phase.EVALUATING, "InProgress", id="the first evaluation"
        ),
        pytest.param(look(version(1, VersionPhase.CANDIDATE)), Phase.DEPLOYING, "InProgress", id="the first roll-out"),
        pytest.param(
            look(version(1, VersionPhase.FAILED, FailureReason.HUB_UNAVAILABLE)),
            Phase.PENDING,
            "InProgress",
            id="the first training is tried again",
        ),
        pytest.param(
            look(version(1, VersionPhase.FAILED, FailureReason.DATA_INVALID)),
            Phase.FAILED,
            "Failed",
            id="the first training failed for its data",
        ),
        pytest.param(
            look(version(1, VersionPhase.REJECTED, Reason.REJECTED)),
            Phase.FAILED,
            "Failed",
            id="the first version misses the threshold",
        ),
        pytest.param(
            look(spec=replace(DECLARED, paused=True)), Phase.PAUSED, "InProgress", id="paused before the first version"
        ),
        pytest.param(look(CHAMPION, quality=GOOD), Phase.READY, "Current", id="serves well"),
        pytest.param(look(CHAMPION), Phase.READY, "Current", id="serves and nothing is known of its accuracy"),
        pytest.param(
            look(CHAMPION, quality=FALLEN), Phase.COLLECTING_LABELS, "Current", id="collects labels after an alarm"
        ),
        pytest.param(
            look(CHAMPION, version(2, VersionPhase.TRAINING), quality=FALLEN),
            Phase.TRAINING,
            "Current",
            id="retrains in the background",
        ),
        pytest.param(
            look(CHAMPION, version(2, VersionPhase.AWAITING_LABELS), quality=FALLEN),
            Phase.COLLECTING_LABELS,
            "Current",
            id="waits for labels to judge a candidate on",
        ),
        pytest.param(
            look(CHAMPION, version(2, VersionPhase.CANDIDATE), quality=FALLEN),
            Phase.DEPLOYING,
            "Current",
            id="rolls out a better version beside the champion",
        ),
        pytest.param(
            look(CHAMPION, *ATTEMPTS, quality=FALLEN), Phase.DEGRADED, "Current", id="retraining is exhausted"
        ),
        pytest.param(
            look(CHAMPION, quality=GOOD, spec=SCALED), Phase.DEPLOYING, "InProgress", id="a changed serving spec"
        ),
        pytest.param(look(CHAMPION, ready_replicas=0), Phase.DEGRADED, "InProgress", id="no pod answers"),
        pytest.param(
            look(CHAMPION, quality=GOOD, spec=replace(DECLARED, paused=True)),
            Phase.PAUSED,
            "Current",
            id="paused while it serves",
        ),
        pytest.param(
            look(CHAMPION, spec=replace(DECLARED, version=7)), Phase.DEGRADED, "Failed", id="a pin to no version"
        ),
    ],
)
def test_reads_the_status_of_a_plan(observed: Observed, phase: Phase, expected: str) -> None:
    planned = plan(observed, NOW, BUILDERS).status
    assert planned.phase is phase
    assert kstatus([stored(planned)]) == [expected]


def test_exhausted_means_that_the_champion_serves_and_is_not_healthy() -> None:
    conditions = plan(look(CHAMPION, *ATTEMPTS, quality=FALLEN), NOW, BUILDERS).status.conditions
    reasons = {condition.type: (condition.status, condition.reason) for condition in conditions}
    assert reasons[ConditionType.READY] == ("True", Reason.SERVING)
    assert reasons[ConditionType.HEALTHY] == ("False", Reason.RETRAINING_EXHAUSTED)
    assert not {ConditionType.RECONCILING, ConditionType.STALLED} & reasons.keys()


def test_an_object_that_nobody_has_looked_at_is_in_progress() -> None:
    assert kstatus([stored(None)]) == ["InProgress"]


def test_a_spec_newer_than_the_status_is_in_progress() -> None:
    ready = plan(look(CHAMPION, quality=GOOD), NOW, BUILDERS).status
    assert kstatus([stored(ready), stored(ready, generation=GENERATION + 1)]) == ["Current", "InProgress"]


def test_an_object_that_is_being_deleted_is_terminating() -> None:
    ready = plan(look(CHAMPION, quality=GOOD), NOW, BUILDERS).status
    assert kstatus([stored(ready, deletionTimestamp="2026-01-01T00:00:00Z")]) == ["Terminating"]


def test_lists_are_read_item_by_item_and_a_failure_has_its_message() -> None:
    failed = plan(look(version(1, VersionPhase.FAILED, FailureReason.DATA_INVALID)), NOW, BUILDERS).status
    stalled = find(failed.conditions, ConditionType.STALLED)
    listed = {"apiVersion": "v1", "kind": "List", "items": [stored(failed), stored(None)]}
    answer = readings([listed, stored(failed)])
    assert [one["status"] for one in answer] == ["Failed", "InProgress", "Failed"]
    assert stalled is not None
    assert answer[0]["message"] == stalled.message == "Version 1 failed: The table has no column target."
