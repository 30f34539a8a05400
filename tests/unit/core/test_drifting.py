"""Drift and data quality: what is shown, what is said, and when a run begins. NOW is 12:00, version 1 is of 6:00."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.unit.core.made import (
    ALARM,
    NOW,
    actions_of,
    known,
    make_observed,
    make_quality,
    make_spec,
    make_version,
    planned,
)

from evermodel.api.conditions import Condition, ConditionStatus, ConditionType, Reason
from evermodel.api.modeldeployment import ModelDeploymentSpec
from evermodel.api.modelversion import VersionPhase, VersionTrigger
from evermodel.contract import ColumnDrift, DataProblem, DataProblemKind, Drift, DriftQuery
from evermodel.core.actions import CreateVersion, Event, EventType
from evermodel.core.conditions import find
from evermodel.core.observed import Observed
from evermodel.core.phases.drifting import REFRESH
from evermodel.core.questions import quality_query

STABLE, DATA = ConditionType.STABLE, ConditionType.DATA_QUALITY
LATER = NOW + timedelta(hours=1)
MISSING = DataProblem(kind=DataProblemKind.MISSING, column="age", share=0.4, usual=0.01)
RETRAINS: dict[str, Any] = {
    "data": {"train": {"uri": "hub://people"}, "target": "target"},
    "retraining": {"triggers": ["Accuracy", "Drift"]},
}


def column(name: str, psi: float | None, *, drifted: bool = False, before: float | None = None) -> ColumnDrift:
    return ColumnDrift(
        name=name,
        psi=psi,
        psi_before=psi if before is None else before,
        by_chance=0.05,
        drifted=drifted,
        missing=0.0,
        missing_reference=0.0,
        outside=0.0,
    )


REST = (column("age", 0.04), column("size", 0.03))
DRIFTED = (column("age", 0.84, drifted=True), column("size", 0.03))


def compared(*features: ColumnDrift, **change: Any) -> Drift:
    made = Drift(
        version=1,
        as_of=NOW.timestamp(),
        since=NOW.timestamp() - 86_400,
        rows=5000,
        judged=True,
        drifted=sum(one.drifted for one in features),
        features=features,
        prediction=column("prediction", 0.02),
    )
    return msgspec.structs.replace(made, **change)


def look(drift: Drift | None, *later: Any, spec: ModelDeploymentSpec | None = None, **quality: Any) -> Observed:
    observed = make_observed(make_version(1, spec=spec), *later, spec=spec)
    return replace(observed, quality=make_quality(drift=drift, **quality))


def then(observed: Observed, drift: Drift | None, **quality: Any) -> Observed:
    """The status was written, and the hub answers otherwise."""
    return replace(known(observed), quality=make_quality(drift=drift, **quality))


def said(observed: Observed, kind: ConditionType) -> Condition | None:
    return find(planned(observed).status.conditions, kind)


def announced(observed: Observed) -> list[tuple[EventType, str]]:
    events: tuple[Event, ...] = planned(observed).events
    about = {"Drift", "AsLearnt", "DataProblem", "WouldRetrain"}
    return [(event.type, str(event.reason)) for event in events if event.reason in about]


def test_the_hub_is_asked_by_what_is_declared() -> None:
    spec = make_spec(monitoring={"drift": {"threshold": 0.3, "window": "6h", "minSamples": 500}})
    query = quality_query(make_observed(spec=spec))
    assert query is not None
    assert query.drift == DriftQuery(threshold=0.3, window=6 * 3600, min_samples=500)


@pytest.mark.parametrize(
    ("drift", "status", "reason", "words"),
    [
        pytest.param(compared(*REST), "True", "AsLearnt", "No column has moved by a PSI of 0.2", id="at rest"),
        pytest.param(
            compared(*REST, judged=False),
            "Unknown",
            "CollectingRows",
            "two windows of 24h with 1,000 rows",
            id="one window",
        ),
        pytest.param(
            compared(*DRIFTED), "False", "Drift", "age (PSI 0.84) moved from what version 1 learnt from", id="drift"
        ),
        pytest.param(
            compared(*REST, prediction=column("prediction", 0.5, drifted=True)),
            "False",
            "Drift",
            "The prediction moved",
            id="other answers",
        ),
    ],
)
def test_stable_says_what_has_moved(drift: Drift, status: str, reason: str, words: str) -> None:
    condition = said(look(drift), STABLE)
    assert condition is not None
    assert (condition.status, condition.reason) == (status, reason)
    assert words in condition.message


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        pytest.param(MISSING, "Age is missing in 40.0% of the rows (in training 1.0%)", id="missing"),
        pytest.param(
            DataProblem(kind=DataProblemKind.OUTSIDE, column="city", share=0.1, usual=0.0),
            "10.0% of the values of city are unlike any in training",
            id="strange",
        ),
        pytest.param(
            DataProblem(kind=DataProblemKind.REFUSED, share=0.2, usual=0.0),
            "20.0% of the requests were refused",
            id="refused",
        ),
    ],
)
def test_data_quality_says_what_is_wrong_and_is_no_drift(problem: DataProblem, words: str) -> None:
    observed = look(compared(*REST, problems=(problem,)))
    condition, stable = said(observed, DATA), said(observed, STABLE)
    assert condition is not None
    assert stable is not None
    assert (condition.status, condition.reason, stable.status) == ("False", "DataProblem", "True")
    assert words.lower() in condition.message.lower()


def test_before_anything_was_compared_nothing_is_said() -> None:
    observed = look(None)
    assert planned(observed).status.drift is None
    assert said(observed, STABLE) is said(observed, DATA) is None


def test_the_status_shows_how_far_columns_moved() -> None:
    drift = planned(look(compared(*DRIFTED, problems=(MISSING,)))).status.drift
    assert drift is not None
    assert (drift.largest, drift.prediction, drift.drifted, drift.rows) == (0.84, 0.02, ("age",), 5000)
    assert [(feature.name, feature.psi) for feature in drift.features] == [("age", 0.84), ("size", 0.03)]
    assert [(problem.kind, problem.column, problem.share) for problem in drift.problems] == [("Missing", "age", 0.4)]


def test_figures_that_mean_the_same_are_written_now_and_then() -> None:
    moved = compared(column("age", 0.09), column("size", 0.03))
    soon = then(look(compared(*REST)), moved, as_of=NOW.timestamp() + 60)
    assert planned(soon).status.drift == soon.model.status.drift
    later = NOW + REFRESH
    drift = planned(replace(soon, quality=make_quality(drift=moved, as_of=later.timestamp())), later).status.drift
    assert drift is not None
    assert drift.largest == 0.09


def test_a_hub_that_does_not_answer_leaves_what_was_known() -> None:
    observed = replace(known(look(compared(*DRIFTED))), quality=None)
    assert planned(observed).status.drift == observed.model.status.drift
    assert said(observed, STABLE) == find(observed.model.status.conditions, STABLE)


def test_another_champion_starts_anew() -> None:
    before = known(look(compared(*DRIFTED)))
    second = make_observed(make_version(1, VersionPhase.ARCHIVED), make_version(2), status=before.model.status)
    assert planned(second).status.drift is None
    assert said(second, STABLE) is None


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(compared(*REST), compared(*REST), [], id="nothing new"),
        pytest.param(compared(*REST), compared(*DRIFTED), [(EventType.WARNING, "Drift")], id="drift begins"),
        pytest.param(compared(*DRIFTED), compared(*DRIFTED), [], id="drift goes on"),
        pytest.param(compared(*DRIFTED), compared(*REST), [(EventType.NORMAL, "AsLearnt")], id="drift ends"),
        pytest.param(
            compared(*DRIFTED), compared(column("age", 0.17), REST[1]), [],
            id="a PSI that hovers about the threshold is one drift",
        ),
        pytest.param(
            compared(*DRIFTED), compared(column("age", 0.17, before=0.05), REST[1]), [(EventType.NORMAL, "AsLearnt")],
            id="and has ended when a window was at rest",
        ),
        pytest.param(
            compared(*REST), compared(*REST, problems=(MISSING,)), [(EventType.WARNING, "DataProblem")],
            id="values go missing",
        ),
        pytest.param(
            compared(*REST, problems=(MISSING,)), compared(*REST), [(EventType.NORMAL, "AsLearnt")], id="and come back"
        ),
    ],
)  # fmt: skip
def test_changes_are_announced_once(before: Drift, after: Drift, expected: list[tuple[EventType, str]]) -> None:
    assert announced(then(look(before), after)) == expected


def runs(observed: Observed, when: Any = NOW) -> list[str]:
    return [action.spec.trigger.reason for action in actions_of(observed, CreateVersion, when)]


def drift_run(number: int = 2, phase: VersionPhase = VersionPhase.REJECTED, *, ago: float = 1.0, **how: Any) -> Any:
    version = make_version(
        number, phase, trigger=VersionTrigger(reason=Reason.DRIFT.value, message="age moved."), **how
    )
    return replace(version, created_at=NOW - timedelta(hours=ago))


@pytest.mark.parametrize(
    ("change", "quality", "expected"),
    [
        pytest.param({}, {}, ["Drift"], id="where triggers names it"),
        pytest.param({"retraining": {"triggers": ["Accuracy"]}}, {}, [], id="where triggers leaves it out"),
        pytest.param({"retraining": {"triggers": []}}, {}, [], id="an empty list leaves it out as well"),
        pytest.param({"retraining": {"mode": "Observe"}}, {}, [], id="in mode Observe"),
        pytest.param({"retraining": {"mode": "Manual"}}, {}, [], id="in mode Manual"),
        pytest.param({"paused": True}, {}, [], id="while paused"),
        pytest.param({"data": {"train": {"uri": "sklearn://digits"}}}, {}, [], id="where the source cannot change"),
        pytest.param(
            {"retraining": {"data": {"includeFeedback": True}}},
            {"alarm": ALARM},
            [],
            id="after an alarm labels say when",
        ),
    ],
)
def test_a_run_begins_for_drift(change: dict[str, Any], quality: dict[str, Any], expected: list[str]) -> None:
    spec = make_spec(**_merged(RETRAINS, change))
    assert runs(look(compared(*DRIFTED), spec=spec, **quality)) == expected


def _merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    return base | {
        name: base[name] | value if isinstance(value, dict) and name in base else value
        for name, value in change.items()
    }


def test_a_world_at_rest_starts_no_run() -> None:
    assert runs(look(compared(*REST), spec=make_spec(**RETRAINS))) == []
    assert runs(look(compared(*REST, problems=(MISSING,)), spec=make_spec(**RETRAINS))) == []


def test_one_drift_starts_one_run() -> None:
    spec = make_spec(**RETRAINS)
    drifting = then(look(compared(*DRIFTED), spec=spec), compared(*DRIFTED))
    refused = drift_run(ago=0, spec=spec, finished_at="2030-01-01T12:00:00Z")
    after = replace(drifting, versions=(*drifting.versions, refused))
    assert runs(after, NOW + timedelta(days=9)) == []
    over = replace(known(replace(after, quality=make_quality(drift=compared(*REST)))))
    assert runs(over, NOW + timedelta(days=9)) == []
    again = replace(over, quality=make_quality(drift=compared(*DRIFTED)))
    assert runs(again, NOW + timedelta(days=9)) == ["Drift"]


def test_the_run_says_what_it_is_for() -> None:
    (action,) = actions_of(look(compared(*DRIFTED), spec=make_spec(**RETRAINS)), CreateVersion)
    assert action.spec.trigger.message == (
        "age (PSI 0.84) moved from what version 1 learnt from, by a PSI of 0.2 or more in two windows of 24h."
    )


def test_mode_observe_says_that_it_would_have_begun() -> None:
    spec = make_spec(**_merged(RETRAINS, {"retraining": {"mode": "Observe"}}))
    observed = then(look(compared(*REST), spec=spec), compared(*DRIFTED))
    assert announced(observed) == [(EventType.WARNING, "Drift"), (EventType.NORMAL, "WouldRetrain")]
    condition = said(observed, STABLE)
    assert condition is not None
    assert condition.status is ConditionStatus.FALSE
    assert "retraining.mode Observe keeps a run from starting" in condition.message
