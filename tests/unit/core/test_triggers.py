"""What begins a run, and what does not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.core.made import (
    ALARM,
    BETTER,
    EARLIER,
    NOW,
    READY_HUB,
    actions_of,
    condition,
    make_job,
    make_model,
    make_new,
    make_observed,
    make_quality,
    make_spec,
    make_version,
    planned,
)

from evermodel.api.conditions import ConditionType, Reason
from evermodel.api.modeldeployment import ModelDeploymentStatus, RetrainingStatus
from evermodel.api.modelversion import SetScore, VersionFailure, VersionPhase, VersionTrigger
from evermodel.contract import LineageEntry, Strategy
from evermodel.core.actions import CreateVersion, WriteVersionStatus
from evermodel.core.hashing import training_hash
from evermodel.core.ladder import strategy_of
from evermodel.core.observed import HubView, JobState, Observed
from evermodel.core.questions import needs_lineage, quality_query
from evermodel.core.timestamps import rfc3339

V1 = make_version(1)
OTHER = make_spec(training={"estimator": "SVC"})
LONGER = make_spec(training={"deadline": "2h"})
FEEDBACK = make_spec(retraining={"data": {"includeFeedback": True}})
HANDLED = ModelDeploymentStatus(retraining=RetrainingStatus(handled_request="again"))
REQUEST = VersionTrigger(reason="Requested", message="Asked for.", request="again")


def failed(number: int, why: str = "Crashed", *, minutes_ago: float = 60, **change: Any) -> Any:
    return make_version(
        number,
        VersionPhase.FAILED,
        failure=VersionFailure(reason=why, message="It failed."),
        finished_at=rfc3339(NOW - timedelta(minutes=minutes_ago)),
        **change,
    )


def rejected(number: int, **change: Any) -> Any:
    failure = VersionFailure(reason="Rejected", message="It was no better.")
    return make_version(number, VersionPhase.REJECTED, failure=failure, **change)


def alarmed(**change: Any) -> Observed:
    quality = make_quality(alarm=ALARM, records=900, records_counted=500, last_seq=1400)
    observed = make_observed(V1, spec=FEEDBACK, quality=quality, **change)
    return replace(observed, quality_query=quality_query(observed))


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        pytest.param(make_new(), Reason.FIRST_VERSION, id="a new object gets its first version"),
        pytest.param(make_new(hub=HubView()), None, id="not before the hub can take what it makes"),
        pytest.param(make_new(lineage=None), None, id="not before the hub was asked what it remembers"),
        pytest.param(make_new(make_spec(paused=True)), None, id="not while it is paused"),
        pytest.param(make_new(make_spec(version=3)), None, id="not while a version is pinned"),
        pytest.param(make_observed(V1), None, id="a champion that holds is left alone"),
        pytest.param(make_observed(V1, spec=OTHER), Reason.SPEC_CHANGED, id="changed training"),
        pytest.param(
            make_observed(V1, spec=make_spec(data={"train": {"uri": "sklearn://iris"}})),
            Reason.SPEC_CHANGED,
            id="changed data",
        ),
        pytest.param(
            make_observed(V1, spec=make_spec(training={"estimator": "SVC"}, retraining={"mode": "Manual"})),
            Reason.SPEC_CHANGED,
            id="a changed spec is a wish in mode Manual too",
        ),
        pytest.param(make_observed(V1, spec=LONGER), None, id="a changed deadline is no reason"),
        pytest.param(
            make_observed(V1, spec=make_spec(objective={"threshold": 0.99})), None, id="nor a changed threshold"
        ),
        pytest.param(make_observed(V1, rejected(2, spec=OTHER), spec=OTHER), None, id="nor a spec that was tried"),
        pytest.param(
            make_observed(V1, make_version(2, VersionPhase.SUPERSEDED, spec=OTHER), spec=OTHER),
            Reason.SPEC_CHANGED,
            id="but one whose run was broken off",
        ),
        pytest.param(
            make_observed(V1, make_version(2, VersionPhase.SUPERSEDED, spec=OTHER)),
            None,
            id="not a spec that was changed back",
        ),
        pytest.param(make_observed(V1, retrain_request="again"), Reason.REQUESTED, id="a person asks"),
        pytest.param(
            make_observed(V1, retrain_request="again", spec=make_spec(retraining={"mode": "Manual"})),
            Reason.REQUESTED,
            id="a person asks in mode Manual",
        ),
        pytest.param(
            make_observed(V1, rejected(2, trigger=REQUEST), retrain_request="again"),
            None,
            id="a request is honoured once",
        ),
        pytest.param(
            make_observed(V1, retrain_request="again", status=HANDLED),
            None,
            id="also when its version is gone",
        ),
        pytest.param(
            make_observed(V1, make_version(2, VersionPhase.SUPERSEDED, trigger=REQUEST), retrain_request="again"),
            Reason.REQUESTED,
            id="once more when its run was broken off",
        ),
        pytest.param(alarmed(), Reason.ACCURACY_ALARM, id="an alarm"),
        pytest.param(
            alarmed(retrain_request="again"), Reason.REQUESTED, id="a person's request comes before an alarm"
        ),
        pytest.param(make_observed(failed(1)), Reason.FIRST_VERSION, id="a crash is repeated"),
        pytest.param(make_observed(failed(1, minutes_ago=0.4)), None, id="after a pause"),
        pytest.param(
            make_observed(failed(1), failed(2, minutes_ago=0.9)), None, id="which doubles with the second failure"
        ),
        pytest.param(
            make_observed(failed(1), failed(2, minutes_ago=1)), Reason.FIRST_VERSION, id="and then ends"
        ),
        pytest.param(make_observed(failed(1), failed(2), failed(3)), None, id="no more than maxAttempts"),
        pytest.param(make_observed(failed(1, "DataInvalid")), None, id="bad data is not repeated"),
        pytest.param(make_observed(failed(1, "OutOfMemory")), None, id="out of memory is not repeated"),
        pytest.param(
            make_observed(failed(1, "OutOfMemory"), spec=LONGER),
            Reason.SPEC_CHANGED,
            id="unless the settings were changed",
        ),
        pytest.param(
            make_observed(failed(1, "DataInvalid"), spec=OTHER), Reason.SPEC_CHANGED, id="or the spec was"
        ),
        pytest.param(
            make_observed(failed(1, "DataInvalid"), retrain_request="again"), Reason.REQUESTED, id="or a person asks"
        ),
        pytest.param(make_observed(rejected(1)), None, id="a rejected first version is left to a person"),
        pytest.param(
            make_observed(V1, make_version(2, VersionPhase.TRAINING), retrain_request="again"),
            None,
            id="one run at a time",
        ),
        pytest.param(
            make_observed(V1, spec=OTHER, orphaned=frozenset({2})), None, id="not before the pods of the last are gone"
        ),
        pytest.param(
            make_observed(
                V1,
                make_version(2, VersionPhase.SUPERSEDED, spec=OTHER),
                spec=OTHER,
                jobs=[make_job(make_version(2), JobState.RUNNING, deleting=True)],
            ),
            None,
            id="nor before its Job is",
        ),
    ],
)  # fmt: skip
def test_a_run_begins(observed: Observed, reason: Reason | None) -> None:
    created = actions_of(observed, CreateVersion)
    assert [action.spec.trigger.reason for action in created] == ([reason.value] if reason is not None else [])


def test_a_run_records_what_it_is_made_from() -> None:
    [created] = actions_of(alarmed(), CreateVersion)
    spec = created.spec
    assert (created.name, spec.number, spec.parent) == ("digits-v2", 2, 1)
    assert spec.training_hash == training_hash(FEEDBACK)
    assert (spec.data, spec.training, spec.image) == (FEEDBACK.data, FEEDBACK.training, "runtime:1")
    assert (spec.trigger.alarm_seq, spec.trigger.alarm_at) == (ALARM.seq, ALARM.at)
    assert spec.trigger.changed_after == ALARM.changed_after
    assert spec.feedback_through == 1400


ANSWER = VersionTrigger(reason="AccuracyAlarm", message="It fell.", alarm_seq=900, alarm_at=ALARM.at, changed_after=700)
HEALED = make_version(2, trigger=ANSWER, run={"feedback_through": 1000}, spec=FEEDBACK)
"""A champion that an alarm led to."""
MORE = VersionTrigger(reason="MoreLabels", message="More came.", alarm_seq=900, alarm_at=ALARM.at, changed_after=700)


def healed(*later: Any, counted: int = 400, retraining: dict[str, Any] | None = None, **change: Any) -> Observed:
    """Return a champion that an alarm led to, and labelled records that no run has learnt from."""
    parts: dict[str, Any] = {"paused": change.pop("paused", False)}
    spec = make_spec(retraining={"data": {"includeFeedback": True}, **(retraining or {})}, **parts)
    archived = make_version(1, VersionPhase.ARCHIVED, spec=FEEDBACK)
    quality = make_quality(**{"version": 2, "records": 3000, "records_counted": counted, **change})
    observed = make_observed(archived, HEALED, *later, spec=spec, quality=quality)
    return replace(observed, quality_query=quality_query(observed))


def unfallen(counted: int = 400, **retraining: Any) -> Observed:
    """Return a champion that no alarm led to."""
    spec = make_spec(retraining={"data": {"includeFeedback": True}, **retraining})
    observed = make_observed(V1, spec=spec, quality=make_quality(records=3000, records_counted=counted))
    return replace(observed, quality_query=quality_query(observed))


def tried_more(number: int = 3, phase: VersionPhase = VersionPhase.REJECTED, **change: Any) -> Any:
    failure = VersionFailure(reason="Crashed" if phase is VersionPhase.FAILED else "Rejected", message="Not better.")
    run = {"feedback_through": 1900, "parent": 2}
    return make_version(number, phase, trigger=MORE, run=run, spec=FEEDBACK, **{"failure": failure, **change})


@pytest.mark.parametrize(
    ("observed", "begins"),
    [
        pytest.param(healed(), True, id="as many as minSamples"),
        pytest.param(healed(counted=399), False, id="not fewer"),
        pytest.param(unfallen(), True, id="also where nothing fell"),
        pytest.param(unfallen(triggers=["Data"]), True, id="where Data may"),
        pytest.param(unfallen(triggers=["Accuracy"]), False, id="not where only Accuracy may"),
        pytest.param(healed(retraining={"triggers": ["Accuracy"]}), True, id="which covers what follows an alarm"),
        pytest.param(healed(alarm=ALARM, counted=0), False, id="not while an alarm stands: that has its own pace"),
        pytest.param(
            healed(retraining={"data": {"includeFeedback": False}}), False, id="not where none are captured"
        ),
        pytest.param(healed(retraining={"mode": "Manual"}), False, id="not in mode Manual"),
        pytest.param(healed(retraining={"mode": "Observe"}), False, id="not in mode Observe"),
        pytest.param(healed(retraining={"cooldown": "7h"}), False, id="not within the cooldown"),
        pytest.param(healed(paused=True), False, id="not paused"),
        pytest.param(
            replace(healed(), quality_query=None), False, id="not before the records that count were asked for"
        ),
        pytest.param(healed(tried_more(), counted=599), False, id="after a run that was no better, not so soon"),
        pytest.param(healed(tried_more(), counted=600), True, id="but after half as many again"),
        pytest.param(healed(tried_more(3), tried_more(4), counted=899), False, id="and so on"),
        pytest.param(
            healed(tried_more(phase=VersionPhase.FAILED), counted=599), False, id="one that failed counts as well"
        ),
        pytest.param(healed(tried_more(phase=VersionPhase.SUPERSEDED)), True, id="one that was broken off does not"),
    ],
)  # fmt: skip
def test_more_labels_call_for_another_run(observed: Observed, *, begins: bool) -> None:
    created = actions_of(observed, CreateVersion)
    assert [action.spec.trigger.reason for action in created] == (["MoreLabels"] if begins else [])
    for action in created:
        trigger, before = action.spec.trigger, observed.versions[1 if len(observed.versions) > 1 else 0].spec.trigger
        assert (trigger.alarm_seq, trigger.changed_after) == (before.alarm_seq, before.changed_after)
        assert action.spec.feedback_through is not None


def test_what_no_run_has_learnt_from_is_asked_for() -> None:
    query = quality_query(healed(tried_more()))
    assert query is not None
    assert (query.records_after, query.predicted_after) == (1900, 0.0)


@pytest.mark.parametrize(
    ("observed", "phase"),
    [
        pytest.param(
            healed(tried_more(phase=VersionPhase.AWAITING_LABELS), alarm=ALARM, counted=0),
            VersionPhase.SUPERSEDED,
            id="an alarm overtakes it",
        ),
        pytest.param(
            healed(tried_more(phase=VersionPhase.TRAINING), alarm=ALARM), VersionPhase.SUPERSEDED, id="at any stage"
        ),
        pytest.param(
            healed(tried_more(phase=VersionPhase.AWAITING_LABELS), counted=0), None, id="not without an alarm"
        ),
        pytest.param(
            healed(
                tried_more(phase=VersionPhase.AWAITING_LABELS),
                counted=0,
                alarm=ALARM,
                retraining={"triggers": ["Data"]},
            ),
            None,
            id="nor where an alarm starts nothing",
        ),
    ],
)
def test_a_run_for_more_labels_of_the_old_world(observed: Observed, phase: VersionPhase | None) -> None:
    written = [action.status for action in actions_of(observed, WriteVersionStatus) if action.name == "digits-v3"]
    assert [status.phase for status in written] == ([phase] if phase is not None else [])
    assert all("accuracy fell" in status.message for status in written)


IMPORTED = {"model": {"uri": "hub://old", "sha256": "0" * 64}}
BOTH = make_spec(**IMPORTED)
ALONE = make_spec(**IMPORTED, training={"estimator": None})


@pytest.mark.parametrize(
    ("observed", "imports"),
    [
        pytest.param(make_new(spec=BOTH), True, id="the first version is the declared model"),
        pytest.param(make_new(spec=ALONE), True, id="without an estimator too"),
        pytest.param(
            make_observed(make_version(1, spec=BOTH, run={"model": BOTH.model}), spec=BOTH, retrain_request="again"),
            False,
            id="later ones are trained",
        ),
        pytest.param(
            make_observed(make_version(7, spec=BOTH), spec=BOTH, retrain_request="again"),
            False,
            id="also when the first one's record is gone",
        ),
        pytest.param(
            make_observed(make_version(1, spec=ALONE, run={"model": ALONE.model}), spec=ALONE, retrain_request="again"),
            True,
            id="without an estimator it can only be imported again",
        ),
        pytest.param(make_observed(V1, spec=BOTH), True, id="a model that is declared later"),
        pytest.param(make_new(), False, id="no model is declared"),
    ],
)
def test_a_declared_model_is_taken_over_once(observed: Observed, *, imports: bool) -> None:
    [created] = actions_of(observed, CreateVersion)
    assert created.spec.model == (observed.model.spec.model if imports else None)


def test_without_feedback_a_run_learns_from_the_source_alone() -> None:
    [created] = actions_of(make_observed(V1, spec=OTHER, quality=make_quality(alarm=ALARM)), CreateVersion)
    assert (created.spec.feedback_through, created.spec.trigger.alarm_seq) == (None, None)


def test_a_run_waits_until_the_end_of_the_ledger_is_known() -> None:
    asked = make_observed(V1, spec=FEEDBACK, quality=None, retrain_request="again")
    assert actions_of(asked, CreateVersion) == []
    assert planned(asked).requeue_after == timedelta(seconds=2)


def test_the_image_of_the_spec_comes_before_the_operators() -> None:
    spec = make_spec(training={"template": {"image": "mine:1"}})
    [created] = actions_of(make_new(spec), CreateVersion)
    assert created.spec.image == "mine:1"


@pytest.mark.parametrize(
    ("observed", "number"),
    [
        pytest.param(make_new(), 1, id="the first"),
        pytest.param(make_observed(failed(7)), 8, id="after the newest, whatever became of it"),
        pytest.param(
            replace(
                make_observed(V1, spec=OTHER),
                model=replace(
                    make_model(OTHER), status=planned(make_observed(V1, make_version(5, VersionPhase.TRAINING))).status
                ),
            ),
            6,
            id="after a candidate that somebody deleted",
        ),
        pytest.param(
            make_observed(
                V1, spec=OTHER, status=planned(make_observed(V1, failed(5), failed(9, minutes_ago=1))).status
            ),
            10,
            id="after a failed version that somebody deleted",
        ),
    ],
)
def test_numbers_are_not_given_twice(observed: Observed, number: int) -> None:
    [created] = actions_of(observed, CreateVersion)
    assert created.spec.number == number


def test_how_often_it_was_retrained_is_counted_once_for_each_run() -> None:
    later = replace(make_version(2, VersionPhase.TRAINING, trigger=REQUEST), created_at=NOW)
    observed = make_observed(V1, later, retrain_request="again")
    status = planned(observed).status
    assert (status.retraining.count, status.retraining.last_trigger) == (1, "Requested")
    assert status.retraining.handled_request == "again"
    again = planned(replace(observed, model=replace(observed.model, status=status))).status
    assert again == status
    in_the_same_second = replace(make_version(3, VersionPhase.TRAINING, trigger=REQUEST), created_at=NOW)
    both = make_observed(V1, rejected(2), in_the_same_second, status=status)
    assert planned(both).status.retraining.count == 2


# --- adoption ---------------------------------------------------------------------------------------------------------


def entry(number: int, **change: Any) -> LineageEntry:
    made: dict[str, Any] = {
        "number": number,
        "training_hash": training_hash(make_spec()),
        "manifest": f"manifest-{number}",
        "holdout": 0.95,
        "holdout_set": "fresh",
        "promoted_at": EARLIER.timestamp() + number,
        "data_sha256": "data-1",
        "feedback_through": 700,
        "parent": 1,
    }
    return LineageEntry(**{**made, **change})


OLD = entry(2, training_hash="1:another")


@pytest.mark.parametrize(
    ("observed", "adopted", "number"),
    [
        pytest.param(make_new(lineage=(entry(2), entry(4))), True, 4, id="the last champion is adopted"),
        pytest.param(make_new(lineage=(entry(4), OLD)), False, 5, id="not when the spec asks for another model"),
        pytest.param(
            make_new(make_spec(version=2), lineage=(OLD, entry(4))), True, 2, id="a pin says which, whatever the spec"
        ),
        pytest.param(make_new(), False, 1, id="without lineage it is trained"),
    ],
)
def test_a_rebuilt_cluster(observed: Observed, *, adopted: bool, number: int) -> None:
    [created] = actions_of(observed, CreateVersion)
    assert (created.spec.number, created.spec.adopted_manifest is not None) == (number, adopted)


def test_an_adopted_version_goes_to_traffic_without_a_job_or_a_gate() -> None:
    observed = make_new(lineage=(entry(4),))
    [created] = actions_of(observed, CreateVersion)
    version = replace(
        make_version(4, VersionPhase.TRAINING), spec=created.spec, status=make_version(4, VersionPhase.TRAINING).status
    )
    adopting = replace(observed, versions=(version,))
    assert needs_lineage(adopting)
    [write] = actions_of(adopting, WriteVersionStatus)
    assert (write.status.phase, write.status.manifest) == (VersionPhase.CANDIDATE, "manifest-4")
    assert (write.status.holdout, write.status.holdout_set) == (0.95, "fresh")
    assert actions_of(replace(adopting, lineage=None), WriteVersionStatus) == []


@pytest.mark.parametrize(
    ("lineage", "missing"),
    [
        pytest.param(None, False, id="nobody can tell before the hub was asked"),
        pytest.param((), True, id="a pin that nothing remembers is missing"),
        pytest.param((entry(3),), False, id="one that the hub remembers is not"),
    ],
)
def test_a_pin_of_a_new_object(lineage: tuple[LineageEntry, ...] | None, *, missing: bool) -> None:
    observed = make_new(make_spec(version=3), lineage=lineage)
    assert (condition(observed, ConditionType.READY).reason == Reason.PIN_NOT_FOUND) == missing


def test_a_hub_that_comes_back_brings_the_run() -> None:
    away = make_new(hub=HubView(applied=READY_HUB.applied))
    assert planned(away).actions == ()
    assert actions_of(replace(away, hub=READY_HUB), CreateVersion) != []


# --- judged again -----------------------------------------------------------------------------------------------------


def missed(number: int = 1, **change: Any) -> Any:
    """Return a first version that reached 0.90 where 0.92 was asked for."""
    score = {"reference": SetScore(rows=500, candidate=0.90, dummy=0.1)}
    return rejected(number, **{**score, **change})


def recall(threshold: float) -> Any:
    """Return a spec that asks for so much recall of fraud."""
    constraint = {"metric": "recall", "positiveClass": "fraud", "threshold": threshold}
    return make_spec(evaluation={"constraints": [constraint]})


def cost(direction: str, threshold: float | None = None) -> Any:
    """Return a spec with a metric of the user's own."""
    metric = {"name": "cost", "direction": direction, "image": "cost:1"}
    return make_spec(evaluation={"customMetrics": [metric if threshold is None else metric | {"threshold": threshold}]})


