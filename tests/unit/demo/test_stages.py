"""What is taken for a stage, and what is not."""

from typing import Any

import msgspec
import pytest
from tests.demo import stages
from tests.demo.stages import (
    AFTER_THE_TURN,
    FIRST_VERSION,
    IN_PRODUCTION,
    Listing,
    Metadata,
    Snapshot,
    decoded,
    hopeless,
)
from tests.unit.demo.snapshots import (
    COLLECTING,
    HEALTHY,
    MODEL,
    NOW,
    RETRAINING,
    ROLLING_OUT,
    SERVING,
    TOO_FEW_LABELS,
    after_alarm,
    champion,
    condition,
    live,
    make_snapshot,
    make_version,
)

from evermodel.api.conditions import ConditionStatus, ConditionType, Reason
from evermodel.api.modeldeployment import ModelDeploymentStatus, RetrainingStatus
from evermodel.api.modelversion import VersionPhase

TRAINING: dict[str, Any] = {"phase": VersionPhase.TRAINING, "manifest": None, "feedback_rows": None}
PROMOTED: dict[str, Any] = {"champion": champion(2), "conditions": (SERVING, TOO_FEW_LABELS), "live": live(None, 0)}


@pytest.mark.parametrize(
    ("seen", "snapshot", "expected"),
    [
        pytest.param(stages.is_accepted, make_snapshot(), True, id="this generation is the one known: accepted"),
        pytest.param(
            stages.is_accepted, make_snapshot(observed_generation=-1), False, id="never looked at: not accepted"
        ),
        pytest.param(
            stages.is_accepted, make_snapshot(observed_generation=2), False, id="an older spec is known: not accepted"
        ),
        pytest.param(
            stages.is_trained, make_snapshot(make_version(1, **TRAINING)), False, id="no artifact yet: not trained"
        ),
        pytest.param(stages.is_serving, make_snapshot(), True, id="champion and Ready: serving"),
        pytest.param(stages.is_serving, make_snapshot(champion=None), False, id="no champion: not serving"),
        pytest.param(
            stages.is_serving, make_snapshot(conditions=(ROLLING_OUT,)), False, id="rolled out still: not serving"
        ),
        pytest.param(stages.is_healthy, make_snapshot(), True, id="above and said so: healthy"),
        pytest.param(
            stages.is_healthy,
            make_snapshot(conditions=(SERVING, TOO_FEW_LABELS)),
            False,
            id="above, with too few labels: not healthy",
        ),
        pytest.param(stages.is_healthy, make_snapshot(live=live(0.92)), False, id="below: not healthy"),
        pytest.param(stages.is_healthy, make_snapshot(live=live(0.93)), True, id="exactly at the threshold: healthy"),
        pytest.param(stages.is_healthy, make_snapshot(live=None), False, id="no figure: not healthy"),
        pytest.param(stages.may_retrain, make_snapshot(), True, id="the pause is over: an alarm would act"),
        pytest.param(
            stages.may_retrain,
            make_snapshot(retraining=RetrainingStatus(next_eligible_time="2026-01-01T12:00:01Z")),
            False,
            id="the pause lasts a second more: an alarm would wait",
        ),
        pytest.param(stages.has_fallen, make_snapshot(live=live(0.929)), True, id="just below: fallen"),
        pytest.param(stages.has_fallen, make_snapshot(live=live(None)), False, id="no figure: not fallen"),
        pytest.param(stages.is_alarmed, make_snapshot(conditions=(COLLECTING,)), True, id="unhealthy: alarmed"),
        pytest.param(
            stages.is_alarmed, make_snapshot(conditions=(TOO_FEW_LABELS,)), False, id="cannot tell: not alarmed"
        ),
        pytest.param(
            stages.collects_labels, make_snapshot(conditions=(RETRAINING,)), False, id="about to run: not collecting"
        ),
        pytest.param(
            stages.collects_labels,
            make_snapshot(make_version(1), after_alarm(2, **TRAINING), conditions=(RETRAINING,)),
            True,
            id="a run began: collected",
        ),
        pytest.param(
            stages.is_retraining,
            make_snapshot(make_version(1), make_version(2, reason=Reason.REQUESTED)),
            False,
            id="a run that a person asked for: not by the alarm",
        ),
        pytest.param(
            stages.is_retrained,
            make_snapshot(make_version(1), after_alarm(2, feedback_rows=0)),
            False,
            id="trained without production records: not the retraining that was to be seen",
        ),
        pytest.param(
            stages.passed_gate,
            make_snapshot(make_version(1), after_alarm(2, phase=VersionPhase.REJECTED)),
            False,
            id="rejected: not passed",
        ),
        pytest.param(
            stages.passed_gate,
            make_snapshot(make_version(1), after_alarm(2, phase=VersionPhase.REJECTED), after_alarm(3)),
            True,
            id="a second attempt passed: passed",
        ),
        pytest.param(
            stages.is_promoted,
            make_snapshot(make_version(1), after_alarm(2), answered_by="1", **PROMOTED),
            False,
            id="champion, but clients are still answered by the old one: not promoted",
        ),
        pytest.param(
            stages.is_promoted,
            make_snapshot(make_version(1), make_version(2), answered_by="2", **PROMOTED),
            False,
            id="a champion that no alarm began: not promoted",
        ),
        pytest.param(
            stages.has_recovered,
            make_snapshot(make_version(1), after_alarm(2)),
            False,
            id="healthy under the old champion: not recovered",
        ),
    ],
)
def test_predicate(seen: stages.Predicate, snapshot: Snapshot, expected: bool) -> None:  # noqa: FBT001 - a table's column
    assert seen(snapshot) is expected


