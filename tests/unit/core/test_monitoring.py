"""Healthy: what the hub says of the champion, what is done about it, and when nothing can be said."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from tests.unit.core.made import (
    ALARM,
    NOW,
    THRESHOLD,
    actions_of,
    condition,
    known,
    make_observed,
    make_quality,
    make_spec,
    make_version,
    planned,
)

from evermodel.api.conditions import ConditionStatus, ConditionType, Reason
from evermodel.api.modelversion import VersionFailure, VersionPhase, VersionTrigger
from evermodel.contract import Quality, WindowStats
from evermodel.core.actions import CreateVersion
from evermodel.core.observed import Observed, VersionView
from evermodel.core.phases.monitoring import progress
from evermodel.core.questions import quality_query
from evermodel.core.timestamps import rfc3339

LOW = WindowStats(value=0.7, lower=0.67, upper=0.73, samples=1000)
DAY_BEFORE = NOW - timedelta(days=1)
FALLEN = make_quality(alarm=ALARM, window=LOW, records=900, records_counted=500)
ALARM_TRIGGER = VersionTrigger(
    reason="AccuracyAlarm",
    message="It fell.",
    alarm_seq=ALARM.seq,
    alarm_at=ALARM.at,
    changed_after=ALARM.changed_after,
)
ANOTHER_ALARM = msgspec.structs.replace(FALLEN, alarm=msgspec.structs.replace(ALARM, seq=ALARM.seq + 1))
V1 = make_version(1)


FEW = msgspec.structs.replace(FALLEN, records_counted=399)
"""Fewer than the first pause in labels asks for."""


def feedback(**change: Any) -> dict[str, Any]:
    return {"data": {"includeFeedback": True}, **change}


IMPORTED = make_spec(
    retraining=feedback(), model={"uri": "hub://old", "sha256": "0" * 64}, training={"estimator": None}
)


def after_alarm(
    *versions: VersionView, quality: Quality = FALLEN, retraining: dict[str, Any] | None = None, **change: Any
) -> Observed:
    """Return an object whose champion alarmed; there are labels enough to train on."""
    spec = make_spec(retraining=feedback(**(retraining or {})), **change)
    return asked(make_observed(V1, *versions, spec=spec, quality=quality))


def asked(observed: Observed) -> Observed:
    """Return the same look, with an answer to just the question that matters now."""
    return replace(observed, quality_query=quality_query(observed))


def attempt(number: int, *, ended: datetime, phase: VersionPhase = VersionPhase.REJECTED, why: str = "Rejected") -> Any:
    return make_version(
        number,
        phase,
        spec=make_spec(retraining=feedback()),
        trigger=ALARM_TRIGGER,
        run={"parent": 1},
        failure=VersionFailure(reason=why, message="It was no better."),
        finished_at=rfc3339(ended),
    )


@pytest.mark.parametrize(
    ("observed", "status", "reason"),
    [
        pytest.param(
            make_observed(make_version(1, VersionPhase.TRAINING)),
            ConditionStatus.UNKNOWN,
            Reason.NO_VERSION,
            id="no version, no accuracy",
        ),
        pytest.param(make_observed(), ConditionStatus.TRUE, Reason.ABOVE_THRESHOLD, id="the window holds"),
        pytest.param(
            make_observed(quality=None), ConditionStatus.UNKNOWN, Reason.INCONCLUSIVE, id="not asked yet, not known"
        ),
        pytest.param(
            make_observed(quality=None, quality_error="connection refused"),
            ConditionStatus.UNKNOWN,
            Reason.HUB_UNREACHABLE,
            id="a hub that does not answer",
        ),
        pytest.param(
            make_observed(quality=make_quality(labels=399)),
            ConditionStatus.UNKNOWN,
            Reason.INCONCLUSIVE,
            id="too few labels to tell",
        ),
        pytest.param(
            make_observed(quality=make_quality(window=LOW)),
            ConditionStatus.UNKNOWN,
            Reason.INCONCLUSIVE,
            id="a low window alone is no evidence",
        ),
        pytest.param(
            make_observed(quality=make_quality(version=2)),
            ConditionStatus.UNKNOWN,
            Reason.INCONCLUSIVE,
            id="an answer about another version says nothing",
        ),
        pytest.param(
            after_alarm(quality=msgspec.structs.replace(FALLEN, labels=399)),
            ConditionStatus.FALSE,
            Reason.RETRAINING,
            id="an alarm counts after however few labels",
        ),
        pytest.param(
            after_alarm(monitoring={"minCoverage": 0.6}),
            ConditionStatus.UNKNOWN,
            Reason.INCONCLUSIVE,
            id="an alarm at a low coverage is held back",
        ),
        pytest.param(after_alarm(), ConditionStatus.FALSE, Reason.RETRAINING, id="an alarm with labels to learn from"),
        pytest.param(
            after_alarm(monitoring={"minCoverage": 0.5}),
            ConditionStatus.FALSE,
            Reason.RETRAINING,
            id="a coverage that just suffices",
        ),
        pytest.param(
            after_alarm(quality=msgspec.structs.replace(FALLEN, records_counted=99)),
            ConditionStatus.FALSE,
            Reason.COLLECTING_LABELS,
            id="too few records since the change",
        ),
        pytest.param(
            after_alarm(quality=msgspec.structs.replace(FALLEN, records_counted=100)),
            ConditionStatus.FALSE,
            Reason.RETRAINING,
            id="a quarter of minSamples",
        ),
        pytest.param(
            after_alarm(retraining={"data": {"includeFeedback": False}}),
            ConditionStatus.FALSE,
            Reason.NOTHING_NEW,
            id="nothing is captured, so there is nothing new",
        ),
        pytest.param(
            asked(make_observed(make_version(1, spec=IMPORTED), spec=IMPORTED, quality=FALLEN)),
            ConditionStatus.FALSE,
            Reason.NO_ESTIMATOR,
            id="an imported model has nothing to be trained anew with",
        ),
        pytest.param(
            after_alarm(retraining={"mode": "Observe"}),
            ConditionStatus.FALSE,
            Reason.WOULD_RETRAIN,
            id="Observe says what would be done",
        ),
        pytest.param(
            after_alarm(retraining={"mode": "Manual"}),
            ConditionStatus.FALSE,
            Reason.BELOW_THRESHOLD,
            id="Manual leaves it to a person",
        ),
        pytest.param(after_alarm(paused=True), ConditionStatus.FALSE, Reason.BELOW_THRESHOLD, id="paused"),
        pytest.param(after_alarm(version=1), ConditionStatus.FALSE, Reason.BELOW_THRESHOLD, id="pinned"),
        pytest.param(
            after_alarm(attempt(2, ended=NOW - timedelta(minutes=9))),
            ConditionStatus.FALSE,
            Reason.COOLING_DOWN,
            id="cooldown after a run",
        ),
        pytest.param(
            after_alarm(attempt(2, ended=NOW - timedelta(minutes=10))),
            ConditionStatus.FALSE,
            Reason.RETRAINING,
            id="after the cooldown it goes on",
        ),
        pytest.param(
            after_alarm(attempt(2, ended=NOW - timedelta(minutes=50)), attempt(3, ended=NOW - timedelta(minutes=19))),
            ConditionStatus.FALSE,
            Reason.COOLING_DOWN,
            id="a second failed attempt doubles the cooldown",
        ),
        pytest.param(
            after_alarm(attempt(2, ended=NOW - timedelta(minutes=50)), attempt(3, ended=NOW - timedelta(minutes=20))),
            ConditionStatus.FALSE,
            Reason.RETRAINING,
            id="after twice the cooldown it goes on",
        ),
        pytest.param(
            after_alarm(*(attempt(number, ended=DAY_BEFORE) for number in (2, 3, 4)), quality=FEW),
            ConditionStatus.FALSE,
            Reason.RETRAINING_EXHAUSTED,
            id="maxAttempts are used up",
        ),
        pytest.param(
            after_alarm(*(attempt(number, ended=DAY_BEFORE) for number in (2, 3, 4))),
            ConditionStatus.FALSE,
            Reason.RETRAINING,
            id="after as many labels as minSamples it goes on",
        ),
        pytest.param(
            after_alarm(*(attempt(number, ended=DAY_BEFORE) for number in (2, 3, 4, 5))),
            ConditionStatus.FALSE,
            Reason.RETRAINING_EXHAUSTED,
            id="the next pause is twice as long",
        ),
        pytest.param(
            after_alarm(attempt(2, ended=DAY_BEFORE), retraining={"maxAttempts": 1}, quality=FEW),
            ConditionStatus.FALSE,
            Reason.RETRAINING_EXHAUSTED,
            id="maxAttempts as declared",
        ),
        pytest.param(
            after_alarm(
                *(attempt(number, ended=DAY_BEFORE) for number in (2, 3)),
                make_version(4, VersionPhase.SUPERSEDED, trigger=ALARM_TRIGGER),
                attempt(5, ended=DAY_BEFORE),
                quality=FEW,
            ),
            ConditionStatus.FALSE,
            Reason.RETRAINING_EXHAUSTED,
            id="a run that was broken off counts neither way",
        ),
        pytest.param(
            after_alarm(*(attempt(number, ended=DAY_BEFORE) for number in (2, 3, 4)), quality=ANOTHER_ALARM),
            ConditionStatus.FALSE,
            Reason.RETRAINING,
            id="attempts after another alarm do not count",
        ),
        pytest.param(
            after_alarm(*(attempt(number, ended=DAY_BEFORE) for number in (2, 3, 4)), training={"deadline": "2h"}),
            ConditionStatus.FALSE,
            Reason.RETRAINING,
            id="nor do those with other settings",
        ),
        pytest.param(
            after_alarm(attempt(2, ended=DAY_BEFORE, phase=VersionPhase.FAILED, why="DataInvalid")),
            ConditionStatus.FALSE,
            Reason.RETRAINING_EXHAUSTED,
            id="bad data is not tried again",
        ),
        pytest.param(
            after_alarm(attempt(2, ended=DAY_BEFORE, phase=VersionPhase.FAILED, why="Crashed")),
            ConditionStatus.FALSE,
            Reason.RETRAINING,
            id="a crash is",
        ),
        pytest.param(
            after_alarm(make_version(2, VersionPhase.TRAINING, trigger=ALARM_TRIGGER)),
            ConditionStatus.FALSE,
            Reason.RETRAINING,
            id="a run is under way",
        ),
        pytest.param(
            after_alarm(
                make_version(2, VersionPhase.AWAITING_LABELS, trigger=ALARM_TRIGGER),
                quality=msgspec.structs.replace(FALLEN, records_counted=31),
            ),
            ConditionStatus.FALSE,
            Reason.COLLECTING_LABELS,
            id="a trained version waits for labels to be judged on",
        ),
    ],
)
def test_healthy(observed: Observed, status: ConditionStatus, reason: Reason) -> None:
    healthy = condition(observed, ConditionType.HEALTHY)
    assert (healthy.status, healthy.reason) == (status, reason)
    starts = reason is Reason.RETRAINING and observed.versions[-1].status.phase is not VersionPhase.TRAINING
    assert bool(actions_of(observed, CreateVersion)) == starts


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        pytest.param(after_alarm(), ["0.700", "210 labels", f"below {THRESHOLD}"], id="the alarm with its figures"),
        pytest.param(
            after_alarm(quality=msgspec.structs.replace(FALLEN, records_counted=31)),
            ["at least 25 of 100"],
            id="how many labels are there, in quarters",
        ),
        pytest.param(after_alarm(attempt(2, ended=NOW)), ["2030-01-01T12:10:00Z"], id="when the next run may start"),
        pytest.param(
            after_alarm(retraining={"data": {"includeFeedback": False}}),
            ["includeFeedback", "data.train"],
            id="what would help when there is nothing new",
        ),
        pytest.param(
            after_alarm(*(attempt(number, ended=DAY_BEFORE) for number in (2, 3, 4)), quality=FEW),
            ["3 attempts", "maxAttempts 3", "400 more", "at least 300 of 400", "evermodel.dev/retrain"],
            id="when attempts are used up, when the next one comes, and what a person can do",
        ),
    ],
)
def test_the_message_has_the_figures_and_the_next_step(observed: Observed, words: list[str]) -> None:
    message = condition(observed, ConditionType.HEALTHY).message
    assert [word for word in words if word not in message] == []


def test_the_end_of_the_cooldown_is_looked_at() -> None:
    cooling = after_alarm(attempt(2, ended=NOW - timedelta(minutes=9, seconds=50)))
    assert planned(cooling).requeue_after == timedelta(seconds=10)
    assert planned(cooling).status.retraining.next_eligible_time == "2030-01-01T12:00:10Z"


def test_a_version_promoted_although_it_is_below_the_threshold_says_so() -> None:
    weak = make_version(2, holdout=0.88, holdout_set="fresh")
    observed = make_observed(make_version(1, VersionPhase.ARCHIVED), weak, quality=make_quality(version=2, labels=0))
    healthy = condition(observed, ConditionType.HEALTHY)
    assert (healthy.status, healthy.reason) == (ConditionStatus.FALSE, Reason.BELOW_THRESHOLD)
    assert "0.880" in healthy.message
    recovered = replace(known(observed), quality=make_quality(version=2))
    assert condition(recovered, ConditionType.HEALTHY).status is ConditionStatus.TRUE
    doubtful = replace(known(recovered), quality=make_quality(version=2, labels=10))
    assert condition(doubtful, ConditionType.HEALTHY).status is ConditionStatus.UNKNOWN


def test_once_healthy_a_window_close_to_the_threshold_changes_nothing() -> None:
    observed = known(make_observed())
    swinging = replace(observed, quality=make_quality(window=WindowStats(value=0.91, lower=0.9, upper=0.93, samples=9)))
    assert condition(swinging, ConditionType.HEALTHY) == condition(observed, ConditionType.HEALTHY)


def test_an_operator_that_has_not_asked_yet_leaves_what_was_known() -> None:
    observed = known(after_alarm(retraining={"mode": "Observe"}))
    restarted = replace(observed, quality=None, quality_query=None)
    assert planned(restarted).status == observed.model.status
    assert planned(restarted).events == ()


def test_an_answer_to_the_old_threshold_is_not_used() -> None:
    observed = after_alarm()
    spec = make_spec(retraining=feedback(), objective={"threshold": 0.6})
    changed = replace(observed, model=replace(observed.model, spec=spec))
    assert condition(changed, ConditionType.HEALTHY).reason == Reason.INCONCLUSIVE
    assert actions_of(changed, CreateVersion) == []


def test_records_of_an_older_question_are_not_counted() -> None:
    observed = after_alarm()
    assert observed.quality_query is not None
    stale = replace(observed, quality_query=msgspec.structs.replace(observed.quality_query, records_after=0))
    assert actions_of(stale, CreateVersion) == []
    assert condition(stale, ConditionType.HEALTHY).reason == Reason.COLLECTING_LABELS
    assert planned(stale).requeue_after == timedelta(seconds=2)


@pytest.mark.parametrize(
    ("observed", "after"),
    [
        pytest.param(after_alarm(), ALARM.changed_after, id="those since the change"),
        pytest.param(
            after_alarm(attempt(2, ended=DAY_BEFORE), attempt(3, ended=DAY_BEFORE)),
            ALARM.changed_after,
            id="also for the next attempts",
        ),
        pytest.param(
            after_alarm(
                *(attempt(number, ended=DAY_BEFORE) for number in (2, 3)),
                replace(
                    attempt(4, ended=DAY_BEFORE),
                    status=msgspec.structs.replace(attempt(4, ended=DAY_BEFORE).status, fresh_through=1700),
                ),
            ),
            1700,
            id="once attempts are used up, those since the last",
        ),
    ],
)
def test_the_records_that_a_run_needs_are_asked_for(observed: Observed, after: int) -> None:
    query = quality_query(observed)
    assert query is not None
    assert (query.records_after, query.predicted_after) == (after, 0.0)


@pytest.mark.parametrize(
    ("count", "needed", "text"),
    [
        pytest.param(0, 400, "fewer than 100 of 400", id="none"),
        pytest.param(99, 400, "fewer than 100 of 400", id="just not a quarter"),
        pytest.param(100, 400, "at least 100 of 400", id="a quarter"),
        pytest.param(399, 400, "at least 300 of 400", id="almost all"),
        pytest.param(5000, 400, "at least 400 of 400", id="more than all"),
        pytest.param(2, 10, "fewer than 3 of 10", id="a quarter is rounded up"),
    ],
)
def test_progress_is_told_in_quarters(count: int, needed: int, text: str) -> None:
    assert progress(count, needed) == text