COSTING = SetScore(rows=500, candidate=0.96, dummy=0.1, metrics={"cost": 3.0})
MEASURED = SetScore(rows=500, candidate=0.96, dummy=0.1, metrics={"recall of fraud": 0.7})


@pytest.mark.parametrize(
    ("observed", "phase"),
    [
        pytest.param(make_observed(missed()), None, id="by the same rules nothing changes"),
        pytest.param(
            make_observed(missed(reference=MEASURED), spec=recall(0.6)),
            VersionPhase.CANDIDATE,
            id="a lower constraint lets it through without a Job",
        ),
        pytest.param(
            make_observed(missed(reference=MEASURED), spec=recall(0.8)), None, id="a constraint that it misses does not"
        ),
        pytest.param(
            make_observed(make_version(1, VersionPhase.CANDIDATE, reference=MEASURED), spec=recall(0.8)),
            VersionPhase.REJECTED,
            id="a higher constraint takes a candidate back before it has traffic",
        ),
        pytest.param(
            make_observed(missed(reference=COSTING), spec=cost("Minimize", 4)),
            VersionPhase.CANDIDATE,
            id="a higher cost that will do lets it through",
        ),
        pytest.param(
            make_observed(missed(reference=COSTING), spec=cost("Minimize", 2)), None, id="a cost too high does not"
        ),
        pytest.param(
            make_observed(missed(reference=COSTING), spec=cost("Maximize", 4)), None, id="nor one too low to be a gain"
        ),
        pytest.param(
            make_observed(make_version(1, VersionPhase.CANDIDATE, reference=MEASURED), spec=cost("Minimize")),
            VersionPhase.REJECTED,
            id="a custom metric that was not measured takes a candidate back",
        ),
        pytest.param(
            make_observed(missed(), spec=make_spec(objective={"threshold": 0.88})),
            VersionPhase.CANDIDATE,
            id="a lower threshold lets it through without a Job",
        ),
        pytest.param(
            make_observed(missed(), spec=make_spec(objective={"threshold": 0.91})),
            None,
            id="one not low enough does not",
        ),
        pytest.param(
            make_observed(missed(), spec=make_spec(objective={"threshold": 0.88}, training={"estimator": "SVC"})),
            None,
            id="not when another model is asked for",
        ),
        pytest.param(
            make_observed(V1, make_version(2, VersionPhase.ARCHIVED), rejected(3, reference=BETTER)),
            None,
            id="not when it was compared with another champion",
        ),
        pytest.param(
            make_observed(V1, rejected(2, reference=BETTER)),
            VersionPhase.CANDIDATE,
            id="a smaller minAbsolute lets one through that gained too little",
        ),
        pytest.param(
            make_observed(V1, rejected(2, reference=BETTER), spec=make_spec(version=1)), None, id="not behind a pin"
        ),
        pytest.param(
            make_observed(make_version(1, VersionPhase.CANDIDATE), spec=make_spec(objective={"threshold": 0.97})),
            VersionPhase.REJECTED,
            id="a higher threshold takes a candidate back before it has traffic",
        ),
    ],
)
def test_changed_rules_judge_again(observed: Observed, phase: VersionPhase | None) -> None:
    writes = [action.status.phase for action in actions_of(observed, WriteVersionStatus)]
    assert writes == ([phase] if phase is not None else [])
    spec_changed = observed.model.spec.training.estimator == "SVC"
    assert bool(actions_of(observed, CreateVersion)) == spec_changed