def _loop() -> dict[str, Snapshot]:
    """Return what is there to see when each stage comes to pass, in the order of a run."""
    new: dict[str, Any] = {"champion": None, "live": None, "answered_by": None}
    first, second = make_version(1), after_alarm(2)
    begun = make_version(1, **TRAINING)
    fallen: dict[str, Any] = {"live": live(0.61), "conditions": (SERVING, HEALTHY)}
    alarmed: dict[str, Any] = {"live": live(0.42), "conditions": (SERVING, COLLECTING)}
    busy: dict[str, Any] = {"live": live(0.12), "conditions": (SERVING, RETRAINING)}
    cooling = RetrainingStatus(next_eligible_time="2026-01-01T12:00:20Z")
    no_version = make_snapshot(observed_generation=-1, conditions=(), **new)
    return {
        "before": Snapshot(model=no_version.model, versions=(), answered_by=None, now=NOW),
        "applied": Snapshot(model=make_snapshot(conditions=(), **new).model, versions=(), answered_by=None, now=NOW),
        "training": make_snapshot(begun, conditions=(), **new),
        "evaluating": make_snapshot(make_version(1, phase=VersionPhase.EVALUATING), conditions=(), **new),
        "serving": make_snapshot(conditions=(SERVING, TOO_FEW_LABELS), live=None, answered_by=None),
        "healthy": make_snapshot(retraining=cooling),
        "settled": make_snapshot(),
        "fell": make_snapshot(**fallen),
        "alarm": make_snapshot(**alarmed),
        "collecting": make_snapshot(**alarmed),
        "retraining": make_snapshot(first, after_alarm(2, **TRAINING), **busy),
        "gate": make_snapshot(first, after_alarm(2, phase=VersionPhase.EVALUATING), **busy),
        "passed": make_snapshot(first, after_alarm(2, phase=VersionPhase.CANDIDATE), **busy),
        "promoted": make_snapshot(first, second, answered_by="2", **PROMOTED),
        "recovered": make_snapshot(first, second, answered_by="2", champion=champion(2)),
    }


LOOP = _loop()
STAGES = (*FIRST_VERSION, *IN_PRODUCTION, *AFTER_THE_TURN)
ONE_MOMENT = {"collecting"}  # begins with the alarm


def test_the_table_of_a_run_has_every_stage_in_order() -> None:
    assert [stage.name for stage in STAGES] == list(LOOP)[1:]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_is_seen_when_it_comes_to_pass_and_not_before(stage: stages.Stage) -> None:
    before = list(LOOP)[list(LOOP).index(stage.name) - 1]
    assert stage.seen(LOOP[stage.name])
    assert stage.seen(LOOP[before]) == (stage.name in ONE_MOMENT)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_no_stage_is_seen_before_the_operator_has_looked(stage: stages.Stage) -> None:
    assert not stage.seen(LOOP["before"])


@pytest.mark.parametrize(
    ("snapshot", "says"),
    [
        pytest.param(make_snapshot(), None, id="healthy: go on waiting"),
        pytest.param(make_snapshot(conditions=(COLLECTING,)), None, id="collecting: go on waiting"),
        pytest.param(
            make_snapshot(
                conditions=(condition(ConditionType.STALLED, ConditionStatus.TRUE, Reason.RUN_FAILED, "Column x."),)
            ),
            "RunFailed: Column x.",
            id="stalled: a person must act",
        ),
        pytest.param(
            make_snapshot(
                conditions=(
                    condition(ConditionType.HEALTHY, ConditionStatus.FALSE, Reason.RETRAINING_EXHAUSTED, "3 attempts."),
                )
            ),
            None,
            id="attempts used up: more labels bring another",
        ),
    ],
)
def test_waiting_ends_early_when_only_a_person_can_go_on(snapshot: Snapshot, says: str | None) -> None:
    assert hopeless(snapshot) == says


def test_what_kubectl_lists_is_read_in_the_order_of_versions() -> None:
    expected = LOOP["promoted"]
    listing = msgspec.json.encode(Listing(items=[*reversed(expected.versions), expected.model])).decode()
    assert decoded(listing, model=MODEL, answered_by="2", now=NOW) == expected


def test_other_models_of_the_namespace_are_not_looked_at() -> None:
    expected = make_snapshot()
    other = [msgspec.structs.replace(one, metadata=Metadata(name="iris")) for one in (expected.model, make_version(7))]
    listing = msgspec.json.encode(Listing(items=[*other, expected.model, *expected.versions])).decode()
    assert decoded(listing, model=MODEL, answered_by="1", now=NOW) == expected


def test_an_object_without_a_status_is_not_yet_accepted() -> None:
    listing = msgspec.json.encode(Listing(items=[make_snapshot().model])).decode()
    bare = msgspec.json.decode(listing)
    del bare["items"][0]["status"]
    snapshot = decoded(msgspec.json.encode(bare).decode(), model=MODEL, answered_by=None, now=NOW)
    assert snapshot.status == ModelDeploymentStatus()
    assert not stages.is_accepted(snapshot)
