"""kubectl wait, Flux and Argo CD read every phase of a ModelDeployment as they should."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from tests.kstatus.build import kstatus, program, readings

from evermodel.api import API_VERSION
from evermodel.api.conditions import Condition, ConditionStatus, ConditionType, Reason
from evermodel.api.modeldeployment import ModelDeploymentStatus, Phase

TRUE, FALSE = ConditionStatus.TRUE, ConditionStatus.FALSE
GENERATION = 3


def condition(kind: ConditionType, status: ConditionStatus, reason: str) -> Condition:
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message="in a sentence",
        last_transition_time="2026-01-01T00:00:00Z",
        observed_generation=GENERATION,
    )


def status(phase: Phase, *conditions: Condition, observed: int = GENERATION) -> ModelDeploymentStatus:
    return ModelDeploymentStatus(phase=phase, observed_generation=observed, conditions=conditions)


def model(given: ModelDeploymentStatus | None, **metadata: Any) -> dict[str, Any]:
    written: Mapping[str, Any] = {} if given is None else {"status": msgspec.to_builtins(given)}
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelDeployment",
        "metadata": {"name": "digits", "namespace": "ml", "generation": GENERATION, **metadata},
        **written,
    }


SERVES = condition(ConditionType.READY, TRUE, Reason.SERVING)
NOT_YET = condition(ConditionType.READY, FALSE, Reason.NO_VERSION)
PROGRESSES = condition(ConditionType.RECONCILING, TRUE, Reason.PROGRESSING)
HOLDS = condition(ConditionType.HEALTHY, TRUE, Reason.ABOVE_THRESHOLD)


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    program()


@pytest.mark.timeout(900)  # the first build downloads its modules
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            # As the API server shows an object that nobody has looked at: by the schema's default.
            {**model(None), "status": {"observedGeneration": -1, "phase": "Pending"}},
            "InProgress",
            id="a new object is not done",
        ),
        pytest.param(model(status(Phase.TRAINING, NOT_YET, PROGRESSES)), "InProgress", id="the first training"),
        pytest.param(model(status(Phase.EVALUATING, NOT_YET, PROGRESSES)), "InProgress", id="the first evaluation"),
        pytest.param(model(status(Phase.DEPLOYING, NOT_YET, PROGRESSES)), "InProgress", id="the first roll-out"),
        pytest.param(model(status(Phase.READY, SERVES, HOLDS)), "Current", id="ready"),
        pytest.param(
            model(status(Phase.TRAINING, SERVES, condition(ConditionType.HEALTHY, FALSE, Reason.RETRAINING))),
            "Current",
            id="a retraining in the background",
        ),
        pytest.param(
            model(status(Phase.COLLECTING_LABELS, SERVES, HOLDS)), "Current", id="labels of a good model are collected"
        ),
        pytest.param(
            model(status(Phase.DEGRADED, SERVES, condition(ConditionType.HEALTHY, FALSE, Reason.RETRAINING_EXHAUSTED))),
            "Current",
            id="retraining gave up and the champion serves",
        ),
        pytest.param(
            model(status(Phase.FAILED, NOT_YET, condition(ConditionType.STALLED, TRUE, "DataInvalid"))),
            "Failed",
            id="the first version failed",
        ),
        pytest.param(
            model(status(Phase.READY, SERVES, HOLDS, observed=GENERATION - 1)),
            "InProgress",
            id="the spec is newer than the status",
        ),
        pytest.param(
            model(status(Phase.READY, SERVES, condition(ConditionType.RECONCILING, TRUE, Reason.RETRYING))),
            "InProgress",
            id="a changed spec is being rolled out",
        ),
        pytest.param(
            model(status(Phase.DEGRADED, condition(ConditionType.READY, FALSE, Reason.REPLICAS_UNAVAILABLE))),
            "InProgress",
            id="no pod answers",
        ),
        pytest.param(model(status(Phase.PAUSED, SERVES, HOLDS)), "Current", id="paused while it serves"),
        pytest.param(
            model(status(Phase.READY, SERVES), deletionTimestamp="2026-01-01T00:00:00Z"), "Terminating", id="deleted"
        ),
    ],
)
def test_reads(given: Mapping[str, Any], expected: str) -> None:
    assert kstatus([given]) == [expected]


@pytest.mark.timeout(900)
def test_lists_are_read_item_by_item_and_a_failure_has_its_message() -> None:
    failed = model(status(Phase.FAILED, condition(ConditionType.STALLED, TRUE, "DataInvalid")))
    ready = model(status(Phase.READY, SERVES))
    answer = readings([{"apiVersion": "v1", "kind": "List", "items": [failed, ready]}, ready])
    assert [one["status"] for one in answer] == ["Failed", "Current", "Current"]
    assert answer[0]["message"] == "in a sentence"