LADDER = [Strategy.REFIT, Strategy.TUNE, Strategy.ENSEMBLE]


@pytest.mark.parametrize(
    ("attempt", "strategies", "expected"),
    [
        pytest.param(1, LADDER, Strategy.REFIT, id="the first"),
        pytest.param(2, LADDER, Strategy.TUNE, id="the second"),
        pytest.param(3, LADDER, Strategy.ENSEMBLE, id="the third"),
        pytest.param(9, LADDER, Strategy.ENSEMBLE, id="the last, from then on"),
        pytest.param(1, [Strategy.TUNE], Strategy.TUNE, id="a single one at once"),
        pytest.param(7, [Strategy.TUNE], Strategy.TUNE, id="a single one always"),
        pytest.param(2, [], Strategy.REFIT, id="none declared"),
    ],
)
def test_each_attempt_takes_the_next_strategy(attempt: int, strategies: list[Strategy], expected: Strategy) -> None:
    assert strategy_of(attempt, strategies) is expected


@pytest.mark.parametrize(
    ("attempts", "strategy", "told"),
    [
        pytest.param(0, Strategy.REFIT, "is below 0.92.", id="no attempt before"),
        pytest.param(1, Strategy.TUNE, "is below 0.92. Attempt 2: Tune.", id="one that was no better"),
        pytest.param(2, Strategy.ENSEMBLE, "is below 0.92. Attempt 3: Ensemble.", id="two that were no better"),
    ],
)
def test_an_attempt_after_an_alarm_records_its_strategy(attempts: int, strategy: Strategy, told: str) -> None:
    spec = make_spec(retraining={"data": {"includeFeedback": True}, "strategies": LADDER, "cooldown": "1s"})
    trigger = VersionTrigger(
        reason="AccuracyAlarm", message="It fell.", alarm_seq=ALARM.seq, alarm_at=ALARM.at, changed_after=0
    )
    tried = [rejected(2 + number, spec=spec, trigger=trigger) for number in range(attempts)]
    quality = make_quality(alarm=ALARM, records=9000, records_counted=5000, last_seq=14000)
    observed = make_observed(make_version(1, spec=spec), *tried, spec=spec, quality=quality)
    observed = replace(observed, quality_query=quality_query(observed))

    [created] = actions_of(observed, CreateVersion)

    assert created.spec.trigger.strategy is strategy
    assert created.spec.trigger.message.endswith(told)


@pytest.mark.parametrize(
    "observed",
    [
        pytest.param(make_new(), id="the first version"),
        pytest.param(make_observed(V1, spec=OTHER), id="a changed spec"),
        pytest.param(
            make_observed(V1, model=replace(make_model(make_spec()), retrain_request="again")), id="a request"
        ),
    ],
)
def test_other_runs_do_what_is_declared(observed: Observed) -> None:
    [created] = actions_of(observed, CreateVersion)
    assert created.spec.trigger.strategy is None
